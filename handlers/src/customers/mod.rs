//! Who is served, where, and what is known of them.

pub(crate) mod address;
pub(crate) mod contact;
pub(crate) mod note;
