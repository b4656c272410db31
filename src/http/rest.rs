//! The programs' door: capabilities, data and actions as JSON over HTTP. Every answer is the same envelope.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use capabilities::{ActionRequest, Actor, Answer, Door, Error, Form, Office, Read, Result, Selection, Source, Written};
use serde_json::{Map, Value, json};

use crate::assemble::VERSION;
use crate::http::etag::{Tag, keepable};
use crate::http::identity::Authenticator;

/// The largest body that is read.
pub const BODY_LIMIT: usize = 1 << 20;
/// Up to here a body that is too large is read before it is refused.
const READ_OUT: usize = 16 << 20;
/// What a client should wait before it repeats a call that met an outage.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

struct Rest {
    office: Arc<Office>,
    authenticator: Arc<Authenticator>,
    action: Form<ActionRequest>,
    openapi: (Bytes, Tag),
}

type Shared = State<Arc<Rest>>;

/// The routes.
pub(crate) fn routes(office: &Arc<Office>, authenticator: &Arc<Authenticator>) -> anyhow::Result<Router> {
    let openapi = Bytes::from(office.registry().openapi(VERSION).to_string());
    let action = Form::new().map_err(|error| anyhow::anyhow!(error))?;
    let openapi = (openapi.clone(), Tag::of(&[&openapi]));
    let rest = Arc::new(Rest { office: office.clone(), authenticator: authenticator.clone(), action, openapi });
    Ok(Router::new()
        .route("/api/capabilities", get(capabilities))
        .route("/api/data", get(data))
        .route("/api/actions", post(actions))
        .route("/api/session", get(session).delete(sign_out))
        .route("/openapi.json", get(openapi_document))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(unknown_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(rest))
}

/// An answer as HTTP: the only place that turns one into the other.
pub(crate) fn respond(answer: &Answer) -> Response {
    sent(answer, answer.write())
}

fn sent(answer: &Answer, written: Written) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (status, json, written.into_bytes()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        _ => {}
    }
    response
}

pub(crate) fn refuse(office: &Office, error: &Error) -> Response {
    let mut response = respond(&office.refuse(error));
    add_headers(&mut response, error);
    response
}

/// The headers that must go with a refusal: the methods a route has, and how long to wait.
pub(crate) fn add_headers(response: &mut Response, error: &Error) {
    let header = match error {
        Error::MethodNotAllowed { allowed } => HeaderValue::from_str(allowed).ok().map(|value| (header::ALLOW, value)),
        Error::RateLimited { wait } => Some((header::RETRY_AFTER, HeaderValue::from(*wait))),
        _ => None,
    };
    response.headers_mut().extend(header);
}

fn answered(office: &Office, answer: Result<Answer>) -> Response {
    match answer {
        Ok(answer) => respond(&answer),
        Err(error) => refuse(office, &error),
    }
}

/// The same for what is read, which its caller may keep.
fn shown(office: &Office, headers: &HeaderMap, answer: Result<Answer>) -> Response {
    match answer {
        Ok(answer) => {
            let written = answer.write();
            let tag = answer.success().then(|| Tag::of(&written.essence()));
            let response = sent(&answer, written);
            match tag {
                Some(tag) => keepable(tag, response, headers),
                None => response,
            }
        }
        Err(error) => refuse(office, &error),
    }
}

async fn capabilities(State(rest): Shared, headers: HeaderMap, uri: Uri) -> Response {
    let asked = async {
        let caller = rest.authenticator.caller(&headers).await?;
        let mut words = parameters(&uri)?;
        let (domain, action) = (words.take("domain"), words.take("action"));
        words.nothing_left(&["domain", "action"])?;
        let data = rest.office.registry().capabilities(&caller, domain.as_deref(), action.as_deref())?;
        Ok(rest.office.state(data))
    };
    shown(&rest.office, &headers, asked.await)
}

async fn data(State(rest): Shared, headers: HeaderMap, uri: Uri) -> Response {
    let asked = async {
        let caller = rest.authenticator.caller(&headers).await?;
        let selection = selection(&rest.office, parameters(&uri)?)?;
        Ok(rest.office.read(&caller, Read { selection, door: Door::Rest, room: None, counted: true }).await)
    };
    shown(&rest.office, &headers, asked.await)
}

async fn actions(State(rest): Shared, request: Request) -> Response {
    let asked = async {
        let headers = request.headers().clone();
        let caller = rest.authenticator.writer(&headers, request.uri()).await;
        // Read whoever sends it: a connection with half a body on it cannot be used again, and clients fail on that.
        let body = body(request).await;
        let (caller, body) = (caller?, body?);
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if headers.contains_key("idempotency-key") && text("idempotency-key").is_none() {
            return Err(Error::invalid("/idempotency_key", "the header Idempotency-Key must be printable ASCII"));
        }
        let source = Source::of(Door::Rest).client(text("user-agent")).traceparent(text("traceparent"));
        let asked = rest.action.parse(json_of(&body)?)?.with_key(text("idempotency-key").map(str::to_string));
        Ok(rest.office.call(&caller, asked.into_call(source)?).await)
    };
    answered(&rest.office, asked.await)
}

/// Who is signed in, and what their writes must carry.
async fn session(State(rest): Shared, headers: HeaderMap) -> Response {
    let asked = async {
        let session = rest.authenticator.session(&headers).await?;
        let caller = &session.caller;
        let Actor::User { id, name, role } = caller.actor() else {
            return Err(Error::Internal("a session is somebody else's than a user's".into()));
        };
        Ok(rest.office.state(json!({
            "user": {"id": id, "name": name, "role": role},
            "organization": {"id": caller.org().id, "name": rest.office.organization_name(caller).await?},
            "csrf_token": session.token.csrf(),
            "expires_at": session.expires_at,
        })))
    };
    answered(&rest.office, asked.await)
}

/// Ends the session.
async fn sign_out(State(rest): Shared, headers: HeaderMap, uri: Uri) -> Response {
    let done = async {
        let session = rest.authenticator.session_to_write(&headers, &uri, None).await?;
        let client = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        rest.office.sign_out(&session, &Source::of(Door::Rest).client(client)).await?;
        let mut response = respond(&rest.office.state(json!({"signed_out": true})));
        response.headers_mut().insert(header::SET_COOKIE, rest.authenticator.no_cookie()?);
        Ok(response)
    };
    done.await.unwrap_or_else(|error| refuse(&rest.office, &error))
}

async fn openapi_document(State(rest): Shared, headers: HeaderMap) -> Response {
    let (document, tag) = rest.openapi.clone();
    let kind = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    tag.put_on((kind, document).into_response(), &headers)
}

/// The process is alive.
async fn healthz() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#).into_response()
}

/// The process can serve: its database answers.
async fn readyz(State(rest): Shared) -> Response {
    match rest.office.database().answers().await {
        true => respond(&rest.office.state(json!({"database": "ok"}))),
        false => refuse(&rest.office, &Error::Unavailable { part: "database", cause: "it does not answer".into() }),
    }
}

async fn unknown_route(State(rest): Shared, uri: Uri) -> Response {
    refuse(&rest.office, &Error::UnknownRoute(uri.path().chars().take(100).collect()))
}

async fn method_not_allowed(State(rest): Shared, uri: Uri) -> Response {
    let allowed = match uri.path() {
        "/api/actions" => "POST",
        "/api/session" => "GET, HEAD, DELETE",
        _ => "GET, HEAD",
    };
    refuse(&rest.office, &Error::MethodNotAllowed { allowed: allowed.into() })
}

/// The body, if it is no larger than the limit. What is left unread is not waited for.
async fn body(request: Request<Body>) -> Result<Bytes> {
    let too_large = || Error::TooLarge { limit: BODY_LIMIT };
    let announced =
        request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > BODY_LIMIT) {
        // Many clients see an answer only after they have sent everything, so a body that is not absurd is read out.
        drop(axum::body::to_bytes(request.into_body(), READ_OUT).await);
        return Err(too_large());
    }
    Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => Error::InvalidJson("the body ended early".into()),
    })
}

/// A lone surrogate is text that no UTF-8 can hold: a matter of the input, not of JSON's grammar.
fn json_of(body: &[u8]) -> Result<Value> {
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        match text.contains("surrogate") || text.contains("hex escape") {
            true => Error::invalid("", format!("contains half of a surrogate pair, which is no character ({text})")),
            false => Error::InvalidJson(text),
        }
    })
}

/// The parameters of a query string, each once.
struct Parameters(Map<String, Value>);

fn parameters(uri: &Uri) -> Result<Parameters> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|_| {
        Error::invalid("", "the query string is not readable: use name=value pairs in percent encoding")
    })?;
    let mut words = Map::new();
    for (name, value) in pairs {
        // What is not UTF-8 was replaced while decoding; a search for the replacement would find nothing and say so.
        if value.contains('\u{fffd}') {
            return Err(Error::invalid(place(&name), "is not UTF-8 in percent encoding"));
        }
        if words.insert(name.clone(), value.into()).is_some() {
            return Err(Error::invalid(place(&name), "is given twice"));
        }
    }
    Ok(Parameters(words))
}

/// Where a parameter stands; a longer name is none of ours.
fn place(name: &str) -> String {
    let name: String = name.chars().take(60).collect();
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

impl Parameters {
    fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)?.as_str().map(str::to_string)
    }

    fn list(&mut self, name: &str) -> Vec<String> {
        let text = self.take(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_string).collect()
    }

    fn nothing_left(&self, known: &[&str]) -> Result<()> {
        match self.0.keys().next() {
            Some(name) => Err(Error::invalid(place(name), format!("is not known; known: {}", known.join(", ")))),
            None => Ok(()),
        }
    }
}

fn selection(office: &Office, mut words: Parameters) -> Result<Selection> {
    let data_type = words.take("type").ok_or_else(|| Error::invalid("/type", "is required: the data type to read"))?;
    let limit =
        words.take("limit").map(|limit| limit.parse().map_err(|_| Error::invalid("/limit", "must be a whole number")));
    let mut selection = Selection {
        id: words.take("id"),
        include: words.list("include"),
        fields: words.list("fields"),
        limit: limit.transpose()?,
        cursor: words.take("cursor"),
        filters: Map::new(),
        filters_at: "",
        data_type,
    };
    for (name, value) in words.0 {
        let typed = office.registry().filter_from_text(&selection.data_type, &name, value.as_str().unwrap_or_default());
        selection.filters.insert(name, typed);
    }
    Ok(selection)
}
