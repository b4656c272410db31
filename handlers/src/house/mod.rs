//! What the business is: its settings, its people, what it offers.

pub(crate) mod org;
pub(crate) mod service;
pub(crate) mod user;
