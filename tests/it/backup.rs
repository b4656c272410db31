//! What is backed up comes back: whole, from one moment, into any empty target; and what is not whole changes nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::desk::{fresh, server};
use crate::durability::{Client, Program, check, command, create_until, wait_until};

/// A directory that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("frontdesk-backup-{}", fresh()));
        std::fs::create_dir(&path).unwrap();
        // A PostgreSQL that root starts runs as somebody else, who must pass.
        let passable = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        std::fs::set_permissions(&path, passable).unwrap();
        Self(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A database of its own on the test server, and the program over it.
struct Elsewhere {
    data: PathBuf,
    owner: PgConnectOptions,
    maintenance: PgConnectOptions,
}

impl Elsewhere {
    /// Owned by the login that the tests have, who is a superuser.
    async fn new(folder: &Folder) -> Self {
        Self::owned_by(folder, server().get_username()).await
    }

    /// Owned by a login of its own, who is not.
    async fn with_plain_owner(folder: &Folder) -> Self {
        let login = format!("plain_{}", fresh());
        let mut maintenance = PgConnection::connect_with(&server().database("postgres")).await.unwrap();
        run(&mut maintenance, &format!("create role {login} login nosuperuser")).await;
        Self::owned_by(folder, &login).await
    }

    async fn owned_by(folder: &Folder, login: &str) -> Self {
        let name = format!("backup_{}", fresh());
        let mut maintenance = PgConnection::connect_with(&server().database("postgres")).await.unwrap();
        run(&mut maintenance, &format!("create database {name} owner {login}")).await;
        Self {
            data: folder.at(&name),
            owner: server().database(&name).username(login),
            maintenance: server().database(&name),
        }
    }

    /// Superuser's, for looking at everything.
    async fn sql(&self) -> PgConnection {
        PgConnection::connect_with(&self.maintenance).await.unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = command(&self.data);
        let app = self.owner.clone().username(frontdesk::APP_ROLE);
        command.env("DATABASE_OWNER_URL", self.owner.to_url_lossy().as_str());
        command.env("DATABASE_URL", app.to_url_lossy().as_str());
        command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    #[track_caller]
    fn does(&self, words: &[&str]) -> String {
        done(self.command(words).output().unwrap())
    }

    #[track_caller]
    fn refuses(&self, words: &[&str]) -> String {
        refused(self.command(words).output().unwrap())
    }

    async fn furnish(&self) {
        self.does(&[
            "org",
            "create",
            "--name",
            "Clear View",
            "--timezone",
            "America/Chicago",
            "--currency",
            "USD",
            "--owner",
            "owner@example.com",
        ]);
        self.does(&["agent", "create", "Front Office"]);
    }

    /// Takes it off the test server.
    async fn remove(self) {
        let mut maintenance = PgConnection::connect_with(&server().database("postgres")).await.unwrap();
        run(&mut maintenance, &format!("drop database {}", self.owner.get_database().unwrap())).await;
        if self.owner.get_username() != server().get_username() {
            run(&mut maintenance, &format!("drop role {}", self.owner.get_username())).await;
        }
    }
}

async fn run(connection: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
}

async fn count(connection: &mut PgConnection, from: &str) -> i64 {
    let question = format!("select count(*) from {from}");
    sqlx::query_scalar(AssertSqlSafe(question)).fetch_one(connection).await.unwrap()
}

#[track_caller]
fn done(output: Output) -> String {
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[track_caller]
fn refused(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// Runs the program over an installation with a PostgreSQL of its own.
fn at(data: &Path, words: &[&str]) -> Output {
    command(data).args(words).output().unwrap()
}

fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A backup's first line, its rows, and its last line.
fn taken_apart(file: &Path) -> (Value, Vec<u8>, Value) {
    let text = zstd::decode_all(std::fs::File::open(file).unwrap()).unwrap();
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let [first, rows @ .., last] = lines.as_slice() else { panic!("not even two lines") };
    (serde_json::from_slice(first).unwrap(), rows.concat(), serde_json::from_slice(last).unwrap())
}

/// The same, written as the program would.
fn put_together(file: &Path, header: &Value, rows: &[u8], rest: &Value) {
    let mut text = [format!("{header}\n").as_bytes(), rows].concat();
    let hash: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    text.extend(format!("{}\n", json!({"rows": rest["rows"], "sha256": hash})).bytes());
    std::fs::write(file, zstd::encode_all(text.as_slice(), 1).unwrap()).unwrap();
}

/// Two backups hold the same rows, and differ in when they were taken only.
#[track_caller]
fn same(one: &Path, other: &Path) {
    let ((mut a, a_rows, a_end), (mut b, b_rows, b_end)) = (taken_apart(one), taken_apart(other));
    for header in [&mut a, &mut b] {
        header["created_at"] = Value::Null;
    }
    assert_eq!(a, b);
    assert_eq!(a_end["rows"], b_end["rows"]);
    assert!(a_rows == b_rows, "the rows differ");
}

#[test]
fn a_backup_under_a_stream_of_writes_comes_back_whole_in_an_empty_directory() {
    let folder = Folder::new();
    let (old, new, one, two) = (folder.at("old"), folder.at("new"), folder.at("one.fdb"), folder.at("two.fdb"));
    let program = Program::start(&old);
    let owner = Client::owner(&program);
    let before = owner.create("durablebefore").unwrap();
    let (stop, made) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let writers = create_until(&owner, &stop, &made);
    wait_until("some contacts", || made.load(Ordering::Relaxed) > 5);
    let said = done(at(&old, &["backup", word(&one)]));
    assert!(said.contains("tables") && said.contains("found whole"), "{said}");
    stop.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|writer| drop(writer.join().unwrap()));
    assert!(refused(at(&old, &["backup", word(&one)])).contains("is there already: name another file"));
    assert!(!at(&old, &["restore", word(&one)]).status.success(), "a running server's data are not restored over");

    done(at(&new, &["restore", word(&one)]));
    done(at(&new, &["backup", word(&two)]));
    same(&one, &two);
    assert!(refused(at(&new, &["restore", word(&one)])).contains("the database is not empty"));
    let restored = Program::start(&new);
    check(&restored, &[before]);
    assert!(Client::agent(&restored).create("durableafter").is_some());
    let known = Client { url: restored.url.clone(), ..Client::agent(&program) };
    assert_eq!(known.get("/api/data?type=contacts&limit=1").0, 200, "an agent's token goes on");
    restored.stop();
    program.stop();
}

#[tokio::test]
async fn a_restore_that_is_killed_leaves_an_empty_target_that_it_can_be_run_on_again() {
    let folder = Folder::new();
    let (one, two) = (folder.at("one.fdb"), folder.at("two.fdb"));
    let (from, to) = (Elsewhere::new(&folder).await, Elsewhere::with_plain_owner(&folder).await);
    from.furnish().await;
    from.does(&["backup", word(&one)]);
    let header = taken_apart(&one).0;
    let last = header["tables"].as_array().unwrap().last().unwrap()["name"].as_str().unwrap().to_string();
    assert_ne!(last, "orgs");
    to.does(&["migrate"]);

    let (mut looker, mut blocker) = (to.sql().await, to.sql().await);
    run(&mut blocker, &format!("begin; lock table {last} in access share mode")).await;
    let mut restore = to.command(&["restore", word(&one)]).spawn().unwrap();
    let waiting = "pg_locks l join pg_database d on d.oid = l.database \
         where d.datname = current_database() and l.mode = 'AccessExclusiveLock' and not l.granted";
    while count(&mut looker, waiting).await == 0 {
        assert!(restore.try_wait().unwrap().is_none(), "it ended before the last table");
    }
    restore.kill().unwrap();
    restore.wait().unwrap();
    run(&mut blocker, "rollback").await;
    blocker.close().await.unwrap();
    let others = "pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    while count(&mut looker, others).await > 0 {}
    for table in ["orgs", "agents", "call_log", "row_log"] {
        assert_eq!(count(&mut looker, table).await, 0, "{table}");
    }

    to.does(&["restore", word(&one)]);
    to.does(&["backup", word(&two)]);
    same(&one, &two);
    let open = "pg_class where relrowsecurity and not relforcerowsecurity and relkind = 'r'";
    assert_eq!(count(&mut looker, open).await, 0);
    assert_eq!(count(&mut looker, "pg_trigger where tgenabled <> 'O'").await, 0);
    to.does(&["agent", "create", "Second"]);
    assert!(to.refuses(&["restore", word(&one)]).contains("the database is not empty"));
    assert_eq!(count(&mut looker, "agents").await, 2);
    looker.close().await.unwrap();
    from.remove().await;
    to.remove().await;
}

#[tokio::test]
async fn a_backup_of_an_older_schema_is_restored_and_brought_to_this_version_without_sessions() {
    let folder = Folder::new();
    let file = folder.at("old.fdb");
    let (from, to) = (Elsewhere::new(&folder).await, Elsewhere::new(&folder).await);
    let mut old = from.sql().await;
    let early = frontdesk::schema::MIGRATIONS.iter().filter(|step| step.version <= 4).cloned().collect();
    Migrator::with_migrations(early).run(&mut old).await.unwrap();
    run(
        &mut old,
        "begin;
         select frontdesk.begin_call('01970000-0000-7000-8000-000000000001', '01970000-0000-7000-8000-000000000002', now());
         insert into orgs (org_id, id, name, timezone, currency, country, created_at, updated_at)
           select frontdesk.org_id(), frontdesk.org_id(), E'Tab\\t\\\\. \\n\\\\N \"Ünïcode\"', 'UTC', 'USD', 'US', now(), now();
         insert into users (org_id, id, email, name, role, created_at, updated_at)
           select frontdesk.org_id(), frontdesk.org_id(), 'Ann@example.com', '', 'owner', now(), now();
         insert into sessions (org_id, id, user_id, token_hash, created_at, last_seen_at, expires_at)
           select org_id, id, id, '\\x00ff', now(), now(), now() from users;
         commit",
    )
    .await;

    from.does(&["backup", word(&file)]);
    let versions: Vec<i64> = taken_apart(&file).0["migrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["version"].as_i64().unwrap())
        .collect();
    assert_eq!(versions, [1, 2, 3, 4], "a backup changes nothing");
    let used = Elsewhere::new(&folder).await;
    used.does(&["migrate"]);
    assert!(used.refuses(&["restore", word(&file)]).contains("its schema is newer than the backup's (migration 5"));
    used.remove().await;
    to.does(&["restore", word(&file)]);
    let mut new = to.sql().await;
    assert_eq!(count(&mut new, "_sqlx_migrations").await, frontdesk::schema::MIGRATIONS.iter().count() as i64);
    let org = "orgs where name = E'Tab\\t\\\\. \\n\\\\N \"Ünïcode\"' and frozen_at is null";
    assert_eq!(count(&mut new, org).await, 1);
    assert_eq!(count(&mut new, "users where email_key = 'ann@example.com' and name = ''").await, 1);
    assert_eq!(count(&mut new, "sessions").await, 0, "people sign in again");
    assert_eq!(count(&mut new, "row_log").await, 2, "restoring is no change of anybody's");
    let functions = frontdesk::schema::FUNCTIONS.len() as i64;
    assert_eq!(count(&mut new, "frontdesk.applied_functions").await, functions, "the functions are this version's too");

    new.close().await.unwrap();
    old.close().await.unwrap();
    from.remove().await;
    to.remove().await;
}

#[tokio::test]
async fn what_is_damaged_or_newer_is_refused_before_anything_is_touched() {
    let folder = Folder::new();
    let (whole, wrong, target) = (folder.at("whole.fdb"), folder.at("wrong.fdb"), folder.at("target"));
    let from = Elsewhere::new(&folder).await;
    from.furnish().await;
    from.does(&["backup", word(&whole)]);
    from.remove().await;
    let refusal = || {
        let said = refused(at(&target, &["restore", word(&wrong)]));
        assert!(said.contains("wrong.fdb cannot be restored, and nothing was changed: "), "{said}");
        assert!(!target.exists(), "{said}");
        said
    };
    let bytes = std::fs::read(&whole).unwrap();
    for length in [0, 3, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&wrong, &bytes[..length]).unwrap();
        refusal();
    }
    for place in (20..bytes.len()).step_by(bytes.len() / 9) {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1;
        std::fs::write(&wrong, flipped).unwrap();
        refusal();
    }
    std::fs::write(&wrong, [bytes.as_slice(), b"more"].concat()).unwrap();
    refusal();

    let (header, rows, end) = taken_apart(&whole);
    put_together(&wrong, &header, &rows[..rows.len() - 3], &end);
    refusal();
    let lost = String::from_utf8(rows.clone()).unwrap().replacen("Front Office", "Back Office", 1);
    let mut text = zstd::decode_all(bytes.as_slice()).unwrap();
    let start = text.len() - serde_json::to_vec(&end).unwrap().len() - 1;
    text.splice(start - rows.len()..start, lost.bytes());
    std::fs::write(&wrong, zstd::encode_all(text.as_slice(), 1).unwrap()).unwrap();
    assert!(refusal().contains("SHA-256"));

    let mut newer = header.clone();
    newer["migrations"].as_array_mut().unwrap().push(json!({"version": 9999, "checksum": "00"}));
    put_together(&wrong, &newer, &rows, &end);
    assert!(refusal().contains("its schema (migration 9999) is newer than this program's"));
    newer = header;
    newer["frontdesk_backup"] = json!(2);
    put_together(&wrong, &newer, &rows, &end);
    assert!(refusal().contains("in form 2, and this program reads forms up to 1"));
}

#[test]
fn a_backup_of_nothing_is_refused_and_leaves_nothing() {
    let folder = Folder::new();
    let file = folder.at("none.fdb");
    let said = refused(at(&folder.at("data"), &["backup", word(&file)]));
    assert!(said.contains("there is nothing to back up"), "{said}");
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1, "the data directory only");
}
