//! The statements of a call, recorded from PostgreSQL's log and repeated by `pgbench`.
//!
//! What differs from call to call (ids given out, names, numbers) is made by PostgreSQL from a counter of pgbench's, in the
//! place of the recorded text. Everything else is sent as it was: as parameters of prepared statements, and what the program
//! sends in one round trip in one round trip.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use uuid::Uuid;

use crate::load::{Client, Door, Figure, Numbers};
use crate::office::{Agent, Organization, Program};
use crate::work::{Marks, Work};

const LOGIN: &str = "frontdesk_app";
/// As the program sets its connections up.
const SETTINGS: &str = "-c plan_cache_mode=force_custom_plan -c jit=off -c max_parallel_workers_per_gather=0 -c timezone=UTC \
                        -c pg_trgm.word_similarity_threshold=0.5";

/// One statement as it was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    sql: String,
    /// `$1` and so on; none is null.
    parameters: Vec<Option<String>>,
    /// Sent as text, maybe several in one.
    simple: bool,
}

/// A script for pgbench and the values of its variables.
struct Script {
    text: String,
    variables: Vec<(String, String)>,
}

/// Repeats what the agents' calls do in the database.
pub fn run(
    program: &Program,
    work: Work,
    org: &Organization,
    agents: &[Agent],
    seconds: u64,
    numbers: &mut Numbers,
) -> anyhow::Result<Figure> {
    let dir = std::env::temp_dir().join(format!("frontdesk-pgbench-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let recorded = record(program, work, org, agents, numbers)?;
    let mut running = Vec::new();
    for (nth, ((statements, number), range)) in recorded.iter().zip(numbers.take()).enumerate() {
        let script = write_script(program, statements, *number)?;
        let file = dir.join(format!("{nth}.sql"));
        std::fs::write(&file, &script.text)?;
        let mut pgbench = program.postgres_program("pgbench");
        pgbench
            .env("PGOPTIONS", SETTINGS)
            .args(["-U", LOGIN, "-n", "-c", "1", "-M", "prepared", "-T"])
            .arg(seconds.to_string());
        pgbench.arg("-f").arg(&file).arg("-l").arg(format!("--log-prefix={}", dir.join(nth.to_string()).display()));
        pgbench.args(["-D", &format!("n={}", range.start)]);
        for (name, value) in &script.variables {
            pgbench.arg("-D").arg(format!("{name}={value}"));
        }
        running.push(pgbench.arg("frontdesk").stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?);
    }
    for pgbench in running {
        let done = pgbench.wait_with_output()?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success() && !said.contains("aborted"), "pgbench: {said}");
    }
    let took = latencies(&dir)?;
    std::fs::remove_dir_all(dir)?;
    Ok(Figure::of(took, seconds as f64))
}

/// Milliseconds of each transaction: the third field of pgbench's log, there in microseconds.
fn latencies(dir: &Path) -> anyhow::Result<Vec<f64>> {
    let mut took = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension != "sql") {
            for line in std::fs::read_to_string(path)?.lines() {
                let microseconds: f64 = line.split(' ').nth(2).context("a line of pgbench's log")?.parse()?;
                took.push(microseconds / 1000.0);
            }
        }
    }
    ensure!(!took.is_empty(), "pgbench did nothing");
    Ok(took)
}

/// What one call of each agent does in the database, with the number it was made for.
fn record(
    program: &Program,
    work: Work,
    org: &Organization,
    agents: &[Agent],
    numbers: &mut Numbers,
) -> anyhow::Result<Vec<(Vec<Statement>, u64)>> {
    log_statements(program, true)?;
    let mut recorded = Vec::new();
    for (agent, range) in agents.iter().zip(numbers.take()) {
        let client = Client::new(program, Door::Rest, agent)?;
        settle(&client, org);
        let mut before = Vec::new();
        // Work in the background leaves traces too; what two calls in a row have in common is the call.
        let found = range.take(20).find_map(|number| {
            let statements = statements_of(program, &client, work, org, number);
            let shapes: Vec<String> = statements.iter().flatten().map(Statement::shape).collect();
            let same = shapes == before;
            before = shapes;
            statements.map(|statements| same.then_some((statements, number))).transpose()
        });
        recorded.push(found.context("no two calls have the same statements")??);
    }
    log_statements(program, false)?;
    settle(&Client::new(program, Door::Rest, &agents[0])?, org);
    Ok(recorded)
}

fn statements_of(
    program: &Program,
    client: &Client<'_>,
    work: Work,
    org: &Organization,
    number: u64,
) -> anyhow::Result<Vec<Statement>> {
    let from = program.log()?.len();
    client.ask(work, org, number)?;
    read_log(&program.log()?[from..])
}

/// Has PostgreSQL log each statement of the program with its parameters, or not, from its next connections on.
fn log_statements(program: &Program, on: bool) -> anyhow::Result<()> {
    let settings = match on {
        true => "set log_statement = 'all'; alter role frontdesk_app set log_error_verbosity = 'default'",
        false => "reset log_statement; alter role frontdesk_app reset log_error_verbosity",
    };
    program.sql(&format!(
        "alter role {LOGIN} {settings}; select pg_terminate_backend(pid) from pg_stat_activity where usename = '{LOGIN}'"
    ))?;
    Ok(())
}

/// Until the program has noticed that its connections are gone, and works on new ones.
fn settle(client: &Client<'_>, org: &Organization) {
    let mut well = 0;
    while well < 30 {
        well = if client.ask(Work::ById, org, 0).is_ok() { well + 1 } else { 0 };
    }
}

impl Statement {
    /// What two calls of one kind have in common.
    fn shape(&self) -> String {
        match self.simple {
            true => self.sql.chars().take_while(|c| *c != ';').collect(),
            false => self.sql.clone(),
        }
    }
}

/// The statements in a piece of PostgreSQL's log, in their order.
fn read_log(log: &[u8]) -> anyhow::Result<Vec<Statement>> {
    let mut entries: Vec<(String, String)> = Vec::new();
    for line in String::from_utf8_lossy(log).lines() {
        match (line.split_once("]  ").or_else(|| line.split_once("] ")), line.strip_prefix('\t'), entries.last_mut()) {
            (_, Some(more), Some((_, text))) => *text = format!("{text}\n{more}"),
            (Some((stamp, said)), None, _) if stamp.contains(" UTC [") => {
                let (level, text) = said.split_once(":  ").context("a line of PostgreSQL's log without a level")?;
                entries.push((level.to_string(), text.to_string()));
            }
            _ => bail!("not a line of PostgreSQL's log: {line}"),
        }
    }
    let mut statements: Vec<Statement> = Vec::new();
    for (level, text) in entries {
        if let Some(sql) = text.strip_prefix("statement: ") {
            statements.push(Statement { sql: sql.into(), parameters: Vec::new(), simple: true });
        } else if let Some((_, sql)) = text.strip_prefix("execute ").and_then(|rest| rest.split_once(": ")) {
            statements.push(Statement { sql: sql.into(), parameters: Vec::new(), simple: false });
        } else if let (Some(list), "DETAIL") = (text.strip_prefix("parameters: "), level.as_str()) {
            statements.last_mut().context("parameters of no statement")?.parameters = parameters(list)?;
        }
    }
    Ok(statements)
}

/// The values in `$1 = 'one', $2 = NULL`.
fn parameters(list: &str) -> anyhow::Result<Vec<Option<String>>> {
    let (mut values, mut rest) = (Vec::new(), list);
    while let Some((_, value)) = rest.split_once(" = ") {
        if let Some(after) = value.strip_prefix("NULL") {
            values.push(None);
            rest = after;
            continue;
        }
        let mut text = String::new();
        let mut quoted = value.strip_prefix('\'').context("a parameter without quotes")?;
        loop {
            let (before, after) = quoted.split_once('\'').context("a parameter without an end")?;
            text.push_str(before);
            match after.strip_prefix('\'') {
                Some(more) => {
                    text.push('\'');
                    quoted = more;
                }
                None => {
                    rest = after;
                    break;
                }
            }
        }
        values.push(Some(text));
    }
    Ok(values)
}

/// How the recorded statements are repeated: `:n` counts the calls of this connection.
fn write_script(program: &Program, statements: &[Statement], number: u64) -> anyhow::Result<Script> {
    let varying = varying(statements, number);
    let mut script = Script { text: "\\set n :n + 1\n".into(), variables: Vec::new() };
    for (nth, statement) in statements.iter().enumerate() {
        let sql = statement.sql.trim_end_matches(';');
        if statement.simple {
            // One message with two statements is one round trip; with prepared statements a pipeline is that.
            let parts: Vec<String> = sql.split("; ").map(|part| with_literals(part, &varying)).collect();
            match parts.as_slice() {
                [only] => script.text.push_str(&format!("{only};\n")),
                _ => script.text.push_str(&format!("\\startpipeline\n{};\n\\endpipeline\n", parts.join(";\n"))),
            }
        } else {
            let types = types_of(program, sql)?;
            ensure!(types.len() == statement.parameters.len(), "{} types for {statement:?}", types.len());
            let text = with_variables(sql, statement, nth, &types, &varying, &mut script.variables);
            script.text.push_str(&format!("{text};\n"));
        }
    }
    Ok(script)
}

/// The texts that differ from call to call, with the expression that stands for each.
fn varying(statements: &[Statement], number: u64) -> BTreeMap<String, String> {
    let marks = Marks::of(number);
    let mut varying: BTreeMap<String, String> = [
        (marks.family, "('g' || translate(lpad((:n::bigint)::text, 8, '0'), '0123456789', 'abcdefghij'))".to_string()),
        (marks.phone, "lpad((:n::bigint % 10000000)::text, 7, '0')".to_string()),
    ]
    .into();
    // What was given out in the call carries its time, which is the call id's.
    let Some(call) = statements.iter().find_map(|statement| call_id(&statement.sql)) else { return varying };
    let same_time = |id: &Uuid| id.as_bytes()[..4] == call.as_bytes()[..4] && id.get_version_num() == 7;
    let texts = statements.iter().flat_map(|statement| statement.parameters.iter().flatten().chain([&statement.sql]));
    let ids: BTreeSet<String> =
        texts.flat_map(|text| ids_in(text)).filter(same_time).map(|id| id.to_string()).collect();
    for (nth, id) in ids.into_iter().enumerate() {
        let fresh =
            format!("('1' || lpad(to_hex(:n::bigint), 7, '0') || '-0000-7000-8000-' || lpad(to_hex({nth}), 12, '0'))");
        varying.insert(id, fresh);
    }
    varying
}

/// The call that a transaction is opened for: the second argument of `frontdesk.begin_call`.
fn call_id(sql: &str) -> Option<Uuid> {
    sql.split_once("begin_call(").and_then(|(_, arguments)| ids_in(arguments).nth(1))
}

fn ids_in(text: &str) -> impl Iterator<Item = Uuid> {
    let starts = (0..text.len().saturating_sub(35)).filter(|at| text.is_char_boundary(*at));
    starts.filter_map(|at| text.get(at..at + 36)?.parse().ok())
}

/// A statement that was sent as text, where quoted texts that differ are expressions.
fn with_literals(sql: &str, varying: &BTreeMap<String, String>) -> String {
    varying
        .iter()
        .fold(sql.to_string(), |sql, (text, fresh)| sql.replace(&format!("'{text}'"), &format!("{fresh}::uuid")))
}

fn with_variables(
    sql: &str,
    statement: &Statement,
    nth: usize,
    types: &[String],
    varying: &BTreeMap<String, String>,
    variables: &mut Vec<(String, String)>,
) -> String {
    let mut sql = sql.to_string();
    // From the last to the first, or `$1` would be found in `$12`.
    for (index, value) in statement.parameters.iter().enumerate().rev() {
        let place = format!("${}", index + 1);
        let Some(value) = value else {
            sql = sql.replace(&place, "null");
            continue;
        };
        let name = format!("s{nth}_{index}");
        let differing: Vec<_> = varying.iter().filter(|(text, _)| value.contains(text.as_str())).collect();
        let fresh = match differing.as_slice() {
            [] => format!(":{name}"),
            [(text, fresh)] if *text == value => format!("{fresh}::{}", types[index]),
            _ => {
                let replaced = differing.iter().fold(format!(":{name}::text"), |inner, (text, fresh)| {
                    format!("replace({inner}, '{text}', {fresh})")
                });
                format!("({replaced})::{}", types[index])
            }
        };
        sql = sql.replace(&place, &fresh);
        if fresh.contains(&format!(":{name}")) {
            variables.push((name, value.clone()));
        }
    }
    sql
}

/// The types of a statement's parameters, as PostgreSQL infers them.
fn types_of(program: &Program, sql: &str) -> anyhow::Result<Vec<String>> {
    let types = program.sql(&format!(
        "prepare statement as {sql};\nselect unnest(parameter_types)::text from pg_prepared_statements where name = 'statement'"
    ))?;
    Ok(types.lines().map(str::to_string).collect())
}
