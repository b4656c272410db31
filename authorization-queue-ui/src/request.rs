//! One request: what it would do and why it waits, and the forms to decide it; or what was decided.

use axum::extract::{Extension, Path, Query, State};
use axum::response::Response;
use capabilities::{Error, Selection};
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ui_kit::{Moment, Named, Page, Queried, Shown, Visitor, Who, words};
use uuid::Uuid;

use crate::coverage::coverage;
use crate::deciding::DecisionForm;
use crate::fields::Vocabulary;
use crate::preview::{self, Room, Teller};
use crate::waiting::card;
use crate::{Shared, letters, waiting};

/// So much of the model's own words is shown.
const REASONING: usize = 500;
/// So many lines of what the agent was told.
const TOLD: usize = 12;

/// What a page of a request says first.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Notice {
    /// Whether nothing was done although a person wanted it.
    pub warns: bool,
    pub text: String,
}

/// A request to be shown, and how.
pub(crate) struct View<'v> {
    pub row: &'v Value,
    /// The preview that was shown until now, if it is another one, and when it was made.
    pub before: Option<&'v Value>,
    /// Which part of the changes the page shows.
    pub place: preview::PreviewPart,
    pub notice: Option<Notice>,
    pub typed: DecisionForm,
}

impl<'v> View<'v> {
    pub fn of(row: &'v Value) -> Self {
        let (place, typed) = (preview::PreviewPart::default(), DecisionForm::as_narrow_as(row));
        Self { row, before: None, place, notice: None, typed }
    }
}

/// What was done on the page before, which preview it showed, and which part of the changes is looked at.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RequestPart {
    told: Option<String>,
    seen: Option<String>,
    from: Option<usize>,
    of: Option<Uuid>,
    along: Option<usize>,
    letter: Option<usize>,
}

impl RequestPart {
    fn in_preview(&self) -> preview::PreviewPart {
        let [from, along, letter] = [self.from, self.along, self.letter].map(Option::unwrap_or_default);
        preview::PreviewPart { from, of: self.of, along, letter }
    }
}

/// Said above a preview that was renewed because somebody else tried to decide on the old one.
const RENEWED: &str = "What this would do has changed since you looked: what is different now is marked.";
const RENEWED_UNSEEN: &str = "What this would do has changed since you looked: please read it again.";

pub(crate) async fn show(
    State(queue): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    asked: Queried<RequestPart>,
) -> Response {
    let Query(place) = asked.unwrap_or_default();
    let shown = async {
        let page = &mut queue.ui.page(&visitor);
        let row = request(page, id).await?;
        let in_preview = place.in_preview();
        let seen = place.seen.filter(|seen| row["status"] == "pending" && row["plan"].as_str() != Some(seen));
        let before = match &seen {
            Some(seen) => looked_at(page, &row, seen).await?,
            None => None,
        };
        let text = if before.is_some() { RENEWED } else { RENEWED_UNSEEN };
        let renewed = seen.map(|_| Notice { warns: true, text: text.into() });
        let notice = notice(&row, place.told.as_deref(), &visitor).or(renewed);
        let view = View { notice, place: in_preview, before: before.as_ref(), ..View::of(&row) };
        request_page(page, view).await
    };
    queue.answered(&visitor, shown.await).await
}

/// What came of the form that led here, told by how the request stands.
fn notice(row: &Value, told: Option<&str>, visitor: &Visitor) -> Option<Notice> {
    let (warns, text) = match (told?, row["status"].as_str()?) {
        (_, "pending") => return None,
        ("undone", "executed") if row["undone_at"].is_string() => {
            (false, "Undone: everything it changed is as it was before.".to_string())
        }
        ("done", "executed") => (false, "Allowed, and carried out just as shown.".to_string()),
        ("done", "denied") => (false, "Denied. Nothing was changed, and the agent is told.".into()),
        ("done", "failed") => (true, "You allowed it, but it could not be carried out: nothing was changed.".into()),
        ("late", "expired") => (true, "Too late: it ran out before you decided. Nothing was changed.".into()),
        ("late", "withdrawn") => (true, "The agent has taken it back meanwhile. Nothing was changed.".into()),
        ("late", _) if row["decided_by"].as_str() == Some(visitor.caller.name()) => {
            (true, "You had decided this already. Nothing more was done.".into())
        }
        ("late", _) => (true, "Somebody else had decided this already. Nothing more was done.".into()),
        ("meanwhile", "expired") => (true, "It has run out meanwhile. Nothing was changed.".into()),
        ("meanwhile", "withdrawn") => (true, "The agent has taken it back meanwhile. Nothing was changed.".into()),
        ("meanwhile", _) => (true, format!("Decided meanwhile by {}.", words::text(&row["decided_by"]))),
        _ => return None,
    };
    Some(Notice { warns, text })
}

/// How many items a request works on.
pub(crate) fn items(row: &Value) -> usize {
    row["input"].as_array().map_or(1, Vec::len)
}

/// The forms that a person may use.
#[derive(Serialize)]
struct Forms {
    seen: String,
    may_allow: bool,
    who_may: &'static str,
    may_always: bool,
    each_time: bool,
}

/// What was decided.
#[derive(Serialize)]
struct Outcome {
    is_me: bool,
    who: String,
    at: Option<Moment>,
    note: String,
    error: String,
    told: Vec<String>,
    made_rule: bool,
    undone: Option<Moment>,
    undone_by: String,
    may_undo: bool,
}

pub(crate) async fn request(page: &mut Page<'_>, id: Named<Uuid>) -> Result<Value, Box<capabilities::Answer>> {
    let nothing = |_| page.refused(&Error::NotFound { what: "such request".into() });
    let Path(id) = id.map_err(nothing)?;
    let selection = Selection { data_type: "authorizations".into(), id: Some(id.to_string()), ..Selection::default() };
    page.read(selection).await.map(|answer| answer.data.unwrap_or_default()).map_err(|refused| {
        match refused.error_code() {
            Some("NOT_FOUND") => page.refused(&Error::NotFound { what: "such request".into() }),
            _ => refused,
        }
    })
}

/// The preview that somebody looked at, by its plan: that of the row or an earlier one. None if nobody knows it.
pub(crate) async fn looked_at(
    page: &mut Page<'_>,
    row: &Value,
    seen: &str,
) -> Result<Option<Value>, Box<capabilities::Answer>> {
    if row["plan"].as_str() == Some(seen) {
        return Ok(Some(json!({"preview": row["preview"], "rehearsed_at": row["rehearsed_at"]})));
    }
    let id = row["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
    page.earlier_preview(id, seen).await
}

pub(crate) async fn request_page(page: &mut Page<'_>, view: View<'_>) -> Shown {
    let row = view.row;
    let card = card(page, row);
    let changes = told(page, &view).await?;
    let has_html = changes.has_html();
    let reasoning = words::cut(&words::text(&row["reasoning"]), REASONING);
    let (reasons, stake) = (waiting::reasons(row), waiting::stake(page.registry(), row));
    let recipients = row["stake"]["recipients"].as_array().into_iter().flatten();
    let recipients = words::listed(&recipients.map(words::text).collect::<Vec<_>>());
    let expires = page.moment_of(&row["expires_at"]);
    let forms = card.waits.then(|| forms(page, row));
    let outcome = (!card.waits).then(|| outcome(page, row));
    let payments = letters::payments(&row["stake"], page.org());
    let coverage = match forms.as_ref().is_some_and(|forms| forms.may_always) {
        true => coverage(page, &words::text(&row["action"]), view.typed.trial(&row["id"])).await?,
        false => None,
    };
    let (notice, typed, id) = (view.notice, view.typed, words::text(&row["id"]));
    let (status, plan) = (words::text(&row["status"]), words::text(&row["plan"]));
    let section = if card.waits { "waiting" } else { "history" };
    let (_, many) = words::records_of(page.registry(), &words::text(&row["action"]));
    let terms = typed.terms().fields(page, &many, &typed.problems);
    let problems = minijinja::Value::from_object(typed.problems.clone());
    let values = context! {
        id, status, plan, card, changes, reasoning, reasons, stake, recipients, payments, expires, forms, outcome, notice,
        typed, problems, terms, coverage,
    };
    let mut page = page.show(section, "request.html", values).await?;
    if has_html {
        page.extensions_mut().insert(letters::ShowsLetters);
    }
    Ok(page)
}

async fn told(page: &mut Page<'_>, view: &View<'_>) -> Result<preview::Shown, Box<capabilities::Answer>> {
    let (registry, row) = (page.registry(), view.row);
    let mut wanted = preview::referred(registry, &row["preview"]);
    for (data_type, ids) in
        view.before.map(|before| preview::referred(registry, &before["preview"])).into_iter().flatten()
    {
        wanted.entry(data_type).or_default().extend(ids);
    }
    let names = page.names(&wanted).await?;
    let (org, now) = (*page.org(), page.now());
    let moment = match (row["status"].as_str(), words::time(&row["decided_at"])) {
        (Some("executed"), Some(at)) => words::clock(at, now, org.timezone),
        (Some("pending"), _) => "now".into(),
        _ => "the time of doing".into(),
    };
    let asked = words::time(&row["created_at"]);
    let vocabulary = |made: &Value| Vocabulary {
        org,
        now,
        rehearsed: asked.into_iter().chain(words::time(&made["rehearsed_at"])).collect(),
        moment: moment.clone(),
        names: names.clone(),
    };
    let action = row["action"].as_str().unwrap_or_default();
    let teller = Teller { registry, action, vocabulary: vocabulary(row), room: Room::default() };
    let before = view.before.map(|before| (&before["preview"], vocabulary(before)));
    let before = before.as_ref().map(|(preview, vocabulary)| (*preview, vocabulary));
    Ok(teller.tell(&row["preview"], before, view.place))
}

fn forms(page: &Page<'_>, row: &Value) -> Forms {
    let action = row["action"].as_str().unwrap_or_default();
    let declared = page.registry().action(action).ok();
    let may_allow = declared.is_some_and(|entry| page.visitor().caller.is_among(entry.who));
    let may_decide = page.may("authorization.allow_once");
    let each_time = declared.is_some_and(|entry| entry.each_time);
    Forms {
        seen: words::text(&row["plan"]).to_string(),
        may_allow: may_allow && may_decide,
        who_may: declared.map_or("nobody", |entry| entry.who.in_words()),
        may_always: may_allow && !each_time && page.may("authorization.allow_always"),
        each_time,
    }
}

fn outcome(page: &Page<'_>, row: &Value) -> Outcome {
    let who = words::text(&row["decided_by"]);
    Outcome {
        is_me: !who.is_empty() && row["decided_by"].as_str() == Some(page.visitor().caller.name()),
        who,
        at: page.moment_of(&row["decided_at"]),
        note: words::text(&row["note"]),
        error: words::text(&row["error"]["message"]),
        told: told_to_agent(row),
        made_rule: row["rule_id"].is_string(),
        undone: page.moment_of(&row["undone_at"]),
        undone_by: words::text(&row["undone_by"]),
        may_undo: row["executed_call_id"].is_string() && may_undo(page, row),
    }
}

fn may_undo(page: &Page<'_>, row: &Value) -> bool {
    let action = row["action"].as_str().unwrap_or_default();
    let declared = page.registry().action(action);
    let by_trail = declared.is_ok_and(|entry| entry.instead_of_undo.is_none());
    by_trail && page.may(action) && page.may("audit.undo")
}

/// The result in lines: names and numbers, no ids.
fn told_to_agent(row: &Value) -> Vec<String> {
    let results = row["result"].as_array().into_iter().flatten();
    let name = |result: &Value| {
        let named = ["display_name", "name", "title", "number"].iter().find_map(|member| result[*member].as_str());
        named.map(|name| words::cut(&capabilities::visible(name), 100))
    };
    let mut lines: Vec<String> = results.filter_map(name).collect();
    let more = lines.split_off(TOLD.min(lines.len())).len();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}
