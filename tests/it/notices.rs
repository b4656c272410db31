//! Word to those who decide: one mail to each for what begins to wait, composed of what waits when it leaves.

use capabilities::{Action, Delivery, Domain, Effect, Errand, PermissionClass, Result, Role, Tx, Undelivered, Who};
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::desk::{Actor, Desk};
use crate::smtp::{MailServer, Mood};
use crate::work::mailing;

/// A letter to a customer.
#[derive(Serialize, Deserialize)]
struct Outward {}
impl Errand for Outward {
    const KIND: &str = "outward";
    const SERVICE: &str = "trial";
    fn summary(&self) -> String {
        "A letter to a customer".into()
    }
    async fn deliver(&self, _: &Delivery<'_>) -> std::result::Result<(), Undelivered> {
        Ok(())
    }
}

/// Leave a letter to a customer.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Write {}
#[derive(Serialize, JsonSchema)]
struct Written {}
impl Action for Write {
    const NAME: &str = "trial.write";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = Written;
    fn example() -> Value {
        json!({})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Written> {
        tx.errand(&Outward {}).await?;
        Ok(Written {})
    }
}

/// A desk with people, whose mail goes to a server of its own.
async fn staffed() -> (Desk, MailServer, Actor) {
    let (desk, server) = mailing().await;
    let owner = desk.owner().await;
    (desk, server, owner)
}

/// Six contacts that an agent wants to archive: the request's id.
async fn six_waiting(desk: &Desk) -> String {
    desk.agent().await.call_on_each("contact.archive", &desk.contacts(6).await).await.held()
}

async fn half_a_minute_later(desk: &Desk) {
    desk.pass(TimeDelta::seconds(30));
    desk.work().await;
}

/// The letters so far, with long lines as they were before transit (quoted-printable, RFC 2045).
fn letters(server: &MailServer) -> Vec<String> {
    server.taken().iter().map(|letter| letter.replace("=\n", "").replace("=3D", "=")).collect()
}

fn to<'l>(letters: &'l [String], name: &str) -> Vec<&'l String> {
    let is_to = |letter: &&String| letter.lines().any(|line| line.starts_with("To: ") && line.contains(name));
    letters.iter().filter(is_to).collect()
}

async fn notices(desk: &Desk) -> Vec<Value> {
    let errands = desk.owner().await.read("errands", json!({})).await.ok();
    errands.as_array().unwrap().iter().filter(|errand| errand["kind"] == "queue_notice").cloned().collect()
}

#[tokio::test]
async fn what_begins_to_wait_is_mailed_to_owners_and_managers_with_a_link_to_its_page() {
    let (desk, server, _) = staffed().await;
    let id = six_waiting(&desk).await;
    desk.work().await;
    assert!(server.taken().is_empty(), "more may come within seconds");
    half_a_minute_later(&desk).await;
    let letters = letters(&server);
    assert_eq!((letters.len(), to(&letters, "Olivia").len(), to(&letters, "Max").len()), (2, 1, 1), "{letters:#?}");
    for letter in &letters {
        assert!(letter.contains("Subject: 1 request waits for you at Test Windows"), "{letter}");
        assert!(letter.contains("Agent Front Office wants to archive 6 contacts."), "{letter}");
        assert!(letter.contains(&format!("\n{}/queue/{id}\n", desk.office.address())), "{letter}");
        assert!(letter.contains("X-Frontdesk-Kind: queue_notice"), "{letter}");
        assert_eq!(letter.matches("://").count(), 1, "one link, which neither decides nor signs in: {letter}");
        assert!(!letter.contains("They moved away"), "the model's own words stay on the page: {letter}");
    }
}

#[tokio::test]
async fn a_burst_of_fifty_is_one_mail_to_each_with_the_right_count() {
    let (desk, server, _) = staffed().await;
    let contacts = desk.contacts(30).await;
    let mut calls = tokio::task::JoinSet::new();
    for name in ["Front Office", "Night Watch"] {
        for nth in 0..25 {
            let (agent, six) = (desk.other_agent(name).await, contacts[nth..nth + 6].to_vec());
            calls.spawn(async move { agent.call_on_each("contact.archive", &six).await.held() });
        }
    }
    calls.join_all().await;
    assert_eq!(notices(&desk).await.len(), 2, "one for the owner, one for the manager");
    half_a_minute_later(&desk).await;
    let letters = letters(&server);
    assert_eq!((letters.len(), to(&letters, "Olivia").len(), to(&letters, "Max").len()), (2, 1, 1));
    for letter in &letters {
        assert!(letter.contains("Subject: 50 requests wait for you at Test Windows"), "{letter}");
        assert!(letter.contains("\n- and 45 more\n"), "{letter}");
        assert!(letter.contains(&format!("\n{}/queue\n", desk.office.address())), "{letter}");
    }
}

#[tokio::test]
async fn what_was_decided_before_the_mail_left_is_told_to_nobody() {
    let (desk, server, owner) = staffed().await;
    let id = six_waiting(&desk).await;
    owner.call("authorization.deny", json!({"authorization_id": id})).await.ok();
    half_a_minute_later(&desk).await;
    assert!(server.taken().is_empty());
    for notice in notices(&desk).await {
        assert_eq!((&notice["state"], &notice["last_error"]), (&json!("done"), &json!("nothing waits any more")));
    }
    assert_eq!(owner.read("alerts", json!({})).await.ok(), json!([]));
    six_waiting(&desk).await;
    half_a_minute_later(&desk).await;
    assert_eq!(server.taken().len(), 2, "what was not sent holds up nothing");
}

#[tokio::test]
async fn nobody_gets_two_within_ten_minutes_and_the_next_tells_what_waits_then() {
    let (desk, server, _) = staffed().await;
    six_waiting(&desk).await;
    half_a_minute_later(&desk).await;
    desk.pass(TimeDelta::minutes(1));
    six_waiting(&desk).await;
    for _ in 0..8 {
        desk.pass(TimeDelta::minutes(1));
        desk.work().await;
    }
    assert_eq!(server.taken().len(), 2);
    desk.pass(TimeDelta::minutes(2));
    desk.work().await;
    let letters = letters(&server);
    assert_eq!((letters.len(), to(&letters, "Olivia").len()), (4, 2));
    assert!(letters[3].contains("2 requests of agents wait for your decision. They are:"), "{}", letters[3]);
}

#[tokio::test]
async fn who_was_told_of_all_that_waits_is_not_told_again() {
    let (desk, server, owner) = staffed().await;
    six_waiting(&desk).await;
    half_a_minute_later(&desk).await;
    let id = six_waiting(&desk).await;
    owner.call("authorization.deny", json!({"authorization_id": id})).await.ok();
    desk.pass(TimeDelta::minutes(11));
    desk.work().await;
    assert_eq!(server.taken().len(), 2, "the first still waits, and they know");
}

#[tokio::test]
async fn whoever_cannot_decide_gets_none() {
    let (desk, server, owner) = staffed().await;
    let gone = desk.user("Gone Manager", Role::Manager).await;
    owner.call("user.deactivate", json!({"user_id": gone})).await.ok();
    six_waiting(&desk).await;
    assert_eq!(notices(&desk).await.len(), 2, "neither the technician nor who is deactivated");
    let max = desk.manager().await.caller.id();
    owner.call("user.deactivate", json!({"user_id": max})).await.ok();
    half_a_minute_later(&desk).await;
    let letters = letters(&server);
    assert_eq!((letters.len(), to(&letters, "Olivia").len()), (1, 1), "nor who was deactivated meanwhile");
}

#[tokio::test]
async fn a_frozen_office_holds_what_goes_to_customers_and_tells_its_own_people() {
    let server = MailServer::start().await;
    let mail = capabilities::world::Mail::smtp(&server.url(), "office@rocketcity.example").unwrap();
    let mut domains = handlers::domains();
    domains.push(Domain::new("trial", "What goes outside").action::<Write>().errand::<Outward>());
    let desk = Desk::alone(domains, mail).await;
    let owner = desk.owner().await;
    owner.call("org.freeze", json!({})).await.ok();
    owner.call("trial.write", json!({})).await.ok();
    let jane = json!({"kind": "person", "given_name": "Jane"});
    desk.agent().await.call_because("contact.create", jane).await.held();
    desk.pass(TimeDelta::seconds(30));
    // By the way a server takes, which looks for organizations with work first.
    while desk.office.work_off().await.unwrap() > 0 {}
    assert_eq!(server.taken().len(), 2);
    owner.call("user.send_sign_in_link", json!({"user_id": owner.caller.id()})).await.ok();
    desk.office.work_off().await.unwrap();
    assert_eq!(server.taken().len(), 3, "whoever thaws it must be able to sign in");
    let held = owner.read("errands", json!({"progress": "waiting"})).await.ok();
    assert_eq!((held[0]["kind"].as_str(), held[0]["state"].as_str()), (Some("outward"), Some("held")));
    owner.call("org.unfreeze", json!({})).await.ok();
    desk.office.work_off().await.unwrap();
    assert_eq!(owner.read("errands", json!({"progress": "waiting"})).await.ok(), json!([]));
}

/// As a worker does that takes all notices in hand.
const CLAIM: &str = "update errands set claimed_until = $2, attempts = 1 where org_id = $1 and kind = 'queue_notice'";

async fn claimed(desk: &Desk) {
    let until = desk.office.clock().now() + TimeDelta::seconds(90);
    sqlx::query(CLAIM).bind(desk.org).bind(until).execute(&mut desk.sql().await).await.unwrap();
}

#[tokio::test]
async fn a_worker_that_dies_between_two_deciders_loses_none_and_tells_none_twice() {
    let (desk, server, _) = staffed().await;
    six_waiting(&desk).await;
    desk.pass(TimeDelta::seconds(30));
    // It had both in hand and mailed the owner before it was killed.
    claimed(&desk).await;
    let free = "update errands set claimed_until = null, attempts = 0 where org_id = $1 and summary like '%Olivia%'";
    sqlx::query(free).bind(desk.org).execute(&mut desk.sql().await).await.unwrap();
    desk.work().await;
    assert_eq!(server.taken().len(), 1);
    half_a_minute_later(&desk).await;
    assert_eq!(server.taken().len(), 1, "the manager's is in somebody's hands still");
    desk.pass(TimeDelta::seconds(61));
    desk.work().await;
    let letters = letters(&server);
    assert_eq!((letters.len(), to(&letters, "Olivia").len(), to(&letters, "Max").len()), (2, 1, 1));
}

#[tokio::test]
async fn what_is_asked_while_a_mail_is_on_its_way_is_told_too_and_once() {
    let (desk, server, _) = staffed().await;
    six_waiting(&desk).await;
    desk.pass(TimeDelta::seconds(30));
    claimed(&desk).await;
    six_waiting(&desk).await;
    assert_eq!(notices(&desk).await.len(), 4, "the ones in hand may be composed already");
    // They could not be delivered, and are put off.
    let put_off =
        "update errands set claimed_until = null, due_at = $2 where org_id = $1 and claimed_until is not null";
    let due = desk.office.clock().now() + TimeDelta::seconds(15);
    sqlx::query(put_off).bind(desk.org).bind(due).execute(&mut desk.sql().await).await.unwrap();
    half_a_minute_later(&desk).await;
    assert!(server.taken().iter().all(|letter| letter.contains("Subject: 2 requests wait")));
    desk.pass(TimeDelta::minutes(11));
    desk.work().await;
    assert_eq!(server.taken().len(), 2, "those left meanwhile have nothing to add");
}

#[tokio::test]
async fn a_notice_that_no_server_takes_is_tried_again_with_what_waits_then() {
    let (desk, server, _) = staffed().await;
    server.set(Mood::Defers);
    six_waiting(&desk).await;
    half_a_minute_later(&desk).await;
    six_waiting(&desk).await;
    assert_eq!(notices(&desk).await.len(), 2, "the ones that are to be tried again tell of it");
    server.set(Mood::Takes);
    half_a_minute_later(&desk).await;
    let letters = letters(&server);
    assert_eq!(letters.len(), 2);
    assert!(letters.iter().all(|letter| letter.contains("Subject: 2 requests wait")), "{letters:#?}");
}
