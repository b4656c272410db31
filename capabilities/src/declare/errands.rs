//! What a call causes outside the database: recorded in the transaction of the change that caused it, delivered after the
//! commit, and tried again until it works or is given up into an alert.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use uuid::Uuid;

use crate::answer::Recorded;
use crate::callers::{Caller, OrgFacts};
use crate::error::{Error, Result};
use crate::tx::{Access, Ground, Tx};
use crate::values::amounts::Payment;
use crate::world::{Letter, Undelivered, World};

/// Something to be done after the commit: an e-mail, a charge.
pub trait Errand: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Stable, snake_case: `send_email`.
    const KIND: &'static str;
    /// The outside service it needs: while that is down, all errands that need it wait.
    const SERVICE: &'static str;
    /// Whether it reaches customers or others outside. The freeze holds what does, and agents have a budget of it; what goes
    /// to the business's own people goes out always.
    const OUTWARD: bool = true;

    /// How long an attempt may take, and when it is tried again.
    const RETRIES: Retries = Retries::USUAL;

    /// What makes up for it once it is delivered, since no undo calls it back: a sentence that names the action, such as the
    /// one that refunds a charge.
    const MADE_UP_FOR_BY: Option<&'static str> = None;

    /// Whose account with the service it uses, where not all of them share one: while that does not work, only what needs it
    /// waits.
    fn account(&self) -> String {
        String::new()
    }

    /// One sentence for people: "E-mail to jane@example.com: Your appointment".
    fn summary(&self) -> String;

    /// Of an errand that mails: its letter, made by the very code that makes the one that is sent. Where a link with a token
    /// will stand it has [`LINK_TO_COME`], because a preview is kept and such a link must not be.
    fn preview(&self) -> Option<Letter> {
        None
    }

    /// The money it moves.
    fn payment(&self) -> Option<Payment> {
        None
    }

    /// Does it. May be asked again although it worked, when whoever asked died before writing that down: the service gets
    /// [`Delivery::key`] and does it once.
    fn deliver(&self, delivery: &Delivery<'_>) -> impl Future<Output = std::result::Result<(), Undelivered>> + Send;
}

/// How long a claim holds: longer than any attempt.
pub(crate) const CLAIM: TimeDelta = TimeDelta::seconds(90);

/// How long an attempt may take, and when an errand that did not work is tried again.
#[derive(Debug, Clone, Copy)]
pub struct Retries {
    /// An attempt that takes longer has failed. Shorter than a claim holds, which is 90 seconds.
    pub patience: Duration,
    /// The pause after the first failure; it doubles each time,
    pub first_pause: Duration,
    /// up to this one.
    pub longest_pause: Duration,
    /// After so many failures it is given up into an alert.
    pub attempts: i32,
}

impl Retries {
    /// For about five hours: pauses from a quarter of a minute to an hour.
    pub const USUAL: Self = Self {
        patience: Duration::from_secs(30),
        first_pause: Duration::from_secs(15),
        longest_pause: Duration::from_secs(3_600),
        attempts: 12,
    };

    /// Doubling pauses with a fifth more or less, so that what failed together does not come back together.
    pub(crate) fn pause_after(&self, attempts: i32) -> TimeDelta {
        let doublings = attempts.clamp(1, 31).unsigned_abs() - 1;
        let pause = self.first_pause.saturating_mul(1 << doublings).min(self.longest_pause);
        let share = 0.8 + 0.4 * f64::from(rand::random::<u32>()) / f64::from(u32::MAX);
        TimeDelta::from_std(pause.mul_f64(share)).unwrap_or(TimeDelta::MAX)
    }
}

/// What stands in a preview for a link that is made when the mail is sent.
pub const LINK_TO_COME: &str = "[a link that is made when this is sent]";

/// An errand in the hands of a worker.
pub struct Delivery<'d> {
    pub(crate) ground: &'d Ground,
    pub(crate) caller: &'d Caller,
    pub(crate) key: Uuid,
}

impl<'d> Delivery<'d> {
    /// The same at every attempt: what the service recognises a repeat by.
    #[must_use]
    pub fn key(&self) -> Uuid {
        self.key
    }

    /// A transaction that reads, for what is only known when it is sent.
    pub async fn begin(&self) -> Result<Tx<'d>> {
        Tx::begin(self.ground, self.caller, Access::Read).await
    }

    /// Where people find the pages, without a slash at the end.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.ground.address
    }

    /// The world outside.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.ground.world
    }

    /// Sends a letter.
    pub async fn mail(&self, letter: &Letter) -> std::result::Result<(), Undelivered> {
        match &self.ground.world.mail {
            Some(mail) => mail.send(letter, self.key).await,
            None => Err(Undelivered::Later("no way to send mail is configured".into())),
        }
    }

    /// The organization it is for.
    #[must_use]
    pub fn org(&self) -> &OrgFacts {
        self.caller.org()
    }
}

impl Tx<'_> {
    /// Records something to be done outside after the commit.
    pub async fn errand<E: Errand>(&mut self, errand: &E) -> Result<()> {
        let now = self.now();
        self.errand_due(errand, now).await
    }

    /// The same for later.
    pub(crate) async fn errand_due<E: Errand>(&mut self, errand: &E, due_at: DateTime<Utc>) -> Result<()> {
        if self.ground().dispatch.errand(E::KIND).is_none() {
            return Err(Error::Internal(format!("no domain lists the errand {}", E::KIND)));
        }
        let payload = serde_json::to_value(errand).map_err(|error| Error::Internal(error.to_string()))?;
        let (org_id, id, call_id, now) = (self.org_id(), self.next_id(), self.call_id(), self.now());
        let recorded = Recorded {
            id,
            kind: E::KIND.into(),
            summary: errand.summary(),
            state: String::new(),
            payload,
            outward: E::OUTWARD,
            letter: errand.preview().map(|letter| json!(letter)),
            payment: errand.payment(),
        };
        let state = sqlx::query_scalar!(
            r#"
            insert into errands
              (org_id, id, call_id, kind, service, account, summary, payload, outward, money, state, due_at, created_at)
            select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
                   case when o.frozen_at is not null and $9 then 'held' else 'recorded' end, $11, $12
            from orgs o
            where o.org_id = $1 and o.id = $1
            returning state
            "#,
            org_id,
            id,
            call_id,
            E::KIND,
            E::SERVICE,
            errand.account(),
            recorded.summary,
            recorded.payload,
            recorded.outward,
            recorded.money(),
            due_at,
            now
        )
        .fetch_one(self.db())
        .await?;
        self.running.errands.push(Recorded { state, ..recorded });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_a_fifth_more_or_less() {
        for (attempts, seconds) in [(1, 15), (2, 30), (5, 240), (9, 3_600), (40, 3_600)] {
            let pause = Retries::USUAL.pause_after(attempts).num_milliseconds() as f64;
            let expected = f64::from(seconds) * 1_000.0;
            assert!((expected * 0.79..=expected * 1.21).contains(&pause), "{attempts}: {pause}");
        }
    }
}
