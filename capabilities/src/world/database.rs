//! PostgreSQL as the service sees it: a pool of connections logged in as a role that row security binds.
//!
//! The pool is private to the kernel: a [`crate::Tx`] is the only way to the tables of an organization.

use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions, Postgres};
use sqlx::{AssertSqlSafe, Connection as _};
use uuid::Uuid;

use crate::world::database_errors::read_constraint_texts;

/// As many statements as the program has stay prepared on each connection; one more than that is prepared anew each time.
const STATEMENTS: usize = 512;
/// How long a connection that was in order is taken to be so.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// How long one waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// A connection is kept long, used or not: a new one has every statement to prepare again.
const UNUSED_FOR: Duration = Duration::from_secs(60 * 60);
const LIFETIME: Duration = Duration::from_secs(4 * 60 * 60);

/// Why a database cannot be served from.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Not reachable, or not migrated.
    #[error("the database cannot be used: {0}")]
    Sql(#[from] sqlx::Error),
    /// Row security would not bind this login.
    #[error(
        "refusing to serve as `{role}`: it {why}, so row level security would not separate organizations. \
         Give DATABASE_URL the login frontdesk_app and DATABASE_OWNER_URL the owner's"
    )]
    Unbound {
        /// The login.
        role: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// The service's connections.
#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
    /// For the one that listens, who keeps it.
    listening: PgPool,
}

impl Database {
    /// Connects and checks that row security binds the login. There are never fewer connections than the range begins with,
    /// and one more than it ends with once somebody listens.
    pub async fn open(options: PgConnectOptions, connections: RangeInclusive<u32>) -> Result<Self, DatabaseError> {
        // Plans are kept; a transaction that reads lists asks for new ones when it opens. The word similarity threshold is
        // what still counts as a misspelling.
        let options = options.statement_cache_capacity(STATEMENTS).options([
            ("plan_cache_mode", "auto"),
            ("pg_trgm.word_similarity_threshold", "0.5"),
            ("timezone", "UTC"),
            // Questions here are small; compiling them or spreading them over workers costs more than it saves.
            ("jit", "off"),
            ("max_parallel_workers_per_gather", "0"),
            // A statement or a client that hangs must not hold its locks for ever.
            ("statement_timeout", "30s"),
            ("idle_in_transaction_session_timeout", "60s"),
        ]);
        let pool = PgPoolOptions::new()
            .min_connections(*connections.start())
            .max_connections(*connections.end())
            .acquire_timeout(PATIENCE)
            .idle_timeout(UNUSED_FOR)
            .max_lifetime(LIFETIME)
            // Each connection is asked whether it lives when it is given back; asking again before its next use would cost
            // a round trip, and tells something new only after a while.
            .test_before_acquire(false)
            .before_acquire(|connection, known| {
                Box::pin(async move {
                    if known.idle_for > TRUSTED_FOR {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_with(options.clone())
            .await?;
        refuse_unbound(&pool).await?;
        read_constraint_texts(&pool).await?;
        let listening = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect_lazy_with(options);
        Ok(Self { pool, listening })
    }

    /// Whether it answers, within a second or so.
    pub async fn answers(&self) -> bool {
        let ask = sqlx::query("select 1").execute(&self.pool);
        matches!(tokio::time::timeout(Duration::from_secs(2), ask).await, Ok(Ok(_)))
    }

    /// The organizations, oldest first.
    pub(crate) async fn org_ids(&self) -> Result<Vec<Uuid>, sqlx::Error> {
        sqlx::query_scalar!(r#"select org_id as "id!" from frontdesk.org_ids()"#).fetch_all(&self.pool).await
    }

    /// The organizations after `past`, in the order of their ids, that have an errand due for a service, or without one for
    /// any that is not among `beside`. Accounts in `resting` are left alone.
    pub(crate) async fn orgs_with_errands(
        &self,
        now: DateTime<Utc>,
        service: Option<&str>,
        beside: &[&str],
        resting: &[String],
        past: Option<Uuid>,
        at_most: i32,
    ) -> Result<Vec<Uuid>, sqlx::Error> {
        sqlx::query_scalar!(
            r#"select org_id as "org_id!" from frontdesk.orgs_with_errands($1, $2, $3, $4, $5, $6)"#,
            now,
            service,
            beside as &[&str],
            resting,
            past,
            at_most
        )
        .fetch_all(&self.pool)
        .await
    }

    /// The same of jobs.
    pub(crate) async fn orgs_with_jobs(
        &self,
        now: DateTime<Utc>,
        past: Option<Uuid>,
        at_most: i32,
    ) -> Result<Vec<Uuid>, sqlx::Error> {
        sqlx::query_scalar!(
            r#"select org_id as "org_id!" from frontdesk.orgs_with_jobs($1, $2, $3)"#,
            now,
            past,
            at_most
        )
        .fetch_all(&self.pool)
        .await
    }

    /// How much waits and how much is done, over all organizations.
    pub async fn work_counts(&self) -> Result<Vec<WorkCount>, sqlx::Error> {
        sqlx::query_as!(
            WorkCount,
            r#"select kind as "kind!", state as "state!", number as "number!" from frontdesk.work_counts()"#
        )
        .fetch_all(&self.pool)
        .await
    }

    /// How many connections there are, and how many of them nobody uses.
    #[must_use]
    pub fn connections(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }

    /// Closes all connections, after the transactions in hand.
    pub async fn close(&self) {
        self.listening.close().await;
        self.pool.close().await;
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A connection that listens.
    pub(crate) async fn listener(&self) -> Result<PgListener, sqlx::Error> {
        PgListener::connect_with(&self.listening).await
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.listening.is_closed()
    }

    /// Begins in a task of its own, which goes on when whoever asked has left meanwhile. sqlx rolls nothing back that is given
    /// up while it begins, and the next one to get the connection would be in the middle of a stranger's transaction.
    pub(crate) async fn begin(&self, statement: String) -> Result<sqlx::Transaction<'static, Postgres>, sqlx::Error> {
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with(AssertSqlSafe(statement)).await });
        begun.await.map_err(|_| sqlx::Error::WorkerCrashed)?
    }
}

/// How many of a kind are in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkCount {
    /// `authorizations`, `errands`, `jobs` or `alerts`.
    pub kind: String,
    /// The state.
    pub state: String,
    /// How many.
    pub number: i64,
}

async fn refuse_unbound(pool: &PgPool) -> Result<(), DatabaseError> {
    let login = sqlx::query!(
        r#"
        select current_user::text as "role!",
               r.rolsuper or r.rolbypassrls as "bypasses!",
               exists (select 1 from pg_class c where c.relowner = r.oid) as "owns!",
               exists (
                 select 1 from pg_class c
                 where c.relnamespace = 'public'::regnamespace and c.relrowsecurity
                   and pg_has_role(r.oid, c.relowner, 'member')
               ) as "member!"
        from pg_roles r
        where r.rolname = current_user
        "#
    )
    .fetch_one(pool)
    .await?;
    let why = match (login.bypasses, login.owns, login.member) {
        (true, _, _) => "bypasses row level security",
        (_, true, _) => "owns tables",
        (_, _, true) => "is a member of the owner",
        _ => return Ok(()),
    };
    Err(DatabaseError::Unbound { role: login.role, why })
}
