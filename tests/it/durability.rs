//! Whatever is killed, what was acknowledged is there afterwards, and nothing is there by half.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::desk::fresh;

/// The real program over an embedded database of its own.
struct Program {
    process: Child,
    url: String,
    token: String,
    data: PathBuf,
}

impl Program {
    fn start(data: &Path) -> Self {
        let mut process = command(data)
            .args(["serve", "--demo", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
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

    fn stop(mut self) {
        assert!(command(&self.data).arg("stop").stdout(Stdio::null()).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
        std::fs::remove_dir_all(&self.data).unwrap();
    }
}

fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_frontdesk"));
    command.env_remove("DATABASE_URL").env_remove("DATABASE_OWNER_URL").arg("--data").arg(data);
    command
}

struct Client {
    agent: ureq::Agent,
    url: String,
    token: String,
}

impl Client {
    fn of(program: &Program) -> Self {
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(15)));
        Self { agent: config.build().into(), url: program.url.clone(), token: program.token.clone() }
    }

    /// The name of a contact just made, if that was acknowledged.
    fn create(&self, name: &str) -> Option<String> {
        let body = json!({"domain": "contact", "action": "create", "data": {
            "kind": "person", "given_name": name, "emails": [{"email": format!("{name}@example.com")}],
            "phones": [{"phone": "555-0100"}], "notes": ["Half or whole?"]}});
        let request = self
            .agent
            .post(format!("{}/api/actions", self.url))
            .header("authorization", format!("Bearer {}", self.token));
        let answer: Value = request.send_json(body).ok()?.body_mut().read_json().ok()?;
        (answer["success"] == true).then(|| name.to_string())
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let request =
            self.agent.get(format!("{}{path}", self.url)).header("authorization", format!("Bearer {}", self.token));
        let mut response = request.call().unwrap();
        (response.status().as_u16(), response.body_mut().read_json().unwrap())
    }
}

/// Creates contacts from several threads until told to stop; returns the acknowledged names.
fn create_until(
    program: &Program,
    stop: &Arc<AtomicBool>,
    made: &Arc<AtomicUsize>,
) -> Vec<std::thread::JoinHandle<Vec<String>>> {
    (0..4)
        .map(|thread| {
            let (client, stop, made) = (Client::of(program), stop.clone(), made.clone());
            std::thread::spawn(move || {
                let names = (0..).map(|n| format!("durable{thread}x{n}")).take_while(|_| !stop.load(Ordering::Relaxed));
                names
                    .filter_map(|name| {
                        client.create(&name).inspect(|_| {
                            made.fetch_add(1, Ordering::Relaxed);
                        })
                    })
                    .collect()
            })
        })
        .collect()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited a minute for: {what}");
        std::thread::yield_now();
    }
}

/// Every acknowledged contact is there with all its parts, and none of any is there by half.
fn check(program: &Program, acknowledged: &[String]) {
    let client = Client::of(program);
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
    let writers = create_until(&program, &stop, &made);
    wait_until("some contacts", || made.load(Ordering::Relaxed) > 40);
    program.kill();
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged: Vec<String> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    assert!(acknowledged.len() > 40);

    let program = Program::start(&data);
    assert_eq!(program.token, first_token, "a second start keeps the token");
    check(&program, &acknowledged);

    let (stop, made) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let writers = create_until(&program, &stop, &made);
    wait_until("some contacts", || made.load(Ordering::Relaxed) > 40);
    let killed = program.postmaster();
    assert!(Command::new("kill").args(["-9", &killed]).status().unwrap().success());
    let client = Client::of(&program);
    wait_until("an outage that says so", || client.get("/readyz").0 == 503 || made.load(Ordering::Relaxed) > 400);
    wait_until("recovery by itself", || client.get("/readyz").0 == 200 && client.create("durableafter").is_some());
    stop.store(true, Ordering::Relaxed);
    acknowledged.extend(writers.into_iter().flat_map(|writer| writer.join().unwrap()));
    assert_ne!(program.postmaster(), killed);
    check(&program, &acknowledged);
    program.stop();
}
