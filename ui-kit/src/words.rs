//! What machines write, in the words of the office: times as people say them, names of fields and kinds of records, and
//! the texts of strangers made harmless.

use capabilities::{OrgFacts, Registry, visible};
use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use iso_currency::Currency;
use serde::Serialize;
use serde_json::Value;

/// A time: as it is said, and exactly, where the business is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moment {
    /// For `datetime`.
    pub machine: String,
    /// "5 minutes ago", "in 3 days".
    pub said: String,
    /// "today, 3:00 AM".
    pub local: String,
    /// "Monday, January 7, 2030, 3:00 AM CST".
    pub exact: String,
}

/// A time as it is said at another one.
#[must_use]
pub fn moment(at: DateTime<Utc>, now: DateTime<Utc>, zone: Tz) -> Moment {
    let local = at.with_timezone(&zone);
    Moment {
        machine: local.to_rfc3339_opts(chrono::SecondsFormat::Secs, false),
        said: said(at, now),
        local: clock(at, now, zone),
        exact: local.format("%A, %B %-d, %Y, %-I:%M %p %Z").to_string(),
    }
}

/// A time of day with its day, as short as it is clear.
#[must_use]
pub fn clock(at: DateTime<Utc>, now: DateTime<Utc>, zone: Tz) -> String {
    let (at, now) = (at.with_timezone(&zone), now.with_timezone(&zone));
    let day = match (at.date_naive() - now.date_naive()).num_days() {
        0 => "today".to_string(),
        -1 => "yesterday".into(),
        1 => "tomorrow".into(),
        _ if at.year() == now.year() => at.format("%a, %b %-d").to_string(),
        _ => at.format("%b %-d, %Y").to_string(),
    };
    format!("{day}, {}", at.format("%-I:%M %p"))
}

fn said(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match (now - at, at - now) {
        (ago, _) if ago >= TimeDelta::minutes(1) => format!("{} ago", span(ago)),
        (_, ahead) if ahead >= TimeDelta::minutes(1) => format!("in {}", span(ahead)),
        _ => "just now".into(),
    }
}

/// A stretch of time, rounded down to what matters.
#[must_use]
pub fn span(time: TimeDelta) -> String {
    let (days, hours, minutes) = (time.num_days(), time.num_hours(), time.num_minutes());
    match (days, hours) {
        (0, 0) => counted(minutes.max(1), "minute", "minutes"),
        (0, _) => counted(hours, "hour", "hours"),
        (1..=3, _) if hours % 24 > 0 => {
            format!("{} {}", counted(days, "day", "days"), counted(hours % 24, "hour", "hours"))
        }
        _ => counted(days, "day", "days"),
    }
}

/// "1 row", "1,234 rows".
#[must_use]
pub fn counted(count: i64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{} {many}", grouped(count)) }
}

/// How many there are, in little room; nothing for none.
#[must_use]
pub fn how_many(count: i64) -> String {
    match count {
        0 => String::new(),
        1..=99 => count.to_string(),
        _ => "99+".into(),
    }
}

/// A number with commas.
#[must_use]
pub fn grouped(count: i64) -> String {
    let sign = if count < 0 { "−" } else { "" };
    format!("{sign}{}", in_groups(&count.unsigned_abs().to_string(), ","))
}

fn in_groups(digits: &str, separator: &str) -> String {
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push_str(separator);
        }
        text.push(digit);
    }
    text
}

/// How a country writes money: between thousands, before cents, and whether the currency comes last.
fn notation(country: [u8; 2]) -> (&'static str, &'static str, bool) {
    match &country {
        b"DE" | b"AT" | b"ES" | b"IT" | b"LU" | b"GR" | b"SI" | b"HR" | b"RO" | b"DK" | b"IS" => (".", ",", true),
        b"NL" | b"BE" | b"BR" | b"AR" | b"CL" | b"CO" | b"UY" | b"ID" | b"TR" => (".", ",", false),
        b"FR" | b"PT" | b"PL" | b"CZ" | b"SK" | b"HU" | b"BG" | b"SE" | b"NO" | b"FI" | b"EE" | b"LV" | b"LT"
        | b"UA" => ("\u{a0}", ",", true),
        b"CH" | b"LI" => ("’", ".", false),
        _ => (",", ".", false),
    }
}

/// An amount in minor units as the business writes it: "$1,234.50". A currency that is not its own is spelled out.
#[must_use]
pub fn money(amount: i64, currency: &str, org: &OrgFacts) -> String {
    let known = Currency::from_code(currency);
    let decimals = usize::from(known.and_then(Currency::exponent).unwrap_or(2));
    let (thousands, point, is_last) = notation(org.country);
    let digits = format!("{:0>width$}", amount.unsigned_abs(), width = decimals + 1);
    let (whole, cents) = digits.split_at(digits.len() - decimals);
    let cents = if cents.is_empty() { String::new() } else { format!("{point}{cents}") };
    let number = format!("{}{cents}", in_groups(whole, thousands));
    let is_own = currency.as_bytes() == org.currency;
    // The franc has a sign that nobody in Switzerland writes.
    let known = known.filter(|known| is_own && *known != Currency::CHF);
    let unit = known.map_or_else(|| currency.to_string(), |known| known.symbol().to_string());
    let sign = if amount < 0 { "−" } else { "" };
    let gap = if unit.chars().all(char::is_alphanumeric) { "\u{a0}" } else { "" };
    match is_last {
        true => format!("{sign}{number}\u{a0}{unit}"),
        false => format!("{sign}{unit}{gap}{number}"),
    }
}

/// What somebody typed for an amount of the organization's money, in minor units: "149", "$1,234.5" and "1.234,50 €" alike.
/// Nothing if it is no such amount.
#[must_use]
pub fn minor_units(typed: &str, org: &OrgFacts) -> Option<i64> {
    let code = String::from_utf8_lossy(&org.currency);
    let known = Currency::from_code(&code);
    let decimals = usize::from(known.and_then(Currency::exponent).unwrap_or(2));
    let symbol = known.map(|known| known.symbol().to_string()).unwrap_or_default();
    let bare = typed.replace(&*code, "").replace(&symbol, "").replace('−', "-");
    let bare: String = bare.chars().filter(|c| !c.is_whitespace() && *c != '’').collect();
    let (sign, number) = bare.strip_prefix('-').map_or((1, bare.as_str()), |number| (-1, number));
    // The last mark is the point if no more follows it than there are cents; what it separates otherwise are thousands.
    let point = number.rfind(['.', ',']).filter(|at| (1..=decimals).contains(&(number.len() - at - 1)));
    let (whole, cents) = point.map_or((number, ""), |at| (&number[..at], &number[at + 1..]));
    let mut groups = whole.split(['.', ',']);
    let (first, further) = (groups.next()?, groups.collect::<Vec<_>>());
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let grouped = further.iter().all(|group| group.len() == 3 && digits(group));
    let formed =
        digits(first) && grouped && (further.is_empty() || first.len() <= 3) && (cents.is_empty() || digits(cents));
    let minor: i64 = format!("{first}{}{cents:0<decimals$}", further.concat()).parse().ok().filter(|_| formed)?;
    Some(sign * minor)
}

/// An amount in the organization's own currency.
#[must_use]
pub fn own_money(amount: i64, org: &OrgFacts) -> String {
    money(amount, &String::from_utf8_lossy(&org.currency), org)
}

/// An amount with its currency, as records hold it.
#[must_use]
pub fn amount(value: &Value) -> Option<(i64, &str)> {
    let members = value.as_object().filter(|members| members.len() == 2)?;
    let currency = members.get("currency")?.as_str().filter(|code| code.len() == 3)?;
    Some((members.get("amount")?.as_i64()?, currency))
}

/// "a, b and c".
#[must_use]
pub fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A text from JSON, without what shows nothing or turns the reading direction; empty if it is none.
#[must_use]
pub fn text(value: &Value) -> String {
    visible(value.as_str().unwrap_or_default())
}

/// At most so many characters.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.into(),
    }
}

/// For an address, with nothing that means something in one.
#[must_use]
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A time in JSON.
#[must_use]
pub fn time(value: &Value) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(value.as_str()?).ok()?.with_timezone(&Utc))
}

/// A calendar day as people write it.
#[must_use]
pub fn day(value: &str) -> Option<String> {
    let day = NaiveDate::parse_from_str(value, "%Y-%m-%d").ok().filter(|_| value.len() == 10)?;
    Some(day.format("%b %-d, %Y").to_string())
}

/// How the names of fields end that hold money in minor units.
pub const MONEY: &str = "_amount";
/// How those end that hold quantities in thousandths.
pub const QUANTITY: &str = "_thousandths";

/// The name of a field, for its label: `archived_at` is "Archived at".
#[must_use]
pub fn label(field: &str) -> String {
    let endings = ["_id", MONEY, QUANTITY];
    let without = endings.iter().find_map(|ending| field.strip_suffix(ending));
    let bare = field.strip_prefix("is_").or(without).unwrap_or(field);
    capitalized(&bare.replace('_', " "))
}

/// With a capital at its beginning.
#[must_use]
pub fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What follows "wants to": the summary of a request begins with a capital.
#[must_use]
pub fn lowered(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// What the rows of a table are called, one of them and many: a data type's own words, or those of a part of one.
#[must_use]
pub fn kind(registry: &Registry, table: &str) -> (String, String) {
    if let Some(entry) = registry.data_types().find(|entry| is_table_of(entry.name, table)) {
        return (entry.one.replace('_', " "), table.replace('_', " "));
    }
    let whole = registry.data_types().find_map(|entry| table.strip_prefix(entry.one)?.strip_prefix('_'));
    let many = whole.unwrap_or(table).replace('_', " ");
    (many.strip_suffix('s').unwrap_or(&many).to_string(), many)
}

/// What an action works on, one of them and many.
#[must_use]
pub fn records_of(registry: &Registry, action: &str) -> (String, String) {
    let domain = action.split('.').next().unwrap_or_default();
    let known = registry.data_types().find(|entry| entry.one == domain);
    kind(registry, known.map_or(domain, |entry| entry.name))
}

/// A data type has the name of its table, or its singular.
#[must_use]
pub fn is_table_of(data_type: &str, table: &str) -> bool {
    data_type == table || table.strip_suffix('s') == Some(data_type)
}

/// An action as what somebody may do: `contact.archive` is "archive contacts".
#[must_use]
pub fn doing(registry: &Registry, action: &str) -> String {
    if let Some(tool) = registry.action(action).ok().and_then(|known| known.tool) {
        return lowered(tool.title);
    }
    let (domain, verb) = action.split_once('.').unwrap_or((action, ""));
    let known = registry.data_types().find(|entry| entry.one == domain);
    let many = known.map_or_else(|| kind(registry, domain).0, |entry| entry.name.replace('_', " "));
    let joint = if verb.contains('_') { " of" } else { "" };
    format!("{}{joint} {many}", verb.replace('_', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_do_where_the_business_is() {
        let now: DateTime<Utc> = "2030-01-07T09:00:00Z".parse().unwrap();
        let zone = chrono_tz::America::Chicago;
        let told = |at: &str| {
            let moment = moment(at.parse().unwrap(), now, zone);
            format!("{} ({})", moment.said, moment.local)
        };
        assert_eq!(told("2030-01-07T08:59:30Z"), "just now (today, 2:59 AM)");
        assert_eq!(told("2030-01-07T08:55:00Z"), "5 minutes ago (today, 2:55 AM)");
        assert_eq!(told("2030-01-07T05:00:00Z"), "4 hours ago (yesterday, 11:00 PM)");
        assert_eq!(told("2030-01-10T08:00:00Z"), "in 2 days 23 hours (Thu, Jan 10, 2:00 AM)");
        assert_eq!(told("2029-11-07T08:00:00Z"), "61 days ago (Nov 7, 2029, 2:00 AM)");
        let exact = moment(now, now, zone).exact;
        assert_eq!(exact, "Monday, January 7, 2030, 3:00 AM CST");
    }

    #[test]
    fn money_is_understood_as_people_type_it() {
        let read = |country: &[u8; 2], own: &[u8; 3], typed: &str| {
            let org = OrgFacts { id: uuid::Uuid::nil(), timezone: chrono_tz::UTC, currency: *own, country: *country };
            minor_units(typed, &org)
        };
        for (typed, cents) in [
            ("149", 14_900),
            (" $1,234.5 ", 123_450),
            ("0.05", 5),
            ("1,234,567.89", 123_456_789),
            ("149,50", 14_950),
            ("-20", -2_000),
            ("−$20.00", -2_000),
            ("149 USD", 14_900),
        ] {
            assert_eq!(read(b"US", b"USD", typed), Some(cents), "{typed}");
        }
        for wrong in ["", "$", "free", "1.234.5678", "12,34,567", "1e3", ".5", "1.2.3", "--1", "99999999999999999999"] {
            assert_eq!(read(b"US", b"USD", wrong), None, "{wrong}");
        }
        assert_eq!(read(b"DE", b"EUR", "1.234,50 €"), Some(123_450));
        assert_eq!(read(b"CH", b"CHF", "1’234.50"), Some(123_450));
        assert_eq!([read(b"JP", b"JPY", "1,500"), read(b"JP", b"JPY", "1.5")], [Some(1_500), None]);
    }

    #[test]
    fn money_is_written_as_the_country_does() {
        let told = |country: &[u8; 2], own: &[u8; 3], amount: i64, currency: &str| {
            let org = OrgFacts { id: uuid::Uuid::nil(), timezone: chrono_tz::UTC, currency: *own, country: *country };
            money(amount, currency, &org).replace('\u{a0}', " ")
        };
        assert_eq!(told(b"US", b"USD", 12_000, "USD"), "$120.00");
        assert_eq!(told(b"US", b"USD", -123_456_789, "USD"), "−$1,234,567.89");
        assert_eq!(told(b"US", b"USD", 5, "CAD"), "CAD 0.05");
        assert_eq!(told(b"GB", b"GBP", 99, "GBP"), "£0.99");
        assert_eq!(told(b"DE", b"EUR", 123_450, "EUR"), "1.234,50 €");
        assert_eq!(told(b"FR", b"EUR", 123_450, "EUR"), "1 234,50 €");
        assert_eq!(told(b"CH", b"CHF", 123_450, "CHF"), "CHF 1’234.50");
        assert_eq!(told(b"JP", b"JPY", 12_000, "JPY"), "¥12,000");
    }

    #[test]
    fn fields_have_labels_and_numbers_commas() {
        assert_eq!(
            [label("archived_at"), label("is_primary"), label("contact_id")],
            ["Archived at", "Primary", "Contact"]
        );
        assert_eq!(counted(1_234_567, "row", "rows"), "1,234,567 rows");
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
