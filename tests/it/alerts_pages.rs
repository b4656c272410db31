//! What the office could not do by itself, seen to on a page.

use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::queue_pages::{look, send, submit};
use crate::rest::Web;
use crate::smtp::Mood;
use crate::work::mailing;

#[tokio::test]
async fn a_mail_that_nobody_takes_is_told_with_why_and_is_tried_again() {
    let (desk, server) = mailing().await;
    let web = Web::of(desk, &[]).await;
    let owner = web.desk.owner().await;
    look(&web, &owner, "/alerts").await.has(&["Nothing went wrong.", "aria-current=\"page\">Alerts</a>"]);
    server.set(Mood::Refuses);
    for name in ["Sam", "<b>Kim</b>"] {
        let who = json!({"email": format!("{}@example.com", name.len()), "name": name, "role": "technician"});
        owner.call("user.invite", who).await.ok();
    }
    web.desk.work().await;
    let page = look(&web, &owner, "/alerts").await;
    page.has(&[
        "Not done: Invitation to Sam",
        "Nobody of that name here",
        "See whether the address is right",
        "Given up after 1 attempt just now (today, 3:00 AM).",
        "Invitation to &lt;b&gt;Kim&lt;",
        "2 open, newest first",
        "data-capability=\"alert.retry\"",
        "data-capability=\"alert.acknowledge\"",
    ]);
    page.has_not(&["<b>", "Seen to:"]);
    look(&web, &owner, "/queue").await.has(&["Alerts 2 open"]);
    let alerts = owner.read("alerts", json!({"acknowledged": false})).await.ok();
    let id = |nth: usize| alerts[nth]["id"].as_str().unwrap().to_string();
    server.set(Mood::Takes);
    let again = [("alert_id", id(0)), ("settle", "retry".into())];
    let again: Vec<(&str, &str)> = again.iter().map(|(name, value)| (*name, value.as_str())).collect();
    submit(&web, &owner, "/alerts", &again).await.leads_to("/alerts?told=retried");
    look(&web, &owner, "/alerts?told=retried").await.has(&["It is tried again now.", "1 open", "Seen to: 1"]);
    submit(&web, &owner, "/alerts", &again).await.leads_to("/alerts?told=late");
    look(&web, &owner, "/alerts?told=late").await.has(&["it was tried again already, or is gone"]);
    web.desk.work().await;
    assert_eq!(server.taken().len(), 1);
    let (manager, noted) = (web.desk.manager().await, id(1));
    let note = [("alert_id", noted.as_str()), ("settle", "acknowledge")];
    submit(&web, &manager, "/alerts", &note).await.leads_to("/alerts?told=noted");
    let page = look(&web, &owner, "/alerts?told=noted").await;
    page.has(&["You took note of it.", "Nothing went wrong.", "Seen to: 2", "Seen to by Max Manager just now"]);
    page.has_not(&["data-capability=\"alert.", "open</span>"]);
}

#[tokio::test]
async fn work_that_failed_is_told_in_words_and_many_alerts_are_read_page_by_page() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    let org = web.desk.org;
    let many = format!(
        "begin; select frontdesk.begin_call('{org}', gen_random_uuid(), '2030-01-07T09:00:00Z'); \
         insert into jobs (org_id, id, action, input, due_at, state, attempts, last_error, created_at, ended_at) \
         values ('{org}', '{org}', 'job.tidy', '{{}}', now(), 'failed', 3, 'The database cannot serve right now', now(), now()); \
         insert into alerts (org_id, id, kind, message, job_id, created_at, updated_at) \
         select '{org}', gen_random_uuid(), 'job_failed', 'A scheduled job.tidy could not be done', '{org}', \
         '2030-01-06T09:00:00Z', '2030-01-06T09:00:00Z' from generate_series(1, 30); commit"
    );
    sqlx::raw_sql(AssertSqlSafe(many)).execute(&mut web.desk.sql().await).await.unwrap();
    let page = look(&web, &owner, "/alerts").await;
    page.has(&["Not done: Tidy jobs", "The database cannot serve right now.", "Mend what stands against it"]);
    page.has(&["30 open", "Given up after 3 attempts 1 day ago", "Older alerts"]);
    assert_eq!(page.html.matches("<li class=\"card alert\">").count(), 25);
    let next = page.html.split("/alerts?cursor=").nth(1).unwrap().split('"').next().unwrap();
    let second = look(&web, &owner, &format!("/alerts?cursor={next}")).await;
    assert_eq!(second.html.matches("<li class=\"card alert\">").count(), 5);
    second.has(&["Back to the newest"]);
    look(&web, &owner, "/alerts?cursor=nonsense").await.leads_to("/alerts");
    assert!(page.html.len() < 60_000, "{}", page.html.len());
}

#[tokio::test]
async fn alerts_are_for_those_who_run_the_office_and_for_their_own_forms() {
    let (desk, server) = mailing().await;
    let web = Web::of(desk, &[]).await;
    let (owner, technician) = (web.desk.owner().await, web.desk.technician().await);
    server.set(Mood::Refuses);
    let who = json!({"email": "sam@example.com", "name": "Sam", "role": "technician"});
    owner.call("user.invite", who).await.ok();
    web.desk.work().await;
    let id = owner.read("alerts", json!({})).await.ok()[0]["id"].as_str().unwrap().to_string();
    let before = web.desk.state().await;
    let refused = look(&web, &technician, "/alerts").await;
    assert_eq!(refused.status, 403);
    refused.has(&["is for managers and owners"]).has_not(&["Sam", "open</span>"]);
    for settle in ["acknowledge", "retry"] {
        let form = [("alert_id", id.as_str()), ("settle", settle)];
        assert_eq!(submit(&web, &technician, "/alerts", &form).await.status, 403);
        for csrf in ["", "x", &technician.session().csrf()] {
            let forged = format!("alert_id={id}&settle={settle}&_csrf={csrf}");
            assert_eq!(send(&web, &owner, "/alerts", &forged).await.status, 403);
        }
        let other = Web::open().await;
        let elsewhere = submit(&other, &other.desk.owner().await, "/alerts", &form).await;
        assert_eq!(elsewhere.status, 404);
    }
    submit(&web, &owner, "/alerts", &[("alert_id", &id), ("settle", "delete")]).await.leads_to("/alerts");
    assert_eq!(web.desk.state().await, before);
}
