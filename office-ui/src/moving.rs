//! Moving a visit to another time: what is free, or one that is typed.

use minijinja::context;
use serde_json::json;
use ui_kit::{Page, Shown, at_the_form, text};
use uuid::Uuid;

use crate::free::{free, week_from};
use crate::inputs::VisitForm;
use crate::lines::heading;
use crate::ticket::{self, may_change, visit};

/// The page on which a visit is moved, with the form as it was filled in.
pub(crate) async fn show(page: &mut Page<'_>, id: Uuid, mut typed: VisitForm) -> Shown {
    let row = visit(page, id, &["technicians", "address"]).await?;
    if row["status"] != "scheduled" || !may_change(page, &row, "ticket.reschedule") {
        return ticket::show(page, id, typed).await;
    }
    let week = week_from(page, &typed.day);
    let mut filters = json!({"ticket_id": id});
    if let Some(code) = Some(text(&row["address"]["postal_code"])).filter(|code| !code.is_empty()) {
        filters["near"] = code.into();
    }
    let free = match free(page, week, filters).await {
        Ok(free) => Some(free),
        Err(refused) => {
            // What the form itself was refused for comes first.
            if typed.problem.is_empty() {
                typed.refuse(at_the_form(&refused, "visit"), refused.status);
            }
            None
        }
    };
    let values = context! {
        wish => &typed, typed => &typed, free, version => row["version"].as_i64(),
        ways => week.ways(|day| format!("/tickets/{id}/move?day={day}")), week, there => row["timezone"].as_str(),
        names_them => false, ..heading(page, &row)
    };
    let page = page.show("visit", "moving.html", values).await?;
    Ok(typed.on(page))
}
