//! A transaction on behalf of one organization and one call: the only way to the tables.

mod alerts;
pub(crate) mod call_log;
pub(crate) mod facts;
pub(crate) mod listen;
mod money;
pub(crate) mod references;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::answer::{Recorded, Warning};
use crate::callers::kept::Kept;
use crate::callers::{Actor, Caller, Credential, OrgFacts};
use crate::error::{Error, Result};
use crate::policy::Judgement;
use crate::tx::facts::{ActionFacts, ErrandFacts, Inputs};
use crate::values::ids::{Entity, Id};
use crate::world::World;

/// A future that may be sent to another thread and answers by whoever made it.
pub(crate) type Boxed<'t, T> = Pin<Box<dyn Future<Output = T> + Send + 't>>;

/// The world, the address and the declarations, from which transactions are opened.
pub(crate) struct Ground {
    pub world: World,
    /// Where people find the pages, without a slash at the end.
    pub address: String,
    pub dispatch: Arc<dyn Dispatch>,
    /// Who called a moment ago.
    pub kept: Arc<Kept>,
}

impl Ground {
    /// Where a person decides a request.
    pub fn review_url(&self, authorization: Uuid) -> String {
        format!("{}/queue/{authorization}", self.address)
    }
}

/// What is declared, for whoever has a transaction and a name and no declarations: the registry answers it.
pub(crate) trait Dispatch: Send + Sync {
    /// The facts of an action; an error names those that are like it.
    fn action(&self, name: &str) -> Result<ActionFacts>;

    /// The facts of a kind of errand, if some domain lists it.
    fn errand(&self, kind: &str) -> Option<ErrandFacts>;

    /// Carries out an action, its steps judged with the call that is running.
    fn run<'t>(&'t self, action: &'t str, inputs: Inputs<'t>, tx: &'t mut Tx<'_>) -> Boxed<'t, Result<Value>>;

    /// What an action answered with, without what is shown once.
    fn without_secrets(&self, action: &str, output: Value) -> Value;

    /// Asks the guards of a table whether these rows may leave.
    fn leaving<'t>(&'t self, table: &'t str, ids: &'t [Uuid], tx: &'t mut Tx<'_>) -> Boxed<'t, Result<()>>;

    /// The names that are like `name`, of actions if it has a dot and of domains if not; none if it is one itself.
    fn misnamed(&self, name: &str) -> Option<Vec<String>>;
}

/// Rows of another table that refer to a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// The table.
    pub table: String,
    /// Its column.
    pub column: String,
    /// Whether they would be deleted along.
    pub cascades: bool,
    /// How many.
    pub rows: i64,
    /// How many of them do not change any more, and so can neither go along nor refer to another row.
    pub closed: i64,
}

const PLAN_EACH_TIME: &str = "set local plan_cache_mode = force_custom_plan";

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading by ids and keys, by plans that are kept. It cannot write, whatever runs in it.
    Read,
    /// Reading lists too, each of whose statements is planned for its own values.
    List,
    /// The same for several questions: it sees one moment.
    Snapshot,
    /// Changing; where it reads a list, it goes over to plans for its own values. Whoever writes must still be let in.
    Write,
    /// Writes what was refused or decided, also of somebody who was shown out meanwhile.
    Note,
}

/// A running transaction: knows its organization, call, caller and time.
pub struct Tx<'a> {
    transaction: Transaction<'static, Postgres>,
    ground: &'a Ground,
    now: DateTime<Utc>,
    plans_each_time: bool,
    pub(crate) running: Running,
    /// Whether it tells others of something.
    has_news: bool,
    /// The calls that were carried out inside this one, as their own: an approved request inside the decision.
    pub(crate) inner_calls: Vec<InnerCall>,
}

/// A call that was carried out inside another one.
pub(crate) struct InnerCall {
    pub id: Uuid,
    pub action: &'static str,
    pub took: Duration,
}

/// The call that is being carried out: who makes it, and what comes of it besides rows.
pub(crate) struct Running {
    pub caller: Caller,
    pub call_id: Uuid,
    pub judgement: Judgement,
    pub warnings: Vec<Warning>,
    /// Whether the warnings are part of the plan that is approved: of an undo, which mail is out and which withdrawn.
    pub warnings_bind: bool,
    pub errands: Vec<Recorded>,
    /// The authorization it asks for, decides or carries out, and the rule it makes or goes by: for its line in the log.
    pub authorization_id: Option<Uuid>,
    pub rule_id: Option<Uuid>,
    /// Rows that leave all together, of whatever table.
    pub leaving: Vec<Uuid>,
    /// New ids in the order in which they were given out: two runs of one plan differ in nothing else.
    minted: Mutex<Vec<Uuid>>,
}

impl Running {
    pub fn new(caller: Caller, call_id: Uuid) -> Self {
        Self {
            caller,
            call_id,
            judgement: Judgement::mild(),
            warnings: Vec::new(),
            warnings_bind: false,
            errands: Vec::new(),
            authorization_id: None,
            rule_id: None,
            leaving: Vec::new(),
            minted: Mutex::default(),
        }
    }

    pub fn minted(&self) -> Vec<Uuid> {
        self.minted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<'a> Tx<'a> {
    /// Opens a transaction of its own, for what is no call of a caller: administration, signing in, work.
    pub(crate) async fn begin(ground: &'a Ground, caller: &Caller, access: Access) -> Result<Self> {
        let now = ground.world.clock.now();
        Self::open(ground, caller, access, ground.world.ids.next(now), now).await
    }

    /// Opens a transaction for a call, in one message.
    pub(crate) async fn open(
        ground: &'a Ground,
        caller: &Caller,
        access: Access,
        call_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        Ok(Self {
            transaction: ground.world.database.begin(opening(access, caller, call_id, now)).await?,
            ground,
            now,
            plans_each_time: matches!(access, Access::List | Access::Snapshot),
            running: Running::new(caller.clone(), call_id),
            has_news: false,
            inner_calls: Vec::new(),
        })
    }

    /// Undoes all that was done and begins anew, in one message: as if the call had not run yet.
    pub(crate) async fn begin_anew(&mut self) -> Result<()> {
        let (caller, call_id) = (self.caller().clone(), self.call_id());
        let statement = format!("rollback; {}", opening(Access::Write, &caller, call_id, self.now));
        self.running = Running::new(caller, call_id);
        self.has_news = false;
        self.inner_calls.clear();
        self.command(statement).await
    }

    /// The connection, for `query_as!(…).fetch_one(tx.db())`. Every statement names `org_id = $1`.
    pub fn db(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// The organization's id, `$1` of every statement.
    #[must_use]
    pub fn org_id(&self) -> Uuid {
        self.running.caller.org().id
    }

    /// Time zone, currency and country of the organization.
    #[must_use]
    pub fn org(&self) -> &OrgFacts {
        self.running.caller.org()
    }

    pub(crate) fn ground(&self) -> &'a Ground {
        self.ground
    }

    /// Who acts.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.running.caller
    }

    /// The call everything written here belongs to.
    #[must_use]
    pub fn call_id(&self) -> Uuid {
        self.running.call_id
    }

    /// The time of the call; the same throughout.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// A new id.
    pub fn new_id<T: Entity>(&self) -> Id<T> {
        self.next_id().into()
    }

    pub(crate) fn next_id(&self) -> Uuid {
        let id = self.ground.world.ids.next(self.now);
        self.running.minted.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        id
    }

    /// Locks a row for the rest of the call and checks that it is the version the caller knows, so that two changes at
    /// once never overwrite each other.
    pub async fn lock<T: Entity>(&mut self, id: Id<T>, expected_version: Option<i32>) -> Result<()> {
        let statement = format!("select version from {} where org_id = $1 and id = $2 for update", T::TABLE);
        let current: Option<i32> = sqlx::query_scalar(AssertSqlSafe(statement))
            .bind(self.org_id())
            .bind(id.uuid())
            .fetch_optional(self.db())
            .await?;
        Error::unless_version(current.ok_or_else(|| Error::not_found::<T>(id))?, expected_version)
    }

    /// Tells the caller something although the call goes through.
    pub fn warn(&mut self, code: &'static str, message: impl Into<String>, about: Option<Value>) {
        self.running.warnings.push(Warning { code: code.into(), message: message.into(), about });
    }

    /// Everything that refers to a row, by the foreign keys of the schema: also from domains this one does not know.
    pub async fn referrers<T: Entity>(&mut self, id: Id<T>) -> Result<Vec<Referrer>> {
        Ok(sqlx::query_as!(
            Referrer,
            r#"
            select table_name as "table!", column_name as "column!", cascades as "cascades!", rows as "rows!",
                   closed as "closed!"
            from frontdesk.referrers($1, $2)
            "#,
            T::TABLE,
            id.uuid()
        )
        .fetch_all(self.db())
        .await?)
    }

    /// From here on each statement is planned for its own values. `($2 is null or …)` folds away only when the value is known:
    /// a plan that is kept for all values would read the whole organization.
    pub(crate) async fn plan_each_time(&mut self) -> Result<()> {
        if !self.plans_each_time {
            self.command(PLAN_EACH_TIME).await?;
            self.plans_each_time = true;
        }
        Ok(())
    }

    /// Goes back to a savepoint; what was set since is as it was then.
    pub(crate) async fn go_back(&mut self, rollback_to_savepoint: &'static str) -> Result<()> {
        self.plans_each_time = false;
        self.command(rollback_to_savepoint).await
    }

    /// Statements that take nothing and answer nothing, such as a savepoint, in one message. Nothing a stranger wrote may be
    /// in them: they are sent as they are, because what is prepared is prepared for good.
    pub(crate) async fn command(&mut self, statements: impl Into<String>) -> Result<()> {
        sqlx::raw_sql(AssertSqlSafe(statements.into())).execute(self.db()).await?;
        Ok(())
    }

    /// Something in it concerns those who wait or who call.
    fn tells_others(&mut self) {
        self.has_news = true;
    }

    /// Ends a call that was carried out. One that only looked is dropped: its rollback goes with the next message of the
    /// connection, so nobody waits for it.
    pub(crate) async fn commit(self) -> Result<()> {
        let org = self.org_id();
        let committed = self.transaction.commit().await;
        if self.has_news {
            // Others hear of it. Whoever has the answer must not meet what was true before.
            self.ground.kept.forget(org);
        }
        committed.map_err(|error| match Error::from(error) {
            Error::Unavailable { cause, .. } => Error::Unconfirmed { cause },
            other => other,
        })
    }
}

/// The message that opens a transaction: ids and times that were parsed, and nothing that somebody wrote. The settings are
/// utility statements, because a sharded database passes on nothing else. What stands before `begin` is in the transaction
/// too; an error there leaves none open.
fn opening(access: Access, caller: &Caller, call_id: Uuid, now: DateTime<Utc>) -> String {
    let (org, time) = (caller.org().id, now.to_rfc3339());
    let settings = format!(
        "set local frontdesk.org_id = '{org}'; set local frontdesk.call_id = '{call_id}'; set local frontdesk.now = '{time}'"
    );
    match access {
        Access::Read => format!("begin read only; {settings}"),
        Access::List => format!("begin read only; {PLAN_EACH_TIME}; {settings}"),
        Access::Snapshot => format!("begin isolation level repeatable read read only; {PLAN_EACH_TIME}; {settings}"),
        Access::Write => format!("{settings}; {}begin", admission(caller)),
        Access::Note => format!("begin; {settings}"),
    }
}

/// A look at the rows of whoever writes, which is an error if they are not let in any more.
fn admission(caller: &Caller) -> String {
    match (&caller.actor, caller.credential) {
        (Actor::System(_), _) => String::new(),
        (Actor::Agent { id, .. }, Some(Credential::Token(hash))) => {
            let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("select frontdesk.admit_agent('{id}', '\\x{digits}'); ")
        }
        (Actor::Agent { id, .. }, _) => format!("select frontdesk.admit_agent('{id}', null); "),
        (Actor::User { id, role, .. }, Some(Credential::Session(session))) => {
            format!("select frontdesk.admit_user('{id}', '{}', '{session}'); ", role.name())
        }
        (Actor::User { id, role, .. }, _) => format!("select frontdesk.admit_user('{id}', '{}', null); ", role.name()),
    }
}
