//! What every request passes through, and the doors for programs: REST and the measures.

pub(crate) mod connections;
pub(crate) mod etag;
pub(crate) mod identity;
pub mod limits;
pub(crate) mod metrics;
pub mod peer;
pub mod rest;
pub(crate) mod stack;
