//! Times as people write them: by the clock on the wall of a place, or exact with an offset. A wall clock that skips an hour
//! or shows it twice leaves a choice, which is the caller's to make.

use std::str::FromStr;

use chrono::{
    DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, TimeZone as _, Utc,
};
use chrono_tz::Tz;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::values::marks::TIME;
use crate::values::problem::Problem;

/// As people say it: "Tue, Mar 12, 2030, 9:00 AM".
#[must_use]
pub fn said(at: DateTime<Utc>, zone: Tz) -> String {
    in_words(at.with_timezone(&zone).naive_local())
}

fn in_words(local: NaiveDateTime) -> String {
    local.format("%a, %b %-d, %Y, %-I:%M %p").to_string()
}

fn with_offset(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// A time such as `2030-03-12T09:00`, meant by the clock of the place it is for, or with an offset of its own such as
/// `2030-03-12T09:00-05:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// By the clock of the place.
    Local(NaiveDateTime),
    /// The same everywhere.
    Exact(DateTime<Utc>),
}

impl When {
    /// The instant that is meant at a place in `zone`. `pointer` says where the time stands in the input: if the clocks of
    /// that day show it twice or never, the caller is asked which of two instants it is.
    pub fn at(self, zone: Tz, pointer: &str) -> Result<DateTime<Utc>, Problem> {
        let local = match self {
            Self::Exact(instant) => return Ok(instant),
            Self::Local(local) => local,
        };
        let (why, readings) = match zone.from_local_datetime(&local) {
            LocalResult::Single(instant) => return Ok(instant.to_utc()),
            LocalResult::Ambiguous(first, second) => ("is shown twice", [first.to_utc(), second.to_utc()]),
            LocalResult::None => ("is skipped", around_the_gap(local, zone)),
        };
        let readings = readings.map(|instant| with_offset(instant, zone));
        let message = format!(
            "{why} by the clocks of {zone} on that day, so say which is meant: {} or {}",
            readings[0], readings[1]
        );
        Err(Problem::at(pointer, message).did_you_mean(readings.to_vec()))
    }

    /// As people say it, at a place in `zone`.
    #[must_use]
    pub fn said(self, zone: Tz) -> String {
        match self {
            Self::Local(local) => in_words(local),
            Self::Exact(instant) => said(instant, zone),
        }
    }
}

/// The first moment at or after a local time. Of one that the clocks show twice it is the first; one that they skip has the
/// moment after the gap.
pub(crate) fn first_moment(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    // No clock change leaves out more than a day, and all move by quarters of an hour.
    let mut steps = (0..=96).map(|quarter| local + TimeDelta::minutes(15 * quarter));
    let found = steps.find_map(|time| time.and_local_timezone(zone).earliest());
    found.map_or_else(|| local.and_utc(), |time| time.with_timezone(&Utc))
}

/// A day begins with the first instant that its clocks show.
pub(crate) fn first_moment_of(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    first_moment(day.and_time(NaiveTime::MIN), zone)
}

/// What a skipped time can mean: read by the clock as it was before the gap, and as it is after it.
fn around_the_gap(local: NaiveDateTime, zone: Tz) -> [DateTime<Utc>; 2] {
    let by_the_clock_of = |day: NaiveDateTime| {
        let offset = zone.offset_from_utc_datetime(&day);
        let seconds = i64::from(chrono::Offset::fix(&offset).local_minus_utc());
        (local - TimeDelta::seconds(seconds)).and_utc()
    };
    [by_the_clock_of(local - TimeDelta::days(1)), by_the_clock_of(local + TimeDelta::days(1))]
}

impl FromStr for When {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(exact) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Exact(exact.to_utc()));
        }
        let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M%:z"];
        if let Ok(exact) = DateTime::parse_from_str(&text.replace('Z', "+00:00"), formats[2]) {
            return Ok(Self::Exact(exact.to_utc()));
        }
        let local = formats[..2].iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
        local.map(Self::Local).ok_or_else(|| "is not a time like 2030-03-12T09:00 or 2030-03-12T09:00-05:00".into())
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::values::text::parse(deserializer)
    }
}

const TIME_PATTERN: &str =
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})?$";

impl JsonSchema for When {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "when".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": TIME_PATTERN, TIME: true})
    }
}

/// Where a period begins or ends: a day such as `2030-03-12`, which counts whole, or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayOrTime {
    /// A whole day.
    Day(NaiveDate),
    /// A time.
    Time(When),
}

impl DayOrTime {
    /// The first instant of a period that begins here.
    pub fn beginning(self, zone: Tz, pointer: &str) -> Result<DateTime<Utc>, Problem> {
        match self {
            Self::Day(day) => Ok(first_moment_of(day, zone)),
            Self::Time(when) => when.at(zone, pointer),
        }
    }

    /// The instant before which a period ends that ends here.
    pub fn end(self, zone: Tz, pointer: &str) -> Result<DateTime<Utc>, Problem> {
        match self {
            Self::Day(day) => Ok(first_moment_of(day.succ_opt().unwrap_or(day), zone)),
            Self::Time(when) => when.at(zone, pointer),
        }
    }
}

impl FromStr for DayOrTime {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            Ok(day) => Ok(Self::Day(day)),
            Err(_) => match text.parse() {
                Ok(when) => Ok(Self::Time(when)),
                Err(_) => Err("is not a day like 2030-03-12 or a time like 2030-03-12T09:00".to_string()),
            },
        }
    }
}

impl<'de> Deserialize<'de> for DayOrTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::values::text::parse(deserializer)
    }
}

impl JsonSchema for DayOrTime {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "day_or_time".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]{5,18}(Z|[+-][0-9]{2}:[0-9]{2})?)?$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str, zone: Tz) -> Result<String, Vec<String>> {
        let when: When = text.parse().unwrap();
        match when.at(zone, "/starts_at") {
            Ok(instant) => Ok(with_offset(instant, Tz::UTC)),
            Err(problem) => Err(problem.did_you_mean),
        }
    }

    #[test]
    fn a_wall_clock_is_read_at_its_place() {
        let chicago = chrono_tz::America::Chicago;
        assert_eq!(instant("2030-03-09T09:00", chicago), Ok("2030-03-09T15:00:00+00:00".into()));
        assert_eq!(instant("2030-03-11T09:00", chicago), Ok("2030-03-11T14:00:00+00:00".into()));
        assert_eq!(instant("2030-03-11T09:00:30+01:00", chicago), Ok("2030-03-11T08:00:30+00:00".into()));
        assert_eq!(instant("2030-03-11T09:00Z", chicago), Ok("2030-03-11T09:00:00+00:00".into()));
    }

    #[test]
    fn an_hour_that_is_skipped_or_shown_twice_has_two_readings() {
        let chicago = chrono_tz::America::Chicago;
        let skipped = ["2030-03-10T03:30:00-05:00", "2030-03-10T01:30:00-06:00"].map(String::from);
        assert_eq!(instant("2030-03-10T02:30", chicago), Err(skipped.to_vec()));
        let twice = ["2030-11-03T01:30:00-05:00", "2030-11-03T01:30:00-06:00"].map(String::from);
        assert_eq!(instant("2030-11-03T01:30", chicago), Err(twice.to_vec()));
        assert_eq!(instant("2030-11-03T01:30-06:00", chicago), Ok("2030-11-03T07:30:00+00:00".into()));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for wrong in ["", "2030-03-12", "2030-02-30T09:00", "2030-03-12T24:00", "tomorrow", "2030-03-12 09:00"] {
            assert!(wrong.parse::<When>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_period_counts_its_days_whole_also_where_midnight_is_skipped() {
        let (chicago, beirut) = (chrono_tz::America::Chicago, chrono_tz::Asia::Beirut);
        let day: DayOrTime = "2030-03-10".parse().unwrap();
        let (from, to) = (day.beginning(chicago, "").unwrap(), day.end(chicago, "").unwrap());
        assert_eq!((to - from).num_hours(), 23, "clocks go forward that day");
        let day: DayOrTime = "2030-03-31".parse().unwrap();
        assert_eq!(with_offset(day.beginning(beirut, "").unwrap(), beirut), "2030-03-31T01:00:00+03:00");
    }
}
