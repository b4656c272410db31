//! The same work done by two Python servers on the same rows, in turn with ours: FastAPI and the official MCP SDK, each over
//! asyncpg and without anything but its statements. `pgbench` repeats those statements, which is as fast as it gets.
//!
//! ```sh
//! cargo bench --bench throughput -- comparison >table.md
//! ```
//!
//! How it goes is told on standard error; what comes out, on standard output, is for `benches/README.md`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::load::{self, Client, Door, Figure, Numbers};
use crate::office::{Asker, OWNER, Organization, Program, Server, benches};
use crate::work::{SOUGHT, Work};
use crate::{CONNECTIONS, Plan, median, say};

/// What is compared, and how the table calls it.
const WORKS: [(Work, &str); 3] =
    [(Work::Whole, "by id with addresses"), (Work::Search, "search, 20 hits"), (Work::Create, "write")];
/// How the script ends that finds no Python.
const NO_PYTHON: i32 = 3;
/// Contacts that `pgbench` reads: a script for each.
const READ: u64 = 100;
/// For each look at how much of the processors there is to be had.
const COUNTING: Duration = Duration::from_millis(300);

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Floor,
    FastApi,
    PythonMcp,
    Rest,
    RestPerson,
    Mcp,
    McpSession,
}

const LINES: [Line; 7] =
    [Line::Floor, Line::FastApi, Line::PythonMcp, Line::Rest, Line::RestPerson, Line::Mcp, Line::McpSession];

impl Line {
    fn name(self) -> &'static str {
        match self {
            Self::Floor => "pgbench, the Python servers' bare statements",
            Self::FastApi => "FastAPI + asyncpg",
            Self::PythonMcp => "Python MCP SDK + asyncpg, 2026-07-28",
            Self::Rest => "ours, REST, eight agents",
            Self::RestPerson => "ours, REST, a person",
            Self::Mcp => "ours, MCP 2026-07-28, eight agents",
            Self::McpSession => "ours, MCP 2025-11-25, one session of one agent",
        }
    }

    /// The Python server that does the same.
    fn counterpart(self) -> Option<Self> {
        match self {
            Self::Floor | Self::FastApi | Self::PythonMcp => None,
            Self::Rest | Self::RestPerson => Some(Self::FastApi),
            Self::Mcp | Self::McpSession => Some(Self::PythonMcp),
        }
    }
}

/// A server in Python; it ends with us.
struct Python {
    process: Child,
    server: Server,
}

impl Python {
    fn start(program: &Program, org: &Organization, interpreter: &str, script: &str) -> anyhow::Result<Self> {
        let mut process = program
            .postgres_program(interpreter)
            .arg(benches().join("python").join(script))
            .env("PGUSER", OWNER)
            .env("PGDATABASE", "frontdesk")
            .env("COMPARISON_ORG", org.id.to_string())
            .env("COMPARISON_CONNECTIONS", CONNECTIONS.to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut url = String::new();
        BufReader::new(process.stdout.take().context("no standard output")?).read_line(&mut url)?;
        let server = Server { url: url.trim().into(), process: process.id() };
        let started = Self { process, server };
        ensure!(!started.server.url.is_empty(), "{script} ended before it was ready");
        Ok(started)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// All that takes part.
struct Field<'p> {
    program: &'p Program,
    org: Organization,
    fastapi: Python,
    mcp: Python,
    agents: Vec<Asker>,
    person: Asker,
}

/// The figures of each line in each round.
type Rounds = Vec<Vec<Figure>>;

pub fn run(program: &Program, plan: &Plan) -> anyhow::Result<()> {
    let Some(interpreter) = interpreter()? else {
        return tell("There is no python3 with its venv module on this machine, so the comparison is skipped.");
    };
    tell(&format!("An organization of {} contacts is made, for ours and for the others.", plan.contacts))?;
    let org = program.organization("Compared", plan.contacts)?;
    program.seed("python/tables.sql", &[format!("org={}", org.id)])?;
    let fastapi = Python::start(program, &org, &interpreter, "fastapi_server.py")?;
    let mcp = Python::start(program, &org, &interpreter, "mcp_server.py")?;
    let (agents, person) = (agents(program, &org)?, program.owner(&org)?);
    let mut field = Field { program, org, fastapi, mcp, agents, person };
    let mut had = Vec::new();
    let mut results = Vec::new();
    for (work, name) in WORKS {
        tell(name)?;
        results.push(field.measured(work, plan, &mut had)?);
    }
    say(&table(&results))?;
    say(&circumstances(&field, plan, &had))
}

/// The Python that the servers run on, with what they need; none where there is no Python at all.
fn interpreter() -> anyhow::Result<Option<String>> {
    let made = Command::new("bash").arg(benches().join("python/environment")).stderr(Stdio::inherit()).output()?;
    match made.status.code() {
        Some(0) => Ok(Some(String::from_utf8(made.stdout)?.trim().to_string())),
        Some(NO_PYTHON) => Ok(None),
        _ => bail!("the Python servers' packages could not be installed"),
    }
}

fn agents(program: &Program, org: &Organization) -> anyhow::Result<Vec<Asker>> {
    (0..CONNECTIONS).map(|_| program.agent(org)).collect()
}

impl Field<'_> {
    fn measured(&mut self, work: Work, plan: &Plan, had: &mut Vec<f64>) -> anyhow::Result<Rounds> {
        let mut numbers = Numbers::default();
        let mut rounds = Rounds::new();
        for _ in 0..plan.rounds {
            had.push(processors_to_be_had()?);
            let mut round = Vec::new();
            for line in LINES {
                // What an agent did within ten minutes is counted at each of its changes.
                if work == Work::Create && matches!(line, Line::Rest | Line::Mcp | Line::McpSession) {
                    self.agents = agents(self.program, &self.org)?;
                }
                let figure = self.figure(line, work, plan.seconds, &mut numbers)?;
                tell(&format!("  {}", in_words(line, &figure)))?;
                round.push(figure);
            }
            rounds.push(round);
        }
        Ok(rounds)
    }

    fn figure(&self, line: Line, work: Work, seconds: u64, numbers: &mut Numbers) -> anyhow::Result<Figure> {
        let (ours, org) = (&self.program.server, &self.org);
        let nobody = vec![Asker::default(); CONNECTIONS];
        let (server, door, askers) = match line {
            Line::Floor => return floor(self.program, work, org, seconds),
            Line::FastApi => (&self.fastapi.server, Door::FastApi, &nobody),
            Line::PythonMcp => (&self.mcp.server, Door::PythonMcp, &nobody),
            Line::Rest => (ours, Door::Rest, &self.agents),
            Line::RestPerson => (ours, Door::Rest, &vec![self.person.clone(); CONNECTIONS]),
            Line::Mcp => (ours, Door::Stateless, &self.agents),
            Line::McpSession => {
                let first = Client::new(&ours.url, Door::Mcp, &self.agents[0])?;
                let clients = (1..CONNECTIONS).map(|_| first.twin()).collect::<Vec<_>>();
                let clients = std::iter::once(first).chain(clients).collect();
                return load::run_clients(ours, clients, work, org, seconds, numbers);
            }
        };
        load::run(server, door, work, org, askers, seconds, numbers)
    }
}

/// What `pgbench` gets done with the Python servers' statements.
fn floor(program: &Program, work: Work, org: &Organization, seconds: u64) -> anyhow::Result<Figure> {
    let dir = std::env::temp_dir().join(format!("frontdesk-floor-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let mut pgbench = program.postgres_program("pgbench");
    pgbench.env("PGOPTIONS", "-c search_path=comparison").args(["-U", OWNER, "-n", "-M", "prepared", "-j", "2"]);
    pgbench.args(["-c", &CONNECTIONS.to_string(), "-T", &seconds.to_string()]);
    for (nth, script) in scripts(work, org)?.iter().enumerate() {
        let file = dir.join(format!("{nth}.sql"));
        std::fs::write(&file, script)?;
        pgbench.arg("-f").arg(file);
    }
    let done = pgbench.arg("frontdesk").output()?;
    std::fs::remove_dir_all(dir)?;
    let (said, failed) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    ensure!(done.status.success() && !failed.contains("aborted"), "pgbench: {failed}");
    let said_of = |name: &str| {
        let number = said.lines().find_map(|line| line.strip_prefix(name))?;
        number.split_whitespace().next()?.parse::<f64>().ok()
    };
    let rate = said_of("tps = ").with_context(|| format!("no rate in what pgbench said: {said}"))?;
    let middle = said_of("latency average = ").unwrap_or(f64::NAN);
    Ok(Figure { rate, middle, slow: f64::NAN, own: None })
}

/// The statements with values in place of what the servers give: as they are where they stay the same.
fn scripts(work: Work, org: &Organization) -> anyhow::Result<Vec<String>> {
    let quoted = |text: &str| format!("'{text}'");
    let org_id = quoted(&org.id.to_string());
    let filled = |name: &str, values: &[&str]| -> anyhow::Result<String> {
        let sql = std::fs::read_to_string(benches().join("python").join(name))?;
        // From the last to the first, or `$1` would be found in `$12`.
        let numbered = values.iter().enumerate().rev();
        Ok(numbered.fold(sql, |sql, (nth, value)| sql.replace(&format!("${}", nth + 1), value)))
    };
    match work {
        Work::Create => {
            let family = "'g' || :n";
            let email = format!("{family} || '@example.com'");
            let phone = "'+1205' || :n";
            let words =
                format!("concat_ws(' ', 'Jane', {family}, {email}, {phone}, '123 Main Street Madison AL 35758')");
            let contact = filled("create_contact.sql", &[&org_id, "'Jane'", family, &words])?;
            let email = filled("create_email.sql", &[&org_id, ":id", &email])?;
            let phone = filled("create_phone.sql", &[&org_id, ":id", phone])?;
            let place = ["'123 Main Street'", "'Madison'", "'AL'", "'35758'"];
            let address =
                filled("create_address.sql", &[[org_id.as_str(), ":id"].as_slice(), place.as_slice()].concat())?;
            let statements = format!("{contact}\\gset\n{email};\n{phone};\n{address};\n");
            Ok(vec![format!("\\set n random(1000000, 9999999)\nbegin;\n{statements}commit;\n")])
        }
        Work::Search => Ok(vec![filled("search.sql", &[&org_id, &quoted(SOUGHT)])? + ";\n"]),
        _ => (0..READ)
            .map(|nth| Ok(filled("read.sql", &[&org_id, &quoted(&org.contact(nth).to_string())])? + ";\n"))
            .collect(),
    }
}

/// How much of the processors a thread on each gets that only counts: all of them where nobody else works.
fn processors_to_be_had() -> anyhow::Result<f64> {
    let processors = std::thread::available_parallelism()?.get();
    let shares = std::thread::scope(|scope| {
        let counting: Vec<_> = (0..processors).map(|_| scope.spawn(share_of_a_processor)).collect();
        counting
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
            .collect::<anyhow::Result<Vec<f64>>>()
    })?;
    Ok(shares.iter().sum::<f64>() / shares.len() as f64)
}

fn share_of_a_processor() -> anyhow::Result<f64> {
    let worked = || -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(Path::new("/proc/thread-self/schedstat"))?;
        let nanoseconds = stat.split_whitespace().next().context("an empty schedstat")?;
        Ok(nanoseconds.parse::<f64>()? / 1e9)
    };
    let (before, begun) = (worked()?, Instant::now());
    while begun.elapsed() < COUNTING {
        std::hint::spin_loop();
    }
    Ok((worked()? - before) / begun.elapsed().as_secs_f64())
}

fn in_words(line: Line, figure: &Figure) -> String {
    let own = figure.own.map(|own| format!("   the server's part {own:5.2} ms")).unwrap_or_default();
    format!("{:46} {:7.0} a second   half within {:5.2} ms{own}", line.name(), figure.rate, figure.middle)
}

/// For each work the rate of each line, and what it is of its counterpart's in the same round.
fn table(results: &[Rounds]) -> String {
    let columns: Vec<String> = WORKS.iter().map(|(_, name)| format!(" {name} | of Python's |")).collect();
    let head = format!("| requests a second |{}\n|---|{}\n", columns.concat(), "---|---|".repeat(WORKS.len()));
    let rows = LINES.iter().enumerate().map(|(nth, line)| {
        let cells = results.iter().map(|rounds| {
            let rates: Vec<f64> = rounds.iter().map(|round| round[nth].rate).collect();
            let other = line.counterpart().and_then(|other| LINES.iter().position(|line| *line == other));
            let shares = other.map(|other| rounds.iter().map(|round| round[nth].rate / round[other].rate).collect());
            let shares = shares.map(|shares: Vec<f64>| spread(&shares, |share| format!("{share:.2}")));
            format!(" {} | {} |", spread(&rates, thousands), shares.unwrap_or_default())
        });
        format!("| {} |{}\n", line.name(), cells.collect::<String>())
    });
    head + &rows.collect::<String>()
}

/// The middle one, with the least and the most.
fn spread(figures: &[f64], shown: impl Fn(f64) -> String) -> String {
    let (least, most) = (figures.iter().copied().fold(f64::MAX, f64::min), figures.iter().copied().fold(0.0, f64::max));
    format!("{} ({} to {})", shown(median(figures.iter().copied())), shown(least), shown(most))
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let (first, last) = digits.split_at(digits.len().saturating_sub(3));
    if first.is_empty() { last.to_string() } else { format!("{first},{last}") }
}

fn circumstances(field: &Field<'_>, plan: &Plan, had: &[f64]) -> String {
    let least = had.iter().copied().fold(1.0, f64::min);
    let quiet = if least > 0.95 { "a quiet machine" } else { "a busy machine: the figures say little" };
    format!(
        "Release build, {} contacts, {CONNECTIONS} connections, {} rounds of {} s, median (least to most). Before each round a thread \
         on each processor got {:.0} % of it at least: {quiet}. Processors: {}.",
        thousands(field.org.contacts.into()),
        plan.rounds,
        plan.seconds,
        least * 100.0,
        std::thread::available_parallelism().map_or(0, usize::from),
    )
}

fn tell(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stderr(), "{line}")?)
}
