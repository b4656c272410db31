//! Where people can be reached: e-mail addresses and phone numbers.

use std::borrow::Cow;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::values::text::string_kind;

/// An e-mail address (RFC 5321), as typed; compared in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EmailAddress(String);

impl FromStr for EmailAddress {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let options =
            email_address::Options::default().with_required_tld().without_display_text().without_domain_literal();
        let text = text.trim();
        match email_address::EmailAddress::parse_with_options(text, options) {
            Ok(_) => Ok(Self(text.into())),
            Err(_) => Err("is not an e-mail address like jane@example.com".into()),
        }
    }
}
string_kind!(EmailAddress, "email", {"type": "string", "format": "email", "maxLength": 254});

/// A phone number as typed, in any spelling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// The number in E.164 form, read as one of `country` (ISO 3166-1) unless it names its own; none if it is
    /// not a number one can dial, a local one without its area code for instance.
    #[must_use]
    pub fn e164(&self, country: [u8; 2]) -> Option<String> {
        let country = std::str::from_utf8(&country).ok()?.parse().ok();
        let number = phonenumber::parse(country, &self.0).ok()?;
        number.is_valid().then(|| number.format().mode(phonenumber::Mode::E164).to_string())
    }
}
impl FromStr for PhoneNumber {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let spelled = text.chars().all(|c| c.is_ascii_digit() || " ()+-./#xXext".contains(c));
        match (5..=20).contains(&digits) && spelled {
            true => Ok(Self(text.into())),
            false => Err("is not a phone number like (256) 555-0100 or +1 256 555 0100".into()),
        }
    }
}
string_kind!(PhoneNumber, "phone", {"type": "string", "minLength": 5, "maxLength": 40});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_is_one_number_in_every_spelling() {
        for spelling in ["(256) 555-0100", "256.555.0100", "+1 256 555 0100", "1-256-555-0100"] {
            let phone: PhoneNumber = spelling.parse().unwrap();
            assert_eq!(phone.e164(*b"US").as_deref(), Some("+12565550100"), "{spelling}");
        }
        let german: PhoneNumber = "030 901820".parse().unwrap();
        assert_eq!(german.e164(*b"DE").as_deref(), Some("+4930901820"));
        let local: PhoneNumber = "555-0100".parse().unwrap();
        assert_eq!(local.e164(*b"US"), None, "without an area code nobody can dial it");
        assert!("call me".parse::<PhoneNumber>().is_err());
    }

    #[test]
    fn an_email_address_has_a_domain_with_a_dot() {
        assert!("jane@example.com".parse::<EmailAddress>().is_ok());
        for wrong in ["jane", "jane@example", "Jane <jane@example.com>", "jane@[127.0.0.1]", "a b@example.com"] {
            assert!(wrong.parse::<EmailAddress>().is_err(), "{wrong}");
        }
    }
}
