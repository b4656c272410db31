//! The calendar: a week with its visits, a month with how many there are.

use std::collections::BTreeMap;

use axum::extract::{Extension, Path, Query, State};
use axum::response::Response;
use capabilities::Answer;
use chrono::{Datelike as _, Days, Months, NaiveDate};
use minijinja::context;
use serde::Serialize;
use serde_json::Value;
use ui_kit::{Detail, Named, Page, Queried, Shown, Who, counted, onward};

use crate::agenda::Way;
use crate::asking::{ENTRY, Span, first_tickets};
use crate::card::{Card, card, day_of};
use crate::filter::{CalendarFilter, whose};
use crate::{HOME, Shared, answered, words};

/// A day of the calendar.
#[derive(Serialize)]
struct Day {
    path: String,
    words: String,
    short: String,
    number: u32,
    is_today: bool,
    /// Whether it belongs to the month before or after.
    is_beside: bool,
    count: usize,
    /// "3 visits".
    counted: String,
    cards: Vec<Card>,
}

pub(crate) async fn this_week(State(ui): Shared, Extension(visitor): Who, asked: Queried<CalendarFilter>) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let page = &mut ui.page(&visitor);
    let today = page.today();
    let shown = week(page, today, &asked).await;
    answered(&ui, &visitor, shown).await
}

pub(crate) async fn week_of(
    State(ui): Shared,
    Extension(visitor): Who,
    day: Named<NaiveDate>,
    asked: Queried<CalendarFilter>,
) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let Ok(Path(day)) = day else { return onward("/week") };
    let shown = week(&mut ui.page(&visitor), day, &asked).await;
    answered(&ui, &visitor, shown).await
}

pub(crate) async fn this_month(State(ui): Shared, Extension(visitor): Who, asked: Queried<CalendarFilter>) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let page = &mut ui.page(&visitor);
    let today = page.today();
    let shown = month(page, today, &asked).await;
    answered(&ui, &visitor, shown).await
}

/// `/month/2030-01`.
pub(crate) async fn month_of(
    State(ui): Shared,
    Extension(visitor): Who,
    named: Named<String>,
    asked: Queried<CalendarFilter>,
) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let first = named.ok().and_then(|Path(month)| format!("{month}-01").parse::<NaiveDate>().ok());
    let Some(first) = first else { return onward("/month") };
    let shown = month(&mut ui.page(&visitor), first, &asked).await;
    answered(&ui, &visitor, shown).await
}

/// The Monday of a day's week.
fn monday(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into())).unwrap_or(day)
}

fn after(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_add_days(Days::new(days)).unwrap_or(day)
}

fn before(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_sub_days(Days::new(days)).unwrap_or(day)
}

/// How many visits each of these days has.
async fn counts(page: &mut Page<'_>, span: Span) -> Result<BTreeMap<NaiveDate, usize>, Box<Answer>> {
    let days = page.all("calendar_days", span.filters().into(), Detail::PLAIN).await?.rows;
    let day = |row: &Value| Some((row["day"].as_str()?.parse().ok()?, row["visits"].as_u64()?.try_into().ok()?));
    Ok(days.iter().filter_map(day).collect())
}

async fn week(page: &mut Page<'_>, day: NaiveDate, asked: &CalendarFilter) -> Shown {
    let (today, first) = (page.today(), monday(day));
    let whose = whose(page, &format!("/week/{first}"), asked).await?;
    let span = Span { first, last: after(first, 6), technician: whose.technician };
    let listed = first_tickets(page, span, ENTRY).await?;
    // Of a week with more than one can look over only the counts are shown.
    let counts = if listed.goes_on { Some(counts(page, span).await?) } else { None };
    let mut by_day: BTreeMap<NaiveDate, Vec<&Value>> = BTreeMap::new();
    for row in &listed.rows {
        by_day.entry(day_of(page, row).max(first)).or_default().push(row);
    }
    let days: Vec<Day> = (0..7)
        .map(|nth| {
            let day = after(first, nth);
            if let Some(counts) = &counts {
                return one_day(day, today, counts.get(&day).copied().unwrap_or_default(), &whose.query);
            }
            let rows = by_day.get(&day).map_or(&[][..], Vec::as_slice);
            let count = rows.iter().filter(|row| words::takes_place(row)).count();
            let cards = rows.iter().map(|row| card(page, row)).collect();
            Day { cards, ..one_day(day, today, count, &whose.query) }
        })
        .collect();
    let way = |first: NaiveDate| Way {
        path: format!("/week/{first}{}", whose.query),
        words: format!("Week of {}", first.format("%b %-d")),
    };
    let last = span.last;
    let form = if first.year() == last.year() { "%b %-d" } else { "%b %-d, %Y" };
    let values = context! {
        title => format!("{} – {}", first.format(form), last.format("%b %-d, %Y")),
        is_empty => listed.rows.is_empty(), goes_on => listed.goes_on, days, before => way(before(first, 7)),
        after => way(after(first, 7)), day => first.max(today.min(last)), month_of => words::month(last), whose,
    };
    page.show("calendar", "week.html", values).await
}

async fn month(page: &mut Page<'_>, day: NaiveDate, asked: &CalendarFilter) -> Shown {
    let (today, first) = (page.today(), day.with_day(1).unwrap_or(day));
    let whose = whose(page, &format!("/month/{}", words::month(first)), asked).await?;
    let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
    let (begin, last) = (monday(first), before(next, 1));
    let counts = counts(page, Span { first, last, technician: whose.technician }).await?;
    let weeks: Vec<Vec<Day>> = (0..6)
        .map(|nth| after(begin, nth * 7))
        .filter(|monday| *monday <= last)
        .map(|monday| {
            let day = |nth| after(monday, nth);
            let cell = |day: NaiveDate| Day {
                is_beside: day < first || day > last,
                ..one_day(day, today, counts.get(&day).copied().unwrap_or_default(), &whose.query)
            };
            (0..7).map(day).map(cell).collect()
        })
        .collect();
    let way = |month: NaiveDate| Way {
        path: format!("/month/{}{}", words::month(month), whose.query),
        words: month.format("%B %Y").to_string(),
    };
    let total: usize = counts.values().sum();
    let values = context! {
        title => first.format("%B %Y").to_string(), weeks, is_empty => total == 0,
        count => counted(total.try_into().unwrap_or(i64::MAX), "visit", "visits"),
        before => way(before(first, 1).with_day(1).unwrap_or(first)), after => way(next),
        day => first.max(today.min(last)), month_of => words::month(first), whose,
    };
    page.show("calendar", "month.html", values).await
}

fn one_day(day: NaiveDate, today: NaiveDate, count: usize, query: &str) -> Day {
    let path = if day == today { HOME.to_string() } else { format!("/day/{day}") };
    Day {
        path: path + query,
        words: words::date(day, today),
        short: words::short_day(day, today),
        number: day.day(),
        is_today: day == today,
        is_beside: false,
        count,
        counted: counted(count.try_into().unwrap_or(i64::MAX), "visit", "visits"),
        cards: Vec::new(),
    }
}
