//! The calendar: a week with its visits, a month with how many there are.

use std::collections::BTreeMap;

use authorization_queue_ui::{Visitor, counted};
use axum::extract::{Extension, Path, Query, State};
use axum::response::Response;
use capabilities::Answer;
use chrono::{Datelike as _, Days, Months, NaiveDate};
use minijinja::context;
use serde::Serialize;
use serde_json::Value;

use crate::agenda::Way;
use crate::asking::{Detail, Span};
use crate::card::Card;
use crate::filter::CalendarFilter;
use crate::{HOME, Named, Queried, Shared, Shown, Who, Work, onward, words};

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

pub(crate) async fn this_week(
    State(work): Shared,
    Extension(visitor): Who,
    asked: Queried<CalendarFilter>,
) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let shown = work.week(&visitor, work.today(&visitor), &asked).await;
    work.answered(&visitor, shown).await
}

pub(crate) async fn week(
    State(work): Shared,
    Extension(visitor): Who,
    day: Named<NaiveDate>,
    asked: Queried<CalendarFilter>,
) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let Ok(Path(day)) = day else { return onward("/week") };
    let shown = work.week(&visitor, day, &asked).await;
    work.answered(&visitor, shown).await
}

pub(crate) async fn this_month(
    State(work): Shared,
    Extension(visitor): Who,
    asked: Queried<CalendarFilter>,
) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let shown = work.month(&visitor, work.today(&visitor), &asked).await;
    work.answered(&visitor, shown).await
}

/// `/month/2030-01`.
pub(crate) async fn month(
    State(work): Shared,
    Extension(visitor): Who,
    month: Named<String>,
    asked: Queried<CalendarFilter>,
) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let first = month.ok().and_then(|Path(month)| format!("{month}-01").parse::<NaiveDate>().ok());
    let Some(first) = first else { return onward("/month") };
    let shown = work.month(&visitor, first, &asked).await;
    work.answered(&visitor, shown).await
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

impl Work {
    /// How many visits each of these days has.
    async fn counts(&self, visitor: &Visitor, span: Span) -> Result<BTreeMap<NaiveDate, usize>, Box<Answer>> {
        let days = self.all(visitor, "calendar_days", span.filters().into(), Detail::PLAIN).await?.rows;
        let day = |row: &Value| Some((row["day"].as_str()?.parse().ok()?, row["visits"].as_u64()?.try_into().ok()?));
        Ok(days.iter().filter_map(day).collect())
    }

    async fn week(&self, visitor: &Visitor, day: NaiveDate, asked: &CalendarFilter) -> Shown {
        let (today, first) = (self.today(visitor), monday(day));
        let whose = self.whose(visitor, &format!("/week/{first}"), asked).await?;
        let span = Span { first, last: after(first, 6), technician: whose.technician };
        let listed = self.first_tickets(visitor, span, Detail::ENTRY).await?;
        // Of a week with more than one can look over only the counts are shown.
        let counts = if listed.goes_on { Some(self.counts(visitor, span).await?) } else { None };
        let mut by_day: BTreeMap<NaiveDate, Vec<&Value>> = BTreeMap::new();
        for row in &listed.rows {
            by_day.entry(self.day_of(visitor, row).max(first)).or_default().push(row);
        }
        let days: Vec<Day> = (0..7)
            .map(|nth| {
                let day = after(first, nth);
                if let Some(counts) = &counts {
                    return one_day(day, today, counts.get(&day).copied().unwrap_or_default(), &whose.query);
                }
                let rows = by_day.get(&day).map_or(&[][..], Vec::as_slice);
                let count = rows.iter().filter(|row| words::takes_place(row)).count();
                let cards = rows.iter().map(|row| self.card(visitor, row)).collect();
                Day { cards, ..one_day(day, today, count, &whose.query) }
            })
            .collect();
        let way = |first: NaiveDate| Way {
            path: format!("/week/{first}{}", whose.query),
            words: format!("Week of {}", first.format("%b %-d")),
        };
        let last = span.last;
        let frame = self.ui.frame(visitor).await?;
        let form = if first.year() == last.year() { "%b %-d" } else { "%b %-d, %Y" };
        let values = context! {
            title => format!("{} – {}", first.format(form), last.format("%b %-d, %Y")),
            is_empty => listed.rows.is_empty(), goes_on => listed.goes_on, days, before => way(before(first, 7)),
            after => way(after(first, 7)), day => first.max(today.min(last)), month_of => words::month(last), whose,
        };
        Ok(self.show(visitor, &frame, "calendar", "week.html", values))
    }

    async fn month(&self, visitor: &Visitor, day: NaiveDate, asked: &CalendarFilter) -> Shown {
        let (today, first) = (self.today(visitor), day.with_day(1).unwrap_or(day));
        let whose = self.whose(visitor, &format!("/month/{}", words::month(first)), asked).await?;
        let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
        let (begin, last) = (monday(first), before(next, 1));
        let counts = self.counts(visitor, Span { first, last, technician: whose.technician }).await?;
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
        let frame = self.ui.frame(visitor).await?;
        let values = context! {
            title => first.format("%B %Y").to_string(), weeks, is_empty => total == 0,
            count => counted(total.try_into().unwrap_or(i64::MAX), "visit", "visits"),
            before => way(before(first, 1).with_day(1).unwrap_or(first)), after => way(next),
            day => first.max(today.min(last)), month_of => words::month(first), whose,
        };
        Ok(self.show(visitor, &frame, "calendar", "month.html", values))
    }
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
