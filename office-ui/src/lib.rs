//! The day's work, on pages for a phone in one hand: who is where and when, and the clock. Made over any registry: it knows
//! the office's actions and data by name and JSON only, and shares its frame with the pages of what waits.

#![warn(missing_docs)]

mod agenda;
mod asking;
mod booking;
mod calendar;
mod card;
mod clock;
mod contact;
mod crew;
mod current;
mod customers;
mod filter;
mod forms;
mod free;
mod inputs;
mod lines;
mod moving;
mod parts;
mod ticket;
mod words;

use std::sync::Arc;

use authorization_queue_ui::{Frame, Pages, Refusal, Ui, Visitor, with_status};
use axum::Router;
use axum::extract::rejection::{FormRejection, PathRejection, QueryRejection};
use axum::extract::{Extension, Form, Path, Query, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use capabilities::{Answer, Error, Office};
use minijinja::context;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

pub use current::nav;

/// Where somebody who works on site begins.
pub const HOME: &str = "/today";
const CUSTOMERS: &str = "/contacts";

/// The templates. They extend the `layout.html` of all pages.
pub const TEMPLATES: &[(&str, &str)] = &[
    ("agenda.html", include_str!("../templates/agenda.html")),
    ("booking.html", include_str!("../templates/booking.html")),
    ("clock.html", include_str!("../templates/clock.html")),
    ("contact.html", include_str!("../templates/contact.html")),
    ("crew.html", include_str!("../templates/crew.html")),
    ("customers.html", include_str!("../templates/customers.html")),
    ("day_links.html", include_str!("../templates/day_links.html")),
    ("free_times.html", include_str!("../templates/free_times.html")),
    ("lines.html", include_str!("../templates/lines.html")),
    ("month.html", include_str!("../templates/month.html")),
    ("moving.html", include_str!("../templates/moving.html")),
    ("sent.html", include_str!("../templates/sent.html")),
    ("ticket.html", include_str!("../templates/ticket.html")),
    ("ticket_forms.html", include_str!("../templates/ticket_forms.html")),
    ("ticket_part.html", include_str!("../templates/ticket_part.html")),
    ("undone.html", include_str!("../templates/undone.html")),
    ("visit.html", include_str!("../templates/visit.html")),
    ("week.html", include_str!("../templates/week.html")),
];

const STYLE: &str = include_str!("../static/office.css");

/// The pages of the day's work.
struct Work {
    ui: Ui,
    pages: Arc<Pages>,
    style: String,
}

type Shared = State<Arc<Work>>;
type Who = Extension<Visitor>;
/// What is not readable as a form is an empty one: the answer says what is missing.
type Sent<T> = Result<Form<T>, FormRejection>;
type Queried<T> = Result<Query<T>, QueryRejection>;
type Named<T> = Result<Path<T>, PathRejection>;
/// A page, or the answer that says why there is none.
type Shown = Result<Response, Box<Answer>>;

/// The routes. They need a [`Visitor`] among the extensions of each request. What stays open ends when `ended` does.
pub fn routes(office: &Arc<Office>, pages: &Arc<Pages>, ended: CancellationToken) -> Router {
    let work = Arc::new(Work { ui: Ui::new(office, pages, ended), pages: pages.clone(), style: style() });
    Router::new()
        .route(HOME, get(agenda::today))
        .route("/day/{day}", get(agenda::day))
        .route("/week", get(calendar::this_week))
        .route("/week/{day}", get(calendar::week))
        .route("/month", get(calendar::this_month))
        .route("/month/{month}", get(calendar::month))
        .route("/tickets/{id}", get(parts::show).post(forms::send))
        .route("/tickets/{id}/{part}", get(parts::show_part))
        .route(CUSTOMERS, get(customers::list))
        .route("/contacts/{id}", get(contact::show))
        .route("/contacts/{id}/book", get(booking::show).post(booking::send))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(work)
}

/// The stylesheet beside that of all pages. Its address changes with its content, so a browser may keep it for good.
pub fn files() -> Router {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Router::new().route(&style(), get(move || async move { (headers, STYLE).into_response() }))
}

fn style() -> String {
    let digest: String = Sha256::digest(STYLE).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("/office-{digest}.css")
}

impl Work {
    fn show(
        &self,
        visitor: &Visitor,
        frame: &Frame,
        section: &str,
        template: &str,
        values: minijinja::Value,
    ) -> Response {
        self.ui.show(visitor, frame, section, template, context! { office_style => self.style, ..values })
    }

    /// A page for whoever got here, or the refusal in words.
    async fn answered(&self, visitor: &Visitor, shown: Shown) -> Response {
        match shown {
            Ok(response) => response,
            Err(answer) => self.refuse(visitor, &answer).await,
        }
    }

    async fn refuse(&self, visitor: &Visitor, answer: &Answer) -> Response {
        let (title, advice) = in_words(answer);
        match self.ui.frame(visitor).await {
            Ok(frame) => {
                let message = answer.error.as_ref().map(|error| error["message"].as_str().unwrap_or_default());
                let quote = (answer.error_code() == Some("INTERNAL")).then(|| answer.meta.request_id.to_string());
                let values = context! { title, advice, message, quote };
                with_status(self.show(visitor, &frame, "nowhere", "undone.html", values), answer.status)
            }
            Err(_) => {
                let refusal = Refusal { title, message: None, advice: advice.into(), frame: None, to_sign_in: false };
                self.pages.refuse(self.ui.office(), answer, &refusal)
            }
        }
    }

    fn refused(&self, error: &Error) -> Box<Answer> {
        Box::new(self.ui.office().refuse(error))
    }
}

/// A refusal's title and the way on, for somebody who reads it on a page.
fn in_words(answer: &Answer) -> (&'static str, &'static str) {
    match answer.error_code().unwrap_or_default() {
        "NOT_FOUND" | "INVALID_INPUT" => {
            ("There is nothing here", "It may be of another business, or the address is incomplete.")
        }
        "INTERNAL" | "UNAVAILABLE" => ("That did not work", "Wait a moment and try again."),
        _ => ("This cannot be done", "Go back and use the buttons on the page."),
    }
}

/// A page, with the status of what was refused on it.
fn again(page: Response, status: Option<u16>) -> Response {
    match status {
        Some(status) => with_status(page, status),
        None => page,
    }
}

/// After a form: a page of its own, so that a reload sends nothing twice.
fn onward(path: &str) -> Response {
    Redirect::to(path).into_response()
}

async fn method_not_allowed(State(work): Shared, Extension(visitor): Who, request: Request) -> Response {
    let path = request.uri().path().split('/').skip(1).collect::<Vec<_>>();
    let takes_forms = matches!(path[..], ["tickets", _] | ["contacts", _, "book"]);
    let allowed = if takes_forms { "GET, HEAD, POST" } else { "GET, HEAD" };
    let answer = work.refused(&Error::MethodNotAllowed { allowed: allowed.into() });
    let mut response = work.refuse(&visitor, &answer).await;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}
