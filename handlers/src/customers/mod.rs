//! Who is served, where, and what is known of them. Each domain may use those above it.

pub(crate) mod address;

pub(crate) mod note;

pub(crate) mod contact;
