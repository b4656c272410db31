//! Asks a door over and over, on several connections at once.

use std::ops::Range;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use serde_json::{Value, json};

use crate::CONNECTIONS;
use crate::office::{Agent, Organization, Program};
use crate::work::Work;

/// More than a connection can get done in a round.
const NUMBERS_EACH: u64 = 20_000;
const PROTOCOL: &str = "2025-11-25";

/// A door of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Rest,
    Mcp,
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
}

impl Figure {
    pub fn of(mut milliseconds: Vec<f64>, seconds: f64) -> Self {
        milliseconds.sort_by(f64::total_cmp);
        let at =
            |share: f64| milliseconds.get((milliseconds.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
        Self { rate: milliseconds.len() as f64 / seconds, middle: at(0.5), slow: at(0.95) }
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

/// Lets each agent ask on a connection of its own for some seconds.
pub fn run(
    program: &Program,
    door: Door,
    work: Work,
    org: &Organization,
    agents: &[Agent],
    seconds: u64,
    numbers: &mut Numbers,
) -> anyhow::Result<Figure> {
    let (ranges, start) = (numbers.take(), Barrier::new(agents.len()));
    let took = std::thread::scope(|scope| {
        let clients: Vec<_> = agents
            .iter()
            .zip(ranges)
            .map(|(agent, numbers)| {
                let start = &start;
                scope.spawn(move || {
                    let mut client = Client::new(program, door, agent);
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
    Ok(Figure::of(took.concat(), seconds as f64))
}

/// One connection of one agent.
pub struct Client<'p> {
    http: ureq::Agent,
    program: &'p Program,
    door: Door,
    authorization: String,
    session: Option<String>,
}

impl<'p> Client<'p> {
    pub fn new(program: &'p Program, door: Door, agent: &Agent) -> anyhow::Result<Self> {
        let http =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(30)));
        let authorization = format!("Bearer {}", agent.token);
        let mut client = Self { http: http.build().into(), program, door, authorization, session: None };
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
            self.http.post(format!("{}{path}", self.program.url)).header("authorization", &self.authorization);
        if self.door == Door::Mcp {
            request = request.header("accept", "application/json, text/event-stream");
        }
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session).header("mcp-protocol-version", PROTOCOL);
        }
        Ok(request.send_json(body)?)
    }

    /// The whole text of an answer.
    pub fn ask(&self, work: Work, org: &Organization, number: u64) -> anyhow::Result<String> {
        let answer = match self.door {
            Door::Rest => match work.rest(org, number) {
                (path, Some(body)) => self.post(&path, &body)?,
                (path, None) => {
                    let request = self.http.get(format!("{}{path}", self.program.url));
                    request.header("authorization", &self.authorization).call()?
                }
            },
            Door::Mcp => {
                let (tool, arguments) = work.mcp(org, number);
                let params = json!({"name": tool, "arguments": arguments});
                self.post("/mcp", &json!({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}))?
            }
        };
        let text = answer.into_body().read_to_string()?;
        ensure!(text.contains(r#""success":true"#), "{:?} was answered {text}", self.door);
        Ok(text)
    }

    fn warm(&mut self, work: Work, org: &Organization, number: u64) -> anyhow::Result<()> {
        let text = self.ask(work, org, number)?;
        let envelope = match self.door {
            Door::Rest => serde_json::from_str(&text)?,
            Door::Mcp => {
                let data = text.lines().filter_map(|line| line.strip_prefix("data:")).next_back().unwrap_or(&text);
                serde_json::from_str::<Value>(data)?["result"]["structuredContent"].take()
            }
        };
        work.check(&envelope).map_err(anyhow::Error::msg)
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
