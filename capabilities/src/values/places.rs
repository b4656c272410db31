//! Where a business is: its time zone and its country.

use std::borrow::Cow;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::values::text::string_kind;

/// An IANA time zone such as `America/Chicago`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TimeZone(String);

impl FromStr for TimeZone {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<chrono_tz::Tz>() {
            Ok(_) => Ok(Self(text.into())),
            Err(_) => Err("is not an IANA time zone like America/Chicago".into()),
        }
    }
}
string_kind!(TimeZone, "time_zone", {"type": "string", "maxLength": 60});

/// An ISO 3166-1 country of two letters such as `US`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct CountryCode(String);

impl FromStr for CountryCode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.len() == 2 && text.parse::<phonenumber::country::Id>().is_ok() {
            true => Ok(Self(text.into())),
            false => Err("is not an ISO 3166-1 country of two capital letters like US".into()),
        }
    }
}
string_kind!(CountryCode, "country", {"type": "string", "pattern": "^[A-Z]{2}$"});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_upper_case_iso_codes() {
        assert!("US".parse::<CountryCode>().is_ok());
        for wrong in ["us", "USA", "ZZ", ""] {
            assert!(wrong.parse::<CountryCode>().is_err(), "{wrong}");
        }
    }
}
