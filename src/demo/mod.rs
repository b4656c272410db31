//! The demo: a believable window-cleaning business, made through the same actions everybody uses.
//!
//! Each step has an idempotency key, so a start that was cut short is finished by the next one.

mod data;
mod people;

use std::sync::Arc;

use anyhow::bail;
use capabilities::{Call, Caller, Door, Input, NewOrg, Office, Options, Source};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::administration::in_words;
use crate::datadir::{DataDir, write_private};

const BUSINESS: &str = "Rocket City Window Cleaning";
const AGENT: &str = "Front Office";
const BATCH: usize = 50;

/// What there is to try.
pub(crate) struct Demo {
    pub business: &'static str,
    pub contacts: usize,
    pub agent_token: String,
}

/// Fills an empty database, and writes where things are to `demo.json`, how its owner signs in to `demo-owner.json`. A database that holds something else is left
/// alone.
pub(crate) async fn fill(office: &Arc<Office>, data: &DataDir, url: &str) -> anyhow::Result<Option<Demo>> {
    let source = Source::of(Door::Program);
    let org = match office.org_ids().await.map_err(in_words)?.as_slice() {
        [] => {
            let new = NewOrg {
                name: BUSINESS.into(),
                timezone: "America/Chicago".into(),
                currency: "USD".into(),
                country: "US".into(),
            };
            office.create_org(&new, &source).await.map_err(in_words)?
        }
        [org] => *org,
        _ => return Ok(not_ours()),
    };
    let system = office.system(org, "demo").await.map_err(in_words)?;
    if org_name(office, &system).await? != BUSINESS {
        return Ok(not_ours());
    }
    let contacts = data::contacts();
    for (number, batch) in contacts.chunks(BATCH).enumerate() {
        create(office, &system, number, batch).await?;
    }
    people::fill(office, data, org, url).await?;
    let agent_token = token(office, data, org, &source).await?;
    let demo =
        json!({"url": url, "mcp_url": format!("{url}/mcp"), "agent_token": agent_token, "mcp_stdio": stdio(data)?});
    write_private(&data.demo(), format!("{demo:#}\n").as_bytes())?;
    Ok(Some(Demo { business: BUSINESS, contacts: contacts.len(), agent_token }))
}

fn not_ours() -> Option<Demo> {
    tracing::warn!("the database holds an office already: --demo leaves it as it is");
    None
}

async fn org_name(office: &Office, system: &Caller) -> anyhow::Result<String> {
    let selection = capabilities::Selection { data_type: "org".into(), ..Default::default() };
    let answer = office.read(system, capabilities::Read { selection, ..capabilities::Read::default() }).await;
    let Some(data) = answer.data else {
        bail!("the organization cannot be read: {}", answer.error.unwrap_or_default())
    };
    Ok(data[0]["name"].as_str().unwrap_or_default().to_string())
}

async fn create(office: &Office, system: &Caller, number: usize, batch: &[Value]) -> anyhow::Result<()> {
    let call = Call {
        action: "contact.create".into(),
        input: Input::Items(batch.to_vec()),
        options: Options { idempotency_key: Some(format!("demo contacts {number}")), ..Options::default() },
        source: Source::of(Door::Program),
    };
    match office.call(system, call).await.error {
        None => Ok(()),
        Some(error) => bail!("the demo cannot be made: {error}"),
    }
}

/// The token of the start before, as long as it is good; else that of a new agent.
async fn token(office: &Office, data: &DataDir, org: Uuid, source: &Source) -> anyhow::Result<String> {
    let before = std::fs::read(data.demo()).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    if let Some(token) = before.as_ref().and_then(|demo| demo["agent_token"].as_str())
        && office.authenticate(token).await.is_ok_and(|caller| caller.org().id == org)
    {
        return Ok(token.to_string());
    }
    let name = |nth: u32| if nth == 1 { AGENT.to_string() } else { format!("{AGENT} {nth}") };
    for nth in 1..100 {
        match office.create_agent(org, &name(nth), None, source).await {
            Ok(agent) => return Ok(agent.token.reveal().to_string()),
            Err(capabilities::Error::Conflict { .. }) => {}
            Err(error) => return Err(in_words(error)),
        }
    }
    bail!("a hundred demo agents have lost their tokens; start over in an empty data directory")
}

/// How a client starts MCP over standard input and output here.
pub(crate) fn stdio(data: &DataDir) -> anyhow::Result<Value> {
    let program = std::env::current_exe()?;
    Ok(json!({"command": program, "args": ["mcp", "--data", data.path()]}))
}
