//! A visit as lists show it: when, where, whose, and the clock of whoever looks.

use chrono::{NaiveDate, TimeDelta};
use serde::Serialize;
use serde_json::Value;
use ui_kit::{Moment, Page, listed, text, time};
use uuid::Uuid;

use crate::words;

/// A number to tap.
#[derive(Serialize)]
pub(crate) struct Phone {
    shown: String,
    kind: String,
    /// What a telephone dials; empty if it is no number.
    dial: String,
}

impl Phone {
    pub fn of(row: &Value) -> Self {
        let kind = match row["type"].as_str() {
            Some(kind @ ("mobile" | "home" | "work")) => kind.into(),
            _ => String::new(),
        };
        Self { shown: text(&row["phone"]), kind, dial: text(&row["e164"]) }
    }

    pub fn all(contact: &Value) -> Vec<Self> {
        contact["phones"].as_array().into_iter().flatten().map(Self::of).collect()
    }
}

/// The visitor's own clock on a ticket, and what its button does.
#[derive(Serialize)]
pub(crate) struct Clock {
    pub since: Option<Moment>,
    pub minutes: String,
}

/// A visit.
#[derive(Serialize)]
pub(crate) struct Card {
    pub id: String,
    pub customer: String,
    title: String,
    pub day: String,
    pub from_to: String,
    machine: String,
    exact: String,
    status: &'static str,
    look: &'static str,
    is_off: bool,
    /// What the customer said, if somebody should do something about it.
    needs_attention: &'static str,
    address: String,
    map: String,
    access: String,
    phone: Option<Phone>,
    who: String,
    /// How long it took; empty if no clock was stopped.
    worked: String,
    pub clock: Option<Clock>,
    /// Whether it is the one to go to now.
    pub is_next: bool,
}

impl Card {
    pub fn is_running(&self) -> bool {
        self.clock.as_ref().is_some_and(|clock| clock.since.is_some())
    }

    /// Whether its clock was not started yet.
    pub fn is_untouched(&self) -> bool {
        self.clock.is_some() && self.worked.is_empty()
    }
}

pub(crate) fn card(page: &Page<'_>, row: &Value) -> Card {
    let (zone, today) = (page.org().timezone, page.today());
    let start = time(&row["starts_at"]).unwrap_or_else(|| page.now());
    let end = time(&row["ends_at"]).unwrap_or(start);
    let moment = page.moment(start);
    let (status, look) = words::status(row);
    let (confirmation, needs_attention) = words::confirmation(row);
    let is_off = !words::takes_place(row);
    Card {
        id: text(&row["id"]),
        customer: text(&row["contact_name"]),
        title: text(&row["title"]),
        day: words::short_day(start.with_timezone(&zone).date_naive(), today),
        from_to: words::from_to(start, end, zone),
        machine: moment.machine,
        exact: moment.exact,
        status,
        look,
        is_off,
        needs_attention: if needs_attention && row["status"] == "scheduled" { confirmation } else { "" },
        address: words::address(&row["address"]),
        map: words::map(&row["address"]),
        access: text(&row["address"]["access_notes"]),
        phone: Phone::all(&row["contact"]).into_iter().next(),
        who: listed(&crew(row).iter().map(|member| text(&member["name"])).collect::<Vec<_>>()),
        worked: took(row).map(words::duration).unwrap_or_default(),
        clock: own_clock(page, row),
        is_next: false,
    }
}

/// The clock that the visitor may start or stop: of a visit that is due, if they are on it.
pub(crate) fn own_clock(page: &Page<'_>, row: &Value) -> Option<Clock> {
    let own = crew(row).iter().find(|member| is(&member["technician_id"], page.visitor().caller.id()))?;
    let since = time(&own["clock_running_since_at"]);
    let is_open = ["scheduled", "in_progress"].contains(&row["status"].as_str().unwrap_or_default());
    let is_due = day_of(page, row) <= page.today();
    let action = if since.is_some() { "ticket.clock_out" } else { "ticket.clock_in" };
    if !page.may(action) || !is_open || !(is_due || since.is_some()) {
        return None;
    }
    let minutes = since.map_or(TimeDelta::zero(), |since| page.now() - since).num_minutes();
    Some(Clock { since: since.map(|at| page.moment(at)), minutes: words::duration(minutes) })
}

/// The day on which a visit begins, where the business is.
pub(crate) fn day_of(page: &Page<'_>, row: &Value) -> NaiveDate {
    let start = time(&row["starts_at"]).unwrap_or_else(|| page.now());
    start.with_timezone(&page.org().timezone).date_naive()
}

/// How many minutes a visit took: of several who worked side by side, the one who was there longest.
fn took(row: &Value) -> Option<i64> {
    let longest = crew(row).iter().filter_map(|member| member["clocked_minutes"].as_i64()).max();
    longest.filter(|minutes| *minutes > 0).or(row["clocked_minutes"].as_i64()).filter(|minutes| *minutes > 0)
}

/// Those who work on a ticket.
pub(crate) fn crew(row: &Value) -> &[Value] {
    row["technicians"].as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn is(value: &Value, id: Option<Uuid>) -> bool {
    id.is_some_and(|id| value.as_str() == Some(id.to_string().as_str()))
}
