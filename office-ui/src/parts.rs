//! The pages of one visit: the whole of it, and its parts, each with the forms for it.

use authorization_queue_ui::Visitor;
use axum::extract::{Extension, Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use crate::inputs::VisitForm;
use crate::{Named, Queried, Shared, Shown, Who, Work};

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
    State(work): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    asked: Queried<Coming>,
) -> Response {
    work.show_visit(&visitor, id.ok().map(|Path(id)| (id, String::new())), asked).await
}

pub(crate) async fn show_part(
    State(work): Shared,
    Extension(visitor): Who,
    part: Named<(Uuid, String)>,
    asked: Queried<Coming>,
) -> Response {
    work.show_visit(&visitor, part.ok().map(|Path(part)| part), asked).await
}

impl Work {
    async fn show_visit(&self, visitor: &Visitor, part: Option<(Uuid, String)>, asked: Queried<Coming>) -> Response {
        let Query(Coming { told, day }) = asked.unwrap_or_default();
        let shown = match part {
            Some((id, part)) => self.part(visitor, id, &part, VisitForm::coming(told, day)).await,
            None => Err(self.no_such_visit()),
        };
        self.answered(visitor, shown).await
    }

    /// A page of a visit, with a form as it was filled in. One that changes nothing of this visit shows the whole instead.
    pub(crate) async fn part(&self, visitor: &Visitor, id: Uuid, part: &str, typed: VisitForm) -> Shown {
        match part {
            "" => self.ticket(visitor, id, typed).await,
            "clock" => self.clock(visitor, id, typed).await,
            "crew" => self.crew(visitor, id, typed).await,
            "lines" => self.lines(visitor, id, typed).await,
            "move" => self.moving(visitor, id, typed).await,
            _ => Err(self.no_such_visit()),
        }
    }
}
