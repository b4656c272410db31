//! An answer as it is sent: written once, with the rows where they lie.

use std::io;
use std::ops::Range;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::answer::envelope::{Answer, Meta};

/// The bytes of an envelope.
#[derive(Debug, Clone)]
pub struct Written {
    bytes: Vec<u8>,
    data: Range<usize>,
    /// What stands beside the data, but for when it was asked.
    beside: Vec<u8>,
}

impl Written {
    pub(super) fn of(answer: &Answer) -> Self {
        let mut bytes = b"{\"data\":".to_vec();
        let begins = bytes.len();
        write(&mut bytes, &answer.data);
        let data = begins..bytes.len();
        bytes.extend_from_slice(b",\"error\":");
        write(&mut bytes, &answer.error);
        bytes.extend_from_slice(b",\"meta\":");
        write(&mut bytes, &answer.meta);
        bytes.extend_from_slice(match answer.success() {
            true => b",\"success\":true}".as_slice(),
            false => b",\"success\":false}",
        });
        let mut beside = Vec::new();
        let undated = Meta { request_id: Uuid::nil(), timestamp: DateTime::<Utc>::UNIX_EPOCH, ..answer.meta.clone() };
        write(&mut beside, &undated);
        Self { bytes, data, beside }
    }

    /// What makes this answer another one than the one before: its data, and all that stands beside them but its id and when
    /// it was asked for.
    #[must_use]
    pub fn essence(&self) -> [&[u8]; 2] {
        [&self.bytes[self.data.clone()], &self.beside]
    }

    /// The envelope.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Values and what derives its form from its members: neither can fail, and memory takes all of it.
fn write(bytes: &mut Vec<u8>, value: &impl Serialize) {
    let begins = bytes.len();
    let written: Result<(), io::Error> = serde_json::to_writer(&mut *bytes, value).map_err(Into::into);
    if written.is_err() {
        bytes.truncate(begins);
        bytes.extend_from_slice(b"null");
    }
}

impl Answer {
    /// The same as it is sent.
    #[must_use]
    pub fn write(&self) -> Written {
        Written::of(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_is_written_is_the_envelope() {
        let meta = Meta { request_id: Uuid::from_u128(7), total: Some(json!(3)), ..Meta::default() };
        let error = crate::error::Error::invalid("/name", "is \"missing\"");
        for answer in [Answer::done(json!([{"id": 1, "text": "ä\n"}]), meta.clone()), Answer::refused(&error, meta)] {
            let read: Value = serde_json::from_slice(&answer.write().into_bytes()).unwrap();
            assert_eq!(read, answer.envelope());
        }
    }

    #[test]
    fn two_answers_that_say_the_same_differ_in_nothing_but_when() {
        let answer = |id: u128, data: Value, repeated: bool| {
            let meta = Meta { request_id: Uuid::from_u128(id), repeated, ..Meta::default() };
            Answer::done(data, meta).write()
        };
        let one = answer(1, json!({"a": 1}), false);
        assert_eq!(one.essence(), answer(2, json!({"a": 1}), false).essence());
        assert_ne!(one.essence(), answer(1, json!({"a": 2}), false).essence());
        assert_ne!(one.essence(), answer(1, json!({"a": 1}), true).essence());
    }
}
