//! One visit: whose, where and how to get in, what is to be done, who is there and since when, and the forms to change it.

use capabilities::{Answer, Error, OrgFacts};
use minijinja::context;
use serde::Serialize;
use serde_json::Value;
use ui_kit::{Moment, Page, Shown, Ui, amount, money, text, time};
use uuid::Uuid;

use crate::card::{Phone, crew, day_of, is, own_clock};
use crate::clock::{in_form, stretches};
use crate::inputs::VisitForm;
use crate::{declared, words};

/// So much of a visit's notes and history is shown.
const NOTES: usize = 30;
const HISTORY: usize = 30;

/// Something to be done or delivered.
#[derive(Serialize)]
pub(crate) struct Line {
    description: String,
    /// "12 × $8.50 per window"; empty for one of something.
    measure: String,
    /// Empty while there is none.
    total: String,
}

/// Somebody who works on it.
#[derive(Serialize)]
struct Member {
    id: String,
    name: String,
    is_me: bool,
    worked: String,
    since: Option<Moment>,
    /// Whether the visitor may say when a forgotten clock ended.
    may_stop: bool,
}

/// A note, as it stands on a visit or a contact.
#[derive(Serialize)]
pub(crate) struct Note {
    text: String,
    author: String,
    is_outside: bool,
    written: Option<Moment>,
}

/// Something that was done.
#[derive(Serialize)]
struct Deed {
    who: String,
    did: String,
    at: Option<Moment>,
}

/// The page of a visit.
pub(crate) async fn show(page: &mut Page<'_>, id: Uuid, typed: VisitForm) -> Shown {
    let include = ["contact", "address", "line_items", "technicians", "clock_spans", "notes", "audit_trail"].as_slice();
    let row = visit(page, id, include).await?;
    let forms = declared::forms(page, id, &row, &typed).await?;
    let values = context! {
        forms, is_so => is_so(&typed.told, page, &row), typed => &typed,
        may => may_do(page, &row), ..facts(page, &row)
    };
    // Of the visit of this moment, everybody's navigation need not say where it is.
    let page = page.show(&format!("/tickets/{id}"), "ticket.html", values).await?;
    Ok(typed.on(page))
}

pub(crate) fn no_such_visit(ui: &Ui) -> Box<Answer> {
    ui.refused(&Error::NotFound { what: "such visit".into() })
}

/// A visit with what belongs to it.
pub(crate) async fn visit(page: &mut Page<'_>, id: Uuid, include: &[&str]) -> Result<Value, Box<Answer>> {
    page.one("tickets", id, include).await.map_err(|refused| match refused.error_code() {
        Some("NOT_FOUND") => no_such_visit(page.ui()),
        _ => refused,
    })
}

/// What was done is told as long as it is so.
fn is_so(told: &str, page: &Page<'_>, row: &Value) -> bool {
    let runs = own_clock(page, row).is_some_and(|clock| clock.since.is_some());
    match told {
        "in" => runs,
        "out" => !runs,
        "moved" => row["previous_starts_at"].is_string(),
        "cancelled" => row["status"] == "cancelled",
        "missed" => row["status"] == "no_show",
        "answered" => row["confirmation"] != "not_asked",
        "booked" => words::takes_place(row),
        "noted" => true,
        _ => false,
    }
}

fn may_do(page: &Page<'_>, row: &Value) -> minijinja::Value {
    let is_scheduled = row["status"] == "scheduled";
    let is_closed = row["status"] == "closed";
    let has_begun = time(&row["starts_at"]).is_some_and(|start| start <= page.now());
    context! {
        moves => is_scheduled && page.may("ticket.reschedule"),
        cancels => is_scheduled && page.may("ticket.cancel"),
        misses => is_scheduled && has_begun && page.may("ticket.mark_no_show"),
        answers => is_scheduled && page.may("ticket.record_confirmation"),
        notes => !is_closed && page.may("note.add"),
        lines => may_change(page, row, "ticket.add_line_item"),
        crew => may_change(page, row, "ticket.assign"),
        corrects => may_change(page, row, "ticket.update_clock_span"),
    }
}

/// Whether the visitor may do that to this visit: one that takes place, and with those who work on site one of their own.
pub(crate) fn may_change(page: &Page<'_>, row: &Value, action: &str) -> bool {
    let is_open = ["scheduled", "in_progress"].contains(&row["status"].as_str().unwrap_or_default());
    let is_own = |own: Uuid| crew(row).iter().any(|member| is(&member["technician_id"], Some(own)));
    is_open && page.may(action) && page.visitor().caller.only_own().is_none_or(is_own)
}

fn facts(page: &Page<'_>, row: &Value) -> minijinja::Value {
    let own = page.org().timezone;
    let zone = row["timezone"].as_str().and_then(|zone| zone.parse().ok()).unwrap_or(own);
    let start = time(&row["starts_at"]).unwrap_or_else(|| page.now());
    let end = time(&row["ends_at"]).unwrap_or(start);
    let (status, look) = words::status(row);
    let (confirmation, needs_attention) = words::confirmation(row);
    let there = (zone != own).then(|| words::from_to(start, end, zone));
    let before = time(&row["previous_starts_at"]).map(|at| page.moment(at));
    let place = &row["address"];
    context! {
        id => text(&row["id"]), customer => text(&row["contact_name"]), contact => text(&row["contact_id"]),
        title => text(&row["title"]), status, look, confirmation, needs_attention,
        day => words::day(day_of(page, row), page.today()), from_to => words::from_to(start, end, own),
        starts => page.moment(start), there, before, day_path => format!("/day/{}", day_of(page, row)),
        cancelled => page.moment_of(&row["cancelled_at"]), reason => text(&row["cancellation_reason"]),
        address => words::address(place), map => words::map(place), label => text(&place["label"]),
        access => text(&place["access_notes"]), phones => Phone::all(&row["contact"]),
        lines => lines(page.org(), row), total => price(page.org(), &row["total"]),
        is_estimated => row["is_price_estimated"] == true,
        unpriced => row["lines_without_price"].as_i64().unwrap_or_default(),
        crew => members(page, row), stretches => stretches(page, row), clock => own_clock(page, row),
        clocked => row["clocked_minutes"].as_i64().filter(|minutes| *minutes > 0).map(words::duration),
        notes => notes(page, row), history => deeds(page, row), version => row["version"].as_i64(),
        now_there => in_form(page.now(), zone),
    }
}

fn members(page: &Page<'_>, row: &Value) -> Vec<Member> {
    let me = page.visitor().caller.id().map(|id| id.to_string());
    let may = page.may("ticket.clock_out");
    let member = |member: &Value| {
        let id = text(&member["technician_id"]);
        let since = page.moment_of(&member["clock_running_since_at"]);
        let is_me = me.as_deref() == Some(id.as_str());
        let worked = member["clocked_minutes"].as_i64().filter(|minutes| *minutes > 0);
        Member {
            may_stop: may && since.is_some() && (is_me || page.visitor().caller.only_own().is_none()),
            name: text(&member["name"]),
            worked: worked.map(words::duration).unwrap_or_default(),
            id,
            is_me,
            since,
        }
    };
    crew(row).iter().map(member).collect()
}

/// The notes of a record, the newest first.
pub(crate) fn notes(page: &Page<'_>, row: &Value) -> Vec<Note> {
    let notes = row["notes"].as_array().into_iter().flatten().take(NOTES);
    let note = |note: &Value| {
        let outside = &note["untrusted_text"];
        let words = if outside.is_object() { &outside["text"] } else { &note["content"] };
        Note {
            text: text(words),
            author: text(&note["author"]),
            is_outside: outside.is_object(),
            written: page.moment_of(&note["created_at"]),
        }
    };
    notes.map(note).collect()
}

fn deeds(page: &Page<'_>, row: &Value) -> Vec<Deed> {
    let calls = row["audit_trail"].as_array().into_iter().flatten();
    let deed = |call: &Value| Deed {
        who: text(&call["actor"]),
        did: words::deed(&text(&call["action"])),
        at: page.moment_of(&call["at"]),
    };
    calls.filter(|call| call["outcome"] == "done").take(HISTORY).map(deed).collect()
}

pub(crate) fn price(org: &OrgFacts, value: &Value) -> String {
    amount(value).map(|(amount, currency)| money(amount, currency, org)).unwrap_or_default()
}

fn lines(org: &OrgFacts, row: &Value) -> Vec<Line> {
    row["line_items"].as_array().into_iter().flatten().map(|line| Line::of(line, org)).collect()
}

impl Line {
    pub fn of(line: &Value, org: &OrgFacts) -> Self {
        let quantity = text(&line["quantity"]);
        let unit_price = price(org, &line["unit_price"]);
        let unit = text(&line["unit_name"]);
        let per = if unit.is_empty() { String::new() } else { format!(" per {unit}") };
        let measure = match (quantity.as_str(), unit_price.as_str(), unit.as_str()) {
            ("" | "1", _, "") => String::new(),
            (_, "", "") => format!("× {quantity}"),
            (_, "", _) => format!("{quantity} × {unit}"),
            _ => format!("{quantity} × {unit_price}{per}"),
        };
        Self { description: text(&line["description"]), measure, total: price(org, &line["total"]) }
    }
}
