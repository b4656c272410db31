//! Putting right what was clocked: when a stretch of work really was, or that it was none.

use capabilities::{Action, Effect, Error, Id, PermissionClass, Result, Tx, When, Who};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::clock::{Clock, ClockSpans, Span, SpanRow, Written};
use super::locking::Locked;
use crate::entities::ClockSpan;

/// Correct when somebody worked on a ticket: what is left out stays.
///
/// For a clock that was started or stopped too early or too late. A technician corrects only their own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateClockSpan {
    /// The stretch of work.
    pub clock_span_id: Id<ClockSpan>,
    /// Refuse if it is at another version by now.
    pub expected_version: Option<i32>,
    /// When it began, by the clock at the address or with an offset.
    pub started_at: Option<When>,
    /// When it ended; of a clock that runs, this stops it.
    pub ended_at: Option<When>,
}

impl Action for UpdateClockSpan {
    const NAME: &str = "ticket.update_clock_span";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::SoftLimit;
    const WHO: Who = Who::EVERYONE;
    type Output = SpanRow;

    fn example() -> Value {
        json!({"expected_version": 1, "started_at": "2029-12-12T09:15"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<SpanRow> {
        let (clock, span) = in_hand(self.clock_span_id, self.expected_version, tx).await?;
        let (start, end) = self.corrected(&clock, &span, tx)?;
        if (start, end) == (span.started_at, span.ended_at) {
            return Ok(span);
        }
        let meanwhile = |other: &&Span| {
            other.id != span.id
                && end.is_none_or(|end| other.started_at < end)
                && other.ended_at.is_none_or(|ended| ended > start)
        };
        if let Some(other) = clock.spans(tx).await?.iter().find(meanwhile) {
            return Err(clock.overlaps(other, tx));
        }
        let org_id = tx.org_id();
        let written = sqlx::query_as!(
            Written,
            r#"
            update clock_spans
            set started_at = $3, ended_at = $4
            where org_id = $1 and id = $2
            returning id, started_at, ended_at, version, created_at
            "#,
            org_id,
            span.id,
            start,
            end
        )
        .fetch_one(tx.db())
        .await?;
        clock.ticket.count_change(tx).await?;
        Ok(clock.row(&written))
    }
}

impl UpdateClockSpan {
    /// When it really began and ended.
    fn corrected(&self, clock: &Clock, span: &SpanRow, tx: &Tx<'_>) -> Result<(DateTime<Utc>, Option<DateTime<Utc>>)> {
        let start = self.started_at.map(|at| clock.past(at, "/started_at", tx)).transpose()?.unwrap_or(span.started_at);
        let end = self.ended_at.map(|at| clock.past(at, "/ended_at", tx)).transpose()?.or(span.ended_at);
        let pointer = if self.ended_at.is_some() { "/ended_at" } else { "/started_at" };
        match end {
            Some(end) if end < start => {
                let (start, end) = (clock.said(start, tx), clock.said(end, tx));
                Err(Error::invalid(
                    pointer,
                    format!("must not turn it around: it would begin on {start} and end on {end}"),
                ))
            }
            end => Ok((start, end)),
        }
    }
}

/// Take a stretch of work off a ticket, because it was none: a clock started by mistake.
///
/// Without any left, the ticket is scheduled again, as if nobody had begun. A technician takes off only their own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveClockSpan {
    /// The stretch of work.
    pub clock_span_id: Id<ClockSpan>,
    /// Refuse if it is at another version by now.
    pub expected_version: Option<i32>,
}

/// What was taken off.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Removed {
    /// The stretch of work that is gone.
    id: Uuid,
    /// The ticket it was on.
    ticket_id: Uuid,
}

impl Action for RemoveClockSpan {
    const NAME: &str = "ticket.remove_clock_span";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::SoftLimit;
    const WHO: Who = Who::EVERYONE;
    type Output = Removed;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Removed> {
        let (_, span) = in_hand(self.clock_span_id, self.expected_version, tx).await?;
        tx.leaving(&[self.clock_span_id]).await?;
        let org_id = tx.org_id();
        sqlx::query!("delete from clock_spans where org_id = $1 and id = $2", org_id, span.id).execute(tx.db()).await?;
        sqlx::query!(
            r#"
            update tickets
            set version = version + 1,
                status = case
                  when exists (select 1 from clock_spans where org_id = $1 and ticket_id = $2) then status
                  else 'scheduled'
                end
            where org_id = $1 and id = $2
            "#,
            org_id,
            span.ticket_id
        )
        .execute(tx.db())
        .await?;
        Ok(Removed { id: span.id, ticket_id: span.ticket_id })
    }
}

/// The stretch of work and its clock, the ticket locked first, if the caller may correct it.
async fn in_hand(id: Id<ClockSpan>, expected_version: Option<i32>, tx: &mut Tx<'_>) -> Result<(Clock, SpanRow)> {
    let span = tx.one::<ClockSpans>(id).await?;
    let ticket = Locked::open(span.ticket_id.into(), None, tx).await?;
    if tx.caller().only_own().is_some_and(|user| user != span.technician_id) {
        return Err(Error::Forbidden("A technician may correct only a clock of their own.".into()));
    }
    let clock = Clock::hold(ticket, span.technician_id.into(), tx).await?;
    tx.lock(id, expected_version).await?;
    Ok((clock, tx.one::<ClockSpans>(id).await?))
}
