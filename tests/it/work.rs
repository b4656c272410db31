//! What is done after the commit and later: errands over a real mail server, jobs by the office's clock, alerts.

use std::sync::Arc;

use capabilities::world::Mail;
use capabilities::{
    Action, Delivery, Domain, Effect, Errand, Error, PermissionClass, Result, Standing, Tx, Undelivered, Who,
};
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::smtp::{MailServer, Mood};

/// A desk whose mail goes to a server of its own.
pub async fn mailing() -> (Desk, MailServer) {
    let server = MailServer::start().await;
    let mail = Mail::smtp(&server.url(), "office@rocketcity.example").unwrap();
    (Desk::mailing(handlers::domains(), mail).await, server)
}

async fn invite(desk: &Desk, name: &str) -> Value {
    let data = json!({"email": format!("{name}@example.com"), "name": name, "role": "technician"});
    let reply = desk.owner().await.call("user.invite", data).await;
    let errands = reply.0.envelope()["meta"]["errands"].clone();
    reply.ok();
    errands[0].clone()
}

async fn errand(desk: &Desk, errand: &Value) -> Value {
    desk.owner().await.get("errands", errand["id"].as_str().unwrap()).await.ok()
}

/// The link in a mail. Long lines are broken in transit (quoted-printable, RFC 2045).
pub fn link(letter: &str) -> String {
    let letter = letter.replace("=\n", "").replace("=3D", "=");
    let start = letter.find("http").expect("a link");
    letter[start..].split_whitespace().next().unwrap().to_string()
}

#[tokio::test]
async fn an_invitation_is_mailed_after_the_commit_and_its_link_signs_in() {
    let (desk, server) = mailing().await;
    let left = invite(&desk, "Sam").await;
    assert_eq!((&left["state"], &left["summary"]), (&json!("recorded"), &json!("Invitation to Sam")));
    assert!(server.taken().is_empty(), "nothing leaves inside a transaction");
    desk.work().await;
    let letters = server.taken();
    assert_eq!(letters.len(), 1);
    assert!(letters[0].contains("Subject: Olivia Owner invites you to Test Windows"), "{}", letters[0]);
    assert!(letters[0].contains(&format!("Message-ID: <{}@rocketcity.example>", left["id"].as_str().unwrap())));
    assert!(letters[0].contains("To: Sam <Sam@example.com>"), "{}", letters[0]);
    let token = link(&letters[0]).rsplit('/').next().unwrap().to_string();
    assert_eq!(desk.office.link_holder(&token).await.unwrap().name, "Sam");
    let settled = errand(&desk, &left).await;
    assert_eq!((&settled["state"], &settled["attempts"]), (&json!("done"), &json!(1)));
    let stored = "select count(*) from errands where org_id = $1 and payload::text like '%' || $2 || '%'";
    let leaked: i64 =
        sqlx::query_scalar(stored).bind(desk.org).bind(&token).fetch_one(&mut desk.sql().await).await.unwrap();
    assert_eq!(leaked, 0, "the link stands nowhere but in the mail");
    let settling = desk.owner().await.read("audit", json!({"action": "errand.settle"})).await.ok();
    assert_eq!(settling[0]["caused_by"], settled["call_id"]);
}

#[tokio::test]
async fn what_the_server_defers_is_tried_again_later_and_later() {
    let (desk, server) = mailing().await;
    server.set(Mood::Defers);
    let left = invite(&desk, "Sam").await;
    desk.work().await;
    let once = errand(&desk, &left).await;
    assert_eq!((&once["state"], &once["attempts"]), (&json!("recorded"), &json!(1)));
    assert!(once["last_error"].as_str().unwrap().contains("Come back later"), "{once}");
    desk.work().await;
    assert_eq!(errand(&desk, &left).await["attempts"], 1, "not before its time");
    desk.pass(TimeDelta::seconds(20));
    desk.work().await;
    let twice = errand(&desk, &left).await;
    assert_eq!(twice["attempts"], 2);
    let due = |row: &Value| row["due_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(due(&twice) - desk.office.clock().now() > TimeDelta::seconds(23), "the pause doubles");
    server.set(Mood::Takes);
    desk.pass(TimeDelta::minutes(1));
    desk.work().await;
    assert_eq!((errand(&desk, &left).await["state"].clone(), server.taken().len()), (json!("done"), 1));
}

#[tokio::test]
async fn what_the_server_refuses_becomes_an_alert_that_a_person_can_retry() {
    let (desk, server) = mailing().await;
    let owner = desk.owner().await;
    server.set(Mood::Refuses);
    let left = invite(&desk, "Sam").await;
    desk.work().await;
    let failed = errand(&desk, &left).await;
    assert_eq!((&failed["state"], &failed["attempts"]), (&json!("failed"), &json!(1)), "no use in repeating it");
    let alerts = owner.read("alerts", json!({"acknowledged": false})).await.ok();
    assert!(alerts[0]["message"].as_str().unwrap().contains("Nobody of that name here"), "{alerts}");
    server.set(Mood::Takes);
    owner.call("alert.retry", json!({"alert_id": alerts[0]["id"]})).await.ok();
    desk.work().await;
    assert_eq!(errand(&desk, &left).await["state"], "done");
    assert_eq!(owner.read("alerts", json!({"acknowledged": false})).await.ok(), json!([]));
    owner.call("alert.retry", json!({"alert_id": alerts[0]["id"]})).await.refused("NOTHING_TO_RETRY");
}

#[tokio::test]
async fn what_never_works_is_given_up_after_twelve_attempts() {
    let (desk, server) = mailing().await;
    server.set(Mood::Defers);
    let left = invite(&desk, "Sam").await;
    for _ in 0..30 {
        desk.work().await;
        desk.pass(TimeDelta::hours(2));
    }
    let failed = errand(&desk, &left).await;
    assert_eq!((&failed["state"], &failed["attempts"]), (&json!("failed"), &json!(12)));
    assert_eq!(desk.owner().await.read("alerts", json!({})).await.0.meta.total, Some(json!(1)));
}

#[tokio::test]
async fn a_service_that_fails_five_times_is_left_alone_for_a_minute() {
    let (desk, server) = mailing().await;
    server.set(Mood::Defers);
    let mut left = Vec::new();
    for nth in 0..5 {
        left.push(invite(&desk, &format!("Sam{nth}")).await);
    }
    desk.work().await;
    let sixth = invite(&desk, "Late").await;
    desk.work().await;
    assert_eq!(errand(&desk, &sixth).await["attempts"], 0, "the circuit is open");
    server.set(Mood::Takes);
    desk.pass(TimeDelta::seconds(61));
    desk.work().await;
    assert_eq!(errand(&desk, &sixth).await["state"], "done");
    assert_eq!(server.taken().len(), 6);
}

#[tokio::test]
async fn an_errand_whose_worker_died_is_done_by_the_next_with_the_same_key() {
    let (desk, server) = mailing().await;
    let left = invite(&desk, "Sam").await;
    // A worker took it and was killed.
    let claim = "update errands set claimed_until = $2, attempts = 1 where org_id = $1";
    let until = desk.office.clock().now() + TimeDelta::seconds(90);
    sqlx::query(claim).bind(desk.org).bind(until).execute(&mut desk.sql().await).await.unwrap();
    desk.work().await;
    assert!(server.taken().is_empty(), "it is in somebody's hands");
    desk.pass(TimeDelta::seconds(91));
    desk.work().await;
    let letters = server.taken();
    assert_eq!(letters.len(), 1);
    assert!(letters[0].contains(left["id"].as_str().unwrap()), "the key is the errand's id");
}

/// Count a day.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Count {
    /// What is wrong, if anything.
    fail: Option<String>,
}
#[derive(Serialize, JsonSchema)]
struct Counted {
    /// When.
    at: DateTime<Utc>,
}
impl Action for Count {
    const NAME: &str = "trial.count";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = Counted;
    fn example() -> Value {
        json!({})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Counted> {
        match self.fail {
            Some(why) => Err(Error::conflict("NO_COUNT", why, "Count by hand.")),
            None => Ok(Counted { at: tx.now() }),
        }
    }
}

/// Schedule a count.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CountLater {
    /// When.
    at: DateTime<Utc>,
    /// What will be wrong, if anything.
    fail: Option<String>,
}
impl Action for CountLater {
    const NAME: &str = "trial.count_later";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = Counted;
    fn example() -> Value {
        json!({"at": "2030-01-08T09:00:00Z"})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Counted> {
        tx.later(self.at, &Count { fail: self.fail }).await?;
        Ok(Counted { at: self.at })
    }
}

async fn counting(at: Option<&str>) -> Desk {
    let mut trial = Domain::new("trial", "What is due later").action::<Count>().action::<CountLater>();
    if let Some(at) = at {
        let at = at.parse().unwrap();
        trial = trial.daily(Standing { name: "count", action: "trial.count", input: json!({}), at });
    }
    let mut domains = handlers::domains();
    domains.push(trial);
    Desk::with(domains).await
}

/// When the count was made, oldest first.
async fn counts(desk: &Desk) -> Vec<DateTime<Utc>> {
    let times = "select at from call_log where org_id = $1 and action = 'trial.count' and outcome = 'done' order by id";
    sqlx::query_scalar(times).bind(desk.org).fetch_all(&mut desk.sql().await).await.unwrap()
}

#[tokio::test]
async fn what_is_scheduled_is_done_by_the_system_when_it_is_due_and_once() {
    let desk = counting(None).await;
    let agent = desk.agent().await;
    let reply = agent.call("trial.count_later", json!({"at": "2030-01-08T09:00:00Z"})).await;
    let asked = reply.0.meta.request_id;
    reply.ok();
    desk.work().await;
    assert!(counts(&desk).await.is_empty());
    desk.pass(TimeDelta::days(1));
    desk.work().await;
    desk.work().await;
    assert_eq!(counts(&desk).await, ["2030-01-08T09:00:00Z".parse::<DateTime<Utc>>().unwrap()]);
    let calls = desk.owner().await.read("audit", json!({"action": "trial.count"})).await.ok();
    assert_eq!((&calls[0]["actor_kind"], &calls[0]["caused_by"]), (&json!("system"), &json!(asked)));
}

#[tokio::test]
async fn a_job_is_dropped_with_the_agent_that_caused_it() {
    let desk = counting(None).await;
    let agent = desk.agent().await;
    agent.call("trial.count_later", json!({"at": "2030-01-08T09:00:00Z"})).await.ok();
    desk.owner().await.call("agent.disable", json!({"agent_id": agent.caller.id()})).await.ok();
    desk.pass(TimeDelta::days(1));
    desk.work().await;
    assert!(counts(&desk).await.is_empty());
    let jobs = desk.owner().await.read("jobs", json!({})).await.ok();
    let job = jobs.as_array().unwrap().iter().find(|job| job["action"] == "trial.count").unwrap();
    assert_eq!((&job["state"], &job["last_error"]), (&json!("dropped"), &json!("its agent is disabled")));
}

#[tokio::test]
async fn a_job_that_is_refused_becomes_an_alert() {
    let desk = counting(None).await;
    let data = json!({"at": "2030-01-07T10:00:00Z", "fail": "There is nothing to count."});
    desk.manager().await.call("trial.count_later", data).await.ok();
    desk.pass(TimeDelta::hours(1));
    desk.work().await;
    let alerts = desk.owner().await.read("alerts", json!({})).await.ok();
    assert_eq!(alerts[0]["kind"], "job_failed");
    assert!(alerts[0]["message"].as_str().unwrap().contains("There is nothing to count."), "{alerts}");
}

#[tokio::test]
async fn a_job_whose_worker_died_after_the_commit_is_not_done_again() {
    let desk = counting(None).await;
    desk.agent().await.call("trial.count_later", json!({"at": "2030-01-07T10:00:00Z"})).await.ok();
    desk.pass(TimeDelta::hours(1));
    desk.work().await;
    // As if the worker had died before it wrote that it is done.
    let undone = "update jobs set state = 'scheduled', ended_at = null where org_id = $1";
    sqlx::query(undone).bind(desk.org).execute(&mut desk.sql().await).await.unwrap();
    desk.work().await;
    assert_eq!(counts(&desk).await.len(), 1);
    assert_eq!(desk.owner().await.read("jobs", json!({"progress": "done"})).await.0.meta.total, Some(json!(1)));
}

#[tokio::test]
async fn a_standing_schedule_comes_once_a_day_at_its_local_time_through_both_clock_changes() {
    let desk = counting(Some("01:30:00")).await;
    // The test organization is in Chicago: clocks change on 2030-03-10 and 2030-11-03.
    desk.office.keep_standing_of(desk.org).await.unwrap();
    let step = TimeDelta::minutes(30);
    let windows = [("2030-03-08T00:00:00Z", 5), ("2030-11-01T00:00:00Z", 5)];
    for (from, days) in windows {
        let from: DateTime<Utc> = from.parse().unwrap();
        desk.pass(from - desk.office.clock().now());
        desk.work().await;
        let before = counts(&desk).await.len();
        while desk.office.clock().now() < from + TimeDelta::days(days) {
            desk.pass(step);
            desk.work().await;
        }
        let times = counts(&desk).await;
        let local: Vec<String> = times[before..]
            .iter()
            .map(|at| at.with_timezone(&chrono_tz::America::Chicago).format("%m-%d %H:%M").to_string())
            .collect();
        let first = from.with_timezone(&chrono_tz::America::Chicago).date_naive() + TimeDelta::days(1);
        let expected: Vec<String> =
            (0..days).map(|day| (first + TimeDelta::days(day)).format("%m-%d 01:30").to_string()).collect();
        assert_eq!(local, expected);
    }
}

#[tokio::test]
async fn after_days_of_standing_still_a_schedule_comes_once_and_goes_on() {
    let desk = counting(Some("08:00:00")).await;
    desk.office.keep_standing_of(desk.org).await.unwrap();
    desk.pass(TimeDelta::days(10));
    desk.work().await;
    desk.work().await;
    assert_eq!(counts(&desk).await.len(), 1);
    desk.pass(TimeDelta::days(1));
    desk.work().await;
    assert_eq!(counts(&desk).await.len(), 2);
}

#[tokio::test]
async fn every_night_what_is_old_is_removed_and_the_trail_stays() {
    let (desk, _server) = mailing().await;
    desk.office.keep_standing_of(desk.org).await.unwrap();
    invite(&desk, "Sam").await;
    desk.work().await;
    let calls = desk.count("call_log").await;
    desk.pass(TimeDelta::days(100));
    desk.work().await;
    desk.pass(TimeDelta::days(1));
    desk.work().await;
    assert_eq!((desk.count("errands").await, desk.count("sign_in_links").await), (0, 0));
    assert!(desk.count("call_log").await > calls);
}

#[tokio::test]
async fn a_worker_is_woken_by_a_call_and_ends_when_it_is_told_to() {
    let server = MailServer::start().await;
    let mail = Mail::smtp(&server.url(), "office@rocketcity.example").unwrap();
    let desk = Desk::alone(handlers::domains(), mail).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = tokio::spawn(Arc::clone(&desk.office).work(async { drop(stopped.await) }));
    invite(&desk, "Sam").await;
    let arrives = async {
        while server.taken().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), arrives).await.expect("it is mailed by itself");
    drop(stop);
    worker.await.unwrap();
}

/// An errand whose delivery breaks the worker that tries it.
#[derive(Serialize, Deserialize)]
struct Breaks {}
impl Errand for Breaks {
    const KIND: &str = "breaks";
    const SERVICE: &str = "trial";
    fn summary(&self) -> String {
        "What breaks".into()
    }
    async fn deliver(&self, _: &Delivery<'_>) -> std::result::Result<(), Undelivered> {
        panic!("as a mistake in a delivery would");
    }
}

/// Leave an errand that breaks its worker.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Break {}
impl Action for Break {
    const NAME: &str = "trial.break";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = Counted;
    fn example() -> Value {
        json!({})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Counted> {
        tx.errand(&Breaks {}).await?;
        Ok(Counted { at: tx.now() })
    }
}

#[tokio::test]
async fn an_errand_that_breaks_its_worker_holds_nothing_up_and_is_given_up() {
    let server = MailServer::start().await;
    let mail = Mail::smtp(&server.url(), "office@rocketcity.example").unwrap();
    let mut domains = handlers::domains();
    domains.push(Domain::new("trial", "What breaks").action::<Break>().errand::<Breaks>());
    let desk = Desk::alone(domains, mail).await;
    let owner = desk.owner().await;
    owner.call("trial.break", json!({})).await.ok();
    invite(&desk, "Sam").await;
    let worked = desk.office.work_off_of(desk.org).await;
    assert!(worked.is_err(), "what broke is told");
    assert_eq!(server.taken().len(), 1, "and the other errand of the round is done");
    for _ in 0..13 {
        desk.pass(TimeDelta::minutes(2));
        desk.office.work_off().await.unwrap();
    }
    let errands = owner.read("errands", json!({"progress": "failed"})).await.ok();
    assert_eq!((&errands[0]["kind"], errands.as_array().unwrap().len()), (&json!("breaks"), 1));
    let alerts = owner.read("alerts", json!({})).await.ok();
    assert!(alerts[0]["message"].as_str().unwrap().contains("What breaks could not be done"), "{alerts}");
    assert_eq!(server.taken().len(), 1);
}
