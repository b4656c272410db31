//! Who is on a visit, and who else could be.

use authorization_queue_ui::{Visitor, listed, text};
use capabilities::Answer;
use minijinja::context;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::asking::Detail;
use crate::card::{crew, is};
use crate::inputs::VisitForm;
use crate::{Shown, Work, words};

/// Somebody of the business.
#[derive(Serialize)]
struct Person {
    id: String,
    name: String,
    is_technician: bool,
    is_on_it: bool,
    /// "at Jane Smith, 9:00 – 10:30 AM"; empty if nothing else is at that time.
    elsewhere: String,
}

impl Work {
    /// The page of who is on a visit.
    pub(crate) async fn crew(&self, visitor: &Visitor, id: Uuid, typed: VisitForm) -> Shown {
        let (row, once) = self.visit(visitor, id, &["technicians"]).await?;
        if !self.may_change(visitor, &row, "ticket.assign") {
            return self.ticket(visitor, id, typed).await;
        }
        let people = self.all(visitor, "users", json!({"active": true}), Detail::PLAIN).await?.rows;
        let meanwhile = self.meanwhile(visitor, &row).await?;
        let mut people: Vec<Person> =
            people.iter().map(|person| self.person(visitor, person, &row, &meanwhile)).collect();
        people.sort_by_key(|person| (!person.is_on_it, !person.is_technician, !person.elsewhere.is_empty()));
        let frame = self.ui.frame(visitor).await?;
        let values = context! { once, typed => &typed, people, ..self.heading(visitor, &row) };
        let page = self.show(visitor, &frame, "visit", "crew.html", values);
        Ok(typed.on(page))
    }

    /// The other visits that are at the same time as this one.
    async fn meanwhile(&self, visitor: &Visitor, row: &Value) -> Result<Vec<Value>, Box<Answer>> {
        let meanwhile = json!({"from": row["starts_at"], "to": row["ends_at"]});
        let mut others = self.all(visitor, "tickets", meanwhile, Detail::ENTRY).await?.rows;
        others.retain(|other| other["id"] != row["id"] && words::takes_place(other));
        Ok(others)
    }

    fn person(&self, visitor: &Visitor, person: &Value, row: &Value, meanwhile: &[Value]) -> Person {
        let id = person["id"].as_str().and_then(|id| id.parse::<Uuid>().ok());
        let is_on = |ticket: &Value| crew(ticket).iter().any(|member| is(&member["technician_id"], id));
        let at = |ticket: &Value| {
            let card = self.card(visitor, ticket);
            format!("at {}, {}", card.customer, card.from_to)
        };
        Person {
            id: text(&person["id"]),
            name: text(&person["name"]),
            is_technician: person["role"] == "technician",
            is_on_it: is_on(row),
            elsewhere: listed(&meanwhile.iter().filter(|other| is_on(other)).map(at).collect::<Vec<_>>()),
        }
    }
}
