//! Values as they come in and go out: parsed once at the door, with errors of their own.

pub(crate) mod amounts;
pub(crate) mod kinds;
pub(crate) mod marks;
pub(crate) mod problem;
pub mod redact;
pub(crate) mod when;
