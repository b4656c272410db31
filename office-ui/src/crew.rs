//! Who is on a visit, and who else could be.

use capabilities::Answer;
use minijinja::context;
use serde::Serialize;
use serde_json::{Value, json};
use ui_kit::{Detail, Page, Shown, listed, text};
use uuid::Uuid;

use crate::asking::ENTRY;
use crate::card::{card, crew, is};
use crate::inputs::VisitForm;
use crate::lines::heading;
use crate::ticket::{self, may_change, visit};
use crate::words;

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

/// The page of who is on a visit.
pub(crate) async fn show(page: &mut Page<'_>, id: Uuid, typed: VisitForm) -> Shown {
    let row = visit(page, id, &["technicians"]).await?;
    if !may_change(page, &row, "ticket.assign") {
        return ticket::show(page, id, typed).await;
    }
    let people = page.all("users", json!({"active": true}), Detail::PLAIN).await?.rows;
    let meanwhile = meanwhile(page, &row).await?;
    let mut people: Vec<Person> = people.iter().map(|one| person(page, one, &row, &meanwhile)).collect();
    people.sort_by_key(|person| (!person.is_on_it, !person.is_technician, !person.elsewhere.is_empty()));
    let values = context! { typed => &typed, people, ..heading(page, &row) };
    let page = page.show("visit", "crew.html", values).await?;
    Ok(typed.on(page))
}

/// The other visits that are at the same time as this one.
async fn meanwhile(page: &mut Page<'_>, row: &Value) -> Result<Vec<Value>, Box<Answer>> {
    let meanwhile = json!({"from": row["starts_at"], "to": row["ends_at"]});
    let mut others = page.all("tickets", meanwhile, ENTRY).await?.rows;
    others.retain(|other| other["id"] != row["id"] && words::takes_place(other));
    Ok(others)
}

fn person(page: &Page<'_>, person: &Value, row: &Value, meanwhile: &[Value]) -> Person {
    let id = person["id"].as_str().and_then(|id| id.parse::<Uuid>().ok());
    let is_on = |ticket: &Value| crew(ticket).iter().any(|member| is(&member["technician_id"], id));
    let at = |ticket: &Value| {
        let card = card(page, ticket);
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
