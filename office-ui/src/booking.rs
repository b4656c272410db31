//! Booking a visit for a customer: what, then when of what is free, then it stands in the calendar.

use axum::extract::{Extension, Form, Path, Query, State};
use axum::response::Response;
use capabilities::Error;
use chrono::NaiveDate;
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ui_kit::{
    Detail, Named, Page, Queried, Sent, Shown, Ui, Visitor, Who, at_the_form, decimal, encoded, onward, text,
    unreadable,
};
use uuid::Uuid;

use crate::contact::{customer, no_such_contact};
use crate::free::{Chosen, free, week_from};
use crate::lines::offers;
use crate::{Shared, again, answered, words};

/// What is to be booked, as far as it was filled in.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BookingForm {
    service: String,
    quantity: String,
    address: String,
    /// A user; whoever is free if empty.
    technician: String,
    /// The first day of those that are shown.
    day: String,
    slot: String,
    starts_at: String,
    note: String,
    anyway: String,
    once: String,
    #[serde(skip_deserializing)]
    problem: String,
    /// Somebody has another visit at that time, which can be overridden.
    #[serde(skip_deserializing)]
    is_busy: bool,
}

pub(crate) async fn show(
    State(ui): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    asked: Queried<BookingForm>,
) -> Response {
    let Query(wish) = asked.unwrap_or_default();
    let shown = match id {
        Ok(Path(id)) => booking(&mut ui.page(&visitor), id, wish, None).await,
        Err(_) => Err(no_such_contact(&ui)),
    };
    answered(&ui, &visitor, shown).await
}

pub(crate) async fn send(
    State(ui): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    sent: Sent<BookingForm>,
) -> Response {
    let Form(wish) = sent.unwrap_or_default();
    let shown = match id {
        Ok(Path(id)) => book(&ui, &visitor, id, wish).await,
        Err(_) => Err(no_such_contact(&ui)),
    };
    answered(&ui, &visitor, shown).await
}

impl BookingForm {
    /// The input of `ticket.schedule`, or what is missing in it.
    fn input(&self, contact: Uuid) -> Result<Value, &'static str> {
        if self.service.is_empty() {
            return Err("Choose what is to be done.");
        }
        let line = json!({"service_id": self.service, "quantity": self.quantity()});
        let mut input = json!({"contact_id": contact, "line_items": [line], "allow_overlap": self.anyway == "yes"});
        let technician = self.when(&mut input)?;
        input["technician_ids"] = Some(technician).filter(|id| !id.is_empty()).into_iter().collect();
        if !self.address.is_empty() {
            input["address_id"] = self.address.as_str().into();
        }
        if !self.note.trim().is_empty() {
            input["notes"] = json!([self.note.trim()]);
        }
        Ok(input)
    }

    /// Puts the chosen time in; who goes then.
    fn when(&self, input: &mut Value) -> Result<&str, &'static str> {
        match Chosen::of(&self.slot, &self.starts_at)? {
            Chosen::Free { start, end, technician } => {
                input["starts_at"] = start.into();
                input["ends_at"] = end.into();
                Ok(technician)
            }
            Chosen::Typed(start) => {
                input["starts_at"] = start.into();
                Ok(&self.technician)
            }
        }
    }

    /// What to ask of the free times, as soon as one knows what for.
    fn filters(&self, contact: Uuid, place: Option<&Value>) -> Option<Value> {
        let mut filters = json!({"contact_id": contact, "service_id": self.service});
        if !self.technician.is_empty() {
            filters["technician_id"] = self.technician.as_str().into();
        }
        if let Some(code) = place.map(|place| text(&place["postal_code"])).filter(|code| !code.is_empty()) {
            filters["near"] = code.into();
        }
        (!self.service.is_empty()).then_some(filters)
    }

    fn quantity(&self) -> String {
        let quantity = decimal(&self.quantity);
        if quantity.is_empty() { "1".into() } else { quantity }
    }
}

async fn book(ui: &Ui, visitor: &Visitor, contact: Uuid, mut wish: BookingForm) -> Shown {
    let input = match wish.input(contact) {
        Ok(input) => input,
        Err(problem) => {
            wish.problem = problem.into();
            return booking(&mut ui.page(visitor), contact, wish, Some(unreadable())).await;
        }
    };
    let answer = ui.perform(visitor, "ticket.schedule", input, &wish.once).await;
    match (answer.error_code(), &answer.data) {
        (None, Some(ticket)) => Ok(onward(&format!("/tickets/{}?told=booked", text(&ticket["id"])))),
        _ => {
            wish.is_busy = answer.error_code() == Some("TECHNICIAN_BUSY");
            wish.problem = at_the_form(&answer, "visit");
            booking(&mut ui.page(visitor), contact, wish, Some(answer.status)).await
        }
    }
}

/// The page, with the free times as soon as one knows what for.
async fn booking(page: &mut Page<'_>, id: Uuid, mut wish: BookingForm, mut status: Option<u16>) -> Shown {
    if !page.may("ticket.schedule") {
        return Err(page.refused(&Error::Forbidden("Visits are booked by the office.".into())));
    }
    let row = customer(page, id, &["addresses"]).await?;
    let week = week_from(page, &wish.day);
    let places = row["addresses"].as_array().map_or(&[][..], Vec::as_slice);
    let place = places.iter().find(|place| place["id"] == wish.address).or(places.first());
    let free = match wish.filters(id, place) {
        None => None,
        Some(filters) => match free(page, week, filters).await {
            Ok(free) => Some(free),
            Err(refused) => {
                // What the form itself was refused for comes first.
                if wish.problem.is_empty() {
                    (wish.problem, status) = (at_the_form(&refused, "visit"), Some(refused.status));
                }
                None
            }
        },
    };
    let people = page.all("users", json!({"active": true}), Detail::PLAIN).await?.rows;
    let people: Vec<_> = people.iter().filter(|person| person["role"] == "technician").map(choice("name")).collect();
    let choices: Vec<_> = places.iter().map(|place| (text(&place["id"]), words::address(place))).collect();
    let offers = offers(page).await?;
    let ways = week.ways(|day| wish.path(id, day));
    let values = context! {
        id, customer => text(&row["display_name"]), offers, people, many_sites => choices.len() > 1,
        places => choices, week,
        is_asked => !wish.service.is_empty(), free, ways, names_them => wish.technician.is_empty(),
        there => place.and_then(|place| place["timezone"].as_str()), wish,
    };
    let page = page.show("customers", "booking.html", values).await?;
    Ok(again(page, status))
}

impl BookingForm {
    /// The address of this page with other days.
    fn path(&self, contact: Uuid, day: NaiveDate) -> String {
        let day = day.to_string();
        let asked = [
            ("service", &self.service),
            ("quantity", &self.quantity),
            ("address", &self.address),
            ("technician", &self.technician),
            ("day", &day),
        ];
        let asked = asked.iter().filter(|(_, value)| !value.is_empty());
        let asked: Vec<String> = asked.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        format!("/contacts/{contact}/book?{}", asked.join("&"))
    }
}

/// A row to choose: its id, and what it is called.
fn choice(name: &str) -> impl Fn(&Value) -> (String, String) {
    move |row| (text(&row["id"]), text(&row[name]))
}
