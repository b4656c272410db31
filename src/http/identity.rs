//! Who stands behind an HTTP request: an agent by its bearer token, or a person by the cookie of their session.
//!
//! A browser sends a cookie along whoever made it send the request, so a write in a session must also prove that it comes
//! from the person's own page or program.

use std::sync::Arc;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use capabilities::{Caller, Error, Office, Result, Session, SessionToken};

use crate::http::limits::Limits;
use crate::http::peer::Network;

const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// As long as browsers keep any cookie. When a session ends is decided here and not there, because use renews it.
const COOKIE_SECONDS: u32 = 34_560_000;

/// Says who is calling.
pub(crate) struct Authenticator {
    office: Arc<Office>,
    limits: Arc<Limits>,
    /// What browsers call this server, if it is configured: `https://office.example.com`.
    origin: Option<String>,
    secure: bool,
}

/// What a request shows of its sender.
enum Shown<'h> {
    Nothing,
    Bearer(&'h str),
    Cookie(String),
}

impl Authenticator {
    /// For a server that others reach at `public_url`.
    pub(crate) fn new(office: &Arc<Office>, limits: &Arc<Limits>, public_url: Option<&Uri>) -> Self {
        let secure = public_url.is_some_and(|url| url.scheme_str() == Some("https"));
        Self { office: office.clone(), limits: limits.clone(), origin: public_url.and_then(origin_of), secure }
    }

    /// The cookie's name. With the prefix a browser takes it over https only and from no neighbouring host.
    fn cookie_name(&self) -> &'static str {
        if self.secure { "__Host-frontdesk_session" } else { "frontdesk_session" }
    }

    /// The caller of a request that changes nothing.
    pub(crate) async fn caller(&self, headers: &HeaderMap) -> Result<Caller> {
        match self.shown(headers)? {
            Shown::Cookie(token) => Ok(self.session_by(&token).await?.caller),
            shown => self.agent_by(shown).await,
        }
    }

    /// The caller of a write: a person's must carry the session's CSRF token in its header.
    pub(crate) async fn writer(&self, headers: &HeaderMap, uri: &Uri) -> Result<Caller> {
        match self.shown(headers)? {
            Shown::Cookie(token) => {
                let session = self.session_by(&token).await?;
                prove(&session, headers.get(CSRF).map(HeaderValue::as_bytes))?;
                self.must_be_ours(headers, uri)?;
                Ok(session.caller)
            }
            shown => self.agent_by(shown).await,
        }
    }

    /// The agent behind a request at a door that people do not use.
    pub(crate) async fn agent(&self, headers: &HeaderMap) -> Result<Caller> {
        match self.shown(headers)? {
            Shown::Cookie(_) => Err(Error::Unauthenticated(
                "MCP is for agents: a person's session does not open it, an agent's token does.".into(),
            )),
            shown => self.agent_by(shown).await,
        }
    }

    /// The session of a person.
    pub(crate) async fn session(&self, headers: &HeaderMap) -> Result<Session> {
        match self.shown(headers)? {
            Shown::Cookie(token) => self.session_by(&token).await,
            Shown::Nothing => Err(Error::Unauthenticated("Nobody is signed in here.".into())),
            shown => {
                self.agent_by(shown).await?;
                Err(Error::Forbidden("A session is a person's; an agent is known by its token alone.".into()))
            }
        }
    }

    /// The session of a person who ends it, or changes something by a form, which carries the CSRF token as a field.
    pub(crate) async fn session_to_write(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        field: Option<&str>,
    ) -> Result<Session> {
        let session = self.session(headers).await?;
        prove(&session, headers.get(CSRF).map(HeaderValue::as_bytes).or(field.map(str::as_bytes)))?;
        self.must_be_ours(headers, uri)?;
        Ok(session)
    }

    /// Somebody wants a link mailed: not too often.
    pub(crate) fn wants_link(&self, address: &str, network: Network) -> Result<()> {
        self.limits.sign_in(address, network)
    }

    /// Refuses a write that a page of another site made a browser send.
    pub(crate) fn must_be_ours(&self, headers: &HeaderMap, uri: &Uri) -> Result<()> {
        let foreign = || Error::Unproven("This write comes from a page of another site; nothing was done.".into());
        let site = headers.get(FETCH_SITE).map(HeaderValue::as_bytes);
        if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
            return Err(foreign());
        }
        // Our pages send no referrer, for which browsers write `null` here, so that names no other origin.
        let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes).filter(|origin| *origin != b"null");
        let host =
            headers.get(header::HOST).and_then(|host| host.to_str().ok()).or(uri.authority().map(Authority::as_str));
        let ours = |origin: &[u8]| {
            self.origin.as_ref().is_some_and(|own| own.as_bytes() == origin)
                || host.is_some_and(|host| format!("http://{host}").as_bytes() == origin)
        };
        if origin.is_none_or(ours) { Ok(()) } else { Err(foreign()) }
    }

    /// The header that signs a browser in.
    pub(crate) fn cookie(&self, session: &SessionToken) -> Result<HeaderValue> {
        self.cookie_of(session.reveal(), COOKIE_SECONDS)
    }

    /// The header that makes a browser forget its session.
    pub(crate) fn no_cookie(&self) -> Result<HeaderValue> {
        self.cookie_of("", 0)
    }

    fn cookie_of(&self, value: &str, seconds: u32) -> Result<HeaderValue> {
        let (name, secure) = (self.cookie_name(), if self.secure { "; Secure" } else { "" });
        let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&cookie).map_err(|error| Error::Internal(error.to_string()))
    }

    async fn agent_by(&self, shown: Shown<'_>) -> Result<Caller> {
        match shown {
            Shown::Bearer(token) => {
                let caller = self.office.authenticate(token).await?;
                self.limits.caller(&caller).map(|()| caller)
            }
            _ => Err(no_token()),
        }
    }

    async fn session_by(&self, token: &str) -> Result<Session> {
        let session = self.office.authenticate_session(token).await?;
        self.limits.caller(&session.caller).map(|()| session)
    }

    /// A request with a token and a session is refused even when one of them is no good: whose it is would be a guess.
    fn shown<'h>(&self, headers: &'h HeaderMap) -> Result<Shown<'h>> {
        let mut cookies = cookies(headers, self.cookie_name());
        match (headers.get(header::AUTHORIZATION), cookies.pop()) {
            (Some(_), Some(_)) => Err(Error::Unauthenticated(
                "This request carries a token and a person's session: send one of them.".into(),
            )),
            (None, Some(_)) if !cookies.is_empty() => {
                Err(Error::Unauthenticated("This request carries several sessions: send one of them.".into()))
            }
            (None, Some(cookie)) => Ok(Shown::Cookie(cookie)),
            (Some(value), None) => bearer(value).map(Shown::Bearer),
            (None, None) => Ok(Shown::Nothing),
        }
    }
}

/// The bearer token of an `Authorization` header (RFC 6750).
pub(crate) fn bearer(value: &HeaderValue) -> Result<&str> {
    let value = value.to_str().map_err(|_| no_token())?;
    let (scheme, token) = value.split_once(' ').ok_or_else(no_token)?;
    match scheme.eq_ignore_ascii_case("bearer") {
        true => Ok(token.trim()),
        false => Err(no_token()),
    }
}

fn no_token() -> Error {
    Error::Unauthenticated("This request carries no token.".into())
}

fn prove(session: &Session, given: Option<&[u8]>) -> Result<()> {
    let given = given.ok_or_else(|| {
        Error::Unproven("A write in a person's session needs its CSRF token, and none came; nothing was done.".into())
    })?;
    match std::str::from_utf8(given).is_ok_and(|given| session.token.accepts_csrf(given)) {
        true => Ok(()),
        false => Err(Error::Unproven("The CSRF token is not this session's; nothing was done.".into())),
    }
}

/// The values of the cookies of that name (RFC 6265).
pub(crate) fn cookies(headers: &HeaderMap, name: &str) -> Vec<String> {
    let lines = headers.get_all(header::COOKIE).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let named = |line: std::borrow::Cow<'_, str>| {
        let pairs = line.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_string()).collect::<Vec<_>>()
    };
    lines.flat_map(named).collect()
}

/// The origin as browsers write it: in lower case, without a port that goes without saying.
fn origin_of(url: &Uri) -> Option<String> {
    let (scheme, host) = (url.scheme_str()?, url.host()?.to_ascii_lowercase());
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = url.port_u16().filter(|port| *port != usual).map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        for (url, origin) in [
            ("https://Office.example.com/", "https://office.example.com"),
            ("https://office.example.com:443", "https://office.example.com"),
            ("http://office.example.com:8480", "http://office.example.com:8480"),
        ] {
            assert_eq!(origin_of(&url.parse().unwrap()).as_deref(), Some(origin), "{url}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others_and_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "theme=dark; frontdesk_session=a; xfrontdesk_session=b".parse().unwrap());
        headers.append(header::COOKIE, "frontdesk_session=c".parse().unwrap());
        assert_eq!(cookies(&headers, "frontdesk_session"), ["a", "c"]);
    }
}
