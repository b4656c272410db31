//! How often one may ask: each caller, whoever is not known, and whoever wants to sign in.
//!
//! This is about load and about guessing, so it goes by the real clock and not by the office's. Each server counts for itself,
//! and forgets when it is started anew.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use capabilities::{Caller, Error, Result};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use sha2::{Digest as _, Sha256};

use crate::http::peer::Network;

/// A caller, without another number in the configuration: so many requests a second, and at once so many times that.
pub const A_SECOND: NonZeroU32 = at_most(20);
const AT_ONCE: NonZeroU32 = at_most(3);
/// A network, of requests by nobody who is known.
const OF_STRANGERS: Quota = Quota::per_second(at_most(5)).allow_burst(at_most(20));
/// A network, of attempts to sign in; an office may sit behind one address.
const OF_SIGN_INS: Quota = Quota::per_minute(at_most(10)).allow_burst(at_most(20));
/// An e-mail address, of links sent to it.
const OF_ADDRESS: Quota = Quota::per_hour(at_most(12)).allow_burst(at_most(3));
/// So many wrong links from one network within the time, and it tries no other one for as long.
const WRONG_LINKS: u32 = 10;
const LOCKOUT: Duration = Duration::from_mins(15);
/// How often what nobody uses any more is forgotten.
const SWEPT_EVERY: Duration = Duration::from_mins(1);

type Keyed<K> = DefaultKeyedRateLimiter<K>;

const fn at_most(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

/// Counts who asked how often.
pub struct Limits {
    callers: Keyed<String>,
    strangers: Keyed<Network>,
    sign_ins: Keyed<Network>,
    addresses: Keyed<[u8; 32]>,
    wrong_links: Mutex<HashMap<Network, WrongLinks>>,
    swept: Mutex<Instant>,
}

/// The wrong links of a network since the first of them that counts.
struct WrongLinks {
    since: Instant,
    number: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(A_SECOND)
    }
}

impl Limits {
    /// Lets each caller ask so many times a second.
    #[must_use]
    pub fn new(a_second: NonZeroU32) -> Self {
        let of_caller = Quota::per_second(a_second).allow_burst(a_second.saturating_mul(AT_ONCE));
        Self {
            callers: Keyed::keyed(of_caller),
            strangers: Keyed::keyed(OF_STRANGERS),
            sign_ins: Keyed::keyed(OF_SIGN_INS),
            addresses: Keyed::keyed(OF_ADDRESS),
            wrong_links: Mutex::default(),
            swept: Mutex::new(Instant::now()),
        }
    }

    /// A caller asks, by whatever door.
    pub(crate) fn caller(&self, caller: &Caller) -> Result<()> {
        self.sweep();
        count(&self.callers, &format!("{} {}", caller.org().id, caller.key()))
    }

    /// Somebody asked who is not known. Too often, and the answer is this refusal instead.
    pub(crate) fn stranger(&self, network: Network) -> Result<()> {
        self.sweep();
        count(&self.strangers, &network)
    }

    /// Somebody wants a link sent to this e-mail address.
    pub fn sign_in(&self, address: &str, network: Network) -> Result<()> {
        self.attempt(network)?;
        count(&self.addresses, &Sha256::digest(address.trim().to_lowercase()).into())
    }

    /// Somebody tries to sign in.
    pub(crate) fn attempt(&self, network: Network) -> Result<()> {
        self.sweep();
        count(&self.sign_ins, &network)
    }

    /// Refuses a network that has shown too many wrong links.
    pub(crate) fn locked_out(&self, network: Network) -> Result<()> {
        let wrong = self.wrong_links.lock().unwrap_or_else(PoisonError::into_inner);
        let left = wrong.get(&network).filter(|wrong| wrong.number >= WRONG_LINKS).and_then(WrongLinks::left);
        left.map_or(Ok(()), |left| Err(refusal(left)))
    }

    /// A link was wrong.
    pub(crate) fn wrong_link(&self, network: Network) {
        let mut wrong = self.wrong_links.lock().unwrap_or_else(PoisonError::into_inner);
        let known = wrong.entry(network).or_insert_with(WrongLinks::none);
        if known.left().is_none() {
            *known = WrongLinks::none();
        }
        known.number += 1;
        if known.number == WRONG_LINKS {
            known.since = Instant::now();
        }
    }

    fn sweep(&self) {
        // Whoever finds it taken leaves the sweeping to the other.
        let Ok(mut swept) = self.swept.try_lock() else { return };
        if swept.elapsed() < SWEPT_EVERY {
            return;
        }
        *swept = Instant::now();
        self.callers.retain_recent();
        self.strangers.retain_recent();
        self.sign_ins.retain_recent();
        self.addresses.retain_recent();
        let mut wrong = self.wrong_links.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.retain(|_, wrong| wrong.left().is_some());
    }
}

impl WrongLinks {
    fn none() -> Self {
        Self { since: Instant::now(), number: 0 }
    }

    /// How long they still count.
    fn left(&self) -> Option<Duration> {
        LOCKOUT.checked_sub(self.since.elapsed()).filter(|left| !left.is_zero())
    }
}

fn count<K: Hash + Eq + Clone>(limiter: &Keyed<K>, key: &K) -> Result<()> {
    limiter.check_key(key).map_err(|early| refusal(early.wait_time_from(DefaultClock::default().now())))
}

fn refusal(left: Duration) -> Error {
    Error::RateLimited { wait: left.as_secs() + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(last: u8) -> Network {
        Network::of([192, 0, 2, last].into())
    }

    fn wait(refused: Result<()>) -> u64 {
        match refused {
            Err(Error::RateLimited { wait }) => wait,
            other => panic!("must be refused: {other:?}"),
        }
    }

    #[test]
    fn ten_wrong_links_lock_their_network_out_and_no_other() {
        let limits = Limits::default();
        for _ in 0..WRONG_LINKS {
            assert!(limits.locked_out(network(1)).is_ok());
            limits.wrong_link(network(1));
        }
        assert!((899..=900).contains(&wait(limits.locked_out(network(1)))));
        assert!(limits.locked_out(network(2)).is_ok());
    }

    #[test]
    fn links_go_to_an_address_however_it_is_written_a_few_times_only() {
        let limits = Limits::default();
        for (nth, written) in ["jo@example.com", " Jo@Example.com", "JO@EXAMPLE.COM "].into_iter().enumerate() {
            limits.sign_in(written, network(nth as u8)).unwrap();
        }
        assert!(wait(limits.sign_in("jo@example.com", network(9))) > 60);
        limits.sign_in("max@example.com", network(9)).unwrap();
    }

    #[test]
    fn strangers_of_one_network_have_a_burst_and_then_a_pause() {
        let limits = Limits::default();
        let let_through = (0..100).take_while(|_| limits.stranger(network(1)).is_ok()).count();
        assert!((20..30).contains(&let_through), "{let_through}");
        assert_eq!(wait((0..50).try_for_each(|_| limits.stranger(network(1)))), 1);
        assert!(limits.stranger(network(2)).is_ok());
    }
}
