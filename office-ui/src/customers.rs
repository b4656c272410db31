//! The customers, to be found by whatever one knows of them.

use axum::extract::{Extension, Query, State};
use axum::response::Response;
use minijinja::context;
use serde::Serialize;
use serde_json::Value;
use ui_kit::{Filter, List, Page, Queried, Shown, Typed, Who, text};

use crate::card::Phone;
use crate::{CUSTOMERS, Shared, answered, words};

const LIST: List = List::of("contacts")
    .at(CUSTOMERS)
    .title("Customers")
    .filters(&[Filter::of("search").label("Name, phone, e-mail, street or a word of a note").search()])
    .with(&["addresses"])
    .empty("There are no customers yet.");

/// A customer in the list.
#[derive(Serialize)]
struct Entry {
    id: String,
    name: String,
    address: String,
    phone: Option<Phone>,
}

pub(crate) async fn list(State(ui): Shared, Extension(visitor): Who, asked: Queried<Typed>) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let shown = customers(&mut ui.page(&visitor), &asked).await;
    answered(&ui, &visitor, shown).await
}

async fn customers(page: &mut Page<'_>, asked: &Typed) -> Shown {
    let listed = page.list(&LIST, asked).await?;
    let rows: Vec<Entry> = listed.rows.iter().map(entry).collect();
    page.show("customers", "customers.html", context! { rows, list => listed.list, search => asked.get("search") })
        .await
}

fn entry(row: &Value) -> Entry {
    let places = row["addresses"].as_array();
    let primary = places.and_then(|all| all.iter().find(|place| place["is_primary"] == true).or(all.first()));
    Entry {
        id: text(&row["id"]),
        name: text(&row["display_name"]),
        address: primary.map(words::address).unwrap_or_default(),
        phone: Phone::all(row).into_iter().next(),
    }
}
