//! A visit with a line, a technician and a note, and another one at which the clock runs.

use serde_json::json;

use super::{Named, Sample, Standing};
use crate::desk::Desk;

pub const SAMPLE: Sample = Sample {
    ids: &["ticket_id", "line_item_id", "clock_span_id"],
    first: &[("ticket.assign", "ticket.unassign"), ("ticket.clock_out", "ticket.clock_in")],
    // Nobody is at two places at once.
    taken_up: &["technician_id"],
    make: |standing, desk, id| Box::pin(made(standing, desk, id)),
    ..Sample::NONE
};

async fn made(standing: &mut Standing, desk: &Desk, id: &str) -> Vec<Named> {
    let owner = desk.owner().await;
    match id {
        "ticket_id" => vec![("ticket_id", ticket(standing, desk, "2030-01-08T10:00").await)],
        "line_item_id" => {
            let ticket = standing.need(desk, "ticket_id").await;
            let lines = owner.read("line_items", json!({"ticket_id": ticket})).await.ok();
            vec![("line_item_id", lines[0]["id"].as_str().unwrap().to_string())]
        }
        _ => {
            let ticket = ticket(standing, desk, "2030-01-09T10:00").await;
            let technician = standing.need(desk, "technician_id").await;
            let begun = json!({"ticket_id": ticket, "technician_id": technician});
            vec![("clock_span_id", owner.call("ticket.clock_in", begun).await.id())]
        }
    }
}

async fn ticket(standing: &mut Standing, desk: &Desk, starts_at: &str) -> String {
    let scheduled = json!({
        "contact_id": standing.need(desk, "contact_id").await, "address_id": standing.need(desk, "address_id").await,
        "starts_at": starts_at, "line_items": [{"service_id": standing.need(desk, "service_id").await}],
        "technician_ids": [standing.need(desk, "technician_id").await], "notes": ["The gate sticks."],
    });
    desk.owner().await.call("ticket.schedule", scheduled).await.id()
}
