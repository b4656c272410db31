//! An agent that does nothing.

use super::{Sample, new_agent};

pub const SAMPLE: Sample = Sample {
    ids: &["agent_id"],
    first: &[("agent.enable", "agent.disable")],
    make: |_, desk, _| Box::pin(async { vec![("agent_id", new_agent(desk).await.caller.id().unwrap().to_string())] }),
    ..Sample::NONE
};
