//! The statements of a call, recorded from PostgreSQL's log and repeated by `pgbench`.
//!
//! What differs from call to call (ids given out, names, times) is made from a counter of pgbench's, in a statement before
//! the others: in them a value that PostgreSQL had to reckon would be planned for otherwise than one that it is told. All
//! values are sent as they were: as parameters of prepared statements, and what the program sends in one round trip in one
//! round trip.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use uuid::Uuid;

use crate::load::{Client, Door, Figure, Numbers};
use crate::office::{Asker, Organization, Program};
use crate::work::Work;

const LOGIN: &str = "frontdesk_app";
/// As the program sets its connections up.
const SETTINGS: &str = "-c plan_cache_mode=auto -c jit=off -c max_parallel_workers_per_gather=0 -c timezone=UTC \
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
#[derive(Default)]
struct Script {
    text: String,
    variables: Vec<(String, String)>,
    /// The columns of the first statement that are parameters of others: each has something in it that differs.
    composed: Vec<String>,
}

/// A text that differs from call to call.
struct Varying {
    text: String,
    /// What stands for it in call `:n`.
    expression: String,
    /// The variable that holds it.
    name: String,
}

/// Repeats what the calls do in the database.
pub fn run(
    program: &Program,
    work: Work,
    org: &Organization,
    askers: &[Asker],
    seconds: u64,
    numbers: &mut Numbers,
) -> anyhow::Result<Figure> {
    let dir = std::env::temp_dir().join(format!("frontdesk-pgbench-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let recorded = record(program, work, org, askers, numbers)?;
    let mut running = Vec::new();
    for (nth, ((statements, number), range)) in recorded.iter().zip(numbers.take()).enumerate() {
        let script = write_script(program, work, statements, *number)?;
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

/// What one call of each of them does in the database, with the number it was made for.
fn record(
    program: &Program,
    work: Work,
    org: &Organization,
    askers: &[Asker],
    numbers: &mut Numbers,
) -> anyhow::Result<Vec<(Vec<Statement>, u64)>> {
    log_statements(program, true)?;
    let mut recorded = Vec::new();
    for (asker, range) in askers.iter().zip(numbers.take()) {
        settle(&Client::new(&program.server.url, Door::Rest, asker)?, org);
        let client = Client::new(&program.server.url, work.doors()[0], asker)?;
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
    settle(&Client::new(&program.server.url, Door::Rest, &askers[0])?, org);
    Ok(recorded)
}

fn statements_of(
    program: &Program,
    client: &Client,
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
fn settle(client: &Client, org: &Organization) {
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
fn write_script(program: &Program, work: Work, statements: &[Statement], number: u64) -> anyhow::Result<Script> {
    let varying = varying(work, statements, number);
    let mut script = Script::default();
    for (nth, statement) in statements.iter().enumerate() {
        let sql = statement.sql.trim_end_matches(';');
        let text = if statement.simple {
            // One message with two statements is one round trip; with prepared statements a pipeline is that.
            let parts: Vec<String> = sql.split("; ").map(|part| with_literals(part, &varying)).collect();
            match parts.as_slice() {
                [only] => format!("{only};\n"),
                _ => format!("\\startpipeline\n{};\n\\endpipeline\n", parts.join(";\n")),
            }
        } else {
            let types = types_of(program, sql)?;
            ensure!(types.len() == statement.parameters.len(), "{} types for {statement:?}", types.len());
            with_variables(sql, statement, nth, &types, &varying, &mut script) + ";\n"
        };
        script.text.push_str(&text);
    }
    script.text = format!("\\set n :n + 1\n{}{}", first_statement(&varying, &script.composed), script.text);
    Ok(script)
}

/// Has all that differs made, and what has it in it.
fn first_statement(varying: &[Varying], composed: &[String]) -> String {
    if varying.is_empty() {
        return String::new();
    }
    let made: Vec<String> = varying.iter().map(|one| format!("{} as {}", one.expression, one.name)).collect();
    let columns: Vec<&str> = varying.iter().map(|one| &one.name).chain(composed).map(String::as_str).collect();
    format!("select {} from (select {} offset 0) made \\gset\n", columns.join(", "), made.join(", "))
}

fn varying(work: Work, statements: &[Statement], number: u64) -> Vec<Varying> {
    let mut varying = work.varying(number);
    // What was given out in the call carries its time, which is the call id's.
    if let Some(call) = statements.iter().find_map(|statement| call_id(&statement.sql)) {
        let same_time = |id: &Uuid| id.as_bytes()[..6] == call.as_bytes()[..6] && id.get_version_num() == 7;
        let texts =
            statements.iter().flat_map(|statement| statement.parameters.iter().flatten().chain([&statement.sql]));
        let ids: BTreeSet<String> =
            texts.flat_map(|text| ids_in(text)).filter(same_time).map(|id| id.to_string()).collect();
        varying.extend(ids.into_iter().enumerate().map(|(nth, id)| {
            let fresh = format!(
                "'1' || lpad(to_hex(:n::bigint), 7, '0') || '-0000-7000-8000-' || lpad(to_hex({nth}), 12, '0')"
            );
            (id, fresh)
        }));
    }
    let named = |(nth, (text, expression))| Varying { text, expression, name: format!("v{nth}") };
    varying.into_iter().enumerate().map(named).collect()
}

/// The call that a transaction is opened for, by the setting that its first message makes.
fn call_id(sql: &str) -> Option<Uuid> {
    sql.split_once("frontdesk.call_id = ").and_then(|(_, setting)| ids_in(setting).next())
}

fn ids_in(text: &str) -> impl Iterator<Item = Uuid> {
    let starts = (0..text.len().saturating_sub(35)).filter(|at| text.is_char_boundary(*at));
    starts.filter_map(|at| text.get(at..at + 36)?.parse().ok())
}

/// A statement that was sent as text, where quoted texts that differ are variables.
fn with_literals(sql: &str, varying: &[Varying]) -> String {
    varying.iter().fold(sql.to_string(), |sql, one| sql.replace(&format!("'{}'", one.text), &format!(":{}", one.name)))
}

fn with_variables(
    sql: &str,
    statement: &Statement,
    nth: usize,
    types: &[String],
    varying: &[Varying],
    script: &mut Script,
) -> String {
    let mut sql = sql.to_string();
    // From the last to the first, or `$1` would be found in `$12`.
    for (index, value) in statement.parameters.iter().enumerate().rev() {
        let differing: Vec<_> = varying
            .iter()
            .filter(|one| value.as_ref().is_some_and(|value| value.contains(one.text.as_str())))
            .collect();
        let name = format!("s{nth}_{index}");
        let given = match (value, differing.as_slice()) {
            (None, _) => "null".into(),
            (Some(value), []) => {
                script.variables.push((name.clone(), value.clone()));
                format!(":{name}")
            }
            (Some(value), [one]) if one.text == *value => format!(":{}", one.name),
            (Some(value), _) => {
                let composed = differing.iter().fold(format!(":{name}_was::text"), |inner, one| {
                    format!("replace({inner}, '{}', {})", one.text, one.name)
                });
                script.composed.push(format!("{composed} as {name}"));
                script.variables.push((format!("{name}_was"), value.clone()));
                format!(":{name}")
            }
        };
        sql = sql.replace(&format!("${}", index + 1), &format!("{given}::{}", types[index]));
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
