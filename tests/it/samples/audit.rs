//! A call of the agent that can be undone.

use serde_json::json;

use super::{Named, Sample, Standing, done_because};
use crate::desk::Desk;

pub const SAMPLE: Sample =
    Sample { ids: &["call_id"], make: |standing, desk, _| Box::pin(past_call(standing, desk)), ..Sample::NONE };

async fn past_call(standing: &mut Standing, desk: &Desk) -> Vec<Named> {
    let mistaken = json!({"kind": "person", "given_name": "Mistaken"});
    let made = done_because(desk, &standing.agent, "contact.create", mistaken).await;
    let call = made.0.meta.request_id.to_string();
    let carried_out = made.ok()["executed_call_id"].as_str().map(str::to_string);
    vec![("call_id", carried_out.unwrap_or(call))]
}
