//! The programs' door: an action, a question and the registry over HTTP, driven through the router the program serves.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use capabilities::{Door, Options, Source};
use chrono::TimeDelta;
use clap::Parser as _;
use frontdesk::config::{Arguments, Config};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::desk::{Actor, Desk};

/// The doors of a desk, and a token that opens them.
pub struct Web {
    pub desk: Desk,
    pub token: String,
    /// Ends its streams.
    pub stop: CancellationToken,
    pub doors: Router,
}

/// What came back over HTTP.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Web {
    pub async fn open() -> Self {
        Self::with(&[]).await
    }

    /// With these words more on the command line.
    pub async fn with(words: &[&str]) -> Self {
        Self::of(Desk::open().await, words).await
    }

    /// The doors of a desk that is there already.
    pub async fn of(desk: Desk, words: &[&str]) -> Self {
        let words = ["frontdesk"].iter().chain(words).chain(&["serve"]);
        let config = Config::read(&Arguments::parse_from(words)).unwrap();
        let stop = CancellationToken::new();
        let doors = frontdesk::assemble::doors(&desk.office, &config, stop.clone()).unwrap();
        Self { token: desk.token("Client").await, desk, stop, doors }
    }

    /// The doors of another server of the same organization.
    pub async fn elsewhere(&self) -> Self {
        let config = Config::read(&Arguments::parse_from(["frontdesk", "serve"])).unwrap();
        let (desk, stop) = (self.desk.elsewhere().await, CancellationToken::new());
        let doors = frontdesk::assemble::doors(&desk.office, &config, stop.clone()).unwrap();
        Self { token: self.token.clone(), desk, stop, doors }
    }

    /// A request with the token.
    pub fn request(&self, method: Method, path: &str, body: impl Into<Body>) -> Request<Body> {
        let mut request = Request::new(body.into());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request
    }

    /// From a place of its own, so that no test meets the limits of a network but one that looks for them.
    pub async fn send(&self, request: Request<Body>) -> Response {
        self.send_from(Ipv4Addr::from_bits(rand::random()), request).await
    }

    /// The answer as it begins, from a place of its own.
    pub async fn begin(&self, request: Request<Body>) -> axum::response::Response {
        self.begin_from(Ipv4Addr::from_bits(rand::random()), request).await
    }

    async fn begin_from(&self, place: impl Into<IpAddr>, mut request: Request<Body>) -> axum::response::Response {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(place.into(), 40_000)));
        self.doors.clone().oneshot(request).await.unwrap()
    }

    pub async fn send_from(&self, place: impl Into<IpAddr>, request: Request<Body>) -> Response {
        let (parts, body) = self.begin_from(place, request).await.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Response { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.send(self.request(Method::GET, path, Body::empty())).await
    }

    /// A request as this person's browser sends it: with the cookie of the session and nothing else.
    pub fn request_of(&self, person: &Actor, method: Method, path: &str, body: impl Into<Body>) -> Request<Body> {
        let mut request = self.request(method, path, body);
        let headers = request.headers_mut();
        headers.remove("authorization");
        headers.insert("cookie", format!("frontdesk_session={}", person.session().reveal()).parse().unwrap());
        headers.insert("host", "127.0.0.1:8480".parse().unwrap());
        request
    }

    /// An action by a person whose request proves where it comes from.
    pub async fn act_as(&self, person: &Actor, call: Value) -> Response {
        let mut request = self.request_of(person, Method::POST, "/api/actions", call.to_string());
        request.headers_mut().insert("x-csrf-token", person.session().csrf().parse().unwrap());
        self.send(request).await
    }

    /// Posts this text as an action.
    pub async fn post(&self, body: impl Into<Body>) -> Response {
        self.send(self.request(Method::POST, "/api/actions", body)).await
    }

    pub async fn act(&self, call: Value) -> Response {
        self.post(call.to_string()).await
    }

    /// An action with one header more.
    pub async fn act_with(&self, header: &'static str, value: &[u8], call: Value) -> Response {
        let mut request = self.request(Method::POST, "/api/actions", call.to_string());
        request.headers_mut().insert(HeaderName::from_static(header), HeaderValue::from_bytes(value).unwrap());
        self.send(request).await
    }

    /// People with this family name, made at once.
    pub async fn people(&self, count: usize, family_name: &str) {
        let person = |n| json!({"kind": "person", "given_name": format!("Pat {n:03}"), "family_name": family_name});
        let people: Vec<Value> = (0..count).map(person).collect();
        self.desk.system().await.call_items("contact.create", people, Options::default()).await.ok();
    }
}

impl Response {
    #[track_caller]
    pub fn json(&self) -> Value {
        let json = serde_json::from_slice(&self.body);
        json.unwrap_or_else(|error| panic!("{error}: {} {}", self.status, String::from_utf8_lossy(&self.body)))
    }

    /// The envelope of a success.
    #[track_caller]
    pub fn ok(&self) -> Value {
        let envelope = self.json();
        assert_eq!((self.status, &envelope["success"]), (200, &json!(true)), "{envelope:#}");
        assert_eq!(envelope["error"], Value::Null, "{envelope:#}");
        self.check_meta(&envelope);
        envelope
    }

    /// The error of a refusal, which always says what is so and what to do.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        let envelope = self.json();
        assert_eq!((self.status, envelope["error"]["code"].as_str()), (status, Some(code)), "{envelope:#}");
        let members: Vec<&String> = envelope.as_object().unwrap().keys().collect();
        assert_eq!(members, ["data", "error", "meta", "success"]);
        assert_eq!((&envelope["success"], &envelope["data"]), (&json!(false), &Value::Null), "{envelope:#}");
        for member in ["message", "hint", "retry"] {
            assert!(!envelope["error"][member].as_str().unwrap().is_empty(), "{member} is missing: {envelope:#}");
        }
        self.check_meta(&envelope);
        envelope["error"].clone()
    }

    #[track_caller]
    fn check_meta(&self, envelope: &Value) {
        let request_id = envelope["meta"]["request_id"].as_str().unwrap();
        assert!(request_id.parse::<Uuid>().is_ok(), "{request_id}");
        assert_eq!(envelope["meta"]["timestamp"], "2030-01-07T09:00:00Z");
        assert_eq!(self.headers["content-type"], "application/json");
        assert!(["no-store", "private, no-cache"].iter().any(|kept| self.headers["cache-control"] == kept));
    }
}

pub fn jane() -> Value {
    json!({"domain": "contact", "action": "create", "data": {
        "kind": "person", "given_name": "Jane", "family_name": "Smith",
        "phones": [{"phone": "(256) 555-0100", "type": "mobile"}],
        "addresses": [{"street": "123 Main Street", "city": "Madison", "region": "AL", "postal_code": "35758"}],
        "notes": ["Beware of the dog."], "tags": ["vip"]
    }})
}

fn ids(envelope: &Value) -> Vec<String> {
    envelope["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_string()).collect()
}

#[tokio::test]
async fn an_action_is_carried_out_and_its_request_id_leads_to_its_trail() {
    let web = Web::open().await;
    let made = web.act_with("user-agent", b"trial/1.0", jane()).await.ok();
    assert_eq!(made["data"]["display_name"], "Jane Smith");
    let (id, request_id) = (made["data"]["id"].as_str().unwrap(), made["meta"]["request_id"].as_str().unwrap());
    let contact = web.get(&format!("/api/data?type=contacts&id={id}")).await.ok();
    assert_eq!(contact["data"]["display_name"], "Jane Smith", "one record by its id is no list");
    let call = web.get(&format!("/api/data?type=audit&id={request_id}")).await.ok();
    let told = ["actor", "door", "client", "action", "outcome"].map(|member| call["data"][member].as_str().unwrap());
    assert_eq!(told, ["Client", "rest", "trial/1.0", "contact.create", "done"]);
}

#[tokio::test]
async fn an_action_is_understood_with_its_domain_in_its_name() {
    let web = Web::open().await;
    let mut call = jane();
    call["action"] = "contact.create".into();
    assert_eq!(web.act(call).await.ok()["data"]["display_name"], "Jane Smith");
}

#[tokio::test]
async fn a_dry_run_shows_the_change_and_leaves_nothing() {
    let web = Web::open().await;
    let before = web.desk.state().await;
    let mut call = jane();
    call["dry_run"] = true.into();
    let preview = web.act(call).await.ok();
    assert_eq!(preview["meta"]["dry_run"], true);
    assert_eq!(preview["data"]["result"]["display_name"], "Jane Smith");
    assert_eq!(preview["data"]["would"]["permission"], "unrestricted");
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn several_items_answer_with_a_list_in_their_order() {
    let web = Web::open().await;
    let person = |name: &str| json!({"kind": "person", "given_name": name});
    let items =
        json!({"domain": "contact", "action": "create", "items": [person("Zoe"), person("Amy"), person("Mia")]});
    let made = web.act(items).await.ok();
    let names: Vec<&str> =
        made["data"].as_array().unwrap().iter().map(|row| row["given_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Zoe", "Amy", "Mia"]);
}

#[tokio::test]
async fn a_whole_number_may_be_written_with_a_point() {
    let web = Web::open().await;
    let id = web.act(jane()).await.ok()["data"]["id"].clone();
    let call = format!(
        r#"{{"domain": "contact", "action": "update", "data": {{"contact_id": {id}, "expected_version": 1.0, "tags": []}}}}"#
    );
    assert_eq!(web.post(call).await.ok()["data"]["version"], 2);
}

#[tokio::test]
async fn a_true_repeat_is_answered_with_the_first_outcome() {
    let web = Web::open().await;
    let mut call = jane();
    call["idempotency_key"] = "one".into();
    let first = web.act(call.clone()).await.ok();
    let before = web.desk.state().await;
    let in_body = web.act(call).await.ok();
    let in_header = web.act_with("idempotency-key", b"one", jane()).await.ok();
    for repeat in [in_body, in_header] {
        assert_eq!(repeat["data"], first["data"]);
        assert_eq!((&repeat["meta"]["repeated"], &first["meta"]["repeated"]), (&json!(true), &Value::Null));
    }
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn rows_are_filtered_bring_along_what_was_asked_for_and_show_only_the_fields() {
    let web = Web::open().await;
    web.act(jane()).await.ok();
    web.people(3, "Page").await;
    let query = "/api/data?type=contacts&city=madison&tag=VIP&include=addresses,notes&fields=display_name,created_at";
    let rows = web.get(query).await.ok();
    let row = rows["data"][0].as_object().unwrap();
    let members: Vec<&str> = row.keys().map(String::as_str).collect();
    assert_eq!(members, ["addresses", "created_at", "created_at_local", "display_name", "id", "notes"]);
    assert_eq!(row["created_at_local"], "2030-01-07T03:00:00-06:00");
    assert_eq!(row["addresses"][0]["city"], "Madison");
    assert_eq!(row["notes"][0]["content"], "Beware of the dog.");
    assert_eq!((rows["data"].as_array().unwrap().len(), &rows["meta"]["total"]), (1, &json!(1)));
    let typed = web.get("/api/data?type=customer_matches&search=smyth%20madison&include_archived=true").await.ok();
    assert_eq!(typed["data"][0]["display_name"], "Jane Smith", "a filter's text becomes what its schema says");
}

#[tokio::test]
async fn pages_follow_each_other_to_the_end() {
    let web = Web::open().await;
    web.people(23, "Page").await;
    let (mut seen, mut sizes, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = web.get(&format!("/api/data?type=contacts&search=page&limit=10{cursor}")).await.ok();
        assert_eq!(page["meta"]["total"], 23);
        sizes.push(ids(&page).len());
        seen.extend(ids(&page));
        match page["meta"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(sizes, [10, 10, 3]);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 23, "no row comes twice");
}

#[tokio::test]
async fn capabilities_are_told_in_short_by_domain_and_by_action() {
    let web = Web::open().await;
    let all = web.get("/api/capabilities").await.ok()["data"].clone();
    let domains: Vec<&str> =
        all["domains"].as_array().unwrap().iter().map(|domain| domain["domain"].as_str().unwrap()).collect();
    assert_eq!(
        domains,
        [
            "org",
            "contact",
            "address",
            "service",
            "ticket",
            "workflow",
            "note",
            "authorization",
            "user",
            "alert",
            "job",
            "audit"
        ],
        "rules are for people"
    );
    let line = all["domains"][1]["actions"]["contact.archive"].as_str().unwrap();
    assert!(line.starts_with("[soft_limit] Archive a contact"), "{line}");

    let domain = web.get("/api/capabilities?domain=contact").await.ok()["data"].clone();
    let names: Vec<&str> =
        domain["actions"].as_array().unwrap().iter().map(|action| action["action"].as_str().unwrap()).collect();
    let registry = web.desk.office.registry();
    let known: Vec<&str> = registry.domains()[1].actions.iter().map(|action| action.name).collect();
    assert_eq!(names, known);
    assert_eq!(domain["data"][0]["type"], "contacts");
    assert!(domain["data"][0]["filters"]["properties"]["city"].is_object());

    let registered = registry.action("contact.create").unwrap().input_schema();
    for asked in ["action=contact.create", "domain=contact&action=create"] {
        let action = web.get(&format!("/api/capabilities?{asked}")).await.ok()["data"]["actions"][0].clone();
        assert_eq!(action["action"], "contact.create", "{asked}");
        assert_eq!(action["input"]["properties"], registered["properties"], "{asked}");
        assert_eq!(action["example"], registry.action("contact.create").unwrap().example, "{asked}");
    }
}

#[tokio::test]
async fn openapi_describes_every_action_and_filter_with_the_schemas_inputs_are_checked_with() {
    let web = Web::open().await;
    let mut open = Request::new(Body::empty());
    *open.uri_mut() = "/openapi.json".parse().unwrap();
    let document = web.send(open).await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let registry = web.desk.office.registry();
    let bodies = &document["paths"]["/api/actions"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    let described: Vec<(String, Value)> = bodies["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|body| {
            let name = ["domain", "action"].map(|part| body["properties"][part]["enum"][0].as_str().unwrap());
            (name.join("."), body["properties"]["data"].clone())
        })
        .collect();
    let actions: Vec<_> = registry.actions().map(|action| (action.name.to_string(), action.input_schema())).collect();
    assert_eq!(described, actions);
    let parameters = document["paths"]["/api/data"]["get"]["parameters"].as_array().unwrap();
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "each parameter is described once");
    for entry in registry.data_types() {
        assert!(parameters[0]["schema"]["enum"].as_array().unwrap().contains(&entry.name.into()), "{}", entry.name);
        for (filter, schema) in entry.filters_schema()["properties"].as_object().into_iter().flatten() {
            let of = |parameter: &&Value| parameter["name"] == filter.as_str();
            let parameter = parameters.iter().find(of).unwrap_or_else(|| panic!("{} {filter}", entry.name));
            let about = parameter["description"].as_str().unwrap();
            assert!(about.contains(schema["description"].as_str().unwrap()), "{} {filter}: {about}", entry.name);
        }
    }
}

#[tokio::test]
async fn health_and_readiness_need_no_token() {
    let web = Web::open().await;
    for (path, word) in [("/healthz", "status"), ("/readyz", "data")] {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = path.parse().unwrap();
        let response = web.send(request).await;
        assert_eq!(response.status, 200, "{path}");
        assert!(response.json().to_string().contains("ok"), "{path}");
        assert!(response.json().get(word).is_some(), "{path}");
    }
}

#[tokio::test]
async fn only_a_good_token_opens_the_doors() {
    let web = Web::open().await;
    let source = Source::of(Door::Program);
    let an_hour = web.desk.office.clock().now() + TimeDelta::hours(1);
    let short = web.desk.office.create_agent(web.desk.org, "Short", Some(an_hour), &source).await.unwrap();
    let disabled = web.desk.token("Disabled").await;
    let disable = "begin; select frontdesk.begin_call('ORG', 'ORG', now()); \
                   update agents set disabled_at = now() where org_id = 'ORG' and name = 'Disabled'; commit;";
    let disable = disable.replace("ORG", &web.desk.org.to_string());
    sqlx::raw_sql(sqlx::AssertSqlSafe(disable)).execute(&mut web.desk.sql().await).await.unwrap();
    let other_secret = format!("{}{}", &web.token[..web.token.len() - 4], "AAAA");
    let stranger = Desk::open().await.token("Stranger").await;
    let other_org = format!("{}{}", &stranger[..25], &web.token[25..]);

    let answer = async |header: Option<String>| {
        let mut request = web.request(Method::GET, "/api/capabilities", Body::empty());
        request.headers_mut().remove("authorization");
        if let Some(header) = header {
            request.headers_mut().insert("authorization", HeaderValue::from_bytes(header.as_bytes()).unwrap());
        }
        web.send(request).await
    };
    answer(Some(format!("bearer {}", web.token))).await.ok();
    answer(Some(format!("Bearer {}", short.token.reveal()))).await.ok();
    web.desk.pass(TimeDelta::hours(1));
    let refused = [
        (None, "carries no token"),
        (Some(web.token.clone()), "carries no token"),
        (Some("Bearer é".into()), "carries no token"),
        (Some(format!("Basic {}", web.token)), "carries no token"),
        (Some("Bearer ".into()), "not an agent's token"),
        (Some("Bearer nonsense".into()), "not an agent's token"),
        (Some(format!("Bearer {}x", web.token)), "not an agent's token"),
        (Some(format!("Bearer {}", "fd_é".repeat(20))), "carries no token"),
        (Some(format!("Bearer {other_secret}")), "not known"),
        (Some(format!("Bearer {other_org}")), "not known"),
        (Some(format!("Bearer {disabled}")), "Disabled is disabled"),
        (Some(format!("Bearer {}", short.token.reveal())), "expired at 2030-01-07T10:00:00"),
    ];
    for (header, why) in refused {
        let response = answer(header.clone()).await;
        let envelope = response.json();
        assert_eq!((response.status, &envelope["error"]["code"]), (401, &json!("UNAUTHENTICATED")), "{header:?}");
        assert!(envelope["error"]["message"].as_str().unwrap().contains(why), "{header:?}: {envelope:#}");
        assert!(envelope["error"]["hint"].as_str().unwrap().contains("frontdesk agent create"), "{envelope:#}");
        assert_eq!(response.headers["www-authenticate"], "Bearer");
        assert!(!envelope.to_string().contains(&web.token[25..]), "a token is not echoed");
    }
}

#[tokio::test]
async fn another_organization_sees_nothing_of_this_one() {
    let web = Web::open().await;
    let id = web.act(jane()).await.ok()["data"]["id"].clone();
    let stranger = Desk::open().await.token("Stranger").await;
    let mut request = web.request(Method::GET, "/api/data?type=contacts", Body::empty());
    request.headers_mut().insert("authorization", format!("Bearer {stranger}").parse().unwrap());
    assert_eq!(web.send(request).await.ok()["data"], json!([]));
    let id = id.as_str().unwrap();
    let mut request = web.request(Method::GET, &format!("/api/data?type=contacts&id={id}"), Body::empty());
    request.headers_mut().insert("authorization", format!("Bearer {stranger}").parse().unwrap());
    web.send(request).await.refused(404, "NOT_FOUND");
}
