//! When a customer wants the visit, and what of that is free.

use capabilities::{Data, DayOrTime, Error, Result, Tx, Tz, When, said};
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::either;
use crate::calendar::ticket::Availability;
use crate::house::user::Users;

pub(super) type Slot = <Availability as Data>::Row;

/// So many slots are offered,
const OFFERED: usize = 5;
/// and of one day beside the wish so many.
const OF_ONE_DAY: usize = 3;
/// Slots are looked for as early as this before the wish,
const BEFORE: TimeDelta = TimeDelta::days(7);
/// and so long from there on.
const ALTOGETHER: TimeDelta = TimeDelta::days(31);

/// How binding a wish is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Book {
    /// As wished or not at all: then what is free near it is told.
    #[default]
    Exact,
    /// As wished, else the nearest free slot.
    Nearest,
    /// Change nothing, only tell what is free.
    OfferOnly,
}

/// A time, or a period in which the visit is to begin.
pub(super) struct TimeWish {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    is_time: bool,
}

/// What was found for a wish.
pub(super) struct Choice {
    /// The slot to take; none where only offers are wanted.
    pub slot: Option<Slot>,
    /// Whether that is, or the offers are, within the wish.
    pub as_wished: bool,
    /// What else is free, the nearest first.
    pub offers: Vec<Slot>,
}

impl TimeWish {
    /// A day, a time, or a period until another one, by the clocks of `zone`.
    pub fn read(wish: DayOrTime, until: Option<DayOrTime>, zone: Tz, tx: &Tx<'_>) -> Result<Self> {
        let is_time = until.is_none() && matches!(wish, DayOrTime::Time(_));
        let from = wish.beginning(zone, "/wish")?;
        let to = match until {
            Some(until) => until.end(zone, "/until")?,
            None => wish.end(zone, "/wish")?,
        };
        if !is_time && (to <= from || to - from > ALTOGETHER) {
            return Err(Error::invalid("/until", "must be after wish, and at most 31 days after it"));
        }
        let past = if is_time { from < tx.now() } else { to <= tx.now() };
        match past {
            false => Ok(Self { from, to, is_time }),
            true => Err(Error::conflict(
                "IN_THE_PAST",
                format!("{} is in the past.", said(from, zone)),
                "Choose a time to come; ticket.schedule writes down a visit that took place.",
            )),
        }
    }

    /// The slot for this wish. Whoever could go is locked first, so that of many who want the last slot one gets it and the
    /// others hear what is free beside it.
    pub async fn choose(&self, book: Book, needs: &Availability, tx: &mut Tx<'_>) -> Result<Choice> {
        if book != Book::OfferOnly {
            hold_calendars(needs, tx).await?;
        }
        let mut wished = self.free_as_wished(needs, tx).await?;
        let as_wished = !wished.is_empty();
        if book == Book::OfferOnly {
            let offers = match as_wished {
                true => spread(wished, OFFERED, tx),
                false => self.free_nearby(needs, tx).await?,
            };
            return Ok(Choice { slot: None, as_wished, offers });
        }
        if as_wished {
            return Ok(Choice { slot: Some(wished.swap_remove(0)), as_wished, offers: Vec::new() });
        }
        let mut offers = self.free_nearby(needs, tx).await?;
        match book == Book::Nearest && !offers.is_empty() {
            true => Ok(Choice { slot: Some(offers.remove(0)), as_wished, offers }),
            false => Err(self.is_not_free(&offers, tx)),
        }
    }

    async fn free_as_wished(&self, needs: &Availability, tx: &mut Tx<'_>) -> Result<Vec<Slot>> {
        let (from, to) = match self.is_time {
            true => (self.from, None),
            false => (self.from.max(tx.now()), Some(exactly(self.to))),
        };
        let wanted = Availability { from: Some(exactly(from)), to, exact: self.is_time, ..needs.clone() };
        Ok(wanted.find(tx).await?.unwrap_or_default())
    }

    /// The nearest free slots.
    async fn free_nearby(&self, needs: &Availability, tx: &mut Tx<'_>) -> Result<Vec<Slot>> {
        let from = (self.from - BEFORE).max(tx.now());
        let (from, to) = (Some(exactly(from)), Some(exactly(from + ALTOGETHER)));
        let around = Availability { from, to, exact: false, ..needs.clone() };
        let mut free = around.find(tx).await?.unwrap_or_default();
        free.sort_by_key(|slot| (self.distance(slot), slot.starts_at));
        Ok(spread(free, OF_ONE_DAY, tx))
    }

    fn distance(&self, slot: &Slot) -> TimeDelta {
        (self.from - slot.starts_at).max(slot.starts_at - self.to).max(TimeDelta::zero())
    }

    fn is_not_free(&self, offers: &[Slot], tx: &Tx<'_>) -> Error {
        let zone = tx.org().timezone;
        let wish = match self.is_time {
            true => said(self.from, zone),
            false => format!("{} to {}", said(self.from, zone), said(self.to, zone)),
        };
        let nearby: Vec<String> = offers.iter().map(|slot| slot.said(tx)).collect();
        let nearby = match nearby.is_empty() {
            true => "Nothing is free within weeks of it".into(),
            false => format!("Free near it: {}", either(&nearby)),
        };
        Error::conflict(
            "NO_FREE_SLOT",
            format!("Not free: {wish}; everybody who could go is busy then, or the business is closed. {nearby}."),
            "Repeat with a `wish` that is free, or with `book: nearest`. ticket.schedule and ticket.reschedule take any time, outside business hours too.",
        )
        .about(offers.iter().map(|slot| serde_json::json!(slot)).collect())
    }
}

/// The first of these slots that do not overlap each other, of one day so many at most.
fn spread(slots: Vec<Slot>, of_one_day: usize, tx: &Tx<'_>) -> Vec<Slot> {
    let day = |slot: &Slot| slot.starts_at.with_timezone(&tx.org().timezone).date_naive();
    let mut offers: Vec<Slot> = Vec::new();
    for slot in slots {
        let apart = |other: &Slot| other.ends_at <= slot.starts_at || slot.ends_at <= other.starts_at;
        let that_day = offers.iter().filter(|other| day(other) == day(&slot)).count();
        if offers.len() < OFFERED && that_day < of_one_day && offers.iter().all(apart) {
            offers.push(slot);
        }
    }
    offers
}

fn exactly(at: DateTime<Utc>) -> DayOrTime {
    DayOrTime::Time(When::Exact(at))
}

/// Locks everybody who could go for the rest of the call, in the order of their ids, as whoever schedules a ticket does.
async fn hold_calendars(needs: &Availability, tx: &mut Tx<'_>) -> Result<()> {
    let on_it = needs.moved.as_ref().map(|moved| moved.technicians.clone()).unwrap_or_default();
    let ids: Vec<Uuid> = match needs.technician_id {
        Some(one) => vec![one.uuid()],
        None if !on_it.is_empty() => on_it,
        None => Users::who_visit(tx).await?.into_iter().map(|user| user.id).collect(),
    };
    Users::hold(&ids, tx).await.map(drop)
}
