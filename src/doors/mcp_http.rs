//! MCP over HTTP: the library speaks the protocol, this layer says who is calling.
//!
//! The protocol library does not bind a session to whoever opened it, so that is done here: a session id in another
//! caller's hands is a session that does not exist.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use capabilities::{Caller, Error, Office, Result};
use chrono::{DateTime, TimeDelta, Utc};
use mcp::OfficeServer;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use crate::http::identity::Authenticator;
use crate::http::rest;
use crate::http::stack::within;

/// How long the body of a message may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);
const SESSION: &str = "mcp-session-id";
/// Longer than the library keeps a silent session.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::hours(1);

struct Gatekeeper {
    office: Arc<Office>,
    authenticator: Arc<Authenticator>,
    sessions: Mutex<HashMap<String, Session>>,
}

struct Session {
    caller: String,
    last_seen: DateTime<Utc>,
}

/// The route `/mcp`.
pub(crate) fn routes(
    office: &Arc<Office>,
    authenticator: &Arc<Authenticator>,
    server: OfficeServer,
    settings: StreamableHttpServerConfig,
) -> Router {
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(server.clone()), sessions, settings);
    let gatekeeper = Arc::new(Gatekeeper {
        office: office.clone(),
        authenticator: authenticator.clone(),
        sessions: Mutex::default(),
    });
    Router::new().route_service("/mcp", service).layer(from_fn_with_state(gatekeeper, admit))
}

async fn admit(State(gatekeeper): State<Arc<Gatekeeper>>, request: Request, next: Next) -> Response {
    let caller = match gatekeeper.authenticator.agent(request.headers()).await {
        Ok(caller) => caller,
        Err(error) => return rest::refuse(&gatekeeper.office, &error),
    };
    let asked = session_of(request.headers());
    if let Some(session) = &asked
        && !gatekeeper.knows(session, &caller)
    {
        // What the protocol prescribes for a session that ended: the client opens a new one.
        return (StatusCode::NOT_FOUND, "no such session").into_response();
    }
    let ends = request.method() == Method::DELETE;
    let mut request = match arrived(request).await {
        Ok(request) => request,
        Err(error) => return rest::refuse(&gatekeeper.office, &error),
    };
    request.extensions_mut().insert(caller.clone());
    let response = next.run(request).await;
    match (asked, session_of(response.headers())) {
        (Some(session), _) if ends && response.status().is_success() => gatekeeper.forget(&session),
        (None, Some(opened)) => gatekeeper.remember(opened, &caller),
        _ => {}
    }
    response
}

/// The request with its whole body: what dribbles in must not hold a connection.
async fn arrived(request: Request) -> Result<Request> {
    let (parts, body) = request.into_parts();
    let body = within(ARRIVES_WITHIN, to_bytes(body, rest::BODY_LIMIT)).await?;
    let body = body.map_err(|_| Error::TooLarge { limit: rest::BODY_LIMIT })?;
    Ok(Request::from_parts(parts, Body::from(body)))
}

fn session_of(headers: &HeaderMap) -> Option<String> {
    headers.get(SESSION)?.to_str().ok().map(str::to_string)
}

impl Gatekeeper {
    fn knows(&self, session: &str, caller: &Caller) -> bool {
        let now = self.office.clock().now();
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let own = sessions.get_mut(session).filter(|known| known.caller == key(caller));
        own.map(|known| known.last_seen = now).is_some()
    }

    fn remember(&self, session: String, caller: &Caller) {
        let now = self.office.clock().now();
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, known| now - known.last_seen < FORGOTTEN_AFTER);
        sessions.insert(session, Session { caller: key(caller), last_seen: now });
    }

    fn forget(&self, session: &str) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(session);
    }
}

fn key(caller: &Caller) -> String {
    format!("{} {}", caller.org().id, caller.key())
}
