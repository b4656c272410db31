//! What agents may do, what they asked for, what happened and what went wrong. Each domain may use those above it.

pub(crate) mod agent;

pub(crate) mod authorization;

pub(crate) mod rule;

pub(crate) mod job;

pub(crate) mod alert;

pub(crate) mod audit;
