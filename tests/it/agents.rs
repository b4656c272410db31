//! Agents as owners keep them: their tokens, limits and ends.

use capabilities::Options;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::desk::{Actor, Desk};

/// An agent made by the owner: its id and token.
async fn enrolled(owner: &Actor, name: &str) -> (String, String) {
    let made = owner.call("agent.create", json!({"name": name})).await.ok();
    (made["id"].as_str().unwrap().into(), made["token"].as_str().unwrap().into())
}

async fn refused(desk: &Desk, token: &str) -> String {
    desk.office.authenticate(token).await.unwrap_err().message()
}

#[tokio::test]
async fn an_owner_creates_an_agent_that_can_call_at_once() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let made = owner.call("agent.create", json!({"name": "Scheduler"})).await.ok();
    let token = made["token"].as_str().unwrap();
    let caller = desk.office.authenticate(token).await.unwrap();
    assert_eq!((caller.name(), caller.org().id), ("Scheduler", desk.org));
    assert_eq!(caller.id().unwrap().to_string(), made["id"].as_str().unwrap());
    assert!(token.contains(made["token_prefix"].as_str().unwrap()));
    assert_eq!(made["overrides"], json!({}));
    owner.call("agent.create", json!({"name": "Scheduler"})).await.refused("ALREADY_EXISTS");
    let past = json!({"name": "Late", "expires_at": "2030-01-07T09:00:00Z"});
    assert_eq!(owner.call("agent.create", past).await.invalid_at(), ["/data/expires_at"]);
}

#[tokio::test]
async fn a_token_is_in_one_answer_and_nowhere_else() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let key = |key: &str| Options { idempotency_key: Some(key.into()), ..Options::default() };
    let made = owner.call_with("agent.create", json!({"name": "Scheduler"}), key("one")).await.ok();
    let repeat = owner.call_with("agent.create", json!({"name": "Scheduler"}), key("one")).await;
    assert!(repeat.0.meta.repeated);
    let repeat = repeat.ok();
    assert_eq!((&repeat["token"], &repeat["id"]), (&json!("shown_once"), &made["id"]));
    let rotate = json!({"agent_id": made["id"]});
    let rotated = owner.call_with("agent.rotate_token", rotate.clone(), key("two")).await.ok();
    let repeat = owner.call_with("agent.rotate_token", rotate, key("two")).await.ok();
    assert_eq!(repeat["token"], "shown_once");
    for token in [&made["token"], &rotated["token"]].map(|token| token.as_str().unwrap()) {
        for table in ["call_log", "row_log", "idempotency_keys", "agents"] {
            let secret = &token[25..];
            let found = format!("select count(*) from {table} t where strpos(t::text, '{secret}') > 0");
            let found: i64 = sqlx::query_scalar(AssertSqlSafe(found)).fetch_one(&mut desk.sql().await).await.unwrap();
            assert_eq!(found, 0, "{table}");
        }
    }
    let hashes = format!("select count(*) from row_log where org_id = '{}' and (new_values ? 'token_hash')", desk.org);
    let hashes: i64 = sqlx::query_scalar(AssertSqlSafe(hashes)).fetch_one(&mut desk.sql().await).await.unwrap();
    assert_eq!(hashes, 0);
}

#[tokio::test]
async fn a_new_token_ends_the_old_one_at_once() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let (id, old) = enrolled(&owner, "Scheduler").await;
    let rotated = owner.call("agent.rotate_token", json!({"agent_id": id})).await.ok();
    assert_eq!(refused(&desk, &old).await, "This token is not known.");
    let new = rotated["token"].as_str().unwrap();
    assert_eq!(desk.office.authenticate(new).await.unwrap().name(), "Scheduler");
    assert_eq!(rotated["version"], 2);
}

#[tokio::test]
async fn a_new_token_ends_when_the_old_one_would_have_unless_told_otherwise() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let made = json!({"name": "Scheduler", "expires_at": "2030-01-08T09:00:00Z"});
    let id = owner.call("agent.create", made).await.id();
    let kept = owner.call("agent.rotate_token", json!({"agent_id": id})).await.ok();
    assert_eq!(kept["expires_at"], "2030-01-08T09:00:00Z");
    desk.pass(chrono::TimeDelta::days(1));
    assert!(refused(&desk, kept["token"].as_str().unwrap()).await.contains("expired"));
    let error = owner.call("agent.rotate_token", json!({"agent_id": id})).await;
    assert_eq!(error.invalid_at(), ["/data/expires_at"], "a token that is born expired is no use");
    let free = owner.call("agent.rotate_token", json!({"agent_id": id, "expires_at": null})).await.ok();
    assert_eq!(free.get("expires_at"), None);
    desk.office.authenticate(free["token"].as_str().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_disabled_agent_cannot_call_until_it_is_enabled() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let (id, token) = enrolled(&owner, "Scheduler").await;
    let disabled = owner.call("agent.disable", json!({"agent_id": id})).await.ok();
    assert_eq!((&disabled["disabled_at"], &disabled["withdrawn"]), (&json!("2030-01-07T09:00:00Z"), &json!(0)));
    assert_eq!(refused(&desk, &token).await, "The agent Scheduler is disabled.");
    desk.pass(chrono::TimeDelta::hours(1));
    let again = owner.call("agent.disable", json!({"agent_id": id})).await.ok();
    assert_eq!((&again["disabled_at"], &again["version"]), (&disabled["disabled_at"], &disabled["version"]));
    let rotated = owner.call("agent.rotate_token", json!({"agent_id": id})).await.ok();
    assert!(
        refused(&desk, rotated["token"].as_str().unwrap()).await.contains("disabled"),
        "a new token changes nothing"
    );
    let enabled = owner.call("agent.enable", json!({"agent_id": id})).await.ok();
    assert_eq!(enabled.get("disabled_at"), None);
    desk.office.authenticate(rotated["token"].as_str().unwrap()).await.unwrap();
}

#[tokio::test]
async fn disabling_an_agent_withdraws_what_it_has_waiting_and_nothing_else() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let (agent, other) = (desk.other_agent("Scheduler").await, desk.other_agent("Bookkeeper").await);
    let mut asked = Vec::new();
    for actor in [&agent, &agent, &agent, &other] {
        asked.push(actor.call_on_each("contact.archive", &desk.contacts(6).await).await.held());
    }
    owner.call("authorization.deny", json!({"authorization_id": asked[0]})).await.ok();
    let disabled = owner.call("agent.disable", json!({"agent_id": agent.caller.id()})).await.ok();
    assert_eq!(disabled["withdrawn"], 2);
    let mut statuses = Vec::new();
    for id in &asked {
        statuses.push(owner.get("authorizations", id).await.ok()["status"].as_str().unwrap().to_string());
    }
    assert_eq!(statuses, ["denied", "withdrawn", "withdrawn", "pending"]);
    owner.allow_once(&asked[1]).await.refused("AUTHORIZATION_NOT_PENDING");
    agent
        .call_because("contact.archive", json!({"contact_id": desk.contacts(1).await[0]}))
        .await
        .refused("UNAUTHENTICATED");
}

#[tokio::test]
async fn overrides_are_set_as_a_whole_and_name_what_there_is() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let (id, _) = enrolled(&owner, "Scheduler").await;
    let overrides = json!({"contact.archive": "requires_authorization", "note": "soft_limit"});
    let set = owner.call("agent.set_overrides", json!({"agent_id": id, "overrides": overrides})).await.ok();
    assert_eq!((&set["overrides"], &set["version"]), (&overrides, &json!(2)));
    let set = owner.call("agent.set_overrides", json!({"agent_id": id, "overrides": {"address": "soft_limit"}})).await;
    assert_eq!(set.ok()["overrides"], json!({"address": "soft_limit"}));
    let before = desk.state().await;
    for (wrong, pointer) in [
        (json!({"contact.archieve": "soft_limit"}), "/data/overrides/contact.archieve"),
        (json!({"contacts": "soft_limit"}), "/data/overrides/contacts"),
        (json!({"note": "unrestricted"}), "/data/overrides/note"),
        (json!({"note": "people_only"}), "/data/overrides/note"),
    ] {
        let reply = owner.call("agent.set_overrides", json!({"agent_id": id, "overrides": wrong})).await;
        assert_eq!(reply.invalid_at(), [pointer], "{wrong}");
    }
    let misnamed = json!({"agent_id": id, "overrides": {"contact.archieve": "soft_limit"}});
    let error = owner.call("agent.set_overrides", misnamed).await.refused("INVALID_INPUT");
    assert_eq!(error["problems"][0]["did_you_mean"][0], "contact.archive");
    let stale = json!({"agent_id": id, "overrides": {}, "expected_version": 1});
    owner.call("agent.set_overrides", stale).await.refused("VERSION_CONFLICT");
    assert_eq!(desk.state().await, before);
}

#[tokio::test]
async fn the_list_of_agents_tells_when_each_last_called() {
    let desk = Desk::open().await;
    let (owner, manager) = (desk.owner().await, desk.manager().await);
    enrolled(&owner, "Scheduler").await;
    let agent = desk.agent().await;
    desk.pass(chrono::TimeDelta::minutes(5));
    agent.contact("Jane", json!({})).await;
    let agents = manager.read("agents", json!({})).await.ok();
    let told: Vec<(&str, Option<&Value>)> =
        agents.as_array().unwrap().iter().map(|row| (row["name"].as_str().unwrap(), row.get("last_call_at"))).collect();
    assert_eq!(told, [("Front Office", Some(&json!("2030-01-07T09:05:00Z"))), ("Scheduler", None)]);
    let one = owner.get("agents", agents[1]["id"].as_str().unwrap()).await.ok();
    assert_eq!(one["name"], "Scheduler");
    let members: Vec<&String> = one.as_object().unwrap().keys().collect();
    assert!(!members.iter().any(|member| member.contains("hash") || *member == "token"), "{members:?}");
}

#[tokio::test]
async fn agents_are_the_owners_to_change_and_never_an_agents() {
    let desk = Desk::open().await;
    let (id, _) = enrolled(&desk.owner().await, "Scheduler").await;
    let others = [desk.agent().await, desk.technician().await, desk.manager().await];
    let before = desk.state().await;
    for (action, data) in [
        ("agent.create", json!({"name": "Mine"})),
        ("agent.rotate_token", json!({"agent_id": id})),
        ("agent.disable", json!({"agent_id": id})),
        ("agent.enable", json!({"agent_id": id})),
        ("agent.set_overrides", json!({"agent_id": id, "overrides": {}})),
    ] {
        assert!(desk.office.registry().action(action).unwrap().each_time, "{action}");
        for other in &others {
            other.call_because(action, data.clone()).await.refused("FORBIDDEN");
        }
    }
    others[0].read("agents", json!({})).await.refused("FORBIDDEN");
    others[0].get("agents", &id).await.refused("FORBIDDEN");
    others[1].read("agents", json!({})).await.refused("FORBIDDEN");
    assert_eq!(desk.state().await, before);
}

#[tokio::test]
async fn an_agent_of_another_organization_is_not_found() {
    let (desk, other) = (Desk::open().await, Desk::open().await);
    let owner = desk.owner().await;
    let (foreign, token) = enrolled(&other.owner().await, "Scheduler").await;
    for action in ["agent.rotate_token", "agent.disable", "agent.enable"] {
        owner.call(action, json!({"agent_id": foreign})).await.refused("NOT_FOUND");
    }
    owner.call("agent.set_overrides", json!({"agent_id": foreign, "overrides": {}})).await.refused("NOT_FOUND");
    owner.get("agents", &foreign).await.refused("NOT_FOUND");
    other.office.authenticate(&token).await.unwrap();
}
