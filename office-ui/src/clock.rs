//! When somebody worked on a visit, put right where a clock was started or stopped at another time, or by mistake.

use capabilities::Tz;
use chrono::{DateTime, Utc};
use minijinja::context;
use serde::Serialize;
use serde_json::Value;
use ui_kit::{Page, Shown, text, time};
use uuid::Uuid;

use crate::card::is;
use crate::inputs::VisitForm;
use crate::lines::heading;
use crate::ticket::{self, may_change, visit};
use crate::words;

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

/// The page of a visit's clock.
pub(crate) async fn show(page: &mut Page<'_>, id: Uuid, typed: VisitForm) -> Shown {
    let row = visit(page, id, &["clock_spans", "technicians"]).await?;
    if !may_change(page, &row, "ticket.update_clock_span") {
        return ticket::show(page, id, typed).await;
    }
    let values = context! {
        typed => &typed, stretches => stretches(page, &row),
        there => row["timezone"].as_str(), ..heading(page, &row)
    };
    let page = page.show("visit", "clock.html", values).await?;
    Ok(typed.on(page))
}

/// When people worked on a visit, in the order in which it was entered.
pub(crate) fn stretches(page: &Page<'_>, row: &Value) -> Vec<Stretch> {
    let own = page.org().timezone;
    let there = row["timezone"].as_str().and_then(|zone| zone.parse().ok()).unwrap_or(own);
    let may = may_change(page, row, "ticket.update_clock_span");
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
            length: words::duration((end.unwrap_or_else(|| page.now()) - start).num_minutes()),
            started_at: in_form(start, there),
            ended_at: end.map(|end| in_form(end, there)).unwrap_or_default(),
            may_change: may && page.visitor().caller.only_own().is_none_or(is_own),
        })
    };
    spans.filter_map(stretch).collect()
}

/// As a browser's field for a day and a time takes it.
pub(crate) fn in_form(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%dT%H:%M").to_string()
}
