//! How a service outside answers when it did not do what it was asked for.

use crate::error::Error;

/// Why an errand was not delivered. The text is for people who run the office; it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undelivered {
    /// The service may take it later.
    Later(String),
    /// It will never take it.
    Never(String),
    /// Nothing calls for it any more: it ends well, and says this.
    Needless(String),
}

impl From<Error> for Undelivered {
    fn from(error: Error) -> Self {
        match error.is_ours() {
            true => Self::Later(error.message()),
            false => Self::Never(error.message()),
        }
    }
}
