//! What a business counts and measures with: its currency, money, quantities, times of the day, percentages. Parsed once at
//! the door like the other kinds. Nothing here is ever a float.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use iso_currency::Currency;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::values::text::string_kind;

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

/// An amount of money in minor units: `{"amount": 56200, "currency": "USD"}` is 562 dollars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units, such as cents.
    #[schemars(range(min = -99_999_999_999_i64, max = 99_999_999_999_i64))]
    amount: i64,
    /// ISO 4217, the organization's own.
    currency: CurrencyCode,
}

impl Money {
    /// So many minor units of the currency with this code.
    pub(crate) fn of(amount: i64, currency: [u8; 3]) -> Self {
        Self { amount, currency: CurrencyCode(String::from_utf8_lossy(&currency).into_owned()) }
    }

    /// In minor units.
    #[must_use]
    pub fn amount(&self) -> i64 {
        self.amount
    }

    pub(crate) fn currency(&self) -> &str {
        self.currency.as_str()
    }
}

/// Which way money goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From a customer to the business.
    Charge,
    /// Back to a customer.
    Refund,
}

/// Money that an errand moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Payment {
    /// Which way it goes.
    pub direction: Direction,
    /// In minor units: cents.
    pub amount: i64,
    /// Its ISO 4217 currency.
    pub currency: String,
    /// The customer's name.
    pub customer: String,
}

/// How much of something: 0.001 to 10000 with at most three decimals, as an exact decimal text such as `2.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantity(i64);

impl Quantity {
    /// One.
    pub const ONE: Self = Self(1_000);
    const MOST: i64 = 10_000_000;

    /// What is stored as thousandths.
    #[must_use]
    pub fn of_thousandths(thousandths: i64) -> Self {
        Self(thousandths)
    }

    /// As it is stored.
    #[must_use]
    pub fn thousandths(self) -> i64 {
        self.0
    }

    /// What so much costs at a price for one, in minor units, rounded half away from zero.
    #[must_use]
    pub fn times(self, unit_price: i64) -> i64 {
        let exact = i128::from(unit_price) * i128::from(self.0);
        let rounded = (exact + exact.signum() * 500) / 1_000;
        i64::try_from(rounded).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:03}", self.0 % 1_000);
        match decimals.trim_end_matches('0') {
            "" => write!(f, "{}", self.0 / 1_000),
            decimals => write!(f, "{}.{decimals}", self.0 / 1_000),
        }
    }
}

impl FromStr for Quantity {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str, most: usize| {
            (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let thousandths = match digits(whole, 5) && digits(decimals, 3) {
            true => format!("{whole}{decimals:0<3}").parse().unwrap_or(0),
            false => 0,
        };
        match (1..=Self::MOST).contains(&thousandths) {
            true => Ok(Self(thousandths)),
            false => Err("is not a quantity from 0.001 to 10000 like 2.5, with at most three decimals".into()),
        }
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::values::text::parse(deserializer)
    }
}
impl JsonSchema for Quantity {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "quantity".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": r"^[0-9]{1,5}(\.[0-9]{1,3})?$"})
    }
}

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
    fn a_quantity_is_exact_to_the_thousandth() {
        for (text, shown) in [("1", "1"), ("0.001", "0.001"), ("2.50", "2.5"), ("10000.000", "10000"), ("007.1", "7.1")]
        {
            assert_eq!(text.parse::<Quantity>().unwrap().to_string(), shown);
        }
        for wrong in ["", "0", "0.000", "-1", "1.0001", "10000.001", "1e3", ".5", "1.", "123456", "1,5"] {
            assert!(wrong.parse::<Quantity>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_line_is_rounded_once_half_away_from_zero() {
        let times = |quantity: &str, price| quantity.parse::<Quantity>().unwrap().times(price);
        assert_eq!([times("0.5", 1), times("0.499", 1), times("1.5", 333), times("0.333", 100)], [1, 0, 500, 33]);
        assert_eq!([times("0.5", -1), times("1.5", -333), times("2", -50)], [-1, -500, -100]);
        assert_eq!(times("10000", 99_999_999_999), 999_999_999_990_000);
    }

    #[test]
    fn a_currency_is_one_that_exists() {
        assert!("USD".parse::<CurrencyCode>().is_ok());
        for wrong in ["usd", "US", "ZZZ", ""] {
            assert!(wrong.parse::<CurrencyCode>().is_err(), "{wrong}");
        }
    }
}
