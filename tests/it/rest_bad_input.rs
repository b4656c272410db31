//! What the programs' door does with what is wrong: it says what, what to do next, and changes nothing.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::rest::{Response, Web, jane};

/// Where the problems are, in order of their pointers.
#[track_caller]
fn pointers(error: &Value) -> Vec<String> {
    let problems = error["problems"].as_array().unwrap_or_else(|| panic!("problems are missing: {error:#}"));
    let mut pointers: Vec<String> = problems.iter().map(|p| p["pointer"].as_str().unwrap().to_string()).collect();
    pointers.sort();
    pointers
}

/// Everything an error says, in one text.
fn words(error: &Value) -> String {
    let problems = error["problems"].as_array().cloned().unwrap_or_default();
    let texts = problems.iter().map(|problem| problem["message"].clone());
    [error["message"].clone(), error["hint"].clone(), error["did_you_mean"].clone()]
        .into_iter()
        .chain(texts)
        .chain(problems.iter().map(|problem| problem["did_you_mean"].clone()))
        .map(|text| text.as_str().map_or_else(|| text.to_string(), str::to_string))
        .collect::<Vec<_>>()
        .join(" | ")
}

/// One problem, there, with these words somewhere in the error.
#[track_caller]
fn invalid(response: &Response, pointer: &str, telling: &str) {
    let error = response.refused(422, "INVALID_INPUT");
    assert_eq!(pointers(&error), [pointer], "{error:#}");
    assert!(words(&error).contains(telling), "`{telling}` is missing: {error:#}");
}

fn create(data: Value) -> Value {
    let mut call = json!({"domain": "contact", "action": "create"});
    call["data"] = data;
    call
}

fn person(more: Value) -> Value {
    let mut data = json!({"kind": "person", "given_name": "Jane"});
    data.as_object_mut().unwrap().extend(crate::desk::object(more));
    create(data)
}

/// A list in a list in a list.
fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!([inner]))
}

#[tokio::test]
async fn an_unknown_name_is_answered_with_the_nearest_ones() {
    let web = Web::open().await;
    let before = web.desk.state().await;
    let error = web.act(json!({"domain": "contact", "action": "creat"})).await.refused(404, "UNKNOWN_ACTION");
    assert_eq!(error["did_you_mean"][0], "contact.create");
    assert!(error["hint"].as_str().unwrap().contains("`contact.create`"), "{error:#}");
    let error = web.act(json!({"domain": "zzz", "action": "qqq"})).await.refused(404, "UNKNOWN_ACTION");
    assert!(error["hint"].as_str().unwrap().contains("capabilities list every action"), "{error:#}");
    let error = web.get("/api/data?type=contact").await.refused(404, "UNKNOWN_TYPE");
    assert_eq!(error["did_you_mean"][0], "contacts");
    let error = web.get("/api/capabilities?action=contact.archiv").await.refused(404, "UNKNOWN_ACTION");
    assert_eq!(error["did_you_mean"][0], "contact.archive");
    invalid(
        &web.get("/api/capabilities?domain=contacts").await,
        "/domain",
        "known: org, contact, address, service, ticket, workflow, note, authorization, user, alert, job, audit",
    );
    invalid(&web.get("/api/capabilities?domain=rule").await, "/domain", "there is no domain `rule`");
    invalid(&web.get("/api/capabilities?domian=contact").await, "/domian", "known: domain, action");
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn a_wrong_input_is_pointed_at() {
    let web = Web::open().await;
    let before = web.desk.state().await;
    let cases = [
        (person(json!({"family": "Smith"})), "/data/family", "family_name"),
        (person(json!({"a/b~c": 1})), "/data/a~1b~0c", "is not known; known: addresses"),
        (person(json!({"emails": [{"email": "j@example.com", "typ": "work"}]})), "/data/emails/0/typ", "type"),
        (person(json!({"given_name": 5})), "/data/given_name", "must be a string, not a number"),
        (person(json!({"emails": "j@example.com"})), "/data/emails", "must be a list, not a string"),
        (person(json!({"emails": [{"email": "nobody"}]})), "/data/emails/0/email", "like jane@example.com"),
        (person(json!({"kind": "persn"})), "/data/kind", "must be one of person, organization"),
        (person(json!({"given_name": "x".repeat(201)})), "/data/given_name", "more than 200 characters"),
        (person(json!({"given_name": nested(100)})), "/data/given_name", "must be a string, not a list"),
        (person(json!({"given_name": " "})), "/data/given_name", "must not be empty"),
        (person(json!({"given_name": "a\nb"})), "/data/given_name", "must be one line"),
        (person(json!({"tags": vec!["tag"; 31]})), "/data/tags", "more than 30 items"),
        (person(json!({"notes": ["ok", "no\0"]})), "/data/notes/1", "NUL character"),
        (create(json!({"given_name": "Jane"})), "/data/kind", "is required"),
        (json!({"domain": "contact", "action": "archive", "data": {"contact_id": "x"}}), "/data/contact_id", "UUID"),
        (json!({"domain": "contact"}), "/action", "is required"),
        (json!({"domain": "contact", "action": "create", "date": {}}), "/date", "data"),
        (json!({"domain": "contact", "action": "create", "data": []}), "/data", "must be an object, not a list"),
        (json!({"domain": "contact", "action": "create", "data": {}, "items": []}), "/items", "not both"),
        (json!({"domain": "contact", "action": "create", "items": []}), "/items", "must have 1 to 500 items"),
        (json!({"domain": "contact", "action": "create", "items": [1]}), "/items/0", "must be an object, not a number"),
        (json!([jane()]), "", "must be an object, not a list"),
        (json!("create"), "", "must be an object, not a string"),
        (json!(null), "", "must be an object, not null"),
    ];
    for (call, pointer, telling) in cases {
        invalid(&web.act(call).await, pointer, telling);
    }
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn everything_wrong_is_said_at_once() {
    let web = Web::open().await;
    let call = create(json!({"kind": "persn", "given_name": 5, "nmae": "x", "emails": [{"email": "nobody"}, {}]}));
    let error = web.act(call).await.refused(422, "INVALID_INPUT");
    let expected = ["/data/emails/0/email", "/data/emails/1/email", "/data/given_name", "/data/kind", "/data/nmae"];
    assert_eq!(pointers(&error), expected);
    assert!(error["message"].as_str().unwrap().starts_with("The input has 5 problems"), "{error:#}");
}

#[tokio::test]
async fn an_option_that_cannot_be_kept_is_refused() {
    let web = Web::open().await;
    let before = web.desk.state().await;
    let cases = [
        ("reasoning", json!("why\0"), "NUL character"),
        ("reasoning", json!("x".repeat(2_001)), "more than 2000 characters"),
        ("reasoning", json!(5), "must be a string"),
        ("idempotency_key", json!("k\0"), "NUL character"),
        ("idempotency_key", json!(" "), "must not be empty"),
        ("idempotency_key", json!("x".repeat(201)), "more than 200 characters"),
        ("dry_run", json!("yes"), "must be a boolean, not a string"),
    ];
    for (option, value, telling) in cases {
        let mut call = jane();
        call[option] = value;
        invalid(&web.act(call).await, &format!("/{option}"), telling);
    }
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn a_key_in_the_header_is_held_to_the_same_rules() {
    let web = Web::open().await;
    let before = web.desk.state().await;
    invalid(&web.act_with("idempotency-key", "schlüssel".as_bytes(), jane()).await, "/idempotency_key", "ASCII");
    invalid(&web.act_with("idempotency-key", b"k\xff", jane()).await, "/idempotency_key", "ASCII");
    invalid(&web.act_with("idempotency-key", &[b'x'; 201], jane()).await, "/idempotency_key", "more than 200");
    invalid(&web.act_with("idempotency-key", b"", jane()).await, "/idempotency_key", "must not be empty");
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn a_key_serves_one_input_only() {
    let web = Web::open().await;
    web.act_with("idempotency-key", b"one", jane()).await.ok();
    let before = web.desk.state().await;
    let mut other = person(json!({}));
    let in_header = web.act_with("idempotency-key", b"one", other.clone()).await;
    other["idempotency_key"] = "one".into();
    for response in [in_header, web.act(other).await] {
        let error = response.refused(409, "IDEMPOTENCY_KEY_REUSED");
        assert!(error["hint"].as_str().unwrap().contains("new key"), "{error:#}");
    }
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn a_stale_version_is_refused_with_the_present_one() {
    let web = Web::open().await;
    let id = web.act(jane()).await.ok()["data"]["id"].clone();
    let update = |version: Value| {
        json!({"domain": "contact", "action": "update",
            "data": {"contact_id": id, "expected_version": version, "family_name": "Jones"}})
    };
    web.act(update(json!(1))).await.ok();
    let before = web.desk.state().await;
    let error = web.act(update(json!(1))).await.refused(409, "VERSION_CONFLICT");
    assert_eq!(error["current_version"], 2);
    assert!(error["hint"].as_str().unwrap().contains("expected_version 2"), "{error:#}");
    let outside = "outside the range of whole numbers";
    invalid(&web.act(update(json!(1_i64 << 40))).await, "/data/expected_version", outside);
    invalid(&web.act(update(json!(1.5))).await, "/data/expected_version", "must be a whole number, not a number");
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn a_record_of_another_organization_is_not_found() {
    let web = Web::open().await;
    let stranger = Desk::open().await;
    let foreign = stranger.agent().await.contact("Stranger", json!({})).await;
    let (before, theirs) = (web.desk.state().await, stranger.state().await);
    let unknown = "01970000-0000-7000-8000-000000000001";
    for id in [foreign.as_str(), unknown] {
        let update = json!({"domain": "contact", "action": "update", "data": {"contact_id": id, "family_name": "X"}});
        let error = web.act(update).await.refused(404, "NOT_FOUND");
        assert_eq!(error["message"], format!("There is no contact {id}."));
        assert!(error["hint"].as_str().unwrap().contains("another organization is not found here"), "{error:#}");
        let error = web.get(&format!("/api/data?type=contacts&id={id}")).await.refused(404, "NOT_FOUND");
        assert_eq!(error["message"], format!("There is no contact {id}."), "no hint that it exists elsewhere");
        let note = json!({"domain": "note", "action": "add", "data": {"contact_id": id, "content": "Hello."}});
        web.act(note).await.refused(404, "NOT_FOUND");
    }
    assert_eq!((web.desk.state().await, stranger.state().await), (before, theirs));
}

#[tokio::test]
async fn an_agent_that_changes_more_than_five_at_once_gives_its_reasoning_and_waits() {
    let web = Web::open().await;
    let before = web.desk.state().await;
    let items = |count: usize| {
        let items = vec![json!({"kind": "person", "given_name": "Jane"}); count];
        json!({"domain": "contact", "action": "create", "items": items})
    };
    let error = web.act(items(6)).await.refused(422, "REASONING_REQUIRED");
    assert!(words(&error).contains("more than 5 items in one call"), "{error:#}");
    invalid(&web.act(items(501)).await, "/items", "more than 500 items");
    assert_eq!(web.desk.state().await, before);
    let mut reasoned = items(6);
    reasoned["reasoning"] = "They all called today.".into();
    let held = web.act(reasoned).await;
    assert_eq!((held.status, &held.json()["error"]["code"]), (202, &json!("AUTHORIZATION_PENDING")));
    assert_eq!(web.desk.count("contacts").await, 0, "nothing was done yet");
    web.act(items(5)).await.ok();
}

#[tokio::test]
async fn one_bad_item_undoes_them_all() {
    let web = Web::open().await;
    let id = web.act(jane()).await.ok()["data"]["id"].clone();
    let before = web.desk.state().await;
    let good = json!({"kind": "person", "given_name": "Jane"});
    let items = json!([good, good, {"kind": "person", "given_name": "Jane", "emails": [{"email": "nobody"}]}, good]);
    let call = json!({"domain": "contact", "action": "create", "items": items});
    invalid(&web.act(call).await, "/items/2/emails/0/email", "is not an e-mail address");
    let items = json!([good, good, {"kind": "person"}]);
    let error = web.act(json!({"domain": "contact", "action": "create", "items": items})).await;
    let error = error.refused(422, "INVALID_INPUT");
    assert_eq!(pointers(&error), ["/items/2"], "found out by the database, and pointed at all the same");
    let note = |id: &Value| json!({"contact_id": id, "content": "Hello."});
    let items = json!([note(&id), note(&id), note(&json!("01970000-0000-7000-8000-000000000001"))]);
    web.act(json!({"domain": "note", "action": "add", "items": items})).await.refused(404, "NOT_FOUND");
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let web = Web::open().await;
    let before = web.desk.state().await;
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let bodies: Vec<Vec<u8>> = vec![
        Vec::new(),
        b" ".to_vec(),
        b"{".to_vec(),
        b"domain=contact".to_vec(),
        b"{\"domain\": \"contact\", \"action\": \"create\"} {}".to_vec(),
        b"{\"domain\": \"con\xfftact\"}".to_vec(),
        b"{\"domain\": \"con\0tact\"}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"dry_run\": NaN}".to_vec(),
        deep(200).into(),
        deep(100_000).into(),
        format!(r#"{{"domain": "contact", "action": "create", "data": {}}}"#, deep(100_000)).into(),
        r#"{"data":"#.repeat(50_000).into(),
    ];
    for body in bodies {
        let start = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let response = web.post(body).await;
        assert_eq!(response.status, 400, "{start}");
        let error = response.refused(400, "INVALID_JSON");
        assert_eq!(error["hint"], "Send one JSON object, UTF-8.", "{start}");
        assert!(response.body.len() < 1_000, "{start}");
    }
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn half_a_character_is_an_input_and_not_text() {
    let web = Web::open().await;
    let before = web.desk.state().await;
    let half = r#"\ud800"#;
    for body in [
        format!(r#"{{"domain": "contact", "action": "create", "data": {{"kind": "person", "given_name": "{half}"}}}}"#),
        format!(
            r#"{{"domain": "contact", "action": "create", "data": {{"kind": "person", "given_name": "{half}x"}}}}"#
        ),
        format!(r#"{{"domain": "{half}\u0041", "action": "create"}}"#),
        r#"{"domain": "contact", "action": "create", "reasoning": "\udc00"}"#.to_string(),
        format!(r#"{{"{half}": 1}}"#),
    ] {
        invalid(&web.post(body).await, "", "half of a surrogate pair");
    }
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_refused_whether_announced_or_not() {
    let web = Web::open().await;
    let before = web.desk.state().await;
    let large = person(json!({"notes": ["x".repeat(10 << 20)]})).to_string();
    for length in [None, Some(large.len()), Some(100 << 20)] {
        let mut request = web.request(Method::POST, "/api/actions", large.clone());
        if let Some(length) = length {
            request.headers_mut().insert("content-length", length.into());
        }
        let error = web.send(request).await.refused(413, "TOO_LARGE");
        assert_eq!(error["message"], "The body is larger than 1024 KiB.", "{length:?}");
        assert_eq!(error["hint"], "Send less in one call.");
    }
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_pointed_at() {
    let web = Web::open().await;
    web.people(3, "Page").await;
    let page = web.get("/api/data?type=contacts&limit=1").await.ok();
    let cursor = page["meta"]["next_cursor"].as_str().unwrap();
    let cases = [
        ("limit=0".to_string(), "/limit", "must be 1 to 200"),
        ("limit=201".into(), "/limit", "must be 1 to 200"),
        ("limit=-1".into(), "/limit", "must be 1 to 200"),
        ("limit=x".into(), "/limit", "must be a whole number"),
        ("limit=".into(), "/limit", "must be a whole number"),
        ("limit=99999999999999999999".into(), "/limit", "must be a whole number"),
        ("cursor=nonsense".into(), "/cursor", "leave it out to start again"),
        ("cursor=".into(), "/cursor", "leave it out to start again"),
        (format!("cursor={cursor}&city=Madison"), "/cursor", "is not a cursor of this list"),
        ("cuty=Madison".into(), "/cuty", "city"),
        (
            "zzz=1".into(),
            "/zzz",
            "known: archived, city, last_service_after, last_service_before, postal_code, search, service_id, tag",
        ),
        ("include=adresses".into(), "/include", "addresses"),
        ("include=addresses,zzz".into(), "/include", "known: addresses, tickets, notes, audit_trail"),
        ("fields=dispay_name".into(), "/fields", "display_name"),
        ("fields=zzz".into(), "/fields", "known:"),
        ("id=x".into(), "/id", "is not a UUID"),
        ("archived=maybe".into(), "/archived", "must be one of no, only, any"),
        (format!("city={}", "x".repeat(201)), "/city", "more than 200 characters"),
        ("city=Athens&city=Madison".into(), "/city", "is given twice"),
        ("limit=1&limit=2".into(), "/limit", "is given twice"),
        ("city=a%00b".into(), "/city", "NUL character"),
        ("city=%ff".into(), "/city", "UTF-8"),
        ("city=%ed%a0%80".into(), "/city", "UTF-8"),
        ("search=%20".into(), "/search", "must not be empty"),
        ("search=".into(), "/search", "must not be empty"),
        ("tag=%0A".into(), "/tag", "must not be empty"),
        ("tag=a%0Ab".into(), "/tag", "must be one line"),
        ("postal_code=%09".into(), "/postal_code", "must not be empty"),
    ];
    for (query, pointer, telling) in cases {
        let response = web.get(&format!("/api/data?type=contacts&{query}")).await;
        assert_eq!(response.status, 422, "{query}");
        invalid(&response, pointer, telling);
    }
    for (query, pointer, telling) in [
        ("", "/type", "is required"),
        ("type=notes&contact_id=x", "/contact_id", "is not a UUID or a list of them"),
        ("type=audit&record_id=x", "/record_id", "is not a UUID or a list of them"),
        ("type=audit&actor_id=x", "/actor_id", "is not a UUID"),
        ("type=audit&from=yesterday", "/from", "is not a time like 2030-01-07T09:00:00Z"),
        ("type=customer_matches", "/search", "is required"),
        ("type=customer_matches&search=x&include_archived=perhaps", "/include_archived", "must be a boolean"),
        ("type=contacts&type=notes", "/type", "is given twice"),
    ] {
        let response = web.get(&format!("/api/data?{query}")).await;
        assert_eq!(response.status, 422, "{query}");
        invalid(&response, pointer, telling);
    }
    let cursor = web.get(&format!("/api/data?type=addresses&cursor={cursor}")).await;
    invalid(&cursor, "/cursor", "is not a cursor of this list");
}

#[tokio::test]
async fn all_that_is_wrong_with_a_question_is_said_at_once() {
    let web = Web::open().await;
    let response = web.get("/api/data?type=contacts&limit=0&cursor=x&id=x&include=x&fields=x&x=1").await;
    let error = response.refused(422, "INVALID_INPUT");
    assert_eq!(pointers(&error), ["/cursor", "/fields", "/id", "/include", "/limit", "/x"]);
}

#[tokio::test]
async fn a_route_or_method_that_is_not_there_is_answered_in_the_envelope() {
    let web = Web::open().await;
    for path in ["/api", "/api/contacts", "/api/data/", "/api/actions/contact.create", "/openapi.yaml"] {
        let error = web.get(path).await.refused(404, "NOT_FOUND");
        assert_eq!(error["message"], format!("There is nothing at {path}."));
        assert!(error["hint"].as_str().unwrap().contains("/openapi.json"), "{error:#}");
    }
    for (method, path, allowed) in [
        (Method::GET, "/api/actions", "POST"),
        (Method::DELETE, "/api/actions", "POST"),
        (Method::POST, "/api/data", "GET, HEAD"),
        (Method::PUT, "/api/capabilities", "GET, HEAD"),
        (Method::POST, "/openapi.json", "GET, HEAD"),
        (Method::POST, "/healthz", "GET, HEAD"),
    ] {
        let response = web.send(web.request(method.clone(), path, Body::empty())).await;
        let error = response.refused(405, "METHOD_NOT_ALLOWED");
        assert_eq!(response.headers["allow"], allowed, "{method} {path}");
        assert!(error["hint"].as_str().unwrap().contains(allowed), "{error:#}");
    }
    assert!(web.get(&format!("/{}", "x".repeat(50_000))).await.body.len() < 2_000, "a path is not echoed in full");
}

#[tokio::test]
async fn an_answer_stays_small_however_much_is_wrong() {
    let web = Web::open().await;
    let before = web.desk.state().await;
    let long = "x".repeat(1_000_000);
    for call in [
        json!({"domain": "contact", "action": long}),
        json!({"domain": long, "action": "create"}),
        json!({"domain": "contact", "action": "create", (long.as_str()): 1}),
        person(json!({(long.as_str()): 1})),
    ] {
        let response = web.act(call).await;
        assert!((400..500).contains(&response.status), "{}", response.status);
        assert!(response.body.len() < 2_000, "{} bytes", response.body.len());
    }
    let unknown = crate::desk::object((0..60_000).map(|n| (format!("f{n}"), Value::from(1))).collect());
    for (call, pointer) in [
        (person(Value::Object(unknown)), "/data/f0"),
        (json!({"domain": "contact", "action": "create", "items": vec![json!({}); 300_000]}), "/items"),
        (json!({"domain": "contact", "action": "create", "items": vec![json!(1); 300_000]}), "/items"),
        (person(json!({"emails": vec![json!({}); 300_000]})), "/data/emails"),
    ] {
        let response = web.act(call).await;
        let error = response.refused(422, "INVALID_INPUT");
        assert!(pointers(&error).iter().any(|place| place.starts_with(pointer)), "{error:#}");
        assert!(response.body.len() < 20_000, "{} bytes", response.body.len());
    }
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn a_long_query_string_is_not_echoed() {
    let web = Web::open().await;
    let long = "x".repeat(30_000);
    for path in [
        format!("/api/capabilities?domain={long}"),
        format!("/api/capabilities?action={long}"),
        format!("/api/capabilities?{long}=1"),
        format!("/api/data?type={long}"),
        format!("/api/data?type=contacts&{long}=1"),
        format!("/api/data?type=contacts&id={long}"),
        format!("/api/data?type=contacts&cursor={long}"),
        format!("/api/data?type=contacts&include={long}"),
        format!("/api/data?type=contacts&include={}", "x,".repeat(15_000)),
        format!("/api/data?type=contacts&fields={long}"),
        format!("/api/data?type=contacts&fields={}", "x,".repeat(15_000)),
        format!("/api/data?type=contacts&{long}=1&{long}=1"),
        format!("/api/data?type=contacts&{long}=%ff"),
    ] {
        let response = web.get(&path).await;
        assert!((400..500).contains(&response.status), "{}", response.status);
        assert!(response.body.len() < 20_000, "{}: {} bytes", &path[..45], response.body.len());
    }
}

#[tokio::test]
async fn a_refusal_to_a_known_caller_is_on_record_without_its_values() {
    let web = Web::open().await;
    let response = web.act(person(json!({"given_name": "Secret Name", "emails": [{"email": "nobody"}]}))).await;
    response.refused(422, "INVALID_INPUT");
    let request_id = response.json()["meta"]["request_id"].as_str().unwrap().to_string();
    let call = web.get(&format!("/api/data?type=audit&id={request_id}")).await.ok()["data"].clone();
    assert_eq!((&call["outcome"], &call["error_code"]), (&json!("refused"), &json!("INVALID_INPUT")));
    assert!(!call.to_string().contains("Secret Name"), "{call:#}");
}

#[tokio::test]
async fn without_a_token_nothing_is_read_of_the_body() {
    let web = Web::open().await;
    let mut request = Request::new(Body::from("{"));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = "/api/actions".parse().unwrap();
    let response = web.send(request).await;
    response.refused(401, "UNAUTHENTICATED");
    assert_eq!(response.headers["www-authenticate"], "Bearer");
}
