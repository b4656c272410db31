//! However much waits or would change, the pages stay small enough for one bar of signal, and all of it can be read.

use axum::http::Method;
use capabilities::Options;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::queue_pages::{look, six_waiting};
use crate::rest::Web;

#[tokio::test]
async fn five_hundred_rows_stay_readable_and_small() {
    let web = Web::open().await;
    let (owner, agent) = (web.desk.owner().await, web.desk.agent().await);
    let contacts = web.desk.contacts(500).await;
    let id = agent.call_on_each("contact.archive", &contacts).await.held();
    let page = look(&web, &owner, &format!("/queue/{id}")).await;
    page.has(&["Changed 500 contacts", "490 more", "Contact 499"]);
    assert!(page.html.len() < 100_000, "{}", page.html.len());

    let named = |n: usize| {
        let emails = json!([{"email": format!("pat{n}@a-rather-long-domain.example")}]);
        json!({"kind": "person", "given_name": format!("Pat {n}"), "family_name": "Featherstonehaugh", "emails": emails,
               "notes": ["A note that says a little about where the key is and when to call. ".repeat(3)]})
    };
    let options = Options { reasoning: Some("From the old list.".into()), ..Options::default() };
    let id = agent.call_items("contact.create", (0..500).map(named).collect(), options).await.held();
    let mut seen = 0;
    let mut path = format!("/queue/{id}");
    loop {
        let page = look(&web, &owner, &path).await;
        assert!(page.html.len() < 100_000, "{}", page.html.len());
        seen += page.html.matches("Pat ").count().min(page.html.matches("Featherstonehaugh").count());
        page.has(&["Allow once"]);
        match page.html.split("?from=").nth(1) {
            Some(next) => path = format!("/queue/{id}?from={}", next.split('"').next().unwrap()),
            None => break,
        }
    }
    assert!(seen >= 500, "each of the five hundred can be read: {seen}");
}

#[tokio::test]
async fn a_thousand_that_wait_are_read_page_by_page() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    let (_, id) = six_waiting(&web).await;
    let copies = format!(
        "insert into authorizations (org_id, id, agent_id, agent_name, action, input, is_batch, input_hash, summary, \
         reasoning, reasons, stake, preview, plan_hash, expires_at, asked_call_id, created_at) \
         select org_id, gen_random_uuid(), agent_id, agent_name, action, input, is_batch, decode(lpad(n::text, 8, '0'), 'hex'), \
         'Archive contact number ' || n || ' ' || repeat('with a long name ', n % 5), reasoning, reasons, stake, preview, \
         plan_hash, expires_at, asked_call_id, created_at from authorizations, generate_series(1, 1000) n where id = '{id}'"
    );
    sqlx::raw_sql(AssertSqlSafe(copies)).execute(&mut web.desk.sql().await).await.unwrap();
    let first = look(&web, &owner, "/queue").await;
    first.has(&["1000+ requests", "Older requests"]).has_not(&["Back to the newest"]);
    assert_eq!(first.html.matches("<li class=\"card\" data-key=").count(), 25);
    assert!(first.html.len() < 25 * 1_200 + 4_000, "{}", first.html.len());
    first.has(&["<span class=\"count\">99+</span>", "<title>(99+) Waiting for you"]);
    let next = first.html.split("/queue?cursor=").nth(1).unwrap().split('"').next().unwrap();
    let second = look(&web, &owner, &format!("/queue?cursor={next}")).await;
    second.has(&["Older requests", "Back to the newest"]);
    assert_eq!(second.html.matches("<li class=\"card\" data-key=").count(), 25);
    look(&web, &owner, "/queue?cursor=nonsense").await.leads_to("/queue");
    look(&web, &owner, "/queue/history").await.has_not(&["<li class=\"card\""]);
    sqlx::query("update authorizations set status = 'withdrawn' where org_id = $1")
        .bind(web.desk.org)
        .execute(&mut web.desk.sql().await)
        .await
        .unwrap();
    let history = look(&web, &owner, "/queue/history").await;
    assert_eq!(history.html.matches("<li class=\"card\"").count(), 25);
    assert!(history.html.len() < first.html.len(), "{}", history.html.len());
}

#[tokio::test]
async fn the_first_view_is_small_and_loads_nothing_from_elsewhere() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    six_waiting(&web).await;
    let page = look(&web, &owner, "/queue").await;
    let files: Vec<&str> = page.html.split('"').filter(|text| text.starts_with('/') && text.contains("-")).collect();
    let files: Vec<&str> = files.into_iter().filter(|path| path.contains('.')).collect();
    assert_eq!(files.len(), 3, "an icon, a stylesheet and a script: {files:?}");
    let mut size = 0;
    for path in ["/queue"].iter().chain(&files) {
        let mut request = web.request_of(&owner, Method::GET, path, "");
        request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
        let response = web.send(request).await;
        if *path != "/queue" {
            assert_eq!(response.headers["cache-control"], "public, max-age=31536000, immutable");
        }
        size += response.body.len();
    }
    assert!(size < 14 << 10, "as it is served: {size}");
    page.has_not(&["<script>", "style=", "http:", "https:"]);
    let icon = look(&web, &owner, "/favicon.ico").await;
    assert_eq!(icon.status, 200);
    assert!(icon.html.starts_with("<svg "));
    let capabilities = page.html.matches("data-capability=").count();
    assert_eq!(
        page.html.matches("method=\"post\"").count(),
        capabilities,
        "each form that acts says which action it is"
    );
}
