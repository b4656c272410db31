//! The values a business is set up with: its currency, times of the day, percentages. Parsed once at the door like the
//! other kinds.

use std::borrow::Cow;
use std::str::FromStr;

use iso_currency::Currency;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::kinds::string_kind;

/// An ISO 4217 currency such as `USD`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct CurrencyCode(String);

impl FromStr for CurrencyCode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match Currency::from_code(text) {
            Some(_) => Ok(Self(text.into())),
            None => Err("is not an ISO 4217 currency of three capital letters like USD".into()),
        }
    }
}
string_kind!(CurrencyCode, "currency", {"type": "string", "pattern": "^[A-Z]{3}$"});

/// A time of the day such as `08:30`; the later one is the greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TimeOfDay(String);

impl FromStr for TimeOfDay {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let formed = text.len() == 5 && chrono::NaiveTime::parse_from_str(text, "%H:%M").is_ok();
        match formed {
            true => Ok(Self(text.into())),
            false => Err("is not a time of the day like 08:30".into()),
        }
    }
}
string_kind!(TimeOfDay, "time_of_day", {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"});

/// A percentage from 0 to 100 with at most four decimals, as an exact decimal text such as `9.25`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Percent(String);

impl FromStr for Percent {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let formed = digits(whole) && digits(decimals) && whole.len() <= 3 && decimals.len() <= 4;
        let most = whole.parse() == Ok(100_u8) && decimals.bytes().all(|digit| digit == b'0');
        match formed && (most || whole.parse::<u8>().is_ok_and(|whole| whole < 100)) {
            true => Ok(Self(text.into())),
            false => Err("is not a percentage from 0 to 100 like 9.25, with at most four decimals".into()),
        }
    }
}
string_kind!(Percent, "percent", {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,4})?$"});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_exact_and_at_most_a_hundred() {
        for right in ["0", "9.25", "100", "100.00", "0.0001"] {
            assert!(right.parse::<Percent>().is_ok(), "{right}");
        }
        for wrong in ["", "-1", "100.01", "101", "9.", ".5", "9,25", "1.23456", "1e2", "999"] {
            assert!(wrong.parse::<Percent>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_of_the_day_has_two_digits_and_two() {
        assert!("08:30".parse::<TimeOfDay>().unwrap() < "17:00".parse().unwrap());
        for wrong in ["8:30", "24:00", "08:60", "0830", "08:30:00", "noon"] {
            assert!(wrong.parse::<TimeOfDay>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_currency_is_one_that_exists() {
        assert!("USD".parse::<CurrencyCode>().is_ok());
        for wrong in ["usd", "US", "ZZZ", ""] {
            assert!(wrong.parse::<CurrencyCode>().is_err(), "{wrong}");
        }
    }
}
