//! The program as an owner runs it, in a directory of its own, with two organizations.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, ensure};
use uuid::Uuid;

const OWNER: &str = "frontdesk_owner";

/// The running program.
pub struct Program {
    process: Child,
    data: PathBuf,
    pub url: String,
    agents: AtomicU32,
}

/// An organization and who is in it.
pub struct Organization {
    pub id: Uuid,
    pub contacts: u32,
    ids: Vec<Uuid>,
}

impl Organization {
    /// Some contact; another one for each number.
    pub fn contact(&self, number: u64) -> Uuid {
        self.ids[number as usize % self.ids.len()]
    }
}

/// An agent that may make as many contacts as it likes.
pub struct Agent {
    pub token: String,
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
        Ok(Self { process, data, url, agents: AtomicU32::new(0) })
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
            "America/Chicago",
            "--currency",
            "USD",
            "--owner",
            &owner,
        ])?;
        let id: Uuid = self.sql(&format!("select id from orgs where name = '{name}'"))?.parse()?;
        let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/throughput/seed.sql");
        let (org, number) = (format!("org={id}"), format!("contacts={contacts}"));
        self.psql(&["-v", &org, "-v", &number, "-f", &seed.display().to_string()], "")?;
        let ids = self.sql(&format!("select id from contacts where org_id = '{id}' order by id limit 1000"))?;
        Ok(Organization { id, contacts, ids: ids.lines().map(str::parse).collect::<Result<_, _>>()? })
    }

    /// A new agent of the organization, with a rule under which it may do much of one thing.
    pub fn agent(&self, org: &Organization) -> anyhow::Result<Agent> {
        let name = format!("Agent {}", self.agents.fetch_add(1, Ordering::Relaxed));
        let token = self.administer(&["agent", "create", &name, "--org", &org.id.to_string()])?;
        let org = org.id;
        self.sql(&format!(
            "begin;
             select frontdesk.begin_call('{org}', gen_random_uuid(), now());
             with agent as (select id from agents where org_id = '{org}' and name = '{name}'),
             asked as (
               insert into authorizations (org_id, id, agent_id, agent_name, action, input, is_batch, input_hash, summary, reasoning,
                                           reasons, stake, preview, plan_hash, status, expires_at, asked_call_id, created_at)
               select '{org}', gen_random_uuid(), id, '{name}', 'contact.create', '{{}}', false, '', '', '', '[]', '{{}}', '{{}}', '',
                      'expired', now(), gen_random_uuid(), now()
                 from agent
               returning id, agent_id)
             insert into rules (org_id, id, agent_id, action, items_per_day, authorization_id, created_by, created_by_name,
                                created_at, updated_at)
             select '{org}', gen_random_uuid(), agent_id, 'contact.create', 1000000, id, gen_random_uuid(), 'Bench', now(), now()
               from asked;
             commit"
        ))?;
        Ok(Agent { token })
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

fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_frontdesk"));
    command.env_remove("DATABASE_URL").env_remove("DATABASE_OWNER_URL").arg("--data").arg(data);
    command
}
