//! Whatever is killed, what was acknowledged is there afterwards, and nothing is there by half.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::desk::fresh;

/// How often a program is killed while it decides.
const KILLS: u32 = 25;

/// The real program over an embedded database of its own.
pub struct Program {
    process: Child,
    pub url: String,
    pub token: String,
    pub data: PathBuf,
}

impl Program {
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &[], Stdio::null())
    }

    /// With these words more on the command line, and its log there.
    pub fn start_with(data: &Path, words: &[&str], log: Stdio) -> Self {
        let mut process = command(data)
            .args(["serve", "--demo", "--listen", "127.0.0.1:0"])
            .args(words)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        lines.next().expect("it says that it is ready").unwrap();
        // Read on, or the program would write into a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let demo: Value = serde_json::from_slice(&std::fs::read(data.join("demo.json")).unwrap()).unwrap();
        let text = |name: &str| demo[name].as_str().unwrap().to_string();
        Self { process, url: text("url"), token: text("agent_token"), data: data.to_path_buf() }
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn postmaster(&self) -> String {
        let pid = std::fs::read_to_string(self.data.join("postgres/pgdata/postmaster.pid")).unwrap();
        pid.lines().next().unwrap().to_string()
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn stop(self) {
        assert!(command(&self.data).arg("stop").stdout(Stdio::null()).status().unwrap().success());
        self.ended();
    }

    /// After it was told to stop: it ends well.
    pub fn ended(mut self) {
        assert!(self.process.wait().unwrap().success());
        std::fs::remove_dir_all(&self.data).unwrap();
    }
}

pub fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_frontdesk"));
    for name in ["DATABASE_URL", "DATABASE_OWNER_URL", "FRONTDESK_AGENT_TOKEN"] {
        command.env_remove(name);
    }
    command.arg("--data").arg(data);
    command
}

/// Somebody who calls the program: by headers that say who.
#[derive(Clone)]
pub struct Client {
    pub agent: ureq::Agent,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
}

impl Client {
    /// The demo's agent.
    pub fn agent(program: &Program) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(15)));
        let headers = vec![("authorization", format!("Bearer {}", program.token))];
        Self { agent: config.build().into(), url: program.url.clone(), headers }
    }

    /// The demo's owner, signed in anew: people may make as many contacts as they like.
    pub fn owner(program: &Program) -> Self {
        let nobody = Self { headers: Vec::new(), ..Self::agent(program) };
        let demo = std::fs::read(program.data.join("demo-owner.json")).unwrap();
        let link = serde_json::from_slice::<Value>(&demo).unwrap()["owner_sign_in_url"].as_str().unwrap().to_string();
        let signed_in = nobody.agent.post(link).send_empty().unwrap();
        let cookie = signed_in.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_string();
        let owner = Self { headers: vec![("cookie", cookie)], ..nobody };
        let csrf = owner.get("/api/session").1["data"]["csrf_token"].as_str().unwrap().to_string();
        let headers = owner.headers.iter().cloned().chain([("x-csrf-token", csrf)]).collect();
        Self { headers, ..owner }
    }

    /// What came of a call; none if the program is gone.
    pub fn act(&self, call: Value) -> Option<Value> {
        let request = self.agent.post(format!("{}/api/actions", self.url));
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        request.send_json(call).ok()?.body_mut().read_json().ok()
    }

    /// The name of a contact just made, if that was acknowledged.
    pub fn create(&self, name: &str) -> Option<String> {
        let body = json!({"domain": "contact", "action": "create", "data": {
            "kind": "person", "given_name": name, "emails": [{"email": format!("{name}@example.com")}],
            "phones": [{"phone": "555-0100"}], "notes": ["Half or whole?"]}});
        (self.act(body)?["success"] == true).then(|| name.to_string())
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        let request = self.agent.get(format!("{}{path}", self.url));
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let mut response = request.call().unwrap();
        (response.status().as_u16(), response.body_mut().read_json().unwrap())
    }
}

/// Creates contacts from several threads until told to stop; returns the acknowledged names.
pub fn create_until(
    client: &Client,
    stop: &Arc<AtomicBool>,
    made: &Arc<AtomicUsize>,
) -> Vec<std::thread::JoinHandle<Vec<String>>> {
    (0..4)
        .map(|thread| {
            let (client, stop, made) = (client.clone(), stop.clone(), made.clone());
            std::thread::spawn(move || {
                let names = (0..).map(|n| format!("durable{thread}x{n}")).take_while(|_| !stop.load(Ordering::Relaxed));
                names
                    .filter_map(|name| {
                        let acknowledged = client.create(&name);
                        match acknowledged {
                            Some(_) => drop(made.fetch_add(1, Ordering::Relaxed)),
                            // Refused for asking too often, or nobody is there: not at once again.
                            None => std::thread::park_timeout(Duration::from_millis(50)),
                        }
                        acknowledged
                    })
                    .collect()
            })
        })
        .collect()
}

pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited a minute for: {what}");
        std::thread::yield_now();
    }
}

/// Every acknowledged contact is there with all its parts, and none of any is there by half.
pub fn check(program: &Program, acknowledged: &[String]) {
    let client = Client::agent(program);
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, page) = client.get(&format!("/api/data?type=contacts&include=notes&limit=200{cursor}"));
        assert_eq!(status, 200, "{page}");
        let rows = page["data"].as_array().unwrap();
        for row in rows.iter().filter(|row| row["given_name"].as_str().is_some_and(|name| name.starts_with("durable")))
        {
            assert_eq!(
                (row["emails"].as_array().unwrap().len(), row["phones"].as_array().unwrap().len()),
                (1, 1),
                "{row}"
            );
            assert_eq!(row["notes"].as_array().unwrap().len(), 1, "{row}");
            found.push(row["given_name"].as_str().unwrap().to_string());
        }
        match page["meta"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    for name in acknowledged {
        assert!(found.contains(name), "{name} was acknowledged and is gone");
    }
}

#[test]
fn a_killed_program_and_a_killed_database_lose_nothing_that_was_acknowledged() {
    let data = std::env::temp_dir().join(format!("frontdesk-durability-{}", fresh()));
    let program = Program::start(&data);
    let first_token = program.token.clone();

    let (stop, made) = (Arc::default(), Arc::default());
    let writers = create_until(&Client::owner(&program), &stop, &made);
    wait_until("some contacts", || made.load(Ordering::Relaxed) > 40);
    program.kill();
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged: Vec<String> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    assert!(acknowledged.len() > 40);

    let program = Program::start(&data);
    assert_eq!(program.token, first_token, "a second start keeps the token");
    check(&program, &acknowledged);

    let (stop, made) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let client = Client::owner(&program);
    let writers = create_until(&client, &stop, &made);
    wait_until("some contacts", || made.load(Ordering::Relaxed) > 40);
    let killed = program.postmaster();
    assert!(Command::new("kill").args(["-9", &killed]).status().unwrap().success());
    wait_until("an outage that says so", || client.get("/readyz").0 == 503 || made.load(Ordering::Relaxed) > 120);
    wait_until("recovery by itself", || client.get("/readyz").0 == 200 && client.create("durableafter").is_some());
    stop.store(true, Ordering::Relaxed);
    acknowledged.extend(writers.into_iter().flat_map(|writer| writer.join().unwrap()));
    assert_ne!(program.postmaster(), killed);
    check(&program, &acknowledged);
    program.stop();
}

/// Six contacts, and whether they are archived: all of them or none.
fn archived(client: &Client, contacts: &[Value]) -> bool {
    let archived = contacts.iter().filter(|id| {
        let (status, contact) = client.get(&format!("/api/data?type=contacts&id={}", id.as_str().unwrap()));
        assert_eq!(status, 200, "{contact}");
        contact["data"]["archived_at"].is_string()
    });
    let count = archived.count();
    assert!(count == 0 || count == contacts.len(), "{count} of {} are archived: done by half", contacts.len());
    count > 0
}

/// How many calls of this action the trail has as done.
fn done(client: &Client, action: &str) -> usize {
    let (_, trail) = client.get(&format!("/api/data?type=audit&action={action}&limit=200"));
    trail["data"].as_array().unwrap().iter().filter(|call| call["outcome"] == "done").count()
}

#[test]
fn a_program_killed_while_it_decides_has_done_it_once_or_not_at_all() {
    let data = std::env::temp_dir().join(format!("frontdesk-decisions-{}", fresh()));
    let mut program = Program::start(&data);
    let items: Vec<Value> = (0..6).map(|n| json!({"kind": "person", "given_name": format!("Six {n}")})).collect();
    let mut owner = Client::owner(&program);
    let made = owner.act(json!({"domain": "contact", "action": "create", "items": items})).unwrap();
    let contacts: Vec<Value> = made["data"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
    let inputs: Vec<Value> = contacts.iter().map(|id| json!({"contact_id": id})).collect();
    let (mut executed, mut pending, mut expected) = (0, 0, [0, 0]);
    for round in 0..KILLS {
        let agent = Client::agent(&program);
        let which = usize::from(archived(&agent, &contacts));
        let verb = ["archive", "restore"][which];
        let call = json!({"domain": "contact", "action": verb, "items": inputs, "reasoning": "A trial."});
        let asked = agent.act(call).unwrap();
        let id = asked["data"]["authorization_id"].as_str().expect("it waits").to_string();
        let allow = json!({"domain": "authorization", "action": "allow_once", "data": {"authorization_id": id}});
        let decider = owner.clone();
        let deciding = std::thread::spawn(move || decider.act(allow));
        // A little later in each round, up to longer than a decision takes.
        let moment = Instant::now() + Duration::from_millis(8) * round;
        while Instant::now() < moment {
            std::thread::yield_now();
        }
        program.kill();
        let answered = deciding.join().unwrap();
        program = Program::start(&data);
        let agent = Client::agent(&program);
        // Who was signed in is so still.
        owner.url.clone_from(&program.url);
        let (_, request) = agent.get(&format!("/api/data?type=authorizations&id={id}"));
        match request["data"]["status"].as_str().unwrap() {
            "executed" => {
                executed += 1;
                expected[which] += 1;
                assert_eq!(archived(&agent, &contacts), verb == "archive", "executed and not done: {request}");
            }
            "pending" => {
                pending += 1;
                assert_eq!(answered, None, "acknowledged and not done");
                assert_eq!(archived(&agent, &contacts), verb == "restore", "done and still pending: {request}");
                agent.act(json!({"domain": "authorization", "action": "withdraw", "data": {"authorization_id": id}}));
            }
            other => panic!("{other}: {request}"),
        }
    }
    assert_eq!([done(&owner, "contact.archive"), done(&owner, "contact.restore")], expected, "each once");
    assert!(executed > 0 && pending > 0, "{executed} done and {pending} pending: killed at the wrong moment");
    program.stop();
}
