//! What is to be done on a visit, changed line by line.

use capabilities::OrgFacts;
use minijinja::context;
use serde::Serialize;
use serde_json::{Value, json};
use ui_kit::{Detail, Page, Shown, amount, money, text};
use uuid::Uuid;

use crate::card::card;
use crate::inputs::VisitForm;
use crate::ticket::{self, Line, may_change, price, visit};

/// A line that can be changed.
#[derive(Serialize)]
struct Changeable {
    id: String,
    version: i64,
    #[serde(flatten)]
    line: Line,
    quantity: String,
    /// Of one what; empty if of nothing in particular.
    unit: String,
    /// As one types it; none where the price is the service's.
    price: Option<String>,
}

/// A service to choose.
#[derive(Serialize)]
pub(crate) struct Offer {
    id: String,
    name: String,
    /// "$6.50 per window"; empty where it is said later.
    price: String,
}

/// The page of a visit's lines.
pub(crate) async fn show(page: &mut Page<'_>, id: Uuid, typed: VisitForm) -> Shown {
    let org = page.org();
    let row = visit(page, id, &["line_items", "technicians"]).await?;
    if !may_change(page, &row, "ticket.add_line_item") {
        return ticket::show(page, id, typed).await;
    }
    let offers = offers(page).await?;
    let lines = row["line_items"].as_array().into_iter().flatten();
    let values = context! {
        typed => &typed, offers, total => price(org, &row["total"]),
        unpriced => row["lines_without_price"].as_i64().unwrap_or_default(),
        lines => lines.map(|line| Changeable::of(line, org)).collect::<Vec<_>>(), ..heading(page, &row)
    };
    let page = page.show("visit", "lines.html", values).await?;
    Ok(typed.on(page))
}

/// What a page of a part of a visit begins with.
pub(crate) fn heading(page: &Page<'_>, row: &Value) -> minijinja::Value {
    let card = card(page, row);
    context! { id => card.id, visit => card }
}

/// What the business offers.
pub(crate) async fn offers(page: &mut Page<'_>) -> Result<Vec<Offer>, Box<capabilities::Answer>> {
    let services = page.all("services", json!({"active": true}), Detail::PLAIN).await?.rows;
    Ok(services.iter().map(|service| Offer::of(service, page.org())).collect())
}

impl Changeable {
    fn of(line: &Value, org: &OrgFacts) -> Self {
        let as_typed = |(minor, currency)| {
            let amount = money(minor, currency, org).replace('−', "-");
            amount.chars().filter(|c| c.is_ascii_digit() || ".,-".contains(*c)).collect()
        };
        let price = (line["pricing"] != "fixed").then(|| amount(&line["unit_price"]).map(as_typed).unwrap_or_default());
        Self {
            id: text(&line["id"]),
            version: line["version"].as_i64().unwrap_or_default(),
            line: Line::of(line, org),
            quantity: text(&line["quantity"]),
            unit: text(&line["unit_name"]),
            price,
        }
    }
}

impl Offer {
    fn of(service: &Value, org: &OrgFacts) -> Self {
        let pricing = &service["pricing"];
        let price = match pricing["strategy"].as_str() {
            Some("fixed") => price(org, &pricing["price"]),
            Some("per_unit") => format!("{} per {}", price(org, &pricing["unit_price"]), text(&pricing["unit_name"])),
            _ if pricing["suggested_price"].is_object() => format!("about {}", price(org, &pricing["suggested_price"])),
            _ => String::new(),
        };
        Self { id: text(&service["id"]), name: text(&service["name"]), price }
    }
}
