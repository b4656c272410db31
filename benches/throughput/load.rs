//! Asks a door over and over, on several connections at once.

use std::ops::Range;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use serde_json::{Value, json};

use crate::CONNECTIONS;
use crate::office::{Asker, Organization, Program};
use crate::work::Work;

/// More than a connection can get done in a round.
pub const NUMBERS_EACH: u64 = 8_000;
const PROTOCOL: &str = "2025-11-25";
/// As browsers ask for pages.
const COMPRESSED: &str = "gzip";
const NEXT: &str = r#""next_cursor":""#;

/// A door of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Rest,
    Mcp,
    Page,
}

impl Door {
    pub fn name(self) -> &'static str {
        match self {
            Self::Rest => "REST",
            Self::Mcp => "MCP",
            Self::Page => "page",
        }
    }
}

/// What came of a round.
#[derive(Debug, Default)]
pub struct Figure {
    /// Calls a second, of all connections together.
    pub rate: f64,
    /// Milliseconds within which half of the calls were answered,
    pub middle: f64,
    /// and 95 of a hundred.
    pub slow: f64,
    /// Milliseconds that the program worked for each call, if it was asked; other work on the machine hardly changes it.
    pub own: Option<f64>,
}

impl Figure {
    pub fn of(mut milliseconds: Vec<f64>, seconds: f64) -> Self {
        milliseconds.sort_by(f64::total_cmp);
        let at =
            |share: f64| milliseconds.get((milliseconds.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
        Self { rate: milliseconds.len() as f64 / seconds, middle: at(0.5), slow: at(0.95), own: None }
    }
}

/// Numbers that no two calls share: customers are told apart by them.
#[derive(Default)]
pub struct Numbers(u64);

impl Numbers {
    /// A range for each connection.
    pub fn take(&mut self) -> Vec<Range<u64>> {
        let ranges = (0..CONNECTIONS as u64).map(|nth| self.0 + nth * NUMBERS_EACH..self.0 + (nth + 1) * NUMBERS_EACH);
        let ranges = ranges.collect();
        self.0 += CONNECTIONS as u64 * NUMBERS_EACH;
        ranges
    }
}

/// Which connection calls with this number.
pub fn connection(number: u64) -> usize {
    (number / NUMBERS_EACH) as usize % CONNECTIONS
}

/// Lets everybody ask on a connection of their own for some seconds.
pub fn run(
    program: &Program,
    door: Door,
    work: Work,
    org: &Organization,
    askers: &[Asker],
    seconds: u64,
    numbers: &mut Numbers,
) -> anyhow::Result<Figure> {
    let (ranges, start) = (numbers.take(), Barrier::new(askers.len()));
    let worked = program.worked()?;
    let took = std::thread::scope(|scope| {
        let clients: Vec<_> = askers
            .iter()
            .zip(ranges)
            .map(|(asker, numbers)| {
                let start = &start;
                scope.spawn(move || {
                    let mut client = Client::new(program, door, asker);
                    let ready = client
                        .as_mut()
                        .map_err(|error| anyhow!("{error:#}"))
                        .and_then(|client| client.warm(work, org, numbers.start));
                    start.wait();
                    ready?;
                    client?.work(work, org, numbers, Duration::from_secs(seconds))
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().map_err(|_| anyhow!("a client panicked"))?)
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    let took = took.concat();
    let own = (program.worked()? - worked) / took.len() as f64;
    Ok(Figure { own: Some(own), ..Figure::of(took, seconds as f64) })
}

/// One connection.
pub struct Client<'p> {
    http: ureq::Agent,
    program: &'p Program,
    door: Door,
    asker: &'p Asker,
    session: Option<String>,
}

impl<'p> Client<'p> {
    pub fn new(program: &'p Program, door: Door, asker: &'p Asker) -> anyhow::Result<Self> {
        let http =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(30)));
        let mut client = Self { http: http.build().into(), program, door, asker, session: None };
        if door == Door::Mcp {
            client.shake_hands()?;
        }
        Ok(client)
    }

    fn shake_hands(&mut self) -> anyhow::Result<()> {
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "throughput", "version": "1"}}});
        let answer = self.post("/mcp", &hello)?;
        let session = answer.headers().get("mcp-session-id").context("no session")?.to_str()?.to_string();
        answer.into_body().read_to_string()?;
        self.session = Some(session);
        self.post("/mcp", &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?
            .into_body()
            .read_to_string()?;
        Ok(())
    }

    fn post(&self, path: &str, body: &Value) -> anyhow::Result<ureq::http::Response<ureq::Body>> {
        let mut request =
            self.http.post(format!("{}{path}", self.program.url)).header(self.asker.header, &self.asker.value);
        if self.door == Door::Mcp {
            request = request.header("accept", "application/json, text/event-stream");
        }
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session).header("mcp-protocol-version", PROTOCOL);
        }
        Ok(request.send_json(body)?)
    }

    fn get(&self, path: &str, encoding: &str) -> anyhow::Result<Vec<u8>> {
        let request = self.http.get(format!("{}{path}", self.program.url)).header(self.asker.header, &self.asker.value);
        let answer = request.header("accept-encoding", encoding).call()?;
        ensure!(answer.status() == 200, "{path} was answered {}", answer.status());
        Ok(answer.into_body().read_to_vec()?)
    }

    /// The bytes that a page takes, and as many as are sent for it.
    pub fn sizes(&self, path: &str) -> anyhow::Result<(usize, usize)> {
        Ok((self.get(path, "identity")?.len(), self.get(path, COMPRESSED)?.len()))
    }

    /// Calls; of a list that is asked for whole the answer is its last page.
    pub fn ask(&self, work: Work, org: &Organization, number: u64) -> anyhow::Result<Vec<u8>> {
        let body = match self.door {
            Door::Rest => self.ask_rest(work, org, number)?,
            Door::Mcp => {
                let (tool, arguments) = work.mcp(org, number);
                let params = json!({"name": tool, "arguments": arguments});
                let call = json!({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params});
                self.post("/mcp", &call)?.into_body().read_to_vec()?
            }
            Door::Page => return self.get(&work.http(org, number).0, COMPRESSED),
        };
        let text = std::str::from_utf8(&body)?;
        ensure!(text.contains(r#""success":true"#), "{:?} was answered {text}", self.door);
        Ok(body)
    }

    fn ask_rest(&self, work: Work, org: &Organization, number: u64) -> anyhow::Result<Vec<u8>> {
        let (path, body) = work.http(org, number);
        if let Some(body) = body {
            return Ok(self.post(&path, &body)?.into_body().read_to_vec()?);
        }
        let mut answer = self.get(&path, "identity")?;
        while let Some(cursor) = next_cursor(&answer).filter(|_| work.is_whole()) {
            answer = self.get(&format!("{path}&cursor={cursor}"), "identity")?;
        }
        Ok(answer)
    }

    fn warm(&mut self, work: Work, org: &Organization, number: u64) -> anyhow::Result<()> {
        let answer = match self.door {
            Door::Rest => serde_json::from_slice(&self.ask(work, org, number)?)?,
            Door::Mcp => {
                let text = String::from_utf8(self.ask(work, org, number)?)?;
                let data = text.lines().filter_map(|line| line.strip_prefix("data:")).next_back().unwrap_or(&text);
                serde_json::from_str::<Value>(data)?["result"]["structuredContent"].take()
            }
            Door::Page => String::from_utf8(self.get(&work.http(org, number).0, "identity")?)?.into(),
        };
        work.check(&answer).map_err(anyhow::Error::msg)
    }

    /// Milliseconds that each call took.
    fn work(&self, work: Work, org: &Organization, numbers: Range<u64>, time: Duration) -> anyhow::Result<Vec<f64>> {
        let (begun, mut took) = (Instant::now(), Vec::new());
        for number in numbers.skip(1) {
            let asked = Instant::now();
            if asked.duration_since(begun) >= time {
                return Ok(took);
            }
            self.ask(work, org, number)?;
            took.push(asked.elapsed().as_secs_f64() * 1000.0);
        }
        Err(anyhow!("{NUMBERS_EACH} calls on one connection are done before the time is up: measure shorter"))
    }
}

fn next_cursor(answer: &[u8]) -> Option<&str> {
    let (_, rest) = std::str::from_utf8(answer).ok()?.split_once(NEXT)?;
    rest.split('"').next()
}
