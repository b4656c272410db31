//! The person's door: what agents ask for, on pages that work without scripts. Made over any registry: it knows the
//! office's actions and data by name and JSON only.
//!
//! Who is signed in, and that a write comes from that person's own page, is settled by whoever mounts these routes, which
//! puts a [`Visitor`] beside each request.

#![warn(missing_docs)]

mod agents;
mod alerts;
mod coverage;
mod deciding;
mod difference;
mod events;
mod fields;
mod history;
mod letters;
mod page;
mod preview;
mod request;
mod rule;
mod rules;
mod undoing;
mod waiting;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Extension, Form, Query, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use capabilities::{
    Answer, Call, Caller, Error, Input, Office, Options, Read, Selection, SessionToken, Source, Waiting,
};
use chrono::{DateTime, Utc};
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub use letters::ShowsLetters;
pub use page::{Pages, Refusal, with_status};
pub use words::{Moment, amount, capitalized, counted, cut, listed, minor_units, money, text, time};

use words::moment;

/// How many requests, rules or agents a page shows.
const PAGE: i64 = 25;
/// The most that can be read at once: agents, for their names.
const MANY: i64 = 200;

/// A person at the door.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Who.
    pub caller: Caller,
    /// What they are known by: a page that stays open ends its stream with it.
    pub session: SessionToken,
    /// What the person's forms must carry, as `_csrf`.
    pub csrf: String,
    /// What their calls are put on record with.
    pub source: Source,
    /// The ways to other doors' pages.
    pub nav: Vec<NavItem>,
}

/// A way in the navigation of every page.
#[derive(Debug, Clone, Serialize)]
pub struct NavItem {
    /// Where it leads.
    pub path: String,
    /// What it is called.
    pub words: String,
    /// The section in which it is marked as the place one is at.
    pub section: &'static str,
}

/// The way of pages into the office. Other doors make their pages with it too, so that all look and speak alike.
pub struct Ui {
    office: Arc<Office>,
    pages: Arc<Pages>,
    streams: Arc<events::Streams>,
    /// The server ends, and streams with it.
    ended: CancellationToken,
}

type Shared = State<Arc<Ui>>;
type Who = Extension<Visitor>;
/// What is not readable as a form is an empty one: the answer says what is missing.
type Sent<T> = Result<Form<T>, FormRejection>;
type Queried<T> = Result<Query<T>, QueryRejection>;
/// A page, or the answer that says why there is none.
type Shown = Result<Response, Box<Answer>>;

/// The address of the stream that tells open pages what is new.
pub const EVENTS: &str = "/queue/events";

/// The routes. They need a [`Visitor`] among the extensions of each request. Streams end when `ended` does.
pub fn routes(office: &Arc<Office>, pages: &Arc<Pages>, ended: CancellationToken) -> Router {
    let ui = Arc::new(Ui::new(office, pages, ended));
    Router::new()
        .route("/queue", get(waiting::list).post(waiting::switch))
        .route(EVENTS, get(events::stream))
        .route("/queue/history", get(history::list))
        .route("/queue/rules", get(rules::list).post(rules::revoke))
        .route("/queue/rules/{id}", get(rule::show).post(rule::change))
        .route("/queue/agents", get(agents::list).post(agents::switch))
        .route("/queue/agents/{id}/undo", get(undoing::show_agent).post(undoing::undo_agent))
        .route("/queue/{id}", get(request::show).post(deciding::decide))
        .route("/alerts", get(alerts::list).post(alerts::settle))
        .route("/queue/{id}/undo", get(undoing::show_request).post(undoing::undo_request))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(ui)
}

/// The business, as each page shows it.
pub struct Frame {
    organization: String,
    frozen_since: Option<DateTime<Utc>>,
    /// How many alerts nobody took note of; empty for none.
    alerts: String,
    /// For those who decide.
    waiting: Option<Waiting>,
}

/// What was done on the page before, told by the address one lands on. Only these words say anything.
#[derive(Debug, Default, Deserialize)]
struct Told {
    cursor: Option<String>,
    told: Option<String>,
}

/// A list's place and the way to the next one.
#[derive(Serialize)]
struct Listing {
    total: String,
    next: Option<String>,
    is_first: bool,
}

impl Listing {
    fn of(answer: &Answer, cursor: Option<&String>) -> Self {
        let total = answer.meta.total.as_ref().map(|total| total.to_string().trim_matches('"').to_string());
        Self { total: total.unwrap_or_default(), next: answer.meta.next_cursor.clone(), is_first: cursor.is_none() }
    }
}

impl Ui {
    /// A way into this office, for pages of these templates. What stays open ends when `ended` does.
    #[must_use]
    pub fn new(office: &Arc<Office>, pages: &Arc<Pages>, ended: CancellationToken) -> Self {
        Self { office: office.clone(), pages: pages.clone(), streams: Arc::default(), ended }
    }

    /// The office.
    #[must_use]
    pub fn office(&self) -> &Office {
        &self.office
    }

    /// What the visitor asks for, or the refusal.
    pub async fn read(&self, visitor: &Visitor, selection: Selection) -> Result<Answer, Box<Answer>> {
        let answer =
            self.office.read(&visitor.caller, Read { selection, room: None, door: capabilities::Door::Page }).await;
        if answer.success() { Ok(answer) } else { Err(Box::new(answer)) }
    }

    async fn rows(&self, visitor: &Visitor, data_type: &str, limit: i64) -> Result<Vec<Value>, Box<Answer>> {
        let selection = Selection { data_type: data_type.into(), limit: Some(limit), ..Selection::default() };
        Ok(rows_of(self.read(visitor, selection).await?.data))
    }

    /// Carries out an action in the visitor's name.
    async fn call(&self, visitor: &Visitor, action: &str, input: Value) -> Answer {
        self.call_with(visitor, action, input, Options::default()).await
    }

    /// The same with options.
    pub async fn call_with(&self, visitor: &Visitor, action: &str, input: Value, options: Options) -> Answer {
        let source = visitor.source.clone();
        let call = Call { action: action.into(), input: Input::One(input), options, source };
        self.office.call(&visitor.caller, call).await
    }

    /// Whether the visitor's role is among those for whom an action is.
    #[must_use]
    pub fn may(&self, visitor: &Visitor, action: &str) -> bool {
        self.office.registry().action(action).is_ok_and(|entry| visitor.caller.is_among(entry.who))
    }

    /// The business of the visitor.
    pub async fn frame(&self, visitor: &Visitor) -> Result<Frame, Box<Answer>> {
        let org = self.rows(visitor, "org", 1).await?.pop().unwrap_or_default();
        let alerts = self.open_alerts(visitor).await?;
        let waiting = self.office.waiting(&visitor.caller).await.ok();
        let (organization, frozen_since) = (words::text(&org["name"]), words::time(&org["frozen_at"]));
        Ok(Frame { organization, frozen_since, alerts, waiting })
    }

    /// A time as it is said where the business is.
    #[must_use]
    pub fn moment(&self, visitor: &Visitor, at: DateTime<Utc>) -> Moment {
        moment(at, self.office.clock().now(), visitor.caller.org().timezone)
    }

    /// The same of a time in JSON.
    #[must_use]
    pub fn moment_of(&self, visitor: &Visitor, time: &Value) -> Option<Moment> {
        words::time(time).map(|at| self.moment(visitor, at))
    }

    /// Whether the visitor reads what waits.
    fn decides(&self, visitor: &Visitor) -> bool {
        let entry = self.office.registry().data_type("authorizations");
        entry.is_ok_and(|entry| visitor.caller.is_among(entry.who))
    }

    /// A page in its frame. `section` is where it stands in the navigation.
    #[must_use]
    pub fn show(
        &self,
        visitor: &Visitor,
        frame: &Frame,
        section: &str,
        template: &str,
        values: minijinja::Value,
    ) -> Response {
        let frozen = frame.frozen_since.map(|at| self.moment(visitor, at));
        let waiting = frame.waiting.as_ref().map(|waiting| words::how_many(waiting.count)).unwrap_or_default();
        let mark = frame.waiting.as_ref().map(|waiting| &waiting.mark);
        let now = self.office.clock().now().to_rfc3339();
        let of_those_who_decide = if self.decides(visitor) { section } else { "" };
        let frame = context! { waiting, mark, now, ..frame_values(visitor, Some(frame), of_those_who_decide) };
        let values = context! { frame, frozen, nav => visitor.nav, at => section, ..values };
        self.pages.respond(&self.office, template, values)
    }

    /// A page for whoever got here, or the refusal in words.
    async fn answered(&self, visitor: &Visitor, shown: Shown) -> Response {
        match shown {
            Ok(response) => response,
            Err(answer) => self.refuse(visitor, &answer).await,
        }
    }

    async fn refuse(&self, visitor: &Visitor, answer: &Answer) -> Response {
        let frame = self.frame(visitor).await.ok();
        let (title, advice) = in_words(answer);
        let who = self.office.registry().data_type("authorizations").ok().map(|entry| entry.who);
        let others = who.filter(|who| !visitor.caller.is_among(*who));
        let message = others.map(|who| format!("What agents ask for is for {} to read and decide.", who.in_words()));
        let frame = frame_values(visitor, frame.as_ref(), "");
        let refusal = Refusal { title, message, advice, frame: Some(frame), to_sign_in: false };
        self.pages.refuse(&self.office, answer, &refusal)
    }

    fn refused(&self, error: &Error) -> Box<Answer> {
        Box::new(self.office.refuse(error))
    }
}

/// Who is signed in and where they are, for what stands around each page.
fn frame_values(visitor: &Visitor, frame: Option<&Frame>, section: &str) -> minijinja::Value {
    let (organization, alerts) = frame.map(|frame| (&frame.organization, &frame.alerts)).unzip();
    let decides = frame.is_some() && !section.is_empty();
    context! { organization, alerts, section, decides, ..plain_frame(&visitor.caller, &visitor.csrf) }
}

/// Who is signed in, for a page of which the queue knows nothing: without the ways through it.
#[must_use]
pub fn plain_frame(caller: &Caller, csrf: &str) -> minijinja::Value {
    let name = capabilities::visible(caller.name());
    context! {
        name, csrf, organization => (), alerts => (), section => "", decides => false, waiting => "", mark => (), now => (),
    }
}

fn rows_of(data: Option<Value>) -> Vec<Value> {
    match data {
        Some(Value::Array(rows)) => rows,
        other => other.into_iter().collect(),
    }
}

/// A refusal's title and the way on, for somebody who reads it on a page.
fn in_words(answer: &Answer) -> (&'static str, String) {
    match answer.error_code().unwrap_or_default() {
        "FORBIDDEN" => ("This is not yours to decide", "Ask one of them if something waits.".into()),
        "NOT_FOUND" | "INVALID_INPUT" => {
            ("There is nothing here", "It may be of another business, or the address is incomplete.".into())
        }
        "INTERNAL" | "UNAVAILABLE" => ("That did not work", "Wait a moment and try again.".into()),
        "METHOD_NOT_ALLOWED" => ("This cannot be done", "Go back and use the buttons on the page.".into()),
        _ => {
            let hint = answer.error.as_ref().map(|error| words::text(&error["hint"]));
            ("This cannot be done", hint.unwrap_or_default())
        }
    }
}

/// After a form: a page of its own, so that a reload sends nothing twice.
fn onward(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// A filter that is not given is left out; a form sends it empty.
fn given(text: Option<&String>) -> Option<&String> {
    text.filter(|text| !text.is_empty())
}

fn filters(pairs: &[(&str, Option<&String>)]) -> serde_json::Map<String, Value> {
    let given = pairs.iter().filter_map(|(name, value)| Some((name.to_string(), json!(given(*value)?))));
    given.collect()
}

async fn method_not_allowed(State(ui): Shared, Extension(visitor): Who, request: Request) -> Response {
    let reads = ["/queue/history", EVENTS].contains(&request.uri().path());
    let allowed = if reads { "GET, HEAD" } else { "GET, HEAD, POST" };
    let answer = ui.refused(&Error::MethodNotAllowed { allowed: allowed.into() });
    let mut response = ui.refuse(&visitor, &answer).await;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}
