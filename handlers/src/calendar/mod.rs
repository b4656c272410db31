//! When work is done, by whom, and what of it.

pub(crate) mod ticket;
