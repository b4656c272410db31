//! How what waits for a person reaches a model, and how the decision does.

use std::time::Duration;

use serde_json::{Value, json};

use crate::desk::Actor;
use crate::mcp::{Client, LEGACY, message};
use crate::rest::Web;

/// Less than the tool waits by itself: who is not woken by the decision is too late.
const PATIENCE: Duration = Duration::from_secs(30);

/// An agent that asked to archive six contacts, over MCP: the request, and what it was told.
async fn asked(web: &Web, client: &Client<'_>) -> (String, Value) {
    let contacts = web.desk.contacts(6).await;
    let items: Vec<Value> = contacts.iter().map(|id| json!({"contact_id": id})).collect();
    let call = json!({"domain": "contact", "action": "archive", "items": items, "reasoning": "They moved away."});
    let told = client.call("crm_action", call).await;
    let id = told["data"]["authorization_id"].as_str().expect("it waits").to_string();
    (id, told)
}

async fn decide(owner: &Actor, decision: &str, id: &str, note: &str) {
    let data = json!({"authorization_id": id, "note": note});
    owner.call(&format!("authorization.{decision}"), data).await.ok();
}

#[tokio::test]
async fn what_waits_is_no_error_and_no_success_in_both_eras() {
    let web = Web::open().await;
    for client in [Client::modern(&web), Client::legacy(&web, LEGACY[0]).await] {
        let (id, told) = asked(&web, &client).await;
        assert_eq!((&told["success"], &told["error"]["code"]), (&json!(false), &json!("AUTHORIZATION_PENDING")));
        assert_eq!(told["error"]["retry"], "when_authorized");
        assert_eq!(told["data"]["status"], "pending_authorization");
        assert_eq!(told["data"]["reasons"][0]["code"], "bulk");
        assert!(told["data"]["next"].as_str().unwrap().contains("check_authorization"));
        let looked = client.call("check_authorization", json!({"authorization_id": id, "wait_seconds": 0})).await;
        assert_eq!(looked["data"]["status"], "pending_authorization");
    }
}

#[tokio::test]
async fn a_decision_wakes_the_one_who_waits_and_brings_the_result() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    for client in [Client::modern(&web), Client::legacy(&web, LEGACY[0]).await] {
        let (id, _) = asked(&web, &client).await;
        let waiting = client.call("check_authorization", json!({"authorization_id": id}));
        let waiting = tokio::time::timeout(PATIENCE, waiting);
        let (told, ()) = tokio::join!(waiting, decide(&owner, "allow_once", &id, "Fine."));
        let told = told.expect("woken by the decision");
        assert_eq!((&told["success"], &told["data"]["status"]), (&json!(true), &json!("executed")));
        assert_eq!((&told["data"]["decided_by"], &told["data"]["note"]), (&json!("Olivia Owner"), &json!("Fine.")));
        assert_eq!(told["data"]["result"].as_array().unwrap().len(), 6);
    }
}

#[tokio::test]
async fn a_denial_is_an_error_with_the_note_word_for_word() {
    let web = Web::open().await;
    let client = Client::modern(&web);
    let (id, _) = asked(&web, &client).await;
    decide(&web.desk.owner().await, "deny", &id, "Not the Millers.").await;
    let told = client.call("check_authorization", json!({"authorization_id": id})).await;
    assert_eq!(told["error"]["code"], "AUTHORIZATION_DENIED");
    assert_eq!(told["data"]["note"], "Not the Millers.");
    assert!(told["error"]["message"].as_str().unwrap().contains("Not the Millers."));
}

#[tokio::test]
async fn a_decision_is_told_beside_the_next_answer_and_once() {
    let web = Web::open().await;
    let client = Client::modern(&web);
    let (id, _) = asked(&web, &client).await;
    decide(&web.desk.owner().await, "deny", &id, "Not this week.").await;
    let next = client.call("find_customer", json!({"search": "Contact"})).await;
    let news = &next["meta"]["decisions_since_last_call"];
    assert_eq!((&news[0]["authorization_id"], &news[0]["note"]), (&json!(id), &json!("Not this week.")));
    let after = client.call("find_customer", json!({"search": "Contact"})).await;
    assert_eq!(after["meta"].get("decisions_since_last_call"), None);
}

#[tokio::test]
async fn a_request_of_another_agent_is_not_found() {
    let web = Web::open().await;
    let client = Client::modern(&web);
    let (id, _) = asked(&web, &client).await;
    let other = Client { token: web.desk.token("Night Shift").await, ..Client::modern(&web) };
    let told = other.call("check_authorization", json!({"authorization_id": id})).await;
    assert_eq!(told["error"]["code"], "NOT_FOUND");
    let told = client.call("check_authorization", json!({"authorization_id": "nonsense", "wait_seconds": 99})).await;
    let problems = told["error"]["problems"].as_array().unwrap();
    let pointers: Vec<&str> = problems.iter().map(|problem| problem["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/authorization_id", "/wait_seconds"]);
}

#[tokio::test]
async fn who_gave_a_progress_token_hears_that_it_waits_still() {
    let web = Web::open().await;
    let client = Client::legacy(&web, LEGACY[0]).await;
    let (id, _) = asked(&web, &client).await;
    let arguments = json!({"authorization_id": id, "wait_seconds": 1});
    let params =
        json!({"name": "check_authorization", "arguments": arguments, "_meta": {"progressToken": "waiting-7"}});
    let response = client.post(json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params})).await;
    let text = String::from_utf8(response.body.to_vec()).unwrap();
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data:")?).ok());
    let progress: Vec<Value> = events.filter(|event| event["method"] == "notifications/progress").collect();
    assert_eq!(progress[0]["params"]["progressToken"], "waiting-7", "{text}");
    assert_eq!(message(&response)["result"]["structuredContent"]["data"]["status"], "pending_authorization");
}
