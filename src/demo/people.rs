//! Who works at the demo business, and how its owner signs in.

use std::sync::Arc;

use capabilities::{Door, Error, Office, Role, Source};
use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

use crate::administration::{in_words, link};
use crate::datadir::{DataDir, write_private};

const OWNER: &str = "olivia@rocketcitywindows.example";
const PEOPLE: &[(&str, &str, Role)] = &[
    (OWNER, "Olivia Bennett", Role::Owner),
    ("marcus@rocketcitywindows.example", "Marcus Webb", Role::Manager),
    ("tyler@rocketcitywindows.example", "Tyler Nguyen", Role::Technician),
    ("dana@rocketcitywindows.example", "Dana Ruiz", Role::Technician),
    ("sam@rocketcitywindows.example", "Sam Whitfield", Role::Technician),
];
/// Until the next start or the next day; who is signed in stays so.
const LINK_VALID: TimeDelta = TimeDelta::hours(24);

/// Those who work on site, in the order of their names above.
pub(super) async fn technicians(office: &Office, org: Uuid) -> anyhow::Result<Vec<Uuid>> {
    let mut ids = Vec::new();
    for (email, _, _) in PEOPLE.iter().filter(|(_, _, role)| *role == Role::Technician) {
        ids.extend(office.user_by_email(org, email).await.map_err(in_words)?);
    }
    Ok(ids)
}

/// Makes whoever is missing, and writes a fresh link for the owner to `demo-owner.json`.
pub(super) async fn fill(office: &Arc<Office>, data: &DataDir, org: Uuid, url: &str) -> anyhow::Result<()> {
    let source = Source::of(Door::Program);
    for (email, name, role) in PEOPLE {
        if office.user_by_email(org, email).await.map_err(in_words)?.is_some() {
            continue;
        }
        match office.create_user(org, email, name, *role, &source).await {
            // There, but no longer active.
            Ok(_) | Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(in_words(error)),
        }
    }
    let Some(owner) = office.user_by_email(org, OWNER).await.map_err(in_words)? else {
        tracing::warn!("the demo's owner is not there any more: {} is not written anew", data.demo_owner().display());
        return Ok(());
    };
    let token = office.sign_in_link(org, owner, LINK_VALID, &source).await.map_err(in_words)?;
    let file = json!({"owner_sign_in_url": link(url, &token)});
    Ok(write_private(&data.demo_owner(), format!("{file:#}\n").as_bytes())?)
}
