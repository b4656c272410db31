//! What open pages are told: that something waits, changed or is decided, until their session ends.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::Method;
use chrono::TimeDelta;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::desk::Actor;
use crate::rest::Web;

/// Less than the stream looks by itself: who is not told by the one who changed something is too late.
const PATIENCE: Duration = Duration::from_secs(4);
/// Longer than it looks by itself.
const UNTOLD: Duration = Duration::from_secs(15);

/// An open stream.
struct Events {
    body: BodyDataStream,
    heard: String,
    patience: Duration,
}

impl Events {
    async fn open(web: &Web, person: &Actor) -> Self {
        let response = web.begin(web.request_of(person, Method::GET, "/queue/events", "")).await;
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers().get("content-encoding"), None);
        Self { body: response.into_body().into_data_stream(), heard: String::new(), patience: PATIENCE }
    }

    /// The data of the next event; none when the stream has ended.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.heard.split_once("\n\n") {
                let (event, rest) = (event.to_string(), rest.to_string());
                self.heard = rest;
                match event.lines().find_map(|line| line.strip_prefix("data: ")) {
                    Some(data) => {
                        assert!(event.contains("event: queue"), "{event}");
                        return Some(serde_json::from_str(data).unwrap());
                    }
                    None => continue,
                }
            }
            let more = tokio::time::timeout(self.patience, self.body.next()).await.expect("told, or ended, in time")?;
            self.heard.push_str(std::str::from_utf8(&more.unwrap()).unwrap());
        }
    }

    /// How many are said to wait next.
    async fn waiting(&mut self) -> String {
        self.next().await.expect("not ended")["waiting"].as_str().unwrap().to_string()
    }
}

async fn six_wait(web: &Web) -> String {
    web.desk.agent().await.call_on_each("contact.archive", &web.desk.contacts(6).await).await.held()
}

async fn status(web: &Web, person: &Actor) -> u16 {
    web.begin(web.request_of(person, Method::GET, "/queue/events", "")).await.status().as_u16()
}

#[tokio::test]
async fn an_open_page_hears_of_what_comes_changes_and_goes_until_its_person_signs_out() {
    let web = Web::open().await;
    let (owner, manager) = (web.desk.owner().await, web.desk.manager().await);
    let mut events = Events::open(&web, &owner).await;
    let first = events.next().await.unwrap();
    assert_eq!((&first["waiting"], &first["now"]), (&json!(""), &json!("2030-01-07T09:00:00Z")));
    assert!(events.heard.is_empty(), "told once: {}", events.heard);
    let (id, other) = (six_wait(&web).await, six_wait(&web).await);
    // Two at once may be one word.
    let mut told = events.waiting().await;
    while told != "2" {
        told = events.waiting().await;
    }
    let contact = owner.get("authorizations", &id).await.ok()["input"][0]["contact_id"].clone();
    owner.call("contact.archive", json!({"contact_id": contact})).await.ok();
    manager.allow_once(&id).await.refused("PLAN_CHANGED");
    assert_eq!(events.waiting().await, "2", "a renewed preview is new");
    manager.call("authorization.deny", json!({"authorization_id": id})).await.ok();
    assert_eq!(events.waiting().await, "1");
    let agent = web.desk.agent().await;
    agent.call("authorization.withdraw", json!({"authorization_id": other})).await.ok();
    assert_eq!(events.waiting().await, "");

    let mut others = Events::open(&web, &manager).await;
    assert_eq!(others.waiting().await, "");
    let form = format!("_csrf={}", owner.session().csrf());
    let mut sign_out = web.request_of(&owner, Method::POST, "/sign-out", form);
    sign_out.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    assert_eq!(web.send(sign_out).await.status, 303);
    assert_eq!(events.next().await, None);
    assert_eq!(status(&web, &owner).await, 401);
    six_wait(&web).await;
    assert_eq!(others.waiting().await, "1");
    web.stop.cancel();
    assert_eq!(others.next().await, None, "streams end with the server");
}

#[tokio::test]
async fn a_stream_is_no_use_of_its_session_and_ends_with_it() {
    let web = Web::open().await;
    let (owner, manager) = (web.desk.owner().await, web.desk.manager().await);
    let mut events = [Events::open(&web, &owner).await, Events::open(&web, &manager).await];
    for stream in &mut events {
        assert_eq!(stream.waiting().await, "");
    }
    let [mut of_owner, mut of_manager] = events;
    let user = manager.caller.id().unwrap();
    owner.call("user.deactivate", json!({"user_id": user})).await.ok();
    assert_eq!(of_manager.next().await, None);
    web.desk.pass(TimeDelta::days(13));
    six_wait(&web).await;
    assert_eq!(of_owner.waiting().await, "1");
    web.desk.pass(TimeDelta::days(2));
    six_wait(&web).await;
    assert_eq!(of_owner.next().await, None, "nobody used it for two weeks");
}

#[tokio::test]
async fn what_ran_out_does_not_wait_any_more() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    six_wait(&web).await;
    let mut events = Events::open(&web, &owner).await;
    assert_eq!(events.waiting().await, "1");
    web.desk.pass(TimeDelta::hours(71));
    six_wait(&web).await;
    assert_eq!(events.waiting().await, "2");
    web.desk.pass(TimeDelta::hours(2));
    owner.call("org.freeze", json!({})).await.ok();
    six_wait(&web).await;
    assert_eq!(events.waiting().await, "2", "one has run out, one is new");
    // Nobody says a word when time passes.
    web.desk.pass(TimeDelta::hours(80));
    events.patience = UNTOLD;
    assert_eq!(events.waiting().await, "");
}

#[tokio::test]
async fn only_who_decides_is_told_and_in_so_many_pages_at_once() {
    let web = Web::open().await;
    let (owner, manager, technician) = (web.desk.owner().await, web.desk.manager().await, web.desk.technician().await);
    assert_eq!(status(&web, &technician).await, 403);
    assert_eq!(web.get("/queue/events").await.status, 403, "an agent is told by check_authorization");
    let mut nobody = web.request(Method::GET, "/queue/events", Body::empty());
    nobody.headers_mut().remove("authorization");
    assert_eq!(web.begin(nobody).await.status().as_u16(), 401);

    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(Events::open(&web, &owner).await);
    }
    assert_eq!(status(&web, &owner).await, 429);
    Events::open(&web, &manager).await;
    open.pop();
    Events::open(&web, &owner).await;
}
