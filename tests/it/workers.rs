//! Several servers on one database share the work, and what one that is killed had in hand is done by the others.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use capabilities::world::Mail;
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use crate::desk::{Desk, fresh};
use crate::smtp::MailServer;

const ERRANDS: usize = 2_000;
/// What one server has in hand at a time at most.
const IN_HAND: usize = 16;
/// Longer than all of it takes.
const PATIENCE: Duration = Duration::from_secs(50);

/// A server of the real program, on the desk's database.
pub struct Server {
    process: Child,
    data: PathBuf,
}

impl Server {
    /// `clock` is near the desk's time, in which the errands are due.
    pub fn start(database: &PgConnectOptions, mail: &MailServer, clock: &str) -> Self {
        let data = std::env::temp_dir().join(format!("frontdesk-worker-{}", fresh()));
        let app = database.clone().username(frontdesk::APP_ROLE).to_url_lossy();
        let process = Command::new(env!("CARGO_BIN_EXE_frontdesk"))
            .arg("--data")
            .arg(&data)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("DATABASE_URL", app.as_str())
            .env("DATABASE_OWNER_URL", database.to_url_lossy().as_str())
            .env("SMTP_URL", mail.url())
            .env("FRONTDESK_CLOCK", clock)
            .env("MAIL_FROM", "office@rocketcity.example")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, data }
    }

    /// Where it is, as soon as it says so.
    pub async fn url(&self) -> String {
        let place = self.data.join("url");
        until("the server is up", || std::fs::read_to_string(&place).is_ok_and(|url| !url.is_empty())).await;
        std::fs::read_to_string(place).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        drop(std::fs::remove_dir_all(&self.data));
    }
}

/// How often each errand was mailed, by its key.
fn mailed(mail: &MailServer) -> BTreeMap<String, usize> {
    let mut keys = BTreeMap::new();
    for letter in mail.taken() {
        let id = letter.lines().find_map(|line| line.strip_prefix("Message-ID: ")).expect("a key").to_string();
        *keys.entry(id).or_default() += 1;
    }
    keys
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let waiting = async {
        while !holds() {
            looks.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited too long for: {what}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_share_two_thousand_errands_and_one_that_is_killed_loses_none() {
    let mail = MailServer::start().await;
    let nowhere = Mail::smtp(&mail.url(), "office@rocketcity.example").unwrap();
    let desk = Desk::alone(handlers::domains(), nowhere).await;
    let owner = desk.owner().await;
    for batch in 0..ERRANDS / 500 {
        let person = |nth: usize| {
            let name = format!("p{}", batch * 500 + nth);
            json!({"email": format!("{name}@example.com"), "name": name, "role": "technician"})
        };
        let items: Vec<Value> = (0..500).map(person).collect();
        owner.call_items("user.invite", items, capabilities::Options::default()).await.ok();
    }
    let start = || Server::start(desk.database(), &mail, "2030-01-07T09:00:00Z");
    let (mut first, _second) = (start(), start());
    until("half of the mail", || mail.taken().len() > ERRANDS / 2).await;
    first.process.kill().unwrap();
    first.process.wait().unwrap();
    until("what was in nobody's hands", || mailed(&mail).len() >= ERRANDS - IN_HAND).await;
    // As if the time had passed for which the dead one had claimed what it had in hand.
    let overdue = "update errands set claimed_until = claimed_until - interval '1 hour' where org_id = $1";
    let waiting = "select count(*) from errands where org_id = $1 and ended_at is null";
    let mut sql = desk.sql().await;
    sqlx::query(overdue).bind(desk.org).execute(&mut sql).await.unwrap();
    until("all of the mail", || mailed(&mail).len() == ERRANDS).await;
    let settled =
        async { while sqlx::query_scalar::<_, i64>(waiting).bind(desk.org).fetch_one(&mut sql).await.unwrap() > 0 {} };
    tokio::time::timeout(PATIENCE, settled).await.expect("all are settled");
    let twice = mailed(&mail).values().filter(|times| **times > 1).count();
    assert!(twice <= 2 * IN_HAND, "{twice} were mailed more than once; at most what was in hand may be");
    assert_eq!(mailed(&mail).len(), ERRANDS, "none is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_while_it_tells_the_deciders_leaves_none_out() {
    const MANAGERS: usize = 60;
    let mail = MailServer::start().await;
    let nowhere = Mail::smtp(&mail.url(), "office@rocketcity.example").unwrap();
    let desk = Desk::alone(handlers::domains(), nowhere).await;
    for nth in 0..MANAGERS {
        desk.user(&format!("Manager {nth}"), capabilities::Role::Manager).await;
    }
    desk.agent().await.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    let start = || Server::start(desk.database(), &mail, "2030-01-07T09:01:00Z");
    let mut first = start();
    until("the first mail", || !mail.taken().is_empty()).await;
    first.process.kill().unwrap();
    first.process.wait().unwrap();
    let overdue = "update errands set claimed_until = claimed_until - interval '1 hour' where org_id = $1";
    sqlx::query(overdue).bind(desk.org).execute(&mut desk.sql().await).await.unwrap();
    let _second = start();
    until("a mail to each", || mailed(&mail).len() == MANAGERS).await;
    let twice = mailed(&mail).values().filter(|times| **times > 1).count();
    assert!(twice <= IN_HAND, "{twice} were mailed more than once; at most what was in hand may be");
}
