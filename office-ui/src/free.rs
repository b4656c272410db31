//! The times that are free, to choose one of: for a visit that is booked, or moved.

use capabilities::Answer;
use chrono::{Days, NaiveDate};
use serde::Serialize;
use serde_json::Value;
use ui_kit::{Detail, Page, text, time};

use crate::words;

/// So many days are shown at once.
const DAYS: u64 = 7;
/// The choice of a time that is typed.
const ANOTHER: &str = "another";

/// A free time.
#[derive(Serialize)]
struct Slot {
    /// Its beginning, its end and who goes, for the form.
    value: String,
    from_to: String,
    who: String,
}

/// A day with what is free on it.
#[derive(Serialize)]
struct Day {
    words: String,
    /// Who has a visit in the area on that day.
    nearby: Vec<String>,
    slots: Vec<Slot>,
}

/// What is free.
#[derive(Serialize)]
pub(crate) struct Free {
    days: Vec<Day>,
    /// In a sentence why nothing is.
    why_none: String,
}

/// The days that are shown.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Week {
    first: NaiveDate,
    today: NaiveDate,
}

/// The ways to other days.
#[derive(Serialize)]
pub(crate) struct Ways {
    earlier: Option<String>,
    later: String,
}

impl Week {
    /// The ways to the days around, by the address of a page that begins with a day.
    pub fn ways(self, path: impl Fn(NaiveDate) -> String) -> Ways {
        let earlier = self.first.checked_sub_days(Days::new(DAYS)).unwrap_or(self.first).max(self.today);
        let later = self.first.checked_add_days(Days::new(DAYS)).unwrap_or(self.first);
        Ways { earlier: (self.first > self.today).then(|| path(earlier)), later: path(later) }
    }
}

/// What was chosen.
pub(crate) enum Chosen<'t> {
    /// One of the free times.
    Free { start: &'t str, end: &'t str, technician: &'t str },
    /// One that was typed, by the clock at the address.
    Typed(&'t str),
}

impl<'t> Chosen<'t> {
    /// The choice, or what a person must do first.
    pub fn of(slot: &'t str, typed: &'t str) -> Result<Self, &'static str> {
        let mut parts = slot.split(' ');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(start), Some(end), Some(technician)) => Ok(Self::Free { start, end, technician }),
            _ if typed.is_empty() && slot == ANOTHER => Err("Choose the day and time."),
            _ if typed.is_empty() => Err("Choose one of the free times, or another one."),
            _ => Ok(Self::Typed(typed)),
        }
    }
}

/// The days from one on, or from today if it is none or past.
pub(crate) fn week_from(page: &Page<'_>, day: &str) -> Week {
    let today = page.today();
    Week { first: day.parse().unwrap_or(today).max(today), today }
}

/// What is free in these days, by the filters of `availability` besides them.
pub(crate) async fn free(page: &mut Page<'_>, week: Week, mut filters: Value) -> Result<Free, Box<Answer>> {
    filters["from"] = week.first.to_string().into();
    filters["to"] = week.first.checked_add_days(Days::new(DAYS - 1)).unwrap_or(week.first).to_string().into();
    let mut found = page.all("availability", filters, Detail::PLAIN).await?;
    found.rows.sort_by_key(|slot| time(&slot["starts_at"]));
    let zone = page.org().timezone;
    let mut days: Vec<(NaiveDate, Day)> = Vec::new();
    for slot in &found.rows {
        let (Some(start), Some(end)) = (time(&slot["starts_at"]), time(&slot["ends_at"])) else { continue };
        let day = start.with_timezone(&zone).date_naive();
        if days.last().is_none_or(|(last, _)| *last != day) {
            days.push((day, Day { words: words::day(day, week.today), nearby: Vec::new(), slots: Vec::new() }));
        }
        let (who, is_near) = (&slot["technicians"][0], slot["near"].is_string());
        let slot = Slot {
            value: format!("{} {} {}", text(&slot["starts_at"]), text(&slot["ends_at"]), text(&who["id"])),
            from_to: words::from_to(start, end, zone),
            who: text(&who["name"]),
        };
        if let Some((_, day)) = days.last_mut() {
            if is_near && !day.nearby.contains(&slot.who) {
                day.nearby.push(slot.who.clone());
            }
            day.slots.push(slot);
        }
    }
    Ok(Free { days: days.into_iter().map(|(_, day)| day).collect(), why_none: found.warning })
}
