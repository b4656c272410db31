//! A customer with an e-mail and an address, another record of the same person, and who pays for somebody else.

use serde_json::{Value, json};

use super::{Named, Sample};
use crate::desk::Desk;

pub const SAMPLE: Sample = Sample {
    ids: &["contact_id", "merged_contact_id", "bill_to_contact_id"],
    first: &[("contact.restore", "contact.archive")],
    make: |_, desk, id| Box::pin(contact(desk, id)),
    ..Sample::NONE
};

async fn contact(desk: &Desk, id: &str) -> Vec<Named> {
    let jane = json!({
        "family_name": "Smith", "emails": [{"email": "jane@example.com"}],
        "addresses": [{"street": "1 Elm Street", "city": "Madison"}],
    });
    let janet = json!({"emails": [{"email": "janet@example.com"}]});
    let (id, name, more): (_, _, Value) = match id {
        "contact_id" => ("contact_id", "Jane", jane),
        "merged_contact_id" => ("merged_contact_id", "Janet", janet),
        _ => ("bill_to_contact_id", "Paula", json!({})),
    };
    vec![(id, desk.owner().await.contact(name, more).await)]
}
