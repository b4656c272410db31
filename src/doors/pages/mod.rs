//! The people's door: pages made on the server, which work without scripts. A GET never changes anything, because mail
//! scanners and browsers follow links by themselves.

mod sent_mail;
mod sign_in;

use std::sync::Arc;

use authorization_queue_ui::{EVENTS, ShowsLetters};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Form, FromRequest as _, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use capabilities::{Door, Error, Office, Result, Session, Source};
use tokio_util::sync::CancellationToken;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use ui_kit::{Link, Refusal, Ui, Visitor};

use crate::http::identity::Authenticator;
use crate::http::rest;
use crate::http::stack::worth_it;
use sign_in::Proof;

/// A form has a few short fields, and a note of up to 10,000 characters in percent encoding.
const FORM_LIMIT: usize = 128 << 10;
const HEADERS: [(&str, &str); 3] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; \
         base-uri 'none'",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

struct Pages {
    office: Arc<Office>,
    authenticator: Arc<Authenticator>,
    ui: Arc<Ui>,
}

type Shared = State<Arc<Pages>>;

/// The routes of the pages. What the office mailed is shown where it is tried out, and in production not even there. What
/// stays open ends with `streams`.
pub(crate) fn routes(
    office: &Arc<Office>,
    authenticator: &Arc<Authenticator>,
    production: bool,
    streams: CancellationToken,
) -> anyhow::Result<Router> {
    let own = ui_kit::Door { templates: Some(templates), ..ui_kit::Door::default() };
    let ui = Ui::new(office, &[own, office_ui::DOOR, authorization_queue_ui::DOOR])?;
    let pages = Arc::new(Pages { office: office.clone(), authenticator: authenticator.clone(), ui });
    let doors = authorization_queue_ui::routes(&pages.ui, streams).merge(office_ui::routes(&pages.ui));
    let doors = doors.merge(pages.ui.routes());
    let doors = doors.layer(from_fn_with_state(pages.clone(), admit));
    let routes = Router::new()
        .route("/", get(sign_in::home))
        .route("/sign-in", get(sign_in::explain).post(sign_in::send_link))
        .route("/sign-in/{token}", get(sign_in::ask).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(FORM_LIMIT))
        .with_state(pages.clone())
        .merge(pages.ui.files())
        .merge(doors)
        // Smaller than what programs get: a phone has one bar, and the files are fetched once.
        .layer(CompressionLayer::new().quality(CompressionLevel::Default).compress_when(worth_it()))
        .layer(map_response(with_headers));
    Ok(if production { routes } else { routes.merge(sent_mail::routes(&pages)) })
}

/// The templates of the pages that are the program's own.
#[expect(clippy::expect_used, reason = "they are a part of the program, and each test of a page parses all of them")]
fn templates(environment: &mut minijinja::Environment<'static>) {
    minijinja_embed::load_templates!(*environment);
}

/// Lets people in: whoever is not signed in goes and does that first, and a form must prove whose it is.
async fn admit(State(pages): Shared, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let admitted = async {
        if [Method::GET, Method::HEAD].contains(&parts.method) {
            return Ok(pages.signed_in(&parts.headers).await?.map(|session| (session, body)));
        }
        let body = axum::body::to_bytes(body, FORM_LIMIT).await.map_err(|_| Error::TooLarge { limit: FORM_LIMIT })?;
        if pages.signed_in(&parts.headers).await?.is_none() {
            return Ok(None);
        }
        let csrf = proof(&parts, &body).await;
        let session = pages.authenticator.session_to_write(&parts.headers, &parts.uri, csrf.as_deref()).await?;
        Ok(Some((session, Body::from(body))))
    };
    match admitted.await {
        Ok(Some((session, body))) => {
            let (csrf, source) = (session.token.csrf(), source(&parts.headers));
            let mut request = Request::from_parts(parts, body);
            let Session { caller, token, .. } = session;
            let did = Visitor::did(request.uri().query());
            request.extensions_mut().insert(Visitor { caller, session: token, csrf, source, did });
            next.run(request).await
        }
        // A stream is opened by a script, which takes no page for an answer.
        Ok(None) if parts.uri.path() == EVENTS => {
            pages.refuse(&Error::Unauthenticated("Nobody is signed in here any more.".into()))
        }
        Ok(None) => to_sign_in(&parts),
        Err(error) => pages.refuse(&error),
    }
}

/// The CSRF token in a form. What is no form has none.
async fn proof(parts: &Parts, body: &Bytes) -> Option<String> {
    let request = Request::from_parts(parts.clone(), Body::from(body.clone()));
    Form::<Proof>::from_request(request, &()).await.ok().and_then(|Form(proof)| proof.csrf)
}

/// What every page says to the browser: nothing from elsewhere, nothing kept, nothing told to others.
async fn with_headers(mut response: Response) -> Response {
    let shows_letters = response.extensions().get::<ShowsLetters>().is_some();
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if shows_letters && let Some(policy) = headers.get_mut(header::CONTENT_SECURITY_POLICY) {
        // What a page frames keeps to its policy, and mails are made of style attributes.
        let wider = [policy.as_bytes(), b"; style-src-attr 'unsafe-inline'"].concat();
        *policy = HeaderValue::from_bytes(&wider).unwrap_or_else(|_| policy.clone());
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
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
        match self.authenticator.session(headers).await {
            Err(Error::Unauthenticated(_)) if !headers.contains_key(header::AUTHORIZATION) => Ok(None),
            session => session.map(Some),
        }
    }

    fn show(&self, template: &str, values: minijinja::Value) -> Result<Response> {
        self.ui.show(template, values)
    }

    fn answered(&self, answer: Result<Response>) -> Response {
        answer.unwrap_or_else(|error| self.refuse(&error))
    }

    /// A refusal as a page: what is so, and the way on.
    fn refuse(&self, error: &Error) -> Response {
        let answer = self.office.refuse(error);
        let refusal = match error {
            Error::LinkGone(_) | Error::Unauthenticated(_) => {
                Refusal::of(&answer).onward(Link::to("/sign-in", "How to sign in"))
            }
            Error::Unproven(_) => Refusal {
                title: "That did not come from this page".into(),
                advice: "Go back, reload the page and try again.".into(),
                ..Refusal::of(&answer)
            },
            _ => Refusal::of(&answer),
        };
        let mut response = self.ui.refuse_stranger(&answer, refusal);
        rest::add_headers(&mut response, error);
        response
    }
}

/// The place to sign in, from where one comes back to this page. Of a form nothing was done, which is said there.
fn to_sign_in(parts: &Parts) -> Response {
    let next = Some(parts.uri.path()).filter(|path| path.chars().all(sign_in::plain)).unwrap_or("/queue");
    let undone = if parts.method == Method::POST { "&undone=yes" } else { "" };
    Redirect::to(&format!("/sign-in?next={next}{undone}")).into_response()
}

fn source(headers: &HeaderMap) -> Source {
    Source::of(Door::Page).client(headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()))
}
