//! Brings the database to where the service can log in: the cluster if it is ours, the schema, the service's own role.

use std::path::Path;

use anyhow::{Context as _, bail};
use capabilities::world::Database;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::cluster::{Cluster, OWNER, PORT};
use crate::config::{Config, DatabaseConfig};
use crate::datadir::{DataDir, Lock};
use crate::schema::{self, STARTING};

/// The login of the service. It owns nothing, so row level security binds it.
pub const APP_ROLE: &str = "frontdesk_app";
const DATABASE: &str = "frontdesk";
const CONNECTIONS: u32 = 8;

/// A database that can be reached, whatever is in it, and the cluster it runs in if that is ours.
pub(crate) struct Reached {
    /// The login that owns the schema.
    pub owner: PgConnectOptions,
    app: PgConnectOptions,
    /// What the service's login must have for a password, if it is for us to set.
    app_password: Option<String>,
    cluster: Option<Cluster>,
}

impl Reached {
    /// Starts or reaches the database, and changes nothing in it.
    pub(crate) async fn open(config: &Config, data: &DataDir, lock: Option<&Lock>) -> anyhow::Result<Self> {
        match &config.database {
            DatabaseConfig::Embedded => {
                let (cluster, sockets) = reach_cluster(data, lock, config.pg_bin.as_deref()).await?;
                let owner = local(&sockets, OWNER);
                make_database(&owner.clone().database("postgres")).await?;
                Ok(Self { owner, app: local(&sockets, APP_ROLE), app_password: None, cluster })
            }
            DatabaseConfig::OwnerOnly(owner) => {
                let password = derived_password(&config.secret_key.map_or_else(|| data.secret_key(), Ok)?)?;
                let app = (**owner).clone().username(APP_ROLE).password(&password);
                Ok(Self { owner: (**owner).clone(), app, app_password: Some(password), cluster: None })
            }
            DatabaseConfig::Both { app, owner } => {
                Ok(Self { owner: (**owner).clone(), app: (**app).clone(), app_password: None, cluster: None })
            }
        }
    }

    /// Connects as the owner, alone among servers that start, and makes the service's login.
    pub(crate) async fn prepare(&self) -> anyhow::Result<PgConnection> {
        // Its statements take as long as there are rows, which is no reason to warn of each.
        prepare(&self.owner.clone().disable_statement_logging(), self.app_password.as_deref()).await
    }

    /// Ends the cluster, if it is ours.
    pub(crate) async fn close(self) {
        stop(self.cluster).await;
    }
}

/// A database ready to be served from, and the cluster it runs in if that is ours.
pub struct Storage {
    /// The service's connections.
    pub database: Database,
    cluster: Option<Cluster>,
}

impl Storage {
    /// Starts or reaches the database, migrates it, and logs in as the service.
    pub(crate) async fn open(config: &Config, data: &DataDir, lock: Option<&Lock>) -> anyhow::Result<Self> {
        let reached = Reached::open(config, data, lock).await?;
        migrate(&reached.owner, reached.app_password.as_deref()).await?;
        let database = Database::open(reached.app, CONNECTIONS..=CONNECTIONS).await?;
        Ok(Self { database, cluster: reached.cluster })
    }

    /// Ends the connections and, if it is ours, the cluster.
    pub async fn close(self) {
        self.database.close().await;
        stop(self.cluster).await;
    }
}

async fn stop(cluster: Option<Cluster>) {
    if let Some(cluster) = cluster {
        let stopped = tokio::task::spawn_blocking(move || cluster.stop());
        if stopped.await.is_err() {
            tracing::error!("the database was not stopped cleanly; it recovers at the next start");
        }
    }
}

/// Starts the cluster when the lock is ours, else joins the one that whoever holds the lock runs.
async fn reach_cluster(
    data: &DataDir,
    lock: Option<&Lock>,
    pg_bin: Option<&Path>,
) -> anyhow::Result<(Option<Cluster>, std::path::PathBuf)> {
    let Some(lock) = lock else {
        let sockets = Cluster::running_socket(data).with_context(|| {
            format!("the server that uses {} is not ready; try again in a moment", data.path().display())
        })?;
        return Ok((None, sockets));
    };
    // Blocks for a second when the database is new, so the thread it blocks is told.
    let cluster = tokio::task::block_in_place(|| Cluster::start(data, lock, pg_bin))?;
    let sockets = cluster.socket_dir().to_path_buf();
    Ok((Some(cluster), sockets))
}

/// Every setting is named, because the library reads PG* variables for those that are not.
fn local(sockets: &Path, user: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(sockets)
        .host("localhost")
        .port(PORT)
        .username(user)
        .password("")
        .database(DATABASE)
        .application_name("frontdesk")
}

async fn make_database(maintenance: &PgConnectOptions) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect_with(maintenance).await?;
    let known: Option<i32> = sqlx::query_scalar("select 1 from pg_database where datname = $1")
        .bind(DATABASE)
        .fetch_optional(&mut connection)
        .await?;
    if known.is_none() {
        sqlx::query(AssertSqlSafe(format!("create database {DATABASE}"))).execute(&mut connection).await?;
    }
    Ok(connection.close().await?)
}

/// The same on every server with the same key, so that none of them locks the others out.
fn derived_password(key: &[u8; 32]) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(b"password of the database login frontdesk_app");
    Ok(mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Makes the service's login and brings the schema to this version.
pub(crate) async fn migrate(owner: &PgConnectOptions, app_password: Option<&str>) -> anyhow::Result<()> {
    let mut connection = prepare(owner, app_password).await?;
    schema::bring_up(&mut connection).await?;
    Ok(connection.close().await?)
}

/// The owner's connection, alone among servers that start until it ends, after the service's login is made.
async fn prepare(owner: &PgConnectOptions, app_password: Option<&str>) -> anyhow::Result<PgConnection> {
    let mut connection =
        PgConnection::connect_with(owner).await.context("the database cannot be reached as its owner")?;
    let version: i32 =
        sqlx::query_scalar("select current_setting('server_version_num')::int").fetch_one(&mut connection).await?;
    if version < 150_000 {
        bail!("PostgreSQL {} is too old: 15 or newer is needed", version / 10_000);
    }
    sqlx::query("select pg_advisory_lock($1)").bind(STARTING).execute(&mut connection).await?;
    make_app_role(&mut connection, app_password).await?;
    Ok(connection)
}

async fn make_app_role(owner: &mut PgConnection, password: Option<&str>) -> anyhow::Result<()> {
    let known: Option<i32> = sqlx::query_scalar("select 1 from pg_roles where rolname = $1")
        .bind(APP_ROLE)
        .fetch_optional(&mut *owner)
        .await?;
    if known.is_none() {
        let create = format!("create role {APP_ROLE} login noinherit nosuperuser nobypassrls");
        sqlx::query(AssertSqlSafe(create)).execute(&mut *owner).await.with_context(|| {
            format!("the owner may not create the login {APP_ROLE}; as a superuser run: create role {APP_ROLE} login noinherit")
        })?;
    }
    if let Some(password) = password {
        // A derived password is hexadecimal digits only, so it can stand in the statement.
        let alter = format!("alter role {APP_ROLE} password '{password}'");
        sqlx::query(AssertSqlSafe(alter)).execute(&mut *owner).await.with_context(|| {
            format!("the owner may not set the password of {APP_ROLE}; give DATABASE_URL its login and DATABASE_OWNER_URL the owner's")
        })?;
    }
    Ok(())
}
