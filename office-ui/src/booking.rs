//! Booking a visit for a customer: what, then when of what is free, then it stands in the calendar.

use authorization_queue_ui::{Visitor, text, time};
use axum::extract::{Extension, Form, Path, Query, State};
use axum::response::Response;
use capabilities::{Answer, Error};
use chrono::{Days, NaiveDate};
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::forms::{in_words, unreadable};
use crate::{Asked, Named, Sent, Shared, Shown, Who, Work, again, onward, words};

/// So many days are shown at once.
const DAYS: u64 = 7;
/// The choice of a time that is typed.
const ANOTHER: &str = "another";

/// What is to be booked, as far as it was filled in.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    service: String,
    quantity: String,
    address: String,
    /// A user; whoever is free if empty.
    technician: String,
    /// The first day of those that are shown.
    from: String,
    /// One of the free times, or another one.
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

/// What is free, as far as it is known.
#[derive(Serialize)]
struct Free {
    days: Vec<Day>,
    /// In a sentence why nothing is.
    why_none: String,
}

pub(crate) async fn show(
    State(work): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    asked: Asked<Wish>,
) -> Response {
    let Query(wish) = asked.unwrap_or_default();
    let shown = match id {
        Ok(Path(id)) => work.booking(&visitor, id, wish, None).await,
        Err(_) => Err(work.no_such_contact()),
    };
    work.answered(&visitor, shown).await
}

pub(crate) async fn send(State(work): Shared, Extension(visitor): Who, id: Named<Uuid>, sent: Sent<Wish>) -> Response {
    let Form(wish) = sent.unwrap_or_default();
    let shown = match id {
        Ok(Path(id)) => work.book(&visitor, id, wish).await,
        Err(_) => Err(work.no_such_contact()),
    };
    work.answered(&visitor, shown).await
}

impl Wish {
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
        let is_typed = self.slot.is_empty() && !self.starts_at.is_empty();
        let mut chosen = if is_typed { ANOTHER } else { &self.slot }.split(' ');
        match (chosen.next(), chosen.next(), chosen.next()) {
            (Some(start), Some(end), Some(technician)) => {
                input["starts_at"] = start.into();
                input["ends_at"] = end.into();
                Ok(technician)
            }
            (Some(ANOTHER), ..) if !self.starts_at.is_empty() => {
                input["starts_at"] = self.starts_at.as_str().into();
                Ok(&self.technician)
            }
            (Some(ANOTHER), ..) => Err("Choose the day and time."),
            _ => Err("Choose one of the free times, or another one."),
        }
    }

    /// Thumbs type a comma where the country does.
    fn quantity(&self) -> String {
        let quantity = self.quantity.trim().replace(',', ".");
        if quantity.is_empty() { "1".into() } else { quantity }
    }
}

impl Work {
    async fn book(&self, visitor: &Visitor, contact: Uuid, mut wish: Wish) -> Shown {
        let input = match wish.input(contact) {
            Ok(input) => input,
            Err(problem) => {
                wish.problem = problem.into();
                return self.booking(visitor, contact, wish, Some(unreadable())).await;
            }
        };
        let answer = self.perform(visitor, "ticket.schedule", input, &wish.once).await;
        match (answer.error_code(), &answer.data) {
            (None, Some(ticket)) => Ok(onward(&format!("/tickets/{}?told=booked", text(&ticket["id"])))),
            _ => {
                wish.is_busy = answer.error_code() == Some("TECHNICIAN_BUSY");
                wish.problem = in_words(&answer);
                self.booking(visitor, contact, wish, Some(answer.status)).await
            }
        }
    }

    /// The page, with the free times as soon as one knows what for.
    async fn booking(&self, visitor: &Visitor, id: Uuid, mut wish: Wish, mut status: Option<u16>) -> Shown {
        if !self.door.may(visitor, "ticket.schedule") {
            return Err(self.refused(&Error::Forbidden("Visits are booked by the office.".into())));
        }
        let answer = self.customer(visitor, id, &["addresses"]).await?;
        let once = answer.meta.request_id;
        let row = answer.data.unwrap_or_default();
        let today = self.today(visitor);
        let from = wish.from.parse::<NaiveDate>().unwrap_or(today).max(today);
        let places = row["addresses"].as_array().map_or(&[][..], Vec::as_slice);
        let place = places.iter().find(|place| place["id"] == wish.address).or(places.first());
        let free = match self.free(visitor, id, &wish, from, place).await {
            Ok(free) => free,
            Err(refused) => {
                (wish.problem, status) = (in_words(&refused), Some(refused.status));
                None
            }
        };
        let people = self.all(visitor, "users", json!({"active": true}), &[]).await?.rows;
        let people: Vec<_> =
            people.iter().filter(|person| person["role"] == "technician").map(choice("name")).collect();
        let choices: Vec<_> = places.iter().map(|place| (text(&place["id"]), words::address(place))).collect();
        let (offers, house) = (self.offers(visitor).await?, self.door.house(visitor).await?);
        let way = |from: NaiveDate| wish.path(id, from);
        let values = context! {
            id, once, customer => text(&row["display_name"]), offers, people, many_sites => choices.len() > 1, places => choices, from, today,
            is_asked => !wish.service.is_empty(), free,
            later => way(from.checked_add_days(Days::new(DAYS)).unwrap_or(from)),
            earlier => (from > today).then(|| way(from.checked_sub_days(Days::new(DAYS)).unwrap_or(from).max(today))),
            there => place.and_then(|place| place["timezone"].as_str()), wish,
        };
        let page = self.show(visitor, &house, "customers", "booking.html", values);
        Ok(again(page, status))
    }

    /// What is free from that day on; nothing is known of it until one knows what for.
    async fn free(
        &self,
        visitor: &Visitor,
        contact: Uuid,
        wish: &Wish,
        from: NaiveDate,
        place: Option<&Value>,
    ) -> Result<Option<Free>, Box<Answer>> {
        if wish.service.is_empty() {
            return Ok(None);
        }
        let to = from.checked_add_days(Days::new(DAYS - 1)).unwrap_or(from);
        let mut filters = json!({"from": from, "to": to, "contact_id": contact, "service_id": wish.service});
        if !wish.technician.is_empty() {
            filters["technician_id"] = wish.technician.as_str().into();
        }
        if let Some(code) = place.map(|place| text(&place["postal_code"])).filter(|code| !code.is_empty()) {
            filters["near"] = code.into();
        }
        let mut found = self.all(visitor, "availability", filters, &[]).await?;
        found.rows.sort_by_key(|slot| time(&slot["starts_at"]));
        let (zone, today) = (visitor.caller.org().timezone, self.today(visitor));
        let mut days: Vec<(NaiveDate, Day)> = Vec::new();
        for slot in &found.rows {
            let (Some(start), Some(end)) = (time(&slot["starts_at"]), time(&slot["ends_at"])) else { continue };
            let day = start.with_timezone(&zone).date_naive();
            if days.last().is_none_or(|(last, _)| *last != day) {
                days.push((day, Day { words: words::day(day, today), nearby: Vec::new(), slots: Vec::new() }));
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
        Ok(Some(Free { days: days.into_iter().map(|(_, day)| day).collect(), why_none: found.warning }))
    }
}

impl Wish {
    /// The address of this page with other days.
    fn path(&self, contact: Uuid, from: NaiveDate) -> String {
        let from = from.to_string();
        let asked = [
            ("service", &self.service),
            ("quantity", &self.quantity),
            ("address", &self.address),
            ("technician", &self.technician),
            ("from", &from),
        ];
        let asked = asked.iter().filter(|(_, value)| !value.is_empty());
        let asked: Vec<String> = asked.map(|(name, value)| format!("{name}={}", words::encoded(value))).collect();
        format!("/contacts/{contact}/book?{}", asked.join("&"))
    }
}

/// A row to choose: its id, and what it is called.
fn choice(name: &str) -> impl Fn(&Value) -> (String, String) {
    move |row| (text(&row["id"]), text(&row[name]))
}
