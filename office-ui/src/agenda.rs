//! A day's visits in their order: today's with the clock one tap away.

use authorization_queue_ui::{Visitor, capitalized, counted};
use axum::extract::{Extension, Path, Query, State};
use axum::response::Response;
use chrono::{Days, NaiveDate};
use minijinja::context;
use serde::Serialize;
use uuid::Uuid;

use crate::asking::{Detail, Span};
use crate::card::Card;
use crate::filter::CalendarFilter;
use crate::inputs::VisitForm;
use crate::{HOME, Named, Queried, Shared, Shown, Who, Work, onward, words};

/// The way to another day.
#[derive(Serialize)]
pub(crate) struct Way {
    pub path: String,
    pub words: String,
}

pub(crate) async fn today(State(work): Shared, Extension(visitor): Who, asked: Queried<CalendarFilter>) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let shown = work.agenda(&visitor, work.today(&visitor), &asked, None).await;
    work.answered(&visitor, shown).await
}

pub(crate) async fn day(
    State(work): Shared,
    Extension(visitor): Who,
    day: Named<NaiveDate>,
    asked: Queried<CalendarFilter>,
) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let Ok(Path(day)) = day else { return onward(HOME) };
    let shown = work.agenda(&visitor, day, &asked, None).await;
    work.answered(&visitor, shown).await
}

impl Work {
    /// A day's page. What a form on it was refused for is told where the form stands.
    pub(crate) async fn agenda(
        &self,
        visitor: &Visitor,
        day: NaiveDate,
        asked: &CalendarFilter,
        refused: Option<(Uuid, VisitForm)>,
    ) -> Shown {
        let today = self.today(visitor);
        let path = if day == today { HOME.to_string() } else { format!("/day/{day}") };
        let whose = self.whose(visitor, &path, asked).await?;
        let span = Span { first: day, last: day, technician: whose.technician };
        let (listed, frame) = (self.tickets(visitor, span, Detail::WHOLE).await?, self.ui.frame(visitor).await?);
        let mut cards: Vec<Card> = listed.rows.iter().map(|row| self.card(visitor, row)).collect();
        let next = cards.iter().position(Card::is_running);
        let next = next.or_else(|| cards.iter().position(Card::is_untouched));
        if let Some(card) = next.and_then(|next| cards.get_mut(next)) {
            card.is_next = true;
        }
        let due = listed.rows.iter().filter(|row| words::takes_place(row)).count();
        let way = |day: NaiveDate| Way {
            path: if day == today { HOME.to_string() } else { format!("/day/{day}") } + &whose.query,
            words: words::short_day(day, today),
        };
        let values = context! {
            title => capitalized(&words::day(day, today)), date => words::date(day, today), is_today => day == today,
            count => counted(due.try_into().unwrap_or(i64::MAX), "visit", "visits"), cards, goes_on => listed.goes_on,
            told => asked.told, problem_of => refused.as_ref().map(|(visit, _)| visit.to_string()),
            problem => refused.as_ref().map(|(_, typed)| &typed.problem), once => listed.once,
            before => way(day.checked_sub_days(Days::new(1)).unwrap_or(day)),
            after => way(day.checked_add_days(Days::new(1)).unwrap_or(day)), day,
            month_of => words::month(day), whose,
        };
        let section = if day == today { "today" } else { "calendar" };
        let page = self.show(visitor, &frame, section, "agenda.html", values);
        Ok(match refused {
            Some((_, typed)) => typed.on(page),
            None => page,
        })
    }
}
