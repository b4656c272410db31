//! What a call causes outside the database: recorded in the transaction of the change that caused it, delivered after the
//! commit, and tried again until it works or is given up into an alert.

use std::future::Future;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::callers::{Caller, OrgFacts};
use crate::error::{Error, Result};
use crate::office::Office;
use crate::tx::Tx;
use crate::world::Letter;

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

/// Which way money goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From a customer to the business.
    Charge,
    /// Back to a customer.
    Refund,
}

/// Money that an errand moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Payment {
    /// Which way it goes.
    pub direction: Direction,
    /// In minor units: cents.
    pub amount: i64,
    /// Its ISO 4217 currency.
    pub currency: String,
    /// The customer's name.
    pub customer: String,
}

/// Why an errand was not delivered. The text is for people who run the office; it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undelivered {
    /// The service may take it later.
    Later(String),
    /// It will never take it.
    Never(String),
    /// Nothing calls for it any more: it ends well, and says this.
    Needless(String),
}

impl From<Error> for Undelivered {
    fn from(error: Error) -> Self {
        match error.is_ours() {
            true => Self::Later(error.message()),
            false => Self::Never(error.message()),
        }
    }
}

/// An errand in the hands of a worker.
pub struct Delivery<'d> {
    pub(crate) office: &'d Office,
    pub(crate) caller: &'d Caller,
    pub(crate) key: Uuid,
}

impl Delivery<'_> {
    /// The same at every attempt: what the service recognises a repeat by.
    #[must_use]
    pub fn key(&self) -> Uuid {
        self.key
    }

    /// The office, for what is only made when it is sent: a sign-in link.
    #[must_use]
    pub fn office(&self) -> &Office {
        self.office
    }

    /// Sends a letter.
    pub async fn mail(&self, letter: &Letter) -> std::result::Result<(), Undelivered> {
        match &self.office.mail {
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

/// An errand of this call and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub id: Uuid,
    pub kind: String,
    pub summary: String,
    /// `recorded`: it will be done after the commit. `held`: after the freeze. Not done yet, so nobody should say "sent".
    pub state: String,
    /// What the worker gets; people see it in a preview.
    #[serde(skip)]
    pub payload: Value,
    #[serde(skip)]
    pub outward: bool,
    /// The mail it will be.
    #[serde(skip)]
    pub letter: Option<Letter>,
    #[serde(skip)]
    pub payment: Option<Payment>,
}

impl Recorded {
    /// The money it moves, either way, in minor units.
    pub fn money(&self) -> i64 {
        self.payment.as_ref().map_or(0, |payment| payment.amount.saturating_abs())
    }

    /// As a preview tells of it, without what only the worker needs.
    pub fn shown(&self) -> Value {
        let mut shown = json!({"kind": self.kind, "summary": self.summary});
        if let Some(letter) = &self.letter {
            shown["letter"] = json!(letter);
        }
        if let Some(payment) = &self.payment {
            shown["payment"] = json!(payment);
        }
        shown
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
        if self.office().registry.errand(E::KIND).is_none() {
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
            letter: errand.preview(),
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
