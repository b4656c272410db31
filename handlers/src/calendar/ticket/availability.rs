//! When there is time for a visit, and who has it.

use std::collections::HashMap;

use capabilities::{Data, DayOrTime, Error, Id, Key, Keyed, Listing, Query, Result, Text, Tx, Who, said};
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::listing::Tickets;
use super::slots::{Busy, Hours, Span, places};
use crate::entities::{Contact, Service, Ticket, User};
use crate::house::org::Orgs;
use crate::house::service::Services;
use crate::house::user::Users;

/// So far ahead slots are looked for, unless told otherwise,
const USUALLY: TimeDelta = TimeDelta::days(14);
/// and at most. A month in which the clocks are set back is an hour longer.
const AT_MOST: TimeDelta = TimeDelta::hours(31 * 24 + 2);

/// Free slots for a visit: within business hours, when a technician has time.
///
/// Only times to come, with the business's buffer between visits. A slot begins when the business opens, at a full or half
/// hour, or as soon as somebody is free after a visit, which lasts until its planned end, or longer while its clock runs.
/// It takes `duration_minutes`, else as long as the contact's last visit, else as long as the service does, else the
/// business's usual length. An empty list means that nobody has time then; a warning says why.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Availability {
    /// The first day such as `2030-03-12`, or a time, by the business's clock or with an offset; now if left out.
    pub from: Option<DayOrTime>,
    /// The last day, which counts whole, or a time, before which slots begin; at most 31 days after `from`, 14 if left out.
    pub to: Option<DayOrTime>,
    /// Only the slot that begins at `from` itself, whether or not that is at a half hour.
    #[serde(default)]
    pub exact: bool,
    /// How long the visit takes.
    #[schemars(range(min = 1, max = 1_440))]
    pub duration_minutes: Option<i32>,
    /// For this service.
    pub service_id: Option<Id<Service>>,
    /// For this customer.
    pub contact_id: Option<Id<Contact>>,
    /// Only when this user is free; without it any technician, or where the business has none anybody who works here.
    pub technician_id: Option<Id<User>>,
    /// A postal code: first the slots of technicians who have a visit there, or nearby, on that day.
    pub near: Option<Text<20>>,
    /// For moving this visit: it does not stand in its own way, it takes as long as it does, and all who are on it must be
    /// free.
    pub ticket_id: Option<Id<Ticket>>,
    /// What there is to know of that visit.
    #[serde(skip)]
    #[schemars(skip)]
    pub moved: Option<Moved>,
}

/// A visit that is to be moved: it does not stand in its own way, and all who are on it must be free.
#[derive(Clone)]
pub(crate) struct Moved {
    ticket: Uuid,
    pub technicians: Vec<Uuid>,
}

/// Somebody who is free.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Free {
    /// The user.
    pub id: Uuid,
    /// Their name.
    pub name: String,
}

/// A free slot.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Slot {
    /// When the visit would begin, UTC.
    pub starts_at: DateTime<Utc>,
    /// When it would end, UTC.
    pub ends_at: DateTime<Utc>,
    /// Who is free; first whoever is near on that day.
    pub technicians: Vec<Free>,
    /// With `near`: who has a visit there or nearby on that day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near: Option<String>,
    /// 0 where a visit has the very postal code, 1 where one is in its area, 2 elsewhere.
    #[serde(skip)]
    #[schemars(skip)]
    distance: u8,
}

impl Slot {
    /// In words, for a list of them.
    pub fn said(&self, tx: &Tx<'_>) -> String {
        let names: Vec<&str> = self.technicians.iter().map(|technician| technician.name.as_str()).collect();
        format!("{} ({})", said(self.starts_at, tx.org().timezone), names.join(", "))
    }
}

impl Data for Availability {
    const NAME: &str = "availability";
    const ONE: &str = "slot";
    const WHO: Who = Who::EVERYONE;
    const SORTED_BY: &str = "starts_at; with `near` first what is near";
    type Row = Slot;

    async fn list(self, query: Query, tx: &mut Tx<'_>) -> Result<Listing<Slot>> {
        if query.ids.is_some() {
            return Ok(Listing::all(0, [], &query));
        }
        let asked = match self.ticket_id {
            Some(ticket) => self.for_moving(ticket, tx).await?,
            None => self,
        };
        let found = asked.find(tx).await?;
        if let Err(why) = &found {
            tx.warn("no_free_slot", why.clone(), None);
        }
        let mut slots = found.unwrap_or_default();
        slots.sort_by_key(|slot| (slot.distance, slot.starts_at));
        let total = slots.len();
        let rows = slots.into_iter().map(|row| Keyed { key: key(&row), row });
        let rows = rows.filter(|row| query.after.as_ref().is_none_or(|after| row.key.0 > after.0));
        Ok(Listing::all(total, rows, &query))
    }

    /// A slot is no record and has no id.
    async fn by_ids(_: &[Uuid], _: &mut Tx<'_>) -> Result<Vec<Slot>> {
        Ok(Vec::new())
    }
}

fn key(slot: &Slot) -> Key {
    Key(format!("{} {}", slot.distance, slot.starts_at.to_rfc3339_opts(SecondsFormat::Secs, true)), Uuid::nil())
}

/// The visits that technicians have within a period, each until it ends, and the postal code of those in the area asked for.
struct Visits {
    of: Vec<(Uuid, Span, Option<String>)>,
}

impl Availability {
    /// What a ticket needs that is to be moved: as long as before, and everybody who is on it.
    pub async fn to_move(ticket: Id<Ticket>, minutes: i64, tx: &mut Tx<'_>) -> Result<Self> {
        let (org_id, ticket) = (tx.org_id(), ticket.uuid());
        let technicians = sqlx::query_scalar!(
            "select user_id from ticket_technicians where org_id = $1 and ticket_id = $2 order by user_id",
            org_id,
            ticket
        )
        .fetch_all(tx.db())
        .await?;
        let minutes = i32::try_from(minutes).ok();
        Ok(Self { duration_minutes: minutes, moved: Some(Moved { ticket, technicians }), ..Self::default() })
    }

    async fn for_moving(self, id: Id<Ticket>, tx: &mut Tx<'_>) -> Result<Self> {
        let ticket = tx.one::<Tickets>(id).await?;
        let needs = Self::to_move(id, (ticket.ends_at - ticket.starts_at).num_minutes(), tx).await?;
        Ok(Self { duration_minutes: self.duration_minutes.or(needs.duration_minutes), moved: needs.moved, ..self })
    }

    /// All free slots in the order in which they begin, or in a sentence why there is none.
    pub async fn find(&self, tx: &mut Tx<'_>) -> Result<Result<Vec<Slot>, String>> {
        let people = self.people(tx).await?;
        let org = Orgs::own(tx).await?;
        let period = self.period(tx)?;
        let length = TimeDelta::minutes(self.minutes(org.default_ticket_minutes, tx).await?.into());
        if period.0 >= period.1 {
            return Ok(Err("The whole period is past.".into()));
        }
        let hours = Hours { zone: tx.org().timezone, of_day: org.business_hours.0 };
        let buffer = TimeDelta::minutes(org.buffer_minutes.into());
        let visits = self.visits(period, length + buffer, &people, tx).await?;
        let all: Vec<Busy> = people.iter().map(|one| Busy::new(visits.of(one.id), buffer)).collect();
        let open = hours.open(period)?;
        let slots = match self.exact {
            true => vec![(period.0, period.0 + length)],
            false => places(&open, &hours, &all, period, length),
        };
        let fits = |slot: &Span| open.iter().any(|open| open.0 <= slot.0 && slot.1 <= open.1);
        let near = self.near(&visits, &hours);
        let slots = slots.into_iter().filter(fits);
        let free: Vec<Slot> = slots.filter_map(|slot| self.slot(slot, &people, &all, &near, &hours)).collect();
        Ok(if free.is_empty() { Err(self.why_none(&open, &people, length)) } else { Ok(free) })
    }

    /// Those who could go.
    async fn people(&self, tx: &mut Tx<'_>) -> Result<Vec<Free>> {
        let moved = self.moved.iter().flat_map(|moved| moved.technicians.clone()).collect::<Vec<_>>();
        let people = match self.technician_id {
            Some(one) => vec![tx.one::<Users>(one).await?],
            None if !moved.is_empty() => tx.these::<Users>(&moved).await?,
            None => Users::who_visit(tx).await?,
        };
        Ok(people.into_iter().filter(|user| user.active).map(|user| Free { id: user.id, name: user.name }).collect())
    }

    /// The instants at or after which, and before which, slots begin.
    fn period(&self, tx: &Tx<'_>) -> Result<Span> {
        let (zone, now) = (tx.org().timezone, tx.now());
        let given = self.from.map(|from| from.beginning(zone, "/from")).transpose()?;
        let from = given.unwrap_or(now);
        let to = self.to.map(|to| to.end(zone, "/to")).transpose()?;
        if given.is_some() && to.is_some_and(|to| to <= from) {
            return Err(Error::invalid("/to", "must be after from"));
        }
        let to = to.unwrap_or(from + USUALLY);
        match to - from <= AT_MOST {
            true if self.exact => Ok((from, if from < now { from } else { from + TimeDelta::minutes(1) })),
            true => Ok((from.max(now), to)),
            false => Err(Error::invalid("/to", "must be at most 31 days after from")),
        }
    }

    async fn minutes(&self, usual: i32, tx: &mut Tx<'_>) -> Result<i32> {
        if let Some(minutes) = self.duration_minutes {
            return Ok(minutes);
        }
        let of_service = match self.service_id {
            Some(service) => tx.one::<Services>(service).await?.duration_minutes,
            None => None,
        };
        let last = match self.contact_id {
            Some(contact) => last_visit(contact, tx).await?,
            None => None,
        };
        Ok(last.or(of_service).unwrap_or(usual))
    }

    /// `around` is how much before and after a slot must be free too. Whoever works longer than planned is busy until the
    /// clock was stopped, or until now; a clock that runs on a visit of days ago was forgotten. The first three characters
    /// of a postal code tell the area.
    async fn visits(&self, period: Span, around: TimeDelta, people: &[Free], tx: &mut Tx<'_>) -> Result<Visits> {
        let (org_id, now) = (tx.org_id(), tx.now());
        let ids: Vec<Uuid> = people.iter().map(|one| one.id).collect();
        let rows = sqlx::query!(
            r#"
            select w.user_id, t.starts_at, a.postal_code,
                   case t.status when 'scheduled' then t.ends_at else greatest(t.ends_at, (
                     select max(coalesce(s.ended_at, $6)) from clock_spans s
                     where s.org_id = $1 and s.ticket_id = t.id and s.user_id = w.user_id
                   )) end as "ends_at!"
            from tickets t
            join ticket_technicians w on w.org_id = $1 and w.ticket_id = t.id and w.user_id = any($2)
            left join frontdesk.addresses a
              on a.org_id = $1 and a.id = t.address_id and upper(left(a.postal_code, 3)) = upper(left($7, 3))
            where t.org_id = $1
              and t.status in ('scheduled', 'in_progress')
              and t.starts_at > $3::timestamptz - interval '168 hours' and t.starts_at < $4 and t.ends_at > $3
              and t.id is distinct from $5
            "#,
            org_id,
            &ids,
            period.0 - TimeDelta::days(1) - around,
            period.1 + TimeDelta::days(1) + around,
            self.moved.as_ref().map(|moved| moved.ticket),
            now,
            self.near.as_ref().map(Text::as_str)
        )
        .fetch_all(tx.db())
        .await?;
        let of = rows.into_iter().map(|row| (row.user_id, (row.starts_at, row.ends_at), row.postal_code));
        Ok(Visits { of: of.collect() })
    }

    /// Of each technician and day, the visit that is nearest to what was asked for.
    fn near(&self, visits: &Visits, hours: &Hours) -> Near {
        let mut near = Near::new();
        let Some(wanted) = &self.near else { return near };
        for (user, (begin, _), code) in &visits.of {
            let Some(code) = code else { continue };
            let distance = u8::from(!code.eq_ignore_ascii_case(wanted.as_str()));
            let nearest = near.entry((*user, hours.day_of(*begin))).or_insert_with(|| (distance, code.clone()));
            if distance < nearest.0 {
                *nearest = (distance, code.clone());
            }
        }
        near
    }

    fn slot(&self, slot: Span, people: &[Free], all: &[Busy], near: &Near, hours: &Hours) -> Option<Slot> {
        let day = hours.day_of(slot.0);
        let distance = |one: &Free| near.get(&(one.id, day)).map_or(2, |(distance, _)| *distance);
        let mut free: Vec<Free> =
            people.iter().zip(all).filter(|(_, busy)| busy.is_free(slot)).map(|(one, _)| one.clone()).collect();
        let together = self.moved.as_ref().is_some_and(|moved| !moved.technicians.is_empty());
        if free.is_empty() || together && free.len() < people.len() {
            return None;
        }
        free.sort_by_key(distance);
        let first = free.first()?;
        let why = near.get(&(first.id, day)).map(|(_, code)| format!("{} has a visit in {code} that day", first.name));
        Some(Slot { starts_at: slot.0, ends_at: slot.1, distance: distance(first), technicians: free, near: why })
    }

    fn why_none(&self, open: &[Span], people: &[Free], length: TimeDelta) -> String {
        let longest = open.iter().map(|open| open.1 - open.0).max();
        match longest {
            _ if people.is_empty() => "Nobody is there who could go.".into(),
            None => "The business is closed throughout.".into(),
            Some(longest) if longest < length => {
                let (needed, longest) = (length.num_minutes(), longest.num_minutes());
                format!("The visit takes {needed} minutes, and the business is never open for more than {longest}.")
            }
            Some(_) if self.exact => "The business is closed then, or nobody is free.".into(),
            Some(_) => "Everybody is busy throughout.".into(),
        }
    }
}

/// How near the nearest visit is, and its postal code, by technician and day.
type Near = HashMap<(Uuid, NaiveDate), (u8, String)>;

impl Visits {
    fn of(&self, user: Uuid) -> Vec<Span> {
        self.of.iter().filter(|(of, ..)| *of == user).map(|(_, span, _)| *span).collect()
    }
}

/// How many minutes the customer's last visit was to take that took place.
async fn last_visit(contact: Id<Contact>, tx: &mut Tx<'_>) -> Result<Option<i32>> {
    let org_id = tx.org_id();
    Ok(sqlx::query_scalar!(
        r#"
        select least(extract(epoch from t.ends_at - t.starts_at)::int / 60, 1440) as "minutes!"
        from tickets t
        join frontdesk.contacts c on c.org_id = $1 and c.id = t.contact_id and (c.id = $2 or c.merged_into = $2)
        where t.org_id = $1 and t.status = 'closed'
        order by t.starts_at desc
        limit 1
        "#,
        org_id,
        contact.uuid()
    )
    .fetch_optional(tx.db())
    .await?)
}
