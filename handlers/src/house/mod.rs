//! What the business is: its settings, its people, what it offers. Each domain may use those above it.

pub(crate) mod org;

pub(crate) mod user;

pub(crate) mod service;
