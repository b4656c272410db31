//! Scheduling visits: when and where they are, what they cost, and whose time they take.

use serde_json::{Value, json};

use crate::desk::{Actor, Desk};
use crate::services::{fixed, usd};

/// A visit of this customer that begins then, local to the business.
fn visit(contact: &str, starts_at: &str) -> Value {
    json!({"contact_id": contact, "starts_at": starts_at})
}

fn with(mut visit: Value, more: Value) -> Value {
    visit.as_object_mut().unwrap().extend(crate::desk::object(more));
    visit
}

fn tara(desk_technician: &Actor) -> String {
    desk_technician.caller.id().unwrap().to_string()
}

#[tokio::test]
async fn a_visit_is_scheduled_with_lines_technicians_and_notes() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let address = json!({"addresses": [{"street": "123 Main Street", "city": "Madison"}]});
    let (jane, tara) = (agent.contact("Jane", address).await, tara(&desk.technician().await));
    let windows = fixed(&agent, "windows", 14_900, 90).await;
    let booked = with(
        visit(&jane, "2030-01-08T09:00"),
        json!({
            "line_items": [{"service_id": windows, "quantity": "1.5"}], "technician_ids": [tara],
            "notes": ["Ring twice."]
        }),
    );
    let ticket = agent.call("ticket.schedule", booked).await.ok();
    assert_eq!(ticket["display_name"], "Jane, Tue, Jan 8, 2030, 9:00 AM");
    assert_eq!((&ticket["title"], &ticket["status"]), (&json!("windows"), &json!("scheduled")));
    assert_eq!(
        (&ticket["starts_at"], &ticket["ends_at"]),
        (&json!("2030-01-08T15:00:00Z"), &json!("2030-01-08T16:30:00Z"))
    );
    assert_eq!(ticket["starts_at_local"], "2030-01-08T09:00:00-06:00");
    assert_eq!((&ticket["total"], &ticket["lines_without_price"]), (&usd(22_350), &json!(0)));
    assert_eq!((&ticket["confirmation"], &ticket["bill_to_contact_id"]), (&json!("not_asked"), &json!(jane)));
    let of_tara = desk.technician().await.read("tickets", json!({"technician_id": tara, "city": "MADISON"})).await.ok();
    assert_eq!(of_tara[0]["id"], ticket["id"]);
}
