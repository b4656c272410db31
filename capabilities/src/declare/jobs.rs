//! Calls that are due later: judged when they were scheduled, carried out by the system, dropped with the agent that caused
//! them. A standing schedule makes the next one by itself.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use serde_json::Value;
use uuid::Uuid;

use crate::callers::Actor;
use crate::declare::action::Action;
use crate::error::{Error, Result};
use crate::tx::Tx;
use crate::values::when::first_moment;

/// Something that every organization does every day at the same time of its own day.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Stable, snake_case, unique among all.
    pub name: &'static str,
    /// The action.
    pub action: &'static str,
    /// Its input.
    pub input: Value,
    /// The time of the organization's day.
    pub at: NaiveTime,
}

impl Standing {
    /// The next time after `now`, and the day it belongs to. A local time that a clock change leaves out is the first moment
    /// after it; of one that comes twice it is the first.
    pub(crate) fn next(&self, now: DateTime<Utc>, timezone: Tz) -> (DateTime<Utc>, NaiveDate) {
        let mut day = now.with_timezone(&timezone).date_naive();
        loop {
            let due = first_moment(day.and_time(self.at), timezone);
            if due > now {
                return (due, day);
            }
            day = day.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX);
        }
    }
}

/// What is optional in an input is absent, not null.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, member)| !member.is_null());
            kept.map(|(name, member)| (name, without_nulls(member))).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

impl Tx<'_> {
    /// Schedules an action: carried out by the system at `due_at`, or as soon after that as the office is up.
    pub async fn later<A: Action + serde::Serialize>(&mut self, due_at: DateTime<Utc>, action: &A) -> Result<Uuid> {
        let input = serde_json::to_value(action).map_err(|error| Error::Internal(error.to_string()))?;
        let input = without_nulls(input);
        let agent = match self.caller().actor() {
            Actor::Agent { id, .. } => Some(*id),
            _ => None,
        };
        let (org_id, id, call_id, now) = (self.org_id(), self.next_id(), self.call_id(), self.now());
        sqlx::query!(
            r#"
            insert into jobs (org_id, id, action, input, due_at, caused_by, agent_id, created_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            "#,
            org_id,
            id,
            A::NAME,
            input,
            due_at,
            call_id,
            agent,
            now
        )
        .execute(self.db())
        .await?;
        Ok(id)
    }

    /// Makes sure that the next occurrence of a standing schedule is there.
    pub(crate) async fn keep_standing(&mut self, standing: &Standing) -> Result<()> {
        let (org_id, id, now) = (self.org_id(), self.next_id(), self.now());
        let (due_at, occurrence) = standing.next(now, self.org().timezone);
        sqlx::query!(
            r#"
            insert into jobs (org_id, id, action, input, due_at, schedule, occurrence, created_at)
            select $1, $2, $3, $4, $5, $6, $7, $8
            where not exists (select 1 from jobs j where j.org_id = $1 and j.schedule = $6 and j.ended_at is null)
            on conflict (org_id, schedule, occurrence) do nothing
            "#,
            org_id,
            id,
            standing.action,
            standing.input,
            due_at,
            standing.name,
            occurrence,
            now
        )
        .execute(self.db())
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daily(at: &str) -> Standing {
        Standing { name: "trial", action: "job.tidy", input: Value::Null, at: at.parse().unwrap() }
    }

    fn next(at: &str, now: &str, timezone: Tz) -> (String, String) {
        let (due, day) = daily(at).next(now.parse().unwrap(), timezone);
        (due.to_rfc3339(), day.to_string())
    }

    #[test]
    fn the_next_time_is_the_same_local_time_across_clock_changes() {
        let chicago = chrono_tz::America::Chicago;
        assert_eq!(
            next("08:00:00", "2026-03-07T20:00:00Z", chicago),
            ("2026-03-08T13:00:00+00:00".into(), "2026-03-08".into())
        );
        assert_eq!(
            next("08:00:00", "2026-03-07T10:00:00Z", chicago),
            ("2026-03-07T14:00:00+00:00".into(), "2026-03-07".into())
        );
        assert_eq!(
            next("08:00:00", "2026-10-31T14:00:00Z", chicago),
            ("2026-11-01T14:00:00+00:00".into(), "2026-11-01".into())
        );
    }

    #[test]
    fn a_time_that_is_left_out_is_the_moment_after_it_and_one_that_comes_twice_the_first() {
        let chicago = chrono_tz::America::Chicago;
        assert_eq!(next("02:30:00", "2026-03-08T06:00:00Z", chicago).0, "2026-03-08T08:00:00+00:00");
        assert_eq!(next("01:30:00", "2026-11-01T05:00:00Z", chicago).0, "2026-11-01T06:30:00+00:00");
        assert_eq!(next("01:30:00", "2026-11-01T06:30:00Z", chicago).1, "2026-11-02", "once a day");
    }
}
