//! What is wrong with a value that came in, and where it stands.

use serde::Serialize;

/// One thing wrong with an input.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// JSON pointer (RFC 6901) into the input; the empty string is the whole of it.
    pub pointer: String,
    /// What is wrong there, without the value.
    pub message: String,
    /// The nearest names that would have been right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub did_you_mean: Vec<String>,
}

impl Problem {
    /// A problem at `pointer`.
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into(), did_you_mean: Vec::new() }
    }

    /// Adds the nearest right names.
    #[must_use]
    pub fn did_you_mean(mut self, names: Vec<String>) -> Self {
        self.did_you_mean = names;
        self
    }
}
