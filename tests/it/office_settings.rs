//! The business's settings, and the switch that holds its agents.

use serde_json::{Value, json};

use crate::desk::{Actor, Desk};

async fn settings(actor: &Actor) -> Value {
    actor.read("org", json!({})).await.ok()[0].clone()
}

#[tokio::test]
async fn an_owner_changes_every_setting() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let new = json!({
        "name": "Clear View", "timezone": "Europe/Berlin", "currency": "EUR", "country": "DE",
        "default_tax_rate": "9.2500", "invoice_prefix": "CV-", "payment_terms_days": 30,
        "reply_to_email": "office@example.com", "reminder_lead_days": 2, "follow_up_days": [1, 3, 9],
        "default_ticket_minutes": 90,
    });
    let org = owner.call("org.update", new.clone()).await.ok();
    for (member, value) in new.as_object().unwrap() {
        let expected = if member == "default_tax_rate" { &json!("9.25") } else { value };
        assert_eq!(&org[member], expected, "{member}");
    }
    assert_eq!(org["version"], 2);
    assert_eq!(settings(&desk.agent().await).await["name"], "Clear View");
    let contact = json!({"kind": "person", "given_name": "Jo", "phones": [{"phone": "030 901820"}]});
    let contact = desk.system().await.call("contact.create", contact).await.ok();
    assert_eq!(contact["phones"][0]["e164"], "+4930901820", "the new country holds from the next call on");
}

#[tokio::test]
async fn what_a_change_of_settings_leaves_out_stays_and_null_clears() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let first = json!({"invoice_prefix": "W-", "reply_to_email": "office@example.com", "follow_up_days": [5]});
    owner.call("org.update", first).await.ok();
    let hours = json!({"business_hours": {"fri": ["07:30", "13:00"], "sat": ["09:00", "12:00"], "mon": null}});
    let org = owner.call("org.update", hours).await.ok();
    assert_eq!((&org["invoice_prefix"], &org["follow_up_days"]), (&json!("W-"), &json!([5])));
    let all_day = json!(["08:00", "17:00"]);
    let expected = json!({
        "tue": all_day, "wed": all_day, "thu": all_day, "fri": ["07:30", "13:00"], "sat": ["09:00", "12:00"]
    });
    assert_eq!(org["business_hours"], expected);
    let cleared = json!({"invoice_prefix": null, "reply_to_email": null, "follow_up_days": []});
    let org = owner.call("org.update", cleared).await.ok();
    assert_eq!((&org["invoice_prefix"], org.get("reply_to_email")), (&json!(""), None));
    assert_eq!((&org["follow_up_days"], &org["business_hours"]), (&json!([]), &expected));
}

#[tokio::test]
async fn a_setting_that_cannot_be_is_refused_with_its_place() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let before = desk.state().await;
    for (wrong, pointer) in [
        (json!({"name": " "}), "/data/name"),
        (json!({"name": null}), "/data/name"),
        (json!({"timezone": "Madison"}), "/data/timezone"),
        (json!({"currency": "usd"}), "/data/currency"),
        (json!({"currency": "ZZZ"}), "/data/currency"),
        (json!({"country": "USA"}), "/data/country"),
        (json!({"business_hours": {"mon": ["17:00", "08:00"]}}), "/data/business_hours/mon"),
        (json!({"business_hours": {"mon": ["08:00", "08:00"]}}), "/data/business_hours/mon"),
        (json!({"business_hours": {"mon": ["8:00", "17:00"]}}), "/data/business_hours/mon/0"),
        (json!({"business_hours": {"mon": ["08:00"]}}), "/data/business_hours/mon"),
        (json!({"business_hours": {"monday": ["08:00", "17:00"]}}), "/data/business_hours/monday"),
        (json!({"default_tax_rate": "9.12345"}), "/data/default_tax_rate"),
        (json!({"default_tax_rate": "100.0001"}), "/data/default_tax_rate"),
        (json!({"default_tax_rate": 9.25}), "/data/default_tax_rate"),
        (json!({"invoice_prefix": "x".repeat(21)}), "/data/invoice_prefix"),
        (json!({"payment_terms_days": 366}), "/data/payment_terms_days"),
        (json!({"reply_to_email": "office"}), "/data/reply_to_email"),
        (json!({"reminder_lead_days": 31}), "/data/reminder_lead_days"),
        (json!({"follow_up_days": [2, 2]}), "/data/follow_up_days"),
        (json!({"follow_up_days": [4, 2]}), "/data/follow_up_days"),
        (json!({"follow_up_days": [0]}), "/data/follow_up_days/0"),
        (json!({"follow_up_days": [61]}), "/data/follow_up_days/0"),
        (json!({"follow_up_days": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}), "/data/follow_up_days"),
        (json!({"default_ticket_minutes": 4}), "/data/default_ticket_minutes"),
        (json!({"default_ticket_minutes": 1441}), "/data/default_ticket_minutes"),
        (json!({"frozen_at": null}), "/data/frozen_at"),
    ] {
        assert_eq!(owner.call("org.update", wrong.clone()).await.invalid_at(), [pointer], "{wrong}");
    }
    owner.call("org.update", json!({"expected_version": 9, "name": "X"})).await.refused("VERSION_CONFLICT");
    assert_eq!(desk.state().await, before);
}

#[tokio::test]
async fn settings_are_the_owners_to_change() {
    let desk = Desk::open().await;
    for person in [desk.technician().await, desk.manager().await] {
        person.call("org.update", json!({"name": "X"})).await.refused("FORBIDDEN");
    }
    let action = desk.office.registry().action("org.update").unwrap();
    assert!(action.each_time, "no rule ever lets an agent change settings");
    let preview = desk.agent().await.dry_run("org.update", json!({"name": "X"})).await.ok();
    assert_eq!(preview["would"]["permission"], "requires_authorization");
}

#[tokio::test]
async fn a_manager_freezes_the_business_once_and_unfreezes_it() {
    let desk = Desk::open().await;
    let manager = desk.manager().await;
    let frozen = manager.call("org.freeze", json!({"reason": "Odd e-mails."})).await.ok();
    assert_eq!(frozen["frozen_at"], "2030-01-07T09:00:00Z");
    desk.pass(chrono::TimeDelta::hours(1));
    let again = manager.call("org.freeze", json!({})).await.ok();
    assert_eq!((&again["frozen_at"], &again["version"]), (&frozen["frozen_at"], &frozen["version"]));
    assert_eq!(settings(&desk.agent().await).await["frozen_at"], frozen["frozen_at"]);
    let trail = manager.read("audit", json!({"action": "org.freeze"})).await.ok();
    assert_eq!(trail.as_array().unwrap().len(), 2);
    let free = manager.call("org.unfreeze", json!({})).await.ok();
    assert_eq!(free.get("frozen_at"), None);
    assert_eq!(manager.call("org.unfreeze", json!({})).await.ok()["version"], free["version"]);
}

#[tokio::test]
async fn the_switch_is_for_managers_and_never_for_agents() {
    let desk = Desk::open().await;
    let (agent, technician) = (desk.agent().await, desk.technician().await);
    let before = desk.state().await;
    for action in ["org.freeze", "org.unfreeze"] {
        agent.call_because(action, json!({})).await.refused("FORBIDDEN");
        technician.call(action, json!({})).await.refused("FORBIDDEN");
    }
    assert_eq!(desk.state().await, before);
}
