//! What the office could not do by itself: what failed and why, since when, and what to do about it.

use axum::extract::{Extension, Form, Query, State};
use axum::response::Response;
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ui_kit::{List, Moment, Page, Queried, Sent, Shown, Typed, Who, onward, words};

use crate::Shared;

/// An alert, as the list shows it.
#[derive(Serialize)]
struct Line {
    id: String,
    what: String,
    why: String,
    advice: &'static str,
    since: Option<Moment>,
    /// How often it was tried before it was given up.
    tried: String,
    /// Whether what it is about is given up still.
    may_retry: bool,
    noted: Option<Moment>,
    noted_by: String,
}

const OPEN: List = List::of("alerts")
    .at("/alerts")
    .title("Alerts")
    .about("What the office could not do by itself and needs somebody for.")
    .always(|| json!({"acknowledged": false}))
    .with(&["errand", "job"])
    .counted("open", "open", "newest first")
    .ways("Older alerts", "Back to the newest")
    .empty("Nothing went wrong. When a mail cannot be sent or work fails for good, it stands here.")
    .no_more("That is all. Nothing older is open.");

/// Those that somebody took note of.
const NOTED: List = List::of("alerts")
    .at("/alerts")
    .place("noted")
    .always(|| json!({"acknowledged": true}))
    .with(&["errand", "job"])
    .ways("Older ones", "Back to the newest");

pub(crate) async fn list(State(queue): Shared, Extension(visitor): Who, asked: Queried<Typed>) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let shown = alerts(&mut queue.ui.page(&visitor), &asked).await;
    queue.answered(&visitor, shown).await
}

async fn alerts(page: &mut Page<'_>, asked: &Typed) -> Shown {
    let (open, noted) = match (page.list(&OPEN, asked).await, page.list(&NOTED, asked).await) {
        (Ok(open), Ok(noted)) => (open, noted),
        (Err(refused), _) | (_, Err(refused)) => return OPEN.anew(refused),
    };
    let lines = |rows: &[Value]| -> Vec<Line> { rows.iter().map(|row| alert(page, row)).collect() };
    let (rows, past) = (lines(&open.rows), lines(&noted.rows));
    let (notice, warns) = match asked.get("told") {
        "noted" => ("You took note of it. It stands below, under what was seen to.", false),
        "retried" => ("It is tried again now. Should it fail again, it comes back here.", false),
        "late" => ("Nothing was done: it was tried again already, or is gone.", true),
        _ => ("", false),
    };
    let frozen_mail = page.frame().await?.frozen_since.is_some();
    let values = context! { rows, past, list => open.list, noted => noted.list, notice, warns, frozen_mail };
    page.show("alerts", "alerts.html", values).await
}

fn alert(page: &Page<'_>, row: &Value) -> Line {
    let (errand, job) = (&row["errand"], &row["job"]);
    let about = if errand.is_object() { errand } else { job };
    let what = match (errand.is_object(), job.is_object()) {
        (true, _) => words::text(&errand["summary"]),
        (_, true) => words::capitalized(&words::doing(page.registry(), job["action"].as_str().unwrap_or_default())),
        _ => "Something that is gone by now".into(),
    };
    let why = words::text(&about["last_error"]);
    let attempts = about["attempts"].as_i64().unwrap_or_default();
    let may_retry = about["state"] == "failed";
    Line {
        id: words::text(&row["id"]),
        what,
        why: if why.is_empty() { words::text(&row["message"]) } else { sentence(&why) },
        advice: match (may_retry, errand["service"].as_str(), job.is_object()) {
            (false, ..) => "It is not given up any more, or it is gone. Take note of it.",
            (true, Some("mail"), _) => {
                "See whether the address is right and whether mail is set up, then try again. Or tell them another way."
            }
            (true, Some(_), _) => "See whether the service it needs is set up and works, then try again.",
            (true, None, true) => {
                "Mend what stands against it, then try again. Or take note of it and leave it undone."
            }
            (true, None, false) => "Try again, or take note of it.",
        },
        since: page.moment_of(&row["created_at"]),
        tried: if attempts > 0 { words::counted(attempts, "attempt", "attempts") } else { String::new() },
        may_retry,
        noted: page.moment_of(&row["acknowledged_at"]),
        noted_by: words::text(&row["acknowledged_by"]),
    }
}

/// What a machine said, as a sentence.
fn sentence(text: &str) -> String {
    let text = words::capitalized(text.trim());
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

/// What a person does about an alert, as the form sends it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Settling {
    alert_id: Option<String>,
    settle: Option<String>,
}

pub(crate) async fn settle(State(queue): Shared, Extension(visitor): Who, sent: Sent<Settling>) -> Response {
    let Form(settling) = sent.unwrap_or_default();
    let (action, there) = match settling.settle.as_deref() {
        Some("acknowledge") => ("alert.acknowledge", "/alerts?told=noted"),
        Some("retry") => ("alert.retry", "/alerts?told=retried"),
        _ => return onward("/alerts"),
    };
    let answer = queue.ui.call(&visitor, action, json!({"alert_id": settling.alert_id.unwrap_or_default()})).await;
    match answer.error_code() {
        None => onward(there),
        Some("NOTHING_TO_RETRY") => onward("/alerts?told=late"),
        Some(_) => queue.refuse(&visitor, &answer).await,
    }
}
