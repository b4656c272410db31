//! The customers, to be found by whatever one knows of them.

use axum::extract::{Extension, Query, State};
use axum::response::Response;
use capabilities::Selection;
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ui_kit::{Page, Queried, Shown, Who, text};

use crate::card::Phone;
use crate::{CUSTOMERS, Shared, answered, words};

/// So many are shown at once.
const PAGE: i64 = 25;

/// What is looked for, and from where on.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sought {
    search: String,
    cursor: Option<String>,
}

/// A customer in the list.
#[derive(Serialize)]
struct Entry {
    id: String,
    name: String,
    address: String,
    phone: Option<Phone>,
}

pub(crate) async fn list(State(ui): Shared, Extension(visitor): Who, asked: Queried<Sought>) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let shown = customers(&mut ui.page(&visitor), &asked).await;
    answered(&ui, &visitor, shown).await
}

async fn customers(page: &mut Page<'_>, asked: &Sought) -> Shown {
    let search = asked.search.trim();
    let mut filters = serde_json::Map::new();
    if !search.is_empty() {
        filters.insert("search".into(), search.into());
    }
    let include = page.there_is("contacts", &["addresses"]);
    let (data_type, cursor) = ("contacts".into(), asked.cursor.clone().filter(|cursor| !cursor.is_empty()));
    let selection = Selection { data_type, filters, include, cursor, limit: Some(PAGE), ..Selection::default() };
    let answer = page.read(selection).await?;
    let rows = answer.data.as_ref().and_then(Value::as_array);
    let here = format!("{CUSTOMERS}?search={}", words::encoded(search));
    let values = context! {
        search, entries => rows.into_iter().flatten().map(entry).collect::<Vec<_>>(), here => CUSTOMERS,
        next => answer.meta.next_cursor.map(|cursor| format!("{here}&cursor={}", words::encoded(&cursor))),
        first => here, is_first => asked.cursor.is_none(),
    };
    page.show("customers", "customers.html", values).await
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
