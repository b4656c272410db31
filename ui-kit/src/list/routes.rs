//! A page that is a list: one line where a door lists its pages.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Query, State};
use axum::response::Response;
use axum::routing::get;
use capabilities::Error;
use minijinja::context;

use crate::form::Typed;
use crate::frame::Link;
use crate::list::List;
use crate::page::Page;
use crate::refusals::Refusal;
use crate::routes::{Queried, Shown, Who, allowing};
use crate::ui::Ui;

/// A page that is a list.
#[derive(Clone, Copy)]
pub struct ListPage {
    path: &'static str,
    list: List,
    section: &'static str,
}

type Place = State<(Arc<Ui>, ListPage)>;

impl ListPage {
    /// The page of a list at this path.
    #[must_use]
    pub const fn at(path: &'static str, list: List) -> Self {
        Self { path, list: list.at(path), section: "" }
    }

    /// Where it stands in the navigation.
    #[must_use]
    pub const fn section(self, section: &'static str) -> Self {
        Self { section, ..self }
    }

    async fn show(&self, page: &mut Page<'_>, asked: &Typed) -> Shown {
        let list = &self.list;
        let listed = match page.list(list, asked).await {
            Ok(listed) => listed,
            Err(refused) => return list.anew(refused),
        };
        let entry = page.registry().data_type(list.data_type).map_err(|error| page.refused(&error))?;
        let schema = entry.marked_row();
        let rows: Vec<_> = listed.rows.iter().map(|row| list.cells(page, schema, row)).collect();
        let values = context! { list => listed.list, heads => list.heads(schema), rows };
        page.show(self.section, "list_page.html", values).await
    }
}

/// The routes of such pages.
pub(crate) fn list_routes(ui: &Arc<Ui>, pages: impl Iterator<Item = ListPage>) -> Router {
    pages.fold(Router::new(), |router, page| {
        router.route(page.path, get(show).fallback(not_allowed).with_state((ui.clone(), page)))
    })
}

async fn show(State((ui, at)): Place, Extension(visitor): Who, asked: Queried<Typed>) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    match at.show(&mut ui.page(&visitor), &asked).await {
        Ok(response) => response,
        Err(answer) => {
            let refusal = Refusal::of(&answer).onward(Link::to("/", "To where you begin"));
            ui.refuse(&visitor, &answer, refusal).await
        }
    }
}

async fn not_allowed(State((ui, _)): Place, Extension(visitor): Who) -> Response {
    let allowed = "GET, HEAD";
    let answer = ui.refused(&Error::MethodNotAllowed { allowed: allowed.into() });
    allowing(ui.refuse(&visitor, &answer, Refusal::of(&answer)).await, allowed)
}
