//! Where somebody should be now.

use capabilities::{Data, DayOrTime, Id, Key, Keyed, Listing, Query, Result, Tx, Who};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::TicketRow;
use super::listing::Tickets;
use crate::entities::User;
use crate::house::user::Users;

/// The ticket somebody should be on now: where their clock runs, else the visit now, else today's next.
///
/// A technician asks for their own, everybody else for one user's or for everybody's, at most one each. An empty list means:
/// no clock is running, no visit is on, and none is still to come today.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CurrentTicket {
    /// Of this user. Left out by a technician: their own; by anybody else: of everybody who has one.
    technician_id: Option<Id<User>>,
}

/// The ticket somebody should be on now.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CurrentTicketRow {
    /// The ticket.
    id: Uuid,
    /// Who should be on it.
    technician_id: Uuid,
    /// Their name.
    technician: String,
    /// clocked_in, now or next_today.
    because: &'static str,
    /// The ticket itself.
    ticket: TicketRow,
}

/// Whose ticket is which, and why.
struct Choice {
    user_id: Uuid,
    technician: String,
    ticket_id: Uuid,
    rank: i32,
}

impl Data for CurrentTicket {
    const NAME: &str = "current_ticket";
    const ONE: &str = "current ticket";
    const WHO: Who = Who::EVERYONE;
    const SORTED_BY: &str = "when the technicians joined";
    type Row = CurrentTicketRow;

    async fn list(self, query: Query, tx: &mut Tx<'_>) -> Result<Listing<CurrentTicketRow>> {
        if let Some(user) = self.technician_id {
            tx.one::<Users>(user).await?;
        }
        let user = self.technician_id.map(Id::uuid).or(tx.caller().only_own());
        let mut places = places(user, tx).await?;
        places.retain(|place| query.ids.as_ref().is_none_or(|ids| ids.contains(&place.ticket_id)));
        let total = places.len();
        places.retain(|place| query.after().1.is_none_or(|after| place.user_id > after));
        places.truncate(query.limit.try_into().unwrap_or_default());
        let tickets = tx.these::<Tickets>(&places.iter().map(|place| place.ticket_id).collect::<Vec<_>>()).await?;
        let rows = places.into_iter().filter_map(|place| {
            let ticket = tickets.iter().find(|ticket| ticket.id == place.ticket_id)?.clone();
            Some(Keyed { key: Key(String::new(), place.user_id), row: place.row(ticket) })
        });
        Ok(Listing::all(total, rows, &query))
    }

    async fn by_ids(ids: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<CurrentTicketRow>> {
        let query = Query { ids: Some(ids.to_vec()), ..Query::first(ids.len() as i64) };
        Ok(tx.list(Self { technician_id: None }, query).await?.into_rows().collect())
    }
}

impl Choice {
    fn row(self, ticket: TicketRow) -> CurrentTicketRow {
        let because = match self.rank {
            1 => "clocked_in",
            2 => "now",
            _ => "next_today",
        };
        CurrentTicketRow { id: ticket.id, technician_id: self.user_id, technician: self.technician, because, ticket }
    }
}

/// One place for each technician, or for this one. Of several running clocks it is the one that was started last: the
/// others were forgotten.
async fn places(user: Option<Uuid>, tx: &mut Tx<'_>) -> Result<Vec<Choice>> {
    let (org_id, now) = (tx.org_id(), tx.now());
    let end_of_day = end_of_day(now, tx)?;
    Ok(sqlx::query_as!(
        Choice,
        r#"
        select distinct on (p.user_id) p.user_id as "user_id!", u.name as "technician!", p.ticket_id as "ticket_id!",
               p.rank as "rank!"
        from (
          select s.user_id, s.ticket_id, 1 as rank, -extract(epoch from s.started_at) as place
          from clock_spans s
          where s.org_id = $1 and s.ended_at is null and ($2::uuid is null or s.user_id = $2)
          union all
          select w.user_id, t.id, case when t.starts_at <= $3 then 2 else 3 end, extract(epoch from t.starts_at)
          from tickets t
          join ticket_technicians w on w.org_id = $1 and w.ticket_id = t.id and ($2 is null or w.user_id = $2)
          where t.org_id = $1
            and t.status in ('scheduled', 'in_progress')
            and t.starts_at > $3::timestamptz - interval '168 hours' and t.starts_at < $4 and t.ends_at > $3
        ) p
        join frontdesk.users u on u.org_id = $1 and u.id = p.user_id
        order by p.user_id, p.rank, p.place, p.ticket_id
        "#,
        org_id,
        user,
        now,
        end_of_day
    )
    .fetch_all(tx.db())
    .await?)
}

fn end_of_day(now: DateTime<Utc>, tx: &Tx<'_>) -> Result<DateTime<Utc>> {
    let zone = tx.org().timezone;
    Ok(DayOrTime::Day(now.with_timezone(&zone).date_naive()).end(zone, "")?)
}
