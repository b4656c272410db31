//! Makes the demo's catalog and visits through the actions everybody uses, many at once.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use capabilities::{Call, Caller, Door, Input, Office, Options, Source};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::visits::{self, Customer, Fate, Visit, local};

const BATCH: usize = 50;
/// A repeat is known by its key for 30 days. What is older than this is left as it is.
const KNOWN: TimeDelta = TimeDelta::days(29);

/// One action on many inputs; what each came to.
pub(super) async fn each(
    office: &Office,
    system: &Caller,
    action: &str,
    what: &str,
    inputs: &[Value],
) -> anyhow::Result<Vec<Value>> {
    let mut made = Vec::with_capacity(inputs.len());
    for (number, batch) in inputs.chunks(BATCH).enumerate() {
        let call = Call {
            action: action.into(),
            input: Input::Items(batch.to_vec()),
            options: Options { idempotency_key: Some(format!("demo {what} {number}")), ..Options::default() },
            source: Source::of(Door::Program),
        };
        let answer = office.call(system, call).await;
        match (answer.error, answer.data) {
            (None, Some(Value::Array(rows))) => made.extend(rows),
            (None, _) => bail!("{action} does not answer with a list"),
            (Some(error), _) => bail!("the demo cannot be made: {error}"),
        }
    }
    Ok(made)
}

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().filter_map(|row| row["id"].as_str()).map(str::to_string).collect()
}

/// Makes the catalog and the visits around `now`, which is the same at every start.
pub(super) async fn fill(
    office: &Arc<Office>,
    system: &Caller,
    contacts: &[Value],
    technicians: &[Uuid],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    if office.clock().now() - now > KNOWN || technicians.is_empty() {
        return Ok(());
    }
    let services = ids(&each(office, system, "service.create", "services", &visits::services()).await?);
    let customer = |row: &Value| {
        Some(Customer { id: row["id"].as_str()?.to_string(), is_business: row["kind"] == "organization" })
    };
    let customers: Vec<Customer> = contacts.iter().filter_map(customer).collect();
    let zone = system.org().timezone;
    let of = visits::Office { customers: &customers, services: &services, technicians, zone };
    let planned = visits::visits(&of, now);
    let inputs: Vec<Value> = planned.iter().map(|visit| visit.input.clone()).collect();
    let tickets = ids(&each(office, system, "ticket.schedule", "visits", &inputs).await?);
    if tickets.len() != planned.len() {
        bail!("{} visits were asked for and {} made", planned.len(), tickets.len());
    }
    let made: Vec<(&String, &Visit)> = tickets.iter().zip(&planned).collect();
    for (action, what, inputs) in [
        ("ticket.clock_in", "clocks in", made.iter().flat_map(|(id, visit)| begun(id, visit)).collect::<Vec<_>>()),
        ("ticket.clock_out", "clocks out", made.iter().flat_map(|(id, visit)| ended(id, visit)).collect()),
        ("ticket.cancel", "called off", made.iter().filter_map(|(id, visit)| called_off(id, visit)).collect()),
        ("ticket.mark_no_show", "missed", made.iter().filter_map(|(id, visit)| missed(id, visit)).collect()),
        ("ticket.record_confirmation", "answers", made.iter().filter_map(|(id, visit)| answered(id, visit)).collect()),
    ] {
        each(office, system, action, what, &inputs).await.with_context(|| what.to_string())?;
    }
    Ok(())
}

fn begun(id: &str, visit: &Visit) -> Vec<Value> {
    let Fate::Worked(begun, _) = &visit.fate else { return Vec::new() };
    let stroke = |who: &Uuid| json!({"ticket_id": id, "technician_id": who, "at": local(*begun)});
    visit.technicians.iter().map(stroke).collect()
}

fn ended(id: &str, visit: &Visit) -> Vec<Value> {
    let Fate::Worked(_, Some(ended)) = &visit.fate else { return Vec::new() };
    let stroke = |who: &Uuid| json!({"ticket_id": id, "technician_id": who, "at": local(*ended)});
    visit.technicians.iter().map(stroke).collect()
}

fn called_off(id: &str, visit: &Visit) -> Option<Value> {
    let Fate::CalledOff(reason) = &visit.fate else { return None };
    Some(json!({"ticket_id": id, "reason": reason}))
}

fn missed(id: &str, visit: &Visit) -> Option<Value> {
    (visit.fate == Fate::Missed).then(|| json!({"ticket_id": id}))
}

fn answered(id: &str, visit: &Visit) -> Option<Value> {
    let Fate::ToCome(Some(answer)) = &visit.fate else { return None };
    let mut input = answer.clone();
    input["ticket_id"] = id.into();
    Some(input)
}
