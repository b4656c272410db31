//! A rule for another agent.

use serde_json::json;

use super::authorization::request;
use super::{Named, Sample, Standing, new_agent};
use crate::desk::Desk;

pub const SAMPLE: Sample = Sample { ids: &["rule_id"], make: |_, desk, _| Box::pin(rule(desk)), ..Sample::NONE };

async fn rule(desk: &Desk) -> Vec<Named> {
    let asked = request(desk, &new_agent(desk).await).await;
    let allowed = desk.owner().await.call("authorization.allow_always", json!({"authorization_id": asked})).await.ok();
    vec![("rule_id", allowed["rule_id"].as_str().unwrap().to_string())]
}

/// Rules that were made meanwhile would let the next request through.
pub async fn revoke_others(standing: &Standing, desk: &Desk) {
    let owner = desk.owner().await;
    let rules = owner.read("rules", json!({"active": true})).await.ok();
    let own = |rule: &str| standing.ids().any(|(name, id)| name == "rule_id" && id == rule);
    for rule in rules.as_array().unwrap().iter().filter(|rule| !own(rule["id"].as_str().unwrap())) {
        owner.call("rule.revoke", json!({"rule_id": rule["id"]})).await.ok();
    }
}
