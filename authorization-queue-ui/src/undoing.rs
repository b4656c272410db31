//! The way back, on pages: what would be as before and what cannot be is shown first, and then done as shown or not at all.

use axum::extract::{Extension, Form, Path, Query, State};
use axum::response::Response;
use capabilities::{Answer, Call, Error, Input, Options, Selection};
use chrono::{DateTime, NaiveDateTime, NaiveTime, Utc};
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fields::Vocabulary;
use crate::page::with_status;
use crate::preview::{self, Room, Teller};
use crate::request::{Named, Notice};
use crate::words::{self, Moment};
use crate::{Queried, Sent, Shared, Shown, Ui, Visitor, Who, onward};

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
    State(ui): Shared,
    Extension(visitor): Who,
    id: Named,
    asked: Queried<UndoPart>,
) -> Response {
    let Query(place) = asked.unwrap_or_default();
    let in_preview = place.in_preview();
    let shown = async {
        let row = ui.request(&visitor, id).await?;
        match Ui::wish_of_request(&row) {
            Ok(wish) => ui.undo_page(&visitor, wish, None, in_preview).await,
            Err(there) => Ok(onward(&there)),
        }
    };
    ui.answered(&visitor, shown.await).await
}

pub(crate) async fn undo_request(
    State(ui): Shared,
    Extension(visitor): Who,
    id: Named,
    sent: Sent<Confirmed>,
) -> Response {
    let Form(confirmed) = sent.unwrap_or_default();
    let shown = async {
        let row = ui.request(&visitor, id).await?;
        match Ui::wish_of_request(&row) {
            Ok(wish) => ui.undo(&visitor, wish, &confirmed.seen).await,
            Err(there) => Ok(onward(&there)),
        }
    };
    ui.answered(&visitor, shown.await).await
}

pub(crate) async fn show_agent(
    State(ui): Shared,
    Extension(visitor): Who,
    id: Named,
    asked: Queried<UndoPart>,
) -> Response {
    let Query(place) = asked.unwrap_or_default();
    let in_preview = place.in_preview();
    let since = place.since.unwrap_or_default();
    let shown = async {
        let wish = ui.wish_of_agent(&visitor, id, &since).await?;
        match ui.may(&visitor, UNDO) && wish.input["since"].is_string() {
            true => ui.undo_page(&visitor, wish, None, in_preview).await,
            false => ui.ask_since(&visitor, wish).await,
        }
    };
    ui.answered(&visitor, shown.await).await
}

pub(crate) async fn undo_agent(
    State(ui): Shared,
    Extension(visitor): Who,
    id: Named,
    sent: Sent<Confirmed>,
) -> Response {
    let Form(confirmed) = sent.unwrap_or_default();
    let shown = async {
        let wish = ui.wish_of_agent(&visitor, id, &confirmed.since).await?;
        ui.undo(&visitor, wish, &confirmed.seen).await
    };
    ui.answered(&visitor, shown.await).await
}

impl Ui {
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
    async fn wish_of_agent(&self, visitor: &Visitor, id: Named, since: &str) -> Result<UndoRequest, Box<Answer>> {
        let nothing = || self.refused(&Error::NotFound { what: "such agent".into() });
        let Path(id) = id.map_err(|_| nothing())?;
        let selection = Selection { data_type: "agents".into(), id: Some(id.to_string()), ..Selection::default() };
        let agent = self.read(visitor, selection).await.map_err(|refused| match refused.error_code() {
            Some("NOT_FOUND") => nothing(),
            _ => refused,
        })?;
        let agent = words::text(&agent.data.unwrap_or_default()["name"]);
        let here = format!("/queue/agents/{id}/undo");
        let (zone, now) = (visitor.caller.org().timezone, self.office.clock().now());
        let time = self.local_time(visitor, since);
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
    fn local_time(&self, visitor: &Visitor, text: &str) -> Option<DateTime<Utc>> {
        let local = NaiveDateTime::parse_from_str(text.get(..16)?, LOCAL_TIME).ok()?;
        let time = local.and_local_timezone(visitor.caller.org().timezone).earliest()?;
        Some(time.with_timezone(&Utc))
    }

    /// What undoing it would do, from a rehearsal.
    async fn rehearse(&self, visitor: &Visitor, input: Value) -> Answer {
        let options = Options { dry_run: true, ..Options::default() };
        let call = Call { action: UNDO.into(), input: Input::One(input), options, source: visitor.source.clone() };
        self.office.call(&visitor.caller, call).await
    }

    async fn undo(&self, visitor: &Visitor, wish: UndoRequest, seen: &str) -> Shown {
        let mut input = wish.input.clone();
        // What was shown is what may be undone.
        input["plan"] = seen.into();
        let answer = self.call(visitor, UNDO, input).await;
        match answer.error_code() {
            None | Some("ALREADY_UNDONE") => Ok(onward(&wish.done)),
            Some("PLAN_CHANGED") => {
                let notice = Notice { warns: true, text: CHANGED.into() };
                Ok(with_status(
                    self.undo_page(visitor, wish, Some(notice), preview::PreviewPart::default()).await?,
                    answer.status,
                ))
            }
            Some(_) => self.stands_against(visitor, wish, &answer).await,
        }
    }

    async fn undo_page(
        &self,
        visitor: &Visitor,
        wish: UndoRequest,
        notice: Option<Notice>,
        place: preview::PreviewPart,
    ) -> Shown {
        let answer = self.rehearse(visitor, wish.input.clone()).await;
        if !answer.success() {
            return self.stands_against(visitor, wish, &answer).await;
        }
        let rehearsed = answer.data.clone().unwrap_or_default();
        let (would, result) = (&rehearsed["would"], &rehearsed["result"]);
        let preview = json!({"changes": would["changes"], "errands": []});
        let changes = self.told_back(visitor, &preview, result, place).await?;
        let lines = |member: &str| -> Vec<String> {
            result[member].as_array().into_iter().flatten().map(words::text).collect()
        };
        let (stays, withdrawn) = (lines("stays"), lines("withdrawn"));
        let seen = words::text(&result["plan"]);
        let calls = result["calls"].as_array().map_or(0, Vec::len);
        let calls = words::counted(i64::try_from(calls).unwrap_or(i64::MAX), "change", "changes");
        let frame = self.frame(visitor).await?;
        let section = wish.section;
        let values = context! { wish, notice, changes, stays, withdrawn, seen, calls };
        Ok(self.show(visitor, &frame, section, "undo.html", values))
    }

    async fn told_back(
        &self,
        visitor: &Visitor,
        preview: &Value,
        result: &Value,
        place: preview::PreviewPart,
    ) -> Result<preview::Shown, Box<Answer>> {
        let registry = self.office.registry();
        let wanted = preview::referred(registry, preview);
        let names = self.office.names(&visitor.caller, &wanted).await.map_err(|error| self.refused(&error))?;
        let (org, now) = (visitor.caller.org(), self.office.clock().now());
        let vocabulary = Vocabulary { org: *org, now, rehearsed: Vec::new(), moment: String::new(), names };
        // Told as the newest of the calls was told, so that parts stand with their record.
        let action = result["calls"][0]["action"].as_str().unwrap_or_default();
        Ok(Teller { registry, action, vocabulary, room: Room::default() }.tell(preview, None, place))
    }

    /// Why it cannot be undone, with the later changes that stand against it.
    async fn stands_against(&self, visitor: &Visitor, wish: UndoRequest, answer: &Answer) -> Shown {
        let refusals = ["CHANGED_SINCE", "CANNOT_UNDO", "NOTHING_TO_UNDO", "ALREADY_UNDONE"];
        let error = answer.error.clone().unwrap_or_default();
        if !refusals.map(Some).contains(&answer.error_code()) {
            return Err(Box::new(answer.clone()));
        }
        let later: Vec<Against> =
            error["later_changes"].as_array().into_iter().flatten().map(|later| self.against(visitor, later)).collect();
        let more = later.len().saturating_sub(TOLD);
        let later: Vec<Against> = later.into_iter().take(TOLD).collect();
        let why = if later.is_empty() { words::text(&error["message"]).replace('`', "") } else { String::new() };
        let frame = self.frame(visitor).await?;
        let section = wish.section;
        let page = self.show(visitor, &frame, section, "undo_refused.html", context! { wish, later, more, why });
        Ok(with_status(page, answer.status))
    }

    fn against(&self, visitor: &Visitor, later: &Value) -> Against {
        let (one, _) = words::kind(self.office.registry(), later["data_type"].as_str().unwrap_or_default());
        let fields = later["fields"].as_array().into_iter().flatten().map(words::text);
        let fields: Vec<String> = fields.map(|field| words::lowered(&words::label(&field))).collect();
        let what = match (later["how"].as_str().unwrap_or_default(), fields.is_empty()) {
            ("deleted", _) => format!("deleted the {one}"),
            ("made", _) => format!("brought the {one} back"),
            ("refers", _) => format!("added or moved a {one} that belongs to it"),
            (_, true) => format!("changed the {one}"),
            (_, false) => format!("changed {} of the {one}", words::listed(&fields)),
        };
        Against { who: words::text(&later["actor"]), what, at: self.moment_of(visitor, &later["at"]) }
    }

    /// Asks from when on; today is offered.
    async fn ask_since(&self, visitor: &Visitor, wish: UndoRequest) -> Shown {
        let today = self.office.clock().now().with_timezone(&visitor.caller.org().timezone).date_naive();
        let morning = today.and_time(NaiveTime::MIN).format(LOCAL_TIME).to_string();
        let may = self.may(visitor, UNDO);
        let frame = self.frame(visitor).await?;
        let section = wish.section;
        Ok(self.show(visitor, &frame, section, "undo_since.html", context! { wish, morning, may }))
    }
}
