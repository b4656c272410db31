//! Finding contacts by any word of their name, e-mail, phone, address, notes and tags, misspelt or not.
//!
//! The stages of a search are one function of the database, `frontdesk.find_contacts`, so that a search is one statement whose
//! plans are kept: whole words first, and near ones while there is room. It goes through the owner's search views; what it
//! finds is read from the tables under row security. See the migration.

use std::collections::HashMap;

use capabilities::{Data, Key, Keyed, Listing, PhoneNumber, Query, Result, Text, Tx, Who};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Contacts;
use super::listing::ContactFilters;
use crate::customers::address::Addresses;

/// Digits in a row, however spaced, that are read as a phone number.
const PHONE_DIGITS: usize = 7;
const WORDS_AT_MOST: usize = 8;

/// What is searched for, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Words as typed.
    words: Vec<String>,
    /// Phone numbers, digits only.
    phones: Vec<String>,
}

impl Terms {
    /// Takes a search text apart; phone numbers are read as of `country`.
    pub fn read(text: &str, country: [u8; 2]) -> Self {
        let mut terms = Self::default();
        let mut rest = String::new();
        let phonish = |c: char| c.is_ascii_digit() || " ()+-./".contains(c);
        let mut chars = text.chars().peekable();
        while chars.peek().is_some() {
            let run: String = std::iter::from_fn(|| chars.next_if(|c| phonish(*c))).collect();
            let digits: String = run.chars().filter(char::is_ascii_digit).collect();
            if digits.len() >= PHONE_DIGITS && digits.len() <= 15 {
                let e164 = run.trim().parse::<PhoneNumber>().ok().and_then(|phone| phone.e164(country));
                terms.phones.push(e164.map_or(digits, |number| number.trim_start_matches('+').to_string()));
                rest.push(' ');
            } else {
                rest.push_str(&run);
            }
            rest.extend(std::iter::from_fn(|| chars.next_if(|c| !phonish(*c))));
        }
        let words = rest.split_whitespace().map(|word| word.trim_matches(|c: char| ",;:!?\"()".contains(c)));
        terms.words = words.filter(|word| !word.is_empty()).take(WORDS_AT_MOST).map(str::to_string).collect();
        // The longest word is the most telling one, so why it matched is told first.
        terms.words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
        terms
    }

    fn all(&self) -> Vec<String> {
        self.phones.iter().chain(&self.words).cloned().collect()
    }
}

/// The matching contacts with their scores, best first, and how many there are.
pub(crate) async fn search(
    terms: &Terms,
    narrow: &ContactFilters,
    query: &Query,
    tx: &mut Tx<'_>,
) -> Result<Listing<Uuid>> {
    let org_id = tx.org_id();
    let (after_score, after_id) = query.after();
    let after_score: Option<i32> = after_score.and_then(|score| score.parse().ok());
    let served = narrow.served.unwrap_or_default();
    let rows = sqlx::query!(
        r#"
        select id as "id!", score as "score!", total as "total!"
        from frontdesk.find_contacts($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        "#,
        org_id,
        &terms.words,
        &terms.phones,
        narrow.archived,
        narrow.tag,
        narrow.city,
        narrow.postal_code,
        narrow.served.is_some(),
        served.before,
        served.after,
        served.service,
        after_score,
        after_id,
        query.limit
    )
    .fetch_all(tx.db())
    .await?;
    let total = Some(rows.first().map_or(0, |row| row.total));
    let rows = rows.into_iter().map(|row| Keyed { key: Key(row.score.to_string(), row.id), row: row.id });
    Ok(Listing { rows: rows.collect(), total })
}

/// Find customers by whatever is known of them: misspelt names and phones in any spelling too.
///
/// Searches name, e-mail, phone, street, city, postal code, tags and notes. Best match first, each with why it matched. Several words narrow: all must match.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustomerMatches {
    /// What is known, such as "smith madison" or "256-555-0100".
    pub search: Text<200>,
    /// Look among archived contacts too.
    #[serde(default)]
    pub include_archived: bool,
}

/// Why a customer was found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Match {
    /// The word searched for.
    pub word: String,
    /// The closest word of the customer.
    pub found: String,
    /// Where that stands: name, email_or_phone, address, or tags_or_notes.
    pub r#in: String,
}

/// A customer that matches.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct CustomerMatch {
    /// The contact.
    pub id: Uuid,
    /// The name to show.
    pub display_name: String,
    /// E-mail addresses, the primary one first.
    pub emails: Vec<String>,
    /// Phone numbers, the primary one first.
    pub phones: Vec<String>,
    /// Addresses on one line each.
    pub addresses: Vec<String>,
    /// Since when the contact is archived, UTC.
    archived_at: Option<DateTime<Utc>>,
    /// Why it matched.
    pub matched: Vec<Match>,
}

impl CustomerMatch {
    /// Whether all that was searched for stands in this part of the customer letter by letter: whole words, and numbers
    /// also in part. What is only similar is no such match.
    pub fn is_certain(&self, part: &str) -> bool {
        let certain = |one: &Match| {
            let number = one.word.chars().all(|c| c.is_ascii_digit()) && one.found.contains(&one.word);
            // Letters with marks are kept without them.
            let mut letters = one.word.chars().zip(one.found.chars());
            let same = letters.all(|(word, found)| !word.is_ascii() || word.to_ascii_lowercase() == found);
            number || same && one.word.chars().count() == one.found.chars().count()
        };
        self.matched.iter().all(|one| one.r#in == part && certain(one))
    }
}

impl Data for CustomerMatches {
    const NAME: &str = "customer_matches";
    const ONE: &str = "contact";
    const WHO: Who = Who::EVERYONE;
    const SORTED_BY: &str = "best match first";
    type Row = CustomerMatch;

    async fn list(self, query: Query, tx: &mut Tx<'_>) -> Result<Listing<CustomerMatch>> {
        let terms = Terms::read(self.search.as_str(), tx.org().country);
        let narrow =
            ContactFilters { archived: if self.include_archived { "any" } else { "no" }, ..ContactFilters::default() };
        let found = search(&terms, &narrow, &query, tx).await?;
        let ids: Vec<Uuid> = found.rows.iter().map(|hit| hit.row).collect();
        let mut reasons = why(&ids, &terms, tx).await?;
        let mut places = Addresses::on_one_line(&ids, tx).await?;
        let mut contacts: HashMap<Uuid, _> =
            tx.these::<Contacts>(&ids).await?.into_iter().map(|row| (row.id, row)).collect();
        let rows = found.rows.into_iter().filter_map(|hit| {
            let contact = contacts.remove(&hit.row)?;
            let row = CustomerMatch {
                id: contact.id,
                display_name: contact.display_name,
                emails: contact.emails.0.into_iter().map(|email| email.email).collect(),
                phones: contact.phones.0.into_iter().map(|phone| phone.phone).collect(),
                addresses: places.remove(&contact.id).unwrap_or_default(),
                archived_at: contact.archived_at,
                matched: reasons.remove(&contact.id).unwrap_or_default(),
            };
            Some(Keyed { key: hit.key, row })
        });
        Ok(Listing { rows: rows.collect(), total: found.total })
    }

    /// A match is found by what is searched for and has no id of its own.
    async fn by_ids(_: &[Uuid], _: &mut Tx<'_>) -> Result<Vec<CustomerMatch>> {
        Ok(Vec::new())
    }
}

/// For each contact and word, the closest word of the contact and where it stands.
async fn why(ids: &[Uuid], terms: &Terms, tx: &mut Tx<'_>) -> Result<HashMap<Uuid, Vec<Match>>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let (org_id, sought) = (tx.org_id(), terms.all());
    let rows = sqlx::query!(
        r#"
        select id as "id!", sought[nth::integer] as "term!", part as "part!", word as "word!"
        from frontdesk.why_found($1, $2, $3), (select $3::text[] as sought) given
        order by id, nth
        "#,
        org_id,
        ids,
        &sought
    )
    .fetch_all(tx.db())
    .await?;
    let mut reasons: HashMap<Uuid, Vec<Match>> = HashMap::new();
    for row in rows {
        reasons.entry(row.id).or_default().push(Match { word: row.term, found: row.word, r#in: row.part });
    }
    Ok(reasons)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(words: &[&str], phones: &[&str]) -> Terms {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Terms { words: owned(words), phones: owned(phones) }
    }

    #[test]
    fn a_search_is_words_and_phone_numbers() {
        assert_eq!(Terms::read("Smith, Madison", *b"US"), terms(&["Madison", "Smith"], &[]));
        assert_eq!(Terms::read("(256) 555-0100 smith", *b"US"), terms(&["smith"], &["12565550100"]));
        assert_eq!(Terms::read("+1 256.555.0100", *b"US"), terms(&[], &["12565550100"]));
        assert_eq!(Terms::read("555-0100", *b"US"), terms(&[], &["5550100"]));
        assert_eq!(Terms::read("123 Main St 35758", *b"US"), terms(&["35758", "Main", "123", "St"], &[]));
        assert_eq!(Terms::read("jane@example.com", *b"US"), terms(&["jane@example.com"], &[]));
        assert_eq!(Terms::read("  \t", *b"US"), terms(&[], &[]));
    }
}
