//! What whoever runs the office sees of it: of each call and each question one line in the log and the measures.
//!
//! Neither has an input, a name or a token in it: what was done to what stands in the audit trail, under the call's id.

use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use uuid::Uuid;

use crate::callers::{Caller, Door, Options};
use crate::error::Error;
use crate::tx::InnerCall;
use crate::values::redact::redact;

/// A name that nobody declared is a caller's invention, and each would be a series of its own.
const UNKNOWN: &str = "unknown";

/// A call or a question on its way.
pub(crate) struct Watch {
    id: Uuid,
    org: Uuid,
    name: &'static str,
    door: &'static str,
    began: Instant,
}

impl Watch {
    /// From now on; `name` is what was asked for, if it is known.
    pub fn begin(id: Uuid, caller: &Caller, name: Option<&'static str>, door: Door) -> Self {
        let (org, name) = (caller.org().id, name.unwrap_or(UNKNOWN));
        Self { id, org, name, door: door.name(), began: Instant::now() }
    }

    /// The call has ended.
    pub fn called(&self, options: &Options, error: Option<&Error>) {
        let outcome = if options.dry_run && error.is_none() { "previewed" } else { outcome(error) };
        self.tell_call(outcome, error, self.began.elapsed());
    }

    /// A call that this one carried out was done with it.
    pub fn called_within(&self, inner: &InnerCall) {
        let watch = Self { id: inner.id, name: inner.action, door: Door::Authorization.name(), ..*self };
        watch.tell_call("done", None, inner.took);
    }

    fn tell_call(&self, outcome: &'static str, error: Option<&Error>, took: Duration) {
        let Self { id: call_id, org: org_id, name: action, door, .. } = *self;
        counter!("frontdesk_calls_total", "action" => action, "outcome" => outcome, "door" => door).increment(1);
        histogram!("frontdesk_call_seconds", "action" => action, "door" => door).record(took);
        let code = error.map(|error| count(error, door));
        let duration_ms = milliseconds(took);
        match cause(error) {
            Some(cause) => {
                tracing::error!(%call_id, %org_id, action, door, outcome, code, duration_ms, cause, "call");
            }
            None => tracing::info!(%call_id, %org_id, action, door, outcome, code, duration_ms, "call"),
        }
    }

    /// The question has been answered.
    pub fn read(&self, error: Option<&Error>) {
        let Self { id: read_id, org: org_id, name: data_type, door, began } = *self;
        let took = began.elapsed();
        histogram!("frontdesk_read_seconds", "type" => data_type, "door" => door).record(took);
        let code = error.map(|error| count(error, door));
        let (outcome, duration_ms) = (outcome(error), milliseconds(took));
        match cause(error) {
            Some(cause) => {
                tracing::error!(%read_id, %org_id, data_type, door, outcome, code, duration_ms, cause, "read");
            }
            None => tracing::debug!(%read_id, %org_id, data_type, door, outcome, code, duration_ms, "read"),
        }
    }
}

/// A request that never became a call or a question.
pub(crate) fn refused(request_id: Uuid, error: &Error) {
    let code = error.code().name;
    counter!("frontdesk_refusals_total", "code" => code).increment(1);
    match (cause(Some(error)), error) {
        (Some(cause), _) => tracing::error!(%request_id, code, cause, "request"),
        // They come in floods, and the counter tells how many.
        (None, Error::RateLimited { .. }) => tracing::debug!(%request_id, code, "request"),
        (None, _) => tracing::info!(%request_id, code, "request"),
    }
}

fn count(error: &Error, door: &'static str) -> &'static str {
    let code = error.code().name;
    counter!("frontdesk_errors_total", "code" => code, "door" => door).increment(1);
    code
}

fn outcome(error: Option<&Error>) -> &'static str {
    match error {
        None => "done",
        Some(Error::AuthorizationPending { .. }) => "queued",
        Some(error) if error.is_ours() => "failed",
        Some(_) => "refused",
    }
}

/// Of a fault of ours. The database quotes what it could not read, so it is cleaned like any text.
fn cause(error: Option<&Error>) -> Option<String> {
    error?.cause().map(|cause| redact(cause).text.into_owned())
}

fn milliseconds(took: Duration) -> u64 {
    took.as_millis().try_into().unwrap_or(u64::MAX)
}
