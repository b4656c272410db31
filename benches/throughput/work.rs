//! The work that is measured, as each door is asked for it.

use serde_json::{Value, json};

use crate::office::Organization;

/// Finds as many contacts as the seed calls so.
const SOUGHT: &str = "fairweather";
const FOUND: usize = 20;

/// One kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A customer with an e-mail address, a phone and an address.
    Create,
    /// One customer by id.
    ById,
    /// A page of hits.
    Search,
}

/// What one customer is told from another by; also in the statements of a recorded call.
pub struct Marks {
    pub family: String,
    pub phone: String,
}

impl Marks {
    pub fn of(number: u64) -> Self {
        let digits = format!("{number:08}");
        let letters = digits.bytes().map(|digit| char::from(digit - b'0' + b'a'));
        Self { family: std::iter::once('g').chain(letters).collect(), phone: format!("{:07}", number % 10_000_000) }
    }
}

impl Work {
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "contact.create",
            Self::ById => "A contact by its id",
            Self::Search => "A search with 20 hits",
        }
    }

    /// What REST is asked: the path, and the body if there is one.
    pub fn rest(self, org: &Organization, number: u64) -> (String, Option<Value>) {
        match self {
            Self::Create => ("/api/actions".into(), Some(create(number))),
            Self::ById => (format!("/api/data?type=contacts&id={}", org.contact(number)), None),
            Self::Search => (format!("/api/data?type=customer_matches&search={SOUGHT}"), None),
        }
    }

    /// The tool and its arguments.
    pub fn mcp(self, org: &Organization, number: u64) -> (&'static str, Value) {
        match self {
            Self::Create => ("crm_action", create(number)),
            Self::ById => ("crm_query", json!({"type": "contacts", "id": org.contact(number)})),
            Self::Search => ("find_customer", json!({"search": SOUGHT})),
        }
    }

    /// Whether the answer is what was asked for, once and thoroughly.
    pub fn check(self, envelope: &Value) -> Result<(), String> {
        let data = &envelope["data"];
        let right = envelope["success"] == true
            && match self {
                Self::Create | Self::ById => data["id"].is_string(),
                Self::Search => data.as_array().is_some_and(|hits| hits.len() == FOUND),
            };
        if right { Ok(()) } else { Err(format!("an answer that does not count: {envelope:#}")) }
    }
}

fn create(number: u64) -> Value {
    let Marks { family, phone } = Marks::of(number);
    json!({"domain": "contact", "action": "create", "data": {
        "kind": "person", "given_name": "Jane", "family_name": family,
        "emails": [{"email": format!("{family}@example.com")}],
        "phones": [{"phone": format!("+1205{phone}"), "type": "mobile"}],
        "addresses": [{"street": "123 Main Street", "city": "Madison", "region": "AL", "postal_code": "35758"}],
    }})
}
