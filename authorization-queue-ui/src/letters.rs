//! What would leave the house: mails as whoever gets them would read them, and money in a line.

use std::collections::{BTreeMap, BTreeSet};

use capabilities::OrgFacts;
use serde::Serialize;
use serde_json::Value;
use ui_kit::words;

/// So many payments are told one by one.
const ONE_BY_ONE: usize = 3;
/// What a mail's own HTML is shown under: nothing from elsewhere, no script, and no style but its own.
const CONFINED: &str = "<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"Content-Security-Policy\" \
content=\"default-src 'none'; style-src 'unsafe-inline'\"><meta name=\"color-scheme\" content=\"light\">";

/// Marks an answer whose page shows the HTML of a mail: it may have the style attributes that mails are made of.
#[derive(Debug, Clone, Copy)]
pub struct ShowsLetters;

/// Something that would be sent, as who gets it would read it.
#[derive(Debug, Serialize)]
pub(crate) struct Letter {
    summary: String,
    from: String,
    to: String,
    subject: String,
    text: String,
    /// The whole document of the mail's HTML part.
    html: String,
    /// Whether it was not in the preview that was looked at before.
    is_new: bool,
}

impl Letter {
    pub fn of(errand: &Value, is_new: bool) -> Self {
        let letter = &errand["letter"];
        let (name, address) = (words::text(&letter["name"]), words::text(&letter["to"]));
        let html = words::text(&letter["html"]);
        Self {
            summary: words::text(&errand["summary"]),
            from: words::text(&letter["from_name"]),
            to: match name.is_empty() {
                true => address,
                false => format!("{name} <{address}>"),
            },
            subject: words::text(&letter["subject"]),
            text: words::text(&letter["text"]),
            html: if html.is_empty() { html } else { format!("{CONFINED}{html}") },
            is_new,
        }
    }

    pub fn has_html(&self) -> bool {
        !self.html.is_empty()
    }
}

/// The money of a request: "Refund $120.00 to Jane Smith".
pub(crate) fn payments(stake: &Value, org: &OrgFacts) -> Vec<String> {
    let mut ways: BTreeMap<(&str, &str), Vec<(i64, String)>> = BTreeMap::new();
    for payment in stake["payments"].as_array().into_iter().flatten() {
        let way = (payment["direction"].as_str().unwrap_or_default(), payment["currency"].as_str().unwrap_or_default());
        let amount = payment["amount"].as_i64().unwrap_or_default();
        ways.entry(way).or_default().push((amount, words::text(&payment["customer"])));
    }
    let told = ways.into_iter().flat_map(|((direction, currency), payments)| {
        let (verb, to) = if direction == "refund" { ("Refund", "to") } else { ("Charge", "to be paid by") };
        let one = |amount: i64, whom: &str| format!("{verb} {} {to} {whom}", words::money(amount, currency, org));
        if payments.len() <= ONE_BY_ONE {
            return payments.iter().map(|(amount, whom)| one(*amount, whom)).collect();
        }
        let customers: BTreeSet<&String> = payments.iter().map(|(_, whom)| whom).collect();
        let customers = i64::try_from(customers.len()).unwrap_or(i64::MAX);
        let sum = payments.iter().fold(0_i64, |sum, (amount, _)| sum.saturating_add(*amount));
        vec![one(sum, &format!("{} in all", words::counted(customers, "customer", "customers")))]
    });
    told.collect()
}
