//! Asks a door over and over, on several connections at once.

use std::ops::Range;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use serde_json::{Value, json};

use crate::CONNECTIONS;
use crate::office::{Asker, Organization, Server};
use crate::work::Work;

/// More than a connection can get done in a round.
pub const NUMBERS_EACH: u64 = 8_000;
/// With a handshake and a session, and without.
const WITH_SESSIONS: &str = "2025-11-25";
const WITHOUT_SESSIONS: &str = "2026-07-28";
/// As browsers ask for pages.
const COMPRESSED: &str = "gzip";
const NEXT: &str = r#""next_cursor":""#;

/// A door of the program, or what another server has in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Rest,
    /// In a session, as of 2025-11-25.
    Mcp,
    /// Each call by itself, as of 2026-07-28.
    Stateless,
    Page,
    /// Paths that name what they are for.
    FastApi,
    /// A tool for each kind of call, by itself.
    PythonMcp,
}

impl Door {
    pub fn name(self) -> &'static str {
        match self {
            Self::Rest => "REST",
            Self::Mcp => "MCP",
            Self::Stateless => "MCP without sessions",
            Self::Page => "page",
            Self::FastApi => "FastAPI",
            Self::PythonMcp => "the Python SDK",
        }
    }

    fn is_mcp(self) -> bool {
        matches!(self, Self::Mcp | Self::Stateless | Self::PythonMcp)
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
    server: &Server,
    door: Door,
    work: Work,
    org: &Organization,
    askers: &[Asker],
    seconds: u64,
    numbers: &mut Numbers,
) -> anyhow::Result<Figure> {
    let clients =
        askers.iter().map(|asker| Client::new(&server.url, door, asker)).collect::<anyhow::Result<Vec<_>>>()?;
    run_clients(server, clients, work, org, seconds, numbers)
}

/// The same for those who are connected already.
pub fn run_clients(
    server: &Server,
    clients: Vec<Client>,
    work: Work,
    org: &Organization,
    seconds: u64,
    numbers: &mut Numbers,
) -> anyhow::Result<Figure> {
    let (ranges, start) = (numbers.take(), Barrier::new(clients.len()));
    let worked = server.worked()?;
    let took = std::thread::scope(|scope| {
        let clients: Vec<_> = clients
            .into_iter()
            .zip(ranges)
            .map(|(client, numbers)| {
                let start = &start;
                scope.spawn(move || {
                    let ready = client.warm(work, org, numbers.start);
                    start.wait();
                    ready?;
                    client.work(work, org, numbers, Duration::from_secs(seconds))
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().map_err(|_| anyhow!("a client panicked"))?)
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    let took = took.concat();
    let own = (server.worked()? - worked) / took.len() as f64;
    Ok(Figure { own: Some(own), ..Figure::of(took, seconds as f64) })
}

/// One connection.
pub struct Client {
    http: ureq::Agent,
    url: String,
    door: Door,
    asker: Asker,
    session: Option<String>,
}

impl Client {
    pub fn new(url: &str, door: Door, asker: &Asker) -> anyhow::Result<Self> {
        let mut client = Self { http: new_connection(), url: url.into(), door, asker: asker.clone(), session: None };
        if door == Door::Mcp {
            client.shake_hands()?;
        }
        Ok(client)
    }

    /// Another connection in the same session.
    pub fn twin(&self) -> Self {
        let (url, asker, session) = (self.url.clone(), self.asker.clone(), self.session.clone());
        Self { http: new_connection(), url, door: self.door, asker, session }
    }

    fn shake_hands(&mut self) -> anyhow::Result<()> {
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": WITH_SESSIONS, "capabilities": {}, "clientInfo": client_info()}});
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
        let mut request = self.http.post(format!("{}{path}", self.url));
        for (name, value) in &self.asker.headers {
            request = request.header(*name, value);
        }
        if self.door.is_mcp() {
            request = request.header("accept", "application/json, text/event-stream");
        }
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session).header("mcp-protocol-version", WITH_SESSIONS);
        } else if let (true, Some(tool)) = (self.door.is_mcp(), body["params"]["name"].as_str()) {
            request = request.header("mcp-protocol-version", WITHOUT_SESSIONS);
            request = request.header("mcp-method", "tools/call").header("mcp-name", tool);
        }
        Ok(request.send_json(body)?)
    }

    fn get(&self, path: &str, encoding: &str) -> anyhow::Result<Vec<u8>> {
        let mut request = self.http.get(format!("{}{path}", self.url)).header("accept-encoding", encoding);
        for (name, value) in &self.asker.headers {
            request = request.header(*name, value);
        }
        let answer = request.call()?;
        ensure!(answer.status() == 200, "{path} was answered {}", answer.status());
        Ok(answer.into_body().read_to_vec()?)
    }

    /// The bytes that a page takes, and as many as are sent for it.
    pub fn sizes(&self, path: &str) -> anyhow::Result<(usize, usize)> {
        Ok((self.get(path, "identity")?.len(), self.get(path, COMPRESSED)?.len()))
    }

    /// Calls; of a list that is asked for whole the answer is its last page.
    pub fn ask(&self, work: Work, org: &Organization, number: u64) -> anyhow::Result<Vec<u8>> {
        let (body, sign) = match self.door {
            Door::Rest => (self.ask_rest(work, org, number)?, r#""success":true"#),
            Door::Mcp | Door::Stateless => (self.call(work.mcp(org, number), number)?, r#""success":true"#),
            Door::Page => return self.get(&work.http(org, number).0, COMPRESSED),
            Door::FastApi => (self.ask_fastapi(work, org, number)?, r#""display_name":"#),
            Door::PythonMcp => (self.call(work.python_mcp(org, number), number)?, r#""structuredContent":"#),
        };
        let text = std::str::from_utf8(&body)?;
        ensure!(text.contains(sign), "{:?} was answered {text}", self.door);
        Ok(body)
    }

    /// Calls a tool.
    fn call(&self, (tool, arguments): (&str, Value), number: u64) -> anyhow::Result<Vec<u8>> {
        let mut params = json!({"name": tool, "arguments": arguments});
        if self.session.is_none() {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": WITHOUT_SESSIONS,
                "io.modelcontextprotocol/clientInfo": client_info(),
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        let call = json!({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params});
        Ok(self.post("/mcp", &call)?.into_body().read_to_vec()?)
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

    fn ask_fastapi(&self, work: Work, org: &Organization, number: u64) -> anyhow::Result<Vec<u8>> {
        match work.fastapi(org, number) {
            (path, None) => self.get(&path, "identity"),
            (path, Some(body)) => Ok(self.post(&path, &body)?.into_body().read_to_vec()?),
        }
    }

    fn warm(&self, work: Work, org: &Organization, number: u64) -> anyhow::Result<()> {
        let answer = match self.door {
            Door::Rest => serde_json::from_slice(&self.ask(work, org, number)?)?,
            Door::Mcp | Door::Stateless => self.structure(work, org, number)?,
            Door::Page => String::from_utf8(self.get(&work.http(org, number).0, "identity")?)?.into(),
            Door::FastApi => json!({"data": serde_json::from_slice::<Value>(&self.ask(work, org, number)?)?}),
            Door::PythonMcp => {
                // What is not an object stands in one.
                let data = self.structure(work, org, number)?;
                json!({"data": data.get("result").unwrap_or(&data)})
            }
        };
        work.check(&answer).map_err(anyhow::Error::msg)
    }

    /// What a tool answers with.
    fn structure(&self, work: Work, org: &Organization, number: u64) -> anyhow::Result<Value> {
        let text = String::from_utf8(self.ask(work, org, number)?)?;
        let data = text.lines().filter_map(|line| line.strip_prefix("data:")).next_back().unwrap_or(&text);
        Ok(serde_json::from_str::<Value>(data)?["result"]["structuredContent"].take())
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

fn new_connection() -> ureq::Agent {
    let settings =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(30)));
    settings.build().into()
}

fn client_info() -> Value {
    json!({"name": "throughput", "version": "1"})
}

fn next_cursor(answer: &[u8]) -> Option<&str> {
    let (_, rest) = std::str::from_utf8(answer).ok()?.split_once(NEXT)?;
    rest.split('"').next()
}
