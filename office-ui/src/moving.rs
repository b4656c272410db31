//! Moving a visit to another time: what is free, or one that is typed.

use authorization_queue_ui::{Visitor, text};
use axum::extract::{Extension, Path, Query, State};
use axum::response::Response;
use minijinja::context;
use serde_json::json;
use uuid::Uuid;

use crate::forms::in_words;
use crate::inputs::Typed;
use crate::{Asked, Named, Shared, Shown, Who, Work, again};

pub(crate) async fn show(
    State(work): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    asked: Asked<Typed>,
) -> Response {
    let Query(typed) = asked.unwrap_or_default();
    let shown = match id {
        Ok(Path(id)) => work.moving(&visitor, id, typed, None).await,
        Err(_) => Err(work.no_such_visit()),
    };
    work.answered(&visitor, shown).await
}

impl Work {
    /// The page on which a visit is moved, with the form as it was filled in.
    pub(crate) async fn moving(&self, visitor: &Visitor, id: Uuid, mut typed: Typed, mut status: Option<u16>) -> Shown {
        let (row, once) = self.visit(visitor, id, &["contact", "technicians", "address"]).await?;
        if row["status"] != "scheduled" || !self.may_change(visitor, &row, "ticket.reschedule") {
            return self.ticket(visitor, id, None, status.map(|status| (typed, status))).await;
        }
        let week = self.week_from(visitor, &typed.day);
        let mut filters = json!({"ticket_id": id});
        if let Some(code) = Some(text(&row["address"]["postal_code"])).filter(|code| !code.is_empty()) {
            filters["near"] = code.into();
        }
        let free = match self.free(visitor, week, filters).await {
            Ok(free) => Some(free),
            Err(refused) => {
                (typed.problem, status) = (in_words(&refused), Some(refused.status));
                None
            }
        };
        let house = self.door.house(visitor).await?;
        let values = context! {
            once, wish => &typed, typed => &typed, free, version => row["version"].as_i64(),
            ways => week.ways(|day| format!("/tickets/{id}/move?day={day}")), week, there => row["timezone"].as_str(),
            names_them => false, ..self.heading(visitor, &row)
        };
        let page = self.show(visitor, &house, "visit", "moving.html", values);
        Ok(again(page, status))
    }
}
