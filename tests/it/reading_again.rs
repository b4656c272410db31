//! What is read again and again: sent once, made small, and with headers that keep browsers from making more of it.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use crate::rest::{Response, Web, jane};

async fn get_with(web: &Web, path: &str, header: &'static str, value: &str) -> Response {
    let mut request = web.request(Method::GET, path, Body::empty());
    request.headers_mut().insert(header, value.parse().unwrap());
    web.send(request).await
}

fn tag(response: &Response) -> String {
    response.headers["etag"].to_str().unwrap().to_string()
}

#[tokio::test]
async fn what_the_caller_has_already_is_not_sent_again_until_it_changes() {
    let web = Web::open().await;
    let id = web.act(jane()).await.ok()["data"]["id"].clone();
    for path in ["/api/data?type=contacts&fields=display_name,tags", "/api/capabilities", "/openapi.json"] {
        let first = web.get(path).await;
        assert_eq!(first.status, 200);
        for known in [tag(&first), format!("\"other\", {}", tag(&first)), "*".into()] {
            let again = get_with(&web, path, "if-none-match", &known).await;
            assert_eq!((again.status, again.body.len(), tag(&again)), (304, 0, tag(&first)), "{path}");
            assert_eq!(again.headers["cache-control"], first.headers["cache-control"]);
        }
        assert_eq!(get_with(&web, path, "if-none-match", "\"other\"").await.status, 200);
    }
    let path = "/api/data?type=contacts&fields=display_name,tags";
    let before = tag(&web.get(path).await);
    let change = json!({"contact_id": id, "tags": ["changed"]});
    web.act(json!({"domain": "contact", "action": "update", "data": change})).await.ok();
    let after = get_with(&web, path, "if-none-match", &before).await;
    assert_eq!(after.ok()["data"][0]["tags"], json!(["changed"]));
    assert_ne!(tag(&after), before);
}

#[tokio::test]
async fn what_was_decided_meanwhile_is_told_although_the_rows_are_the_same() {
    let web = Web::open().await;
    let contacts = web.desk.contacts(6).await;
    let items: Vec<_> = contacts.iter().map(|id| json!({"contact_id": id})).collect();
    let call = json!({"domain": "contact", "action": "archive", "items": items, "reasoning": "They moved away."});
    let held = web.act(call).await.json()["data"]["authorization_id"].as_str().unwrap().to_string();
    let path = "/api/data?type=notes";
    let before = tag(&web.get(path).await);
    let denial = json!({"authorization_id": held, "note": "Not these."});
    web.desk.owner().await.call("authorization.deny", denial).await.ok();
    let told = get_with(&web, path, "if-none-match", &before).await.ok();
    assert_eq!(told["meta"]["decisions_since_last_call"][0]["authorization_id"], held.as_str(), "{told:#}");
    assert_eq!(get_with(&web, path, "if-none-match", &before).await.status, 304, "and once");
}

#[tokio::test]
async fn what_is_long_is_compressed_for_whoever_takes_it() {
    let web = Web::open().await;
    let plain = web.get("/api/capabilities").await;
    assert!(plain.body.len() > 2_048 && !plain.headers.contains_key("content-encoding"));
    let small = get_with(&web, "/api/capabilities", "accept-encoding", "gzip").await;
    assert_eq!(small.headers["content-encoding"], "gzip");
    assert!(small.body.len() * 2 < plain.body.len());
    assert_eq!(tag(&small), tag(&plain));
    let short = get_with(&web, "/healthz", "accept-encoding", "gzip").await;
    assert!(!short.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn every_answer_says_that_it_is_no_more_than_it_is() {
    let web = Web::with(&["--public-url", "https://office.example.com"]).await;
    for path in ["/api/capabilities", "/api/nowhere", "/healthz", "/openapi.json", "/mcp", "/sign-in"] {
        let headers = web.get(path).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(headers["strict-transport-security"], "max-age=31536000", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
    }
    let plain = Web::open().await.get("/healthz").await;
    assert!(!plain.headers.contains_key("strict-transport-security"));
}
