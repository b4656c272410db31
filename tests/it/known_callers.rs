//! Callers are known for a moment without asking: that they are looked up less, and that whoever is shown out is out.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::desk::{Actor, Desk};
use crate::rest::{Response, Web};
use crate::tickets_scheduling::user;
use crate::wire::Wire;

/// A caller is known for a second; what takes longer than this is never forgotten.
const AT_LAST: Duration = Duration::from_secs(20);
const CONTACTS: &str = "/api/data?type=contacts&limit=1";

/// Again and again until it is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    // Less often than an agent may ask.
    let mut looks = tokio::time::interval(Duration::from_millis(60));
    while !is_so().await {
        assert!(since.elapsed() < AT_LAST, "{what}");
        looks.tick().await;
    }
}

/// A server that hears what others say, so that it keeps who called.
async fn listening(web: &Web) -> capabilities::Listening {
    web.desk.office.listen().await.unwrap()
}

async fn note(web: &Web, contact: &str) -> Response {
    let data = json!({"contact_id": contact, "content": "Ring twice."});
    web.act(json!({"domain": "note", "action": "add", "data": data})).await
}

async fn note_by(web: &Web, person: &Actor, contact: &str) -> Response {
    let data = json!({"contact_id": contact, "content": "Ring twice."});
    web.act_as(person, json!({"domain": "note", "action": "add", "data": data})).await
}

async fn get_as(web: &Web, person: &Actor, path: &str) -> Response {
    web.send(web.request_of(person, Method::GET, path, Body::empty())).await
}

/// The agent behind the token of these doors.
async fn agent(web: &Web) -> Value {
    web.desk.office.authenticate(&web.token).await.unwrap().id().unwrap().to_string().into()
}

/// Whether a read with the token was answered without asking who that is.
async fn is_known(web: &Web, wire: &Wire) -> bool {
    wire.heard();
    web.get(CONTACTS).await.ok();
    !wire.heard().iter().any(crate::wire::Message::looks_up_a_caller)
}

#[tokio::test]
async fn a_caller_is_not_looked_up_at_every_request() {
    let (desk, wire) = Desk::wired().await;
    let web = Web::of(desk, &[]).await;
    until("the agent is never known", async || is_known(&web, &wire).await).await;
    let tara = web.desk.technician().await;
    let known = async || {
        wire.heard();
        assert_eq!(get_as(&web, &tara, CONTACTS).await.status, 200);
        !wire.heard().iter().any(crate::wire::Message::looks_up_a_caller)
    };
    until("the person is never known", known).await;
}

#[tokio::test]
async fn whoever_is_shown_out_is_out_at_once_where_it_was_done() {
    let web = Web::open().await;
    let _listening = listening(&web).await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    let agent = agent(&web).await;
    web.get(CONTACTS).await.ok();
    owner.call("agent.disable", json!({"agent_id": agent})).await.ok();
    web.get(CONTACTS).await.refused(401, "UNAUTHENTICATED");
    owner.call("agent.enable", json!({"agent_id": agent})).await.ok();
    web.get(CONTACTS).await.ok();
    owner.call("agent.rotate_token", json!({"agent_id": agent})).await.ok();
    web.get(CONTACTS).await.refused(401, "UNAUTHENTICATED");

    assert_eq!(get_as(&web, &tara, CONTACTS).await.status, 200);
    owner.call("user.end_sessions", json!({"user_id": user(&tara)})).await.ok();
    assert_eq!(get_as(&web, &tara, CONTACTS).await.status, 401);
    let tara = web.desk.sign_in(tara.caller.id().unwrap()).await;
    assert_eq!(get_as(&web, &tara, CONTACTS).await.status, 200);
    let mut out = web.request_of(&tara, Method::DELETE, "/api/session", Body::empty());
    out.headers_mut().insert("x-csrf-token", tara.session().csrf().parse().unwrap());
    assert_eq!(web.send(out).await.status, 200);
    assert_eq!(get_as(&web, &tara, CONTACTS).await.status, 401);
}

#[tokio::test]
async fn what_a_caller_may_and_what_it_carries_changes_at_once_where_it_was_done() {
    let web = Web::open().await;
    let _listening = listening(&web).await;
    let (owner, max) = (web.desk.owner().await, web.desk.manager().await);
    let jane = owner.contact("Jane", json!({})).await;
    let agent = agent(&web).await;
    let class = async || {
        let capabilities = web.get("/api/capabilities?action=note.add").await.ok();
        capabilities["data"]["actions"][0]["permission"].clone()
    };
    assert_eq!(class().await, "unrestricted");
    let overrides = json!({"agent_id": agent, "overrides": {"note.add": "requires_authorization"}});
    owner.call("agent.set_overrides", overrides).await.ok();
    assert_eq!(class().await, "requires_authorization");

    assert_eq!(get_as(&web, &max, "/api/data?type=audit&limit=1").await.status, 200);
    owner.call("user.change_role", json!({"user_id": user(&max), "role": "technician"})).await.ok();
    assert_eq!(get_as(&web, &max, "/api/data?type=audit&limit=1").await.status, 403);

    let local =
        async || web.get(&format!("/api/data?type=contacts&id={jane}")).await.ok()["data"]["created_at_local"].clone();
    assert_eq!(local().await, "2030-01-07T03:00:00-06:00");
    owner.call("org.update", json!({"timezone": "America/New_York"})).await.ok();
    assert_eq!(local().await, "2030-01-07T04:00:00-05:00");
    let changed = owner.read("audit", json!({"action": "org.update"})).await.ok()[0]["id"].clone();
    owner.call("audit.undo", json!({"call_id": changed})).await.ok();
    assert_eq!(local().await, "2030-01-07T03:00:00-06:00");
}

#[tokio::test]
async fn another_server_refuses_the_writes_of_a_disabled_agent_at_once_and_its_reads_soon() {
    let web = Web::open().await;
    let elsewhere = web.elsewhere().await;
    let _listening = listening(&elsewhere).await;
    let owner = web.desk.owner().await;
    let (jane, agent) = (owner.contact("Jane", json!({})).await, agent(&web).await);
    note(&elsewhere, &jane).await.ok();
    owner.call("agent.disable", json!({"agent_id": agent})).await.ok();
    let error = note(&elsewhere, &jane).await.refused(401, "UNAUTHENTICATED");
    assert_eq!(error["message"], "The agent Client is disabled.");
    until("it goes on reading", async || elsewhere.get(CONTACTS).await.status == 401).await;
    owner.call("agent.enable", json!({"agent_id": agent})).await.ok();
    note(&elsewhere, &jane).await.ok();
    owner.call("agent.rotate_token", json!({"agent_id": agent})).await.ok();
    note(&elsewhere, &jane).await.refused(401, "UNAUTHENTICATED");
    until("the old token goes on reading", async || elsewhere.get(CONTACTS).await.status == 401).await;
    assert_eq!(web.desk.count("notes").await, 2);
}

#[tokio::test]
async fn another_server_goes_by_the_role_and_the_session_a_person_has_by_now() {
    let web = Web::open().await;
    let elsewhere = web.elsewhere().await;
    let _listening = listening(&elsewhere).await;
    let (owner, max) = (web.desk.owner().await, web.desk.manager().await);
    let jane = owner.contact("Jane", json!({})).await;
    assert_eq!(note_by(&elsewhere, &max, &jane).await.status, 200);
    owner.call("user.change_role", json!({"user_id": user(&max), "role": "technician"})).await.ok();
    until("the old role stays", async || get_as(&elsewhere, &max, "/api/data?type=audit&limit=1").await.status == 403)
        .await;
    assert_eq!(note_by(&elsewhere, &max, &jane).await.status, 200, "that is everybody's");
    owner.call("user.end_sessions", json!({"user_id": user(&max)})).await.ok();
    assert_eq!(note_by(&elsewhere, &max, &jane).await.status, 401);
    until("the ended session goes on reading", async || get_as(&elsewhere, &max, CONTACTS).await.status == 401).await;
}

#[tokio::test]
async fn a_person_who_was_looked_up_before_writes_by_the_rows_of_now() {
    let desk = Desk::open().await;
    let (owner, max, tara) = (desk.owner().await, desk.manager().await, desk.technician().await);
    let jane = owner.contact("Jane", json!({})).await;
    let note = json!({"contact_id": jane, "content": "Ring twice."});
    owner.call("user.change_role", json!({"user_id": user(&max), "role": "technician"})).await.ok();
    let error = max.call("note.add", note.clone()).await.refused("FORBIDDEN");
    assert!(error["message"].as_str().unwrap().starts_with("Your role has changed"), "{error}");
    owner.call("user.deactivate", json!({"user_id": user(&tara)})).await.ok();
    tara.call("note.add", note.clone()).await.refused("UNAUTHENTICATED");
    tara.dry_run("note.add", note).await.refused("UNAUTHENTICATED");
    let refused = owner.read("audit", json!({"action": "note.add"})).await.ok();
    let told: Vec<&str> = refused.as_array().unwrap().iter().map(|line| line["actor"].as_str().unwrap()).collect();
    assert_eq!(told, ["Tara Technician", "Max Manager"], "what was refused is on record");
    assert_eq!(desk.count("notes").await, 0);
}

#[tokio::test]
async fn an_agent_that_was_disabled_withdraws_nothing_and_looks_nothing_up() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let waits = agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    let disable = "begin; select frontdesk.begin_call('ORG', 'ORG', now()); \
                   update agents set disabled_at = now() where org_id = 'ORG'; commit;";
    let disable = disable.replace("ORG", &desk.org.to_string());
    sqlx::raw_sql(AssertSqlSafe(disable)).execute(&mut desk.sql().await).await.unwrap();
    agent.call("authorization.withdraw", json!({"authorization_id": waits})).await.refused("UNAUTHENTICATED");
    agent.check(&waits).await.refused("UNAUTHENTICATED");
    assert_eq!(owner.get("authorizations", &waits).await.ok()["status"], "pending");
}

#[tokio::test]
async fn a_lost_ear_empties_and_nobody_is_kept_until_there_is_one_again() {
    let (desk, wire) = Desk::wired_alone().await;
    let web = Web::of(desk, &[]).await;
    let _listening = listening(&web).await;
    let mut owner = web.desk.sql().await;
    until("the agent is never known", async || is_known(&web, &wire).await).await;
    let deafen = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                  where datname = current_database() and query like 'LISTEN%'";
    let ears: i64 = sqlx::query_scalar(deafen).fetch_one(&mut owner).await.unwrap();
    assert_eq!(ears, 1);
    until("the agent is known by what nobody hears", async || !is_known(&web, &wire).await).await;
    until("nobody listens again", async || is_known(&web, &wire).await).await;
}
