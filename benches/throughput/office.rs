//! The program as an owner runs it, in a directory of its own, with some organizations.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, ensure};
use uuid::Uuid;

use crate::CONNECTIONS;
use crate::calendar::{Calendar, ZONE};

pub const OWNER: &str = "frontdesk_owner";
/// Milliseconds of the unit in which Linux tells how long a process has worked.
const TICK: f64 = 10.0;

/// The running program.
pub struct Program {
    process: Child,
    data: PathBuf,
    pub server: Server,
    agents: AtomicU32,
}

/// A process that answers over HTTP.
pub struct Server {
    pub url: String,
    pub process: u32,
}

impl Server {
    /// Milliseconds that the process itself has had of the processors so far.
    pub fn worked(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process))?;
        let (_, fields) = stat.rsplit_once(')').context("a stat without a name")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        Ok(ticks.sum::<Result<f64, _>>()? * TICK)
    }
}

/// An organization and who is in it.
pub struct Organization {
    pub id: Uuid,
    pub contacts: u32,
    /// Without anybody in it unless it was asked for.
    pub calendar: Calendar,
    owner: String,
    ids: Vec<Uuid>,
}

impl Organization {
    /// Some contact; another one for each number.
    pub fn contact(&self, number: u64) -> Uuid {
        self.ids[number as usize % self.ids.len()]
    }
}

/// Somebody known by headers of each request: an agent, a person in a session, or nobody in particular.
#[derive(Clone, Default)]
pub struct Asker {
    pub headers: Vec<(&'static str, String)>,
}

impl Program {
    /// In an empty directory.
    pub fn start() -> anyhow::Result<Self> {
        let data = std::env::temp_dir().join(format!("frontdesk-throughput-{}", std::process::id()));
        let mut process = command(&data)
            .args(["serve", "--listen", "127.0.0.1:0"])
            // Nobody asks as fast as here; what is measured is the work and not the refusal.
            .env("FRONTDESK_RATE_LIMIT", "1000000")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut lines = BufReader::new(process.stdout.take().context("no standard output")?).lines();
        lines.next().context("the program ended before it was ready")??;
        // Read on, or the program would write into a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let url = std::fs::read_to_string(data.join("url"))?;
        let server = Server { url, process: process.id() };
        Ok(Self { process, data, server, agents: AtomicU32::new(0) })
    }

    /// An organization with so many contacts.
    pub fn organization(&self, name: &str, contacts: u32) -> anyhow::Result<Organization> {
        let owner = format!("{}@example.com", name.to_lowercase());
        self.administer(&[
            "org",
            "create",
            "--name",
            name,
            "--timezone",
            ZONE.name(),
            "--currency",
            "USD",
            "--owner",
            &owner,
        ])?;
        let id: Uuid = self.sql(&format!("select id from orgs where name = '{name}'"))?.parse()?;
        self.seed("throughput/seed.sql", &[format!("org={id}"), format!("contacts={contacts}")])?;
        let ids = self.sql(&format!("select id from contacts where org_id = '{id}' order by id limit 1000"))?;
        let ids = ids.lines().map(str::parse).collect::<Result<_, _>>()?;
        Ok(Organization { id, contacts, ids, owner, calendar: Calendar::default() })
    }

    /// The same with a full calendar.
    pub fn organization_at_work(&self, name: &str, contacts: u32) -> anyhow::Result<Organization> {
        let org = self.organization(name, contacts)?;
        let id = org.id;
        self.seed("throughput/calendar.sql", &[format!("org={id}")])?;
        let service =
            self.sql(&format!("select id from services where org_id = '{id}' order by code limit 1"))?.parse()?;
        let crew = self.sql(&format!(
            "select id from users where org_id = '{id}' and role = 'technician' order by id limit {CONNECTIONS}"
        ))?;
        let mut technicians = Vec::new();
        for technician in crew.lines() {
            let visits = self.sql(&format!(
                "select ticket_id from ticket_technicians where org_id = '{id}' and user_id = '{technician}'
                 order by ticket_id limit 100"
            ))?;
            technicians.push((technician.parse()?, visits.lines().map(str::parse).collect::<Result<_, _>>()?));
        }
        Ok(Organization { calendar: Calendar { technicians, service }, ..org })
    }

    /// The owner in a new session.
    pub fn owner(&self, org: &Organization) -> anyhow::Result<Asker> {
        let said = self.administer(&["sign-in-link", &org.owner])?;
        let link = said.lines().next_back().context("no link")?;
        let http: ureq::Agent = ureq::Agent::config_builder().max_redirects(0).build().into();
        let answer = http.post(link).send_form([("next", "/week")])?;
        let cookie = answer.headers().get("set-cookie").context("no session")?.to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_string();
        let session = http.get(format!("{}/api/session", self.server.url)).header("cookie", &cookie).call()?;
        let session: serde_json::Value = session.into_body().read_json()?;
        let proof = session["data"]["csrf_token"].as_str().context("a session without a CSRF token")?.to_string();
        Ok(Asker { headers: vec![("cookie", cookie), ("x-csrf-token", proof)] })
    }

    /// A new agent of the organization, with rules under which it may do as much as it likes of what is measured.
    pub fn agent(&self, org: &Organization) -> anyhow::Result<Asker> {
        let name = format!("Agent {}", self.agents.fetch_add(1, Ordering::Relaxed));
        let token = self.administer(&["agent", "create", &name, "--org", &org.id.to_string()])?;
        let org = org.id;
        self.sql(&format!(
            "begin;
             select frontdesk.begin_call('{org}', gen_random_uuid(), now());
             with agent as (
               select id, action from agents, unnest(array['contact.create', 'ticket.schedule', 'ticket.reschedule']) action
                where org_id = '{org}' and name = '{name}'),
             asked as (
               insert into authorizations (org_id, id, agent_id, agent_name, action, input, is_batch, input_hash, summary, reasoning,
                                           reasons, stake, preview, plan_hash, status, expires_at, asked_call_id, created_at)
               select '{org}', gen_random_uuid(), id, '{name}', action, '{{}}', false, '', '', '', '[]', '{{}}', '{{}}', '',
                      'expired', now(), gen_random_uuid(), now()
                 from agent
               returning id, agent_id, action)
             insert into rules (org_id, id, agent_id, action, items_per_day, authorization_id, created_by, created_by_name,
                                created_at, updated_at)
             select '{org}', gen_random_uuid(), agent_id, action, 1000000, id, gen_random_uuid(), 'Bench', now(), now()
               from asked;
             commit"
        ))?;
        Ok(Asker { headers: vec![("authorization", format!("Bearer {token}"))] })
    }

    /// The resident memory of the program itself, in MiB.
    pub fn resident_mib(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }

    pub fn stop(mut self) -> anyhow::Result<()> {
        self.administer(&["stop"])?;
        ensure!(self.process.wait()?.success(), "the program did not end well");
        Ok(std::fs::remove_dir_all(&self.data)?)
    }

    /// Runs a file of `benches/` as the owner.
    pub fn seed(&self, file: &str, variables: &[String]) -> anyhow::Result<()> {
        let file = benches().join(file).display().to_string();
        let words = variables.iter().flat_map(|variable| ["-v", variable]).chain(["-f", file.as_str()]);
        self.psql(&words.collect::<Vec<_>>(), "").map(drop)
    }

    /// What the program's PostgreSQL has logged so far.
    pub fn log(&self) -> anyhow::Result<Vec<u8>> {
        Ok(std::fs::read(self.data.join("postgres/postgres.log"))?)
    }

    /// Runs SQL as the owner; the rows, a line each.
    pub fn sql(&self, statements: &str) -> anyhow::Result<String> {
        self.psql(&["-q", "-A", "-t"], statements)
    }

    fn psql(&self, words: &[&str], input: &str) -> anyhow::Result<String> {
        let mut psql = self.postgres_program("psql");
        psql.args(["-X", "-v", "ON_ERROR_STOP=1", "-U", OWNER, "-d", "frontdesk"]).args(words);
        let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        psql.stdin.take().context("no standard input")?.write_all(input.as_bytes())?;
        let done = psql.wait_with_output()?;
        ensure!(done.status.success(), "psql refused {input}");
        Ok(String::from_utf8(done.stdout)?.trim().to_string())
    }

    /// A program of PostgreSQL's, pointed at this one's database.
    pub fn postgres_program(&self, name: &str) -> Command {
        let mut program = Command::new(name);
        program
            .env("PGHOST", self.data.join("postgres"))
            .env("PGPORT", "5432")
            .env_remove("PGUSER")
            .env_remove("PGDATABASE");
        program
    }

    fn administer(&self, words: &[&str]) -> anyhow::Result<String> {
        let done = command(&self.data).args(words).stderr(Stdio::inherit()).output()?;
        ensure!(done.status.success(), "frontdesk {} failed", words.join(" "));
        Ok(String::from_utf8(done.stdout)?.trim().to_string())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // After an error: PostgreSQL ends with the program that started it.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Where the files of the measurements are.
pub fn benches() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches")
}

fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_frontdesk"));
    command.env_remove("DATABASE_URL").env_remove("DATABASE_OWNER_URL").arg("--data").arg(data);
    command
}
