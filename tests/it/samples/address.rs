//! A service location of the standing contact, which is not its primary one.

use serde_json::json;

use super::{Named, Sample, Standing};
use crate::desk::Desk;

pub const SAMPLE: Sample =
    Sample { ids: &["address_id"], make: |standing, desk, _| Box::pin(address(standing, desk)), ..Sample::NONE };

async fn address(standing: &mut Standing, desk: &Desk) -> Vec<Named> {
    let contact = standing.need(desk, "contact_id").await;
    let address = json!({"street": "7 Shore Road", "city": "Athens", "label": "Lake house"});
    let added = desk.owner().await.call("address.add", json!({"contact_id": contact, "address": address})).await;
    vec![("address_id", added.id())]
}
