//! Who asks too often is told to wait, and nobody else.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::desk::fresh;
use crate::rest::{Response, Web, jane};

/// Sends until the answer is that it was too often, and tells how many were let through before.
async fn until_too_often(mut send: impl AsyncFnMut() -> Response) -> (usize, Response) {
    for let_through in 0..5_000 {
        let response = send().await;
        if response.status == 429 {
            return (let_through, response);
        }
    }
    panic!("never too often");
}

#[track_caller]
fn wait(response: &Response) -> u64 {
    let error = response.refused(429, "RATE_LIMITED");
    assert_eq!(error["retry"], "later");
    let wait: u64 = response.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(error["hint"].as_str().unwrap().contains(&format!("Wait {wait} second")), "{error}");
    wait
}

#[tokio::test]
async fn a_caller_that_asks_too_often_waits_a_second_and_others_do_not() {
    let mut web = Web::open().await;
    let (let_through, refused) = until_too_often(async || web.get("/api/capabilities?action=note.add").await).await;
    assert!(let_through >= 60, "{let_through}");
    assert_eq!(wait(&refused), 1);
    web.token = web.desk.token("Other").await;
    web.get("/api/capabilities?action=note.add").await.ok();
}

#[tokio::test]
async fn rehearsals_and_questions_of_models_count_as_well() {
    let web = Web::open().await;
    let rehearsal = json!({"domain": "note", "action": "nothing", "data": {}, "dry_run": true});
    let (_, refused) = until_too_often(async || web.act(rehearsal.clone()).await).await;
    wait(&refused);
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let (_, refused) = until_too_often(async || web.send(web.request(Method::POST, "/mcp", ping.clone())).await).await;
    wait(&refused);
    let owner = web.desk.owner().await;
    let ask = async || web.send(web.request_of(&owner, Method::GET, "/queue", "")).await;
    let (_, refused) = until_too_often(ask).await;
    assert!(String::from_utf8_lossy(&refused.body).contains("That was too often"));
    assert_eq!(refused.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_place_that_guesses_tokens_is_slowed_down_and_no_other() {
    let web = Web::open().await;
    let guess = || {
        let mut request = web.request(Method::GET, "/api/capabilities", Body::empty());
        request.headers_mut().insert("authorization", format!("Bearer {}", fresh()).parse().unwrap());
        request
    };
    let (let_through, refused) = until_too_often(async || web.send_from([192, 0, 2, 1], guess()).await).await;
    assert!(let_through >= 20, "{let_through}");
    assert_eq!(wait(&refused), 1);
    web.send_from([192, 0, 2, 2], guess()).await.refused(401, "UNAUTHENTICATED");
    // Who is known is not refused for what a neighbour does.
    web.send_from([192, 0, 2, 1], web.request(Method::GET, "/api/capabilities", Body::empty())).await.ok();
}

fn open(method: Method, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn after_ten_wrong_links_a_place_tries_no_other_for_a_quarter_of_an_hour() {
    let web = Web::open().await;
    let here = [192, 0, 2, 3];
    for nth in 0..10 {
        let method = if nth % 2 == 0 { Method::GET } else { Method::POST };
        assert_eq!(web.send_from(here, open(method, &format!("/sign-in/fl_{}", fresh()))).await.status, 410);
    }
    let user = web.desk.user("Nora", capabilities::Role::Owner).await;
    let link = format!("/sign-in/{}", web.desk.link(user).await.reveal());
    let refused = web.send_from(here, open(Method::POST, &link)).await;
    assert!(wait(&refused) > 800);
    let mut by_browser = open(Method::GET, &link);
    by_browser.headers_mut().insert("accept", "text/html,*/*".parse().unwrap());
    let refused = web.send_from(here, by_browser).await;
    assert_eq!(refused.status, 429);
    assert!(String::from_utf8_lossy(&refused.body).starts_with("There were too many requests"));
    assert_eq!(web.send_from([192, 0, 2, 4], open(Method::POST, &link)).await.status, 303);
}

#[tokio::test]
async fn what_was_refused_for_its_number_is_done_when_it_is_sent_again() {
    let web = Web::open().await;
    until_too_often(async || web.get("/api/capabilities?action=note.add").await).await;
    let mut made = web.act(jane()).await;
    while made.status == 429 {
        made = web.act(jane()).await;
    }
    assert_eq!(made.ok()["data"]["display_name"], "Jane Smith");
    let known: Value = web.desk.agent().await.read("contacts", json!({})).await.ok();
    assert_eq!(known.as_array().unwrap().len(), 1, "and it is done once");
}
