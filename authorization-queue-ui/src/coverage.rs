//! What a rule would have let through, in a sentence: for whoever is about to make or change one.

use capabilities::{Answer, Selection};
use serde::Serialize;
use serde_json::{Map, Value};
use ui_kit::{Moment, Page, rows_of, words};

/// What is told of it.
#[derive(Serialize)]
pub(crate) struct Coverage {
    sentence: String,
    /// What people had decided against although it would have gone through.
    denied: String,
    requests: Vec<Gone>,
    /// How many more there are than those that are named.
    more: String,
}

/// A request that would have gone through.
#[derive(Serialize)]
struct Gone {
    id: String,
    agent: String,
    wants: String,
    became: &'static str,
    asked: Option<Moment>,
}

/// The coverage of one rule, or of one that is thought of.
pub(crate) async fn coverage(
    page: &mut Page<'_>,
    action: &str,
    filters: Map<String, Value>,
) -> Result<Option<Coverage>, Box<Answer>> {
    let selection = Selection { data_type: "rule_coverage".into(), filters, limit: Some(1), ..Selection::default() };
    let found = rows_of(page.read(selection).await?.data).pop();
    Ok(found.map(|row| coverage_in_words(page, action, &row)))
}

pub(crate) fn coverage_in_words(page: &Page<'_>, action: &str, row: &Value) -> Coverage {
    let number = |member: &str| row[member].as_i64().unwrap_or_default();
    let (requests, covered, denied) = (number("requests"), number("covered"), number("denied"));
    let doing = words::doing(page.registry(), action);
    let which = if row["older_left_out"] == true { "the newest " } else { "" };
    let asked = words::counted(requests, "request", "requests");
    let sentence = match requests {
        0 => format!("Nobody it is for asked to {doing} in the past 90 days."),
        _ => format!(
            "This rule would have let through {} of {which}{asked} to {doing} in the past 90 days.",
            words::grouped(covered)
        ),
    };
    let shown: Vec<Gone> = row["newest"].as_array().into_iter().flatten().map(|row| gone(page, row)).collect();
    let more = covered - i64::try_from(shown.len()).unwrap_or_default();
    Coverage {
        sentence,
        denied: match denied {
            0 => String::new(),
            1 => "One of them a person had denied.".into(),
            some => format!("{} of them a person had denied.", words::grouped(some)),
        },
        requests: shown,
        more: if more > 0 { format!("and {} older", words::grouped(more)) } else { String::new() },
    }
}

fn gone(page: &Page<'_>, gone: &Value) -> Gone {
    Gone {
        id: words::text(&gone["authorization_id"]),
        agent: words::text(&gone["agent"]),
        wants: words::lowered(&words::text(&gone["summary"])),
        became: match gone["status"].as_str().unwrap_or_default() {
            "pending" => "waiting",
            "executed" => "allowed",
            "failed" => "allowed, but it failed",
            "denied" => "denied",
            "expired" => "ran out",
            _ => "withdrawn",
        },
        asked: page.moment_of(&gone["created_at"]),
    }
}
