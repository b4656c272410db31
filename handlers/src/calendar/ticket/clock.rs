//! When somebody worked on a ticket. Each stretch is a span; several add up. What was forgotten is shown as running and
//! never guessed.

use capabilities::{Action, Data, Effect, Error, Id, Ids, Parent, PermissionClass, Result, Tx, When, Who, said};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::locking::Locked;
use crate::entities::{ClockSpan, Ticket, User};
use crate::house::user::Users;

/// Stretches of work on tickets; one without an end is running.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockSpans {
    /// Only those on this ticket.
    ticket_id: Option<Ids<Ticket>>,
    /// Only those of this user.
    technician_id: Option<Id<User>>,
    /// Only clocks that are running (true), or only those that were stopped (false).
    running: Option<bool>,
}

/// A stretch of work on a ticket.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SpanRow {
    /// The span.
    pub id: Uuid,
    /// The ticket.
    pub ticket_id: Uuid,
    /// Who worked.
    pub technician_id: Uuid,
    /// The name of who worked.
    name: String,
    /// When it began, UTC.
    pub started_at: DateTime<Utc>,
    /// When it ended, UTC; absent while the clock runs.
    pub ended_at: Option<DateTime<Utc>>,
    /// How many minutes that were; absent while the clock runs.
    minutes: Option<i64>,
    /// Counts the changes.
    pub version: i32,
    /// When it was entered, UTC.
    pub created_at: DateTime<Utc>,
}

impl Data for ClockSpans {
    const NAME: &str = "clock_spans";
    const ONE: &str = "clock span";
    const WHO: Who = Who::EVERYONE;
    const SORTED_BY: &str = "when they were entered";
    const PARENTS: &[Parent] = &[Parent {
        of: "tickets",
        filter: "ticket_id",
        member: "ticket_id",
        children: "clock_spans",
        parent: Some("ticket"),
    }];
    type Row = SpanRow;

    capabilities::listing! {
        |spans, tx| SpanRow,
        select r#"s.id, s.ticket_id, s.user_id as technician_id, u.name as "name!", s.started_at, s.ended_at,
            trunc(extract(epoch from s.ended_at - s.started_at) / 60)::bigint as minutes, s.version, s.created_at"#
        from "clock_spans" as "s" with "join frontdesk.users u on u.org_id = $1 and u.id = s.user_id",
        oldest first,
        where "
            and ($6::uuid[] is null or ticket_id = any($6))
            and ($7::uuid is null or user_id = $7)
            and ($8::bool is null or (ended_at is null) = $8)"
            [spans.ticket_id.as_ref().map(Ids::uuids), spans.technician_id.map(Id::uuid), spans.running],
        beside "ticket_id"
    }
}

/// A technician's clock on a ticket in hand. Nobody else touches it meanwhile.
pub(super) struct Clock {
    pub ticket: Locked,
    technician: Id<User>,
    name: String,
}

/// Who clocks, and when.
struct Stroke {
    clock: Clock,
    at: DateTime<Utc>,
}

/// What both strokes of the clock say.
struct StrokeInput {
    ticket: Id<Ticket>,
    expected_version: Option<i32>,
    technician: Option<Id<User>>,
    at: Option<When>,
}

impl StrokeInput {
    async fn understood(self, tx: &mut Tx<'_>) -> Result<Stroke> {
        let technician = self.technician(tx)?;
        let ticket = Locked::open(self.ticket, self.expected_version, tx).await?;
        let clock = Clock::hold(ticket, technician, tx).await?;
        let at = match self.at {
            Some(at) => clock.past(at, "/at", tx)?,
            None => tx.now(),
        };
        Ok(Stroke { clock, at })
    }

    /// The one who is named, else the person who asks. A technician's clock is their own.
    fn technician(&self, tx: &Tx<'_>) -> Result<Id<User>> {
        let caller = tx.caller();
        let own = caller.role().and(caller.id()).map(Id::from);
        let technician = self.technician.or(own);
        let technician =
            technician.ok_or_else(|| Error::invalid("/technician_id", "is required: say whose clock it is"))?;
        match caller.only_own().is_some_and(|user| user != technician.uuid()) {
            true => Err(Error::Forbidden("A technician may start and stop only a clock of their own.".into())),
            false => Ok(technician),
        }
    }
}

/// A span of the technician on the ticket.
pub(super) struct Span {
    pub id: Uuid,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// A span as it was just written.
pub(super) struct Written {
    pub id: Uuid,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
}

impl Clock {
    /// Locks the technician after the ticket.
    pub async fn hold(ticket: Locked, technician: Id<User>, tx: &mut Tx<'_>) -> Result<Self> {
        let name = Users::hold(&[technician.uuid()], tx).await?.pop().map(|user| user.name).unwrap_or_default();
        Ok(Self { ticket, technician, name })
    }

    /// A time by the clock at the address, which must have come.
    pub fn past(&self, at: When, pointer: &str, tx: &Tx<'_>) -> Result<DateTime<Utc>> {
        let at = at.at(tx.org().zone_of(self.ticket.timezone.as_deref()), pointer)?;
        match at > tx.now() {
            true => Err(Error::invalid(pointer, "must not be in the future")),
            false => Ok(at),
        }
    }

    /// What was written, as a question for it would show it.
    pub fn row(self, span: &Written) -> SpanRow {
        SpanRow {
            id: span.id,
            ticket_id: self.ticket.id.uuid(),
            technician_id: self.technician.uuid(),
            name: self.name,
            started_at: span.started_at,
            ended_at: span.ended_at,
            minutes: span.ended_at.map(|end| (end - span.started_at).num_minutes()),
            version: span.version,
            created_at: span.created_at,
        }
    }

    /// The technician's spans on the ticket, in the order in which they began.
    pub async fn spans(&self, tx: &mut Tx<'_>) -> Result<Vec<Span>> {
        let org_id = tx.org_id();
        Ok(sqlx::query_as!(
            Span,
            r#"
            select id, started_at, ended_at
            from clock_spans
            where org_id = $1 and ticket_id = $2 and user_id = $3
            order by started_at, id
            "#,
            org_id,
            self.ticket.id.uuid(),
            self.technician.uuid()
        )
        .fetch_all(tx.db())
        .await?)
    }

    pub fn said(&self, at: DateTime<Utc>, tx: &Tx<'_>) -> String {
        said(at, tx.org().zone_of(self.ticket.timezone.as_deref()))
    }

    pub fn overlaps(&self, span: &Span, tx: &Tx<'_>) -> Error {
        let end = span.ended_at.map_or("now".into(), |end| self.said(end, tx));
        Error::conflict(
            "CLOCK_OVERLAP",
            format!("{} worked from {} to {end} already.", self.name, self.said(span.started_at, tx)),
            "Send a time that lies outside of that.",
        )
    }

    /// Somebody who works elsewhere at that moment has perhaps forgotten to stop the clock there.
    pub async fn warn_of_clocks_elsewhere(&self, tx: &mut Tx<'_>) -> Result<()> {
        let org_id = tx.org_id();
        let elsewhere = sqlx::query!(
            r#"
            select s.ticket_id, s.started_at, t.title
            from clock_spans s
            join tickets t on t.org_id = $1 and t.id = s.ticket_id
            where s.org_id = $1 and s.user_id = $2 and s.ended_at is null and s.ticket_id <> $3
            order by s.started_at
            limit 5
            "#,
            org_id,
            self.technician.uuid(),
            self.ticket.id.uuid()
        )
        .fetch_all(tx.db())
        .await?;
        for clock in elsewhere {
            let since = self.said(clock.started_at, tx);
            let message = format!(
                "The clock of {} is running on {} too, since {since}: if it was forgotten, ticket.clock_out with `at` stops \
                 it.",
                self.name, clock.title
            );
            tx.warn("clock_running_elsewhere", message, Some(json!({"ticket_id": clock.ticket_id})));
        }
        Ok(())
    }
}

/// Start a technician's clock on a ticket. The first one begins the work: the ticket is in progress.
///
/// Give `at` when it is entered later. Several spans of a technician add up. A technician starts only their own clock, on
/// tickets they are on.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockIn {
    /// The ticket.
    pub ticket_id: Id<Ticket>,
    /// Refuse if the ticket is at another version by now.
    pub expected_version: Option<i32>,
    /// Who begins; the person who asks, if left out.
    pub technician_id: Option<Id<User>>,
    /// When, by the clock at the address or with an offset; now if left out.
    pub at: Option<When>,
}

impl Action for ClockIn {
    const NAME: &str = "ticket.clock_in";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::EVERYONE;
    type Output = SpanRow;

    fn example() -> Value {
        json!({"technician_id": "…"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<SpanRow> {
        let Self { ticket_id, expected_version, technician_id, at } = self;
        let asked = StrokeInput { ticket: ticket_id, expected_version, technician: technician_id, at };
        let stroke = asked.understood(tx).await?;
        stroke.refuse_to_start(tx).await?;
        stroke.clock.warn_of_clocks_elsewhere(tx).await?;
        let (org_id, id, now) = (tx.org_id(), tx.new_id::<ClockSpan>(), tx.now());
        let span = sqlx::query_as!(
            Written,
            r#"
            insert into clock_spans (org_id, id, ticket_id, user_id, started_at, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $6)
            returning id, started_at, ended_at, version, created_at
            "#,
            org_id,
            id.uuid(),
            ticket_id.uuid(),
            stroke.clock.technician.uuid(),
            stroke.at,
            now
        )
        .fetch_one(tx.db())
        .await?;
        sqlx::query!(
            "update tickets set status = 'in_progress', version = version + 1 where org_id = $1 and id = $2",
            org_id,
            ticket_id.uuid()
        )
        .execute(tx.db())
        .await?;
        Ok(stroke.clock.row(&span))
    }
}

impl Stroke {
    async fn refuse_to_start(&self, tx: &mut Tx<'_>) -> Result<()> {
        if !self.clock.ticket.has(self.clock.technician.uuid(), tx).await? {
            return Err(Error::conflict(
                "TECHNICIAN_NOT_ASSIGNED",
                format!("{} is not on this ticket.", self.clock.name),
                "Put them on it first with ticket.assign.",
            ));
        }
        for span in self.clock.spans(tx).await? {
            match span.ended_at {
                None => {
                    return Err(Error::conflict(
                        "CLOCK_RUNNING",
                        format!(
                            "The clock of {} is running since {}.",
                            self.clock.name,
                            self.clock.said(span.started_at, tx)
                        ),
                        "Stop it first with ticket.clock_out, with `at` if it was forgotten.",
                    ));
                }
                Some(end) if span.started_at <= self.at && self.at < end => return Err(self.clock.overlaps(&span, tx)),
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The span that is running, which must have begun before and reach into no other.
    async fn running(&self, tx: &mut Tx<'_>) -> Result<Uuid> {
        let spans = self.clock.spans(tx).await?;
        let Some(running) = spans.iter().find(|span| span.ended_at.is_none()) else {
            return Err(Error::conflict(
                "CLOCK_NOT_RUNNING",
                format!("The clock of {} is not running on this ticket.", self.clock.name),
                "Start it with ticket.clock_in, with `at` if it is entered later.",
            ));
        };
        if self.at < running.started_at {
            let since = self.clock.said(running.started_at, tx);
            return Err(Error::invalid("/at", format!("must not be before the clock was started: {since}")));
        }
        let reaches_into = |span: &&Span| {
            let worked = |end| end > running.started_at && end > span.started_at;
            span.ended_at.is_some_and(worked) && span.started_at < self.at
        };
        match spans.iter().find(reaches_into) {
            Some(span) => Err(self.clock.overlaps(span, tx)),
            None => Ok(running.id),
        }
    }
}

/// Stop a technician's clock on a ticket.
///
/// Give `at` when it is entered later. A clock that was forgotten runs until somebody who knows says when the work ended. A
/// technician stops only their own clock.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockOut {
    /// The ticket.
    pub ticket_id: Id<Ticket>,
    /// Refuse if the ticket is at another version by now.
    pub expected_version: Option<i32>,
    /// Who is done; the person who asks, if left out.
    pub technician_id: Option<Id<User>>,
    /// When, by the clock at the address or with an offset; now if left out.
    pub at: Option<When>,
}

impl Action for ClockOut {
    const NAME: &str = "ticket.clock_out";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::EVERYONE;
    type Output = SpanRow;

    fn example() -> Value {
        json!({"technician_id": "…"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<SpanRow> {
        let Self { ticket_id, expected_version, technician_id, at } = self;
        let asked = StrokeInput { ticket: ticket_id, expected_version, technician: technician_id, at };
        let stroke = asked.understood(tx).await?;
        let running = stroke.running(tx).await?;
        let org_id = tx.org_id();
        let span = sqlx::query_as!(
            Written,
            r#"
            update clock_spans
            set ended_at = $3
            where org_id = $1 and id = $2
            returning id, started_at, ended_at, version, created_at
            "#,
            org_id,
            running,
            stroke.at
        )
        .fetch_one(tx.db())
        .await?;
        stroke.clock.ticket.count_change(tx).await?;
        Ok(stroke.clock.row(&span))
    }
}
