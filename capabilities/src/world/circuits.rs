//! A circuit for each outside service: after some failures in a row nothing is sent there for a while, so that a service that
//! is down is not stormed and the errands of others are not held up.

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
pub(crate) struct Circuits(Mutex<HashMap<&'static str, Circuit>>);

impl Circuits {
    /// The services to which nothing is sent now.
    pub fn open(&self, now: DateTime<Utc>) -> Vec<String> {
        let circuits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = circuits.iter().filter(|(_, circuit)| circuit.open_until.is_some_and(|until| now < until));
        open.map(|(service, _)| (*service).to_string()).collect()
    }

    pub fn worked(&self, service: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(service);
    }

    /// One more failure in a row; the circuit opens, or opens again when the first try after a pause failed.
    pub fn failed(&self, service: &'static str, now: DateTime<Utc>) {
        let mut circuits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let circuit = circuits.entry(service).or_default();
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
            circuits.failed("mail", now);
        }
        assert!(circuits.open(now).is_empty());
        circuits.worked("mail");
        for _ in 0..5 {
            circuits.failed("mail", now);
        }
        assert_eq!(circuits.open(now + TimeDelta::seconds(59)), ["mail"]);
        let later = now + OPEN_FOR;
        assert!(circuits.open(later).is_empty(), "one try is let through");
        circuits.failed("mail", later);
        assert_eq!(circuits.open(later + TimeDelta::seconds(1)), ["mail"], "it failed, so the pause begins anew");
        circuits.worked("mail");
        assert!(circuits.open(later + TimeDelta::seconds(1)).is_empty());
    }
}
