//! What a call causes outside the database: recorded in the transaction of the change that caused it, delivered after the
//! commit, and tried again until it works or is given up into an alert.

use std::future::Future;

use chrono::{DateTime, Utc};
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

    /// What makes up for it once it is delivered, since no undo calls it back: a sentence that names the action, such as the
    /// one that refunds a charge.
    const MADE_UP_FOR_BY: Option<&'static str> = None;

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
              (org_id, id, call_id, kind, service, summary, payload, outward, money, state, due_at, created_at)
            select $1, $2, $3, $4, $5, $6, $7, $8, $9,
                   case when o.frozen_at is not null and $8 then 'held' else 'recorded' end, $10, $11
            from orgs o
            where o.org_id = $1 and o.id = $1
            returning state
            "#,
            org_id,
            id,
            call_id,
            E::KIND,
            E::SERVICE,
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
