//! What whoever runs the office sees: measures that count what was done, a log that tells it without telling on anybody, and
//! an end that cuts nobody off.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::time::Instant;

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::desk::fresh;
use crate::durability::{Client, Program};
use crate::mcp::{MODERN, meta};
use crate::rest::{Web, jane};

const CARD: &str = "4111 1111 1111 1111";

/// The samples of a scrape, after checking that each belongs to a family with a help text and a type.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let described = |family: &str| {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| family.strip_suffix(end)).unwrap_or(family);
        ["HELP", "TYPE"].iter().all(|word| text.contains(&format!("# {word} {family} ")))
    };
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let read = |line: &str| {
        let (series, number) = line.rsplit_once(' ').unwrap();
        let family = series.split('{').next().unwrap();
        assert!(described(family), "{line}");
        (series.to_string(), number.parse().unwrap())
    };
    lines.map(read).collect()
}

async fn scrape(web: &Web) -> BTreeMap<String, f64> {
    let mut request = web.request(Method::GET, "/metrics", Body::empty());
    request.headers_mut().remove("authorization");
    let response = web.send_from([127, 0, 0, 1], request).await;
    assert_eq!(
        (response.status, &response.headers["content-type"]),
        (200, &"text/plain; version=0.0.4; charset=utf-8".parse().unwrap())
    );
    samples(std::str::from_utf8(&response.body).unwrap())
}

#[tokio::test]
async fn calls_and_questions_are_counted_by_what_came_of_them() {
    let web = Web::open().await;
    let before = scrape(&web).await;
    web.act(jane()).await.ok();
    let mut rehearsal = jane();
    rehearsal["dry_run"] = true.into();
    web.act(rehearsal).await.ok();
    web.act(json!({"domain": "contact", "action": "create", "data": {}})).await.refused(422, "INVALID_INPUT");
    web.act(json!({"domain": "contact", "action": fresh(), "data": {}})).await.refused(404, "UNKNOWN_ACTION");
    let contacts = web.desk.contacts(6).await;
    let items: Vec<Value> = contacts.iter().map(|id| json!({"contact_id": id})).collect();
    let call = json!({"domain": "contact", "action": "archive", "items": items, "reasoning": "They moved away."});
    let held = web.act(call).await.json()["data"]["authorization_id"].as_str().unwrap().to_string();
    web.desk.owner().await.allow_once(&held).await.ok();
    web.get("/api/data?type=contacts").await.ok();
    let after = scrape(&web).await;
    let grown = |series: &str| after.get(series).unwrap_or(&0.0) - before.get(series).unwrap_or(&0.0);
    for (action, outcome, door, number) in [
        // Jane, and the six that the system made at once.
        ("contact.create", "done", "rest", 2.0),
        ("contact.create", "previewed", "rest", 1.0),
        ("contact.create", "refused", "rest", 1.0),
        ("unknown", "refused", "rest", 1.0),
        ("contact.archive", "queued", "rest", 1.0),
        ("contact.archive", "done", "authorization", 1.0),
        ("authorization.allow_once", "done", "rest", 1.0),
    ] {
        let labels = format!("action=\"{action}\",outcome=\"{outcome}\",door=\"{door}\"");
        assert_eq!(grown(&format!("frontdesk_calls_total{{{labels}}}")), number, "{labels} in {after:#?}");
    }
    assert_eq!(grown("frontdesk_errors_total{code=\"AUTHORIZATION_PENDING\",door=\"rest\"}"), 1.0);
    assert_eq!(grown("frontdesk_call_seconds_count{action=\"contact.archive\",door=\"rest\"}"), 1.0);
    assert_eq!(grown("frontdesk_read_seconds_count{type=\"contacts\",door=\"rest\"}"), 1.0);
    for gauge in ["frontdesk_authorizations{status=\"pending\"}", "frontdesk_jobs{state=\"failed\"}"] {
        assert!(after.contains_key(gauge), "{gauge} is missing in {after:#?}");
    }
    assert_eq!(after["frontdesk_database_up"], 1.0);
    assert!(after["process_resident_memory_bytes"] > 1e6);
}

#[tokio::test]
async fn measures_are_for_this_machine_and_for_whoever_has_the_token() {
    let ask = async |web: &Web, place: [u8; 4], token: Option<&str>| {
        let mut request = web.request(Method::GET, "/metrics", Body::empty());
        request.headers_mut().remove("authorization");
        if let Some(token) = token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        web.send_from(place, request).await.status
    };
    let (here, there) = ([127, 0, 0, 1], [192, 0, 2, 9]);
    let plain = Web::open().await;
    assert_eq!((ask(&plain, here, None).await, ask(&plain, there, None).await), (200, 404));
    assert_eq!(ask(&plain, there, Some(&plain.token)).await, 404);
    let with_token = Web::with(&["--metrics-token", "look"]).await;
    for (place, token, status) in [
        (here, None, 200),
        (here, Some("look"), 200),
        (here, Some("guess"), 401),
        (there, Some("look"), 200),
        (there, Some("guess"), 401),
        (there, None, 401),
    ] {
        assert_eq!(ask(&with_token, place, token).await, status, "{place:?} {token:?}");
    }
    // Behind a proxy everybody comes from this machine.
    let public = Web::with(&["--public-url", "https://office.example.com"]).await;
    assert_eq!(ask(&public, here, None).await, 404);
}

/// The program with its log in a file, as detailed as our own code can tell.
fn logging() -> (Program, PathBuf) {
    let data = std::env::temp_dir().join(format!("frontdesk-watching-{}", fresh()));
    let log = std::env::temp_dir().join(format!("frontdesk-watching-{}.log", fresh()));
    let own = "frontdesk=trace,capabilities=trace,handlers=trace,mcp=trace";
    let words = ["--log-format", "json", "--log", own];
    let program = Program::start_with(&data, &words, File::create(&log).unwrap().into());
    (program, log)
}

#[test]
fn the_log_has_a_line_for_each_call_and_tells_nobodys_secrets() {
    let (program, log) = logging();
    let agent = Client::agent(&program);
    let owner = Client::owner(&program);
    let note = format!("Pays with {CARD}, ring twice.");
    let person = json!({"kind": "person", "given_name": "Quetzalina", "notes": [note]});
    let call = json!({"domain": "contact", "action": "create", "data": person});
    let made = agent.act(call).unwrap();
    let unknown = owner.act(json!({"domain": "contact", "action": CARD, "data": {}})).unwrap();
    let wrong_token = format!("{}AAAA", &program.token[..program.token.len() - 4]);
    let stranger = Client { headers: vec![("authorization", format!("Bearer {wrong_token}"))], ..agent.clone() };
    assert_eq!(stranger.get(&format!("/api/data?type=contacts&search={CARD}").replace(' ', "%20")).0, 401);
    let wrong_link = format!("fl_{}", fresh());
    let nobody = Client { headers: Vec::new(), ..agent.clone() };
    for path in [format!("/sign-in/{wrong_link}"), format!("/sign-in/{wrong_link}/{CARD}").replace(' ', "%20")] {
        let shown = nobody.agent.post(format!("{}{path}", nobody.url)).send_empty().unwrap();
        assert!([404, 410].contains(&shown.status().as_u16()), "{path}: {}", shown.status());
    }
    agent.get("/api/data?type=contacts&search=Quetzalina");
    let demo: Value = serde_json::from_slice(&std::fs::read(program.data.join("demo-owner.json")).unwrap()).unwrap();
    let link = demo["owner_sign_in_url"].as_str().unwrap().rsplit('/').next().unwrap().to_string();
    let secrets =
        [program.token.clone(), wrong_token, link, wrong_link, CARD.into(), "ring twice".into(), "Quetzalina".into()];
    let cookies = owner.headers.iter().map(|(_, value)| value.rsplit('=').next().unwrap().to_string());
    let secrets: Vec<String> = secrets.into_iter().chain(cookies).collect();
    program.stop();
    let text = std::fs::read_to_string(&log).unwrap();
    for secret in secrets {
        assert!(!text.contains(&secret) && !text.contains(&secret.replace(' ', "%20")), "the log has {secret}");
    }
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |answer: &Value| {
        let id = &answer["meta"]["request_id"];
        let found: Vec<&Value> = lines.iter().filter(|line| &line["call_id"] == id).collect();
        assert_eq!(found.len(), 1, "one line for {answer:#}");
        let line = found[0].clone();
        assert!(line["duration_ms"].is_u64() && line["org_id"].is_string() && line["level"] == "INFO", "{line}");
        ["action", "outcome", "code", "door"].map(|member| line[member].as_str().unwrap_or_default().to_string())
    };
    assert_eq!(of(&made), ["contact.create", "done", "", "rest"]);
    assert_eq!(of(&unknown), ["unknown", "refused", "UNKNOWN_ACTION", "rest"]);
    let told = |member: &str, value: &str| lines.iter().filter(|line| line[member] == value).count();
    assert_eq!((told("code", "UNAUTHENTICATED"), told("data_type", "contacts")), (1, 1));
    std::fs::remove_file(log).unwrap();
}

#[test]
fn a_model_that_waits_when_the_server_stops_is_answered_at_once() {
    let (program, log) = logging();
    let owner = Client::owner(&program);
    let items: Vec<Value> = (0..6).map(|n| json!({"kind": "person", "given_name": format!("Six {n}")})).collect();
    let made = owner.act(json!({"domain": "contact", "action": "create", "items": items})).unwrap();
    let each = made["data"].as_array().unwrap().iter().map(|row| json!({"contact_id": row["id"]}));
    let items: Vec<Value> = each.collect();
    let agent = Client::agent(&program);
    let call = json!({"domain": "contact", "action": "archive", "items": items, "reasoning": "A trial."});
    let id = agent.act(call).unwrap()["data"]["authorization_id"].clone();
    let mut meta = meta();
    meta["progressToken"] = "waiting".into();
    let params = json!({"name": "check_authorization", "arguments": {"authorization_id": id}, "_meta": meta});
    let response = [
        ("authorization", format!("Bearer {}", program.token)),
        ("accept", "application/json, text/event-stream".into()),
        ("mcp-protocol-version", MODERN.into()),
        ("mcp-method", "tools/call".into()),
        ("mcp-name", "check_authorization".into()),
    ]
    .into_iter()
    .fold(agent.agent.post(format!("{}/mcp", program.url)), |request, (name, value)| request.header(name, value))
    .send_json(json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}))
    .unwrap();
    let mut lines = BufReader::new(response.into_body().into_reader()).lines();
    // It waits.
    lines.find(|line| line.as_ref().unwrap().contains("waiting for a person")).unwrap().unwrap();
    let began = Instant::now();
    let stopping = std::thread::spawn(move || program.stop());
    let answer = lines.find(|line| line.as_ref().unwrap().contains("structuredContent")).unwrap().unwrap();
    assert!(answer.contains("AUTHORIZATION_PENDING"), "{answer}");
    assert!(began.elapsed().as_secs() < 4, "{:?}", began.elapsed());
    drop(lines);
    stopping.join().unwrap();
    std::fs::remove_file(log).unwrap();
}
