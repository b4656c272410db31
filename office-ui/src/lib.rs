//! The day's work, on pages for a phone in one hand: who is where and when, and the clock. Made over any registry: it knows
//! the office's actions and data by name and JSON only.

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
mod declared;
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

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use axum::routing::get;
use capabilities::{Answer, Error};
use ui_kit::{Door, Link, Refusal, Shown, Ui, Visitor, Who, allowing, with_status};

/// Where somebody who works on site begins.
pub const HOME: &str = "/today";
const CUSTOMERS: &str = "/contacts";

/// What this door hands in.
pub const DOOR: Door = Door {
    templates: Some(templates),
    styles: &[("office", include_str!("../static/office.css"))],
    surround: Some(current::surround),
    forms: &[],
    lists: &[],
};

type Shared = State<Arc<Ui>>;

/// The templates of this crate's folder.
#[expect(clippy::expect_used, reason = "they are a part of the program, and each test of a page parses all of them")]
fn templates(environment: &mut minijinja::Environment<'static>) {
    minijinja_embed::load_templates!(*environment);
}

/// The routes. They need a [`Visitor`] among the extensions of each request.
pub fn routes(ui: &Arc<Ui>) -> Router {
    Router::new()
        .route(HOME, get(agenda::today))
        .route("/day/{day}", get(agenda::day))
        .route("/week", get(calendar::this_week))
        .route("/week/{day}", get(calendar::week_of))
        .route("/month", get(calendar::this_month))
        .route("/month/{month}", get(calendar::month_of))
        .route("/tickets/{id}", get(parts::show).post(forms::send))
        .route("/tickets/{id}/{part}", get(parts::show_part))
        .route(CUSTOMERS, get(customers::list))
        .route("/contacts/{id}", get(contact::show))
        .route("/contacts/{id}/book", get(booking::show).post(booking::send))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(ui.clone())
}

/// A page for whoever got here, or the refusal in words.
async fn answered(ui: &Ui, visitor: &Visitor, shown: Shown) -> Response {
    match shown {
        Ok(response) => response,
        Err(answer) => refuse(ui, visitor, &answer).await,
    }
}

async fn refuse(ui: &Ui, visitor: &Visitor, answer: &Answer) -> Response {
    ui.refuse(visitor, answer, Refusal::of(answer).onward(Link::to(HOME, "To today’s visits"))).await
}

/// A page, with the status of what was refused on it.
fn again(page: Response, status: Option<u16>) -> Response {
    match status {
        Some(status) => with_status(page, status),
        None => page,
    }
}

async fn method_not_allowed(State(ui): Shared, Extension(visitor): Who, request: Request) -> Response {
    let path = request.uri().path().split('/').skip(1).collect::<Vec<_>>();
    let takes_forms = matches!(path[..], ["tickets", _] | ["contacts", _, "book"]);
    let allowed = if takes_forms { "GET, HEAD, POST" } else { "GET, HEAD" };
    let answer = ui.refused(&Error::MethodNotAllowed { allowed: allowed.into() });
    allowing(refuse(&ui, &visitor, &answer).await, allowed)
}
