//! Signing in by a link and signing out.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use capabilities::{Call, Caller, EmailAddress, Error, Input, Office, Options, Result, Source};
use minijinja::context;
use serde::Deserialize;
use ui_kit::{unreadable, with_status};

use super::{Shared, source};
use crate::http::identity::cookies;
use crate::http::peer::Peer;

const HOME: &str = "/queue";
/// Remembers the way on while somebody fetches a link: the link itself does not know it.
const ONWARD: &str = "frontdesk_onward";
const ONWARD_SECONDS: u32 = 3600;

/// Where somebody begins: with what waits for them, or with the work on site.
fn home_of(caller: &Caller) -> &'static str {
    if caller.only_own().is_some() { office_ui::HOME } else { HOME }
}

/// The way in.
pub(super) async fn home(State(pages): Shared, headers: HeaderMap) -> Response {
    let shown = pages.signed_in(&headers).await;
    let way = shown.map(|session| session.map_or("/sign-in", |session| home_of(&session.caller)));
    pages.answered(way.map(|way| Redirect::to(way).into_response()))
}

/// Where to go after signing in.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Onward {
    next: Option<String>,
    /// A form came without a session, so that nothing was done.
    undone: Option<String>,
}

/// A form that changes something in a session.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Proof {
    #[serde(rename = "_csrf")]
    pub(super) csrf: Option<String>,
}

/// What is not readable as such is as good as not given: the answer says what is missing.
type Lenient<T, R> = Result<T, R>;
type Queried = Lenient<Query<Onward>, axum::extract::rejection::QueryRejection>;
type Sent<T> = Lenient<Form<T>, axum::extract::rejection::FormRejection>;
type Token = Lenient<Path<String>, axum::extract::rejection::PathRejection>;

/// How one gets a link.
pub(super) async fn explain(State(pages): Shared, headers: HeaderMap, asked: Queried) -> Response {
    let Query(onward) = asked.unwrap_or_default();
    let undone = onward.undone.is_some();
    let next = onward.local();
    let shown = async {
        match (pages.signed_in(&headers).await?, next.clone().filter(|path| path.chars().all(plain))) {
            (Some(session), _) => {
                Ok(Redirect::to(next.as_deref().unwrap_or_else(|| home_of(&session.caller))).into_response())
            }
            (None, None) => pages.show("sign_in.html", form(undone)),
            (None, Some(next)) => Ok(remembering(pages.show("sign_in.html", form(undone))?, &next)),
        }
    };
    pages.answered(shown.await)
}

/// The form, as it is first shown.
fn form(undone: bool) -> minijinja::Value {
    context! { undone, email => "", problem => "", sent_to => "" }
}

/// Who wants a link.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    email: String,
}

/// Mails a link to everybody with this address, one for each organization. Whether there is anybody is told by no answer and
/// by no time it takes: the mail is left after the answer.
pub(super) async fn send_link(
    State(pages): Shared,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    uri: Uri,
    sent: Sent<Wanted>,
) -> Response {
    let done = async {
        pages.authenticator.must_be_ours(&headers, &uri)?;
        let email = sent.map(|Form(wanted)| wanted.email).unwrap_or_default();
        let Ok(address) = email.parse::<EmailAddress>() else {
            let problem = "Write an address like jo@example.com.";
            return Ok(with_status(
                pages.show("sign_in.html", context! { email, problem, undone => false, sent_to => "" })?,
                unreadable(),
            ));
        };
        pages.authenticator.wants_link(address.as_str(), peer.network)?;
        tokio::spawn(mail_links(pages.office.clone(), address.as_str().to_string(), source(&headers)));
        pages.show("sign_in.html", context! { sent_to => address.as_str() })
    };
    pages.answered(done.await)
}

async fn mail_links(office: Arc<Office>, address: String, source: Source) {
    let mailed = async {
        for (org, user) in office.users_with_address(&address).await? {
            let caller = office.system(org, "sign-in").await?;
            let input = Input::One(serde_json::json!({"user_id": user}));
            let action = "user.send_sign_in_link".into();
            // What comes of it is in the log and in the trail.
            office.call(&caller, Call { action, input, options: Options::default(), source: source.clone() }).await;
        }
        Ok::<_, Error>(())
    };
    if let Err(error) = mailed.await {
        tracing::warn!("sign-in links could not be mailed: {}", error.message());
    }
}

/// Asks whether to sign in. Changes nothing: only the button does.
pub(super) async fn ask(State(pages): Shared, token: Token, asked: Queried) -> Response {
    let shown = async {
        let holder = pages.office.link_holder(&text(token)).await?;
        let next = asked.ok().and_then(|Query(onward)| onward.local());
        pages.show("sign_in_link.html", context! { name => holder.name, organization => holder.organization, next })
    };
    pages.answered(shown.await)
}

/// Signs in and uses the link up. There is no session to prove yet, but a page of another site must not sign somebody in
/// as somebody else.
pub(super) async fn sign_in(
    State(pages): Shared,
    headers: HeaderMap,
    uri: Uri,
    token: Token,
    sent: Sent<Onward>,
) -> Response {
    let done = async {
        pages.authenticator.must_be_ours(&headers, &uri)?;
        let (session, caller) = pages.office.sign_in(&text(token), &source(&headers)).await?;
        let next = sent.ok().and_then(|Form(onward)| onward.local()).or_else(|| remembered(&headers));
        let cookie = [(header::SET_COOKIE, pages.authenticator.cookie(&session)?)];
        Ok((cookie, Redirect::to(next.as_deref().unwrap_or_else(|| home_of(&caller)))).into_response())
    };
    pages.answered(done.await)
}

/// Ends the session. Whoever has none is signed out already.
pub(super) async fn sign_out(State(pages): Shared, headers: HeaderMap, uri: Uri, sent: Sent<Proof>) -> Response {
    let done = async {
        let away = Redirect::to("/sign-in");
        if pages.signed_in(&headers).await?.is_none() {
            return Ok(away.into_response());
        }
        let csrf = sent.ok().and_then(|Form(proof)| proof.csrf);
        let session = pages.authenticator.session_to_write(&headers, &uri, csrf.as_deref()).await?;
        pages.office.sign_out(&session, &source(&headers)).await?;
        let cookie = [(header::SET_COOKIE, pages.authenticator.no_cookie()?)];
        Ok((cookie, away).into_response())
    };
    pages.answered(done.await)
}

/// The browser keeps the way on for an hour, and shows it where one signs in only. It is no secret and opens nothing.
fn remembering(mut response: Response, next: &str) -> Response {
    let cookie = format!("{ONWARD}={next}; Path=/sign-in; Max-Age={ONWARD_SECONDS}; HttpOnly; SameSite=Lax");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn remembered(headers: &HeaderMap) -> Option<String> {
    let next = cookies(headers, ONWARD).pop().filter(|path| path.chars().all(plain));
    Onward { next, undone: None }.local()
}

/// What paths of ours are made of.
pub(super) fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "/-_".contains(c)
}

fn text(token: Token) -> String {
    token.map(|Path(token)| token).unwrap_or_default()
}

impl Onward {
    /// The way on, if it stays in this house. Browsers read `//` and `/\` as the beginning of another host's address.
    fn local(self) -> Option<String> {
        let plain = |path: &String| path.chars().all(|c| c.is_ascii_graphic() && c != '\\');
        self.next.filter(plain).filter(|path| path.starts_with('/') && !path.starts_with("//"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_stays_in_this_house() {
        let local = |next: &str| Onward { next: Some(next.into()), undone: None }.local();
        for good in ["/queue", "/queue/0197?filter=a&b=%20", "/"] {
            assert_eq!(local(good).as_deref(), Some(good));
        }
        for bad in [
            "",
            "queue",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/é",
            "/a\r\nb",
        ] {
            assert_eq!(local(bad), None, "{bad:?}");
        }
    }
}
