//! The way to the day's work in everybody's navigation, with the visit one should be on now.

use capabilities::Selection;
use serde_json::Value;
use ui_kit::{Frame, Line, Link, Page, Place, Surrounding, cut, rows_of, text};

use crate::{CUSTOMERS, HOME};

/// So much of a customer's name fits into the navigation of a phone.
const NAME: usize = 24;

/// The data type that tells it.
const CURRENT: &str = "current_ticket";

pub(crate) fn surround<'a>(page: &'a mut Page<'_>, frame: &'a mut Frame) -> Surrounding<'a> {
    Box::pin(async move {
        frame.places.extend([
            Place::new(HOME, "Today", "today"),
            Place::new("/week", "Calendar", "calendar"),
            Place::new(CUSTOMERS, "Customers", "customers"),
        ]);
        if let Some((lead, visit)) = current(page).await {
            let path = format!("/tickets/{}", text(&visit["id"]));
            let words = format!("{lead}: {}", cut(&text(&visit["contact_name"]), NAME));
            frame.lines.push(Line { link: Link::to(&path, words), warns: false, section: path });
        }
        Ok(())
    })
}

/// The visit that the visitor should be on, and whether it is now or next.
async fn current(page: &mut Page<'_>) -> Option<(&'static str, Value)> {
    let filters = [("technician_id".to_string(), page.visitor().caller.id()?.to_string().into())].into_iter().collect();
    let selection = Selection { data_type: CURRENT.into(), filters, limit: Some(1), ..Selection::default() };
    let mut current = rows_of(page.read(selection).await.ok()?.data).pop()?;
    let lead = if current["because"] == "next_today" { "Next" } else { "Now" };
    Some((lead, current["ticket"].take()))
}
