//! What is to be done on a visit, changed line by line.

use authorization_queue_ui::{Visitor, amount, money, text};
use capabilities::OrgFacts;
use minijinja::context;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::asking::Detail;
use crate::inputs::VisitForm;
use crate::ticket::{Line, price};
use crate::{Shown, Work};

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

impl Work {
    /// The page of a visit's lines.
    pub(crate) async fn lines(&self, visitor: &Visitor, id: Uuid, typed: VisitForm) -> Shown {
        let org = visitor.caller.org();
        let (row, once) = self.visit(visitor, id, &["line_items", "technicians"]).await?;
        if !self.may_change(visitor, &row, "ticket.add_line_item") {
            return self.ticket(visitor, id, typed).await;
        }
        let (offers, frame) = (self.offers(visitor).await?, self.ui.frame(visitor).await?);
        let lines = row["line_items"].as_array().into_iter().flatten();
        let values = context! {
            once, typed => &typed, offers, total => price(org, &row["total"]),
            unpriced => row["lines_without_price"].as_i64().unwrap_or_default(),
            lines => lines.map(|line| Changeable::of(line, org)).collect::<Vec<_>>(), ..self.heading(visitor, &row)
        };
        let page = self.show(visitor, &frame, "visit", "lines.html", values);
        Ok(typed.on(page))
    }

    /// What a page of a part of a visit begins with.
    pub(crate) fn heading(&self, visitor: &Visitor, row: &Value) -> minijinja::Value {
        let card = self.card(visitor, row);
        context! { id => card.id, visit => card }
    }

    /// What the business offers.
    pub(crate) async fn offers(&self, visitor: &Visitor) -> Result<Vec<Offer>, Box<capabilities::Answer>> {
        let services = self.all(visitor, "services", json!({"active": true}), Detail::PLAIN).await?.rows;
        Ok(services.iter().map(|service| Offer::of(service, visitor.caller.org())).collect())
    }
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
