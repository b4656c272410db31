//! What becomes of an agent's call: judged by what it really did, and by what the agent did before.

pub(crate) mod budgets;
pub(crate) mod verdict;
