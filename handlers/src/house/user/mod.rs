//! The people of the business: who works here and what they may do. How they sign in is the kernel's.

mod changing;
mod sessions;
mod signing_in;

use capabilities::{Data, Domain, Error, Id, Key, Keyed, Result, Tx, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entities::User;

pub fn domain() -> Domain {
    Domain::new("user", "The people of the business: who works here and what they may do")
        .data::<Users>()
        .data::<sessions::Sessions>()
        .action::<changing::Invite>()
        .action::<changing::ChangeRole>()
        .action::<changing::Deactivate>()
        .action::<changing::Reactivate>()
        .action::<signing_in::SendSignInLink>()
        .action::<sessions::EndSessions>()
        .errand::<signing_in::SignInMail>()
}

/// The people of the business: owners, managers and technicians.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Users {
    /// Only people who can sign in (true), or only those who no longer can (false).
    active: Option<bool>,
}

impl Users {
    /// Those who go to customers: the technicians, or where there are none everybody who works here.
    pub async fn who_visit(tx: &mut Tx<'_>) -> Result<Vec<UserRow>> {
        let here = tx.first_of(Self { active: Some(true) }, 1_000).await?.into_iter();
        let (technicians, others): (Vec<UserRow>, Vec<UserRow>) = here.partition(|user| user.role == "technician");
        Ok(if technicians.is_empty() { others } else { technicians })
    }
}

/// Somebody whose row nobody else changes for the rest of the call: who goes to a customer is held by it.
pub(crate) struct Held {
    pub id: Uuid,
    pub name: String,
    pub active: bool,
}

impl Users {
    /// Locks these users for the rest of the call, in the order of their ids.
    pub async fn hold(ids: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<Held>> {
        let org_id = tx.org_id();
        let held = sqlx::query_as!(
            Held,
            r#"
            select id, name, deactivated_at is null as "active!"
            from users
            where org_id = $1 and id = any($2)
            order by id
            for update
            "#,
            org_id,
            ids
        )
        .fetch_all(tx.db())
        .await?;
        match ids.iter().find(|id| !held.iter().any(|user| user.id == **id)) {
            None => Ok(held),
            Some(missing) => Err(Error::not_found::<User>(*missing)),
        }
    }
}

/// Somebody who works here.
#[derive(Serialize, JsonSchema)]
pub(crate) struct UserRow {
    /// The user.
    pub id: Uuid,
    /// Their name.
    pub name: String,
    /// technician, manager or owner.
    role: String,
    /// Whether they can sign in.
    pub active: bool,
    /// Where they get mail; told to people, not to agents.
    email: Option<String>,
    /// Counts the changes.
    version: i32,
}

/// What the caller may know of them: addresses are for people.
async fn told_to(mut users: Vec<UserRow>, tx: &mut Tx<'_>) -> Result<Vec<Keyed<UserRow>>> {
    for user in users.iter_mut().filter(|_| tx.caller().is_agent()) {
        user.email = None;
    }
    Ok(users.into_iter().map(|row| Keyed { key: Key::of(row.id), row }).collect())
}

/// One user, as people see them.
async fn load(id: Id<User>, tx: &mut Tx<'_>) -> Result<UserRow> {
    tx.one::<Users>(id).await
}

fn refuse_deactivated(user: &UserRow) -> Result<()> {
    match user.active {
        true => Ok(()),
        false => Err(Error::conflict(
            "USER_DEACTIVATED",
            format!("{} is deactivated.", user.name),
            "Let them in again first with user.reactivate.",
        )),
    }
}

impl Data for Users {
    const NAME: &str = "users";
    const ONE: &str = "user";
    const WHO: Who = Who::EVERYONE;
    const SORTED_BY: &str = "when they joined";
    type Row = UserRow;

    capabilities::listing! {
        |users, tx| UserRow from UserRow by told_to,
        select r#"id, name, role, deactivated_at is null as "active!", email, version"# from "users",
        oldest first,
        where "and ($6::bool is null or (deactivated_at is null) = $6)" [users.active]
    }
}
