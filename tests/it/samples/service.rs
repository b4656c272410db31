//! A service with a price per unit and a typical duration.

use serde_json::json;

use super::{Named, Sample};
use crate::desk::{Desk, fresh};

pub const SAMPLE: Sample = Sample {
    ids: &["service_id"],
    first: &[("service.restore", "service.archive")],
    make: |_, desk, _| Box::pin(service(desk)),
    ..Sample::NONE
};

async fn service(desk: &Desk) -> Vec<Named> {
    let service = json!({
        "name": "Window cleaning", "code": fresh(), "kind": "work", "duration_minutes": 60,
        "pricing": {"strategy": "per_unit", "unit_price": {"amount": 850, "currency": "USD"}, "unit_name": "window"},
    });
    vec![("service_id", desk.owner().await.call("service.create", service).await.id())]
}
