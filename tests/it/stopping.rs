//! A change that is in hand when the server is told to stop: it is made and answered, by whatever door it came, and only
//! then do the streams end.

use std::net::TcpStream;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use crate::durability::{Client, Program, wait_until};
use crate::mcp::{LEGACY, MODERN, envelope_of, initialize, meta};
use crate::mcp_stdio;

/// Longer than streams last when nothing is in hand.
const LONGER: Duration = Duration::from_secs(1);
/// Less than a client waits by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client over HTTP, of one era.
struct Caller {
    client: Client,
    version: &'static str,
}

impl Caller {
    fn modern(program: &Program) -> Self {
        Self::of(program, MODERN)
    }

    /// After its handshake, in a session.
    fn legacy(program: &Program) -> Self {
        let mut caller = Self::of(program, LEGACY[0]);
        let opened = caller.post(initialize(LEGACY[0]));
        let session = opened.headers()["mcp-session-id"].to_str().unwrap().to_string();
        drop(opened.into_body().read_to_string());
        caller.client.headers.push(("mcp-session-id", session));
        assert_eq!(caller.post(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).status(), 202);
        caller
    }

    fn of(program: &Program, version: &'static str) -> Self {
        let mut client = Client::agent(program);
        client.headers.push(("accept", "application/json, text/event-stream".into()));
        client.headers.push(("mcp-protocol-version", version.into()));
        Self { client, version }
    }

    fn post(&self, message: Value) -> ureq::http::Response<ureq::Body> {
        let request = self.client.agent.post(format!("{}/mcp", self.client.url));
        let headers = self.client.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let named = [("mcp-method", "tools/call"), ("mcp-name", "crm_action")];
        let headers = headers.chain(named.into_iter().filter(|_| self.version == MODERN));
        headers.fold(request, |request, (name, value)| request.header(name, value)).send_json(message).unwrap()
    }

    /// What a note on this contact is answered with, as soon as the stream of the answer has ended.
    fn note(self, contact: &str) -> JoinHandle<Value> {
        let mut call = note(contact);
        if self.version != MODERN {
            call["params"].as_object_mut().unwrap().remove("_meta");
        }
        std::thread::spawn(move || {
            let stream = self.post(call).into_body().read_to_string().unwrap();
            let last = stream.lines().filter_map(|line| line.strip_prefix("data:")).next_back();
            envelope_of(&serde_json::from_str(last.unwrap_or(&stream)).unwrap())
        })
    }

    /// The stream of what a session has to tell: nobody says anything there, and it is gone when the stream has ended.
    fn listen(&self) -> Receiver<()> {
        let request = self.client.agent.get(format!("{}/mcp", self.client.url));
        let headers = self.client.headers.iter();
        let stream = headers.fold(request, |request, (name, value)| request.header(*name, value)).call().unwrap();
        assert_eq!(stream.status(), 200);
        let (open, ended) = channel();
        std::thread::spawn(move || {
            let _open: Sender<()> = open;
            drop(stream.into_body().read_to_string());
        });
        ended
    }
}

/// The call, as clients of today send it.
fn note(contact: &str) -> Value {
    let data = json!({"contact_id": contact, "content": "The gate sticks."});
    let arguments = json!({"domain": "note", "action": "add", "data": data});
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": {"name": "crm_action", "arguments": arguments, "_meta": meta()}})
}

/// The owner's login to the program's own database.
async fn database(program: &Program) -> PgConnection {
    let pid = std::fs::read_to_string(program.data.join("postgres/pgdata/postmaster.pid")).unwrap();
    let sockets = pid.lines().nth(4).unwrap();
    let owner = PgConnectOptions::new().socket(sockets).username("frontdesk_owner").database("frontdesk");
    PgConnection::connect_with(&owner).await.unwrap()
}

async fn waiting_for_a_lock(watcher: &mut PgConnection) -> i64 {
    let count = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'frontdesk_app'";
    sqlx::query_scalar(count).fetch_one(watcher).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_hand_when_the_server_stops_is_made_and_answered_before_its_stream_ends() {
    let data = std::env::temp_dir().join(format!("frontdesk-stopping-{}", crate::desk::fresh()));
    let program = Program::start(&data);
    let (status, page) = Client::agent(&program).get("/api/data?type=contacts&limit=1");
    assert_eq!(status, 200, "{page}");
    let contact = page["data"][0]["id"].as_str().unwrap().to_string();
    let mut watcher = database(&program).await;
    let mut holder = database(&program).await;
    // Whoever writes a note has to wait, so it is in hand as long as it pleases us.
    let mut held = holder.begin().await.unwrap();
    sqlx::query("lock table notes in exclusive mode").execute(&mut *held).await.unwrap();

    let session = Caller::legacy(&program);
    let listening = session.listen();
    let over_http = [session.note(&contact), Caller::modern(&program).note(&contact)];
    let mut over_stdio = mcp_stdio::Client::of(crate::durability::command(&data));
    over_stdio.tell(&note(&contact));
    while waiting_for_a_lock(&mut watcher).await < 3 {
        tokio::task::yield_now().await;
    }
    let address = program.url.strip_prefix("http://").unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &program.pid().to_string()]).status().unwrap().success());
    wait_until("nobody is let in any more", || TcpStream::connect(&address).is_err());
    let kept = listening.recv_timeout(LONGER);
    assert_eq!(kept, Err(RecvTimeoutError::Timeout), "what is in hand keeps the streams open");
    held.rollback().await.unwrap();

    for answer in
        over_http.map(|answered| answered.join().unwrap()).into_iter().chain([envelope_of(&over_stdio.hear())])
    {
        assert_eq!((&answer["success"], &answer["data"]["contact_id"]), (&json!(true), &json!(contact)), "{answer:#}");
    }
    over_stdio.leave();
    assert_eq!(listening.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "and then they end");
    drop((watcher, holder));
    program.ended();
}
