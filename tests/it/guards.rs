//! How a domain objects to what happens below it, shown on contacts that a domain of its own guards; and that nothing which
//! the product guards leaves unasked.

use std::collections::BTreeSet;
use std::sync::Mutex;

use capabilities::{Action, Domain, Effect, Entity, Error, Id, LEAVES_BY, PermissionClass, Result, Tx, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::desk::Desk;
use crate::layers::none;
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
    let id = owner.contact("Jane", json!({})).await;
    let this = json!({"contact_id": id});
    let named =
        async |name: &str| owner.call("contact.update", json!({"contact_id": id, "given_name": name})).await.ok();
    let archived = done(owner.call("contact.archive", this.clone()).await);
    named(NEEDED).await;
    undo(&owner, &archived).await.ok();
    owner.call("contact.archive", this.clone()).await.refused("NEEDED");
    named("Jane").await;
    done(owner.call("contact.archive", this.clone()).await);
    let restored = done(owner.call("contact.restore", this).await);
    named(NEEDED).await;
    undo(&owner, &restored).await.refused("NEEDED");
}

#[tokio::test]
async fn what_leaves_together_does_not_stand_against_itself() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let wish = json!({
        "customer": {"name": "Mary Jones", "street": "1 Elm Street", "city": "Madison"}, "create_customer": true,
        "wish": "2030-01-08"
    });
    let reply = owner.call("workflow.schedule_appointment", wish).await;
    let booked = reply.0.meta.request_id.to_string();
    let visit = reply.ok()["ticket"].clone();
    let remove = json!({"address_id": visit["address_id"]});
    owner.call("address.remove", remove).await.refused("ADDRESS_IN_USE");
    undo(&owner, &booked).await.ok();
    assert_eq!((desk.count("tickets").await, desk.count("addresses").await), (0, 0));
}

struct Address;
impl Entity for Address {
    const NAME: &str = "address";
    const TABLE: &str = "addresses";
}

/// What the watch below was asked about.
static ASKED: Mutex<BTreeSet<Uuid>> = Mutex::new(BTreeSet::new());

async fn note_down<E: Entity>(ids: &[Id<E>], _: &mut Tx<'_>) -> Result<()> {
    ASKED.lock().unwrap().extend(ids.iter().map(|id| id.uuid()));
    Ok(())
}

/// The product's domains, and above them one that notes down whatever leaves of what they guard, and of what that is part of.
fn watched() -> Vec<Domain> {
    let mut domains = handlers::domains();
    let guarded: BTreeSet<&str> = domains.iter().flat_map(|domain| &domain.guards).map(|guard| guard.table).collect();
    assert_eq!(guarded, BTreeSet::from([Address::TABLE]), "what is guarded is watched here");
    domains.push(
        Domain::new("watch", "Notes down what leaves")
            .guards::<Address>(|ids, tx| Box::pin(note_down(ids, tx)))
            .guards::<Contact>(|ids, tx| Box::pin(note_down(ids, tx))),
    );
    domains
}

#[tokio::test]
async fn nothing_that_is_guarded_leaves_unasked_by_itself_or_with_what_it_is_part_of() {
    let desk = Desk::with(watched()).await;
    for action in desk.office.registry().actions() {
        let (standing, input) = desk.sample_for(action).await;
        standing.doer(&desk, action).await.call_because(action.name, input).await.ok();
    }
    let removed = LEAVES_BY.map(|column| format!("new_values ->> '{column}' is not null")).join(" or ");
    let left = format!(
        "select l.row_id, l.subject_contact_id, c.action from row_log l \
         join call_log c on c.org_id = l.org_id and c.id = l.call_id \
         where l.org_id = $1 and l.table_name = 'addresses' and (l.change = 'deleted' or {removed})"
    );
    let left: Vec<(Uuid, Option<Uuid>, String)> =
        sqlx::query_as(AssertSqlSafe(left)).bind(desk.org).fetch_all(&mut desk.sql().await).await.unwrap();
    let by: BTreeSet<&str> = left.iter().map(|(_, _, action)| action.as_str()).collect();
    assert!(by.contains("address.remove") && by.contains("contact.delete"), "{by:?}");
    let asked = ASKED.lock().unwrap();
    let unasked =
        left.iter().filter(|(id, whole, _)| !asked.contains(id) && whole.is_none_or(|id| !asked.contains(&id)));
    none(&unasked.map(|(id, _, action)| format!("address {id} left by {action}")).collect::<Vec<_>>());
}
