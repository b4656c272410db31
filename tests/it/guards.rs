//! How a domain objects to what happens below it, shown on contacts that a domain of its own guards.

use capabilities::{Action, Domain, Effect, Entity, Error, Id, PermissionClass, Result, Tx, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::undo::{done, undo};

/// Who is called that is needed.
const NEEDED: &str = "Keeper";

struct Contact;
impl Entity for Contact {
    const NAME: &str = "contact";
    const TABLE: &str = "contacts";
}

/// An entity that nobody guards.
struct Note;
impl Entity for Note {
    const NAME: &str = "note";
    const TABLE: &str = "notes";
}

/// The product's domains, and above them one that needs some contacts.
async fn desk() -> Desk {
    let mut domains = handlers::domains();
    domains.push(
        Domain::new("trial", "What a guard can do")
            .action::<Leave>()
            .guards::<Contact>(|ids, tx| Box::pin(refuse_needed(ids, tx))),
    );
    Desk::with(domains).await
}

async fn refuse_needed(ids: &[Id<Contact>], tx: &mut Tx<'_>) -> Result<()> {
    let (org_id, ids): (_, Vec<_>) = (tx.org_id(), ids.iter().map(|id| id.uuid()).collect());
    let needed: Option<String> = sqlx::query_scalar(
        "select display_name from contacts where org_id = $1 and id = any($2) and display_name = $3 limit 1",
    )
    .bind(org_id)
    .bind(ids)
    .bind(NEEDED)
    .fetch_optional(tx.db())
    .await?;
    match needed {
        Some(name) => Err(Error::conflict("NEEDED", format!("{name} is needed."), "Leave them where they are.")),
        None => Ok(()),
    }
}

/// Ask whether contacts may leave, as an action that removes them does after it locked them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Leave {
    /// The contacts.
    contact_ids: Vec<Id<Contact>>,
}
#[derive(Serialize, JsonSchema)]
struct Left {
    /// How many may.
    count: usize,
}
impl Action for Leave {
    const NAME: &str = "trial.leave";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::EVERYONE;
    type Output = Left;
    fn example() -> Value {
        json!({"contact_ids": ["01970000-0000-7000-8000-000000000001"]})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Left> {
        for id in &self.contact_ids {
            tx.lock(*id, None).await?;
        }
        tx.leaving(&self.contact_ids).await?;
        let of_other_kind: Vec<Id<Note>> = self.contact_ids.iter().map(|id| id.uuid().into()).collect();
        tx.leaving(&of_other_kind).await?;
        Ok(Left { count: self.contact_ids.len() })
    }
}

#[tokio::test]
async fn a_guard_is_asked_about_the_rows_of_its_entity_and_its_objection_is_the_answer() {
    let desk = desk().await;
    let agent = desk.agent().await;
    let (jane, keeper) = (agent.contact("Jane", json!({})).await, agent.contact(NEEDED, json!({})).await);
    let left = agent.call("trial.leave", json!({"contact_ids": [jane]})).await.ok();
    assert_eq!(left["count"], 1);
    let error = agent.call("trial.leave", json!({"contact_ids": [jane, keeper]})).await.refused("NEEDED");
    assert_eq!(error["message"], "Keeper is needed.");
    agent.dry_run("trial.leave", json!({"contact_ids": [keeper]})).await.refused("NEEDED");
}

#[tokio::test]
async fn an_undo_asks_the_guards_of_what_it_would_take_away() {
    let desk = desk().await;
    let owner = desk.owner().await;
    let person = |name: &str| json!({"kind": "person", "given_name": name});
    let made = done(owner.call("contact.create", person(NEEDED)).await);
    let before = desk.state().await;
    undo(&owner, &made).await.refused("NEEDED");
    assert_eq!(desk.state().await, before);
    let made = done(owner.call("contact.create", person("Jane")).await);
    undo(&owner, &made).await.ok();
}

#[tokio::test]
async fn an_undo_asks_too_where_a_row_would_leave_without_being_deleted_and_not_where_it_comes_back() {
    let desk = desk().await;
    let owner = desk.owner().await;
    let id = owner.contact(NEEDED, json!({})).await;
    let archived = done(owner.call("contact.archive", json!({"contact_id": id})).await);
    undo(&owner, &archived).await.ok();
    done(owner.call("contact.archive", json!({"contact_id": id})).await);
    let restored = done(owner.call("contact.restore", json!({"contact_id": id})).await);
    undo(&owner, &restored).await.refused("NEEDED");
}
