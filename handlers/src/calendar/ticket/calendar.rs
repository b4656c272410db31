//! Where a visit fits: who has time for it, and whether it lies within business hours. Technicians are locked before their
//! calendar is looked at, so that of two bookings at once one sees the other.

use std::collections::HashMap;

use capabilities::{Error, Id, Result, Tx, said};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::entities::{Ticket, User};
use crate::house::org::Orgs;
use crate::house::user::Users;

/// A visit's place in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visit {
    /// The ticket, if it is there already: it does not stand in its own way.
    pub ticket: Option<Id<Ticket>>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

/// No visit is longer.
const LONGEST: TimeDelta = TimeDelta::days(7);

impl Visit {
    /// Refuses a visit that ends before it starts or never seems to. `pointer` is where its end stands in the input.
    pub fn checked(self, pointer: &str) -> Result<Self> {
        let length = self.ends_at - self.starts_at;
        match length > TimeDelta::zero() && length <= LONGEST {
            true => Ok(self),
            false => Err(Error::invalid(pointer, "must be after starts_at, and at most seven days")),
        }
    }

    /// What lies in the past is history, which is written down on purpose or not at all.
    pub fn refuse_in_the_past(self, backdated: bool, tx: &Tx<'_>) -> Result<()> {
        match self.starts_at >= tx.now() || backdated {
            true => Ok(()),
            false => Err(Error::conflict(
                "IN_THE_PAST",
                format!("{} is in the past.", said(self.starts_at, tx.org().timezone)),
                "Choose a time to come, or send `backdated: true` to write down a visit that took place.",
            )),
        }
    }

    /// Whether it lies within the hours of one day.
    async fn within_business_hours(self, tx: &mut Tx<'_>) -> Result<bool> {
        let hours = Orgs::own(tx).await?.business_hours.0;
        let zone = tx.org().timezone;
        let (start, end) = (self.starts_at.with_timezone(&zone), self.ends_at.with_timezone(&zone));
        let of_day = hours.get(&start.format("%a").to_string().to_lowercase());
        Ok(of_day.is_some_and(|[opens, closes]| {
            start.date_naive() == end.date_naive()
                && *opens <= start.format("%H:%M").to_string()
                && end.format("%H:%M:%S").to_string() <= format!("{closes}:00")
        }))
    }

    pub async fn warn_outside_business_hours(self, tx: &mut Tx<'_>) -> Result<()> {
        if !self.within_business_hours(tx).await? {
            let message = format!("{} lies outside business hours.", said(self.starts_at, tx.org().timezone));
            tx.warn("outside_business_hours", message, None);
        }
        Ok(())
    }
}

/// Locks the technicians for the rest of the call, in the order of their ids, and tells their names.
pub(super) async fn lock_technicians(ids: &[Id<User>], tx: &mut Tx<'_>) -> Result<Vec<Technician>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let held = Users::hold(&ids, tx).await?;
    Ok(held.into_iter().map(|user| Technician { id: user.id, name: user.name, active: user.active }).collect())
}

/// Somebody whose calendar cannot change meanwhile.
#[derive(Debug, Clone)]
pub(super) struct Technician {
    pub id: Uuid,
    pub name: String,
    active: bool,
}

impl Technician {
    pub fn refuse_deactivated(&self) -> Result<()> {
        match self.active {
            true => Ok(()),
            false => Err(Error::conflict(
                "USER_DEACTIVATED",
                format!("{} is deactivated.", self.name),
                "Choose somebody who works here, or let them in again first with user.reactivate.",
            )),
        }
    }
}

/// A visit of a technician beside the one in question.
struct Neighbour {
    user_id: Uuid,
    ticket_id: Uuid,
    contact_name: String,
    title: String,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

impl Neighbour {
    fn overlaps(&self, visit: Visit) -> bool {
        self.starts_at < visit.ends_at && self.ends_at > visit.starts_at
    }
}

/// Refuses a visit at a time at which a technician has another one, unless the caller allows it; warns of one that follows
/// too closely. The technicians are locked.
pub(super) async fn fit_in(
    visit: Visit,
    technicians: &[Technician],
    allow_overlap: bool,
    tx: &mut Tx<'_>,
) -> Result<()> {
    if technicians.is_empty() {
        return Ok(());
    }
    let buffer = Orgs::own(tx).await?.buffer_minutes;
    let near = neighbours(visit, technicians, TimeDelta::minutes(buffer.into()), tx).await?;
    let (clashes, close): (Vec<Neighbour>, Vec<Neighbour>) = near.into_iter().partition(|other| other.overlaps(visit));
    if !clashes.is_empty() {
        let (words, records) = to_words(&clashes, technicians, tx);
        match allow_overlap {
            true => tx.warn("technician_busy", format!("At the same time: {words}."), Some(records)),
            false => {
                let hint =
                    "Choose another time or technician, or send `allow_overlap: true` if both visits are to stay.";
                return Err(
                    Error::conflict("TECHNICIAN_BUSY", format!("Busy at that time: {words}."), hint).about(records)
                );
            }
        }
    }
    if !close.is_empty() {
        let (words, records) = to_words(&close, technicians, tx);
        let message = format!("Less than {buffer} minutes lie between this visit and another: {words}.");
        tx.warn("little_buffer", message, Some(records));
    }
    Ok(())
}

/// So many are named.
const NAMED: i64 = 10;

async fn neighbours(
    visit: Visit,
    technicians: &[Technician],
    buffer: TimeDelta,
    tx: &mut Tx<'_>,
) -> Result<Vec<Neighbour>> {
    let org_id = tx.org_id();
    let ids: Vec<Uuid> = technicians.iter().map(|technician| technician.id).collect();
    Ok(sqlx::query_as!(
        Neighbour,
        r#"
        select w.user_id, t.id as ticket_id, kept.display_name as "contact_name!", t.title, t.starts_at, t.ends_at
        from tickets t
        join ticket_technicians w on w.org_id = $1 and w.ticket_id = t.id and w.user_id = any($2)
        join frontdesk.contacts c on c.org_id = $1 and c.id = t.contact_id
        join frontdesk.contacts kept on kept.org_id = $1 and kept.id = coalesce(c.merged_into, c.id)
        where t.org_id = $1
          and t.status in ('scheduled', 'in_progress')
          and t.starts_at > $3::timestamptz - interval '168 hours' and t.starts_at < $4 and t.ends_at > $3
          and t.id is distinct from $5
        order by (t.starts_at < $7 and t.ends_at > $6) desc, t.starts_at, t.id
        limit $8
        "#,
        org_id,
        &ids,
        visit.starts_at - buffer,
        visit.ends_at + buffer,
        visit.ticket.map(Id::uuid),
        visit.starts_at,
        visit.ends_at,
        NAMED
    )
    .fetch_all(tx.db())
    .await?)
}

/// Visits in words and for programs.
fn to_words(visits: &[Neighbour], technicians: &[Technician], tx: &Tx<'_>) -> (String, Value) {
    let people: HashMap<Uuid, &str> = technicians.iter().map(|person| (person.id, person.name.as_str())).collect();
    let zone = tx.org().timezone;
    let words = visits.iter().map(|visit| {
        let person = people.get(&visit.user_id).copied().unwrap_or_default();
        let until = visit.ends_at.with_timezone(&zone).format("%-I:%M %p");
        format!(
            "{person} is at {} for {} ({} to {until}, ticket {})",
            visit.contact_name,
            visit.title,
            said(visit.starts_at, zone),
            visit.ticket_id
        )
    });
    let records = visits.iter().map(|visit| {
        json!({
            "ticket_id": visit.ticket_id, "technician_id": visit.user_id, "title": visit.title,
            "contact": visit.contact_name,
            "starts_at": visit.starts_at, "ends_at": visit.ends_at,
        })
    });
    (words.collect::<Vec<_>>().join("; "), records.collect())
}
