//! When somebody worked on a visit, put right where a clock was started or stopped at another time, or by mistake.

use authorization_queue_ui::{Visitor, text, time};
use capabilities::Tz;
use chrono::{DateTime, Utc};
use minijinja::context;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::card::is;
use crate::inputs::VisitForm;
use crate::{Shown, Work, words};

/// A stretch of work.
#[derive(Serialize)]
pub(crate) struct Stretch {
    id: String,
    version: i64,
    name: String,
    from_to: String,
    length: String,
    /// By the clock at the address, for a form; no end while the clock runs.
    started_at: String,
    ended_at: String,
    /// Whether the visitor may correct it.
    may_change: bool,
}

impl Work {
    /// The page of a visit's clock.
    pub(crate) async fn clock(&self, visitor: &Visitor, id: Uuid, typed: VisitForm) -> Shown {
        let (row, once) = self.visit(visitor, id, &["clock_spans", "technicians"]).await?;
        if !self.may_change(visitor, &row, "ticket.update_clock_span") {
            return self.ticket(visitor, id, typed).await;
        }
        let frame = self.ui.frame(visitor).await?;
        let values = context! {
            once, typed => &typed, stretches => self.stretches(visitor, &row),
            there => row["timezone"].as_str(), ..self.heading(visitor, &row)
        };
        let page = self.show(visitor, &frame, "visit", "clock.html", values);
        Ok(typed.on(page))
    }

    /// When people worked on a visit, in the order in which it was entered.
    pub(crate) fn stretches(&self, visitor: &Visitor, row: &Value) -> Vec<Stretch> {
        let own = visitor.caller.org().timezone;
        let there = row["timezone"].as_str().and_then(|zone| zone.parse().ok()).unwrap_or(own);
        let may = self.may_change(visitor, row, "ticket.update_clock_span");
        let spans = row["clock_spans"].as_array().into_iter().flatten();
        let stretch = |span: &Value| {
            let (start, end) = (time(&span["started_at"])?, time(&span["ended_at"]));
            let day = start.with_timezone(&own).format("%a, %b %-d");
            let from_to = match end {
                Some(end) => words::from_to(start, end, own),
                None => format!("since {}", words::clock(start, own)),
            };
            let is_own = |user| is(&span["technician_id"], Some(user));
            Some(Stretch {
                id: text(&span["id"]),
                version: span["version"].as_i64().unwrap_or_default(),
                name: text(&span["name"]),
                from_to: format!("{day}, {from_to}"),
                length: words::duration((end.unwrap_or_else(|| self.now()) - start).num_minutes()),
                started_at: in_form(start, there),
                ended_at: end.map(|end| in_form(end, there)).unwrap_or_default(),
                may_change: may && visitor.caller.only_own().is_none_or(is_own),
            })
        };
        spans.filter_map(stretch).collect()
    }
}

/// As a browser's field for a day and a time takes it.
pub(crate) fn in_form(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%dT%H:%M").to_string()
}
