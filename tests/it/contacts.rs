//! Contacts as agents and people keep them.

use serde_json::json;

use crate::desk::Desk;

#[tokio::test]
async fn a_contact_is_created_with_everything_known_of_it() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let contact = agent
        .call("contact.create", json!({
            "kind": "person", "given_name": " Jane ", "family_name": "Smith",
            "emails": [{"email": "jane@example.com"}, {"email": "j.smith@example.org", "type": "work", "is_primary": true}],
            "phones": [{"phone": "(256) 555-0100", "type": "mobile"}],
            "addresses": [{"street": "123 Main Street", "city": "Madison", "region": "AL", "postal_code": "35758"}],
            "tags": ["VIP", "monthly", "vip"], "notes": ["Beware of the dog."]
        }))
        .await
        .ok();
    assert_eq!(contact["display_name"], "Jane Smith");
    assert_eq!(contact["emails"][0]["email"], "j.smith@example.org", "the primary one comes first");
    assert_eq!(contact["phones"][0]["e164"], "+12565550100");
    assert_eq!(contact["tags"], json!(["monthly", "vip"]));
    assert_eq!(contact["created_at_local"], "2030-01-07T03:00:00-06:00");
}
