//! A circuit for each account with an outside service: after some failures in a row nothing is sent there for a while, so that
//! what is down is not stormed and the errands of others are not held up.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

const FAILURES: u32 = 5;
const OPEN_FOR: TimeDelta = TimeDelta::seconds(60);

#[derive(Debug, Default)]
struct Circuit {
    failures: u32,
    open_until: Option<DateTime<Utc>>,
}

/// The circuits of this process.
#[derive(Debug, Default)]
pub(crate) struct Circuits(Mutex<HashMap<(&'static str, String), Circuit>>);

impl Circuits {
    /// The accounts with a service to which nothing is sent now; the one that all share is the empty text.
    pub fn open(&self, service: &str, now: DateTime<Utc>) -> Vec<String> {
        let circuits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = circuits
            .iter()
            .filter(|((of, _), circuit)| *of == service && circuit.open_until.is_some_and(|until| now < until));
        open.map(|((_, account), _)| account.clone()).collect()
    }

    pub fn worked(&self, service: &'static str, account: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(service, account.to_string()));
    }

    /// One more failure in a row; the circuit opens, or opens again when the first try after a pause failed.
    pub fn failed(&self, service: &'static str, account: &str, now: DateTime<Utc>) {
        let mut circuits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let circuit = circuits.entry((service, account.to_string())).or_default();
        circuit.failures += 1;
        if circuit.failures >= FAILURES {
            circuit.open_until = Some(now + OPEN_FOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circuit_opens_after_five_failures_in_a_row_and_closes_with_the_first_success() {
        let (circuits, now) = (Circuits::default(), DateTime::UNIX_EPOCH);
        for _ in 0..4 {
            circuits.failed("mail", "", now);
        }
        assert!(circuits.open("mail", now).is_empty());
        circuits.worked("mail", "");
        for _ in 0..5 {
            circuits.failed("mail", "", now);
        }
        assert_eq!(circuits.open("mail", now + TimeDelta::seconds(59)), [""]);
        let later = now + OPEN_FOR;
        assert!(circuits.open("mail", later).is_empty(), "one try is let through");
        circuits.failed("mail", "", later);
        assert_eq!(circuits.open("mail", later + TimeDelta::seconds(1)), [""], "it failed, so the pause begins anew");
        circuits.worked("mail", "");
        assert!(circuits.open("mail", later + TimeDelta::seconds(1)).is_empty());
    }

    #[test]
    fn an_account_that_does_not_work_leaves_the_others_alone() {
        let (circuits, now) = (Circuits::default(), DateTime::UNIX_EPOCH);
        for _ in 0..5 {
            circuits.failed("payments", "acct_1", now);
        }
        assert_eq!(circuits.open("payments", now), ["acct_1"]);
        assert!(circuits.open("mail", now).is_empty());
        circuits.worked("payments", "acct_2");
        assert_eq!(circuits.open("payments", now), ["acct_1"]);
    }
}
