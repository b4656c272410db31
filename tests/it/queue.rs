//! What agents ask and people decide: held with what it would do, decided once, carried out as shown.

use capabilities::{Action, Domain, Effect, Options, PermissionClass, Result, Tx, Who};
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::desk::{Desk, Reply};

fn because(reasoning: &str) -> Options {
    Options { reasoning: Some(reasoning.into()), ..Options::default() }
}

/// Who did what with which outcome, oldest first, without what made the contacts and let people in.
async fn trail(desk: &Desk) -> Vec<String> {
    let calls = desk.owner().await.read("audit", json!({})).await.ok();
    let lines = calls.as_array().unwrap().iter().rev().filter(|call| call["action"] != "contact.create");
    let lines =
        lines.filter(|call| call["actor_kind"] != "system" && call["action"] != "session.sign_in").map(|call| {
            let text = |member: &str| call[member].as_str().unwrap_or_default().to_string();
            let changes = call["changes"].as_array().map_or(0, Vec::len);
            format!("{} {} {} by {}: {changes} rows", text("actor"), text("action"), text("outcome"), text("door"))
        });
    lines.collect()
}

#[tokio::test]
async fn archiving_six_waits_and_is_done_once_when_the_owner_allows_it() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let contacts = desk.contacts(6).await;

    let asked = agent.call_on_each("contact.archive", &contacts).await;
    assert_eq!(asked.reasons(), ["bulk"]);
    let data = asked.0.data.clone().unwrap();
    assert_eq!(data["summary"], "Archive 6 contacts");
    assert_eq!(data["status"], "pending_authorization");
    assert!(data["next"].as_str().unwrap().contains("check_authorization"));
    assert!(
        data["review_url"]
            .as_str()
            .unwrap()
            .ends_with(&format!("/queue/{}", data["authorization_id"].as_str().unwrap()))
    );
    let id = asked.held();
    assert_eq!(agent.get("contacts", &contacts[0]).await.ok().get("archived_at"), None, "nothing was done yet");

    let again = agent.call_on_each("contact.archive", &contacts).await;
    assert_eq!(again.held(), id, "the same request is not asked twice");
    assert_eq!(agent.check(&id).await.held(), id);

    let shown = owner.get("authorizations", &id).await.ok();
    assert_eq!(shown["stake"], json!({"records": 6, "by_type": {"contacts": 6}, "recipients": []}));
    assert_eq!(shown["preview"]["changes"].as_array().unwrap().len(), 6);
    assert_eq!(shown["preview"]["changes"][0]["fields"]["archived_at"]["to"], "2030-01-07T09:00:00+00:00");
    assert_eq!(shown["reasoning"], "They moved away.");

    desk.pass(TimeDelta::hours(3));
    let done = owner.allow_once(&id).await.ok();
    assert_eq!((done["status"].as_str(), done["decided_by"].as_str()), (Some("executed"), Some("Olivia Owner")));
    let told = agent.check(&id).await.ok();
    assert_eq!(told["status"], "executed");
    assert_eq!(told["result"].as_array().unwrap().len(), 6);
    assert_eq!(told["result"][0]["archived_at"], "2030-01-07T12:00:00Z", "done when it was allowed");
    assert!(agent.get("contacts", &contacts[5]).await.ok()["archived_at"].is_string());

    let error = owner.allow_once(&id).await.refused("AUTHORIZATION_NOT_PENDING");
    assert!(error["message"].as_str().unwrap().contains("Olivia Owner decided at 2030-01-07T12:00:00"), "{error}");
    assert_eq!(
        trail(&desk).await,
        [
            "Front Office contact.archive queued by rest: 0 rows",
            "Front Office contact.archive queued by rest: 0 rows",
            "Olivia Owner authorization.allow_once done by rest: 0 rows",
            "Front Office contact.archive done by authorization: 6 rows",
            "Olivia Owner authorization.allow_once refused by rest: 0 rows",
        ]
    );
    let calls = owner.read("audit", json!({"action": "contact.archive"})).await.ok();
    let doing = calls.as_array().unwrap().iter().find(|call| call["outcome"] == "done").unwrap();
    let deciding = owner.read("audit", json!({"action": "authorization.allow_once"})).await.ok();
    let deciding = deciding.as_array().unwrap().iter().find(|call| call["outcome"] == "done").unwrap();
    assert_eq!(doing["caused_by"], deciding["id"]);
    assert_eq!((doing["authorization_id"].as_str(), deciding["authorization_id"].as_str()), (Some(&*id), Some(&*id)));
}

#[tokio::test]
async fn a_denial_reaches_the_agent_word_for_word_and_changes_nothing() {
    let desk = Desk::open().await;
    let (agent, manager) = (desk.agent().await, desk.manager().await);
    let id = agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    let note = "Not the Millers: they pay <b>quarterly</b> & on time.";
    manager.call("authorization.deny", json!({"authorization_id": id, "note": note})).await.ok();
    let told = agent.check(&id).await;
    assert_eq!(told.0.data.as_ref().unwrap()["note"], note);
    let error = told.refused("AUTHORIZATION_DENIED");
    assert!(error["message"].as_str().unwrap().contains(note), "{error}");
    assert_eq!(error["retry"], "never");
    manager.allow_once(&id).await.refused("AUTHORIZATION_NOT_PENDING");
    assert_eq!(agent.read("contacts", json!({})).await.0.meta.total, Some(json!(6)));
}

#[tokio::test]
async fn a_rule_of_ten_a_day_lets_ten_pass_and_the_eleventh_waits() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let id = agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    let always = json!({"authorization_id": id, "items_per_day": 10});
    let made = owner.call("authorization.allow_always", always).await.ok();
    let rule = owner.get("rules", made["rule_id"].as_str().unwrap()).await.ok();
    assert_eq!((rule["items_per_call"].as_i64(), rule["items_per_day"].as_i64()), (Some(6), Some(10)));
    assert_eq!((&rule["agent_id"], &rule["reasons"]), (&made["agent_id"], &json!(["bulk"])));

    let contacts = desk.contacts(13).await;
    for contact in &contacts[..10] {
        agent.call("contact.archive", json!({"contact_id": contact})).await.ok();
    }
    let eleventh = agent.call_because("contact.archive", json!({"contact_id": contacts[10]})).await;
    assert_eq!(eleventh.reasons(), ["burst"]);
    eleventh.held();

    desk.pass(TimeDelta::days(1));
    agent.call("contact.archive", json!({"contact_id": contacts[11]})).await.ok();
    owner.call("rule.revoke", json!({"rule_id": rule["id"]})).await.ok();
    agent.call("contact.archive", json!({"contact_id": contacts[12]})).await.refused("REASONING_REQUIRED");
}

#[tokio::test]
async fn a_rule_is_for_its_agent_its_time_and_its_number_of_items() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let id = agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    let until =
        json!({"authorization_id": id, "items_per_call": 8, "items_per_day": null, "until": "2030-01-08T09:00:00Z"});
    owner.call("authorization.allow_always", until).await.ok();
    agent.call_on_each("contact.archive", &desk.contacts(8).await).await.ok();
    let nine = desk.contacts(9).await;
    agent.call_on_each("contact.archive", &nine).await.held();
    let other = desk.other_agent("Night Shift").await;
    other.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    desk.pass(TimeDelta::days(2));
    agent.call_on_each("contact.archive", &desk.contacts(8).await).await.held();
}

#[tokio::test]
async fn only_an_owner_may_allow_always_and_technicians_and_automations_decide_nothing() {
    let desk = Desk::open().await;
    let (agent, manager, technician) = (desk.agent().await, desk.manager().await, desk.technician().await);
    let id = agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    let this = json!({"authorization_id": id});
    manager.call("authorization.allow_always", this.clone()).await.refused("FORBIDDEN");
    for decision in ["allow_once", "allow_always", "deny"] {
        technician.call(&format!("authorization.{decision}"), this.clone()).await.refused("FORBIDDEN");
        agent
            .call_with(&format!("authorization.{decision}"), this.clone(), because("I am the owner."))
            .await
            .refused("FORBIDDEN");
        agent.dry_run(&format!("authorization.{decision}"), this.clone()).await.refused("FORBIDDEN");
    }
    for decision in ["allow_once", "allow_always", "deny"] {
        desk.system().await.call(&format!("authorization.{decision}"), this.clone()).await.refused("FORBIDDEN");
    }
    technician.read("authorizations", json!({})).await.refused("FORBIDDEN");
    agent.read("rules", json!({})).await.refused("FORBIDDEN");
    let elsewhere = Desk::open().await;
    elsewhere.owner().await.allow_once(&id).await.refused("NOT_FOUND");
    elsewhere.owner().await.get("authorizations", &id).await.refused("NOT_FOUND");
    manager
        .call_items("authorization.allow_once", vec![this.clone(), this], Options::default())
        .await
        .refused("INVALID_INPUT");
    assert_eq!(agent.check(&id).await.held(), id, "it waits still");
}

#[tokio::test]
async fn an_agent_sees_and_withdraws_its_own_requests_only() {
    let desk = Desk::open().await;
    let (agent, other) = (desk.agent().await, desk.other_agent("Night Shift").await);
    let id = agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    let this = json!({"authorization_id": id});
    assert_eq!(other.read("authorizations", json!({})).await.ok(), json!([]));
    other.get("authorizations", &id).await.refused("NOT_FOUND");
    other.check(&id).await.refused("NOT_FOUND");
    other.call("authorization.withdraw", this.clone()).await.refused("NOT_FOUND");
    desk.manager().await.call("authorization.withdraw", this.clone()).await.refused("FORBIDDEN");
    agent.call("authorization.withdraw", this.clone()).await.ok();
    agent.check(&id).await.refused("AUTHORIZATION_WITHDRAWN");
    desk.owner().await.allow_once(&id).await.refused("AUTHORIZATION_NOT_PENDING");
}

#[tokio::test]
async fn when_the_world_changed_nothing_is_done_and_the_fresh_preview_waits() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let contacts = desk.contacts(6).await;
    let id = agent.call_on_each("contact.archive", &contacts).await.held();
    let seen = owner.get("authorizations", &id).await.ok()["plan"].clone();
    owner.call("contact.archive", json!({"contact_id": contacts[3]})).await.ok();
    let before = desk.count("row_log").await;

    let changed = owner.allow_once(&id).await;
    let fresh = changed.0.data.clone().unwrap();
    changed.refused("PLAN_CHANGED");
    assert_eq!(fresh["status"], "pending");
    assert_eq!(fresh["preview"]["changes"].as_array().unwrap().len(), 5, "the one that is archived already stays so");
    assert_eq!(desk.count("row_log").await, before, "nothing was done");
    assert_eq!(owner.get("authorizations", &id).await.ok()["stake"]["records"], 5);

    // A key with which nothing was done is free: the same decision, sent again, is a decision and not a repeat.
    let keyed = || Options { idempotency_key: Some("allow".into()), ..Options::default() };
    let stale = json!({"authorization_id": id, "plan": seen});
    for _ in 0..2 {
        owner.call_with("authorization.allow_once", stale.clone(), keyed()).await.refused("PLAN_CHANGED");
    }
    // Somebody who still looks at the first preview cannot approve the second one unseen.
    owner.call("authorization.allow_once", stale.clone()).await.refused("PLAN_CHANGED");
    owner.call("authorization.allow_always", stale).await.refused("PLAN_CHANGED");
    owner.call("authorization.allow_once", json!({"authorization_id": id, "plan": fresh["plan"]})).await.ok();
    assert_eq!(agent.check(&id).await.ok()["result"].as_array().unwrap().len(), 6);
    assert!(trail(&desk).await.contains(&"Olivia Owner authorization.allow_once refused by rest: 0 rows".to_string()));
}

#[tokio::test]
async fn what_can_no_longer_be_done_has_failed_and_says_why() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let contacts = desk.contacts(6).await;
    let items = contacts.iter().map(|id| json!({"contact_id": id, "expected_version": 1})).collect();
    let id = agent.call_items("contact.archive", items, because("They moved away.")).await.held();
    owner.call("contact.update", json!({"contact_id": contacts[5], "family_name": "Meier"})).await.ok();

    let answer = owner.allow_once(&id).await;
    assert_eq!(answer.warning_codes(), ["execution_failed"]);
    let failed = answer.ok();
    assert_eq!(
        (failed["status"].as_str(), failed["error"]["code"].as_str()),
        (Some("failed"), Some("VERSION_CONFLICT"))
    );
    let told = agent.check(&id).await;
    assert_eq!(told.0.data.as_ref().unwrap()["cause"]["code"], "VERSION_CONFLICT");
    told.refused("AUTHORIZATION_FAILED");
    assert_eq!(agent.read("contacts", json!({})).await.0.meta.total, Some(json!(6)), "not even the first five");
}

#[tokio::test]
async fn a_request_that_nobody_decides_expires_and_can_be_asked_anew() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let contacts = desk.contacts(6).await;
    let id = agent.call_on_each("contact.archive", &contacts).await.held();
    desk.pass(TimeDelta::hours(72));
    for error in [agent.check(&id).await, owner.allow_once(&id).await] {
        assert_eq!(error.refused("AUTHORIZATION_EXPIRED")["retry"], "never");
    }
    assert_eq!(owner.read("authorizations", json!({"status": "pending"})).await.ok(), json!([]));
    assert_eq!(owner.read("authorizations", json!({"status": "expired"})).await.ok()[0]["id"], json!(id));
    let anew = agent.call_on_each("contact.archive", &contacts).await.held();
    assert_ne!(anew, id);
    owner.allow_once(&anew).await.ok();
}

#[tokio::test]
async fn an_agent_may_have_twenty_five_requests_waiting() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let contacts = desk.contacts(31).await;
    let six = |from: usize| contacts[from..from + 6].to_vec();
    let mut first = None;
    for nth in 0..25 {
        let id = agent.call_on_each("contact.archive", &six(nth)).await.held();
        first.get_or_insert(id);
    }
    let error = agent.call_on_each("contact.archive", &six(25)).await.refused("QUEUE_FULL");
    assert!(error["hint"].as_str().unwrap().contains("authorization.withdraw"), "{error}");
    assert_eq!(agent.call_on_each("contact.archive", &six(0)).await.held(), first.clone().unwrap());
    agent.call("authorization.withdraw", json!({"authorization_id": first})).await.ok();
    agent.call_on_each("contact.archive", &six(25)).await.held();
}

#[tokio::test]
async fn a_repeat_with_the_same_key_is_answered_with_what_became_of_the_request() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let contacts = desk.contacts(6).await;
    let ask = || async {
        let items = contacts.iter().map(|id| json!({"contact_id": id})).collect();
        let options = Options { idempotency_key: Some("moved".into()), ..because("They moved away.") };
        agent.call_items("contact.archive", items, options).await
    };
    let id = ask().await.held();
    assert_eq!(ask().await.held(), id);
    owner.allow_once(&id).await.ok();
    let repeat = ask().await;
    assert!(repeat.0.meta.repeated);
    assert_eq!(repeat.ok()["status"], "executed");
    assert_eq!(desk.count("authorizations").await, 1);
}

#[tokio::test]
async fn decisions_are_told_once_beside_the_next_answer() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let id = agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    let note = json!({"authorization_id": id, "note": "Not this week."});
    desk.owner().await.call("authorization.deny", note).await.ok();
    let news = |reply: Reply| reply.0.envelope()["meta"]["decisions_since_last_call"].clone();
    let first = news(desk.agent().await.read("contacts", json!({})).await);
    assert_eq!(first[0]["authorization_id"], json!(id));
    assert_eq!((&first[0]["status"], &first[0]["note"]), (&json!("denied"), &json!("Not this week.")));
    assert_eq!(news(desk.agent().await.read("contacts", json!({})).await), Value::Null);
}

#[tokio::test]
async fn a_frozen_agent_waits_with_everything_but_may_take_back() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    desk.manager().await.call("org.freeze", json!({})).await.ok();
    let jane = json!({"kind": "person", "given_name": "Jane"});
    agent.call("contact.create", jane.clone()).await.refused("REASONING_REQUIRED");
    let asked = agent.call_because("contact.create", jane.clone()).await;
    assert_eq!(asked.reasons(), ["frozen"]);
    let id = asked.held();
    agent.read("contacts", json!({})).await.ok();
    assert_eq!(
        agent.dry_run("contact.create", jane.clone()).await.ok()["would"]["permission"],
        "requires_authorization"
    );
    agent.call("authorization.withdraw", json!({"authorization_id": id})).await.ok();
    owner.call("contact.create", jane.clone()).await.ok();
    let id = agent.call_because("contact.create", jane.clone()).await.held();
    owner.allow_once(&id).await.ok();
    desk.manager().await.call("org.unfreeze", json!({})).await.ok();
    agent.call("contact.create", jane).await.ok();
}

#[tokio::test]
async fn an_agents_own_limits_are_stricter_than_any_rule() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let id = agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    owner.call("authorization.allow_always", json!({"authorization_id": id, "items_per_day": null})).await.ok();
    let contacts = desk.contacts(2).await;
    agent.call("contact.archive", json!({"contact_id": contacts[0]})).await.ok();
    let overrides = json!({"contact": "requires_authorization"});
    owner.call("agent.set_overrides", json!({"agent_id": agent.caller.id(), "overrides": overrides})).await.ok();
    let asked = agent.call_because("contact.archive", json!({"contact_id": contacts[1]})).await;
    assert_eq!(asked.reasons(), ["override"]);
    asked.held();
    agent.call("note.add", json!({"contact_id": contacts[1], "content": "Called back."})).await.ok();
}

#[tokio::test]
async fn who_may_not_do_it_may_not_allow_it_either() {
    let desk = Desk::open().await;
    let (agent, owner, manager) = (desk.agent().await, desk.owner().await, desk.manager().await);
    let id = agent.call_because("org.update", json!({"name": "Clear View"})).await.held();
    let error = manager.allow_once(&id).await.refused("FORBIDDEN");
    assert!(error["message"].as_str().unwrap().contains("owners"), "{error}");
    owner.call("authorization.allow_always", json!({"authorization_id": id})).await.refused("EACH_TIME");
    assert_eq!(agent.check(&id).await.held(), id);
    owner.allow_once(&id).await.ok();
    assert_eq!(owner.read("org", json!({})).await.ok()[0]["name"], "Clear View");
}

#[tokio::test]
async fn a_deletion_with_history_waits_and_shows_what_goes_along() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let contact = owner.contact("Jane", json!({"family_name": "Smith", "notes": ["Beware of the dog."]})).await;
    let asked = agent.call_because("contact.delete", json!({"contact_id": contact})).await;
    assert_eq!(asked.reasons(), ["has_history"]);
    assert_eq!(asked.0.data.as_ref().unwrap()["summary"], "Delete contact Jane Smith");
    let id = asked.held();
    let shown = owner.get("authorizations", &id).await.ok();
    assert_eq!(shown["stake"]["by_type"], json!({"contacts": 1, "notes": 1}));

    owner.call("note.add", json!({"contact_id": contact, "content": "Pays in cash."})).await.ok();
    owner.allow_once(&id).await.refused("PLAN_CHANGED");
    assert_eq!(owner.get("authorizations", &id).await.ok()["stake"]["by_type"], json!({"contacts": 1, "notes": 2}));
    let done = owner.allow_once(&id).await.ok();
    assert_eq!(done["result"][0]["went_along"], json!({"notes": 2}));
    owner.get("contacts", &contact).await.refused("NOT_FOUND");
}

#[tokio::test]
async fn two_deciders_at_once_are_one_decision_a_hundred_times() {
    let desk = Desk::open().await;
    let (agent, owner, manager) = (desk.agent().await, desk.owner().await, desk.manager().await);
    let contacts = desk.contacts(6).await;
    for round in 0..100 {
        let action = if round % 2 == 0 { "contact.archive" } else { "contact.restore" };
        let id = agent.call_on_each(action, &contacts).await.held();
        let deny = json!({"authorization_id": id});
        let (one, two) = tokio::join!(owner.allow_once(&id), async {
            match round % 3 {
                0 => manager.call("authorization.deny", deny).await,
                _ => manager.allow_once(&id).await,
            }
        });
        let won = [&one, &two].iter().filter(|reply| reply.0.success()).count();
        assert_eq!(won, 1, "round {round}: {:?} {:?}", one.0.error, two.0.error);
        let lost = if one.0.success() { two } else { one };
        lost.refused("AUTHORIZATION_NOT_PENDING");
        if agent.check(&id).await.0.success() {
            continue;
        }
        // Denied: done by hand, so that the next round starts from there.
        let items = contacts.iter().map(|id| json!({"contact_id": id})).collect();
        owner.call_items(action, items, Options::default()).await.ok();
    }
    let done = "select count(*) from call_log where org_id = $1 and door = 'authorization'";
    let done: i64 = sqlx::query_scalar(done).bind(desk.org).fetch_one(&mut desk.sql().await).await.unwrap();
    let executed = "select count(*) from authorizations where org_id = $1 and status = 'executed'";
    let executed: i64 = sqlx::query_scalar(executed).bind(desk.org).fetch_one(&mut desk.sql().await).await.unwrap();
    assert_eq!(done, executed);
    assert_eq!(desk.count("authorizations").await, 100);
}

/// How many of fifty calls side by side went through; the others wait.
async fn of_fifty(desk: &Desk, contacts: &[String]) -> usize {
    let mut calls = tokio::task::JoinSet::new();
    for contact in contacts {
        let (agent, input) = (desk.agent().await, json!({"contact_id": contact}));
        calls.spawn(async move { agent.call_because("contact.archive", input).await });
    }
    let replies = calls.join_all().await;
    assert!(
        replies
            .iter()
            .all(|reply| reply.0.success() || reply.0.is_held() || reply.0.error_code() == Some("QUEUE_FULL"))
    );
    replies.iter().filter(|reply| reply.0.success()).count()
}

#[tokio::test]
async fn fifty_calls_side_by_side_cannot_slip_past_the_burst_limit() {
    let desk = Desk::open().await;
    let contacts = desk.contacts(50).await;
    assert_eq!(of_fifty(&desk, &contacts).await, 5);
}

#[tokio::test]
async fn fifty_calls_side_by_side_cannot_slip_past_a_rules_number() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let id = agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    let always = json!({"authorization_id": id, "items_per_day": 12});
    desk.owner().await.call("authorization.allow_always", always).await.ok();
    let contacts = desk.contacts(50).await;
    assert_eq!(of_fifty(&desk, &contacts).await, 12);
}

#[tokio::test]
async fn more_than_fifty_changes_of_one_kind_within_minutes_wait() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    for _ in 0..10 {
        agent.contacts(5).await;
    }
    let jane = json!({"kind": "person", "given_name": "Jane"});
    let asked = agent.call_because("contact.create", jane.clone()).await;
    assert_eq!(asked.reasons(), ["burst"]);
    desk.pass(TimeDelta::minutes(11));
    agent.call("contact.create", jane).await.ok();
}

/// Do what only owners may.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Step {}
#[derive(Serialize, JsonSchema)]
struct Stepped {}
impl Action for Step {
    const NAME: &str = "trial.step";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::OWNERS;
    type Output = Stepped;
    fn example() -> Value {
        json!({})
    }
    async fn run(self, _: &mut Tx<'_>) -> Result<Stepped> {
        Ok(Stepped {})
    }
}

/// Do it among other things.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Whole {}
impl Action for Whole {
    const NAME: &str = "trial.whole";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::RequiresAuthorization;
    const WHO: Who = Who::MANAGERS;
    type Output = Stepped;
    fn example() -> Value {
        json!({})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Stepped> {
        tx.call(Step {}).await
    }
}

#[tokio::test]
async fn who_may_not_do_every_step_may_not_allow_the_whole_and_it_waits_for_who_may() {
    let mut domains = handlers::domains();
    domains.push(Domain::new("trial", "What has steps").action::<Step>().action::<Whole>());
    let desk = Desk::with(domains).await;
    let agent = desk.agent().await;
    let id = agent.call_because("trial.whole", json!({})).await.held();
    let error = desk.manager().await.allow_once(&id).await.refused("FORBIDDEN");
    assert!(error["message"].as_str().unwrap().contains("owners"), "{error}");
    assert_eq!(agent.check(&id).await.held(), id, "it is not settled by somebody who could not");
    assert_eq!(desk.owner().await.allow_once(&id).await.ok()["status"], "executed");
}
