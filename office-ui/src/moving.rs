//! Moving a visit to another time: what is free, or one that is typed.

use authorization_queue_ui::{Visitor, text};
use minijinja::context;
use serde_json::json;
use uuid::Uuid;

use crate::forms::in_words;
use crate::inputs::VisitForm;
use crate::{Shown, Work};

impl Work {
    /// The page on which a visit is moved, with the form as it was filled in.
    pub(crate) async fn moving(&self, visitor: &Visitor, id: Uuid, mut typed: VisitForm) -> Shown {
        let (row, once) = self.visit(visitor, id, &["technicians", "address"]).await?;
        if row["status"] != "scheduled" || !self.may_change(visitor, &row, "ticket.reschedule") {
            return self.ticket(visitor, id, typed).await;
        }
        let week = self.week_from(visitor, &typed.day);
        let mut filters = json!({"ticket_id": id});
        if let Some(code) = Some(text(&row["address"]["postal_code"])).filter(|code| !code.is_empty()) {
            filters["near"] = code.into();
        }
        let free = match self.free(visitor, week, filters).await {
            Ok(free) => Some(free),
            Err(refused) => {
                // What the form itself was refused for comes first.
                if typed.problem.is_empty() {
                    typed.refuse(in_words(&refused), refused.status);
                }
                None
            }
        };
        let frame = self.ui.frame(visitor).await?;
        let values = context! {
            once, wish => &typed, typed => &typed, free, version => row["version"].as_i64(),
            ways => week.ways(|day| format!("/tickets/{id}/move?day={day}")), week, there => row["timezone"].as_str(),
            names_them => false, ..self.heading(visitor, &row)
        };
        let page = self.show(visitor, &frame, "visit", "moving.html", values);
        Ok(typed.on(page))
    }
}
