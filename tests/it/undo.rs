//! The way back, asked for by name and JSON: what is restored, what is refused and with which words, who may.

use std::collections::BTreeSet;

use capabilities::Options;
use chrono::TimeDelta;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::contract_calls::{domain_in, must_show};
use crate::desk::{Actor, Desk, Reply};
use crate::samples::{for_each_domain, is_for_people};

/// What no undo brings back or takes away: the trail itself, and what counts changes.
const LOGS: &[&str] = &["call_log", "row_log", "undone_calls", "idempotency_keys"];

/// The call of an answer that must be a success.
#[track_caller]
pub fn done(reply: Reply) -> String {
    let call = reply.0.meta.request_id.to_string();
    reply.ok();
    call
}

pub async fn undo(by: &Actor, call: &str) -> Reply {
    by.call("audit.undo", json!({"call_id": call})).await
}

/// A contact with something in every table that belongs to it.
pub async fn jane(by: &Actor) -> (String, String) {
    let more = json!({
        "kind": "person", "given_name": "Jane", "family_name": "Smith", "tags": ["vip"], "notes": ["Beware of the dog."],
        "emails": [{"email": "jane@example.com"}, {"email": "j@example.com"}], "phones": [{"phone": "(256) 555-0100"}],
        "addresses": [{"street": "1 Elm Street", "city": "Madison"}],
    });
    let reply = by.call("contact.create", more).await;
    let call = reply.0.meta.request_id.to_string();
    (reply.id(), call)
}

/// Every business row, without versions and times of change.
async fn rows(desk: &Desk) -> Vec<String> {
    let mut owner = desk.sql().await;
    let tables: Vec<String> =
        sqlx::query_scalar("select table_name from frontdesk.logged_tables() union select unnest(array['contact_search', 'contact_tags', 'note_search']) order by 1")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    let mut all = Vec::new();
    for table in tables {
        let rows = format!(
            "select '{table} ' || (to_jsonb(t) - array['version', 'updated_at'])::text from {table} t where org_id = $1 order by 1"
        );
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(rows)).bind(desk.org).fetch_all(&mut owner).await.unwrap();
        all.extend(rows);
    }
    all
}

#[tokio::test]
async fn what_was_made_changed_moved_or_deleted_is_as_before_and_an_undo_of_the_undo_has_it_back() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let (jane, _) = jane(&owner).await;
    let janet =
        owner.contact("Janet", json!({"emails": [{"email": "janet@example.com"}], "notes": ["Rings twice."]})).await;
    let note = owner.read("notes", json!({"contact_id": jane})).await.ok()[0]["id"].as_str().unwrap().to_string();
    let address =
        owner.read("addresses", json!({"contact_id": jane})).await.ok()[0]["id"].as_str().unwrap().to_string();
    let update = json!({
        "contact_id": jane, "given_name": "Johanna", "family_name": null, "tags": ["west"], "phones": [],
        "emails": [{"email": "j@example.com", "is_primary": true}, {"email": "new@example.com"}],
    });
    for (action, input) in [
        ("contact.create", json!({"kind": "organization", "organization_name": "Smith & Sons", "notes": ["Big."]})),
        ("contact.update", update),
        ("contact.archive", json!({"contact_id": jane})),
        ("contact.unsubscribe", json!({"contact_id": jane})),
        ("contact.merge", json!({"contact_id": janet, "merged_contact_id": jane})),
        ("contact.delete", json!({"contact_id": jane})),
        ("note.add", json!({"contact_id": jane, "content": "Long ladder."})),
        ("note.edit", json!({"note_id": note, "content": "No dog any more."})),
        ("note.delete", json!({"note_id": note})),
        ("address.remove", json!({"address_id": address})),
        (
            "address.add",
            json!({"contact_id": jane, "address": {"street": "7 Shore Road", "city": "Athens", "is_primary": true}}),
        ),
        ("org.update", json!({"invoice_prefix": "W-", "business_hours": {"sat": ["08:00", "12:00"], "fri": null}})),
    ] {
        let before = rows(&desk).await;
        let call = done(owner.call(action, input).await);
        let after = rows(&desk).await;
        assert_ne!(before, after, "{action}");
        let back = done(undo(&owner, &call).await);
        assert_eq!(rows(&desk).await, before, "{action}");
        let again = done(undo(&owner, &back).await);
        assert_eq!(rows(&desk).await, after, "{action}");
        done(undo(&owner, &again).await);
        assert_eq!(rows(&desk).await, before, "{action}");
    }
}

#[tokio::test]
async fn an_undo_shows_first_what_it_would_restore_and_does_that_and_nothing_else() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let (jane, _) = jane(&owner).await;
    let call =
        done(owner.call("contact.update", json!({"contact_id": jane, "given_name": "Johanna", "tags": []})).await);
    let before = desk.everything().await;
    let shown = owner.dry_run("audit.undo", json!({"call_id": call})).await.ok();
    assert_eq!(desk.everything().await, before);
    let changes = shown["would"]["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(
        changes[0]["fields"],
        json!({"given_name": {"from": "Johanna", "to": "Jane"}, "tags": {"from": [], "to": ["vip"]}})
    );
    assert_eq!(
        (&shown["result"]["rows"], &shown["result"]["calls"][0]["action"]),
        (&json!(1), &json!("contact.update"))
    );

    done(owner.call("contact.update", json!({"contact_id": jane, "family_name": "Miller"})).await);
    let plan = shown["result"]["plan"].clone();
    let undone = owner.call("audit.undo", json!({"call_id": call, "plan": plan})).await.ok();
    assert_eq!(undone["plan"], plan, "what others changed beside it is no part of it");
    let now = owner.get("contacts", &jane).await.ok();
    assert_eq!((&now["given_name"], &now["family_name"]), (&json!("Jane"), &json!("Miller")));
    assert_eq!(now["version"], 4, "an undo counts as a change");
    let trail = owner.get("audit", &call).await.ok();
    assert!(trail["undone_by"].is_string(), "{trail}");
}

#[tokio::test]
async fn nothing_is_undone_when_the_plan_is_another_one_by_now() {
    let desk = Desk::open().await;
    let (owner, agent) = (desk.owner().await, desk.agent().await);
    let agent_id = agent.caller.id();
    jane(&agent).await;
    let since = json!({"agent_id": agent_id, "since": "2030-01-07T00:00:00Z"});
    let plan = owner.dry_run("audit.undo", since.clone()).await.ok()["result"]["plan"].clone();
    agent.contact("John", json!({})).await;
    let before = desk.state().await;
    let mut input = since;
    input["plan"] = plan;
    owner.call("audit.undo", input).await.refused("PLAN_CHANGED");
    assert_eq!(desk.state().await, before);
}

#[tokio::test]
async fn a_later_change_of_the_same_fields_is_named_and_undone_first() {
    let desk = Desk::open().await;
    let (owner, manager) = (desk.owner().await, desk.manager().await);
    let (jane, made) = jane(&owner).await;
    let call =
        done(owner.call("contact.update", json!({"contact_id": jane, "given_name": "Johanna", "tags": []})).await);
    desk.pass(TimeDelta::minutes(5));
    let later = done(manager.call("contact.update", json!({"contact_id": jane, "given_name": "Joan"})).await);
    let before = desk.state().await;
    let error = undo(&owner, &call).await.refused("CHANGED_SINCE");
    let named = json!({
        "call_id": later, "action": "contact.update", "actor": "Max Manager", "at": "2030-01-07T09:05:00Z", "how": "changed",
        "data_type": "contacts", "id": jane, "fields": ["given_name"],
    });
    assert_eq!(error["later_changes"], json!([named]));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("Max Manager changed given_name in contacts with contact.update"), "{message}");
    assert_eq!(desk.state().await, before);

    // What is not as the first call made it stands against undoing that, and so does what was added since.
    let note = done(manager.call("note.add", json!({"contact_id": jane, "content": "Ring twice."})).await);
    let error = undo(&owner, &made).await.refused("CHANGED_SINCE");
    let calls: Vec<&str> =
        error["later_changes"].as_array().unwrap().iter().map(|l| l["call_id"].as_str().unwrap()).collect();
    assert!(calls.contains(&note.as_str()) && calls.contains(&later.as_str()), "{error:#}");
    let refers = error["later_changes"].as_array().unwrap().iter().find(|later| later["how"] == "refers").unwrap();
    assert_eq!((&refers["data_type"], &refers["fields"]), (&json!("notes"), &json!(["contact_id"])));

    for call in [&note, &later, &call, &made] {
        done(undo(&owner, call).await);
    }
    assert_eq!(
        (desk.count("contacts").await, desk.count("notes").await, desk.count("contact_search").await),
        (0, 0, 0)
    );
}

#[tokio::test]
async fn a_row_that_is_gone_and_one_that_it_belonged_to_are_named() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let (jane, _) = jane(&owner).await;
    let note = owner.read("notes", json!({"contact_id": jane})).await.ok()[0]["id"].clone();
    let edit = done(owner.call("note.edit", json!({"note_id": note, "content": "Two dogs."})).await);
    let delete = done(owner.call("note.delete", json!({"note_id": note})).await);
    let error = undo(&owner, &edit).await.refused("CHANGED_SINCE");
    assert_eq!(
        (&error["later_changes"][0]["how"], &error["later_changes"][0]["call_id"]),
        (&json!("deleted"), &json!(delete))
    );
    let gone = done(owner.call("contact.delete", json!({"contact_id": jane})).await);
    let error = undo(&owner, &delete).await.refused("CHANGED_SINCE");
    let named = &error["later_changes"][0];
    assert_eq!((&named["how"], &named["call_id"], &named["id"]), (&json!("deleted"), &json!(gone), &json!(jane)));
    for call in [gone, delete, edit] {
        done(undo(&owner, &call).await);
    }
    assert_eq!(owner.get("notes", note.as_str().unwrap()).await.ok()["content"], "Beware of the dog.");
}

#[tokio::test]
async fn another_primary_address_since_stands_against_the_old_one() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let (jane, _) = jane(&owner).await;
    let address = owner.read("addresses", json!({"contact_id": jane})).await.ok()[0]["id"].clone();
    let removed = done(owner.call("address.remove", json!({"address_id": address})).await);
    let shore = json!({"street": "7 Shore Road", "city": "Athens", "is_primary": true});
    let later = done(owner.call("address.add", json!({"contact_id": jane, "address": shore})).await);
    let before = desk.state().await;
    let error = undo(&owner, &removed).await.refused("CHANGED_SINCE");
    assert_eq!(error["later_changes"][0]["call_id"], json!(later));
    assert_eq!(desk.state().await, before);
    done(undo(&owner, &later).await);
    done(undo(&owner, &removed).await);
}

#[tokio::test]
async fn a_call_is_undone_once_whoever_comes_first() {
    let desk = Desk::open().await;
    let (owner, manager) = (desk.owner().await, desk.manager().await);
    let (jane, _) = jane(&owner).await;
    let call = done(owner.call("contact.archive", json!({"contact_id": jane})).await);
    let (one, two) = tokio::join!(undo(&owner, &call), undo(&manager, &call));
    let (first, second) = if one.0.success() { (one, two) } else { (two, one) };
    let first = done(first);
    let error = second.refused("ALREADY_UNDONE");
    assert!(error["message"].as_str().unwrap().contains(&first), "{error}");
    assert!(error["hint"].as_str().unwrap().contains(&format!("audit.undo with call_id {first}")), "{error}");
    done(undo(&owner, &first).await);
    assert!(owner.get("contacts", &jane).await.ok()["archived_at"].is_string());
    done(undo(&owner, &call).await);
}

#[tokio::test]
async fn what_changed_nothing_is_nothing_to_undo() {
    let desk = Desk::open().await;
    let (owner, agent) = (desk.owner().await, desk.agent().await);
    let refused =
        agent.call("contact.archive", json!({"contact_id": desk.contacts(1).await[0]})).await.0.meta.request_id;
    let error = undo(&owner, &refused.to_string()).await.refused("NOTHING_TO_UNDO");
    assert!(error["message"].as_str().unwrap().contains("was refused; it changed nothing"), "{error}");
    let (jane, _) = jane(&owner).await;
    let same = done(owner.call("contact.restore", json!({"contact_id": jane})).await);
    undo(&owner, &same).await.refused("NOTHING_TO_UNDO");
    owner.call("audit.undo", json!({})).await.refused("INVALID_INPUT");
    owner.call("audit.undo", json!({"call_id": same, "since": "2030-01-07T00:00:00Z"})).await.refused("INVALID_INPUT");
}

#[tokio::test]
async fn a_call_of_another_organization_or_of_another_agent_is_not_found() {
    let (desk, other) = (Desk::open().await, Desk::open().await);
    let (_, theirs) = jane(&other.owner().await).await;
    undo(&desk.owner().await, &theirs).await.refused("NOT_FOUND");
    let (agent, night) = (desk.agent().await, desk.other_agent("Night").await);
    let (_, call) = jane(&agent).await;
    let (_, owners) = jane(&desk.owner().await).await;
    for call in [&call, &owners] {
        night.call_because("audit.undo", json!({"call_id": call})).await.refused("NOT_FOUND");
    }
    let all = json!({"agent_id": agent.caller.id(), "since": "2030-01-07T00:00:00Z"});
    night.call_because("audit.undo", all.clone()).await.refused("NOT_FOUND");
    other.owner().await.call("audit.undo", all).await.refused("NOT_FOUND");
    assert_eq!(desk.count("contacts").await, 2);
}

#[tokio::test]
async fn an_agent_asks_to_undo_its_own_call_and_a_person_decides_each_time() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let (jane, call) = jane(&agent).await;
    let asked = agent.call_because("audit.undo", json!({"call_id": call})).await;
    let id = asked.held();
    assert!(owner.get("contacts", &jane).await.0.success(), "nothing was undone yet");
    let shown = owner.get("authorizations", &id).await.ok();
    assert_eq!(shown["preview"]["changes"].as_array().unwrap().len(), 6);
    owner.call("authorization.allow_always", json!({"authorization_id": id})).await.refused("EACH_TIME");
    let allowed = desk.manager().await.allow_once(&id).await.ok();
    assert_eq!(allowed["status"], "executed", "{allowed:#}");
    owner.get("contacts", &jane).await.refused("NOT_FOUND");
    // The undo is the agent's call; undoing the decision undoes what it carried out.
    let decision = owner.read("audit", json!({"action": "authorization.allow_once"})).await.ok()[0]["id"].clone();
    let undone = owner.call("audit.undo", json!({"call_id": decision})).await.ok();
    assert_eq!(undone["calls"][0]["call_id"], allowed["executed_call_id"]);
    owner.get("contacts", &jane).await.ok();
    let shown = owner.get("authorizations", &id).await.ok();
    assert_eq!((&shown["status"], &shown["undone_by"]), (&json!("executed"), &json!("Olivia Owner")));
}

#[tokio::test]
async fn what_would_be_undone_otherwise_by_the_time_of_the_decision_is_shown_anew() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    jane(&agent).await;
    let all = json!({"agent_id": agent.caller.id(), "since": "2030-01-07T00:00:00Z"});
    let id = agent.call_because("audit.undo", all).await.held();
    agent.contact("John", json!({})).await;
    owner.allow_once(&id).await.refused("PLAN_CHANGED");
    assert_eq!(desk.count("contacts").await, 2);
    owner.allow_once(&id).await.ok();
    assert_eq!(desk.count("contacts").await, 0);
}

#[tokio::test]
async fn undoing_takes_the_role_that_doing_takes() {
    let desk = Desk::open().await;
    let (owner, manager, technician) = (desk.owner().await, desk.manager().await, desk.technician().await);
    let call = done(owner.call("org.update", json!({"invoice_prefix": "W-"})).await);
    undo(&manager, &call).await.refused("FORBIDDEN");
    undo(&technician, &call).await.refused("FORBIDDEN");
    let back = done(undo(&owner, &call).await);
    undo(&manager, &back).await.refused("FORBIDDEN");
    // An agent's wish to undo it waits for somebody who might have done it.
    let agent = desk.agent().await;
    let asked = agent.call_because("org.update", json!({"invoice_prefix": "A-"})).await.held();
    let executed = owner.allow_once(&asked).await.ok()["executed_call_id"].clone();
    let wish = agent.call_because("audit.undo", json!({"call_id": executed})).await.held();
    manager.allow_once(&wish).await.refused("FORBIDDEN");
    owner.allow_once(&wish).await.ok();
    assert_eq!(owner.read("org", json!({})).await.ok()[0]["invoice_prefix"], "");
}

#[tokio::test]
async fn who_may_do_what_is_never_changed_by_an_undo() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let registry = crate::contract::registry();
    for (name, hint) in [
        ("agent.create", "agent.disable"),
        ("agent.rotate_token", "agent.rotate_token"),
        ("agent.set_overrides", "agent.set_overrides"),
        ("agent.disable", "agent.enable"),
        ("user.invite", "user.deactivate"),
        ("user.change_role", "user.change_role"),
        ("user.deactivate", "user.reactivate"),
        ("rule.revoke", "authorization.allow_always"),
        ("org.freeze", "org.unfreeze"),
    ] {
        let (_, input) = desk.sample_for(registry.action(name).unwrap()).await;
        let call = done(owner.call(name, input).await);
        let before = desk.state().await;
        let error = undo(&owner, &call).await.refused("CANNOT_UNDO");
        assert!(error["hint"].as_str().unwrap().contains(hint), "{name}: {error}");
        assert_eq!(desk.state().await, before, "{name}");
        if name == "org.freeze" {
            owner.call("org.unfreeze", json!({})).await.ok();
        }
    }
}

/// Whatever else an action leaves: in the kernel's own tables, which have no row log.
async fn beside(desk: &Desk) -> Vec<String> {
    // Words that nobody has any more are forgotten at night.
    let night = format!(
        "begin; select frontdesk.begin_call('{org}', '{org}', now()); select frontdesk.forget_words('', 100000); commit",
        org = desk.org
    );
    sqlx::raw_sql(AssertSqlSafe(night)).execute(&mut desk.sql().await).await.unwrap();
    let logged: Vec<String> = sqlx::query_scalar("select table_name from frontdesk.logged_tables()")
        .fetch_all(&mut desk.sql().await)
        .await
        .unwrap();
    // A request that was decided stays decided, and says that it was undone.
    let left_out: Vec<&str> =
        logged.iter().map(String::as_str).chain(LOGS.iter().copied()).chain(["authorizations"]).collect();
    desk.state_without(&left_out).await
}

macro_rules! undone_in_each {
    ($($domain:ident)+) => {
        mod every_action_is_undone_exactly_or_says_what_to_do_instead {
            $(
                #[tokio::test]
                async fn $domain() {
                    super::is_undone_or_says_what_to_do(stringify!($domain)).await;
                }
            )+
        }
    };
}
for_each_domain!(undone_in_each);

async fn is_undone_or_says_what_to_do(domain: &str) {
    let registry = crate::contract::registry();
    let desk = Desk::open().await;
    let mut told = BTreeSet::new();
    for action in &domain_in(&registry, domain).actions {
        let (standing, input) = desk.sample_for(action).await;
        let doer = if is_for_people(action) { desk.owner().await } else { standing.agent.clone() };
        let before = (rows(&desk).await, beside(&desk).await);
        let call = done(doer.call_because(action.name, input).await);
        let after = rows(&desk).await;
        let reply = undo(&desk.owner().await, &call).await;
        match reply.0.error_code() {
            None => {
                let stays = reply.warning_codes().contains(&"rule_stays");
                let kept = |row: &&String| !(stays && row.starts_with("rules "));
                let now = rows(&desk).await;
                assert!(now.iter().filter(kept).eq(before.0.iter().filter(kept)), "{}: {now:#?}", action.name);
                assert_eq!(beside(&desk).await, before.1, "{}", action.name);
                told.insert(format!("{} is undone", action.name));
            }
            Some("CANNOT_UNDO") => {
                assert!(!reply.0.error.unwrap()["hint"].as_str().unwrap().is_empty());
                assert_eq!(rows(&desk).await, after, "{}", action.name);
                told.insert(format!("{} is not", action.name));
            }
            other => panic!("{}: {other:?} {:#}", action.name, reply.0.envelope()),
        }
    }
    must_show(
        domain,
        &told,
        &[
            ("address", "address.remove is undone"),
            ("agent", "agent.disable is not"),
            ("alert", "alert.acknowledge is undone"),
            ("audit", "audit.undo is undone"),
            ("authorization", "authorization.allow_always is undone"),
            ("authorization", "authorization.deny is not"),
            ("contact", "contact.delete is undone"),
            ("contact", "contact.merge is undone"),
            ("note", "note.edit is undone"),
            ("org", "org.freeze is not"),
            ("org", "org.update is undone"),
            ("rule", "rule.revoke is not"),
            ("service", "service.archive is undone"),
            ("ticket", "ticket.cancel is undone"),
            ("ticket", "ticket.schedule is undone"),
            ("user", "user.deactivate is not"),
            ("user", "user.invite is not"),
            ("workflow", "workflow.handle_reschedule_request is undone"),
        ],
    );
}

#[tokio::test]
async fn all_that_an_agent_did_since_a_time_is_undone_as_one() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let (jane, _) = jane(&agent).await;
    desk.pass(TimeDelta::hours(1));
    let before = rows(&desk).await;
    agent.call("contact.update", json!({"contact_id": jane, "given_name": "Johanna"})).await.ok();
    let john = agent.contact("John", json!({})).await;
    agent.call("note.add", json!({"contact_id": john, "content": "Long ladder."})).await.ok();
    agent.call("contact.update", json!({"contact_id": jane, "given_name": "Joan", "tags": ["west"]})).await.ok();
    let since = json!({"agent_id": agent.caller.id(), "since": "2030-01-07T10:00:00Z"});
    let undone = owner.call("audit.undo", since.clone()).await.ok();
    assert_eq!(undone["calls"].as_array().unwrap().len(), 4);
    assert_eq!(
        (&undone["calls"][0]["action"], &undone["calls"][3]["action"]),
        (&json!("contact.update"), &json!("contact.update"))
    );
    assert_eq!(rows(&desk).await, before);
    owner.call("audit.undo", since).await.refused("NOTHING_TO_UNDO");
}

#[tokio::test]
async fn what_others_changed_meanwhile_stands_against_undoing_all() {
    let desk = Desk::open().await;
    let (agent, manager) = (desk.agent().await, desk.manager().await);
    let (jane, _) = jane(&agent).await;
    manager.call("contact.update", json!({"contact_id": jane, "given_name": "Johanna"})).await.ok();
    let since = json!({"agent_id": agent.caller.id(), "since": "2030-01-07T00:00:00Z"});
    let error = manager.call("audit.undo", since).await.refused("CHANGED_SINCE");
    assert_eq!(
        (&error["later_changes"][0]["actor"], &error["later_changes"][0]["fields"]),
        (&json!("Max Manager"), &json!(["given_name"]))
    );
}

#[tokio::test]
async fn nothing_is_undone_across_a_migration_of_the_table() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let (_, call) = jane(&owner).await;
    let older = "update row_log set schema_version = 1 where org_id = $1 and table_name = 'addresses'";
    sqlx::query(older).bind(desk.org).execute(&mut desk.sql().await).await.unwrap();
    let error = undo(&owner, &call).await.refused("CANNOT_UNDO");
    assert!(
        error["message"].as_str().unwrap().contains("before an update of the program, which keeps addresses"),
        "{error}"
    );
}

#[tokio::test]
async fn an_idempotent_repeat_of_an_undo_tells_what_the_first_came_to() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let (_, call) = jane(&owner).await;
    let options = || Options { idempotency_key: Some("undo jane".into()), ..Options::default() };
    let first = owner.call_with("audit.undo", json!({"call_id": call}), options()).await.ok();
    let second = owner.call_with("audit.undo", json!({"call_id": call}), options()).await;
    assert!(second.0.meta.repeated);
    assert_eq!(second.ok(), first);
}
