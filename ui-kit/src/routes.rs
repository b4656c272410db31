//! What the handlers of pages take and give: whoever visits, what is asked, what is sent, and a page or why there is none.

use axum::extract::rejection::{FormRejection, PathRejection, QueryRejection};
use axum::extract::{Extension, Form, Path, Query};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use capabilities::{Answer, Error};

use crate::ui::Visitor;

/// Who is signed in.
pub type Who = Extension<Visitor>;
/// What is not readable as a form is an empty one: the answer says what is missing.
pub type Sent<T> = Result<Form<T>, FormRejection>;
/// The same of what an address asks for.
pub type Queried<T> = Result<Query<T>, QueryRejection>;
/// The same of what a path names.
pub type Named<T> = Result<Path<T>, PathRejection>;
/// A page, or the answer that says why there is none.
pub type Shown = Result<Response, Box<Answer>>;

/// After a form: a page of its own, so that a reload sends nothing twice.
#[must_use]
pub fn onward(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// The same page with the status that the office gave its answer.
#[must_use]
pub fn with_status(mut response: Response, status: u16) -> Response {
    if let Ok(status) = status.try_into() {
        *response.status_mut() = status;
    }
    response
}

/// The status of a form in which something is missing.
#[must_use]
pub fn unreadable() -> u16 {
    Error::InvalidInput(Vec::new()).code().status
}

/// The same answer, which says what its path takes.
#[must_use]
pub fn allowing(mut response: Response, methods: &'static str) -> Response {
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}
