//! What the database says of references, in our words: what is referred to stays, and nothing refers to what is not there.

use capabilities::{Action, Domain, Effect, Entity, Id, PermissionClass, Result, Tx, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::desk::Desk;

struct Service;
impl Entity for Service {
    const NAME: &str = "service";
    const TABLE: &str = "services";
}
struct Ticket;
impl Entity for Ticket {
    const NAME: &str = "ticket";
    const TABLE: &str = "tickets";
}

#[derive(Serialize, JsonSchema)]
struct Done {
    /// What.
    id: Uuid,
}

/// Delete a service, whatever refers to it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Drop {
    /// The service.
    service_id: Id<Service>,
}
impl Action for Drop {
    const NAME: &str = "trial.drop";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::EVERYONE;
    type Output = Done;
    fn example() -> Value {
        json!({"service_id": "01970000-0000-7000-8000-000000000001"})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Done> {
        let (org_id, id) = (tx.org_id(), self.service_id.uuid());
        let delete = sqlx::query("delete from services where org_id = $1 and id = $2");
        delete.bind(org_id).bind(id).execute(tx.db()).await?;
        Ok(Done { id })
    }
}

/// Bill a ticket to anybody, whether they are there or not.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Bill {
    /// The ticket.
    ticket_id: Id<Ticket>,
    /// To whom.
    to: Uuid,
}
impl Action for Bill {
    const NAME: &str = "trial.bill";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::EVERYONE;
    type Output = Done;
    fn example() -> Value {
        json!({"ticket_id": "01970000-0000-7000-8000-000000000001", "to": "01970000-0000-7000-8000-000000000002"})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Done> {
        let (org_id, id) = (tx.org_id(), self.ticket_id.uuid());
        let update = sqlx::query("update tickets set bill_to_contact_id = $3 where org_id = $1 and id = $2");
        update.bind(org_id).bind(id).bind(self.to).execute(tx.db()).await?;
        Ok(Done { id })
    }
}

async fn desk() -> Desk {
    let mut domains = handlers::domains();
    domains.push(Domain::new("trial", "What no domain does").action::<Drop>().action::<Bill>());
    Desk::with(domains).await
}

#[tokio::test]
async fn what_something_refers_to_is_in_use_and_stays() {
    let desk = desk().await;
    let (owner, standing) = (desk.owner().await, desk.sample("ticket").await);
    let service = json!({"service_id": standing.id("service_id")});
    let before = desk.state().await;
    let reply = owner.call("trial.drop", service.clone()).await;
    assert_eq!(reply.0.status, 409);
    let error = reply.refused("IN_USE");
    assert_eq!(error["message"], "It cannot go: line items refer to it.");
    assert_eq!(error["retry"], "after_fixing");
    assert!(error["hint"].as_str().unwrap().contains("archive"), "{error}");
    owner.dry_run("trial.drop", service).await.refused("IN_USE");
    assert_eq!(desk.state().await, before);

    let unused = desk.sample("service").await;
    owner.call("trial.drop", json!({"service_id": unused.id("service_id")})).await.ok();
}

#[tokio::test]
async fn nothing_refers_to_what_is_not_there() {
    let desk = desk().await;
    let (owner, standing) = (desk.owner().await, desk.sample("ticket").await);
    let to_nobody = json!({"ticket_id": standing.id("ticket_id"), "to": Uuid::from_u128(7)});
    let before = desk.state().await;
    let error = owner.call("trial.bill", to_nobody).await.refused("NOT_FOUND");
    assert_eq!(error["message"], "There is no such record to refer to.");
    assert_eq!(desk.state().await, before);
}
