//! What a model is told fits into what it may cost, and nothing is lost by that.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::mcp::{Client, create};
use crate::rest::Web;

/// About 8,000 tokens at four bytes each.
const ROOM: usize = 32_000;

#[tokio::test]
async fn a_page_too_large_for_a_model_goes_on_without_gap_or_repetition() {
    let web = Web::open().await;
    web.people(200, "Page").await;
    let client = Client::modern(&web);
    for (tool, wanted) in [
        ("crm_query", json!({"type": "contacts", "limit": 200})),
        ("crm_query", json!({"type": "contacts", "limit": 200, "search": "page"})),
        ("find_customer", json!({"search": "page", "limit": 200})),
    ] {
        let (mut seen, mut wanted, mut cut) = (Vec::new(), wanted, 0);
        loop {
            let page = client.call(tool, wanted.clone()).await;
            assert!(page.to_string().len() < ROOM, "{} bytes", page.to_string().len());
            assert_eq!(page["meta"]["total"], 200);
            seen.extend(
                page["data"].as_array().unwrap().iter().map(|row| row["display_name"].as_str().unwrap().to_string()),
            );
            if let Some(truncated) = page["meta"]["truncated"].as_str() {
                assert!(truncated.contains("of 200 rows") || cut > 0, "{truncated}");
                assert!(truncated.contains("narrow by filters, `fields` or `limit`"), "{truncated}");
                cut += 1;
            }
            match page["meta"]["next_cursor"].as_str() {
                Some(next) => wanted["cursor"] = next.into(),
                None => break,
            }
        }
        assert!(cut > 0, "{tool} {wanted} was never cut");
        assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (200, 200), "{tool} {wanted}");
    }
}

#[tokio::test]
async fn an_answer_too_large_for_a_model_is_cut_and_says_where() {
    let web = Web::open().await;
    let client = Client::modern(&web);
    let notes: Vec<String> = (0..20).map(|n| format!("Note {n}: {}", "words ".repeat(1_600))).collect();
    let mut call = create("Jane", json!({"notes": notes}));
    call["dry_run"] = true.into();
    let before = web.desk.state().await;
    let preview = client.call("crm_action", call.clone()).await;
    assert_eq!(web.desk.state().await, before);
    assert_eq!(preview["data"]["result"]["display_name"], "Jane", "what it is about is still there");
    call["dry_run"] = false.into();
    let id = client.call("crm_action", call).await["data"]["id"].clone();
    let record = client.call("crm_query", json!({"type": "contacts", "id": id, "include": ["notes"]})).await;
    assert_eq!(record["data"]["display_name"], "Jane");
    let page = client.call("crm_query", json!({"type": "contacts", "include": ["notes"]})).await;
    assert_eq!(page["data"][0]["display_name"], "Jane");
    let trail = client.call("crm_query", json!({"type": "audit", "filters": {"record_id": id}})).await;
    for (name, answer) in [("dry run", preview), ("record", record), ("page", page), ("trail", trail)] {
        assert!(answer.to_string().len() < ROOM, "{name}: {} bytes", answer.to_string().len());
        let truncated = answer["meta"]["truncated"].as_str().unwrap_or_else(|| panic!("{name} is not marked"));
        assert!(truncated.contains("`fields`") && truncated.contains("Cut at /"), "{name}: {truncated}");
    }
}

#[tokio::test]
async fn an_answer_that_fits_is_not_marked_as_cut() {
    let web = Web::open().await;
    web.people(20, "Page").await;
    let page = Client::modern(&web).call("crm_query", json!({"type": "contacts"})).await;
    assert_eq!(page["data"].as_array().unwrap().len(), 20);
    assert!(page["meta"].get("truncated").is_none() && page["meta"].get("next_cursor").is_none());
}

#[tokio::test]
async fn a_refusal_stays_small_however_much_is_wrong() {
    let web = Web::open().await;
    let client = Client::modern(&web);
    let long = "x".repeat(500_000);
    let unknown = crate::desk::object((0..50_000).map(|n| (format!("f{n}"), Value::from(1))).collect());
    for (name, tool, arguments) in [
        ("domain", "crm_capabilities", json!({"domain": long})),
        ("action", "crm_capabilities", json!({"action": long})),
        ("both", "crm_capabilities", json!({"domain": long, "action": long})),
        ("argument", "crm_capabilities", json!({(long.as_str()): 1})),
        ("type", "crm_query", json!({"type": long})),
        ("id", "crm_query", json!({"type": "contacts", "id": long})),
        ("field", "crm_query", json!({"type": "contacts", "fields": [long]})),
        ("fields", "crm_query", json!({"type": "contacts", "fields": vec!["x"; 50_000]})),
        ("include", "crm_query", json!({"type": "contacts", "include": [long]})),
        ("includes", "crm_query", json!({"type": "contacts", "include": vec!["x"; 50_000]})),
        ("filter", "crm_query", json!({"type": "contacts", "filters": {(long.as_str()): 1}})),
        ("filters", "crm_query", json!({"type": "contacts", "filters": unknown})),
        ("cursor", "crm_query", json!({"type": "contacts", "cursor": long})),
        ("search", "find_customer", json!({"search": long})),
        ("data", "crm_action", create("Jane", unknown.clone().into())),
        ("action", "crm_action", json!({"domain": "contact", "action": long})),
    ] {
        let answer = client.call(tool, arguments).await;
        assert_eq!(answer["success"], false, "{tool} {name}");
        assert!(answer.to_string().len() < 20_000, "{tool} {name}: {} bytes", answer.to_string().len());
    }
}
