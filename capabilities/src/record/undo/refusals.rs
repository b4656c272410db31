//! How an undo is refused.

use crate::error::Error;

pub(super) fn nothing_to_undo(message: &str) -> Error {
    Error::conflict("NOTHING_TO_UNDO", message, "Find the call that made the change with the data type `audit`.")
}

pub(super) fn cannot_undo(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::conflict("CANNOT_UNDO", message, hint)
}
