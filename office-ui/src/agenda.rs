//! A day's visits in their order: today's with the clock one tap away.

use axum::extract::{Extension, Path, Query, State};
use axum::response::Response;
use chrono::{Days, NaiveDate};
use minijinja::context;
use serde::Serialize;
use ui_kit::{Named, Page, Queried, Shown, Who, capitalized, counted, onward};
use uuid::Uuid;

use crate::asking::{Span, WHOLE, tickets};
use crate::card::{Card, card};
use crate::filter::{CalendarFilter, whose};
use crate::inputs::VisitForm;
use crate::{HOME, Shared, answered, words};

/// The way to another day.
#[derive(Serialize)]
pub(crate) struct Way {
    pub path: String,
    pub words: String,
}

pub(crate) async fn today(State(ui): Shared, Extension(visitor): Who, asked: Queried<CalendarFilter>) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let page = &mut ui.page(&visitor);
    let today = page.today();
    let shown = show(page, today, &asked, None).await;
    answered(&ui, &visitor, shown).await
}

pub(crate) async fn day(
    State(ui): Shared,
    Extension(visitor): Who,
    day: Named<NaiveDate>,
    asked: Queried<CalendarFilter>,
) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let Ok(Path(day)) = day else { return onward(HOME) };
    let shown = show(&mut ui.page(&visitor), day, &asked, None).await;
    answered(&ui, &visitor, shown).await
}

/// A day's page. What a form on it was refused for is told where the form stands.
pub(crate) async fn show(
    page: &mut Page<'_>,
    day: NaiveDate,
    asked: &CalendarFilter,
    refused: Option<(Uuid, VisitForm)>,
) -> Shown {
    let today = page.today();
    let path = if day == today { HOME.to_string() } else { format!("/day/{day}") };
    let whose = whose(page, &path, asked).await?;
    let span = Span { first: day, last: day, technician: whose.technician };
    let listed = tickets(page, span, WHOLE).await?;
    let mut cards: Vec<Card> = listed.rows.iter().map(|row| card(page, row)).collect();
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
        problem => refused.as_ref().map(|(_, typed)| &typed.problem),
        before => way(day.checked_sub_days(Days::new(1)).unwrap_or(day)),
        after => way(day.checked_add_days(Days::new(1)).unwrap_or(day)), day,
        month_of => words::month(day), whose,
    };
    let section = if day == today { "today" } else { "calendar" };
    let page = page.show(section, "agenda.html", values).await?;
    Ok(match refused {
        Some((_, typed)) => typed.on(page),
        None => page,
    })
}
