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
use crate::callers::{Caller, OrgFacts};
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

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// A running transaction: knows its organization, call, caller and time.
pub struct Tx<'a> {
    transaction: Transaction<'static, Postgres>,
    ground: &'a Ground,
    now: DateTime<Utc>,
    pub(crate) running: Running,
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

    /// Opens a transaction for a call, in one round trip. One that only reads cannot write, whatever runs in it.
    pub(crate) async fn open(
        ground: &'a Ground,
        caller: &Caller,
        access: Access,
        call_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let begin = match access {
            Access::Write => "begin",
            Access::Read => "begin read only",
        };
        let (org, time) = (caller.org().id, now.to_rfc3339());
        let statement = format!("{begin}; select frontdesk.begin_call('{org}', '{call_id}', '{time}')");
        Ok(Self {
            transaction: ground.world.database.begin(statement).await?,
            ground,
            now,
            running: Running::new(caller.clone(), call_id),
            inner_calls: Vec::new(),
        })
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

    /// A statement that takes nothing and answers nothing, such as a savepoint.
    pub(crate) async fn command(&mut self, statement: &'static str) -> Result<()> {
        sqlx::query(statement).execute(self.db()).await?;
        Ok(())
    }

    pub(crate) async fn commit(self) -> Result<()> {
        self.transaction.commit().await.map_err(|error| match Error::from(error) {
            Error::Unavailable { cause, .. } => Error::Unconfirmed { cause },
            other => other,
        })
    }

    pub(crate) async fn roll_back(self) -> Result<()> {
        Ok(self.transaction.rollback().await?)
    }
}
