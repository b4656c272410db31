//! The work that is measured, as each door is asked for it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::calendar::{MONTH, Slot, TECHNICIANS, VISITS_A_WEEK, WEEK, WORKDAYS};
use crate::load::{Door, NUMBERS_EACH};
use crate::office::Organization;

/// Finds as many contacts as the seed calls so.
pub const SOUGHT: &str = "fairweather";
const FOUND: usize = 20;
/// Rows of a page at most, and of one where nothing is said.
const PAGE_AT_MOST: usize = 200;
const PAGE: usize = 25;

/// One kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A customer with an e-mail address, a phone and an address.
    Create,
    /// One customer by id.
    ById,
    /// One customer by id with their addresses.
    Whole,
    /// A page of hits.
    Search,
    /// The first free slots of a month, which takes all of them.
    Availability,
    /// The calendar of a week of one technician as a person sees it.
    WeekPage,
    /// The same of everybody: more than one looks over, so their counts.
    BusyWeekPage,
    /// The calendar of a month of everybody.
    MonthPage,
    /// The tickets of everybody's week with their customers and technicians, list by list.
    Week,
    /// A visit with a line and a technician.
    Schedule,
    /// A visit moved to a time at which its technician is free.
    Reschedule,
}

impl Work {
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "contact.create",
            Self::ById => "A contact by its id",
            Self::Whole => "A contact with addresses",
            Self::Search => "A search with 20 hits",
            Self::Availability => "A month's availability",
            Self::WeekPage => "A technician's week's page",
            Self::BusyWeekPage => "Everybody's week's page",
            Self::MonthPage => "A month's page",
            Self::Week => "A week's tickets",
            Self::Schedule => "ticket.schedule",
            Self::Reschedule => "ticket.reschedule",
        }
    }

    /// The doors that are measured, the one first whose statements are the baseline. Over MCP a list is cut where a model
    /// has read enough, so nobody reads a week there.
    pub fn doors(self) -> &'static [Door] {
        match self {
            Self::WeekPage | Self::BusyWeekPage | Self::MonthPage => &[Door::Page],
            Self::Week => &[Door::Rest],
            _ => &[Door::Rest, Door::Mcp],
        }
    }

    /// What a door that speaks plain HTTP is asked: the path, and the body if there is one.
    pub fn http(self, org: &Organization, number: u64) -> (String, Option<Value>) {
        let (first, last) = if self == Self::Availability { MONTH } else { WEEK };
        match self {
            Self::Create | Self::Schedule | Self::Reschedule => ("/api/actions".into(), Some(self.action(org, number))),
            Self::ById => (format!("/api/data?type=contacts&id={}", org.contact(number)), None),
            Self::Whole => (format!("/api/data?type=contacts&id={}&include=addresses", org.contact(number)), None),
            Self::Search => (format!("/api/data?type=customer_matches&search={SOUGHT}"), None),
            Self::Availability => (format!("/api/data?type=availability&from={first}&to={last}"), None),
            Self::WeekPage => (format!("/week/{first}?who={}", org.calendar.technician(0)), None),
            Self::BusyWeekPage => (format!("/week/{first}"), None),
            Self::MonthPage => (format!("/month/{}", &MONTH.0[..7]), None),
            Self::Week => {
                let list = "/api/data?type=tickets&include=contact,technicians";
                (format!("{list}&from={first}&to={last}&limit={PAGE_AT_MOST}"), None)
            }
        }
    }

    /// Whether the call goes on with the next page of a list until there is none.
    pub fn is_whole(self) -> bool {
        self == Self::Week
    }

    /// The tool and its arguments.
    pub fn mcp(self, org: &Organization, number: u64) -> (&'static str, Value) {
        match self {
            Self::Create | Self::Schedule | Self::Reschedule => ("crm_action", self.action(org, number)),
            Self::ById => ("crm_query", json!({"type": "contacts", "id": org.contact(number)})),
            Self::Whole => {
                ("crm_query", json!({"type": "contacts", "id": org.contact(number), "include": ["addresses"]}))
            }
            Self::Search => ("find_customer", json!({"search": SOUGHT})),
            Self::Availability => {
                ("crm_query", json!({"type": "availability", "filters": {"from": MONTH.0, "to": MONTH.1}}))
            }
            Self::Week | Self::WeekPage | Self::BusyWeekPage | Self::MonthPage => {
                ("crm_query", json!({"type": "tickets"}))
            }
        }
    }

    /// What the FastAPI server is asked: the path, and the body if there is one.
    pub fn fastapi(self, org: &Organization, number: u64) -> (String, Option<Value>) {
        match self {
            Self::Create => ("/contacts".into(), Some(plain_contact(number))),
            Self::Search => (format!("/contacts?search={SOUGHT}"), None),
            _ => (format!("/contacts/{}", org.contact(number)), None),
        }
    }

    /// The tool of the Python SDK's server and its arguments.
    pub fn python_mcp(self, org: &Organization, number: u64) -> (&'static str, Value) {
        match self {
            Self::Create => ("create_contact", json!({"contact": plain_contact(number)})),
            Self::Search => ("search_contacts", json!({"search": SOUGHT})),
            _ => ("read_contact", json!({"contact_id": org.contact(number)})),
        }
    }

    fn action(self, org: &Organization, number: u64) -> Value {
        let starts_at = Slot::of(number).local();
        match self {
            Self::Schedule => json!({"domain": "ticket", "action": "schedule", "data": {
                "contact_id": org.contact(number / NUMBERS_EACH), "starts_at": starts_at,
                "line_items": [{"service_id": org.calendar.service}],
                "technician_ids": [org.calendar.technician(number)],
            }}),
            Self::Reschedule => json!({"domain": "ticket", "action": "reschedule", "data": {
                "ticket_id": org.calendar.visit(number), "starts_at": starts_at,
            }}),
            _ => create(number),
        }
    }

    /// What differs from call to call: texts in the statements of the call with this number, each with the expression that
    /// stands for it in those of the call `:n`.
    pub fn varying(self, number: u64) -> BTreeMap<String, String> {
        match self {
            Self::Create => {
                let Marks { family, phone } = Marks::of(number);
                let letters = "'g' || translate(lpad((:n::bigint)::text, 8, '0'), '0123456789', 'abcdefghij')";
                let digits = "lpad((:n::bigint % 10000000)::text, 7, '0')";
                [(family, letters.to_string()), (phone, digits.to_string())].into()
            }
            Self::Schedule | Self::Reschedule => Slot::of(number).instants().collect(),
            _ => BTreeMap::new(),
        }
    }

    /// Whether the answer is what was asked for, once and thoroughly: an envelope, or a page as text.
    pub fn check(self, answer: &Value) -> Result<(), String> {
        let (data, page) = (&answer["data"], answer.as_str().unwrap_or_default());
        let rows = |count| data.as_array().is_some_and(|rows| rows.len() == count);
        let right = match self {
            Self::Create | Self::ById => data["id"].is_string(),
            Self::Whole => data["id"].is_string() && data["addresses"][0]["street"].is_string(),
            Self::Search => rows(FOUND),
            Self::Availability => rows(PAGE) && data[0]["technicians"][0]["name"].is_string(),
            Self::WeekPage => page.matches("href=\"/tickets/").count() == VISITS_A_WEEK / TECHNICIANS,
            Self::BusyWeekPage => page.matches(&format!("{} visits", VISITS_A_WEEK / WORKDAYS)).count() == WORKDAYS,
            Self::MonthPage => page.contains("2,000 visits"),
            Self::Week => {
                rows(VISITS_A_WEEK % PAGE_AT_MOST)
                    && data[0]["contact"]["display_name"].is_string()
                    && data[0]["technicians"][0]["name"].is_string()
            }
            Self::Schedule | Self::Reschedule => {
                data["status"] == "scheduled" && answer["meta"]["warnings"].as_array().is_none_or(Vec::is_empty)
            }
        };
        if right { Ok(()) } else { Err(format!("an answer that does not count: {answer:#}")) }
    }
}

/// What one customer is told from another by; also in the statements of a recorded call.
struct Marks {
    family: String,
    phone: String,
}

impl Marks {
    fn of(number: u64) -> Self {
        let digits = format!("{number:08}");
        let letters = digits.bytes().map(|digit| char::from(digit - b'0' + b'a'));
        Self { family: std::iter::once('g').chain(letters).collect(), phone: format!("{:07}", number % 10_000_000) }
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

/// The same customer for a server that knows one of each.
fn plain_contact(number: u64) -> Value {
    let Marks { family, phone } = Marks::of(number);
    json!({
        "given_name": "Jane", "family_name": family, "email": format!("{family}@example.com"),
        "phone": format!("+1205{phone}"),
        "address": {"street": "123 Main Street", "city": "Madison", "region": "AL", "postal_code": "35758"},
    })
}
