//! Callers that were looked up a moment ago, so that a request after the other is not asked of the database again and again.
//!
//! Kept are verified facts by the hash of a token: never the token itself, never a refusal, and nobody who has news to hear.
//! They are forgotten at the first word that something about their organization has changed, and after a second in any case:
//! by the clock that only moves on, and from before they were looked up. Whoever writes is looked at again in the
//! transaction of the write, so what may be a second too old are reads.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::callers::Caller;

/// So long somebody is known.
const KEPT_FOR: Duration = Duration::from_secs(1);
/// No look-up takes longer than this, so a word that is older concerns none.
const LOOKED_UP_WITHIN: Duration = Duration::from_secs(120);

/// The hash of a token.
type Hash = [u8; 32];

/// What was found out about a token.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub caller: Caller,
    /// When the token ends, if it does.
    pub expires_at: Option<DateTime<Utc>>,
    /// Until when this may be believed, by the clock of the office.
    pub good_until: Option<DateTime<Utc>>,
}

/// Those who are known.
#[derive(Debug)]
pub(crate) struct Kept(Mutex<Memory>);

#[derive(Debug)]
struct Memory {
    /// Whether it would be heard if somebody were shown out.
    hears: bool,
    /// Nothing that was looked up before is kept.
    forgotten: Instant,
    swept: Instant,
    orgs: HashMap<Uuid, OfOrg>,
}

#[derive(Debug, Default)]
struct OfOrg {
    forgotten: Option<Instant>,
    callers: HashMap<Hash, (Instant, Known)>,
}

impl Default for Kept {
    fn default() -> Self {
        let now = Instant::now();
        Self(Mutex::new(Memory { hears: false, forgotten: now, swept: now, orgs: HashMap::new() }))
    }
}

impl Kept {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is behind a token, if that is known.
    pub fn find(&self, org: Uuid, hash: &Hash, now: DateTime<Utc>) -> Option<Known> {
        let memory = self.memory();
        let (looked_up, known) = memory.orgs.get(&org)?.callers.get(hash)?;
        let holds = looked_up.elapsed() < KEPT_FOR && known.good_until.is_none_or(|end| now < end);
        holds.then(|| known.clone())
    }

    /// Keeps who is behind a token, as a look-up that began at that moment says: unless a word came since that may make it
    /// untrue, or nobody would hear one.
    pub fn keep(&self, org: Uuid, hash: Hash, began: Instant, known: Known) {
        let mut memory = self.memory();
        if !memory.hears || began <= memory.forgotten {
            return;
        }
        memory.sweep();
        let of_org = memory.orgs.entry(org).or_default();
        if of_org.forgotten.is_none_or(|forgotten| began > forgotten) {
            of_org.callers.insert(hash, (began, known));
        }
    }

    /// Forgets the callers of an organization.
    pub fn forget(&self, org: Uuid) {
        let mut memory = self.memory();
        memory.orgs.insert(org, OfOrg { forgotten: Some(Instant::now()), callers: HashMap::new() });
    }

    /// Forgets everybody.
    pub fn forget_all(&self) {
        self.memory().forget_all();
    }

    /// From now on it is heard, or not, when something changes. Whatever was said before is lost.
    pub fn hears(&self, hears: bool) {
        let mut memory = self.memory();
        memory.forget_all();
        memory.hears = hears;
    }
}

impl Memory {
    fn forget_all(&mut self) {
        self.orgs.clear();
        self.forgotten = Instant::now();
    }

    /// Drops what is too old to be of use, once in a while.
    fn sweep(&mut self) {
        if self.swept.elapsed() < KEPT_FOR {
            return;
        }
        self.swept = Instant::now();
        self.orgs.retain(|_, of_org| {
            of_org.callers.retain(|_, (looked_up, _)| looked_up.elapsed() < KEPT_FOR);
            !of_org.callers.is_empty() || of_org.forgotten.is_some_and(|then| then.elapsed() < LOOKED_UP_WITHIN)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callers::{Actor, OrgFacts};

    const ORG: Uuid = Uuid::from_u128(1);
    const HASH: Hash = [7; 32];
    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn known() -> Known {
        let org = OrgFacts { id: ORG, timezone: chrono_tz::UTC, currency: *b"USD", country: *b"US" };
        Known { caller: Caller::new(org, Actor::System("test".into())), expires_at: None, good_until: None }
    }

    /// Somebody who has been listening for a while.
    fn kept() -> (Kept, Instant) {
        let kept = Kept::default();
        kept.hears(true);
        let now = Instant::now();
        kept.memory().forgotten = now.checked_sub(Duration::from_secs(60)).unwrap();
        (kept, now)
    }

    #[test]
    fn one_who_was_looked_up_is_known_for_a_second_from_before_that() {
        let (kept, now) = kept();
        assert!(kept.find(ORG, &HASH, NOW).is_none());
        kept.keep(ORG, HASH, now, known());
        assert!(kept.find(ORG, &HASH, NOW).is_some());
        assert!(kept.find(ORG, &[8; 32], NOW).is_none() && kept.find(Uuid::nil(), &HASH, NOW).is_none());
        kept.keep(ORG, HASH, now.checked_sub(KEPT_FOR).unwrap(), known());
        assert!(kept.find(ORG, &HASH, NOW).is_none(), "a second is over");
    }

    #[test]
    fn nobody_is_kept_while_nobody_listens_or_by_a_look_up_that_began_before_a_word_came() {
        let (kept, now) = kept();
        kept.keep(ORG, HASH, now, known());
        kept.forget(ORG);
        assert!(kept.find(ORG, &HASH, NOW).is_none(), "a word empties");
        kept.keep(ORG, HASH, now, known());
        assert!(kept.find(ORG, &HASH, NOW).is_none(), "the look-up began before the word");
        kept.forget(Uuid::nil());
        kept.keep(ORG, HASH, Instant::now(), known());
        assert!(kept.find(ORG, &HASH, NOW).is_some(), "a word about others is none about these");
        kept.hears(false);
        assert!(kept.find(ORG, &HASH, NOW).is_none(), "a lost listener empties");
        kept.keep(ORG, HASH, Instant::now(), known());
        assert!(kept.find(ORG, &HASH, NOW).is_none(), "nobody listens");
        let before = Instant::now();
        kept.hears(true);
        kept.keep(ORG, HASH, before, known());
        assert!(kept.find(ORG, &HASH, NOW).is_none(), "the look-up began before somebody listened");
    }

    #[test]
    fn a_token_that_ends_is_known_no_longer_than_it_holds() {
        let (kept, now) = kept();
        let ends = NOW + chrono::TimeDelta::minutes(1);
        kept.keep(ORG, HASH, now, Known { good_until: Some(ends), ..known() });
        assert!(kept.find(ORG, &HASH, NOW).is_some() && kept.find(ORG, &HASH, ends).is_none());
    }

    #[test]
    fn what_is_of_no_use_any_more_is_dropped() {
        let (kept, now) = kept();
        let long_ago = now.checked_sub(Duration::from_secs(5)).unwrap();
        kept.keep(ORG, HASH, long_ago, known());
        kept.memory().swept = long_ago;
        kept.keep(Uuid::nil(), HASH, now, known());
        assert_eq!(kept.memory().orgs.keys().collect::<Vec<_>>(), [&Uuid::nil()]);
    }
}
