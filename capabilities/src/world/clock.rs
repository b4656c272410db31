//! The time, asked for in one place so that tests and trials can set it.

use std::sync::Mutex;
use std::time::Instant;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// Where the time comes from. Always UTC, to the millisecond.
#[derive(Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Started at an instant and running on from there, for trials.
    Shifted {
        /// What it showed at the start.
        start: DateTime<Utc>,
        /// When that was.
        since: Instant,
    },
    /// Stands still until it is moved, for tests.
    Hand(Mutex<DateTime<Utc>>),
}

impl Clock {
    /// A clock that shows `start` now and runs on.
    #[must_use]
    pub fn shifted(start: DateTime<Utc>) -> Self {
        Self::Shifted { start, since: Instant::now() }
    }

    /// A clock that stands at `time`.
    #[must_use]
    pub fn hand(time: DateTime<Utc>) -> Self {
        Self::Hand(Mutex::new(time))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let now = match self {
            Self::System => system_time(),
            Self::Shifted { start, since } => *start + since.elapsed(),
            Self::Hand(time) => *time.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
        };
        now.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(now)
    }

    /// Moves a hand clock; the others go by themselves.
    pub fn pass(&self, time: TimeDelta) {
        if let Self::Hand(now) = self {
            *now.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += time;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
fn system_time() -> DateTime<Utc> {
    Utc::now()
}
