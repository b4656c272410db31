//! The way of pages into the office, one for all doors, and who visits them.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use capabilities::{Answer, Call, Caller, Error, Input, Office, Options, SessionToken, Source};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::form::{Form, FormPage, form_routes};
use crate::frame::Surround;
use crate::list::{ListPage, list_routes};
use crate::page::Page;
use crate::pages::{Pages, Templates};
use crate::refusals::Refusal;

/// A person at the pages. Whoever mounts them puts one beside each request.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Who.
    pub caller: Caller,
    /// What they are known by: a page that stays open ends its stream with it.
    pub session: SessionToken,
    /// What the person's forms must carry, as `_csrf`.
    pub csrf: String,
    /// What their calls are put on record with.
    pub source: Source,
    /// The action that was done on the page before, as the address says.
    pub did: Option<String>,
}

impl Visitor {
    /// The action that was done on the page before, as the query of an address says.
    #[must_use]
    pub fn did(query: Option<&str>) -> Option<String> {
        query?.split('&').find_map(|pair| pair.strip_prefix("did=")).map(str::to_string)
    }
}

/// What a crate of pages hands in.
#[derive(Clone, Copy, Default)]
pub struct Door {
    /// Its templates.
    pub templates: Option<Templates>,
    /// Its stylesheets beside that of all pages: the name and the text. A template finds the address of `office` as
    /// `office_style`.
    pub styles: &'static [(&'static str, &'static str)],
    /// What it adds to the frame of every page.
    pub surround: Option<Surround>,
    /// Its pages that are a form.
    pub forms: &'static [FormPage],
    /// Its pages that are a list.
    pub lists: &'static [ListPage],
}

/// The way of pages into the office.
pub struct Ui {
    office: Arc<Office>,
    pages: Pages,
    surrounds: Vec<Surround>,
    forms: Vec<FormPage>,
    lists: Vec<ListPage>,
}

impl Ui {
    /// A way into this office for the pages of these doors. Their places stand in the navigation in this order.
    pub fn new(office: &Arc<Office>, doors: &[Door]) -> Result<Arc<Self>, minijinja::Error> {
        let surrounds = doors.iter().filter_map(|door| door.surround).collect();
        let forms = doors.iter().flat_map(|door| door.forms).copied().collect();
        let lists = doors.iter().flat_map(|door| door.lists).copied().collect();
        Ok(Arc::new(Self { office: office.clone(), pages: Pages::new(doors)?, surrounds, forms, lists }))
    }

    /// The office.
    #[must_use]
    pub fn office(&self) -> &Office {
        &self.office
    }

    pub(crate) fn surrounds(&self) -> &[Surround] {
        &self.surrounds
    }

    /// The pages that are made of a declaration alone. They need a [`Visitor`] among the extensions of each request.
    pub fn routes(self: &Arc<Self>) -> Router {
        form_routes(self, self.forms.iter().copied()).merge(list_routes(self, self.lists.iter().copied()))
    }

    /// What is said of an action that was done on the page before; nothing if there is no such action.
    pub(crate) fn done(&self, action: &str) -> Option<&'static str> {
        let form = self.forms.iter().map(FormPage::form).find(|form| form.action() == action);
        let known = self.office.registry().action(action).is_ok();
        known.then(|| form.map_or("Done.", Form::done_words))
    }

    /// What pages load besides. The addresses change with the content, so a browser may keep it for good.
    pub fn files(&self) -> Router {
        self.pages.files()
    }

    /// A page for a visitor. What was asked for it before a call is out of date after it: there a new one is begun.
    #[must_use]
    pub fn page<'u>(&'u self, visitor: &'u Visitor) -> Page<'u> {
        Page::new(self, visitor)
    }

    /// Carries out an action in the visitor's name.
    pub async fn call(&self, visitor: &Visitor, action: &str, input: Value) -> Answer {
        self.call_with(visitor, action, input, Options::default()).await
    }

    /// The same with options.
    pub async fn call_with(&self, visitor: &Visitor, action: &str, input: Value, options: Options) -> Answer {
        let source = visitor.source.clone();
        let call = Call { action: action.into(), input: Input::One(input), options, source };
        self.office.call(&visitor.caller, call).await
    }

    /// Does it once: the same form of the same page, `once`, with the same content is carried out a single time.
    pub async fn perform(&self, visitor: &Visitor, action: &str, input: Value, once: &str) -> Answer {
        self.perform_with(visitor, action, input, once, Options::default()).await
    }

    /// The same with options.
    pub(crate) async fn perform_with(
        &self,
        visitor: &Visitor,
        action: &str,
        input: Value,
        once: &str,
        options: Options,
    ) -> Answer {
        let digest = Sha256::digest(format!("{action}{input}"));
        let digest: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let idempotency_key = once.parse::<Uuid>().ok().map(|once| format!("page {once} {digest}"));
        self.call_with(visitor, action, input, Options { idempotency_key, ..options }).await
    }

    /// Whether the visitor's role is among those for whom an action is.
    #[must_use]
    pub fn may(&self, visitor: &Visitor, action: &str) -> bool {
        self.office.registry().action(action).is_ok_and(|entry| visitor.caller.is_among(entry.who))
    }

    /// A refusal of something that never became a call.
    #[must_use]
    pub fn refused(&self, error: &Error) -> Box<Answer> {
        Box::new(self.office.refuse(error))
    }

    /// A page, or one that says that it could not be made.
    #[must_use]
    pub fn respond(&self, template: &str, values: minijinja::Value) -> Response {
        self.pages.respond(&self.office, template, values)
    }

    /// A part of a page, to stand in another.
    pub(crate) fn part(&self, template: &str, values: minijinja::Value) -> Result<minijinja::Value, Error> {
        self.pages.part(template, values)
    }

    /// A page that nobody need be signed in for.
    pub fn show(&self, template: &str, values: minijinja::Value) -> Result<Response, Error> {
        self.pages.show(template, values)
    }

    /// A page for somebody who is signed in, without the ways to the others.
    #[must_use]
    pub fn plain_frame(caller: &Caller, csrf: &str) -> minijinja::Value {
        minijinja::Value::from_serialize(crate::frame::Shown::of(caller, csrf))
    }

    /// A refusal as a page in the frame of all: what is so, and the way on.
    pub async fn refuse(&self, visitor: &Visitor, answer: &Answer, refusal: Refusal) -> Response {
        let values = self.page(visitor).instead(refusal.values(answer)).await;
        self.pages.refuse(&self.office, answer, values)
    }

    /// The same for whoever it is.
    #[must_use]
    pub fn refuse_stranger(&self, answer: &Answer, refusal: Refusal) -> Response {
        self.pages.refuse(&self.office, answer, refusal.values(answer))
    }
}
