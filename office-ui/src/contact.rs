//! A customer: how to reach them, where they are, what was written down, and their visits, past and to come.

use authorization_queue_ui::{Visitor, text, time};
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use capabilities::{Answer, Error};
use minijinja::context;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::asking::Detail;
use crate::card::Phone;
use crate::{Named, Shared, Shown, Who, Work, words};

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

pub(crate) async fn show(State(work): Shared, Extension(visitor): Who, id: Named<Uuid>) -> Response {
    let shown = match id {
        Ok(Path(id)) => work.contact(&visitor, id).await,
        Err(_) => Err(work.no_such_contact()),
    };
    work.answered(&visitor, shown).await
}

impl Work {
    pub(crate) fn no_such_contact(&self) -> Box<Answer> {
        self.refused(&Error::NotFound { what: "such customer".into() })
    }

    /// A customer with what belongs to them.
    pub(crate) async fn customer(&self, visitor: &Visitor, id: Uuid, include: &[&str]) -> Result<Answer, Box<Answer>> {
        self.one(visitor, "contacts", id, include).await.map_err(|refused| match refused.error_code() {
            Some("NOT_FOUND") => self.no_such_contact(),
            _ => refused,
        })
    }

    async fn contact(&self, visitor: &Visitor, id: Uuid) -> Shown {
        let row = self.customer(visitor, id, &["addresses", "notes"]).await?.data.unwrap_or_default();
        let visits = self.all(visitor, "tickets", json!({"contact_id": id}), Detail::PAST).await?.rows;
        let now = self.now();
        let is_past = |visit: &&Value| time(&visit["ends_at"]).is_some_and(|end| end <= now);
        let (past, to_come): (Vec<&Value>, Vec<&Value>) = visits.iter().partition(is_past);
        let last = past.iter().rev().find(|visit| is_finished(visit));
        let card = |visit: &&Value| self.card(visitor, visit);
        let frame = self.ui.frame(visitor).await?;
        let is_here = !row["archived_at"].is_string() && !row["merged_into_id"].is_string();
        let values = context! {
            id, books => is_here && self.ui.may(visitor, "ticket.schedule"),
            name => text(&row["display_name"]), phones => Phone::all(&row), emails => emails(&row),
            many_sites => row["addresses"].as_array().is_some_and(|all| all.len() > 1), sites => sites(&row),
            tags => tags(&row), preferred => preferred(&row),
            is_archived => row["archived_at"].is_string(), merged_into => text(&row["merged_into_id"]),
            last => last.map(|visit| self.card(visitor, visit)), notes => self.notes(visitor, &row),
            to_come => to_come.iter().take(VISITS).map(card).collect::<Vec<_>>(), more_to_come => to_come.len() > VISITS,
            past => past.iter().rev().take(VISITS).map(card).collect::<Vec<_>>(), more_past => past.len() > VISITS,
        };
        Ok(self.show(visitor, &frame, "customers", "contact.html", values))
    }
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
