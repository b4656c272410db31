//! What an undo cannot bring back, or stops in time: mail that went out, is in hand or still waits, and work for later.

use capabilities::world::Mail;
use capabilities::{
    Action, Delivery, Domain, Effect, Entity, Errand, Id, PermissionClass, Result, Tx, Undelivered, Who,
};
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::desk::Desk;
use crate::smtp::MailServer;
use crate::undo::{done, jane, undo};

/// Tell a contact something by mail, and look after a week whether it helped.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Tell {
    /// Whom.
    contact_id: Id<Contact>,
}
struct Contact;
impl Entity for Contact {
    const NAME: &str = "contact";
    const TABLE: &str = "contacts";
}
#[derive(Serialize, JsonSchema)]
struct Told {
    /// When.
    at: DateTime<Utc>,
}
impl Action for Tell {
    const NAME: &str = "trial.tell";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = Told;
    fn example() -> Value {
        json!({"contact_id": "01970000-0000-7000-8000-000000000001"})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Told> {
        let (org_id, contact) = (tx.org_id(), self.contact_id.uuid());
        sqlx::query("update contacts set tags = '{told}' where org_id = $1 and id = $2")
            .bind(org_id)
            .bind(contact)
            .execute(tx.db())
            .await?;
        tx.errand(&Letter { to: "jane@example.com".into() }).await?;
        tx.later(tx.now() + TimeDelta::days(7), &Look { contact_id: self.contact_id }).await?;
        Ok(Told { at: tx.now() })
    }
}
/// Look whether it helped.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Look {
    /// Whom.
    contact_id: Id<Contact>,
}
impl Action for Look {
    const NAME: &str = "trial.look";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = Told;
    fn example() -> Value {
        json!({"contact_id": "01970000-0000-7000-8000-000000000001"})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Told> {
        let (org_id, contact) = (tx.org_id(), self.contact_id.uuid());
        sqlx::query("update contacts set preferred_time = 'morning' where org_id = $1 and id = $2")
            .bind(org_id)
            .bind(contact)
            .execute(tx.db())
            .await?;
        Ok(Told { at: tx.now() })
    }
}
#[derive(Serialize, Deserialize)]
struct Letter {
    to: String,
}
impl Errand for Letter {
    const KIND: &'static str = "trial_letter";
    const SERVICE: &'static str = "mail";
    const MADE_UP_FOR_BY: Option<&'static str> = Some("Write to them again with trial.tell.");
    fn summary(&self) -> String {
        "News for a contact".into()
    }
    async fn deliver(&self, _: &Delivery<'_>) -> std::result::Result<(), Undelivered> {
        Ok(())
    }
}

async fn telling() -> (Desk, MailServer) {
    let server = MailServer::start().await;
    let mail = Mail::smtp(&server.url(), "office@rocketcity.example").unwrap();
    let mut domains = handlers::domains();
    domains.push(Domain::new("trial", "Telling").action::<Tell>().action::<Look>().errand::<Letter>());
    (Desk::mailing(domains, mail).await, server)
}

async fn states(desk: &Desk, table: &str) -> Vec<String> {
    let states = format!("select state from {table} where org_id = $1 order by id");
    sqlx::query_scalar(AssertSqlSafe(states)).bind(desk.org).fetch_all(&mut desk.sql().await).await.unwrap()
}

#[tokio::test]
async fn what_has_not_gone_out_is_withdrawn_and_what_is_due_later_is_dropped() {
    let (desk, _server) = telling().await;
    let owner = desk.owner().await;
    let (jane, _) = jane(&owner).await;
    let call = done(owner.call("trial.tell", json!({"contact_id": jane})).await);
    let reply = undo(&owner, &call).await;
    assert_eq!(reply.warning_codes(), ["withdrawn", "job_dropped"]);
    let back = reply.0.meta.request_id.to_string();
    let undone = reply.ok();
    assert_eq!(
        undone["withdrawn"],
        json!([
            "This had not gone out and never will: News for a contact (to jane@example.com).",
            "A trial.look was due at 2030-01-14 03:00 and will not be done.",
        ])
    );
    assert_eq!(undone["stays"], json!([]));
    desk.pass(TimeDelta::days(8));
    desk.work().await;
    assert_eq!(
        (states(&desk, "errands").await, states(&desk, "jobs").await),
        (vec!["withdrawn".into()], vec!["dropped".into()])
    );
    assert_eq!(owner.get("contacts", &jane).await.ok()["preferred_time"], "any");
    // An undo of the undo brings the rows back, and says that the mail stays withdrawn.
    let again = undo(&owner, &back).await;
    assert_eq!(again.warning_codes(), ["stays_withdrawn", "stays_withdrawn"]);
    again.ok();
    assert_eq!(owner.get("contacts", &jane).await.ok()["tags"], json!(["told"]));
    assert_eq!(states(&desk, "errands").await, ["withdrawn"]);
}

#[tokio::test]
async fn what_went_out_and_what_came_of_it_are_named() {
    let (desk, _server) = telling().await;
    let owner = desk.owner().await;
    let (jane, _) = jane(&owner).await;
    let call = done(owner.call("trial.tell", json!({"contact_id": jane})).await);
    let plan = owner.dry_run("audit.undo", json!({"call_id": call})).await.ok()["result"]["plan"].clone();
    desk.work().await;
    // What was shown was that the mail would be withdrawn.
    owner.call("audit.undo", json!({"call_id": call, "plan": plan})).await.refused("PLAN_CHANGED");
    desk.pass(TimeDelta::days(8));
    desk.work().await;
    let reply = undo(&owner, &call).await;
    assert_eq!(reply.warning_codes(), ["delivered", "led_to"]);
    assert_eq!(
        reply.ok()["stays"],
        json!([
            "This went out at 2030-01-07 03:00 and stays out: News for a contact (to jane@example.com). Write to them again \
             with trial.tell.",
            "It led to trial.look at 2030-01-15 03:00, which stays until that is undone.",
        ])
    );
    assert_eq!(states(&desk, "errands").await, ["done"]);
    let now = owner.get("contacts", &jane).await.ok();
    assert_eq!((&now["tags"], &now["preferred_time"]), (&json!(["vip"]), &json!("morning")));
}

#[tokio::test]
async fn a_mail_that_somebody_has_in_hand_is_said_to_be_going_out() {
    let (desk, _server) = telling().await;
    let owner = desk.owner().await;
    let (jane, _) = jane(&owner).await;
    let call = done(owner.call("trial.tell", json!({"contact_id": jane})).await);
    let claim = "update errands set claimed_until = $2, attempts = 1 where org_id = $1";
    let until = desk.office.clock().now() + TimeDelta::seconds(90);
    sqlx::query(claim).bind(desk.org).bind(until).execute(&mut desk.sql().await).await.unwrap();
    let reply = undo(&owner, &call).await;
    assert_eq!(reply.warning_codes(), ["job_dropped", "in_hand"]);
    assert_eq!(states(&desk, "errands").await, ["recorded"]);
}
