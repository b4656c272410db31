//! A page that is a form: one line where a door lists its pages.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Form as Body, Path, State};
use axum::response::Response;
use axum::routing::get;
use capabilities::{Answer, Error, REFERS_TO};
use minijinja::context;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::form::Form;
use crate::form::carrying::{Filled, Given};
use crate::form::typed::Typed;
use crate::frame::Link;
use crate::page::Page;
use crate::refusals::Refusal;
use crate::routes::{Named, Sent, Shown, Who, allowing, onward, with_status};
use crate::ui::{Ui, Visitor};
use crate::words::{capitalized, kind, text};

/// A page that is a form. What its path names in braces is known of the input, and the record that it refers to stands in the
/// fields.
#[derive(Debug, Clone, Copy)]
pub struct FormPage {
    path: &'static str,
    form: Form,
    section: &'static str,
    back: &'static str,
    then: &'static str,
}

type Place = State<(Arc<Ui>, FormPage)>;
type Params = Named<BTreeMap<String, String>>;

impl FormPage {
    /// The page of a form at this path: `/contacts/{contact_id}/archive`.
    #[must_use]
    pub const fn at(path: &'static str, form: Form) -> Self {
        Self { path, form, section: "", back: "/", then: "" }
    }

    /// Where it stands in the navigation.
    #[must_use]
    pub const fn section(self, section: &'static str) -> Self {
        Self { section, ..self }
    }

    /// The page one comes from, and goes to when it is done; with the same names in braces.
    #[must_use]
    pub const fn back(self, back: &'static str) -> Self {
        Self { back, ..self }
    }

    /// The page one goes to when it is done, if that is another one; with names of what the action answers, too.
    #[must_use]
    pub const fn then(self, then: &'static str) -> Self {
        Self { then, ..self }
    }

    pub(crate) fn form(&self) -> &Form {
        &self.form
    }
}

/// The routes of such pages.
pub(crate) fn form_routes(ui: &Arc<Ui>, pages: impl Iterator<Item = FormPage>) -> Router {
    pages.fold(Router::new(), |router, page| {
        let methods = get(show).post(send).fallback(not_allowed);
        router.route(page.path, methods.with_state((ui.clone(), page)))
    })
}

async fn show(State((ui, at)): Place, Extension(visitor): Who, params: Params) -> Response {
    let shown = at.show(&mut ui.page(&visitor), &params, None).await;
    at.answered(&ui, &visitor, &params, shown).await
}

async fn send(State((ui, at)): Place, Extension(visitor): Who, params: Params, sent: Sent<Typed>) -> Response {
    let Body(typed) = sent.unwrap_or_default();
    let shown = match ui.carry_out(&visitor, &at.form, at.given(&ui, &params), typed).await {
        Ok(answer) => Ok(onward(&at.next(&params, &answer))),
        // What one may not do is said instead of the form.
        Err(filled) => at.show(&mut ui.page(&visitor), &params, Some(&filled)).await,
    };
    at.answered(&ui, &visitor, &params, shown).await
}

async fn not_allowed(State((ui, at)): Place, Extension(visitor): Who, params: Params) -> Response {
    let allowed = "GET, HEAD, POST";
    let answer = ui.refused(&Error::MethodNotAllowed { allowed: allowed.into() });
    allowing(at.answered(&ui, &visitor, &params, Err(answer)).await, allowed)
}

impl FormPage {
    async fn answered(&self, ui: &Ui, visitor: &Visitor, params: &Params, shown: Shown) -> Response {
        match shown {
            Ok(response) => response,
            Err(answer) => {
                let back = Link::to(filled_in(self.back, params, &Value::Null), "Back");
                ui.refuse(visitor, &answer, Refusal::of(&answer).onward(back)).await
            }
        }
    }

    /// The members of the input that its path names.
    fn given(&self, ui: &Ui, params: &Params) -> Map<String, Value> {
        let entry = ui.office().registry().action(self.form.action).ok();
        let known = entry.and_then(|entry| entry.marked_input()).map(|schema| &schema["properties"]);
        let params = params.iter().flat_map(|Path(params)| params);
        let given = params.filter(|(name, _)| known.is_some_and(|known| known.get(name.as_str()).is_some()));
        given.map(|(name, value)| (name.clone(), value.as_str().into())).collect()
    }

    async fn show(&self, page: &mut Page<'_>, params: &Params, filled: Option<&Filled>) -> Shown {
        let form = &self.form;
        let entry = page.registry().action(form.action).map_err(|error| page.refused(&error))?;
        if !page.may(form.action) {
            let who = entry.who.in_words();
            return Err(page.refused(&Error::Forbidden(format!("This is for {who} to do."))));
        }
        let input = self.given(page.ui(), params);
        let record = self.record(page, &input).await?;
        let (to, back) = (filled_in(self.path, params, &Value::Null), filled_in(self.back, params, &Value::Null));
        let given = Given {
            to: &to,
            input,
            version: record.as_ref().and_then(|record| record["version"].as_i64()),
            record: record.as_ref(),
            filled,
            ..Given::default()
        };
        let html = page.form(form, given).await?;
        let name = record.as_ref().map(name_of).unwrap_or_default();
        let problem = filled.map(Filled::named_problem).filter(|problem| !problem.is_empty());
        let values = context! { form => html, title => form.heading(page.registry()), name, back, problem };
        let response = page.show(self.section, "form_page.html", values).await?;
        Ok(match filled {
            Some(filled) => with_status(response, filled.status),
            None => response,
        })
    }

    /// The record that its path names: what it is about, or there is no such page.
    async fn record(&self, page: &mut Page<'_>, given: &Map<String, Value>) -> Result<Option<Value>, Box<Answer>> {
        let entry = page.registry().action(self.form.action).ok();
        let schema = entry.and_then(|entry| entry.marked_input()).cloned().unwrap_or_default();
        for (name, value) in given {
            let Some(data_type) = schema["properties"][name][REFERS_TO].as_str() else { continue };
            let (one, _) = kind(page.registry(), data_type);
            let ui = page.ui();
            let nothing = || ui.refused(&Error::NotFound { what: format!("such {one}") });
            let id: Uuid = value.as_str().and_then(|id| id.parse().ok()).ok_or_else(nothing)?;
            let row = page.one(data_type, id, &[]).await;
            return row.map(Some).map_err(|refused| match refused.error_code() {
                Some("NOT_FOUND") => nothing(),
                _ => refused,
            });
        }
        Ok(None)
    }

    /// Where one goes when it is done; the page there says so.
    fn next(&self, params: &Params, answer: &Answer) -> String {
        let then = if self.then.is_empty() { self.back } else { self.then };
        let none = Value::Null;
        let path = filled_in(then, params, answer.data.as_ref().unwrap_or(&none));
        let mark = if path.contains('?') { '&' } else { '?' };
        format!("{path}{mark}did={}", self.form.action)
    }
}

/// A path with its names in braces filled in, from the address one is at or from what was answered.
fn filled_in(path: &str, params: &Params, data: &Value) -> String {
    let mut parts = path.split('{');
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |path, part| {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        let param = params.as_ref().ok().and_then(|Path(params)| params.get(name).cloned());
        format!("{path}{}{rest}", param.unwrap_or_else(|| text(&data[name])))
    })
}

fn name_of(record: &Value) -> String {
    let name = ["display_name", "name", "title", "number"].iter().map(|name| text(&record[*name]));
    capitalized(&name.into_iter().find(|name| !name.is_empty()).unwrap_or_default())
}
