//! What every HTTP request passes through on its way in, and every answer on its way out, in one order.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response_with_state};
use axum::response::{IntoResponse as _, Response};
use capabilities::{Error, Office, Result};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use crate::http::limits::Limits;
use crate::http::peer::Peer;
use crate::http::rest;

/// How long a request may take, from its headers to its answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is smaller does not get smaller in a way that anybody notices.
const COMPRESSED_ABOVE: u16 = 1_024;
/// Streams and waits of models end by themselves, and are told of it when the server stops.
const STREAMS: &str = "/mcp";
/// A link's token follows.
const LINKS: &str = "/sign-in/";
/// An answer says no more to a browser than what it is; pages say what they need besides.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// What the layers know.
pub(crate) struct Stack {
    pub office: Arc<Office>,
    pub limits: Arc<Limits>,
    /// A proxy may stand before us, and says whom it serves.
    pub proxied: bool,
    /// People reach us by https.
    pub https: bool,
}

/// What is compressed: no stream, and nothing that is small already.
pub(crate) fn worth_it() -> impl Predicate {
    SizeAbove::new(COMPRESSED_ABOVE).and(NotForContentType::SSE)
}

/// Puts the layers around the routes, the innermost first.
pub(crate) fn around(routes: Router, stack: Stack) -> Router {
    let stack = Arc::new(stack);
    let office = stack.office.clone();
    let last_resort =
        CatchPanicLayer::custom(move |_| rest::refuse(&office, &Error::Internal("a handler panicked".into())));
    routes
        .layer(last_resort)
        .layer(from_fn_with_state(stack.clone(), in_time))
        .layer(from_fn_with_state(stack.clone(), within_limits))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worth_it()))
        .layer(map_response_with_state(stack, with_headers))
}

/// A sender that dribbles must not hold a connection, nor a slow question one of the database's.
async fn in_time(State(stack): State<Arc<Stack>>, request: Request, next: Next) -> Response {
    if request.uri().path() == STREAMS {
        return next.run(request).await;
    }
    let for_people = takes_html(request.headers());
    let answered = within(PATIENCE, next.run(request)).await;
    answered.unwrap_or_else(|error| stack.refuse(&error, for_people))
}

/// What takes longer is given up.
pub(crate) async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Result<T> {
    let late = |_| Error::OutOfTime { seconds: patience.as_secs() };
    tokio::time::timeout(patience, work).await.map_err(late)
}

/// Counts those who are not known and those who try links; who is known is counted where that is found out.
async fn within_limits(State(stack): State<Arc<Stack>>, mut request: Request, next: Next) -> Response {
    let (peer, limits) = (Peer::of(&request, stack.proxied), &stack.limits);
    request.extensions_mut().insert(peer);
    let by_link = request.uri().path().starts_with(LINKS);
    let tries = by_link && request.method() == Method::POST;
    let for_people = takes_html(request.headers());
    let admitted = if by_link { limits.locked_out(peer.network) } else { Ok(()) };
    if let Err(error) = admitted.and_then(|()| if tries { limits.attempt(peer.network) } else { Ok(()) }) {
        return stack.refuse(&error, for_people);
    }
    let response = next.run(request).await;
    match response.status() {
        StatusCode::UNAUTHORIZED => match limits.stranger(peer.network) {
            Ok(()) => response,
            Err(error) => stack.refuse(&error, for_people),
        },
        StatusCode::GONE if by_link => {
            limits.wrong_link(peer.network);
            response
        }
        _ => response,
    }
}

fn takes_html(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().windows(9).any(|kind| kind == b"text/html"))
}

async fn with_headers(State(stack): State<Arc<Stack>>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    if stack.https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
    }
    response
}

impl Stack {
    /// The envelope, or for somebody before a browser the same in words.
    fn refuse(&self, error: &Error, for_people: bool) -> Response {
        let envelope = rest::refuse(&self.office, error);
        if !for_people {
            return envelope;
        }
        let mut response = (envelope.status(), format!("{} {}", error.message(), error.hint())).into_response();
        rest::add_headers(&mut response, error);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_takes_too_long_is_given_up() {
        let late = within(Duration::ZERO, std::future::pending::<()>()).await;
        assert_eq!(late.unwrap_err().code().name, "UNAVAILABLE");
        assert_eq!(within(PATIENCE, async { 1 }).await.unwrap(), 1);
    }
}
