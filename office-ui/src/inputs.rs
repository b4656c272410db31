//! What each form of a visit asks the office for: its action, and the input from what was typed.

use std::collections::BTreeMap;

use axum::response::Response;
use capabilities::OrgFacts;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ui_kit::{Filled, Typed, decimal, minor_units};
use uuid::Uuid;

use crate::again;
use crate::free::Chosen;

/// An input, or what a person must do first.
type Made = Result<Value, &'static str>;

/// A form of a visit.
pub(crate) struct Form {
    /// How it calls itself.
    word: &'static str,
    pub action: &'static str,
    /// The word that tells it was done.
    pub told: &'static str,
    input: fn(&VisitForm, &Business) -> Made,
}

/// What a form is filled in for.
struct Business<'o> {
    ticket: Uuid,
    org: &'o OrgFacts,
}

const FORMS: [Form; 10] = [
    Form { word: "clock_in", action: "ticket.clock_in", told: "in", input: stroke },
    Form { word: "clock_out", action: "ticket.clock_out", told: "out", input: stroke },
    Form { word: "correct_clock", action: "ticket.update_clock_span", told: "corrected", input: corrected },
    Form { word: "remove_clock", action: "ticket.remove_clock_span", told: "unclocked", input: no_stretch },
    Form { word: "reschedule", action: "ticket.reschedule", told: "moved", input: other_time },
    Form { word: "assign", action: "ticket.assign", told: "on", input: assigned },
    Form { word: "unassign", action: "ticket.unassign", told: "off", input: unassigned },
    Form { word: "add_line", action: "ticket.add_line_item", told: "added", input: new_line },
    Form { word: "change_line", action: "ticket.update_line_item", told: "changed", input: changed_line },
    Form { word: "remove_line", action: "ticket.remove_line_item", told: "removed", input: removed_line },
];

/// A form as a person filled it in, and what is wrong with it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct VisitForm {
    #[serde(rename(deserialize = "do"))]
    pub what: String,
    /// Of the page it was sent from, and no other.
    pub once: String,
    /// The page to come back to, if not the ticket's own.
    pub from: String,
    version: String,
    /// Of a visit or of a stretch of work.
    starts_at: String,
    ends_at: String,
    /// One of the free times, and the first day of those that were shown.
    slot: String,
    pub day: String,
    /// What the page showed of a stretch of work.
    was_started_at: String,
    was_ended_at: String,
    span: String,
    anyway: String,
    /// A user.
    technician: String,
    /// When a clock was started or stopped, if not now.
    pub at: String,
    /// A line of the ticket, and what it says.
    line: String,
    service: String,
    quantity: String,
    /// None where the form does not ask for it.
    price: Option<String>,
    /// What a form asks for as its action declares it.
    #[serde(flatten, skip_serializing)]
    more: BTreeMap<String, String>,
    /// Such a form as it was filled in, and what is wrong with it.
    #[serde(skip)]
    pub filled: Option<Box<Filled>>,
    /// What was done on the page before.
    #[serde(skip_deserializing)]
    pub told: String,
    #[serde(skip_deserializing)]
    pub problem: String,
    /// Of what was refused.
    #[serde(skip)]
    status: Option<u16>,
    /// Somebody has another visit at that time, which can be overridden.
    #[serde(skip_deserializing)]
    pub is_busy: bool,
}

impl VisitForm {
    /// Nothing is filled in yet.
    pub fn coming(told: String, day: String) -> Self {
        Self { told, day, ..Self::default() }
    }

    /// What it was refused for.
    pub fn refuse(&mut self, problem: String, status: u16) {
        (self.problem, self.status) = (problem, Some(status));
    }

    /// What was typed into a form that is as its action declares it.
    pub fn typed(&self) -> Typed {
        let own = [("version", &self.version), ("once", &self.once)];
        let more = self.more.iter().map(|(name, value)| (name.as_str(), value));
        more.chain(own).map(|(name, value)| (name, value.clone())).collect()
    }

    /// Such a form was refused.
    pub fn refuse_filled(&mut self, filled: Box<Filled>) {
        self.refuse(filled.problem(), filled.status);
        self.filled = Some(filled);
    }

    /// A page on which it stands, with the status of what was refused.
    pub fn on(&self, page: Response) -> Response {
        again(page, self.status)
    }

    /// The form it is, if there is such a one.
    pub fn form(&self) -> Option<&'static Form> {
        FORMS.iter().find(|form| form.word == self.what)
    }

    fn or(text: &str, missing: &'static str) -> Result<Value, &'static str> {
        match text.trim() {
            "" => Err(missing),
            text => Ok(text.into()),
        }
    }

    /// Refused if it changed since the page showed it.
    fn as_seen(&self, mut input: Value) -> Value {
        if let Ok(version) = self.version.parse::<i32>() {
            input["expected_version"] = version.into();
        }
        input
    }
}

impl Form {
    /// The input of the action, or what is missing in it.
    pub fn input(&self, typed: &VisitForm, ticket: Uuid, org: &OrgFacts) -> Made {
        (self.input)(typed, &Business { ticket, org })
    }
}

fn stroke(typed: &VisitForm, of: &Business) -> Made {
    let mut input = json!({"ticket_id": of.ticket});
    for (member, value) in [("technician_id", &typed.technician), ("at", &typed.at)] {
        if !value.is_empty() {
            input[member] = value.as_str().into();
        }
    }
    Ok(input)
}

/// Fields have no seconds: what was left as it was is not sent.
fn corrected(typed: &VisitForm, of: &Business) -> Made {
    let mut input = no_stretch(typed, of)?;
    for (member, typed, was, missing) in [
        ("started_at", &typed.starts_at, &typed.was_started_at, "Choose when it began."),
        ("ended_at", &typed.ends_at, &typed.was_ended_at, "Choose when it ended."),
    ] {
        if typed != was {
            input[member] = VisitForm::or(typed, missing)?;
        }
    }
    Ok(input)
}

fn no_stretch(typed: &VisitForm, _: &Business) -> Made {
    Ok(typed.as_seen(json!({"clock_span_id": typed.span})))
}

fn other_time(typed: &VisitForm, of: &Business) -> Made {
    let starts_at = match Chosen::of(&typed.slot, &typed.starts_at)? {
        Chosen::Free { start, .. } | Chosen::Typed(start) => start,
    };
    let anyway = typed.anyway == "yes";
    Ok(typed.as_seen(json!({"ticket_id": of.ticket, "starts_at": starts_at, "allow_overlap": anyway})))
}

fn assigned(typed: &VisitForm, of: &Business) -> Made {
    let mut input = unassigned(typed, of)?;
    input["allow_overlap"] = (typed.anyway == "yes").into();
    Ok(input)
}

fn unassigned(typed: &VisitForm, of: &Business) -> Made {
    Ok(json!({"ticket_id": of.ticket, "technician_ids": [VisitForm::or(&typed.technician, "Choose who.")?]}))
}

fn new_line(typed: &VisitForm, of: &Business) -> Made {
    let service = VisitForm::or(&typed.service, "Choose the service first.")?;
    let mut line = json!({"service_id": service, "quantity": quantity(typed)?});
    if let Some(price) = price(typed, of.org)? {
        line["unit_price"] = price;
    }
    Ok(json!({"ticket_id": of.ticket, "line_item": line}))
}

fn changed_line(typed: &VisitForm, of: &Business) -> Made {
    let mut input = json!({"line_item_id": typed.line, "quantity": quantity(typed)?});
    if typed.price.is_some() {
        input["unit_price"] = price(typed, of.org)?.unwrap_or(Value::Null);
    }
    Ok(typed.as_seen(input))
}

fn removed_line(typed: &VisitForm, _: &Business) -> Made {
    Ok(typed.as_seen(json!({"line_item_id": typed.line})))
}

fn quantity(typed: &VisitForm) -> Made {
    VisitForm::or(&decimal(&typed.quantity), "Write how many, such as 1 or 2.5.")
}

/// Nothing where none was typed.
fn price(typed: &VisitForm, org: &OrgFacts) -> Result<Option<Value>, &'static str> {
    let price = typed.price.as_deref().map(str::trim).filter(|price| !price.is_empty());
    let Some(price) = price else { return Ok(None) };
    let minor = minor_units(price, org).ok_or("Write the price as an amount, such as 149.50.")?;
    Ok(Some(json!(org.money(minor))))
}
