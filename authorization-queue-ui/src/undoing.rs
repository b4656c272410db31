//! The way back, on pages: what would be as before and what cannot be is shown first, and then done as shown or not at all.

use axum::extract::{Extension, Form, Path, Query, State};
use axum::response::Response;
use capabilities::{Answer, Error, Options, Selection};
use chrono::{DateTime, NaiveDateTime, NaiveTime, Utc};
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ui_kit::{Moment, Named, Page, Queried, Sent, Shown, Ui, Visitor, Who, onward, with_status, words};
use uuid::Uuid;

use crate::fields::Vocabulary;
use crate::preview::{self, Room, Teller};
use crate::request::{Notice, request};
use crate::{Queue, Shared};

const UNDO: &str = "audit.undo";
/// How browsers send a local time.
const LOCAL_TIME: &str = "%Y-%m-%dT%H:%M";
/// So many later changes are told.
const TOLD: usize = 10;
/// Said above a fresh preview.
const CHANGED: &str = "Something changed since this page was made, so nothing was undone. Here is what it would undo now: \
please look again.";

/// What is to be undone, and where that is shown.
#[derive(Serialize)]
struct UndoRequest {
    /// "archive 6 contacts".
    title: String,
    agent: String,
    /// From when on, as the form sends it and as it is said; empty for a request.
    since: String,
    said: String,
    /// This page.
    here: String,
    /// The page one came from, and in words.
    back: String,
    back_words: &'static str,
    /// Where the next changes of many are.
    further: String,
    #[serde(skip)]
    input: Value,
    #[serde(skip)]
    done: String,
    #[serde(skip)]
    section: &'static str,
}

/// A later change that stands against it.
#[derive(Serialize)]
struct Against {
    who: String,
    what: String,
    at: Option<Moment>,
}

/// Which part of the changes is looked at, and from when on an agent's calls are undone.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct UndoPart {
    from: Option<usize>,
    of: Option<Uuid>,
    along: Option<usize>,
    since: Option<String>,
}

impl UndoPart {
    fn in_preview(&self) -> preview::PreviewPart {
        let [from, along] = [self.from, self.along].map(Option::unwrap_or_default);
        preview::PreviewPart { from, of: self.of, along, letter: 0 }
    }
}

/// The form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Confirmed {
    seen: String,
    since: String,
}

pub(crate) async fn show_request(
    State(queue): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    asked: Queried<UndoPart>,
) -> Response {
    let Query(place) = asked.unwrap_or_default();
    let in_preview = place.in_preview();
    let shown = async {
        let page = &mut queue.ui.page(&visitor);
        let row = request(page, id).await?;
        match wish_of_request(&row) {
            Ok(wish) => undo_page(page, wish, None, in_preview).await,
            Err(there) => Ok(onward(&there)),
        }
    };
    queue.answered(&visitor, shown.await).await
}

pub(crate) async fn undo_request(
    State(queue): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    sent: Sent<Confirmed>,
) -> Response {
    let Form(confirmed) = sent.unwrap_or_default();
    let shown = async {
        let row = request(&mut queue.ui.page(&visitor), id).await?;
        match wish_of_request(&row) {
            Ok(wish) => queue.undo(&visitor, wish, &confirmed.seen).await,
            Err(there) => Ok(onward(&there)),
        }
    };
    queue.answered(&visitor, shown.await).await
}

pub(crate) async fn show_agent(
    State(queue): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    asked: Queried<UndoPart>,
) -> Response {
    let Query(place) = asked.unwrap_or_default();
    let in_preview = place.in_preview();
    let since = place.since.unwrap_or_default();
    let shown = async {
        let page = &mut queue.ui.page(&visitor);
        let wish = wish_of_agent(page, id, &since).await?;
        match page.may(UNDO) && wish.input["since"].is_string() {
            true => undo_page(page, wish, None, in_preview).await,
            false => ask_since(page, wish).await,
        }
    };
    queue.answered(&visitor, shown.await).await
}

pub(crate) async fn undo_agent(
    State(queue): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    sent: Sent<Confirmed>,
) -> Response {
    let Form(confirmed) = sent.unwrap_or_default();
    let shown = async {
        let wish = wish_of_agent(&mut queue.ui.page(&visitor), id, &confirmed.since).await?;
        queue.undo(&visitor, wish, &confirmed.seen).await
    };
    queue.answered(&visitor, shown.await).await
}

/// To undo what a request did; or the page to go to, if it did nothing that still holds.
fn wish_of_request(row: &Value) -> Result<UndoRequest, String> {
    let id = words::text(&row["id"]);
    let back = format!("/queue/{id}");
    let Some(call) = row["executed_call_id"].as_str().filter(|_| row["undone_at"].is_null()) else {
        return Err(format!("{back}?told=undone"));
    };
    Ok(UndoRequest {
        title: words::lowered(&words::text(&row["summary"])),
        agent: words::text(&row["agent"]),
        since: String::new(),
        said: String::new(),
        here: format!("{back}/undo"),
        further: format!("{back}/undo?"),
        done: format!("{back}?told=undone"),
        input: json!({"call_id": call}),
        back,
        back_words: "Back to the request",
        section: "history",
    })
}

/// To undo all that an agent did from a time on.
async fn wish_of_agent(page: &mut Page<'_>, id: Named<Uuid>, since: &str) -> Result<UndoRequest, Box<Answer>> {
    let ui = page.ui();
    let nothing = || ui.refused(&Error::NotFound { what: "such agent".into() });
    let Path(id) = id.map_err(|_| nothing())?;
    let selection = Selection { data_type: "agents".into(), id: Some(id.to_string()), ..Selection::default() };
    let agent = page.read(selection).await.map_err(|refused| match refused.error_code() {
        Some("NOT_FOUND") => nothing(),
        _ => refused,
    })?;
    let agent = words::text(&agent.data.unwrap_or_default()["name"]);
    let here = format!("/queue/agents/{id}/undo");
    let (zone, now) = (page.org().timezone, page.now());
    let time = local_time(page, since);
    let since = time.map(|time| time.with_timezone(&zone).format(LOCAL_TIME).to_string()).unwrap_or_default();
    Ok(UndoRequest {
        title: String::new(),
        agent,
        further: format!("{here}?since={since}&"),
        since,
        said: time.map(|time| words::clock(time, now, zone)).unwrap_or_default(),
        here,
        back: "/queue/agents".into(),
        back_words: "Back to the agents",
        input: json!({"agent_id": id, "since": time.map(|time| time.to_rfc3339())}),
        done: "/queue/agents?told=undone".into(),
        section: "agents",
    })
}

/// A time of the organization, as a form sends it.
fn local_time(page: &Page<'_>, text: &str) -> Option<DateTime<Utc>> {
    let local = NaiveDateTime::parse_from_str(text.get(..16)?, LOCAL_TIME).ok()?;
    let time = local.and_local_timezone(page.org().timezone).earliest()?;
    Some(time.with_timezone(&Utc))
}

/// What undoing it would do, from a rehearsal.
async fn rehearse(ui: &Ui, visitor: &Visitor, input: Value) -> Answer {
    let options = Options { dry_run: true, ..Options::default() };
    ui.call_with(visitor, UNDO, input, options).await
}

impl Queue {
    async fn undo(&self, visitor: &Visitor, wish: UndoRequest, seen: &str) -> Shown {
        let mut input = wish.input.clone();
        // What was shown is what may be undone.
        input["plan"] = seen.into();
        let answer = self.ui.call(visitor, UNDO, input).await;
        let page = &mut self.ui.page(visitor);
        match answer.error_code() {
            None | Some("ALREADY_UNDONE") => Ok(onward(&wish.done)),
            Some("PLAN_CHANGED") => {
                let (notice, first) = (Notice { warns: true, text: CHANGED.into() }, preview::PreviewPart::default());
                Ok(with_status(undo_page(page, wish, Some(notice), first).await?, answer.status))
            }
            Some(_) => stands_against(page, wish, &answer).await,
        }
    }
}

async fn undo_page(
    page: &mut Page<'_>,
    wish: UndoRequest,
    notice: Option<Notice>,
    place: preview::PreviewPart,
) -> Shown {
    page.let_go();
    let answer = rehearse(page.ui(), page.visitor(), wish.input.clone()).await;
    if !answer.success() {
        return stands_against(page, wish, &answer).await;
    }
    let rehearsed = answer.data.clone().unwrap_or_default();
    let (would, result) = (&rehearsed["would"], &rehearsed["result"]);
    let preview = json!({"changes": would["changes"], "errands": []});
    let changes = told_back(page, &preview, result, place).await?;
    let lines =
        |member: &str| -> Vec<String> { result[member].as_array().into_iter().flatten().map(words::text).collect() };
    let (stays, withdrawn) = (lines("stays"), lines("withdrawn"));
    let seen = words::text(&result["plan"]);
    let calls = result["calls"].as_array().map_or(0, Vec::len);
    let calls = words::counted(i64::try_from(calls).unwrap_or(i64::MAX), "change", "changes");
    let section = wish.section;
    let values = context! { wish, notice, changes, stays, withdrawn, seen, calls };
    page.show(section, "undo.html", values).await
}

async fn told_back(
    page: &mut Page<'_>,
    preview: &Value,
    result: &Value,
    place: preview::PreviewPart,
) -> Result<preview::Shown, Box<Answer>> {
    let registry = page.registry();
    let wanted = preview::referred(registry, preview);
    let names = page.names(&wanted).await?;
    let (org, now) = (page.org(), page.now());
    let vocabulary = Vocabulary { org: *org, now, rehearsed: Vec::new(), moment: String::new(), names };
    // Told as the newest of the calls was told, so that parts stand with their record.
    let action = result["calls"][0]["action"].as_str().unwrap_or_default();
    Ok(Teller { registry, action, vocabulary, room: Room::default() }.tell(preview, None, place))
}

/// Why it cannot be undone, with the later changes that stand against it.
async fn stands_against(page: &mut Page<'_>, wish: UndoRequest, answer: &Answer) -> Shown {
    let refusals = ["CHANGED_SINCE", "CANNOT_UNDO", "NOTHING_TO_UNDO", "ALREADY_UNDONE"];
    let error = answer.error.clone().unwrap_or_default();
    if !refusals.map(Some).contains(&answer.error_code()) {
        return Err(Box::new(answer.clone()));
    }
    let later: Vec<Against> =
        error["later_changes"].as_array().into_iter().flatten().map(|later| against(page, later)).collect();
    let more = later.len().saturating_sub(TOLD);
    let later: Vec<Against> = later.into_iter().take(TOLD).collect();
    let why = if later.is_empty() { words::text(&error["message"]).replace('`', "") } else { String::new() };
    let section = wish.section;
    let page = page.show(section, "undo_refused.html", context! { wish, later, more, why }).await?;
    Ok(with_status(page, answer.status))
}

fn against(page: &Page<'_>, later: &Value) -> Against {
    let (one, _) = words::kind(page.registry(), later["data_type"].as_str().unwrap_or_default());
    let fields = later["fields"].as_array().into_iter().flatten().map(words::text);
    let fields: Vec<String> = fields.map(|field| words::lowered(&words::label(&field))).collect();
    let what = match (later["how"].as_str().unwrap_or_default(), fields.is_empty()) {
        ("deleted", _) => format!("deleted the {one}"),
        ("made", _) => format!("brought the {one} back"),
        ("refers", _) => format!("added or moved a {one} that belongs to it"),
        (_, true) => format!("changed the {one}"),
        (_, false) => format!("changed {} of the {one}", words::listed(&fields)),
    };
    Against { who: words::text(&later["actor"]), what, at: page.moment_of(&later["at"]) }
}

/// Asks from when on; today is offered.
async fn ask_since(page: &mut Page<'_>, wish: UndoRequest) -> Shown {
    let today = page.now().with_timezone(&page.org().timezone).date_naive();
    let morning = today.and_time(NaiveTime::MIN).format(LOCAL_TIME).to_string();
    let may = page.may(UNDO);
    let section = wish.section;
    page.show(section, "undo_since.html", context! { wish, morning, may }).await
}
