//! What the office mailed while no mail server is configured, for whoever tries it out: in development mode only. A mail
//! that signs somebody in is nobody's to read here, and each business sees its own.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use capabilities::world::KIND_HEADER;
use capabilities::{Answer, Caller, Door, Error, Read, Result, Selection, Who};
use chrono::{DateTime, Utc};
use mail_parser::{Message, MessageParser};
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Pages, Shared, to_sign_in, with_headers};

/// How many a page lists at most.
const PAGE: i64 = 50;
/// The kind that is never shown: its link signs one in.
const SIGN_IN: &str = "sign_in";
/// A page with a mail in a frame.
const FRAMING: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; \
     base-uri 'none'",
);
/// The mail in the frame: its own styles, and nothing that runs, loads, leads away or knows where it is.
const FRAMED: HeaderValue = HeaderValue::from_static(
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'; \
     base-uri 'none'",
);
const CONTENT_SECURITY_POLICY: HeaderName = header::CONTENT_SECURITY_POLICY;

/// The routes. Whoever mounts them does so in development mode only.
pub(super) fn routes(pages: &Arc<Pages>) -> Router {
    let framing = |mut response: Response| async move {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, FRAMING);
        response
    };
    let framed = |mut response: Response| async move {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, FRAMED);
        response
    };
    let lists = Router::new().route("/dev/mail", get(list)).route("/dev/mail/{id}", get(letter));
    let parts = Router::new().route("/dev/mail/{id}/html", get(html));
    lists
        .layer(map_response(with_headers))
        .layer(map_response(framing))
        .merge(parts.layer(map_response(with_headers)).layer(map_response(framed)))
        .with_state(pages.clone())
}

/// Somebody who may look, and what stands around the page.
struct Looker {
    caller: Caller,
    csrf: String,
}

/// A mail, as the list shows it.
#[derive(Debug, Serialize)]
struct Line {
    id: Uuid,
    subject: String,
    to: String,
    at: String,
}

#[derive(Debug, Default, Deserialize)]
struct MailQuery {
    cursor: Option<String>,
}

type Queried = std::result::Result<Query<MailQuery>, axum::extract::rejection::QueryRejection>;
type Named = std::result::Result<Path<String>, PathRejection>;

async fn list(State(pages): Shared, asked: Queried, parts: Parts) -> Response {
    let Query(place) = asked.unwrap_or_default();
    let shown = async {
        let Some(looker) = pages.looker(&parts).await? else { return Ok(to_sign_in(&parts)) };
        let frame = looker.frame();
        let Some(directory) = pages.mail_directory() else {
            return pages.show("sent_mail.html", context! { frame, over_smtp => true, lines => (), next => () });
        };
        let answer = pages.errands(&looker, None, place.cursor).await?;
        let mut lines = Vec::new();
        for errand in answer.data.as_ref().and_then(Value::as_array).into_iter().flatten() {
            lines.extend(pages.line(&looker, errand).await);
        }
        let (next, directory) = (answer.meta.next_cursor, directory.display().to_string());
        pages.show("sent_mail.html", context! { frame, over_smtp => false, lines, next, directory })
    };
    pages.answered(shown.await)
}

async fn letter(State(pages): Shared, named: Named, parts: Parts) -> Response {
    let shown = async {
        let Some(looker) = pages.looker(&parts).await? else { return Ok(to_sign_in(&parts)) };
        let (id, file) = pages.letter(&looker, named).await?;
        let message = readable(&file).ok_or_else(nothing)?;
        let values = context! {
            frame => looker.frame(), id => id.to_string(), subject => message.subject().unwrap_or_default(),
            from => addresses(message.from()), to => addresses(message.to()),
            kind => kind(&message), text => plain(&message).unwrap_or_default().trim_end(), framed => html_of(&message).is_some(),
        };
        pages.show("sent_letter.html", values)
    };
    pages.answered(shown.await)
}

/// The HTML part alone, for the frame.
async fn html(State(pages): Shared, named: Named, parts: Parts) -> Response {
    let shown = async {
        let Some(looker) = pages.looker(&parts).await? else { return Ok(to_sign_in(&parts)) };
        let (_, file) = pages.letter(&looker, named).await?;
        let message = readable(&file).ok_or_else(nothing)?;
        let html = html_of(&message).ok_or_else(nothing)?.to_string();
        Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response())
    };
    pages.answered(shown.await)
}

impl Pages {
    /// An owner or manager who is signed in; none, if nobody is.
    async fn looker(&self, parts: &Parts) -> Result<Option<Looker>> {
        let Some(session) = self.signed_in(&parts.headers).await? else { return Ok(None) };
        match session.caller.is_among(Who::MANAGERS) {
            true => Ok(Some(Looker { csrf: session.token.csrf(), caller: session.caller })),
            false => Err(Error::Forbidden(format!("The mail is for {} to look at.", Who::MANAGERS.in_words()))),
        }
    }

    fn mail_directory(&self) -> Option<PathBuf> {
        self.office.mail().and_then(|mail| mail.files()).map(Into::into)
    }

    /// The errands of the looker's own business: what no errand of it left is not its mail.
    async fn errands(&self, looker: &Looker, id: Option<Uuid>, cursor: Option<String>) -> Result<Answer> {
        let selection = Selection {
            data_type: "errands".into(),
            id: id.map(|id| id.to_string()),
            limit: Some(PAGE).filter(|_| id.is_none()),
            cursor,
            ..Selection::default()
        };
        let answer =
            self.office.read(&looker.caller, Read { selection, room: None, door: Door::Page, counted: false }).await;
        match answer.success() {
            true => Ok(answer),
            false => Err(nothing()),
        }
    }

    async fn line(&self, looker: &Looker, errand: &Value) -> Option<Line> {
        let id = errand["id"].as_str()?.parse().ok()?;
        let file = self.file(id).await?;
        let message = readable(&file)?;
        let left: DateTime<Utc> = errand["created_at"].as_str()?.parse().ok()?;
        let at = left.with_timezone(&looker.caller.org().timezone).format("%a, %b %-d, %-I:%M %p").to_string();
        Some(Line { id, subject: message.subject().unwrap_or_default().into(), to: addresses(message.to()), at })
    }

    /// The file of the errand of that name. A name that is no id names nothing, wherever it would lead.
    async fn letter(&self, looker: &Looker, named: Named) -> Result<(Uuid, Vec<u8>)> {
        let id: Uuid = named.ok().and_then(|Path(name)| Uuid::try_parse(&name).ok()).ok_or_else(nothing)?;
        self.errands(looker, Some(id), None).await?;
        Ok((id, self.file(id).await.ok_or_else(nothing)?))
    }

    async fn file(&self, id: Uuid) -> Option<Vec<u8>> {
        tokio::fs::read(self.mail_directory()?.join(format!("{id}.eml"))).await.ok()
    }
}

impl Looker {
    /// As the layout takes it.
    fn frame(&self) -> minijinja::Value {
        ui_kit::Ui::plain_frame(&self.caller, &self.csrf)
    }
}

fn nothing() -> Error {
    Error::NotFound { what: "mail of that name".into() }
}

/// A mail of a known kind that signs nobody in.
fn readable(file: &[u8]) -> Option<Message<'_>> {
    MessageParser::default().parse(file).filter(|message| !["", SIGN_IN].contains(&kind(message).as_str()))
}

fn kind(message: &Message<'_>) -> String {
    message.header_raw(KIND_HEADER).unwrap_or_default().trim().to_lowercase()
}

fn plain(message: &Message<'_>) -> Option<String> {
    message
        .text_bodies()
        .find(|part| part.is_text() && !part.is_text_html())
        .and_then(|part| Some(part.text_contents()?.into()))
}

fn html_of<'m>(message: &'m Message<'_>) -> Option<&'m str> {
    message.html_bodies().find(|part| part.is_text_html()).and_then(|part| part.text_contents())
}

/// Whom a mail is from or to: "Jane Smith <jane@example.com>".
fn addresses(addresses: Option<&mail_parser::Address<'_>>) -> String {
    let one = |address: &mail_parser::Addr<'_>| {
        let mail = address.address().unwrap_or_default();
        address.name().map_or_else(|| mail.to_string(), |name| format!("{name} <{mail}>"))
    };
    addresses.map(|all| all.iter().map(one).collect::<Vec<_>>().join(", ")).unwrap_or_default()
}
