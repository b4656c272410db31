//! What is done by a form of a visit: once however often it is sent, and with what was typed kept when it cannot be done.

use axum::extract::{Extension, Form, Path, State};
use axum::response::Response;
use capabilities::Error;
use ui_kit::{Named, Sent, Shown, Ui, Visitor, Who, at_the_form, onward, unreadable};
use uuid::Uuid;

use crate::declared::{DECLARED, given};
use crate::filter::CalendarFilter;
use crate::inputs::VisitForm;
use crate::parts::part;
use crate::ticket::no_such_visit;
use crate::{HOME, Shared, agenda, answered};

pub(crate) async fn send(
    State(ui): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    sent: Sent<VisitForm>,
) -> Response {
    let Form(typed) = sent.unwrap_or_default();
    let shown = match id {
        Ok(Path(id)) => carry_out(&ui, &visitor, id, typed).await,
        Err(_) => Err(no_such_visit(&ui)),
    };
    answered(&ui, &visitor, shown).await
}

impl VisitForm {
    /// Whether it is what the form was sent for that stands in its way.
    fn is_so_already(&self, code: &str) -> bool {
        self.at.is_empty()
            && [("clock_in", "CLOCK_RUNNING"), ("clock_out", "CLOCK_NOT_RUNNING")].contains(&(self.what.as_str(), code))
    }
}

async fn carry_out(ui: &Ui, visitor: &Visitor, id: Uuid, mut typed: VisitForm) -> Shown {
    if let Some(declared) = DECLARED.iter().find(|declared| declared.word == typed.what) {
        return match ui.carry_out(visitor, &declared.form, given(id), typed.typed()).await {
            Ok(_) => Ok(onward(&format!("/tickets/{id}?told={}", declared.told))),
            Err(filled) => {
                typed.refuse_filled(filled);
                again(ui, visitor, id, typed).await
            }
        };
    }
    let Some(form) = typed.form() else {
        return Err(ui.refused(&Error::invalid("/do", "is nothing that can be done here")));
    };
    let input = match form.input(&typed, id, visitor.caller.org()) {
        Ok(input) => input,
        Err(problem) => {
            typed.refuse(problem.into(), unreadable());
            return again(ui, visitor, id, typed).await;
        }
    };
    let answer = ui.perform(visitor, form.action, input, &typed.once).await;
    match answer.error_code() {
        Some(code) if !typed.is_so_already(code) => {
            typed.is_busy = code == "TECHNICIAN_BUSY";
            typed.refuse(at_the_form(&answer, "visit"), answer.status);
            again(ui, visitor, id, typed).await
        }
        _ if typed.from == "today" => Ok(onward(&format!("{HOME}?told={}", form.told))),
        _ if PARTS.contains(&typed.from.as_str()) => {
            Ok(onward(&format!("/tickets/{id}/{}?told={}", typed.from, form.told)))
        }
        _ => Ok(onward(&format!("/tickets/{id}?told={}", form.told))),
    }
}

/// The page once more, with what was typed and what is wrong with it.
async fn again(ui: &Ui, visitor: &Visitor, id: Uuid, typed: VisitForm) -> Shown {
    let page = &mut ui.page(visitor);
    match typed.from.clone().as_str() {
        "today" => {
            let today = page.today();
            agenda::show(page, today, &CalendarFilter::default(), Some((id, typed))).await
        }
        name => part(page, id, name, typed).await,
    }
}

/// The pages of a visit's parts on which there may be more to do.
const PARTS: [&str; 3] = ["clock", "crew", "lines"];
