//! The model's door over standard input and output: the real program, joined to the server it finds or starts.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::desk::fresh;
use crate::mcp::{LEGACY, MODERN, envelope_of, initialize, meta};

/// Longer than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// So many are sent before any answer is read: more than are let through, even where answering them takes seconds.
const AT_ONCE: usize = 150;

/// An installation of its own, which ends with the test.
pub struct Installation {
    pub data: PathBuf,
    listen: String,
    server: Option<Child>,
}

impl Installation {
    fn empty() -> Self {
        let data = std::env::temp_dir().join(format!("frontdesk-stdio-{}", fresh()));
        Self { data, listen: "127.0.0.1:0".into(), server: None }
    }

    /// With the demo's business, and its server at work.
    pub fn demo() -> Self {
        let mut demo = Self::empty();
        let mut serve = demo.command();
        serve.args(["serve", "--demo"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = serve.spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        demo.server = Some(server);
        lines.next().expect("it says that it is ready").unwrap();
        // Read on, or the program would write into a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        demo
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_frontdesk"));
        for name in ["DATABASE_URL", "DATABASE_OWNER_URL", "FRONTDESK_AGENT_TOKEN"] {
            command.env_remove(name);
        }
        command.env("FRONTDESK_LISTEN", &self.listen).arg("--data").arg(&self.data);
        command
    }

    fn token(&self) -> String {
        let demo: Value = serde_json::from_slice(&std::fs::read(self.data.join("demo.json")).unwrap()).unwrap();
        demo["agent_token"].as_str().unwrap().to_string()
    }

    /// What `frontdesk mcp` says and how it ends when it is not let in, although its input stays open.
    fn turned_away(&self, token: Option<&str>) -> Output {
        let mut command = self.command();
        command.arg("mcp").envs(token.map(|token| ("FRONTDESK_AGENT_TOKEN", token)));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let open = process.stdin.take();
        let output = process.wait_with_output().unwrap();
        drop(open);
        output
    }

    fn client(&self, token: Option<&str>) -> Client {
        let mut command = self.command();
        command.envs(token.map(|token| ("FRONTDESK_AGENT_TOKEN", token)));
        Client::of(command)
    }

    fn stop(&self) -> bool {
        self.command().arg("stop").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        let stopped = self.stop();
        if let Some(mut server) = self.server.take() {
            if !stopped {
                drop(server.kill());
            }
            drop(server.wait());
        }
        drop(std::fs::remove_dir_all(&self.data));
    }
}

/// A running `frontdesk mcp`, of which every line is looked at.
pub struct Client {
    process: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Client {
    /// Of the installation that the command names.
    pub fn of(mut command: Command) -> Self {
        command.arg("mcp").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (said, lines) = channel();
        let output = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines() {
                let Ok(()) = said.send(line.unwrap()) else { break };
            }
        });
        Self { input: process.stdin.take(), process, lines }
    }

    pub fn tell(&mut self, message: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{message}").unwrap();
    }

    /// The next line, which must be a message of the protocol.
    #[track_caller]
    pub fn hear(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("an answer");
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not of the protocol: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        message
    }

    #[track_caller]
    fn ask(&mut self, message: &Value) -> Value {
        self.tell(message);
        let answer = self.hear();
        assert_eq!(answer["id"], message["id"], "{answer:#}");
        answer
    }

    /// As a client of today: everything in the one request.
    #[track_caller]
    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments, "_meta": meta()});
        envelope_of(&self.ask(&json!({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params})))
    }

    /// Closes its input: it must end by itself, well, and without another word.
    pub fn leave(mut self) {
        drop(self.input.take());
        assert_eq!(self.lines.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "nothing is left to say");
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn without_a_server_one_is_started_and_without_an_organization_it_says_what_to_do() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut empty = Installation::empty();
    // Another installation has the port: the server that is started takes a free one.
    empty.listen = elsewhere.local_addr().unwrap().to_string();
    let first = empty.turned_away(None);
    let said = String::from_utf8(first.stderr).unwrap();
    assert!(!first.status.success());
    assert!(
        said.contains("frontdesk: There is no organization yet") && said.contains("frontdesk org create"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "one sentence, not a log: {said}");
    assert!(first.stdout.is_empty(), "standard output belongs to the protocol");
    let stopped = empty.command().arg("stop").output().unwrap();
    assert_eq!(String::from_utf8(stopped.stdout).unwrap(), "Stopped.\n", "a server was running");
}

#[test]
fn clients_of_both_eras_are_served_and_only_the_protocol_is_on_standard_output() {
    let demo = Installation::demo();
    for version in LEGACY {
        let mut client = demo.client(None);
        let hands = client.ask(&initialize(version));
        assert_eq!(hands["result"]["protocolVersion"], version);
        assert_eq!(hands["result"]["serverInfo"]["name"], "frontdesk");
        client.tell(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        let tools = client.ask(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}));
        assert_eq!(tools["result"]["tools"].as_array().unwrap().len(), 7);
        let params = json!({"name": "crm_query", "arguments": {"type": "org"}});
        let org = client.ask(&json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params}));
        assert!(envelope_of(&org)["data"][0]["name"].is_string());
        client.leave();
    }
    let mut client = demo.client(None);
    let params = json!({"_meta": meta()});
    let found = client.ask(&json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": params}));
    assert!(found["result"]["supportedVersions"].as_array().unwrap().contains(&json!(MODERN)), "{found:#}");
    let tools = client.ask(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": params}));
    assert_eq!(tools["result"]["tools"].as_array().unwrap().len(), 7);
    assert!(client.call("crm_query", &json!({"type": "org"}))["data"][0]["name"].is_string());
    client.leave();
}

#[test]
fn a_token_says_whose_agent_it_is_and_without_one_it_is_the_local_one() {
    let demo = Installation::demo();
    let token = demo.token();
    let actor = |mut client: Client| {
        let jane = json!({"kind": "person", "given_name": "Jane"});
        let made = client.call("crm_action", &json!({"domain": "contact", "action": "create", "data": jane}));
        let call = client.call("crm_query", &json!({"type": "audit", "id": made["meta"]["request_id"]}));
        client.leave();
        assert_eq!((&call["data"]["door"], &call["data"]["client"]), (&json!("mcp_stdio"), &json!("trial 1.0")));
        call["data"]["actor"].as_str().unwrap().to_string()
    };
    assert_eq!(actor(demo.client(None)), "local");
    let named = actor(demo.client(Some(&token)));
    assert_ne!(named, "local");
    let wrong = format!("{}AAAA", &token[..token.len() - 4]);
    for (token, why) in [("nonsense", "not an agent's token"), (wrong.as_str(), "not known")] {
        let output = demo.turned_away(Some(token));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{said}");
        assert!(said.starts_with("frontdesk: ") && said.contains(why), "{said}");
        assert!(!said.contains(token), "a token is not echoed: {said}");
    }
    assert_eq!(actor(demo.client(Some(&demo.token()))), named, "the others are still served");
}

#[test]
fn a_client_that_leaves_or_dies_ends_only_itself() {
    let demo = Installation::demo();
    let mut staying = demo.client(None);
    assert_eq!(staying.call("crm_query", &json!({"type": "org"}))["success"], true);
    let mut leaving = demo.client(None);
    assert_eq!(leaving.call("crm_query", &json!({"type": "org"}))["success"], true);
    leaving.leave();
    demo.client(None).leave();
    let mut dying = demo.client(None);
    assert_eq!(dying.call("crm_query", &json!({"type": "org"}))["success"], true);
    drop(dying);
    assert_eq!(staying.call("crm_query", &json!({"type": "org"}))["success"], true, "who stays is served");
    let mut next = demo.client(None);
    assert_eq!(next.call("crm_query", &json!({"type": "org"}))["success"], true, "and who comes");
}

#[test]
fn a_client_whose_server_is_stopped_ends_although_its_input_is_open() {
    let demo = Installation::demo();
    let mut client = demo.client(None);
    assert_eq!(client.call("crm_query", &json!({"type": "org"}))["success"], true);
    assert!(demo.stop());
    assert_eq!(client.lines.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "its output ends");
    let mut said = String::new();
    client.process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(client.process.wait().unwrap().success(), "{said}");
    assert!(client.input.is_some(), "nobody closed it");
}

#[test]
fn an_agent_that_asks_too_often_waits_however_it_is_joined_and_others_do_not() {
    let demo = Installation::demo();
    let token = demo.token();
    let params = json!({"name": "crm_capabilities", "arguments": {"action": "note.add"}, "_meta": meta()});
    let ask = |id: usize| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
    let mut joined = [demo.client(Some(&token)), demo.client(Some(&token))];
    let began = Instant::now();
    joined.iter_mut().for_each(|client| (0..AT_ONCE).for_each(|id| client.tell(&ask(id))));
    let answers: Vec<Value> =
        joined.iter().flat_map(|client| (0..AT_ONCE).map(|_| envelope_of(&client.hear()))).collect();
    let (answered, refused): (Vec<&Value>, Vec<&Value>) = answers.iter().partition(|answer| answer["success"] == true);
    let most = 60 + 20 * (began.elapsed().as_secs() as usize + 1);
    assert!((60..=most).contains(&answered.len()), "{} of one agent, not of one connection", answered.len());
    for answer in refused {
        assert_eq!((&answer["error"]["code"], &answer["error"]["retry"]), (&json!("RATE_LIMITED"), &json!("later")));
    }
    let mut other = demo.client(None);
    assert_eq!(other.call("crm_capabilities", &params["arguments"])["success"], true, "another agent");
}
