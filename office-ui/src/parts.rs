//! The pages of one visit: the whole of it, and its parts, each with the forms for it.

use axum::extract::{Extension, Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use ui_kit::{Named, Page, Queried, Shown, Ui, Visitor, Who};
use uuid::Uuid;

use crate::inputs::VisitForm;
use crate::ticket::no_such_visit;
use crate::{Shared, answered, clock, crew, lines, moving, ticket};

/// What the address of such a page says besides.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Coming {
    /// What was done on the page before.
    told: String,
    /// The first day of those that are shown.
    day: String,
}

pub(crate) async fn show(
    State(ui): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    asked: Queried<Coming>,
) -> Response {
    show_visit(&ui, &visitor, id.ok().map(|Path(id)| (id, String::new())), asked).await
}

pub(crate) async fn show_part(
    State(ui): Shared,
    Extension(visitor): Who,
    named: Named<(Uuid, String)>,
    asked: Queried<Coming>,
) -> Response {
    show_visit(&ui, &visitor, named.ok().map(|Path(named)| named), asked).await
}

async fn show_visit(ui: &Ui, visitor: &Visitor, named: Option<(Uuid, String)>, asked: Queried<Coming>) -> Response {
    let Query(Coming { told, day }) = asked.unwrap_or_default();
    let shown = match named {
        Some((id, name)) => part(&mut ui.page(visitor), id, &name, VisitForm::coming(told, day)).await,
        None => Err(no_such_visit(ui)),
    };
    answered(ui, visitor, shown).await
}

/// A page of a visit, with a form as it was filled in. One that changes nothing of this visit shows the whole instead.
pub(crate) async fn part(page: &mut Page<'_>, id: Uuid, name: &str, typed: VisitForm) -> Shown {
    match name {
        "" => ticket::show(page, id, typed).await,
        "clock" => clock::show(page, id, typed).await,
        "crew" => crew::show(page, id, typed).await,
        "lines" => lines::show(page, id, typed).await,
        "move" => moving::show(page, id, typed).await,
        _ => Err(no_such_visit(page.ui())),
    }
}
