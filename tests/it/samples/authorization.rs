//! A request of the agent that waits.

use super::{Named, Sample, Standing, rule};
use crate::desk::{Actor, Desk};

pub const SAMPLE: Sample =
    Sample { ids: &["authorization_id"], make: |standing, desk, _| Box::pin(waiting(standing, desk)), ..Sample::NONE };

async fn waiting(standing: &mut Standing, desk: &Desk) -> Vec<Named> {
    rule::revoke_others(standing, desk).await;
    vec![("authorization_id", request(desk, &standing.agent).await)]
}

/// What an agent may not do by itself, for which it waits.
pub async fn request(desk: &Desk, agent: &Actor) -> String {
    agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held()
}
