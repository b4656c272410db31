//! The person's door: what agents ask for, on pages that work without scripts. Made over any registry: it knows the
//! office's actions and data by name and JSON only.

#![warn(missing_docs)]

mod agents;
mod alerts;
mod around;
mod coverage;
mod deciding;
mod difference;
mod events;
mod fields;
mod history;
mod letters;
mod preview;
mod request;
mod rule;
mod rules;
mod terms;
mod undoing;
mod waiting;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use axum::routing::get;
use capabilities::{Answer, Error};
use tokio_util::sync::CancellationToken;
use ui_kit::{Door, Link, Refusal, Shown, Ui, Visitor, Who, allowing};

pub use letters::ShowsLetters;

/// What this door hands in.
pub const DOOR: Door =
    Door { templates: Some(templates), surround: Some(around::surround), styles: &[], forms: &[], lists: &[] };

/// The pages of what waits.
struct Queue {
    ui: Arc<Ui>,
    streams: Arc<events::Streams>,
    /// The server ends, and streams with it.
    ended: CancellationToken,
}

type Shared = State<Arc<Queue>>;

/// The address of the stream that tells open pages what is new.
pub const EVENTS: &str = "/queue/events";

/// The templates of this crate's folder.
#[expect(clippy::expect_used, reason = "they are a part of the program, and each test of a page parses all of them")]
fn templates(environment: &mut minijinja::Environment<'static>) {
    minijinja_embed::load_templates!(*environment);
}

/// The routes. They need a [`Visitor`] among the extensions of each request. Streams end when `ended` does.
pub fn routes(ui: &Arc<Ui>, ended: CancellationToken) -> Router {
    let queue = Arc::new(Queue { ui: ui.clone(), streams: Arc::default(), ended });
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
        .with_state(queue)
}

impl Queue {
    /// A page for whoever got here, or the refusal in words.
    async fn answered(&self, visitor: &Visitor, shown: Shown) -> Response {
        match shown {
            Ok(response) => response,
            Err(answer) => self.refuse(visitor, &answer).await,
        }
    }

    async fn refuse(&self, visitor: &Visitor, answer: &Answer) -> Response {
        let mut refusal = Refusal::of(answer);
        if answer.error_code() == Some("FORBIDDEN") {
            refusal.title = "This is not yours to decide".into();
            refusal.advice = "Ask one of them if something waits.".into();
        }
        let who = self.ui.office().registry().data_type("authorizations").ok().map(|entry| entry.who);
        let refusal = match who.filter(|who| !visitor.caller.is_among(*who)) {
            Some(who) => {
                let message = format!("What agents ask for is for {} to read and decide.", who.in_words());
                Refusal { message, ..refusal }
            }
            None => refusal.onward(Link::to("/queue", "To what waits")),
        };
        self.ui.refuse(visitor, answer, refusal).await
    }
}

async fn method_not_allowed(State(queue): Shared, Extension(visitor): Who, request: Request) -> Response {
    let reads = ["/queue/history", EVENTS].contains(&request.uri().path());
    let allowed = if reads { "GET, HEAD" } else { "GET, HEAD, POST" };
    let answer = queue.ui.refused(&Error::MethodNotAllowed { allowed: allowed.into() });
    allowing(queue.refuse(&visitor, &answer).await, allowed)
}
