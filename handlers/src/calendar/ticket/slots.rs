//! Free slots, worked out: when the business is open, less the visits of each technician with a buffer around them. Hours are
//! meant by the clock on the wall and reckoned in instants, so that an hour which a clock skips is never offered, and one
//! which it shows twice is there twice.

use std::collections::{BTreeMap, BTreeSet};

use capabilities::{DayOrTime, Result, Tz};
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, Offset as _, TimeDelta, TimeZone as _, Utc};

/// From an instant up to another one, which is not part of it.
pub(super) type Span = (DateTime<Utc>, DateTime<Utc>);

/// Slots begin at every full and half hour of the clock,
const GRID: TimeDelta = TimeDelta::minutes(30);
/// when the business opens, and after a visit at the next instant of this grid.
const AFTER_A_VISIT: TimeDelta = TimeDelta::minutes(5);

/// The hours of a business by weekday, and where its clocks hang.
pub(super) struct Hours {
    pub zone: Tz,
    /// Opening and closing time, mon to sun; a day that is missing is closed.
    pub of_day: BTreeMap<String, [String; 2]>,
}

impl Hours {
    /// When the business is open at some time of a period: apart from each other, in order.
    pub fn open(&self, period: Span) -> Result<Vec<Span>> {
        let mut open: Vec<Span> = Vec::new();
        let mut day = self.day_of(period.0);
        while day <= self.day_of(period.1) {
            let of_day = self.open_on(day)?.into_iter().filter(|span| span.0 < period.1 && period.0 < span.1);
            for span in of_day {
                match open.last_mut() {
                    Some(last) if last.1 == span.0 => last.1 = span.1,
                    _ => open.push(span),
                }
            }
            let Some(next) = day.succ_opt() else { break };
            day = next;
        }
        Ok(open)
    }

    /// The day it is where the business is.
    pub fn day_of(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }

    fn open_on(&self, day: NaiveDate) -> Result<Vec<Span>> {
        let weekday = day.weekday().to_string().to_lowercase();
        let Some(hours) = self.of_day.get(&weekday) else { return Ok(Vec::new()) };
        let [Ok(opens), Ok(closes)] = hours.each_ref().map(|time| NaiveTime::parse_from_str(time, "%H:%M")) else {
            return Ok(Vec::new());
        };
        let open = self.even_parts(day)?.into_iter().map(|((begin, end), ahead)| {
            let at = |time: NaiveTime| day.and_time(time).and_utc() - ahead;
            (begin.max(at(opens)), end.min(at(closes)))
        });
        Ok(open.filter(|(begin, end)| begin < end).collect())
    }

    /// The parts of a day during which its clocks run evenly, with how far they are ahead of UTC.
    fn even_parts(&self, day: NaiveDate) -> Result<Vec<(Span, TimeDelta)>> {
        let (mut begin, end) =
            (DayOrTime::Day(day).beginning(self.zone, "/from")?, DayOrTime::Day(day).end(self.zone, "/to")?);
        let mut parts = Vec::new();
        while begin < end {
            let change = self.change_after(begin, end);
            parts.push(((begin, change), self.ahead(begin)));
            begin = change;
        }
        Ok(parts)
    }

    fn ahead(&self, at: DateTime<Utc>) -> TimeDelta {
        let offset = self.zone.offset_from_utc_datetime(&at.naive_utc()).fix();
        TimeDelta::seconds(offset.local_minus_utc().into())
    }

    /// The instant up to `end` at which the clocks are changed. Nowhere is that done twice on one day.
    fn change_after(&self, begin: DateTime<Utc>, end: DateTime<Utc>) -> DateTime<Utc> {
        let second = TimeDelta::seconds(1);
        let ahead = self.ahead(begin);
        if self.ahead(end - second) == ahead {
            return end;
        }
        let (mut before, mut after) = (begin, end - second);
        while after - before > second {
            let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
            match self.ahead(middle) == ahead {
                true => before = middle,
                false => after = middle,
            }
        }
        after
    }

    /// The full and half hours of the clock within an opening, and its beginning.
    fn marks(&self, open: Span) -> impl Iterator<Item = DateTime<Utc>> + use<> {
        let into_the_hour = (open.0 + self.ahead(open.0)).timestamp().rem_euclid(GRID.num_seconds());
        let first = open.0 - TimeDelta::seconds(into_the_hour) + GRID;
        let later = std::iter::successors(Some(first), |mark| Some(*mark + GRID));
        std::iter::once(open.0).chain(later.take_while(move |mark| *mark < open.1))
    }
}

/// The visits of one technician.
#[derive(Default)]
pub(super) struct Busy(Vec<Span>);

impl Busy {
    /// Visits in any order, each with the buffer around it.
    pub fn new(mut visits: Vec<Span>, buffer: TimeDelta) -> Self {
        visits.sort_unstable();
        let mut busy: Vec<Span> = Vec::new();
        for (begin, end) in visits {
            match busy.last_mut() {
                Some(last) if begin - buffer <= last.1 => last.1 = last.1.max(end + buffer),
                _ => busy.push((begin - buffer, end + buffer)),
            }
        }
        Self(busy)
    }

    pub fn is_free(&self, slot: Span) -> bool {
        let next = self.0.partition_point(|busy| busy.1 <= slot.0);
        self.0.get(next).is_none_or(|busy| busy.0 >= slot.1)
    }

    /// When the technician has time again within an opening, after each visit.
    fn free_again(&self, open: Span) -> impl Iterator<Item = DateTime<Utc>> {
        let grid = AFTER_A_VISIT.num_seconds();
        let rounded = move |at: DateTime<Utc>| at + TimeDelta::seconds((-at.timestamp()).rem_euclid(grid));
        self.0.iter().map(move |busy| rounded(busy.1)).filter(move |at| open.0 < *at && *at < open.1)
    }
}

/// Where visits of this length fit in openings, in order: only such as begin within the period.
pub(super) fn places(open: &[Span], hours: &Hours, all: &[Busy], period: Span, length: TimeDelta) -> Vec<Span> {
    let mut places = Vec::new();
    for open in open {
        let after_visits = all.iter().flat_map(|busy| busy.free_again(*open));
        let begins: BTreeSet<DateTime<Utc>> = hours.marks(*open).chain(after_visits).collect();
        let within = |at: &DateTime<Utc>| period.0 <= *at && *at < period.1 && *at + length <= open.1;
        places.extend(begins.into_iter().filter(within).map(|at| (at, at + length)));
    }
    places
}
