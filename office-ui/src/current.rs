//! The way to the day's work in everybody's navigation, with the visit one should be on now.

use authorization_queue_ui::{NavItem, cut, text};
use capabilities::{Caller, Office, Read, Selection};
use serde_json::{Map, Value, json};

use crate::{CUSTOMERS, HOME};

/// So much of a customer's name fits into the navigation of a phone.
const NAME: usize = 24;

/// The data type that tells it.
const CURRENT: &str = "current_ticket";

/// The places of this door that the caller goes to, the visit of this moment last.
pub async fn nav(office: &Office, caller: &Caller) -> Vec<NavItem> {
    let place = |path: &str, words: &str, section| NavItem { path: path.into(), words: words.into(), section };
    let mut places = vec![
        place(HOME, "Today", "today"),
        place("/week", "Calendar", "calendar"),
        place(CUSTOMERS, "Customers", "customers"),
    ];
    if let Some((lead, visit)) = current(office, caller).await {
        let words = format!("{lead}: {}", cut(&text(&visit["contact_name"]), NAME));
        places.push(place(&format!("/tickets/{}", text(&visit["id"])), &words, "now"));
    }
    places
}

/// The visit that the caller should be on, and whether it is now or next.
async fn current(office: &Office, caller: &Caller) -> Option<(&'static str, Value)> {
    let filters = object(&json!({"technician_id": caller.id()?}));
    let mine = Selection { data_type: CURRENT.into(), filters, limit: Some(1), ..Selection::default() };
    let current = read(office, caller, mine).await?.get(0)?.clone();
    let lead = if current["because"] == "next_today" { "Next" } else { "Now" };
    Some((lead, current["ticket"].clone()))
}

fn object(filters: &Value) -> Map<String, Value> {
    filters.as_object().cloned().unwrap_or_default()
}

async fn read(office: &Office, caller: &Caller, selection: Selection) -> Option<Value> {
    let answer =
        office.read(caller, Read { selection, room: None, door: capabilities::Door::Page, counted: false }).await;
    answer.data.filter(|_| answer.error.is_none())
}
