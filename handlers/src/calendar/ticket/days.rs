//! How full the calendar is, day by day.

use capabilities::{Data, DayOrTime, Error, Id, Key, Keyed, Listing, Query, Result, Tx, Who};
use chrono::{NaiveDate, TimeDelta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entities::User;

/// So far ahead it is looked, unless told otherwise,
const USUALLY: TimeDelta = TimeDelta::days(31);
/// and at most.
const AT_MOST: TimeDelta = TimeDelta::days(366);

/// How many visits each day has: cheaper than `tickets` where only the load matters.
///
/// Cancelled visits and no-shows do not count, and days without a visit are left out. For times that are free ask
/// `availability`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalendarDays {
    /// The first day such as `2030-03-12`, or a time, by the business's clock or with an offset; now if left out.
    from: Option<DayOrTime>,
    /// The last day, which counts whole, or a time; at most 366 days after `from`, 31 if left out.
    to: Option<DayOrTime>,
    /// Only visits that this user works on.
    technician_id: Option<Id<User>>,
}

/// A day with visits.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CalendarDay {
    /// The day, by the business's calendar.
    day: NaiveDate,
    /// Visits that begin then.
    visits: i64,
    /// Minutes that they take, all together, as they are planned.
    minutes: i64,
}

impl Data for CalendarDays {
    const NAME: &str = "calendar_days";
    const ONE: &str = "calendar day";
    const WHO: Who = Who::EVERYONE;
    const SORTED_BY: &str = "day";
    type Row = CalendarDay;

    async fn list(self, query: Query, tx: &mut Tx<'_>) -> Result<Listing<CalendarDay>> {
        if query.ids.is_some() {
            return Ok(Listing::all(0, [], &query));
        }
        let (org_id, zone) = (tx.org_id(), tx.org().timezone);
        let from = self.from.map(|from| from.beginning(zone, "/from")).transpose()?.unwrap_or(tx.now());
        let to = self.to.map(|to| to.end(zone, "/to")).transpose()?.unwrap_or(from + USUALLY);
        if to <= from || to - from > AT_MOST + TimeDelta::days(1) {
            return Err(Error::invalid("/to", "must be after from, and at most 366 days after it"));
        }
        let days = sqlx::query_as!(
            CalendarDay,
            r#"
            select (t.starts_at at time zone $4)::date as "day!", count(*) as "visits!",
                   (extract(epoch from sum(t.ends_at - t.starts_at)) / 60)::bigint as "minutes!"
            from tickets t
            where t.org_id = $1
              and t.starts_at >= $2 and t.starts_at < $3
              and t.status in ('scheduled', 'in_progress', 'closed')
              and ($5::uuid is null or exists (
                select 1 from ticket_technicians w where w.org_id = $1 and w.ticket_id = t.id and w.user_id = $5
              ))
            group by 1
            order by 1
            "#,
            org_id,
            from,
            to,
            zone.name(),
            self.technician_id.map(Id::uuid)
        )
        .fetch_all(tx.db())
        .await?;
        let total = days.len();
        let (after, _) = query.after();
        let rows = days.into_iter().map(|row| Keyed { key: Key(row.day.to_string(), Uuid::nil()), row });
        let rows = rows.filter(|row| after.is_none_or(|after| row.key.0.as_str() > after));
        Ok(Listing::all(total, rows, &query))
    }

    /// A day is no record and has no id.
    async fn by_ids(_: &[Uuid], _: &mut Tx<'_>) -> Result<Vec<CalendarDay>> {
        Ok(Vec::new())
    }
}
