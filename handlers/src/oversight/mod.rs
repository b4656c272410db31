//! What agents may do, what they asked for, what happened and what went wrong.

pub(crate) mod agent;
pub(crate) mod alert;
pub(crate) mod audit;
pub(crate) mod authorization;
pub(crate) mod job;
pub(crate) mod rule;
