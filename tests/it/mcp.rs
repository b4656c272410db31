//! The model's door over HTTP, in raw JSON-RPC, as clients of both eras of the protocol speak it.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request};
use capabilities::PermissionClass;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::rest::{Response, Web};

/// The newest protocol: no session, everything in every request.
pub const MODERN: &str = "2026-07-28";
/// Protocols with a handshake and a session.
pub const LEGACY: [&str; 2] = ["2025-11-25", "2024-11-05"];

/// A client of one era.
pub struct Client<'w> {
    pub web: &'w Web,
    pub version: &'static str,
    pub session: Option<String>,
    pub token: String,
}

impl<'w> Client<'w> {
    /// A client of today.
    pub fn modern(web: &'w Web) -> Self {
        Self { web, version: MODERN, session: None, token: web.token.clone() }
    }

    /// An older client, after its handshake.
    pub async fn legacy(web: &'w Web, version: &'static str) -> Self {
        let mut client = Self { web, version, session: None, token: web.token.clone() };
        let response = client.post(initialize(version)).await;
        let session = response.headers.get("mcp-session-id").map(|session| session.to_str().unwrap().to_string());
        client.session = session;
        assert_eq!(message(&response)["result"]["protocolVersion"], version);
        let ready = client.post(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        assert_eq!(ready.status, 202);
        client
    }

    pub async fn post(&self, message: Value) -> Response {
        self.web.send(self.request(message)).await
    }

    /// What it sends.
    pub fn request(&self, message: Value) -> Request<Body> {
        let mut message = message;
        let mut request = self.web.request(Method::POST, "/mcp", Body::empty());
        let headers = request.headers_mut();
        let mut set = |name: &'static str, value: &str| {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        };
        set("host", "127.0.0.1:8480");
        set("authorization", &format!("Bearer {}", self.token));
        set("content-type", "application/json");
        set("accept", "application/json, text/event-stream");
        let method = message["method"].as_str().unwrap_or_default().to_string();
        if method != "initialize" {
            set("mcp-protocol-version", self.version);
        }
        if let Some(session) = &self.session {
            set("mcp-session-id", session);
        }
        if self.version == MODERN {
            set("mcp-method", &method);
            if let Some(name) = message["params"]["name"].as_str() {
                set("mcp-name", name);
            }
            message["params"]["_meta"] = meta();
        }
        *request.body_mut() = message.to_string().into();
        request
    }

    /// The whole answer to a request.
    async fn ask(&self, method: &str, params: Value) -> Value {
        let mut request = json!({"jsonrpc": "2.0", "id": 7, "method": method});
        request["params"] = params;
        let response = self.post(request).await;
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        let answer = message(&response);
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(7)));
        answer
    }

    /// The envelope that a tool answers with, after checking its form.
    pub async fn call(&self, tool: &str, arguments: Value) -> Value {
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await;
        envelope_of(&answer)
    }
}

/// What every request of today carries.
pub fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "trial", "version": "1.0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

pub fn initialize(version: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "trial", "version": "1.0"}}})
}

/// The envelope in the answer to a tool's call: once as text, once as structure, the same and without nulls.
pub fn envelope_of(answer: &Value) -> Value {
    let result = &answer["result"];
    let envelope = &result["structuredContent"];
    let content = result["content"].as_array().unwrap_or_else(|| panic!("no result: {answer:#}"));
    assert_eq!((content.len(), &content[0]["type"]), (1, &json!("text")));
    let text: Value = serde_json::from_str(content[0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(&text, envelope, "the text is the structure");
    let waits = envelope["error"]["code"] == "AUTHORIZATION_PENDING";
    assert_eq!(result["isError"] == true, envelope["success"] == false && !waits, "{result:#}");
    assert!(envelope.as_object().unwrap().values().all(|member| !member.is_null()), "{envelope:#}");
    assert!(envelope["meta"]["request_id"].is_string(), "{envelope:#}");
    envelope.clone()
}

/// The JSON-RPC message of a response, whether it came alone or as the last event of a stream.
pub fn message(response: &Response) -> Value {
    let text = std::str::from_utf8(&response.body).unwrap();
    let last = text.lines().filter_map(|line| line.strip_prefix("data:")).rfind(|data| !data.trim().is_empty());
    serde_json::from_str(last.unwrap_or(text)).unwrap_or_else(|error| panic!("{error}: {} {text}", response.status))
}

pub fn create(name: &str, more: Value) -> Value {
    let mut data = json!({"kind": "person", "given_name": name});
    data.as_object_mut().unwrap().extend(crate::desk::object(more));
    json!({"domain": "contact", "action": "create", "data": data})
}

#[tokio::test]
async fn an_older_client_shakes_hands_and_works_in_a_session() {
    let web = Web::open().await;
    for version in LEGACY {
        let mut client = Client { web: &web, version, session: None, token: web.token.clone() };
        let response = client.post(initialize(version)).await;
        assert_eq!(response.status, 200);
        let result = message(&response)["result"].clone();
        assert_eq!((&result["protocolVersion"], &result["serverInfo"]["name"]), (&json!(version), &json!("frontdesk")));
        assert!(result["capabilities"]["tools"].is_object(), "{result:#}");
        assert!(result["instructions"].as_str().unwrap().contains("crm_capabilities"));
        client.session = Some(response.headers["mcp-session-id"].to_str().unwrap().to_string());
        let ready = client.post(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        assert_eq!(ready.status, 202);
        let tools = client.ask("tools/list", json!({})).await;
        assert_eq!(tools["result"]["tools"].as_array().unwrap().len(), 7);
        let made = client.call("crm_action", create("Jane", json!({}))).await;
        let id = made["data"]["id"].as_str().unwrap();
        let read = client.call("crm_query", json!({"type": "contacts", "id": id})).await;
        assert_eq!(read["data"]["display_name"], "Jane");
    }
}

#[tokio::test]
async fn a_client_of_today_discovers_and_works_without_a_session() {
    let web = Web::open().await;
    let client = Client::modern(&web);
    let response = client.post(json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {}})).await;
    assert_eq!((response.status, response.headers.get("mcp-session-id")), (200, None));
    let found = message(&response)["result"].clone();
    let versions = found["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!(MODERN)), "{found:#}");
    assert_eq!(found["resultType"], "complete");
    assert!(found["capabilities"]["tools"].is_object(), "{found:#}");
    let tools = client.ask("tools/list", json!({})).await["result"].clone();
    assert_eq!((&tools["resultType"], &tools["cacheScope"]), (&json!("complete"), &json!("private")));
    assert!(tools["ttlMs"].as_u64().unwrap() > 0);
    let made = client.call("crm_action", create("Jane", json!({}))).await;
    let id = made["data"]["id"].as_str().unwrap();
    let read = client.call("crm_query", json!({"type": "contacts", "id": id})).await;
    assert_eq!(read["data"]["display_name"], "Jane");
}

#[tokio::test]
async fn what_a_request_of_today_must_carry_is_demanded() {
    let web = Web::open().await;
    let client = Client::modern(&web);
    let before = web.desk.state().await;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "crm_action", "arguments": create("Jane", json!({}))}});
    let cases = [
        ("mcp-method", None, -32020),
        ("mcp-method", Some("tools/list"), -32020),
        ("mcp-name", None, -32020),
        ("mcp-name", Some("crm_query"), -32020),
        ("mcp-protocol-version", None, -32020),
        ("mcp-protocol-version", Some("2025-11-25"), -32020),
    ];
    for (header, value, code) in cases {
        let mut request = client.request(call.clone());
        request.headers_mut().remove(header);
        if let Some(value) = value {
            request.headers_mut().insert(header, HeaderValue::from_static(value));
        }
        let response = web.send(request).await;
        let error = message(&response)["error"].clone();
        assert_eq!((response.status, &error["code"]), (400, &json!(code)), "{header} {value:?}: {error:#}");
    }
    let mut request = client.request(call.clone());
    *request.body_mut() = call.to_string().into();
    let response = web.send(request).await;
    assert_eq!((response.status, &message(&response)["error"]["code"]), (400, &json!(-32602)), "without _meta");
    let mut future = call;
    future["params"]["_meta"] = meta();
    future["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2099-01-01".into();
    let mut request = client.request(future.clone());
    request.headers_mut().insert("mcp-protocol-version", HeaderValue::from_static("2099-01-01"));
    *request.body_mut() = future.to_string().into();
    let response = web.send(request).await;
    let error = message(&response)["error"].clone();
    assert_eq!((response.status, &error["code"]), (400, &json!(-32022)), "{error:#}");
    assert!(error["data"]["supported"].as_array().unwrap().contains(&json!(MODERN)), "{error:#}");
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn the_tools_are_one_page_small_and_made_for_every_client() {
    let web = Web::open().await;
    let client = Client::modern(&web);
    let listed = client.ask("tools/list", json!({})).await["result"].clone();
    assert!(listed.get("nextCursor").is_none(), "many clients read the first page only");
    assert!(listed.to_string().len() / 4 <= 6_000, "{} bytes", listed.to_string().len());
    let tools = listed["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    let generic = ["crm_capabilities", "crm_query", "crm_action", "check_authorization"];
    let of_their_own = ["find_customer", "schedule_appointment", "handle_reschedule_request"];
    assert_eq!(names, [&generic[..], &of_their_own].concat());
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        assert_eq!(tool["inputSchema"]["type"], "object", "{name}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{name}: older clients drop any other");
        assert!(tool["title"].is_string() && tool["annotations"]["title"].is_string(), "{name}");
        let hints = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];
        let hints = hints.map(|hint| tool["annotations"][hint].as_bool().unwrap());
        let honest = match name {
            "crm_action" => [false, true, false, true],
            "schedule_appointment" | "handle_reschedule_request" => [false, false, false, true],
            _ => [true, false, true, false],
        };
        assert_eq!(hints, honest, "{name}");
    }
    let older = Client::legacy(&web, LEGACY[0]).await.ask("tools/list", json!({})).await;
    assert_eq!(older["result"]["tools"], listed["tools"], "the same for everyone");
    let next = client.ask("tools/list", json!({"cursor": "x"})).await;
    assert_eq!(next["error"]["code"], -32602);
}

#[tokio::test]
async fn without_a_good_token_nobody_gets_in() {
    let web = Web::open().await;
    let client = Client::modern(&web);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    for asked in [list, initialize(LEGACY[0])] {
        for token in [None, Some("Bearer nonsense".to_string()), Some(format!("Basic {}", web.token))] {
            let mut request = client.request(asked.clone());
            request.headers_mut().remove("authorization");
            if let Some(token) = &token {
                request.headers_mut().insert("authorization", token.parse().unwrap());
            }
            let response = web.send(request).await;
            response.refused(401, "UNAUTHENTICATED");
            assert_eq!(response.headers["www-authenticate"], "Bearer", "{token:?}");
        }
    }
}

#[tokio::test]
async fn a_session_belongs_to_the_token_that_opened_it() {
    let web = Web::open().await;
    let own = Client::legacy(&web, LEGACY[0]).await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let colleague = web.desk.token("Colleague").await;
    let stranger = Desk::open().await.token("Stranger").await;
    for token in [colleague, stranger] {
        let thief = Client { web: &web, version: LEGACY[0], session: own.session.clone(), token };
        assert_eq!(thief.post(list.clone()).await.status, 404, "to use it");
        for method in [Method::GET, Method::DELETE] {
            let mut request = thief.request(json!({}));
            *request.method_mut() = method.clone();
            *request.body_mut() = Body::empty();
            assert_eq!(web.send(request).await.status, 404, "to {method} it");
        }
    }
    assert_eq!(own.post(list.clone()).await.status, 200, "and it is still there");
    let session = Some("01970000-0000-7000-8000-000000000001".into());
    let unknown = Client { web: &web, version: LEGACY[0], session, token: web.token.clone() };
    assert_eq!(unknown.post(list).await.status, 404, "as if there were none");
}

#[tokio::test]
async fn a_session_that_was_ended_is_gone() {
    let web = Web::open().await;
    let client = Client::legacy(&web, LEGACY[0]).await;
    let other = Client::legacy(&web, LEGACY[0]).await;
    let mut end = client.request(json!({}));
    *end.method_mut() = Method::DELETE;
    *end.body_mut() = Body::empty();
    assert!((200..300).contains(&web.send(end).await.status));
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    assert_eq!(client.post(list.clone()).await.status, 404);
    assert_eq!(other.post(list).await.status, 200, "others go on");
}

#[tokio::test]
async fn without_sessions_older_clients_are_served_one_request_at_a_time() {
    let web = Web::with(&["--mcp-sessions", "off"]).await;
    for version in LEGACY {
        let client = Client::legacy(&web, version).await;
        assert_eq!(client.session, None);
        let made = client.call("crm_action", create("Jane", json!({}))).await;
        assert_eq!(made["data"]["display_name"], "Jane");
    }
    assert_eq!(Client::modern(&web).call("crm_query", json!({"type": "contacts"})).await["meta"]["total"], 2);
}

#[tokio::test]
async fn a_page_of_another_origin_or_a_rebound_name_is_refused() {
    let web = Web::with(&["--public-url", "https://office.example.com"]).await;
    let client = Client::modern(&web);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let cases = [
        ("origin", "http://localhost:5173", 200),
        ("origin", "http://127.0.0.1:8480", 200),
        ("origin", "https://office.example.com", 200),
        ("origin", "http://office.example.com", 403),
        ("origin", "https://office.example.com:8443", 403),
        ("origin", "https://evil.example.com", 403),
        ("origin", "https://localhost.evil.example.com", 403),
        ("origin", "null", 403),
        ("host", "localhost:8480", 200),
        ("host", "[::1]:8480", 200),
        ("host", "office.example.com", 200),
        ("host", "evil.example.com", 403),
        ("host", "127.0.0.1.evil.example.com", 403),
    ];
    for (header, value, status) in cases {
        let mut request = client.request(list.clone());
        request.headers_mut().insert(header, HeaderValue::from_static(value));
        assert_eq!(web.send(request).await.status, status, "{header}: {value}");
        let mut opening = client.request(initialize(LEGACY[0]));
        opening.headers_mut().remove("mcp-method");
        opening.headers_mut().remove("mcp-protocol-version");
        opening.headers_mut().insert(header, HeaderValue::from_static(value));
        *opening.body_mut() = initialize(LEGACY[0]).to_string().into();
        assert_eq!(web.send(opening).await.status, status, "an older client, {header}: {value}");
    }
}

#[tokio::test]
async fn what_is_no_message_of_the_protocol_is_refused() {
    let web = Web::open().await;
    let client = Client::modern(&web);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let bodies = [
        (String::new(), 415),
        ("{".into(), 415),
        (json!([list]).to_string(), 415),
        (json!({"jsonrpc": "2.0", "id": 1, "result": "x".repeat(2 << 20)}).to_string(), 413),
    ];
    for (body, status) in bodies {
        let mut request = client.request(list.clone());
        let start: String = body.chars().take(40).collect();
        *request.body_mut() = body.into();
        assert_eq!(web.send(request).await.status, status, "{start}");
    }
    let response = client.post(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/destroy", "params": {}})).await;
    assert_eq!((response.status, &message(&response)["error"]["code"]), (404, &json!(-32601)));
}

#[tokio::test]
async fn what_is_not_declared_is_not_there() {
    let web = Web::open().await;
    let completes = json!({"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "x", "value": ""}});
    let asked = [
        ("prompts/list", json!({})),
        ("prompts/get", json!({"name": "x"})),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("completion/complete", completes),
    ];
    let modern = Client::modern(&web);
    let found = modern.ask("server/discover", json!({})).await["result"].clone();
    assert_eq!(found["capabilities"], json!({"tools": {}}));
    for (client, status) in [(modern, 404), (Client::legacy(&web, LEGACY[0]).await, 200)] {
        for (method, params) in &asked {
            let mut request = json!({"jsonrpc": "2.0", "id": 1, "method": method});
            request["params"] = params.clone();
            let response = client.post(request).await;
            let code = &message(&response)["error"]["code"];
            assert_eq!((response.status, code), (status, &json!(-32601)), "{method}");
        }
    }
}

#[tokio::test]
async fn an_unknown_tool_is_an_error_of_the_protocol_that_names_the_tools() {
    let web = Web::open().await;
    for client in [Client::modern(&web), Client::legacy(&web, LEGACY[0]).await] {
        let answer = client.ask("tools/call", json!({"name": "crm_delete", "arguments": {}})).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer:#}");
        let text = answer["error"]["message"].as_str().unwrap();
        assert!(text.contains("no tool `crm_delete`; there are crm_capabilities, crm_query, crm_action"), "{text}");
    }
}

#[tokio::test]
async fn bad_arguments_are_a_result_that_the_model_can_mend() {
    let web = Web::open().await;
    let before = web.desk.state().await;
    let client = Client::modern(&web);
    let cases = [
        ("crm_action", json!({}), "/domain", "is required"),
        ("crm_action", create("Jane", json!({"family": "Smith"})), "/data/family", "is not known"),
        ("crm_action", json!({"domain": "contact", "action": "create", "data": "Jane"}), "/data", "an object"),
        ("crm_query", json!({}), "/type", "is required"),
        ("crm_query", json!({"type": "contacts", "limit": 0}), "/limit", "must be 1 to 200"),
        ("crm_query", json!({"type": "contacts", "filters": {"cuty": "Madison"}}), "/filters/cuty", "is not known"),
        ("crm_query", json!({"type": "contacts", "filters": {"city": " "}}), "/filters/city", "must not be empty"),
        ("crm_query", json!({"type": "contacts", "search": " "}), "/filters/search", "must not be empty"),
        ("crm_query", json!({"type": "audit", "filters": {"record_id": "x"}}), "/filters/record_id", "UUID"),
        ("crm_query", json!({"type": "contacts", "search": "a", "filters": {"search": "b"}}), "/search", "given twice"),
        ("crm_query", json!({"type": "contacts", "cursor": "x"}), "/cursor", "leave it out"),
        ("find_customer", json!({}), "/search", "is required"),
        ("find_customer", json!({"search": " "}), "/search", "must not be empty"),
        ("find_customer", json!({"search": "x", "limit": 201}), "/limit", "must be at most 200"),
        ("find_customer", json!({"search": "x", "cursor": "x"}), "/cursor", "leave it out"),
        ("crm_capabilities", json!({"domian": "contact"}), "/domian", "is not known"),
        ("crm_capabilities", json!({"domain": "contacts"}), "/domain", "known: org, contact"),
    ];
    for (tool, arguments, pointer, telling) in cases {
        let error = client.call(tool, arguments.clone()).await["error"].clone();
        assert_eq!(error["code"], "INVALID_INPUT", "{tool} {arguments}: {error:#}");
        let here = |problem: &&Value| problem["pointer"] == pointer;
        let problem = error["problems"].as_array().unwrap().iter().find(here).cloned();
        let problem = problem.unwrap_or_else(|| panic!("{tool} {arguments}: {error:#}"));
        assert!(problem["message"].as_str().unwrap().contains(telling), "{tool} {arguments}: {problem:#}");
    }
    let error = client.call("crm_action", json!({"domain": "contact", "action": "creat"})).await["error"].clone();
    assert_eq!((&error["code"], &error["did_you_mean"][0]), (&json!("UNKNOWN_ACTION"), &json!("contact.create")));
    let error = client.call("crm_query", json!({"type": "contact"})).await["error"].clone();
    assert_eq!((&error["code"], &error["did_you_mean"][0]), (&json!("UNKNOWN_TYPE"), &json!("contacts")));
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn a_reasoning_is_asked_for_and_then_the_action_is_done() {
    let web = Web::open().await;
    for client in [Client::modern(&web), Client::legacy(&web, LEGACY[0]).await] {
        let id = client.call("crm_action", create("Jane", json!({}))).await["data"]["id"].clone();
        let mut call = json!({"domain": "contact", "action": "archive", "data": {"contact_id": id}});
        let before = web.desk.state().await;
        let error = client.call("crm_action", call.clone()).await["error"].clone();
        assert_eq!(error["code"], "REASONING_REQUIRED", "{error:#}");
        assert!(error["hint"].as_str().unwrap().contains("with `reasoning`"), "{error:#}");
        assert_eq!(web.desk.state().await, before);
        call["reasoning"] = "She moved away.".into();
        let done = client.call("crm_action", call).await;
        assert_eq!(done["data"]["archived_at"], "2030-01-07T09:00:00Z");
    }
}

#[tokio::test]
async fn a_repeat_with_its_key_changes_nothing() {
    let web = Web::open().await;
    let client = Client::modern(&web);
    let mut call = create("Jane", json!({}));
    call["idempotency_key"] = "one".into();
    let first = client.call("crm_action", call.clone()).await;
    let before = web.desk.state().await;
    let repeat = client.call("crm_action", call).await;
    assert_eq!((&repeat["data"], &repeat["meta"]["repeated"]), (&first["data"], &json!(true)));
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn a_call_is_on_record_with_its_door_and_client() {
    let web = Web::open().await;
    for client in [Client::modern(&web), Client::legacy(&web, LEGACY[0]).await] {
        let made = client.call("crm_action", create("Jane", json!({}))).await;
        let call = client.call("crm_query", json!({"type": "audit", "id": made["meta"]["request_id"]})).await;
        let told = ["actor", "door", "client", "action"].map(|member| call["data"][member].as_str().unwrap());
        assert_eq!(told, ["Client", "mcp_http", "trial 1.0", "contact.create"]);
    }
}

#[tokio::test]
async fn capabilities_lead_from_a_line_to_a_schema_and_its_example_to_a_call() {
    let web = Web::open().await;
    let client = Client::modern(&web);
    let all = client.call("crm_capabilities", json!({})).await["data"].clone();
    let registry = web.desk.office.registry();
    let lines: Vec<&Value> = all["domains"].as_array().unwrap().iter().collect();
    for action in registry.actions() {
        let listed = lines.iter().any(|domain| domain["actions"][action.name].is_string());
        assert_eq!(listed, action.class != PermissionClass::PeopleOnly, "{}", action.name);
    }
    for entry in registry.data_types() {
        let listed = lines.iter().any(|domain| domain["data"][entry.name].is_string());
        assert_eq!(listed, !entry.people_only, "{}", entry.name);
        if entry.people_only {
            continue;
        }
        let arguments = match entry.tool {
            Some(_) => json!({"type": entry.name, "search": "x"}),
            None => json!({"type": entry.name}),
        };
        assert_eq!(client.call("crm_query", arguments).await["success"], true, "{}", entry.name);
    }
    let shown = client.call("crm_capabilities", json!({"action": "contact.create"})).await;
    let example = shown["data"]["actions"][0]["example"].clone();
    let made = client.call("crm_action", json!({"domain": "contact", "action": "create", "data": example})).await;
    assert_eq!(made["data"]["display_name"], "Jane Smith");
}

#[tokio::test]
async fn a_customer_is_found_by_a_misspelt_name_or_a_phone_in_another_spelling() {
    let web = Web::open().await;
    let client = Client::modern(&web);
    let known = json!({"family_name": "Smith", "phones": [{"phone": "(256) 555-0100"}]});
    client.call("crm_action", create("Jane", known)).await;
    client.call("crm_action", create("Bob", json!({"family_name": "Jones"}))).await;
    let misspelt = client.call("find_customer", json!({"search": "smyth"})).await;
    assert_eq!(misspelt["data"].as_array().unwrap().len(), 1, "{misspelt:#}");
    assert_eq!(misspelt["data"][0]["display_name"], "Jane Smith");
    assert_eq!(misspelt["data"][0]["matched"], json!([{"word": "smyth", "found": "smith", "in": "name"}]));
    let by_phone = client.call("find_customer", json!({"search": "+1 256.555.0100"})).await;
    assert_eq!(by_phone["data"][0]["display_name"], "Jane Smith");
    assert_eq!(by_phone["data"][0]["matched"][0]["in"], "email_or_phone", "{by_phone:#}");
    let nobody = client.call("find_customer", json!({"search": "zebra"})).await;
    assert_eq!((&nobody["data"], &nobody["meta"]["total"]), (&json!([]), &json!(0)));
}
