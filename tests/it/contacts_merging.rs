//! Contacts that go: deleted with everything about them, or merged into the other record of the same customer.

use capabilities::Role;
use serde_json::{Value, json};

use crate::desk::{Actor, Desk};

/// How often calls are sent at once that could get into each other's way.
const ROUNDS: usize = 20;

/// The record that stays: a primary e-mail and phone, an address, a tag.
async fn jane(actor: &Actor) -> String {
    let more = json!({
        "emails": [{"email": "jane@example.com"}], "phones": [{"phone": "(256) 555-0100", "type": "mobile"}],
        "addresses": [{"street": "123 Main Street", "city": "Madison", "region": "AL", "postal_code": "35758"}],
        "tags": ["monthly"], "notes": ["Beware of the dog."]
    });
    actor.contact("Jane", more).await
}

/// The other record of the same customer: some of it known already, some of it new.
async fn jane_again(actor: &Actor) -> String {
    let more = json!({
        "family_name": "Smith", "preferred_time": "morning",
        "emails": [{"email": "smith@example.org"}, {"email": "JANE@example.com"}],
        "phones": [{"phone": "256.555.0100"}, {"phone": "256-555-0177", "is_primary": true}],
        "addresses": [
            {"street": "7 Shore Road", "city": "Athens", "postal_code": "35611", "label": "Lake house"},
            {"street": "123 main street", "city": "Madison", "postal_code": "35758"},
            {"street": "123 Main Street", "street2": "Unit 2", "city": "Madison", "postal_code": "35758"}
        ],
        "tags": ["vip", "monthly"], "notes": ["Has a parrot.", "Pays in cash."]
    });
    actor.contact("Janey", more).await
}

fn merge(stays: &str, goes: &str) -> Value {
    json!({"contact_id": stays, "merged_contact_id": goes})
}

async fn found(actor: &Actor, search: &str) -> Vec<String> {
    let rows = actor.read("contacts", json!({"search": search})).await.ok();
    rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_string()).collect()
}

/// One member of every row, in order.
fn each<'r>(rows: &'r Value, member: &str) -> Vec<&'r str> {
    rows.as_array().unwrap().iter().map(|row| row[member].as_str().unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_contact_without_history_is_deleted_with_its_parts() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let more = json!({
        "emails": [{"email": "x@example.com"}], "phones": [{"phone": "256-555-0100"}], "tags": ["vip"],
        "addresses": [{"street": "1 Elm", "city": "Madison"}]
    });
    let id = agent.contact("Wrong", more).await;
    let preview = agent.dry_run("contact.delete", json!({"contact_id": id})).await.ok();
    assert_eq!(preview["would"]["permission"], "soft_limit");
    assert_eq!(preview["would"]["changes"].as_array().unwrap().len(), 4, "the contact and its parts: {preview:#}");
    let gone = agent.call_because("contact.delete", json!({"contact_id": id})).await.ok();
    let expected = json!({
        "id": id, "display_name": "Wrong", "went_along": {"emails": 1, "phones": 1, "addresses": 1}
    });
    assert_eq!(gone, expected);
    for table in ["contacts", "contact_emails", "contact_phones", "addresses", "contact_search", "contact_tags"] {
        assert_eq!(desk.count(table).await, 0, "{table}");
    }
    agent.call_because("contact.delete", json!({"contact_id": id})).await.refused("NOT_FOUND");
    assert_eq!(found(&agent, "wrong").await, [""; 0]);
}

#[tokio::test]
async fn deleting_a_contact_with_notes_waits_for_a_person() {
    let desk = Desk::open().await;
    let id = jane(&desk.owner().await).await;
    let preview = desk.agent().await.dry_run("contact.delete", json!({"contact_id": id})).await.ok();
    assert_eq!(preview["would"]["permission"], "requires_authorization");
    assert_eq!(preview["would"]["reasons"][0]["code"], "has_history");
    let gone = desk.manager().await.call("contact.delete", json!({"contact_id": id})).await.ok();
    assert_eq!(gone["went_along"]["notes"], 1);
    assert_eq!(desk.count("notes").await, 0);
}

#[tokio::test]
async fn a_contact_that_records_must_keep_is_not_deleted() {
    let desk = Desk::open().await;
    let manager = desk.manager().await;
    let (stays, goes) = (jane(&manager).await, jane_again(&manager).await);
    manager.call("contact.merge", merge(&stays, &goes)).await.ok();
    let before = desk.state().await;
    let error = manager.call("contact.delete", json!({"contact_id": stays})).await.refused("HAS_RECORDS");
    assert!(error["message"].as_str().unwrap().contains("1 of contacts merged into it"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("contact.archive"), "{error}");
    assert_eq!(desk.state().await, before);
    manager.call("contact.delete", json!({"contact_id": goes})).await.ok();
    manager.call("contact.delete", json!({"contact_id": stays})).await.ok();
}

#[tokio::test]
async fn a_stale_version_neither_deletes_nor_merges() {
    let desk = Desk::open().await;
    let manager = desk.manager().await;
    let (stays, goes) = (jane(&manager).await, jane_again(&manager).await);
    let before = desk.state().await;
    for (action, mut data) in
        [("contact.delete", json!({"contact_id": stays})), ("contact.merge", merge(&stays, &goes))]
    {
        data["expected_version"] = 7.into();
        manager.call(action, data).await.refused("VERSION_CONFLICT");
    }
    assert_eq!(desk.state().await, before);
}

#[tokio::test]
async fn merging_moves_what_the_contact_that_stays_does_not_have_yet() {
    let desk = Desk::open().await;
    let manager = desk.manager().await;
    let (stays, goes) = (jane(&manager).await, jane_again(&manager).await);
    let merged = manager.call("contact.merge", merge(&stays, &goes)).await.ok();
    assert_eq!(merged["id"], stays.as_str());
    assert_eq!(merged["moved"], json!({"emails": 1, "phones": 1, "addresses": 2, "notes": 2}));
    assert_eq!(merged["display_name"], "Jane Smith", "only the missing name was filled in");
    assert_eq!((&merged["preferred_time"], &merged["version"]), (&json!("morning"), &json!(2)));
    assert_eq!(merged["tags"], json!(["monthly", "vip"]));
    assert_eq!(each(&merged["emails"], "email"), ["jane@example.com", "smith@example.org"]);
    assert_eq!(each(&merged["phones"], "phone"), ["(256) 555-0100", "256-555-0177"]);
    for list in ["emails", "phones"] {
        let primary = merged[list].as_array().unwrap().iter().map(|row| row["is_primary"] == true);
        assert_eq!(primary.collect::<Vec<_>>(), [true, false], "{list}");
    }
    let addresses = manager.read("addresses", json!({"contact_id": stays})).await.ok();
    assert_eq!(each(&addresses, "street"), ["123 Main Street", "7 Shore Road", "123 Main Street"]);
    let primary = addresses.as_array().unwrap().iter().filter(|row| row["is_primary"] == true);
    assert_eq!(primary.map(|row| &row["id"]).collect::<Vec<_>>(), [&addresses[0]["id"]]);
    let notes = manager.read("notes", json!({"contact_id": stays})).await.ok();
    assert_eq!(each(&notes, "content"), ["Pays in cash.", "Has a parrot.", "Beware of the dog."]);
}

#[tokio::test]
async fn what_an_empty_record_lacks_comes_with_its_primaries() {
    let desk = Desk::open().await;
    let manager = desk.manager().await;
    let (stays, goes) = (manager.contact("Jane", json!({})).await, jane_again(&manager).await);
    let merged = manager.call("contact.merge", merge(&stays, &goes)).await.ok();
    assert_eq!(each(&merged["emails"], "email"), ["smith@example.org", "JANE@example.com"]);
    assert_eq!(each(&merged["phones"], "phone"), ["256-555-0177", "256.555.0100"]);
    assert_eq!((&merged["emails"][0]["is_primary"], &merged["phones"][0]["is_primary"]), (&json!(true), &json!(true)));
    let addresses = manager.read("addresses", json!({"contact_id": stays})).await.ok();
    assert_eq!((&addresses[0]["is_primary"], &addresses[0]["label"]), (&json!(true), &json!("Lake house")));
}

#[tokio::test]
async fn a_merged_contact_leaves_lists_and_search_and_the_other_is_found_by_what_was_its() {
    let desk = Desk::open().await;
    let manager = desk.manager().await;
    let (stays, goes) = (jane(&manager).await, jane_again(&manager).await);
    manager.call("contact.merge", merge(&stays, &goes)).await.ok();
    for search in ["smith@example.org", "256-555-0177", "parrot", "shore road", "vip", "jane smith", "dog"] {
        assert_eq!(found(&manager, search).await, [stays.as_str()], "{search}");
    }
    assert_eq!(found(&manager, "janey").await, [stays.as_str()], "one slip apart, and the other is gone");
    let all = manager.read("contacts", json!({})).await.ok();
    assert_eq!(each(&all, "id"), [stays.as_str()]);
    assert_eq!(each(&manager.read("contacts", json!({"tag": "vip"})).await.ok(), "id"), [stays.as_str()]);
    let gone = manager.get("contacts", &goes).await.ok();
    assert_eq!(gone["merged_into_id"], stays.as_str());
    assert_eq!(gone["archived_at"], "2030-01-07T09:00:00Z");
    let twin = manager
        .call("contact.create", json!({"kind": "person", "given_name": "J", "phones": [{"phone": "256-555-0100"}]}));
    let about = twin.await.0.meta.warnings[0].about.clone().unwrap();
    assert_eq!(each(&about, "id"), [stays.as_str()], "a merged contact is nobody's duplicate");
}

#[tokio::test]
async fn the_audit_trail_of_both_tells_of_the_merge() {
    let desk = Desk::open().await;
    let manager = desk.manager().await;
    let (stays, goes) = (jane(&manager).await, jane_again(&manager).await);
    manager.call("contact.merge", merge(&stays, &goes)).await.ok();
    for id in [&stays, &goes] {
        let trail = manager.read("audit", json!({"record_id": id, "action": "contact.merge"})).await.ok();
        assert_eq!(trail.as_array().unwrap().len(), 1, "{trail:#}");
    }
    let trail = manager.read("audit", json!({"record_id": goes, "action": "contact.merge"})).await.ok();
    let changes = trail[0]["changes"].as_array().unwrap();
    let left = changes.iter().find(|change| change["id"] == goes.as_str()).unwrap();
    assert_eq!(left["fields"]["merged_into"], json!({"from": null, "to": stays}));
    let trail = manager.read("audit", json!({"record_id": stays, "action": "contact.merge"})).await.ok();
    let changes = trail[0]["changes"].as_array().unwrap();
    let notes: Vec<_> = changes.iter().filter(|change| change["data_type"] == "notes").collect();
    assert_eq!(notes.len(), 2, "{trail:#}");
    assert_eq!(notes[0]["fields"]["contact_id"], json!({"from": goes, "to": stays}));
    let note = manager.read("notes", json!({"contact_id": stays})).await.ok()[0].clone();
    assert_eq!(note["version"], 2);
}

#[tokio::test]
async fn whoever_of_the_two_was_unsubscribed_the_one_that_stays_is() {
    let desk = Desk::open().await;
    let manager = desk.manager().await;
    for unsubscribed in [0, 1] {
        let both = [jane(&manager).await, jane_again(&manager).await];
        manager.call("contact.unsubscribe", json!({"contact_id": both[unsubscribed]})).await.ok();
        let merged = manager.call("contact.merge", merge(&both[0], &both[1])).await.ok();
        assert_eq!(merged["unsubscribed_at"], "2030-01-07T09:00:00Z");
    }
}

#[tokio::test]
async fn a_merge_happens_once_and_there_is_no_way_back() {
    let desk = Desk::open().await;
    let manager = desk.manager().await;
    let (stays, goes) = (jane(&manager).await, jane_again(&manager).await);
    let other = manager.contact("Janet", json!({})).await;
    manager.call("contact.merge", merge(&stays, &goes)).await.ok();
    let before = desk.state().await;
    let again = manager.call("contact.merge", merge(&stays, &goes)).await.ok();
    assert_eq!((&again["id"], &again["moved"]), (&json!(stays), &json!({})));
    assert_eq!(manager.call("contact.merge", merge(&stays, &stays)).await.invalid_at(), ["/data/merged_contact_id"]);
    for (stays, goes) in [(&goes, &other), (&other, &goes), (&goes, &stays)] {
        let error = manager.call("contact.merge", merge(stays, goes)).await.refused("CONTACT_MERGED");
        assert!(error["message"].as_str().unwrap().contains("Janey Smith was merged into Jane Smith"), "{error}");
    }
    let error = manager.call("contact.restore", json!({"contact_id": goes})).await.refused("CONTACT_MERGED");
    assert!(error["message"].as_str().unwrap().contains(&stays), "{error}");
    assert_eq!(desk.state().await, before);
}

#[tokio::test]
async fn what_was_merged_follows_when_its_contact_is_merged_in_turn() {
    let desk = Desk::open().await;
    let manager = desk.manager().await;
    let (first, second) = (jane_again(&manager).await, jane(&manager).await);
    let third = manager.contact("Janet", json!({})).await;
    manager.call("contact.merge", merge(&second, &first)).await.ok();
    let merged = manager.call("contact.merge", merge(&third, &second)).await.ok();
    assert_eq!((&merged["moved"]["merged_contacts"], &merged["moved"]["notes"]), (&json!(1), &json!(3)));
    assert_eq!(manager.get("contacts", &first).await.ok()["merged_into_id"], third.as_str());
}

#[tokio::test]
async fn who_merges_into_an_archived_contact_is_told() {
    let desk = Desk::open().await;
    let manager = desk.manager().await;
    let (stays, goes) = (jane(&manager).await, jane_again(&manager).await);
    manager.call("contact.archive", json!({"contact_id": stays})).await.ok();
    let reply = manager.call("contact.merge", merge(&stays, &goes)).await;
    assert_eq!(reply.warning_codes(), ["archived"]);
    manager.call("contact.restore", json!({"contact_id": stays})).await.ok();
    assert_eq!(found(&manager, "parrot").await, [stays.as_str()]);
}

#[tokio::test]
async fn a_contact_of_another_organization_is_neither_merged_nor_deleted() {
    let (desk, other) = (Desk::open().await, Desk::open().await);
    let manager = desk.manager().await;
    let (own, foreign) = (jane(&manager).await, jane(&other.manager().await).await);
    let before = (desk.state().await, other.state().await);
    manager.call("contact.delete", json!({"contact_id": foreign})).await.refused("NOT_FOUND");
    manager.call("contact.merge", merge(&own, &foreign)).await.refused("NOT_FOUND");
    manager.call("contact.merge", merge(&foreign, &own)).await.refused("NOT_FOUND");
    assert_eq!((desk.state().await, other.state().await), before);
}

#[tokio::test]
async fn two_merges_the_other_way_round_at_once_end_with_one_of_them() {
    let desk = Desk::open().await;
    let (manager, owner) = (desk.manager().await, desk.owner().await);
    let (one, two) = (jane(&manager).await, jane_again(&manager).await);
    let (there, back) =
        tokio::join!(manager.call("contact.merge", merge(&one, &two)), owner.call("contact.merge", merge(&two, &one)));
    let mut codes = [there.0.error_code(), back.0.error_code()];
    codes.sort_unstable();
    assert_eq!(codes, [None, Some("CONTACT_MERGED")]);
    assert_eq!(manager.read("contacts", json!({})).await.ok().as_array().unwrap().len(), 1);
}

/// A visit of a customer, each on a day of its own and with somebody on it.
async fn visit(actor: &Actor, contact: &str, technician: &str, nth: usize) -> String {
    let visit = json!({
        "contact_id": contact, "starts_at": format!("2030-02-{:02}T09:00", nth + 11), "technician_ids": [technician]
    });
    actor.call("ticket.schedule", visit).await.id()
}

/// Merges two records while what takes place at the one that goes is changed in every way; the codes of all refusals.
async fn merge_beside_changes(manager: &Actor, owner: &Actor, technician: &str) -> Vec<String> {
    let (stays, goes) = (jane(manager).await, jane_again(manager).await);
    let address = owner.read("addresses", json!({"contact_id": goes})).await.ok()[0]["id"].clone();
    let mut tickets = Vec::new();
    for nth in 0..5 {
        tickets.push(visit(manager, &goes, technician, nth).await);
    }
    let changes = [
        ("contact.merge", merge(&stays, &goes)),
        ("ticket.reschedule", json!({"ticket_id": tickets[0], "starts_at": "2030-02-18T09:00"})),
        (
            "workflow.handle_reschedule_request",
            json!({"ticket_id": tickets[1], "wish": "2030-02-19", "words": "Not so early."}),
        ),
        (
            "ticket.record_confirmation",
            json!({"ticket_id": tickets[2], "answer": "change_requested", "words": "Not so early."}),
        ),
        ("ticket.update", json!({"ticket_id": tickets[3], "address_id": address})),
        ("ticket.update", json!({"ticket_id": tickets[4], "bill_to_contact_id": stays})),
        (
            "ticket.schedule",
            json!({"contact_id": goes, "starts_at": "2030-02-20T09:00", "technician_ids": [technician]}),
        ),
        ("note.add", json!({"ticket_id": tickets[2], "content": "Rang twice."})),
    ];
    let calls = changes.iter().map(|(action, input)| owner.call(action, input.clone()));
    let replies = futures_util::future::join_all(calls).await;
    replies.iter().filter_map(|reply| reply.0.error_code().map(str::to_string)).collect()
}

#[tokio::test]
async fn a_merge_beside_changes_of_the_same_customers_visits_never_ends_in_a_tangle() {
    let desk = Desk::open().await;
    let (manager, owner) = (desk.manager().await, desk.owner().await);
    let mut refused = Vec::new();
    for round in 0..ROUNDS {
        let technician = desk.user(&format!("Tess {round}"), Role::Technician).await.to_string();
        refused.extend(merge_beside_changes(&manager, &owner, &technician).await);
    }
    let unexpected: Vec<&String> = refused.iter().filter(|code| *code != "CONTACT_MERGED").collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}
