//! A customer: how to reach them, where they are, what was written down, and their visits, past and to come.

use axum::extract::{Extension, Path, State};
use axum::response::Response;
use capabilities::{Answer, Error};
use minijinja::context;
use serde::Serialize;
use serde_json::{Value, json};
use ui_kit::{Named, Page, Shown, Ui, Who, text, time};
use uuid::Uuid;

use crate::asking::PAST;
use crate::card::{Phone, card};
use crate::ticket::notes;
use crate::{Shared, answered, words};

/// So many visits are shown, those nearest to now.
const VISITS: usize = 20;

/// A place of the customer's.
#[derive(Serialize)]
struct Site {
    label: String,
    address: String,
    map: String,
    access: String,
}

/// An e-mail address.
#[derive(Serialize)]
struct Email {
    address: String,
    bounced: bool,
}

pub(crate) async fn show(State(ui): Shared, Extension(visitor): Who, id: Named<Uuid>) -> Response {
    let shown = match id {
        Ok(Path(id)) => contact(&mut ui.page(&visitor), id).await,
        Err(_) => Err(no_such_contact(&ui)),
    };
    answered(&ui, &visitor, shown).await
}

pub(crate) fn no_such_contact(ui: &Ui) -> Box<Answer> {
    ui.refused(&Error::NotFound { what: "such customer".into() })
}

/// A customer with what belongs to them.
pub(crate) async fn customer(page: &mut Page<'_>, id: Uuid, include: &[&str]) -> Result<Value, Box<Answer>> {
    page.one("contacts", id, include).await.map_err(|refused| match refused.error_code() {
        Some("NOT_FOUND") => no_such_contact(page.ui()),
        _ => refused,
    })
}

async fn contact(page: &mut Page<'_>, id: Uuid) -> Shown {
    let row = customer(page, id, &["addresses", "notes"]).await?;
    let visits = page.all("tickets", json!({"contact_id": id}), PAST).await?.rows;
    let now = page.now();
    let is_past = |visit: &&Value| time(&visit["ends_at"]).is_some_and(|end| end <= now);
    let (past, to_come): (Vec<&Value>, Vec<&Value>) = visits.iter().partition(is_past);
    let last = past.iter().rev().find(|visit| is_finished(visit));
    let one = |visit: &&Value| card(page, visit);
    let is_here = !row["archived_at"].is_string() && !row["merged_into_id"].is_string();
    let values = context! {
        id, books => is_here && page.may("ticket.schedule"),
        name => text(&row["display_name"]), phones => Phone::all(&row), emails => emails(&row),
        many_sites => row["addresses"].as_array().is_some_and(|all| all.len() > 1), sites => sites(&row),
        tags => tags(&row), preferred => preferred(&row),
        is_archived => row["archived_at"].is_string(), merged_into => text(&row["merged_into_id"]),
        last => last.map(|visit| card(page, visit)), notes => notes(page, &row),
        to_come => to_come.iter().take(VISITS).map(one).collect::<Vec<_>>(), more_to_come => to_come.len() > VISITS,
        past => past.iter().rev().take(VISITS).map(one).collect::<Vec<_>>(), more_past => past.len() > VISITS,
    };
    page.show("customers", "contact.html", values).await
}

/// Whether it was worked on and nobody's clock runs any more.
fn is_finished(visit: &Value) -> bool {
    let worked = visit["clocked_minutes"].as_i64().is_some_and(|minutes| minutes > 0);
    worked && !visit["clock_running_since_at"].is_string()
}

fn emails(row: &Value) -> Vec<Email> {
    let email = |email: &Value| Email { address: text(&email["email"]), bounced: email["status"] == "bounced" };
    row["emails"].as_array().into_iter().flatten().map(email).collect()
}

fn sites(row: &Value) -> Vec<Site> {
    let place = |place: &Value| Site {
        label: text(&place["label"]),
        address: words::address(place),
        map: words::map(place),
        access: text(&place["access_notes"]),
    };
    row["addresses"].as_array().into_iter().flatten().map(place).collect()
}

fn tags(row: &Value) -> String {
    let tags = row["tags"].as_array().into_iter().flatten().map(text);
    tags.collect::<Vec<_>>().join(", ")
}

fn preferred(row: &Value) -> &'static str {
    match row["preferred_time"].as_str() {
        Some("morning") => "Prefers mornings",
        Some("afternoon") => "Prefers afternoons",
        _ => "",
    }
}
