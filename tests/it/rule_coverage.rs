//! What a rule would have let through: told by the same judgement as the gate's, of requests of all sorts.

use capabilities::{Input, Options};
use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::desk::{Actor, Desk};

fn because() -> Options {
    Options { reasoning: Some("The list of last spring.".into()), ..Options::default() }
}

fn items(contacts: &[String]) -> Input {
    Input::Items(contacts.iter().map(|id| json!({"contact_id": id})).collect())
}

/// A request that waits, as its agent could make it again.
struct Asked {
    id: String,
    action: &'static str,
    input: Input,
    /// Whether it came after too many others.
    is_burst: bool,
}

/// Asks on a day of its own, so that nothing but the request itself counts.
async fn ask(desk: &Desk, agent: &Actor, action: &'static str, input: Input) -> Asked {
    desk.pass(TimeDelta::days(1));
    asked(agent, action, input, false).await
}

async fn asked(agent: &Actor, action: &'static str, input: Input, is_burst: bool) -> Asked {
    let id = agent.send(action, input.clone(), because()).await.held();
    Asked { id, action, input, is_burst }
}

async fn five_before(desk: &Desk, agent: &Actor) {
    for contact in desk.contacts(5).await {
        agent.call_because("contact.archive", json!({"contact_id": contact})).await.ok();
    }
}

/// Requests of all sorts: many at once, one after the other, with a history, always a person's, by two agents.
async fn requests(desk: &Desk, agent: &Actor, other: &Actor) -> Vec<Asked> {
    let mut all = Vec::new();
    for count in [6, 7, 9, 20] {
        all.push(ask(desk, agent, "contact.archive", items(&desk.contacts(count).await)).await);
    }
    all.push(ask(desk, other, "contact.archive", items(&desk.contacts(6).await)).await);
    desk.pass(TimeDelta::days(1));
    five_before(desk, agent).await;
    all.push(asked(agent, "contact.archive", items(&desk.contacts(1).await), true).await);
    all.push(asked(agent, "contact.archive", items(&desk.contacts(8).await), true).await);
    let owner = desk.owner().await;
    for count in [1, 6] {
        let mut contacts = desk.contacts(count).await;
        contacts[0] = owner.contact("Jane", json!({"notes": ["Beware of the dog."]})).await;
        all.push(ask(desk, agent, "contact.delete", items(&contacts)).await);
    }
    all.push(ask(desk, agent, "contact.delete", items(&desk.contacts(6).await)).await);
    for _ in 0..2 {
        let two = desk.contacts(2).await;
        let merge = Input::One(json!({"contact_id": two[0], "merged_contact_id": two[1]}));
        all.push(ask(desk, agent, "contact.merge", merge).await);
    }
    owner.call("org.freeze", json!({})).await.ok();
    all.push(ask(desk, agent, "contact.archive", items(&desk.contacts(1).await)).await);
    owner.call("org.unfreeze", json!({})).await.ok();
    all
}

/// A rule for an action, made of the first request for it, which is done by that and cannot be asked for again.
async fn rule(desk: &Desk, all: &mut Vec<Asked>, action: &str) -> Value {
    let of = all.remove(all.iter().position(|asked| asked.action == action).unwrap());
    // It waited so long that it could not be decided any more.
    let anew =
        format!("update authorizations set status = 'pending', expires_at = '2031-01-01' where id = '{}'", of.id);
    sqlx::raw_sql(AssertSqlSafe(anew)).execute(&mut desk.sql().await).await.unwrap();
    let allowed = desk.owner().await.call("authorization.allow_always", json!({"authorization_id": of.id})).await.ok();
    assert_eq!(allowed["status"], "executed", "{allowed:#}");
    allowed["rule_id"].clone()
}

async fn covered(owner: &Actor, filters: Value) -> (i64, Vec<String>) {
    let found = owner.read("rule_coverage", filters).await.ok()[0].clone();
    let ids = found["newest"].as_array().unwrap().iter();
    let ids: Vec<String> = ids.map(|gone| gone["authorization_id"].as_str().unwrap().to_string()).collect();
    assert_eq!(found["covered"], json!(ids.len()));
    (found["requests"].as_i64().unwrap(), ids)
}

/// Whether the gate lets it through now.
async fn goes_through(actors: &[&Actor; 2], asked: &Asked, by: &str) -> bool {
    let actor = actors.iter().find(|actor| actor.caller.name() == by).unwrap();
    let shown = actor.send(asked.action, asked.input.clone(), Options { dry_run: true, ..because() }).await.ok();
    shown["would"]["permission"] == "unrestricted"
}

#[tokio::test]
async fn what_a_trial_says_of_a_request_is_what_the_gate_does_with_it() {
    let desk = Desk::open().await;
    let (agent, other, owner) = (desk.agent().await, desk.other_agent("Night").await, desk.owner().await);
    let mut all = requests(&desk, &agent, &other).await;
    let rows = owner.read("authorizations", json!({})).await.ok();
    let row = |id: &str| rows.as_array().unwrap().iter().find(|row| row["id"] == id).unwrap();
    let mut both = [0, 0];
    for (action, reasons) in [
        ("contact.archive", vec![json!(["bulk"])]),
        ("contact.delete", vec![json!([]), json!(["has_history"])]),
        ("contact.merge", vec![json!([])]),
    ] {
        let rule = rule(&desk, &mut all, action).await;
        for reasons in reasons {
            for (per_call, per_day, any) in [
                (json!(6), json!(6), false),
                (json!(8), json!(null), false),
                (json!(null), json!(12), true),
                (json!(100), json!(100), true),
                (json!(null), json!(null), false),
            ] {
                let agent_id = if any { Value::Null } else { agent.caller.id().unwrap().to_string().into() };
                let narrowed = json!({
                    "rule_id": rule, "reasons": reasons, "items_per_call": per_call, "items_per_day": per_day, "agent_id": agent_id,
                });
                desk.pass(TimeDelta::days(1));
                owner.call("rule.update", narrowed.clone()).await.ok();
                let (_, told) = covered(&owner, json!({"rule_id": rule})).await;
                let mut same = async |asked: &Asked| {
                    let was_frozen = row(&asked.id)["reasons"].to_string().contains("frozen");
                    let by = row(&asked.id)["agent"].as_str().unwrap();
                    let through = goes_through(&[&agent, &other], asked, by).await && !was_frozen;
                    let wanted = through && asked.action == action;
                    assert_eq!(told.contains(&asked.id), wanted, "{narrowed} {}", row(&asked.id));
                    both[usize::from(wanted)] += 1;
                };
                for asked in all.iter().filter(|asked| asked.action == action && !asked.is_burst) {
                    same(asked).await;
                }
                // What makes a burst must not be what uses the rule up.
                let elsewhere = json!({"rule_id": rule, "agent_id": other.caller.id().unwrap().to_string()});
                owner.call("rule.update", elsewhere).await.ok();
                if action == "contact.archive" {
                    five_before(&desk, &agent).await;
                }
                owner.call("rule.update", narrowed.clone()).await.ok();
                for asked in all.iter().filter(|asked| asked.action == action && asked.is_burst) {
                    same(asked).await;
                }
            }
        }
        owner.call("rule.revoke", json!({"rule_id": rule})).await.ok();
    }
    assert!(both.iter().all(|count| *count > 10), "some go through and some do not: {both:?}");
}

#[tokio::test]
async fn the_number_of_a_day_holds_in_a_trial_as_it_does_at_the_gate() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held());
        desk.pass(TimeDelta::minutes(20));
    }
    let draft = json!({"authorization_id": ids[2], "items_per_day": 12});
    let (requests, through) = covered(&owner, draft).await;
    assert_eq!((requests, through), (3, vec![ids[1].clone(), ids[0].clone()]), "the third is one too many that day");
    let always = json!({"authorization_id": ids[2], "items_per_day": 12});
    let rule = owner.call("authorization.allow_always", always).await.ok()["rule_id"].clone();
    desk.pass(TimeDelta::days(1));
    for _ in 0..2 {
        agent.call_on_each("contact.archive", &desk.contacts(6).await).await.ok();
        desk.pass(TimeDelta::minutes(20));
    }
    let late = agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    let (requests, through) = covered(&owner, json!({"rule_id": rule})).await;
    assert_eq!((requests, through.contains(&late)), (4, false), "what it really let through that day counts");
    let shown = owner.get("rules", rule.as_str().unwrap()).await.ok();
    assert_eq!(shown["items_today"], 12);
    assert_eq!(shown["last_used_at"], "2030-01-08T10:20:00Z");
}

#[tokio::test]
async fn an_agents_own_limits_stand_above_the_rule_also_in_a_trial() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let id = agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    let draft = json!({"authorization_id": id});
    assert_eq!(covered(&owner, draft.clone()).await, (1, vec![id]));
    let agent_id = agent.caller.id().unwrap();
    let stricter = json!({"agent_id": agent_id, "overrides": {"contact": "requires_authorization"}});
    owner.call("agent.set_overrides", stricter).await.ok();
    assert_eq!(covered(&owner, draft).await, (1, vec![]));
}

#[tokio::test]
async fn a_trial_looks_at_the_newest_thousand_of_ninety_days_and_tells_what_people_had_denied() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let old = agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    desk.pass(TimeDelta::days(91));
    let id = agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    owner.call("authorization.deny", json!({"authorization_id": id})).await.ok();
    let found = owner.read("rule_coverage", json!({"authorization_id": id})).await.ok()[0].clone();
    assert_eq!((&found["requests"], &found["covered"], &found["denied"]), (&json!(1), &json!(1), &json!(1)), "{old}");
    assert_eq!((&found["newest"][0]["status"], found.get("older_left_out")), (&json!("denied"), None));
    let copies = format!(
        "insert into authorizations (org_id, id, agent_id, agent_name, action, input, is_batch, input_hash, summary, \
         reasoning, reasons, stake, preview, plan_hash, status, expires_at, asked_call_id, created_at) \
         select org_id, gen_random_uuid(), agent_id, agent_name, action, input, is_batch, input_hash, summary, reasoning, \
         reasons, stake, preview, plan_hash, 'withdrawn', expires_at, asked_call_id, created_at \
         from authorizations, generate_series(1, 1200) where id = '{id}'"
    );
    sqlx::raw_sql(AssertSqlSafe(copies)).execute(&mut desk.sql().await).await.unwrap();
    let wide = json!({"authorization_id": id, "items_per_day": 0});
    let found = owner.read("rule_coverage", wide).await.ok()[0].clone();
    assert_eq!((&found["requests"], &found["older_left_out"]), (&json!(1000), &json!(true)));
    assert_eq!((&found["covered"], found["newest"].as_array().unwrap().len()), (&json!(1000), 25));
}

#[tokio::test]
async fn trials_and_changes_of_rules_are_for_people_of_the_business_and_changes_for_owners() {
    let desk = Desk::open().await;
    let (agent, owner, manager) = (desk.agent().await, desk.owner().await, desk.manager().await);
    let id = agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    let made = owner.call("authorization.allow_always", json!({"authorization_id": id})).await.ok();
    let rule = made["rule_id"].clone();
    agent.read("rule_coverage", json!({})).await.refused("FORBIDDEN");
    desk.technician().await.read("rule_coverage", json!({})).await.refused("FORBIDDEN");
    let wider = json!({"rule_id": rule, "items_per_call": 50});
    for actor in [&agent, &manager, &desk.technician().await] {
        actor.call_because("rule.update", wider.clone()).await.refused("FORBIDDEN");
    }
    assert_eq!(manager.read("rule_coverage", json!({"rule_id": rule})).await.ok()[0]["covered"], 1);
    let listed = manager.select(capabilities::Selection {
        data_type: "rules".into(),
        include: vec!["coverage".into()],
        ..capabilities::Selection::default()
    });
    assert_eq!(listed.await.ok()[0]["coverage"][0]["covered"], 1);
    let elsewhere = Desk::open().await.owner().await;
    elsewhere.call("rule.update", wider.clone()).await.refused("NOT_FOUND");
    for foreign in [json!({"rule_id": rule}), json!({"authorization_id": id})] {
        assert_eq!(elsewhere.read("rule_coverage", foreign).await.ok(), json!([]));
    }
    let past = json!({"rule_id": rule, "until": "2030-01-07T08:00:00Z"});
    assert_eq!(owner.call("rule.update", past).await.invalid_at(), ["/data/until"]);
    let stale = json!({"rule_id": rule, "items_per_call": 7, "expected_version": 9});
    owner.call("rule.update", stale).await.refused("VERSION_CONFLICT");
    owner.call("rule.revoke", json!({"rule_id": rule})).await.ok();
    owner.call("rule.update", wider).await.refused("RULE_REVOKED");
}

#[tokio::test]
async fn what_is_for_people_is_no_hint_for_an_agent() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let hints = |error: Value| error["hint"].as_str().unwrap().to_string();
    for wrong in ["rule.updat", "agent.creat", "authorization.allow_onc"] {
        let told = hints(agent.call(wrong, json!({})).await.refused("UNKNOWN_ACTION"));
        assert!(!["`rule.", "`agent.", "allow"].iter().any(|name| told.contains(name)), "{told}");
        assert!(hints(owner.call(wrong, json!({})).await.refused("UNKNOWN_ACTION")).contains(wrong));
    }
    let told = hints(agent.read("rule_coverag", json!({})).await.refused("UNKNOWN_TYPE"));
    assert!(!told.contains("rule"), "{told}");
    let told = hints(owner.read("rule_coverag", json!({})).await.refused("UNKNOWN_TYPE"));
    assert!(told.contains("rule_coverage"), "{told}");
    let document = desk.office.registry().openapi("1").to_string();
    assert!(document.contains("In people's sessions only: agents are refused."), "the public document says so");
}
