//! The demo: a believable window-cleaning business, made through the same actions everybody uses.
//!
//! Each step has an idempotency key, so a start that was cut short is finished by the next one.

mod data;
mod filling;
mod people;
mod visits;

use std::sync::Arc;

use anyhow::bail;
use capabilities::{Caller, Door, NewOrg, Office, Source};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::administration::in_words;
use crate::datadir::{DataDir, write_private};

const BUSINESS: &str = "Rocket City Window Cleaning";
const AGENT: &str = "Front Office";

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
    let business = business(office, &system).await?;
    if business["name"] != BUSINESS {
        return Ok(not_ours());
    }
    let contacts = filling::each(office, &system, "contact.create", "contacts", &data::contacts()).await?;
    people::fill(office, data, org, url).await?;
    let made = business["created_at"].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok());
    if let Some(made) = made {
        let technicians = people::technicians(office, org).await?;
        // A demo that an earlier version made has other visits; those it has are good enough.
        if let Err(error) = filling::fill(office, &system, &contacts, &technicians, made).await {
            tracing::warn!("the demo's visits are left as they are: {error:#}");
        }
    }
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

async fn business(office: &Office, system: &Caller) -> anyhow::Result<Value> {
    let selection = capabilities::Selection { data_type: "org".into(), ..Default::default() };
    let answer = office.read(system, capabilities::Read { selection, ..capabilities::Read::default() }).await;
    let Some(mut data) = answer.data else {
        bail!("the organization cannot be read: {}", answer.error.unwrap_or_default())
    };
    Ok(data[0].take())
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
