//! Whose visits a page shows: one's own for those who work on site, everybody's or one technician's for the others.

use capabilities::Answer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ui_kit::{Detail, Page, text};
use uuid::Uuid;

/// What a list's address says besides.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct CalendarFilter {
    who: Option<Uuid>,
    pub told: Option<String>,
}

/// A way to see another one's visits.
#[derive(Serialize)]
struct Choice {
    path: String,
    words: String,
    chosen: bool,
}

/// Whose visits are shown.
#[derive(Serialize)]
pub(crate) struct Whose {
    #[serde(skip)]
    pub technician: Option<Uuid>,
    /// Whether they are one technician's.
    is_one: bool,
    /// "for you", "for Tyler Nguyen"; empty for everybody's.
    pub words: String,
    /// What the address of a list ends with.
    pub query: String,
    choices: Vec<Choice>,
}

/// Whose visits to show at `path`.
pub(crate) async fn whose(page: &mut Page<'_>, path: &str, asked: &CalendarFilter) -> Result<Whose, Box<Answer>> {
    if let Some(own) = page.visitor().caller.only_own() {
        return Ok(Whose {
            technician: Some(own),
            words: "for you".into(),
            query: String::new(),
            is_one: true,
            choices: vec![],
        });
    }
    let people = page.all("users", json!({"active": true}), Detail::PLAIN).await?.rows;
    let on_site = |person: &&Value| person["role"] == "technician" || is(person, asked.who);
    let crew: Vec<&Value> = people.iter().filter(on_site).collect();
    let chosen = crew.iter().find(|person| is(person, asked.who));
    let everybody = Choice { path: path.into(), words: "Everybody".into(), chosen: chosen.is_none() };
    let choice = |person: &&Value| Choice {
        path: format!("{path}?who={}", text(&person["id"])),
        words: text(&person["name"]),
        chosen: is(person, asked.who),
    };
    Ok(Whose {
        technician: asked.who.filter(|_| chosen.is_some()),
        is_one: chosen.is_some(),
        words: chosen.map(|person| format!("for {}", text(&person["name"]))).unwrap_or_default(),
        query: chosen.map(|person| format!("?who={}", text(&person["id"]))).unwrap_or_default(),
        choices: [everybody].into_iter().chain(crew.iter().map(choice)).collect(),
    })
}

fn is(person: &Value, id: Option<Uuid>) -> bool {
    id.is_some_and(|id| person["id"].as_str() == Some(id.to_string().as_str()))
}
