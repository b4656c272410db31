//! The day's work in plain words: times and days as people say them, how far a visit is.

use capabilities::Tz;
use chrono::{DateTime, Datelike as _, NaiveDate, Timelike as _, Utc};
use serde_json::Value;
use ui_kit::{encoded, text};

/// "9:00 AM".
pub(crate) fn clock(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%-I:%M %p").to_string()
}

/// "9:00 – 10:30 AM"; with the day where it ends on another one.
pub(crate) fn from_to(start: DateTime<Utc>, end: DateTime<Utc>, zone: Tz) -> String {
    let (from, to) = (start.with_timezone(&zone), end.with_timezone(&zone));
    if from.date_naive() != to.date_naive() {
        return format!("{} – {}", clock(start, zone), to.format("%a, %b %-d, %-I:%M %p"));
    }
    let lead = if from.hour12().0 == to.hour12().0 { from.format("%-I:%M") } else { from.format("%-I:%M %p") };
    format!("{lead} – {}", clock(end, zone))
}

/// "3 h 22 min".
pub(crate) fn duration(minutes: i64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// "Today", "Tomorrow", "Monday, January 7"; with the year where it is another one.
pub(crate) fn day(day: NaiveDate, today: NaiveDate) -> String {
    match (day - today).num_days() {
        0 => "Today".into(),
        1 => "Tomorrow".into(),
        -1 => "Yesterday".into(),
        _ => date(day, today),
    }
}

pub(crate) fn date(day: NaiveDate, today: NaiveDate) -> String {
    let form = if day.year() == today.year() { "%A, %B %-d" } else { "%A, %B %-d, %Y" };
    day.format(form).to_string()
}

/// "Mon, Jan 7"; with the year where it is another one.
pub(crate) fn short_day(day: NaiveDate, today: NaiveDate) -> String {
    let form = if day.year() == today.year() { "%a, %b %-d" } else { "%b %-d, %Y" };
    day.format(form).to_string()
}

/// "2030-01", for addresses.
pub(crate) fn month(day: NaiveDate) -> String {
    day.format("%Y-%m").to_string()
}

/// How far a visit is, and the look it has.
pub(crate) fn status(row: &Value) -> (&'static str, &'static str) {
    match row["status"].as_str().unwrap_or_default() {
        "in_progress" if row["clock_running_since_at"].is_string() => ("In progress", "good"),
        "in_progress" => ("Not closed yet", "plain"),
        "closed" => ("Done", "plain"),
        "cancelled" => ("Cancelled", "plain"),
        "no_show" => ("Nobody was there", "needs-attention"),
        _ => ("Scheduled", "plain"),
    }
}

/// Whether a visit takes place.
pub(crate) fn takes_place(row: &Value) -> bool {
    !["cancelled", "no_show"].contains(&row["status"].as_str().unwrap_or_default())
}

/// What the customer says to the time, and whether somebody should act on it.
pub(crate) fn confirmation(row: &Value) -> (&'static str, bool) {
    match row["confirmation"].as_str().unwrap_or_default() {
        "asked" => ("Asked, no answer yet", false),
        "accepted" => ("Confirmed by the customer", false),
        "declined" => ("The customer declined this time", true),
        "change_requested" => ("The customer wants another time", true),
        _ => ("Not asked yet", false),
    }
}

/// An address in one line.
pub(crate) fn address(row: &Value) -> String {
    let state = format!("{} {}", text(&row["region"]), text(&row["postal_code"]));
    let parts = [text(&row["street"]), text(&row["street2"]), text(&row["city"]), state.trim().to_string()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// What opens the device's own maps; no other party is asked for anything.
pub(crate) fn map(row: &Value) -> String {
    let place = match (row["latitude"].as_f64(), row["longitude"].as_f64()) {
        (Some(north), Some(east)) => format!("{north},{east}"),
        _ => "0,0".into(),
    };
    match address(row).as_str() {
        "" => String::new(),
        words => format!("geo:{place}?q={}", encoded(words)),
    }
}

/// What was done, as one tells it.
pub(crate) fn deed(action: &str) -> String {
    let told = match action {
        "ticket.schedule" => "scheduled it",
        "ticket.update" => "changed it",
        "ticket.reschedule" => "moved it",
        "ticket.cancel" => "cancelled it",
        "ticket.mark_no_show" => "noted that nobody was there",
        "ticket.assign" => "put somebody on it",
        "ticket.unassign" => "took somebody off it",
        "ticket.clock_in" => "started a clock",
        "ticket.clock_out" => "stopped a clock",
        "ticket.update_clock_span" => "corrected a clock",
        "ticket.remove_clock_span" => "took a clock off it",
        "ticket.record_confirmation" => "noted what the customer says",
        "ticket.add_line_item" => "added a line",
        "ticket.update_line_item" => "changed a line",
        "ticket.remove_line_item" => "removed a line",
        "ticket.close" => "closed it",
        "note.add" => "added a note",
        "note.edit" => "changed a note",
        "note.delete" => "deleted a note",
        other => return other.split('.').next_back().unwrap_or_default().replace('_', " "),
    };
    told.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_and_days_are_told_as_people_do() {
        let at = |time: &str| format!("2030-01-07T{time}:00Z").parse::<DateTime<Utc>>().unwrap();
        let zone = chrono_tz_of("America/Chicago");
        assert_eq!(from_to(at("15:00"), at("16:30"), zone), "9:00 – 10:30 AM");
        assert_eq!(from_to(at("17:30"), at("19:00"), zone), "11:30 AM – 1:00 PM");
        assert_eq!(from_to(at("05:30"), at("15:00"), zone), "11:30 PM – Mon, Jan 7, 9:00 AM");
        assert_eq!([duration(202), duration(45), duration(180)], ["3 h 22 min", "45 min", "3 h"]);
        let today = NaiveDate::from_ymd_opt(2030, 1, 7).unwrap();
        let told = |shift| day(today + chrono::TimeDelta::days(shift), today);
        assert_eq!([told(0), told(1), told(3)], ["Today", "Tomorrow", "Thursday, January 10"]);
        assert_eq!(told(-7), "Monday, December 31, 2029");
    }

    fn chrono_tz_of(name: &str) -> Tz {
        name.parse().unwrap()
    }

    #[test]
    fn a_place_opens_in_the_devices_own_maps() {
        let place = json!({"street": "1 Ä & B", "city": "Madison", "region": "AL", "postal_code": "35758"});
        assert_eq!(address(&place), "1 Ä & B, Madison, AL 35758");
        assert_eq!(map(&place), "geo:0,0?q=1%20%C3%84%20%26%20B%2C%20Madison%2C%20AL%2035758");
        assert_eq!(map(&json!({})), "");
    }
}
