//! Makes the demo's catalog and visits through the actions everybody uses, many at once.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use capabilities::{Call, Caller, Door, Input, Office, Options, Source};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use uuid::Uuid;

use super::visits::{self, Customer, Fate, Visit, local};

const BATCH: usize = 50;
const AT_ONCE: usize = 2;
/// A repeat is known by its key for 30 days. What is older than this is left as it is.
const KNOWN: TimeDelta = TimeDelta::days(29);

/// One action on many inputs, in batches that are made side by side; what each came to, in their order.
pub(super) async fn each(
    office: &Arc<Office>,
    system: &Caller,
    action: &'static str,
    what: &str,
    inputs: &[Value],
) -> anyhow::Result<Vec<Value>> {
    let batches = inputs.chunks(BATCH).enumerate().map(|(number, inputs)| {
        let (office, system, what) = (office.clone(), system.clone(), format!("{what} {number}"));
        let inputs = inputs.to_vec();
        in_a_task(async move { batch(&office, &system, action, &what, inputs).await })
    });
    let made: Vec<Vec<Value>> = stream::iter(batches).buffered(AT_ONCE).try_collect().await?;
    Ok(made.concat())
}

/// So that there is work for two processors.
async fn in_a_task<T: Send + 'static>(
    work: impl Future<Output = anyhow::Result<T>> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::spawn(work).await?
}

async fn batch(
    office: &Office,
    system: &Caller,
    action: &str,
    what: &str,
    inputs: Vec<Value>,
) -> anyhow::Result<Vec<Value>> {
    if inputs.is_empty() {
        return Ok(Vec::new());
    }
    let call = Call {
        action: action.into(),
        input: Input::Items(inputs),
        options: Options { idempotency_key: Some(format!("demo {what}")), ..Options::default() },
        source: Source::of(Door::Program),
    };
    let answer = office.call(system, call).await;
    match (answer.error, answer.data) {
        (None, Some(Value::Array(rows))) => Ok(rows),
        (None, _) => bail!("{action} does not answer with a list"),
        (Some(error), _) => bail!("the demo cannot be made: {error}"),
    }
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
    for (round, parts) in visits::rounds(visits::visits(&of, now), technicians).into_iter().enumerate() {
        let parts = parts.into_iter().enumerate().map(|(part, visits)| {
            let (office, system) = (office.clone(), system.clone());
            in_a_task(async move { make(&office, &system, &visits, round * visits::PARTS + part).await })
        });
        try_join_all(parts).await?;
    }
    Ok(())
}

/// Makes some visits, and then what becomes of them.
async fn make(office: &Office, system: &Caller, visits: &[Visit], number: usize) -> anyhow::Result<()> {
    let inputs: Vec<Value> = visits.iter().map(|visit| visit.input.clone()).collect();
    let tickets = ids(&batch(office, system, "ticket.schedule", &format!("visits {number}"), inputs).await?);
    if tickets.len() != visits.len() {
        bail!("{} visits were asked for and {} made", visits.len(), tickets.len());
    }
    let made: Vec<(&String, &Visit)> = tickets.iter().zip(visits).collect();
    for (action, what, inputs) in [
        ("ticket.clock_in", "clocks in", made.iter().flat_map(|(id, visit)| begun(id, visit)).collect::<Vec<_>>()),
        ("ticket.clock_out", "clocks out", made.iter().flat_map(|(id, visit)| ended(id, visit)).collect()),
        ("ticket.cancel", "called off", made.iter().filter_map(|(id, visit)| called_off(id, visit)).collect()),
        ("ticket.mark_no_show", "missed", made.iter().filter_map(|(id, visit)| missed(id, visit)).collect()),
        ("ticket.record_confirmation", "answers", made.iter().filter_map(|(id, visit)| answered(id, visit)).collect()),
    ] {
        let what = format!("{what} {number}");
        batch(office, system, action, &what, inputs).await.with_context(|| what.clone())?;
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
