//! People at the doors: signing in by a link, what a session may do and what it must show, and how it ends.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request};
use capabilities::{Door, Role, Source};
use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _};
use uuid::Uuid;

use crate::desk::{Actor, Desk};
use crate::rest::{Response, Web, jane};
use crate::smtp::MailServer;
use crate::work::{link, mailing};

/// A request that shows nothing of its sender.
fn open(method: Method, path: &str, body: &str) -> Request<Body> {
    let mut request = Request::new(Body::from(body.to_string()));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    let headers = request.headers_mut();
    headers.insert("host", HeaderValue::from_static("127.0.0.1:8480"));
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    request
}

fn with(mut request: Request<Body>, header: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(header, value.parse().unwrap());
    request
}

async fn visit(web: &Web, path: &str) -> Response {
    web.send(open(Method::GET, path, "")).await
}

/// A user and the path of a link for them.
async fn invited(web: &Web, name: &str, role: Role) -> (Uuid, String) {
    let user = web.desk.user(name, role).await;
    let link = web.desk.link(user).await;
    (user, format!("/sign-in/{}", link.reveal()))
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

fn text(response: &Response) -> String {
    String::from_utf8(response.body.clone()).unwrap()
}

/// What the cookie that an answer sets is worth.
fn cookie_set_by(response: &Response) -> String {
    header(response, "set-cookie").split(';').next().unwrap().to_string()
}

async fn deactivate(desk: &Desk, user: Uuid) {
    let call = format!(
        "begin; select frontdesk.begin_call('{org}', '{org}', now()); \
         update users set deactivated_at = now() where org_id = '{org}' and id = '{user}'; commit;",
        org = desk.org
    );
    sqlx::raw_sql(AssertSqlSafe(call)).execute(&mut desk.sql().await).await.unwrap();
}

async fn last_calls(desk: &Desk) -> Vec<String> {
    let lines = "select concat_ws(' ', caller_kind, caller_name, door, action, outcome) from call_log \
         where org_id = $1 order by id desc limit 2";
    sqlx::query_scalar(lines).bind(desk.org).fetch_all(&mut desk.sql().await).await.unwrap()
}

#[tokio::test]
async fn a_link_asks_first_and_signs_in_on_the_button() {
    let web = Web::open().await;
    let (user, link) = invited(&web, "Nora Newcomer", Role::Manager).await;
    let before = web.desk.state().await;
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let page = web.send(open(method, &link, "")).await;
        assert_eq!((page.status, header(&page, "set-cookie")), (200, ""));
    }
    let page = text(&visit(&web, &link).await);
    assert!(page.contains("Sign in as Nora Newcomer at Test Windows"), "{page}");
    assert_eq!(page.matches("<button").count(), 1, "{page}");
    assert_eq!(web.desk.state().await, before, "a link that is only looked at changes nothing");

    let signed_in = web.send(with(open(Method::POST, &link, ""), "user-agent", "Pocket/1.0")).await;
    assert_eq!((signed_in.status, header(&signed_in, "location")), (303, "/queue"));
    let cookie = header(&signed_in, "set-cookie");
    assert!(cookie.starts_with("frontdesk_session=fs_"), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax"), "{cookie}");

    let own = with(open(Method::GET, "/api/session", ""), "cookie", &cookie_set_by(&signed_in));
    let session = web.send(own).await.ok()["data"].clone();
    assert_eq!(session["user"], json!({"id": user, "name": "Nora Newcomer", "role": "manager"}));
    assert_eq!(session["organization"], json!({"id": web.desk.org, "name": "Test Windows"}));
    assert_eq!(session["expires_at"], "2030-01-21T09:00:00Z");
    assert!(session["csrf_token"].as_str().is_some_and(|token| token.len() == 43), "{session}");

    let queue = with(open(Method::GET, "/queue", ""), "cookie", &cookie_set_by(&signed_in));
    let queue = text(&web.send(queue).await);
    assert!(queue.contains("<bdi>Nora Newcomer</bdi>") && queue.contains("Waiting for you"), "{queue}");
    assert_eq!(last_calls(&web.desk).await[0], "user Nora Newcomer page session.sign_in done");
}

#[tokio::test]
async fn of_two_who_use_a_link_at_once_one_is_signed_in() {
    let web = Web::open().await;
    let (user, link) = invited(&web, "Nora Newcomer", Role::Owner).await;
    let use_it = || web.send(open(Method::POST, &link, ""));
    let (a, b, c) = tokio::join!(use_it(), use_it(), use_it());
    let mut statuses = [a.status, b.status, c.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 410, 410]);
    let sessions = "select count(*) from sessions where org_id = $1 and user_id = $2";
    let opened: i64 =
        sqlx::query_scalar(sessions).bind(web.desk.org).bind(user).fetch_one(&mut web.desk.sql().await).await.unwrap();
    assert_eq!(opened, 1);
    for method in [Method::GET, Method::POST] {
        let again = web.send(open(method, &link, "")).await;
        assert_eq!((again.status, header(&again, "set-cookie")), (410, ""));
        assert!(text(&again).contains("used already"), "{}", text(&again));
    }
}

#[tokio::test]
async fn a_link_that_is_no_good_says_why_and_what_to_do() {
    let web = Web::open().await;
    let (_, old) = invited(&web, "Nora Newcomer", Role::Owner).await;
    let (gone_user, of_gone) = invited(&web, "Gary Gone", Role::Owner).await;
    deactivate(&web.desk, gone_user).await;
    let (_, fresh) = invited(&web, "Fred Fresh", Role::Owner).await;
    let forged = format!("{}AAAA", &fresh[..fresh.len() - 4]);
    let other = Desk::open().await;
    let stranger = other.link(other.user("Sue Stranger", Role::Owner).await).await;
    let other_org = format!("/sign-in/{}{}", &stranger.reveal()[..25], &fresh["/sign-in/".len() + 25..]);
    let no_good = [
        (of_gone.as_str(), "Gary Gone is no longer active"),
        (&forged, "not known"),
        (&other_org, "not known"),
        ("/sign-in/fl_", "not known"),
        ("/sign-in/%00%ff", "not known"),
        (&format!("/sign-in/{}", web.token), "not known"),
    ];
    let before = web.desk.state().await;
    for (path, why) in no_good {
        for method in [Method::GET, Method::POST] {
            let page = web.send(open(method, path, "")).await;
            assert_eq!((page.status, header(&page, "set-cookie")), (410, ""), "{path}");
            assert!(text(&page).contains(why) && text(&page).contains("Ask for a new one"), "{path}: {}", text(&page));
            assert!(!text(&page).contains("fl_"), "a token is not echoed");
        }
    }
    web.desk.pass(TimeDelta::minutes(15));
    for method in [Method::GET, Method::POST] {
        let page = web.send(open(method, &old, "")).await;
        assert_eq!(page.status, 410);
        assert!(text(&page).contains("too old"), "{}", text(&page));
    }
    assert_eq!(web.desk.state().await, before);
}

async fn session_of(web: &Web, person: &Actor) -> Response {
    web.send(web.request_of(person, Method::GET, "/api/session", "")).await
}

#[tokio::test]
async fn a_session_ends_two_weeks_after_its_last_use() {
    let web = Web::open().await;
    let (used, unused) = (web.desk.owner().await, web.desk.manager().await);
    let told = |response: &Response| response.json()["data"]["expires_at"].clone();
    web.desk.pass(TimeDelta::minutes(59));
    assert_eq!(told(&session_of(&web, &used).await), "2030-01-21T09:00:00Z", "use is written down once an hour");
    web.desk.pass(TimeDelta::days(13));
    assert_eq!(told(&session_of(&web, &used).await), "2030-02-03T09:59:00Z");
    web.desk.pass(TimeDelta::days(1));
    let error = session_of(&web, &unused).await.json()["error"].clone();
    assert_eq!(error["code"], "UNAUTHENTICATED");
    assert!(error["message"].as_str().unwrap().contains("expired at 2030-01-21T09:00:00"), "{error}");
    assert_eq!(session_of(&web, &used).await.status, 200, "what is used goes on");
    let queue = web.send(web.request_of(&unused, Method::GET, "/queue", "")).await;
    assert_eq!((queue.status, header(&queue, "location")), (303, "/sign-in?next=/queue"));
}

#[tokio::test]
async fn who_was_deactivated_is_out_at_once() {
    let web = Web::open().await;
    let user = web.desk.user("Gary Gone", Role::Owner).await;
    let person = web.desk.sign_in(user).await;
    assert_eq!(web.act_as(&person, jane()).await.status, 200);
    deactivate(&web.desk, user).await;
    assert_eq!(
        web.act_as(&person, jane()).await.refused(401, "UNAUTHENTICATED")["message"],
        "Gary Gone is no longer active here."
    );
    let (minutes, source) = (TimeDelta::minutes(15), Source::of(Door::Program));
    let link = web.desk.office.sign_in_link(web.desk.org, user, minutes, &source).await;
    assert!(link.is_err(), "and gets no new link");
}

#[tokio::test]
async fn a_forged_cookie_opens_nothing() {
    let web = Web::open().await;
    let good = web.desk.owner().await.session().reveal().to_string();
    let stranger = Desk::open().await.owner().await.session().reveal().to_string();
    let forged = [
        String::new(),
        "nonsense".into(),
        "fs_é".into(),
        web.token.clone(),
        format!("{good}x"),
        format!("{}AAAA", &good[..good.len() - 4]),
        format!("{}{}", &stranger[..25], &good[25..]),
    ];
    for value in forged {
        let mut request = open(Method::GET, "/api/session", "");
        let cookie = HeaderValue::from_bytes(format!("frontdesk_session={value}").as_bytes()).unwrap();
        request.headers_mut().insert("cookie", cookie);
        let error = web.send(request).await.refused(401, "UNAUTHENTICATED");
        assert!(error["message"].as_str().unwrap().contains("not known"), "{value}: {error}");
        assert!(!error.to_string().contains(&good[25..]), "a token is not echoed");
    }
    let nobody = web.send(open(Method::GET, "/api/session", "")).await.refused(401, "UNAUTHENTICATED");
    assert_eq!(nobody["message"], "Nobody is signed in here.");
    web.get("/api/session").await.refused(403, "FORBIDDEN");
}

#[tokio::test]
async fn a_person_sees_and_changes_their_own_organization_only() {
    let web = Web::open().await;
    let id = web.act(jane()).await.ok()["data"]["id"].as_str().unwrap().to_string();
    let stranger = Desk::open().await.owner().await;
    let rows = web.send(web.request_of(&stranger, Method::GET, "/api/data?type=contacts", "")).await.ok();
    assert_eq!(rows["data"], json!([]));
    let archive = json!({"domain": "contact", "action": "archive", "data": {"contact_id": id}});
    web.act_as(&stranger, archive.clone()).await.refused(404, "NOT_FOUND");
    let people = web.send(web.request_of(&stranger, Method::GET, "/api/data?type=users", "")).await.ok();
    assert_eq!(people["meta"]["total"], 3, "the people of the other organization");
    web.act_as(&web.desk.technician().await, archive.clone()).await.refused(403, "FORBIDDEN");
    assert_eq!(web.act_as(&web.desk.manager().await, archive).await.status, 200, "a person needs no reasoning");
}

#[tokio::test]
async fn a_token_and_a_session_together_are_refused_also_when_one_is_no_good() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    let good_cookie = format!("frontdesk_session={}", owner.session().reveal());
    let before = web.desk.state().await;
    let pairs = [
        (format!("Bearer {}", web.token), good_cookie.clone()),
        ("Bearer nonsense".into(), good_cookie.clone()),
        ("Basic eDp5".into(), good_cookie.clone()),
        (format!("Bearer {}", web.token), "frontdesk_session=nonsense".into()),
        (format!("Bearer {}", web.token), "frontdesk_session=".into()),
    ];
    for (token, cookie) in pairs {
        for (method, path) in [
            (Method::POST, "/api/actions"),
            (Method::GET, "/api/data?type=contacts"),
            (Method::GET, "/api/capabilities"),
            (Method::GET, "/api/session"),
            (Method::DELETE, "/api/session"),
            (Method::POST, "/mcp"),
        ] {
            let mut request = web.request_of(&owner, method, path, jane().to_string());
            for (name, value) in
                [("authorization", &token), ("cookie", &cookie), ("x-csrf-token", &owner.session().csrf())]
            {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
            let error = web.send(request).await.refused(401, "UNAUTHENTICATED");
            assert!(error["message"].as_str().unwrap().contains("send one of them"), "{path}: {error}");
        }
    }
    let two = with(open(Method::GET, "/api/session", ""), "cookie", &format!("{good_cookie}; frontdesk_session=x"));
    assert!(web.send(two).await.refused(401, "UNAUTHENTICATED")["message"].as_str().unwrap().contains("several"));
    let other = with(web.request(Method::GET, "/api/capabilities", ""), "cookie", "theme=dark");
    assert_eq!(web.send(other).await.status, 200, "other cookies are nobody's business");
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn a_write_in_a_session_needs_the_sessions_own_proof() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    let (manager, token) = (web.desk.manager().await, owner.session().csrf());
    let before = web.desk.state().await;
    let (halved, others) = (token[..20].to_string(), manager.session().csrf());
    let cases =
        [None, Some(""), Some("x"), Some(halved.as_str()), Some(others.as_str()), Some(owner.session().reveal())];
    for given in cases {
        for (method, path) in
            [(Method::POST, "/api/actions"), (Method::DELETE, "/api/session"), (Method::POST, "/sign-out")]
        {
            let mut request = web.request_of(&owner, method, path, jane().to_string());
            if let Some(given) = given {
                request = with(request, "x-csrf-token", given);
            }
            let response = web.send(request).await;
            assert_eq!(response.status, 403, "{path} with {given:?}");
            if path == "/sign-out" {
                assert!(text(&response).contains("reload the page"), "{}", text(&response));
                continue;
            }
            let error = response.refused(403, "FORBIDDEN");
            assert!(error["message"].as_str().unwrap().contains("CSRF token"), "{error}");
            assert!(error["hint"].as_str().unwrap().contains("X-CSRF-Token"), "{error}");
        }
    }
    assert_eq!(web.desk.state().await, before);
    assert_eq!(web.act_as(&owner, jane()).await.ok()["data"]["display_name"], "Jane Smith");
    assert_eq!(last_calls(&web.desk).await[0], "user Olivia Owner rest contact.create done");
}

#[tokio::test]
async fn a_page_of_another_site_cannot_write() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    let act = |headers: &[(&'static str, &str)]| {
        let request = web.request_of(&owner, Method::POST, "/api/actions", jane().to_string());
        let request = with(request, "x-csrf-token", &owner.session().csrf());
        headers.iter().fold(request, |request, (name, value)| with(request, name, value))
    };
    let before = web.desk.state().await;
    let foreign: [&[(&str, &str)]; 7] = [
        &[("origin", "https://evil.example")],
        &[("origin", "http://127.0.0.1:9999")],
        &[("origin", "http://127.0.0.1:8480.evil.example")],
        &[("origin", "https://127.0.0.1:8480")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "null"), ("sec-fetch-site", "cross-site")],
    ];
    let (_, link) = invited(&web, "Nora Newcomer", Role::Owner).await;
    let invited_state = web.desk.state().await;
    assert_ne!(invited_state, before);
    for headers in foreign {
        let error = web.send(act(headers)).await.refused(403, "FORBIDDEN");
        assert!(error["message"].as_str().unwrap().contains("another site"), "{headers:?}: {error}");
        let sign_in =
            headers.iter().fold(open(Method::POST, &link, ""), |request, (name, value)| with(request, name, value));
        assert_eq!(web.send(sign_in).await.status, 403, "nor sign somebody in: {headers:?}");
    }
    assert_eq!(web.desk.state().await, invited_state);
    let ours: [&[(&str, &str)]; 3] = [
        &[("origin", "http://127.0.0.1:8480"), ("sec-fetch-site", "same-origin")],
        &[("origin", "null"), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
    ];
    for headers in ours {
        assert_eq!(web.send(act(headers)).await.status, 200, "{headers:?}");
    }
}

#[tokio::test]
async fn on_an_https_address_the_cookie_is_for_https_and_this_host_alone() {
    let web = Web::with(&["--public-url", "https://Office.example.com/"]).await;
    let (_, link) = invited(&web, "Nora Newcomer", Role::Owner).await;
    let request = with(open(Method::POST, &link, ""), "origin", "https://office.example.com");
    let signed_in = web.send(request).await;
    let cookie = header(&signed_in, "set-cookie");
    assert!(cookie.starts_with("__Host-frontdesk_session=fs_") && cookie.contains("; Path=/; "), "{cookie}");
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Secure") && !cookie.contains("Domain"), "{cookie}");
    let own = with(open(Method::GET, "/api/session", ""), "cookie", &cookie_set_by(&signed_in));
    web.send(own).await.ok();
    let without_prefix = cookie_set_by(&signed_in).replace("__Host-", "");
    let plain = with(open(Method::GET, "/api/session", ""), "cookie", &without_prefix);
    web.send(plain).await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn mcp_is_not_for_a_persons_session() {
    let web = Web::open().await;
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let request = web.request_of(&web.desk.owner().await, Method::POST, "/mcp", hello);
    let error = web.send(request).await.refused(401, "UNAUTHENTICATED");
    assert!(error["message"].as_str().unwrap().contains("MCP is for agents"), "{error}");
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_page_and_by_the_api() {
    let web = Web::open().await;
    let (owner, manager) = (web.desk.owner().await, web.desk.manager().await);
    let request = web.request_of(&owner, Method::POST, "/sign-out", format!("_csrf={}", owner.session().csrf()));
    let left = web.send(with(request, "content-type", "application/x-www-form-urlencoded")).await;
    assert_eq!((left.status, header(&left, "location")), (303, "/sign-in"));
    assert_eq!(header(&left, "set-cookie"), "frontdesk_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    session_of(&web, &owner).await.refused(401, "UNAUTHENTICATED");
    assert_eq!(last_calls(&web.desk).await[0], "user Olivia Owner page session.sign_out done");
    let again = web.send(web.request_of(&owner, Method::POST, "/sign-out", "")).await;
    assert_eq!((again.status, header(&again, "location")), (303, "/sign-in"), "who is out is out");

    let request = web.request_of(&manager, Method::DELETE, "/api/session", "");
    let left = web.send(with(request, "x-csrf-token", &manager.session().csrf())).await;
    assert_eq!(left.ok()["data"], json!({"signed_out": true}));
    assert!(header(&left, "set-cookie").contains("Max-Age=0"));
    session_of(&web, &manager).await.refused(401, "UNAUTHENTICATED");
    web.send(web.request(Method::PUT, "/api/session", "")).await.refused(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere_and_are_kept_by_nobody() {
    let web = Web::open().await;
    let (_, link) = invited(&web, "Nora Newcomer", Role::Owner).await;
    let put = web.send(open(Method::PUT, &link, "")).await;
    assert_eq!((put.status, header(&put, "allow")), (405, "GET, HEAD, POST"));
    assert!(!text(&put).contains("fl_"), "a token is not echoed");
    let owner = web.desk.owner().await;
    let queue = web.send(web.request_of(&owner, Method::GET, "/queue", "")).await;
    let [signing_in, asking] = [visit(&web, "/sign-in").await, visit(&web, &link).await];
    let used = visit(&web, "/sign-in/fl_x").await;
    let away = visit(&web, "/queue").await;
    for page in [&put, &queue, &signing_in, &asking, &used, &away] {
        let policy = header(page, "content-security-policy");
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "connect-src 'self'",
            "style-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(rule), "{rule}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header(page, "referrer-policy"), "no-referrer");
        assert_eq!(header(page, "x-content-type-options"), "nosniff");
        assert_eq!(header(page, "cache-control"), "no-store");
        assert!(!text(page).contains("<script>") && !text(page).contains("style="), "{}", text(page));
    }
    let style = text(&queue).split("href=\"/style-").nth(1).map(|rest| rest.split('"').next().unwrap().to_string());
    let sheet = visit(&web, &format!("/style-{}", style.unwrap())).await;
    assert_eq!((sheet.status, header(&sheet, "content-type")), (200, "text/css; charset=utf-8"));
    assert_eq!(header(&sheet, "cache-control"), "public, max-age=31536000, immutable");
}

#[tokio::test]
async fn a_name_is_text_on_a_page_whatever_it_says() {
    let web = Web::open().await;
    let (user, link) = invited(&web, "<b>x</b>\"'&", Role::Owner).await;
    let person = web.desk.sign_in(user).await;
    let pages = [visit(&web, &link).await, web.send(web.request_of(&person, Method::GET, "/queue", "")).await];
    for page in pages {
        let page = text(&page);
        assert!(page.contains("&lt;b&gt;x&lt;") && !page.contains("<b>"), "{page}");
    }
    let page = text(&visit(&web, &format!("{link}?next=/queue%22%3E%3Cb%3E")).await);
    assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"), "{page}");
}

#[tokio::test]
async fn signing_in_leads_on_to_where_one_wanted_to_go_and_to_no_other_site() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    for (next, there) in [
        ("/queue/0197", "/queue/0197"),
        ("//evil.example", "/queue"),
        ("/\\evil.example", "/queue"),
        ("https://evil.example", "/queue"),
        ("", "/queue"),
    ] {
        let (_, link) = invited(&web, "Nora Newcomer", Role::Owner).await;
        let signed_in = web.send(open(Method::POST, &link, &format!("next={next}"))).await;
        assert_eq!((signed_in.status, header(&signed_in, "location")), (303, there), "{next}");
        let path = format!("/sign-in?next={}", next.replace('\\', "%5C"));
        let known = web.send(web.request_of(&owner, Method::GET, &path, "")).await;
        assert_eq!((known.status, header(&known, "location")), (303, there), "{next}");
    }
}

#[tokio::test]
async fn agents_read_who_works_here_and_nobodys_address() {
    let desk = Desk::open().await;
    let (owner, agent) = (desk.owner().await, desk.agent().await);
    let to_people = owner.read("users", json!({"active": true})).await.ok();
    let to_agents = agent.read("users", json!({})).await.ok();
    let names = |rows: &Value| {
        let names = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| format!("{}: {}", row["name"].as_str().unwrap(), row["role"].as_str().unwrap()));
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&to_agents), ["Olivia Owner: owner", "Max Manager: manager", "Tara Technician: technician"]);
    assert_eq!(names(&to_people), names(&to_agents));
    assert!(to_people[0]["email"].as_str().unwrap().contains('@'), "{to_people:#}");
    assert!(!to_agents.to_string().contains("email") && !to_agents.to_string().contains('@'), "{to_agents:#}");
    let id = to_people[0]["id"].as_str().unwrap();
    let history = |actor: Actor| async move { actor.read("audit", json!({"record_id": id})).await.ok().to_string() };
    assert!(history(owner).await.contains(".example"));
    let told = history(agent).await;
    assert!(told.contains("user.create") && !told.contains(".example"), "{told}");
}

#[tokio::test]
async fn what_is_kept_of_links_and_sessions_opens_nothing() {
    let web = Web::open().await;
    let person = web.desk.owner().await;
    let (_, link) = invited(&web, "Nora Newcomer", Role::Owner).await;
    let secrets = [
        person.session().reveal()[25..].to_string(),
        link["/sign-in/".len() + 25..].to_string(),
        person.session().csrf(),
    ];
    let mut owner = web.desk.sql().await;
    for table in ["sessions", "sign_in_links", "users", "call_log", "row_log"] {
        let rows = format!("select coalesce(string_agg(t::text, ' '), '') from {table} t where org_id = $1");
        let kept: String =
            sqlx::query_scalar(AssertSqlSafe(rows)).bind(web.desk.org).fetch_one(&mut owner).await.unwrap();
        assert!(!kept.is_empty() && secrets.iter().all(|secret| !kept.contains(secret.as_str())), "{table}: {kept}");
    }
    owner.close().await.unwrap();
    assert!(!format!("{:?}", person.session()).contains("fs_"), "nor does it show when it is printed");
}

#[tokio::test]
async fn openapi_tells_programs_how_a_person_is_known() {
    let web = Web::open().await;
    let document = visit(&web, "/openapi.json").await.json();
    let scheme = &document["components"]["securitySchemes"]["session"];
    assert_eq!((&scheme["in"], &scheme["name"]), (&json!("cookie"), &json!("frontdesk_session")));
    let paths = &document["paths"];
    assert_eq!(paths["/api/session"]["get"]["security"], json!([{"session": []}]));
    for write in [&paths["/api/actions"]["post"], &paths["/api/session"]["delete"]] {
        let parameters = write["parameters"].as_array().unwrap();
        assert!(parameters.iter().any(|parameter| parameter["name"] == "X-CSRF-Token"), "{write:#}");
    }
}

/// Asks for a link with this address, as the form does.
async fn ask_for_link(web: &Web, place: &str, address: &str) -> Response {
    let form = format!("email={}", address.replace('@', "%40"));
    web.send_from(place.parse::<IpAddr>().unwrap(), open(Method::POST, "/sign-in", &form)).await
}

/// Until the mail that the answer did not wait for is left, and then delivered.
async fn mail_comes(web: &Web, server: &MailServer, count: usize) {
    let comes = async {
        while server.taken().len() < count {
            web.desk.work().await;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), comes).await.expect("a mail");
}

#[tokio::test]
async fn a_link_comes_by_mail_and_nobody_learns_whose_addresses_are_known() {
    let (desk, server) = mailing().await;
    let web = Web::of(desk, &[]).await;
    let user = web.desk.user("Sam Miller", Role::Technician).await;
    let users = web.desk.owner().await.get("users", &user.to_string()).await.ok();
    let address = users["email"].as_str().unwrap();
    let known = ask_for_link(&web, "203.0.113.7", address).await;
    let unknown = ask_for_link(&web, "203.0.113.7", "nobody@example.com").await;
    assert_eq!((known.status, unknown.status), (200, 200));
    let same = text(&known).replace(address, "nobody@example.com");
    assert_eq!(same, text(&unknown), "the answer is the same");
    mail_comes(&web, &server, 1).await;
    let letters = server.taken();
    assert!(
        letters[0].contains("Sam Miller") && letters[0].contains("Subject: Sign in to Test Windows"),
        "{}",
        letters[0]
    );
    let path = link(&letters[0]).split_once("/sign-in/").unwrap().1.to_string();
    let signed_in = web.send(open(Method::POST, &format!("/sign-in/{path}"), "")).await;
    // A technician begins with the work of the day.
    assert_eq!((signed_in.status, header(&signed_in, "location")), (303, "/today"));
    assert_eq!(server.taken().len(), 1, "nobody else got mail");
}

#[tokio::test]
async fn links_are_not_mailed_too_often_and_not_to_what_is_no_address() {
    let (desk, server) = mailing().await;
    let web = Web::of(desk, &[]).await;
    for wrong in ["", "nobody", "a b@example.com", "<script>@x"] {
        let page = ask_for_link(&web, "203.0.113.8", wrong).await;
        assert_eq!(page.status, 422, "{wrong}");
        assert!(text(&page).contains("Write an address like"), "{wrong}");
        assert!(!text(&page).contains("<script>@"), "what was typed is text");
    }
    let mut told = Vec::new();
    for nth in 0..5 {
        told.push(ask_for_link(&web, &format!("198.51.100.{nth}"), "jo@example.com").await.status);
    }
    assert_eq!(told, [200, 200, 200, 429, 429], "whoever asks, from wherever");
    let foreign = with(open(Method::POST, "/sign-in", "email=jo%40example.com"), "origin", "https://evil.example");
    assert_eq!(web.send(foreign).await.status, 403);
    assert!(server.taken().is_empty());
}
