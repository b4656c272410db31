//! The catalog: what is offered and for how much, and that the past keeps its prices.

use serde_json::{Value, json};

use crate::desk::{Actor, Desk};

/// Dollars and cents as the office tells them.
pub fn usd(amount: i64) -> Value {
    json!({"amount": amount, "currency": "USD"})
}

/// A service with a fixed price, and its id.
pub async fn fixed(actor: &Actor, name: &str, amount: i64, minutes: i32) -> String {
    let pricing = json!({"strategy": "fixed", "price": usd(amount)});
    let service = json!({"name": name, "code": name, "kind": "work", "duration_minutes": minutes, "pricing": pricing});
    actor.call("service.create", service).await.id()
}

/// A service whose price is said later, and its id.
pub async fn flexible(actor: &Actor, name: &str) -> String {
    let service = json!({"name": name, "code": name, "kind": "work", "pricing": {"strategy": "flexible"}});
    actor.call("service.create", service).await.id()
}

fn named(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_catalog_is_kept_by_agents_and_read_by_everyone() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    fixed(&agent, "windows", 14_900, 90).await;
    let hourly = json!({
        "name": "Pressure washing", "code": "PW", "kind": "work", "tax_rate": "9.2500",
        "pricing": {"strategy": "per_unit", "unit_price": usd(8_500), "unit_name": "hour"}
    });
    let hourly = agent.call("service.create", hourly).await.ok();
    assert_eq!((&hourly["tax_rate"], &hourly["pricing"]["unit_name"]), (&json!("9.25"), &json!("hour")));
    let flexible = json!({
        "name": "Repairs", "code": "REP", "kind": "work", "description": "Whatever it takes.",
        "pricing": {"strategy": "flexible"}
    });
    agent.call("service.create", flexible).await.ok();
    let technician = desk.technician().await;
    assert_eq!(named(&technician.read("services", json!({})).await.ok()), ["Pressure washing", "Repairs", "windows"]);
    assert_eq!(named(&agent.read("services", json!({"code": "pw"})).await.ok()), ["Pressure washing"]);
    technician.call("service.create", hourly.clone()).await.refused("FORBIDDEN");
}

#[tokio::test]
async fn an_archived_service_is_offered_no_more_until_it_is_restored() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let id = fixed(&agent, "windows", 14_900, 90).await;
    agent.call("service.archive", json!({"service_id": id})).await.refused("REASONING_REQUIRED");
    let archived = agent.call_because("service.archive", json!({"service_id": id})).await.ok();
    assert_eq!(archived["active"], false);
    assert_eq!(named(&agent.read("services", json!({})).await.ok()), [""; 0]);
    assert_eq!(named(&agent.read("services", json!({"active": false})).await.ok()), ["windows"]);
    let contact = agent.contact("Jane", json!({})).await;
    let visit = json!({
        "contact_id": contact, "starts_at": "2030-01-08T09:00", "line_items": [{"service_id": id}]
    });
    agent.call("ticket.schedule", visit.clone()).await.refused("SERVICE_ARCHIVED");
    agent.call("service.restore", json!({"service_id": id})).await.ok();
    agent.call("ticket.schedule", visit).await.ok();
}

#[tokio::test]
async fn a_price_that_cannot_be_is_refused_with_its_place() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let (before, euro) = (desk.state().await, json!({"amount": 100, "currency": "EUR"}));
    for (pricing, pointer) in [
        (json!({"strategy": "fixed"}), "/data/pricing"),
        (json!({"strategy": "fixed", "price": usd(1), "unit_name": "hour"}), "/data/pricing"),
        (json!({"strategy": "flexible", "price": usd(1)}), "/data/pricing"),
        (json!({"strategy": "per_unit", "unit_price": usd(1)}), "/data/pricing"),
        (json!({"strategy": "fixed", "price": euro}), "/data/pricing/price/currency"),
        (json!({"strategy": "fixed", "price": usd(-1)}), "/data/pricing/price/amount"),
        (json!({"strategy": "fixed", "price": {"amount": 1.5, "currency": "USD"}}), "/data/pricing/price/amount"),
        (json!({"strategy": "flexible", "suggested_price": {"amount": 1}}), "/data/pricing/suggested_price/currency"),
    ] {
        let service = json!({"name": "X", "code": "X", "kind": "work", "pricing": pricing});
        assert_eq!(agent.call("service.create", service).await.invalid_at(), [pointer], "{pricing}");
    }
    assert_eq!(desk.state_without(&["call_log"]).await, before);
    fixed(&agent, "windows", 1, 1).await;
    let same = json!({"name": "Y", "code": "WINDOWS", "kind": "work", "pricing": {"strategy": "flexible"}});
    agent.call("service.create", same).await.refused("ALREADY_EXISTS");
}

#[tokio::test]
async fn a_new_price_holds_from_now_on_and_tickets_keep_theirs() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let (service, contact) = (fixed(&agent, "windows", 14_900, 90).await, agent.contact("Jane", json!({})).await);
    let visit = |day: &str| json!({"contact_id": contact, "starts_at": format!("2030-01-{day}T09:00"), "line_items": [{"service_id": service}]});
    let first = agent.call("ticket.schedule", visit("08")).await.id();
    let dearer = json!({
        "service_id": service, "name": "Windows", "tax_rate": "10",
        "pricing": {"strategy": "fixed", "price": usd(19_900)}
    });
    agent.call("service.update", dearer).await.ok();
    let second = agent.call("ticket.schedule", visit("09")).await.ok();
    assert_eq!((&second["total"], &second["title"]), (&usd(19_900), &json!("Windows")));
    let first = agent.get("tickets", &first).await.ok();
    assert_eq!((&first["total"], &first["title"]), (&usd(14_900), &json!("windows")));
}

#[tokio::test]
async fn the_currency_is_fixed_once_a_price_exists() {
    let desk = Desk::open().await;
    let (owner, agent) = (desk.owner().await, desk.agent().await);
    owner.call("org.update", json!({"currency": "EUR"})).await.ok();
    owner.call("org.update", json!({"currency": "USD"})).await.ok();
    fixed(&desk.agent().await, "windows", 14_900, 90).await;
    owner.call("org.update", json!({"currency": "EUR"})).await.refused("CURRENCY_FIXED");
    owner.call("org.update", json!({"currency": "USD", "name": "Clear View"})).await.ok();
    assert_eq!(agent.read("org", json!({})).await.ok()[0]["currency"], "USD");
}
