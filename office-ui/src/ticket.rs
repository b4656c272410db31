//! One visit: whose, where and how to get in, what is to be done, who is there and since when, and the forms to change it.

use authorization_queue_ui::{Moment, Visitor, amount, money, text, time};
use capabilities::{Answer, OrgFacts};
use minijinja::context;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::card::{Phone, crew, is};
use crate::clock::in_form;
use crate::inputs::VisitForm;
use crate::{Shown, Work, words};

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

impl Work {
    /// The page of a visit.
    pub(crate) async fn ticket(&self, visitor: &Visitor, id: Uuid, typed: VisitForm) -> Shown {
        let include =
            ["contact", "address", "line_items", "technicians", "clock_spans", "notes", "audit_trail"].as_slice();
        let (row, once) = self.visit(visitor, id, include).await?;
        let frame = self.ui.frame(visitor).await?;
        let values = context! {
            once, is_so => self.is_so(&typed.told, visitor, &row), typed => &typed,
            may => self.may_do(visitor, &row), ..self.facts(visitor, &row)
        };
        let here = format!("/tickets/{id}");
        let section = if visitor.nav.iter().any(|item| item.path == here) { "now" } else { "visit" };
        let page = self.show(visitor, &frame, section, "ticket.html", values);
        Ok(typed.on(page))
    }

    /// A visit with what belongs to it, and something that no other answer has: what is sent twice from one page is done once.
    pub(crate) async fn visit(
        &self,
        visitor: &Visitor,
        id: Uuid,
        include: &[&str],
    ) -> Result<(Value, String), Box<Answer>> {
        let answer = self.one(visitor, "tickets", id, include).await.map_err(|refused| match refused.error_code() {
            Some("NOT_FOUND") => self.no_such_visit(),
            _ => refused,
        })?;
        Ok((answer.data.unwrap_or_default(), answer.meta.request_id.to_string()))
    }

    /// What was done is told as long as it is so.
    fn is_so(&self, told: &str, visitor: &Visitor, row: &Value) -> bool {
        let runs = self.own_clock(visitor, row).is_some_and(|clock| clock.since.is_some());
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

    fn may_do(&self, visitor: &Visitor, row: &Value) -> minijinja::Value {
        let is_scheduled = row["status"] == "scheduled";
        let is_closed = row["status"] == "closed";
        let has_begun = time(&row["starts_at"]).is_some_and(|start| start <= self.now());
        context! {
            moves => is_scheduled && self.ui.may(visitor, "ticket.reschedule"),
            cancels => is_scheduled && self.ui.may(visitor, "ticket.cancel"),
            misses => is_scheduled && has_begun && self.ui.may(visitor, "ticket.mark_no_show"),
            answers => is_scheduled && self.ui.may(visitor, "ticket.record_confirmation"),
            notes => !is_closed && self.ui.may(visitor, "note.add"),
            lines => self.may_change(visitor, row, "ticket.add_line_item"),
            crew => self.may_change(visitor, row, "ticket.assign"),
            corrects => self.may_change(visitor, row, "ticket.update_clock_span"),
        }
    }

    /// Whether the visitor may do that to this visit: one that takes place, and with those who work on site one of their own.
    pub(crate) fn may_change(&self, visitor: &Visitor, row: &Value, action: &str) -> bool {
        let is_open = ["scheduled", "in_progress"].contains(&row["status"].as_str().unwrap_or_default());
        let is_own = |own: Uuid| crew(row).iter().any(|member| is(&member["technician_id"], Some(own)));
        is_open && self.ui.may(visitor, action) && visitor.caller.only_own().is_none_or(is_own)
    }

    fn facts(&self, visitor: &Visitor, row: &Value) -> minijinja::Value {
        let own = visitor.caller.org().timezone;
        let zone = row["timezone"].as_str().and_then(|zone| zone.parse().ok()).unwrap_or(own);
        let start = time(&row["starts_at"]).unwrap_or_else(|| self.now());
        let end = time(&row["ends_at"]).unwrap_or(start);
        let (status, look) = words::status(row);
        let (confirmation, needs_attention) = words::confirmation(row);
        let there = (zone != own).then(|| words::from_to(start, end, zone));
        let before = time(&row["previous_starts_at"]).map(|at| self.ui.moment(visitor, at));
        let place = &row["address"];
        context! {
            id => text(&row["id"]), customer => text(&row["contact_name"]), contact => text(&row["contact_id"]),
            title => text(&row["title"]), status, look, confirmation, needs_attention,
            day => words::day(self.day_of(visitor, row), self.today(visitor)), from_to => words::from_to(start, end, own),
            starts => self.ui.moment(visitor, start), there, before, day_path => format!("/day/{}", self.day_of(visitor, row)),
            cancelled => self.ui.moment_of(visitor, &row["cancelled_at"]), reason => text(&row["cancellation_reason"]),
            address => words::address(place), map => words::map(place), label => text(&place["label"]),
            access => text(&place["access_notes"]), phones => Phone::all(&row["contact"]),
            lines => lines(visitor.caller.org(), row), total => price(visitor.caller.org(), &row["total"]),
            is_estimated => row["is_price_estimated"] == true,
            unpriced => row["lines_without_price"].as_i64().unwrap_or_default(),
            crew => self.members(visitor, row), stretches => self.stretches(visitor, row), clock => self.own_clock(visitor, row),
            clocked => row["clocked_minutes"].as_i64().filter(|minutes| *minutes > 0).map(words::duration),
            notes => self.notes(visitor, row), history => self.deeds(visitor, row), version => row["version"].as_i64(),
            now_there => in_form(self.now(), zone),
        }
    }

    fn members(&self, visitor: &Visitor, row: &Value) -> Vec<Member> {
        let me = visitor.caller.id().map(|id| id.to_string());
        let may = self.ui.may(visitor, "ticket.clock_out");
        let member = |member: &Value| {
            let id = text(&member["technician_id"]);
            let since = self.ui.moment_of(visitor, &member["clock_running_since_at"]);
            let is_me = me.as_deref() == Some(id.as_str());
            let worked = member["clocked_minutes"].as_i64().filter(|minutes| *minutes > 0);
            Member {
                may_stop: may && since.is_some() && (is_me || visitor.caller.only_own().is_none()),
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
    pub(crate) fn notes(&self, visitor: &Visitor, row: &Value) -> Vec<Note> {
        let notes = row["notes"].as_array().into_iter().flatten().take(NOTES);
        let note = |note: &Value| {
            let outside = &note["untrusted_text"];
            let words = if outside.is_object() { &outside["text"] } else { &note["content"] };
            Note {
                text: text(words),
                author: text(&note["author"]),
                is_outside: outside.is_object(),
                written: self.ui.moment_of(visitor, &note["created_at"]),
            }
        };
        notes.map(note).collect()
    }

    fn deeds(&self, visitor: &Visitor, row: &Value) -> Vec<Deed> {
        let calls = row["audit_trail"].as_array().into_iter().flatten();
        let deed = |call: &Value| Deed {
            who: text(&call["actor"]),
            did: words::deed(&text(&call["action"])),
            at: self.ui.moment_of(visitor, &call["at"]),
        };
        calls.filter(|call| call["outcome"] == "done").take(HISTORY).map(deed).collect()
    }
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
