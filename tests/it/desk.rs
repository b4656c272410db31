//! The desk: an organization of its own in one shared database, with people and agents to act in it.
//!
//! The tenant is the fixture. The database is migrated once per state of the migrations; opening a desk is one insert, so
//! tests run side by side, and each is also a test of isolation. Time stands at Monday 2030-01-07 09:00 UTC.

use std::process::Command;
use std::sync::{Arc, LazyLock};

use capabilities::world::{Clock, Database, Http, Mail, Patience, World};
use capabilities::{
    Answer, Call, Caller, Door, Input, LinkToken, NewOrg, Office, Options, Read, Registry, Role, Selection,
    SessionToken, Source,
};
use chrono::TimeDelta;
use frontdesk::schema;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard, OnceCell};
use uuid::Uuid;

use crate::wire::Wire;

/// The product's own domains, checked once.
pub static PRODUCT: LazyLock<Arc<Registry>> = LazyLock::new(|| Arc::new(Registry::new(handlers::domains()).unwrap()));

/// An organization and its office.
pub struct Desk {
    pub office: Arc<Office>,
    pub org: Uuid,
    registry: Arc<Registry>,
    database: PgConnectOptions,
    people: OnceCell<Vec<Actor>>,
    /// The owner's connection that counts and compares, once something was.
    looking: Mutex<Option<PgConnection>>,
}

/// Someone who acts at a desk.
#[derive(Clone)]
pub struct Actor {
    pub office: Arc<Office>,
    pub caller: Caller,
    /// A person's.
    session: Option<SessionToken>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply(pub Answer);

impl Desk {
    /// A desk with the product's own domains.
    pub async fn open() -> Self {
        Self::at(shared_database().await, PRODUCT.clone(), None).await
    }

    /// A desk with other domains: for what the kernel does that no domain shows yet.
    pub async fn with(domains: Vec<capabilities::Domain>) -> Self {
        Self::at(shared_database().await, Registry::new(domains).unwrap(), None).await
    }

    /// A desk that sends its mail.
    pub async fn mailing(domains: Vec<capabilities::Domain>, mail: Mail) -> Self {
        Self::at(shared_database().await, Registry::new(domains).unwrap(), Some(mail)).await
    }

    /// A desk that sends its mail, in a database of its own: for workers, which look at every organization.
    pub async fn alone(domains: Vec<capabilities::Domain>, mail: Mail) -> Self {
        Self::at(own_database().await, Registry::new(domains).unwrap(), Some(mail)).await
    }

    /// A desk with one connection, and the wire that it goes through.
    pub async fn wired() -> (Self, Wire) {
        Self::wired_to(shared_database().await).await
    }

    /// The same in a database of its own.
    pub async fn wired_alone() -> (Self, Wire) {
        Self::wired_to(own_database().await).await
    }

    async fn wired_to(database: PgConnectOptions) -> (Self, Wire) {
        let wire = Wire::to(&database);
        let connection = Database::open(wire.through(app(&database)), 1..=1).await.unwrap();
        (Self::made(database, connection, PRODUCT.clone(), None).await, wire)
    }

    /// Another organization with the same domains, on the same connections: they are warm by now.
    pub async fn neighbour(&self) -> Self {
        let connections = self.office.database().clone();
        Self::made(self.database.clone(), connections, self.registry.clone(), None).await
    }

    async fn at(database: PgConnectOptions, registry: impl Into<Arc<Registry>>, mail: Option<Mail>) -> Self {
        let connections = Database::open(app(&database), 1..=8).await.unwrap();
        Self::made(database, connections, registry.into(), mail).await
    }

    async fn made(
        database: PgConnectOptions,
        connections: Database,
        registry: Arc<Registry>,
        mail: Option<Mail>,
    ) -> Self {
        let office = office(connections, registry.clone(), mail);
        let new = NewOrg {
            name: "Test Windows".into(),
            timezone: "America/Chicago".into(),
            currency: "USD".into(),
            country: "US".into(),
        };
        let org = office.create_org(&new, &Source::of(Door::Program)).await.unwrap();
        Self { office, org, registry, database, people: OnceCell::new(), looking: Mutex::new(None) }
    }

    /// The same organization at another server.
    pub async fn elsewhere(&self) -> Self {
        let connections = Database::open(app(&self.database), 1..=8).await.unwrap();
        let office = office(connections, self.registry.clone(), None);
        let (registry, database) = (self.registry.clone(), self.database.clone());
        Self { office, org: self.org, registry, database, people: OnceCell::new(), looking: Mutex::new(None) }
    }

    /// A token of a new agent.
    pub async fn token(&self, name: &str) -> String {
        let agent = self.office.create_agent(self.org, name, None, &Source::of(Door::Program)).await.unwrap();
        agent.token.reveal().to_string()
    }

    /// The agent most tests act as.
    pub async fn agent(&self) -> Actor {
        let caller = self.office.agent_named(self.org, "Front Office", &Source::of(Door::Program)).await.unwrap();
        self.actor(caller)
    }

    /// Another agent of the same office.
    pub async fn other_agent(&self, name: &str) -> Actor {
        self.actor(self.office.agent_named(self.org, name, &Source::of(Door::Program)).await.unwrap())
    }

    pub async fn owner(&self) -> Actor {
        self.person(Role::Owner).await
    }

    pub async fn manager(&self) -> Actor {
        self.person(Role::Manager).await
    }

    pub async fn technician(&self) -> Actor {
        self.person(Role::Technician).await
    }

    pub async fn system(&self) -> Actor {
        self.actor(self.office.system(self.org, "test").await.unwrap())
    }

    async fn person(&self, role: Role) -> Actor {
        let of_role = |person: &&Actor| matches!(person.caller.actor(), capabilities::Actor::User { role: of, .. } if *of == role);
        self.people().await.iter().find(of_role).unwrap().clone()
    }

    /// Those who work here. All are made at once, so that asking for another one later changes nothing.
    async fn people(&self) -> &[Actor] {
        let hire = || async {
            let mut people = Vec::new();
            for (name, role) in
                [("Olivia Owner", Role::Owner), ("Max Manager", Role::Manager), ("Tara Technician", Role::Technician)]
            {
                let id = self.user(name, role).await;
                people.push(self.sign_in(id).await);
            }
            people
        };
        self.people.get_or_init(hire).await
    }

    /// Another user.
    pub async fn user(&self, name: &str, role: Role) -> Uuid {
        let email = format!("{}@{}.example", fresh(), self.org);
        self.office.create_user(self.org, &email, name, role, &Source::of(Door::Program)).await.unwrap()
    }

    /// A link by which a user signs in.
    pub async fn link(&self, user: Uuid) -> LinkToken {
        self.office.sign_in_link(self.org, user, TimeDelta::minutes(15), &Source::of(Door::Program)).await.unwrap()
    }

    /// A user in a new session.
    pub async fn sign_in(&self, user: Uuid) -> Actor {
        let link = self.link(user).await;
        let (session, caller) = self.office.sign_in(link.reveal(), &Source::of(Door::Page)).await.unwrap();
        Actor { session: Some(session), ..self.actor(caller) }
    }

    fn actor(&self, caller: Caller) -> Actor {
        Actor { office: self.office.clone(), caller, session: None }
    }

    /// As many contacts as that, and their ids. The system made them: an agent may not make many at once.
    pub async fn contacts(&self, count: usize) -> Vec<String> {
        self.system().await.contacts(count).await
    }

    /// Works off what is due in this organization: the database is shared, and others' work is none of ours.
    pub async fn work(&self) {
        while self.office.work_off_of(self.org).await.unwrap() > 0 {}
    }

    /// Lets time pass.
    pub fn pass(&self, time: TimeDelta) {
        self.office.clock().pass(time);
    }

    /// The owner's login to the database this desk is in.
    pub fn database(&self) -> &PgConnectOptions {
        &self.database
    }

    /// The owner's connection, for looking at what no action shows and for states no action can reach. Sees everything;
    /// statements name the organization.
    pub async fn sql(&self) -> PgConnection {
        PgConnection::connect_with(&self.database).await.unwrap()
    }

    /// The owner's connection that is kept, because tests look often.
    async fn looking(&self) -> MappedMutexGuard<'_, PgConnection> {
        let mut kept = self.looking.lock().await;
        if kept.is_none() {
            *kept = Some(self.sql().await);
        }
        MutexGuard::map(kept, |kept| kept.as_mut().unwrap())
    }

    /// How many rows of this organization a table has.
    pub async fn count(&self, table: &str) -> i64 {
        let count = format!("select count(*) from {table} where org_id = $1");
        sqlx::query_scalar(AssertSqlSafe(count)).bind(self.org).fetch_one(&mut *self.looking().await).await.unwrap()
    }

    /// What this organization has in its tables, as a hash per table: equal before and after means nothing was changed. The
    /// call log is left out, because refusals are written there.
    pub async fn state(&self) -> Vec<String> {
        self.state_without(&["call_log"]).await
    }

    /// The same with the call log: equal when not even a refusal was written.
    pub async fn everything(&self) -> Vec<String> {
        self.state_without(&[]).await
    }

    /// The same without these tables.
    pub async fn state_without(&self, left_out: &[&str]) -> Vec<String> {
        self.people().await;
        let mut owner = self.looking().await;
        let tables: Vec<String> = sqlx::query_scalar(
            "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' \
             and c.relname <> '_sqlx_migrations' and c.relname <> all($1) order by 1",
        )
        .bind(left_out)
        .fetch_all(&mut *owner)
        .await
        .unwrap();
        let hashes = tables.iter().map(|table| {
            format!(
                "select '{table} ' || md5(coalesce(string_agg(t::text, ';' order by t::text), '')) from {table} t \
                 where org_id = $1"
            )
        });
        let all = format!("{} order by 1", hashes.collect::<Vec<_>>().join(" union all "));
        sqlx::query_scalar(AssertSqlSafe(all)).bind(self.org).fetch_all(&mut *owner).await.unwrap()
    }
}

impl Actor {
    /// The session of a person.
    pub fn session(&self) -> &SessionToken {
        self.session.as_ref().expect("a person who signed in")
    }

    pub async fn call(&self, action: &str, data: Value) -> Reply {
        self.call_with(action, data, Options::default()).await
    }

    /// As many contacts as that, and their ids.
    pub async fn contacts(&self, count: usize) -> Vec<String> {
        let items = (0..count).map(|nth| json!({"kind": "person", "given_name": format!("Contact {nth}")})).collect();
        let made = self.call_items("contact.create", items, Options::default()).await.ok();
        made.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_string()).collect()
    }

    /// One action on several contacts, with a reasoning.
    pub async fn call_on_each(&self, action: &str, contacts: &[String]) -> Reply {
        let items = contacts.iter().map(|id| json!({"contact_id": id})).collect();
        let options = Options { reasoning: Some("They moved away.".into()), ..Options::default() };
        self.call_items(action, items, options).await
    }

    /// The state of a request, as its agent reads it.
    pub async fn check(&self, authorization: &str) -> Reply {
        Reply(self.office.check_authorization(&self.caller, authorization.parse().unwrap()).await)
    }

    pub async fn allow_once(&self, authorization: &str) -> Reply {
        self.call("authorization.allow_once", json!({"authorization_id": authorization})).await
    }

    /// With the reasoning that soft-limited actions ask an agent for.
    pub async fn call_because(&self, action: &str, data: Value) -> Reply {
        let options = Options { reasoning: Some("The customer asked for it.".into()), ..Options::default() };
        self.call_with(action, data, options).await
    }

    pub async fn dry_run(&self, action: &str, data: Value) -> Reply {
        self.call_with(action, data, Options { dry_run: true, ..Options::default() }).await
    }

    pub async fn call_with(&self, action: &str, data: Value, options: Options) -> Reply {
        self.send(action, Input::One(data), options).await
    }

    pub async fn call_items(&self, action: &str, items: Vec<Value>, options: Options) -> Reply {
        self.send(action, Input::Items(items), options).await
    }

    pub async fn send(&self, action: &str, input: Input, options: Options) -> Reply {
        let call = Call { action: action.into(), input, options, source: Source::of(Door::Rest) };
        Reply(self.office.call(&self.caller, call).await)
    }

    /// Reads a data type; `filters` are its filters.
    pub async fn read(&self, data_type: &str, filters: Value) -> Reply {
        let selection = Selection { data_type: data_type.into(), filters: object(filters), ..Selection::default() };
        self.select(selection).await
    }

    /// One record by its id.
    pub async fn get(&self, data_type: &str, id: &str) -> Reply {
        self.select(Selection { data_type: data_type.into(), id: Some(id.into()), ..Selection::default() }).await
    }

    pub async fn select(&self, selection: Selection) -> Reply {
        Reply(self.office.read(&self.caller, Read { selection, door: Door::Rest, room: None, counted: true }).await)
    }

    /// A person's contact with these members besides, and its id.
    pub async fn contact(&self, name: &str, more: Value) -> String {
        let mut data = json!({"kind": "person", "given_name": name});
        data.as_object_mut().unwrap().extend(object(more));
        self.call("contact.create", data).await.id()
    }
}

impl Reply {
    /// The data of an answer that must be a success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.0.success(), "must succeed: {:#}", self.0.envelope());
        self.0.data.unwrap_or_default()
    }

    /// The id of what was made.
    #[track_caller]
    pub fn id(self) -> String {
        self.ok()["id"].as_str().expect("an id").to_string()
    }

    /// The id of the authorization that this call must be waiting for.
    #[track_caller]
    pub fn held(self) -> String {
        assert!(self.0.is_held(), "must wait for a person: {:#}", self.0.envelope());
        assert_eq!(self.0.status, 202);
        self.0.data.unwrap_or_default()["authorization_id"].as_str().expect("an id").to_string()
    }

    /// The codes of the reasons for which it waits.
    pub fn reasons(&self) -> Vec<&str> {
        let reasons = self.0.data.as_ref().and_then(|data| data["reasons"].as_array());
        reasons.into_iter().flatten().filter_map(|reason| reason["code"].as_str()).collect()
    }

    /// The error of an answer that must be a refusal with this code.
    #[track_caller]
    pub fn refused(self, code: &str) -> Value {
        assert_eq!(self.0.error_code(), Some(code), "{:#}", self.0.envelope());
        self.0.error.unwrap_or_default()
    }

    /// The pointers of a refused input, sorted.
    #[track_caller]
    pub fn invalid_at(self) -> Vec<String> {
        let error = self.refused("INVALID_INPUT");
        let problems = error["problems"].as_array().expect("problems");
        let mut pointers: Vec<String> = problems.iter().map(|p| p["pointer"].as_str().unwrap().to_string()).collect();
        pointers.sort();
        pointers
    }

    pub fn warning_codes(&self) -> Vec<&str> {
        self.0.meta.warnings.iter().map(|warning| warning.code.as_str()).collect()
    }
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        Value::Null => Map::new(),
        other => panic!("{other} is not an object"),
    }
}

/// A name nothing else has.
pub fn fresh() -> String {
    let bytes: [u8; 8] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn office(connections: Database, registry: Arc<Registry>, mail: Option<Mail>) -> Arc<Office> {
    let clock = Clock::hand("2030-01-07T09:00:00Z".parse().unwrap());
    let http = Http::new(Patience::default()).unwrap();
    let world = World::new(connections, clock, http, mail);
    Arc::new(Office::new(world, registry, "http://127.0.0.1:8480"))
}

/// The program's login to a database.
fn app(database: &PgConnectOptions) -> PgConnectOptions {
    database.clone().username(frontdesk::APP_ROLE)
}

/// The owner's login to the test server, which `script/postgres` starts if none runs.
pub fn server() -> PgConnectOptions {
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the program")]
    let given = std::env::var("FRONTDESK_TEST_DATABASE");
    let url = given.unwrap_or_else(|_| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/script/postgres");
        let output = Command::new(script).arg("start").output().expect("script/postgres starts a PostgreSQL for tests");
        assert!(output.status.success(), "script/postgres: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_string()
    });
    url.parse().expect("FRONTDESK_TEST_DATABASE is a postgres:// URL")
}

/// The name of a database with the present schema, made once; nobody connects to it, so that it can be cloned. `owner` is
/// alone in making databases.
async fn migrated(owner: &mut PgConnection) -> String {
    let steps = schema::MIGRATIONS.iter().map(|step| step.checksum.as_ref());
    let functions = schema::FUNCTIONS.iter().map(|function| function.text.as_bytes());
    let fingerprint: [u8; 32] = Sha256::digest(steps.chain(functions).collect::<Vec<_>>().concat()).into();
    let template = format!("tpl_{}", fingerprint[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    if !exists(owner, &template).await {
        let draft = format!("draft_{}", fresh());
        sqlx::query(AssertSqlSafe(format!("create database {draft}"))).execute(&mut *owner).await.unwrap();
        let mut connection = PgConnection::connect_with(&server().database(&draft)).await.unwrap();
        schema::bring_up(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let rename = format!("alter database {draft} rename to {template}");
        sqlx::query(AssertSqlSafe(rename)).execute(owner).await.unwrap();
    }
    template
}

/// A clone of the present schema by the name that `named` gives it, made unless it is there.
async fn cloned(named: impl FnOnce(&str) -> String) -> PgConnectOptions {
    let server = server();
    let mut owner = PgConnection::connect_with(&server.clone().database("postgres")).await.unwrap();
    sqlx::query("select pg_advisory_lock(1)").execute(&mut owner).await.unwrap();
    let template = migrated(&mut owner).await;
    let clone = named(&template);
    if !exists(&mut owner, &clone).await {
        let create = format!("create database {clone} template {template} strategy file_copy");
        sqlx::query(AssertSqlSafe(create)).execute(&mut owner).await.unwrap();
    }
    owner.close().await.unwrap();
    server.database(&clone)
}

/// The database all desks share.
async fn shared_database() -> PgConnectOptions {
    cloned(|template| template.replace("tpl_", "it_")).await
}

/// A database that this desk has for itself: for what looks at all organizations. It stays until the server is stopped.
async fn own_database() -> PgConnectOptions {
    cloned(|_| format!("own_{}", fresh())).await
}

/// A database with nothing in it.
pub async fn empty_database() -> PgConnectOptions {
    let (server, empty) = (server(), format!("empty_{}", fresh()));
    let mut owner = PgConnection::connect_with(&server.clone().database("postgres")).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("create database {empty}"))).execute(&mut owner).await.unwrap();
    owner.close().await.unwrap();
    server.database(&empty)
}

async fn exists(owner: &mut PgConnection, database: &str) -> bool {
    let known: Option<i32> = sqlx::query_scalar("select 1 from pg_database where datname = $1")
        .bind(database)
        .fetch_optional(owner)
        .await
        .unwrap();
    known.is_some()
}
