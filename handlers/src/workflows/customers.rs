//! Which customer is meant by what is known of one.

use capabilities::{Data, EmailAddress, Error, Id, Name, PhoneNumber, Result, Text, Tx};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::either;
use crate::customers::contact::{Contacts, Create, CustomerMatches};
use crate::entities::Contact;

type Match = <CustomerMatches as Data>::Row;

/// So many who may be meant are looked at,
const LOOKED_AT: i64 = 50;
/// and told.
const TOLD: usize = 10;
/// So many of them in words.
const NAMED: usize = 4;

/// What is known of a customer: a name, phone or email, and an address to tell them from others.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    /// Name or part of it.
    pub name: Option<Name>,
    /// Phone number in any spelling.
    pub phone: Option<PhoneNumber>,
    /// E-mail address.
    pub email: Option<EmailAddress>,
    /// Street and number.
    pub street: Option<Name>,
    /// City.
    pub city: Option<Name>,
    /// ZIP or postal code.
    pub postal_code: Option<Text<20>>,
}

/// A customer who is in the books.
pub(super) struct Customer {
    pub id: Id<Contact>,
    pub display_name: String,
    /// Whether this call put them there.
    pub is_new: bool,
}

/// The customer with this id, or the only one who fits what is known, if anybody does. Several are refused with what tells
/// them apart.
pub(super) async fn find(
    id: Option<Id<Contact>>,
    known: Option<&Known>,
    tx: &mut Tx<'_>,
) -> Result<Result<Customer, Nobody>> {
    if let Some(id) = id {
        let display_name = Contacts::name_of(id, tx).await?;
        return Ok(Ok(Customer { id, display_name, is_new: false }));
    }
    match known {
        Some(known) if known.name.is_some() || known.phone.is_some() || known.email.is_some() => known.find(tx).await,
        Some(_) => Err(Error::invalid("/customer", "needs a name, a phone or an email")),
        None => Err(Error::invalid("/contact_id", "is needed, or what is known of the `customer`")),
    }
}

impl Known {
    async fn find(&self, tx: &mut Tx<'_>) -> Result<Result<Customer, Nobody>> {
        let mut reached = Vec::new();
        for text in [self.phone.as_ref().map(PhoneNumber::as_str), self.email.as_ref().map(EmailAddress::as_str)] {
            let found = matches(text, tx).await?;
            reached.extend(found.into_iter().filter(|one| one.is_certain("email_or_phone")));
        }
        reached.sort_unstable_by_key(|one| one.id);
        reached.dedup_by_key(|one| one.id);
        let found = matches(self.name.as_ref().map(Text::as_str), tx).await?;
        let (named, similar): (Vec<Match>, Vec<Match>) = found.into_iter().partition(|one| one.is_certain("name"));
        let by_reach = self.phone.is_some() || self.email.is_some();
        let ids: Vec<Uuid> = named.iter().map(|one| one.id).collect();
        let fitting: Vec<Match> = match (by_reach, self.name.is_some()) {
            (true, true) => reached.iter().filter(|one| ids.contains(&one.id)).cloned().collect(),
            (true, false) => std::mem::take(&mut reached),
            (false, _) => self.narrowed_by_name(named.clone()),
        };
        let mut fitting = self.narrowed_by_place(fitting);
        if fitting.len() == 1 {
            let only = fitting.remove(0);
            return Ok(Ok(Customer { id: only.id.into(), display_name: only.display_name, is_new: false }));
        }
        // A name with another customer's phone, or a known one with an unknown phone, may be either's.
        let may_be = if fitting.is_empty() { reached.into_iter().chain(named).collect() } else { fitting };
        match may_be.is_empty() {
            false => Err(ambiguous("More than one customer may be meant", &may_be)),
            true => Ok(Err(Nobody(similar))),
        }
    }

    /// Whoever is called just that goes before those who are called that and more.
    fn narrowed_by_name(&self, named: Vec<Match>) -> Vec<Match> {
        let name = self.name.as_ref().map(|name| name.as_str().to_lowercase()).unwrap_or_default();
        let (just, more): (Vec<Match>, Vec<Match>) =
            named.into_iter().partition(|one| one.display_name.to_lowercase() == name);
        if just.is_empty() { more } else { just }
    }

    fn narrowed_by_place(&self, found: Vec<Match>) -> Vec<Match> {
        let parts = [
            self.street.as_ref().map(Text::as_str),
            self.city.as_ref().map(Text::as_str),
            self.postal_code.as_ref().map(Text::as_str),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().map(str::to_lowercase).collect();
        let there = |one: &Match| {
            one.addresses.iter().any(|address| parts.iter().all(|part| address.to_lowercase().contains(part)))
        };
        match parts.is_empty() || found.len() < 2 {
            true => found,
            false => found.into_iter().filter(there).collect(),
        }
    }

    /// Puts the customer into the books.
    pub async fn create(&self, tx: &mut Tx<'_>) -> Result<Customer> {
        let Some(name) = &self.name else {
            return Err(Error::invalid("/customer/name", "is needed for a new customer"));
        };
        let address = match (&self.street, &self.city) {
            (Some(street), Some(city)) => Some((street.clone(), city.clone(), self.postal_code.clone())),
            (None, None) if self.postal_code.is_none() => None,
            (None, _) => return Err(Error::invalid("/customer/street", "is needed for a new customer's address")),
            (_, None) => return Err(Error::invalid("/customer/city", "is needed for a new customer's address")),
        };
        let contact = tx.call(Create::person(name, self.phone.clone(), self.email.clone(), address)).await?;
        Ok(Customer { id: contact.id.into(), display_name: contact.display_name, is_new: true })
    }
}

/// Nobody fits; these are similar.
pub(super) struct Nobody(Vec<Match>);

impl Nobody {
    pub fn refusal(&self) -> Error {
        let words: Vec<String> = self.0.iter().take(NAMED).map(in_words).collect();
        let similar = if words.is_empty() { String::new() } else { format!(" Similar: {}.", either(&words)) };
        Error::conflict(
            "UNKNOWN_CUSTOMER",
            format!("No customer fits what is known.{similar}"),
            "Look with find_customer and repeat with `contact_id`. If they are new, repeat with `create_customer: true` where it is offered, or make them with contact.create.",
        )
        .about(to_words(&self.0))
    }

    pub fn warn(&self, tx: &mut Tx<'_>) {
        if !self.0.is_empty() {
            tx.warn("similar_customers", "Customers with a similar name exist.", Some(to_words(&self.0)));
        }
    }
}

/// The customers that fit a text, the best first.
async fn matches(text: Option<&str>, tx: &mut Tx<'_>) -> Result<Vec<Match>> {
    let Some(search) = text.and_then(|text| text.parse().ok()) else { return Ok(Vec::new()) };
    tx.first_of(CustomerMatches { search, include_archived: false }, LOOKED_AT).await
}

fn ambiguous(what: &str, may_be: &[Match]) -> Error {
    let words: Vec<String> = may_be.iter().take(NAMED).map(in_words).collect();
    let more = may_be.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(", or one of {more} more") } else { String::new() };
    Error::conflict(
        "AMBIGUOUS_CUSTOMER",
        format!("{what}: {}{more}.", either(&words)),
        "Ask which one it is, and repeat with `contact_id`. If it is none of them, make the customer with contact.create first.",
    )
    .about(to_words(may_be))
}

/// What tells a customer from others.
fn in_words(one: &Match) -> String {
    let of = one.phones.iter().take(1).chain(one.emails.iter().take(1)).chain(one.addresses.iter().take(1));
    let details: Vec<&str> = of.map(String::as_str).collect();
    match details.is_empty() {
        true => one.display_name.clone(),
        false => format!("{} ({})", one.display_name, details.join(", ")),
    }
}

fn to_words(may_be: &[Match]) -> Value {
    let tell = |one: &Match| {
        json!({
            "contact_id": one.id, "display_name": one.display_name, "phones": one.phones, "emails": one.emails,
            "addresses": one.addresses,
        })
    };
    may_be.iter().take(TOLD).map(tell).collect()
}
