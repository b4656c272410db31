//! The people's door: pages made on the server, which work without scripts. A GET never changes anything, because mail
//! scanners and browsers follow links by themselves.

mod sign_in;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use capabilities::{Door, Error, Office, Result, Session, Source};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use sha2::{Digest as _, Sha256};

use crate::identity::Doorkeeper;
use crate::rest;

/// A form has a few short fields.
const FORM_LIMIT: usize = 16 << 10;
const STYLE: &str = include_str!("style.css");
const TEMPLATES: &[(&str, &str)] = &[
    ("layout.html", include_str!("templates/layout.html")),
    ("queue.html", include_str!("templates/queue.html")),
    ("refused.html", include_str!("templates/refused.html")),
    ("sign_in.html", include_str!("templates/sign_in.html")),
    ("sign_in_link.html", include_str!("templates/sign_in_link.html")),
];
const HEADERS: [(&str, &str); 3] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; \
         base-uri 'none'",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

struct Pages {
    office: Arc<Office>,
    doorkeeper: Arc<Doorkeeper>,
    templates: Environment<'static>,
}

type Shared = State<Arc<Pages>>;

/// The routes of the pages.
pub(crate) fn door(office: &Arc<Office>, doorkeeper: &Arc<Doorkeeper>) -> anyhow::Result<Router> {
    let digest: String = Sha256::digest(STYLE).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let style = format!("/style-{digest}.css");
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.add_global("style", minijinja::Value::from_safe_string(style.clone()));
    for (name, text) in TEMPLATES {
        templates.add_template(name, text)?;
    }
    let pages = Arc::new(Pages { office: office.clone(), doorkeeper: doorkeeper.clone(), templates });
    Ok(Router::new()
        .route("/sign-in", get(sign_in::explain))
        .route("/sign-in/{token}", get(sign_in::ask).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/queue", get(queue))
        .route(&style, get(stylesheet))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(FORM_LIMIT))
        .layer(map_response(with_headers))
        .with_state(pages))
}

/// What every page says to the browser: nothing from elsewhere, nothing kept, nothing told to others.
async fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Its address changes with its content, so a browser may keep it for good.
async fn stylesheet() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, STYLE).into_response()
}

async fn queue(State(pages): Shared, headers: HeaderMap, uri: Uri) -> Response {
    let asked = async {
        let Some(session) = pages.signed_in(&headers).await? else { return Ok(to_sign_in(&uri)) };
        let organization = pages.office.organization_name(&session.caller).await?;
        pages.show("queue.html", context! { organization, name => session.caller.name(), csrf => session.token.csrf() })
    };
    pages.answered(asked.await)
}

/// The path is left out of logs and answers: it may hold a sign-in link's token.
async fn method_not_allowed(State(pages): Shared, request: Request) -> Response {
    let allowed = match request.uri().path() {
        "/sign-out" => "POST",
        path if path.starts_with("/sign-in/") => "GET, HEAD, POST",
        _ => "GET, HEAD",
    };
    pages.refuse(&Error::MethodNotAllowed { allowed: allowed.into() })
}

impl Pages {
    /// Whose session a request has; nobody's, if it has none or one that ended.
    async fn signed_in(&self, headers: &HeaderMap) -> Result<Option<Session>> {
        match self.doorkeeper.session(headers).await {
            Err(Error::Unauthenticated(_)) if !headers.contains_key(header::AUTHORIZATION) => Ok(None),
            session => session.map(Some),
        }
    }

    fn show(&self, template: &str, values: minijinja::Value) -> Result<Response> {
        self.render(rest::OK, template, values)
    }

    fn render(&self, status: u16, template: &str, values: minijinja::Value) -> Result<Response> {
        let broken = |error: minijinja::Error| Error::Internal(format!("{template}: {error}"));
        let html = self.templates.get_template(template).and_then(|page| page.render(values)).map_err(broken)?;
        let response = Response::builder().status(status).header(header::CONTENT_TYPE, "text/html; charset=utf-8");
        response.body(Body::from(html)).map_err(|error| Error::Internal(error.to_string()))
    }

    fn answered(&self, answer: Result<Response>) -> Response {
        answer.unwrap_or_else(|error| self.refuse(&error))
    }

    /// A refusal as a page: what is so, and the way on.
    fn refuse(&self, error: &Error) -> Response {
        let answer = self.office.refuse(error);
        let (title, advice) = in_words(error);
        let to_sign_in = matches!(error, Error::LinkGone(_) | Error::Unauthenticated(_));
        let quote = matches!(error, Error::Internal(_)).then(|| answer.meta.request_id.to_string());
        let values = context! { title, message => error.message(), advice, quote, to_sign_in };
        let mut response = self
            .render(answer.status, "refused.html", values)
            .unwrap_or_else(|error| rest::refuse(&self.office, &error));
        rest::add_headers(&mut response, error);
        response
    }
}

/// A refusal's title and the way on, for somebody who reads it on a page.
fn in_words(error: &Error) -> (&'static str, String) {
    match error {
        Error::LinkGone(_) => ("This link no longer works", "Ask for a new one: here is how.".into()),
        Error::Unproven(_) => ("That did not come from this page", "Go back, reload the page and try again.".into()),
        Error::RateLimited { .. } => ("That was too often", error.hint()),
        Error::Unauthenticated(_) => ("Please sign in", "You get in by a link that is made for you.".into()),
        Error::Internal(_) | Error::Unavailable { .. } | Error::Unconfirmed { .. } => {
            ("That did not work", "Wait a moment and try again.".into())
        }
        _ => ("This cannot be done", error.hint()),
    }
}

/// The place to sign in, from where one comes back to this page.
fn to_sign_in(uri: &Uri) -> Response {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_".contains(c);
    let next = Some(uri.path()).filter(|path| path.chars().all(plain)).unwrap_or("/queue");
    Redirect::to(&format!("/sign-in?next={next}")).into_response()
}

fn source(headers: &HeaderMap) -> Source {
    Source::of(Door::Page).client(headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()))
}
