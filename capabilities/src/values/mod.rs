//! Values as they come in and go out: parsed once at the door, with errors of their own.

pub(crate) mod amounts;
pub(crate) mod contact_points;
pub(crate) mod ids;
pub(crate) mod marks;
pub(crate) mod patch;
pub(crate) mod places;
pub(crate) mod problem;
pub mod redact;
pub(crate) mod secret;
pub(crate) mod text;
pub(crate) mod when;
