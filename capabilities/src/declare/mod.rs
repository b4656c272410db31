//! How a capability is declared, and the checked list of all of them.

pub(crate) mod action;
pub(crate) mod catalogue;
pub(crate) mod data;
pub(crate) mod dispatching;
pub(crate) mod domain;
pub(crate) mod errands;
pub(crate) mod guards;
pub(crate) mod jobs;
mod listing;
pub(crate) mod registry;
pub(crate) mod request;
pub(crate) mod validation;
