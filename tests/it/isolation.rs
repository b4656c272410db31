//! Two organizations in one database: whatever one can name of the other's is not found.

use capabilities::Selection;
use serde_json::json;

use crate::desk::Desk;

#[tokio::test]
async fn nothing_of_another_organization_can_be_named() {
    let (desk, other) = (Desk::open().await, Desk::open().await);
    let (agent, stranger) = (desk.agent().await, other.agent().await);
    let more = json!({
        "family_name": "Hidden", "emails": [{"email": "hidden@example.com"}], "phones": [{"phone": "256-555-0177"}],
        "addresses": [{"street": "7 Secret Lane", "city": "Nowhere", "postal_code": "00000"}], "notes": ["A word."], "tags": ["hush"]
    });
    let contact = agent.contact("Harriet", more.clone()).await;
    let address = agent.read("addresses", json!({})).await.ok()[0]["id"].clone();
    let note = agent.read("notes", json!({})).await.ok()[0]["id"].clone();
    let before = desk.state().await;

    stranger.get("contacts", &contact).await.refused("NOT_FOUND");
    stranger.get("addresses", address.as_str().unwrap()).await.refused("NOT_FOUND");
    stranger.get("notes", note.as_str().unwrap()).await.refused("NOT_FOUND");
    for (action, data) in [
        ("contact.update", json!({"contact_id": contact, "given_name": "X"})),
        ("contact.archive", json!({"contact_id": contact})),
        ("contact.mark_email", json!({"contact_id": contact, "email": "hidden@example.com", "status": "bounced"})),
        ("address.add", json!({"contact_id": contact, "address": {"street": "1", "city": "X"}})),
        ("address.update", json!({"address_id": address, "city": "X"})),
        ("address.remove", json!({"address_id": address})),
        ("note.add", json!({"contact_id": contact, "content": "Hello."})),
        ("note.delete", json!({"note_id": note})),
    ] {
        let error = stranger.call_because(action, data).await.refused("NOT_FOUND");
        assert!(!error.to_string().contains("Harriet"), "{error}");
    }
    for search in ["harriet hidden", "hidden@example.com", "256-555-0177", "secret lane", "hush", "word"] {
        assert_eq!(stranger.read("contacts", json!({"search": search})).await.ok(), json!([]), "{search}");
    }
    for filters in [json!({"tag": "hush"}), json!({"city": "nowhere"}), json!({"postal_code": "00000"})] {
        assert_eq!(stranger.read("contacts", filters).await.ok(), json!([]));
    }
    assert_eq!(stranger.read("addresses", json!({"contact_id": contact})).await.ok(), json!([]));
    assert_eq!(stranger.read("audit", json!({"record_id": contact})).await.ok(), json!([]));
    let twin = stranger
        .call("contact.create", json!({"kind": "person", "given_name": "Harriet", "emails": more["emails"]}))
        .await;
    assert!(twin.warning_codes().is_empty(), "another organization's contact is no duplicate");
    let own = twin.id();
    let selection = Selection {
        data_type: "contacts".into(),
        id: Some(own),
        include: vec!["addresses".into(), "notes".into(), "audit_trail".into()],
        ..Selection::default()
    };
    let own = stranger.select(selection).await.ok();
    assert_eq!((&own["addresses"], &own["notes"]), (&json!([]), &json!([])));
    assert_eq!(desk.state().await, before);
}

#[tokio::test]
async fn a_cursor_of_another_organization_opens_nothing() {
    let (desk, other) = (Desk::open().await, Desk::open().await);
    let (agent, stranger) = (desk.system().await, other.agent().await);
    for name in ["A", "B", "C"] {
        agent.contact(name, json!({})).await;
    }
    let page = agent.select(Selection { data_type: "contacts".into(), limit: Some(1), ..Selection::default() }).await;
    let cursor = page.0.meta.next_cursor;
    let rows = stranger.select(Selection { data_type: "contacts".into(), cursor, ..Selection::default() }).await.ok();
    assert_eq!(rows, json!([]));
}

#[tokio::test]
async fn a_foreign_key_cannot_point_into_another_organization() {
    let (desk, other) = (Desk::open().await, Desk::open().await);
    let contact = desk.agent().await.contact("Jane", json!({})).await;
    let insert = "begin; select frontdesk.begin_call('OTHER', 'OTHER', now()); insert into notes (org_id, id, contact_id, \
                  content, author_kind, author_name, source, created_at, updated_at) \
                  values ('OTHER', 'OTHER', 'CONTACT', 'x', 'system', 'x', 'x', now(), now());";
    let insert = insert.replace("OTHER", &other.org.to_string()).replace("CONTACT", &contact);
    let error = sqlx::raw_sql(sqlx::AssertSqlSafe(insert)).execute(&mut desk.sql().await).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().constraint(), Some("note_of_contact"));
}

#[tokio::test]
async fn an_agents_token_opens_its_own_organization_only() {
    let (desk, other) = (Desk::open().await, Desk::open().await);
    let (token, foreign) = (desk.token("A").await, other.token("B").await);
    assert_eq!(desk.office.authenticate(&token).await.unwrap().org().id, desk.org);
    // The organization's part of one token with the secret of another.
    let forged = format!("{}{}", &token[..25], &foreign[25..]);
    assert_eq!(desk.office.authenticate(&forged).await.unwrap_err().code().name, "UNAUTHENTICATED");
}
