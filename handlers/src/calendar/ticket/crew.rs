//! Who works on a ticket.

use capabilities::{Action, Data, Effect, Error, Id, Ids, Parent, PermissionClass, Result, Tx, Who};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::TicketRow;
use super::calendar::{Technician, fit_in, lock_technicians};
use super::listing::load;
use super::locking::Locked;
use crate::entities::{Ticket, TicketTechnician, User};

/// Who works on tickets, and how long they did.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TicketTechnicians {
    /// Only those on this ticket.
    ticket_id: Option<Ids<Ticket>>,
    /// Only the places of this user.
    technician_id: Option<Id<User>>,
}

/// Somebody who works on a ticket.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TechnicianRow {
    /// The place on the ticket.
    id: Uuid,
    /// The ticket.
    ticket_id: Uuid,
    /// The user.
    technician_id: Uuid,
    /// The user's name.
    name: String,
    /// Minutes the user clocked on the ticket, as far as the clock was stopped.
    clocked_minutes: i64,
    /// Since when the user's clock runs, UTC; one that was forgotten runs until somebody says when it ended.
    clock_running_since_at: Option<DateTime<Utc>>,
    /// When the user was put on it, UTC.
    created_at: DateTime<Utc>,
}

impl Data for TicketTechnicians {
    const NAME: &str = "ticket_technicians";
    const ONE: &str = "ticket technician";
    const WHO: Who = Who::EVERYONE;
    const SORTED_BY: &str = "when they were put on the ticket";
    const PARENTS: &[Parent] = &[Parent {
        of: "tickets",
        filter: "ticket_id",
        member: "ticket_id",
        children: "technicians",
        parent: Some("ticket"),
    }];
    type Row = TechnicianRow;

    capabilities::listing! {
        |crew, tx| TechnicianRow,
        select r#"t.id, t.ticket_id, t.user_id as technician_id, u.name as "name!", c.minutes as "clocked_minutes!",
            c.running_since as clock_running_since_at, t.created_at"#
        from "ticket_technicians" as "t" with "
            join frontdesk.users u on u.org_id = $1 and u.id = t.user_id
            cross join lateral (
              select coalesce(extract(epoch from sum(s.ended_at - s.started_at))::bigint / 60, 0) as minutes,
                     min(s.started_at) filter (where s.ended_at is null) as running_since
              from clock_spans s
              where s.org_id = $1 and s.ticket_id = t.ticket_id and s.user_id = t.user_id
            ) c",
        oldest first,
        where "
            and ($6::uuid[] is null or ticket_id = any($6))
            and ($7::uuid is null or user_id = $7)"
            [crew.ticket_id.as_ref().map(Ids::uuids), crew.technician_id.map(Id::uuid)],
        beside "ticket_id"
    }
}

/// Put technicians on a ticket, besides those who are on it.
///
/// Refused with `TECHNICIAN_BUSY` when one of them has another visit at that time, which `allow_overlap: true` overrides.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assign {
    /// The ticket.
    pub ticket_id: Id<Ticket>,
    /// Refuse if the ticket is at another version by now.
    pub expected_version: Option<i32>,
    /// Who works on it: users of the business.
    #[schemars(length(min = 1, max = 20))]
    pub technician_ids: Vec<Id<User>>,
    /// Put them on it although one has another visit at that time.
    #[serde(default)]
    pub allow_overlap: bool,
}

impl Action for Assign {
    const NAME: &str = "ticket.assign";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = TicketRow;

    async fn run(self, tx: &mut Tx<'_>) -> Result<TicketRow> {
        let ticket = Locked::open(self.ticket_id, self.expected_version, tx).await?;
        let known = ticket.technicians(tx).await?;
        let mut technicians = lock_technicians(&self.technician_ids, tx).await?;
        technicians.retain(|technician| !known.contains(&technician.id));
        technicians.iter().try_for_each(Technician::refuse_deactivated)?;
        fit_in(ticket.visit(), &technicians, self.allow_overlap, tx).await?;
        if !technicians.is_empty() {
            put_on(self.ticket_id, &technicians, tx).await?;
            ticket.count_change(tx).await?;
        }
        load(self.ticket_id, tx).await
    }
}

/// Puts users on a ticket who are not on it yet.
pub(super) async fn put_on(ticket: Id<Ticket>, technicians: &[Technician], tx: &mut Tx<'_>) -> Result<()> {
    let (org_id, now) = (tx.org_id(), tx.now());
    let ids: Vec<Uuid> = technicians.iter().map(|_| tx.new_id::<TicketTechnician>().uuid()).collect();
    let users: Vec<Uuid> = technicians.iter().map(|technician| technician.id).collect();
    sqlx::query!(
        r#"
        insert into ticket_technicians (org_id, id, ticket_id, user_id, created_at, updated_at)
        select $1, one.id, $2, one.user_id, $3, $3
        from unnest($4::uuid[], $5::uuid[]) as one (id, user_id)
        "#,
        org_id,
        ticket.uuid(),
        now,
        &ids,
        &users
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// Take technicians off a ticket. What they clocked on it stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unassign {
    /// The ticket.
    pub ticket_id: Id<Ticket>,
    /// Refuse if the ticket is at another version by now.
    pub expected_version: Option<i32>,
    /// Who does not work on it after all.
    #[schemars(length(min = 1, max = 20))]
    pub technician_ids: Vec<Id<User>>,
}

impl Action for Unassign {
    const NAME: &str = "ticket.unassign";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = TicketRow;

    async fn run(self, tx: &mut Tx<'_>) -> Result<TicketRow> {
        let ticket = Locked::open(self.ticket_id, self.expected_version, tx).await?;
        let technicians = lock_technicians(&self.technician_ids, tx).await?;
        self.refuse_running_clocks(&technicians, tx).await?;
        let org_id = tx.org_id();
        let users: Vec<Uuid> = technicians.iter().map(|technician| technician.id).collect();
        let gone = sqlx::query!(
            "delete from ticket_technicians where org_id = $1 and ticket_id = $2 and user_id = any($3)",
            org_id,
            self.ticket_id.uuid(),
            &users
        )
        .execute(tx.db())
        .await?;
        if gone.rows_affected() > 0 {
            ticket.count_change(tx).await?;
        }
        load(self.ticket_id, tx).await
    }
}

impl Unassign {
    async fn refuse_running_clocks(&self, technicians: &[Technician], tx: &mut Tx<'_>) -> Result<()> {
        let org_id = tx.org_id();
        let running = sqlx::query_scalar!(
            "select user_id from clock_spans where org_id = $1 and ticket_id = $2 and ended_at is null",
            org_id,
            self.ticket_id.uuid()
        )
        .fetch_all(tx.db())
        .await?;
        match technicians.iter().find(|technician| running.contains(&technician.id)) {
            None => Ok(()),
            Some(technician) => Err(Error::conflict(
                "CLOCK_RUNNING",
                format!("The clock of {} is running on this ticket.", technician.name),
                "Stop it first with ticket.clock_out, with `at` if it was forgotten.",
            )),
        }
    }
}
