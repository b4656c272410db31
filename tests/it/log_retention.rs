//! What is old goes from the logs by the owner's function, and only that.

use capabilities::Options;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::desk::{Desk, Reply};

/// Makes these calls ten years older, with all that refers to them: an id begins with its time.
async fn age(owner: &mut PgConnection, org: Uuid, calls: &[Uuid]) {
    let calls = calls.iter().map(Uuid::to_string).collect::<Vec<_>>().join(",");
    let places = [
        ("call_log", "id"),
        ("row_log", "call_id"),
        ("authorizations", "asked_call_id"),
        ("idempotency_keys", "call_id"),
        ("undone_calls", "call_id"),
    ];
    let older = |column: &str| {
        let digits = format!("replace({column}::text, '-', '')");
        format!(
            "(lpad(to_hex(('x' || left({digits}, 12))::bit(48)::bigint - 315576000000), 12, '0') || substr({digits}, 13))::uuid"
        )
    };
    for (table, column) in places {
        let at = match table {
            "call_log" | "row_log" => ", at = at - interval '10 years'",
            "idempotency_keys" => ", created_at = created_at - interval '10 years'",
            _ => "",
        };
        let update = format!(
            "update {table} set {column} = {}{at} where org_id = '{org}' and {column} = any ('{{{calls}}}')",
            older(column)
        );
        sqlx::raw_sql(AssertSqlSafe(update)).execute(&mut *owner).await.unwrap();
    }
}

/// As the service's role in a call of this organization.
async fn forget(service: &mut PgConnection, org: Uuid, before: &str, at_most: i32) -> Result<i32, sqlx::Error> {
    let begin =
        format!("begin; set local role {}; select frontdesk.begin_call('{org}', '{org}', now())", frontdesk::APP_ROLE);
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut *service).await.unwrap();
    let gone = sqlx::query_scalar("select frontdesk.forget_calls($1::timestamptz, $2)")
        .bind(before.parse::<chrono::DateTime<chrono::Utc>>().unwrap())
        .bind(at_most)
        .fetch_one(&mut *service)
        .await;
    let end = if gone.is_ok() { "commit" } else { "rollback" };
    sqlx::raw_sql(end).execute(&mut *service).await.unwrap();
    gone
}

fn call_of(reply: &Reply) -> Uuid {
    reply.0.meta.request_id
}

#[tokio::test]
async fn old_lines_go_a_piece_at_a_time_and_what_is_referred_to_stays() {
    let (desk, other) = (Desk::open().await, Desk::open().await);
    let (system, agent, manager) = (desk.system().await, desk.agent().await, desk.manager().await);
    let person = |name: &str| json!({"kind": "person", "given_name": name, "emails": [{"email": format!("{name}@example.com")}]});
    let mut plain = Vec::new();
    for name in ["a", "b", "c"] {
        plain.push(call_of(&system.call("contact.create", person(name)).await));
    }
    let keyed = Options { idempotency_key: Some("once".into()), ..Options::default() };
    let keyed = call_of(&agent.call_with("contact.create", person("keyed"), keyed).await);
    let six = desk.contacts(6).await;
    let asked = agent.call_on_each("contact.archive", &six).await;
    let asking = call_of(&asked);
    asked.held();
    let undone = manager.call("contact.create", person("undone")).await;
    let undone = call_of(&undone);
    manager.call("audit.undo", json!({"call_id": undone})).await.ok();
    let recent = call_of(&system.call("contact.create", person("recent")).await);
    let elsewhere = call_of(&other.system().await.call("contact.create", person("elsewhere")).await);

    let mut owner = desk.sql().await;
    let (calls, changes) = (desk.count("call_log").await, desk.count("row_log").await);
    let old: Vec<Uuid> = plain.iter().copied().chain([keyed, asking, undone]).collect();
    age(&mut owner, desk.org, &old).await;
    age(&mut owner, other.org, &[elsewhere]).await;

    let mut service = desk.sql().await;
    let error = forget(&mut service, desk.org, "2099-01-01T00:00:00Z", 100).await.unwrap_err();
    assert!(error.to_string().contains("the logs of the last year are kept"), "{error}");
    let mut pieces = Vec::new();
    loop {
        let gone = forget(&mut service, desk.org, "2023-01-01T00:00:00Z", 4).await.unwrap();
        if gone == 0 {
            break;
        }
        pieces.push(gone);
    }
    // Each of the three calls changed two rows.
    assert_eq!(pieces, [4, 4, 1]);
    assert_eq!(desk.count("call_log").await, calls - 3);
    assert_eq!(desk.count("row_log").await, changes - 6);
    let lines = "select count(*) from call_log where org_id = $1 and at < '2023-01-01'";
    let kept: i64 = sqlx::query_scalar(lines).bind(desk.org).fetch_one(&mut owner).await.unwrap();
    assert_eq!(kept, 3, "what a key, a request that waits and an undo refer to");
    let there: i64 = sqlx::query_scalar(lines).bind(other.org).fetch_one(&mut owner).await.unwrap();
    assert_eq!(there, 1, "another organization's lines");
    let trail = manager.read("audit", json!({"action": "contact.create"})).await.ok();
    assert!(trail.as_array().unwrap().iter().any(|call| call["id"] == recent.to_string()), "{trail:#}");
    let orphans = "select count(*) from row_log r where r.org_id = $1 \
         and not exists (select 1 from call_log c where c.org_id = $1 and c.id = r.call_id)";
    let orphans: i64 = sqlx::query_scalar(orphans).bind(desk.org).fetch_one(&mut owner).await.unwrap();
    assert_eq!(orphans, 0, "changes without their call");
}
