//! The person's door: what waits, read and decided on pages as a browser without scripts does it.

use axum::http::Method;
use capabilities::Options;
use chrono::TimeDelta;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::desk::Actor;
use crate::rest::{Response, Web};

/// A page in a person's browser.
pub struct Page {
    pub status: u16,
    pub html: String,
    pub location: String,
}

impl Page {
    pub fn of(response: &Response) -> Self {
        let location = response.headers.get("location").map_or("", |place| place.to_str().unwrap()).to_string();
        // Templates write a slash so.
        let html = String::from_utf8(response.body.clone()).unwrap().replace("&#x2f;", "/");
        Self { status: response.status, html, location }
    }

    #[track_caller]
    pub fn has(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(self.words().contains(text) || self.html.contains(text), "{text:?} is missing:\n{}", self.html);
        }
        self
    }

    #[track_caller]
    pub fn has_not(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(!self.words().contains(text) && !self.html.contains(text), "{text:?} is there:\n{}", self.html);
        }
        self
    }

    #[track_caller]
    pub fn leads_to(&self, path: &str) {
        assert_eq!((self.status, self.location.as_str()), (303, path), "{}", self.html);
    }

    /// What a person reads.
    pub fn words(&self) -> String {
        let within_a_line = ["a", "bdi", "q", "span", "strong", "time"];
        let parts = self.html.split('<').map(|part| {
            let (tag, text) = part.split_once('>').unwrap_or(("", part));
            let name = tag.trim_start_matches('/').split(' ').next().unwrap();
            format!("{}{text}", if within_a_line.contains(&name) { "" } else { " " })
        });
        parts.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The value of a form's hidden field.
    pub fn field(&self, name: &str) -> String {
        let lead = format!("name=\"{name}\" value=\"");
        let rest = self.html.split(&lead).nth(1).unwrap_or_else(|| panic!("no field {name}: {}", self.html));
        rest.split('"').next().unwrap().to_string()
    }
}

pub async fn look(web: &Web, person: &Actor, path: &str) -> Page {
    Page::of(&web.send(web.request_of(person, Method::GET, path, "")).await)
}

/// Sends a form as it is, without any proof but what stands in it.
pub async fn send(web: &Web, person: &Actor, path: &str, body: &str) -> Page {
    let mut request = web.request_of(person, Method::POST, path, body.to_string());
    request.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    Page::of(&web.send(request).await)
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Fills in a form of the person's own page and sends it.
pub async fn submit(web: &Web, person: &Actor, path: &str, fields: &[(&str, &str)]) -> Page {
    let fields = fields.iter().map(|(name, value)| format!("&{name}={}", encoded(value)));
    let form = format!("_csrf={}{}", person.session().csrf(), fields.collect::<String>());
    send(web, person, path, &form).await
}

/// A request to archive six, and its page's path.
pub async fn six_waiting(web: &Web) -> (String, String) {
    let id = web.desk.agent().await.call_on_each("contact.archive", &web.desk.contacts(6).await).await.held();
    (format!("/queue/{id}"), id)
}

async fn status(web: &Web, id: &str) -> String {
    web.desk.owner().await.get("authorizations", id).await.ok()["status"].as_str().unwrap().to_string()
}

#[tokio::test]
async fn the_owner_reads_what_waits_and_allows_it_once() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    look(&web, &owner, "/queue").await.has(&["Nothing waits for you", "Test Windows", "Agents may work"]);
    let (path, id) = six_waiting(&web).await;
    web.desk.pass(TimeDelta::minutes(5));
    let list = look(&web, &owner, "/queue").await;
    list.has(&[
        &format!("href=\"{path}\""),
        "Agent Front Office wants to archive 6 contacts",
        "More than 5 items in one call.",
        "Its own words: They moved away.",
        "Touches 6 contacts. Waits 2 days 23 hours more. Asked 5 minutes ago (today, 3:00 AM).",
        "datetime=\"2030-01-07T03:00:00-06:00\" title=\"Monday, January 7, 2030, 3:00 AM CST\"",
        "aria-current=\"page\"",
    ]);
    let page = look(&web, &owner, &path).await;
    page.has(&[
        "Agent Front Office wants to archive 6 contacts",
        "↻ Changed 6 contacts",
        "Contact 0, Contact 1, Contact 2, Contact 3, Contact 4, Contact 5",
        "Archived at (empty) now",
        "The agent’s own words",
        "They moved away.",
        "data-capability=\"authorization.allow_once\"",
        "data-capability=\"authorization.allow_always\"",
        "data-capability=\"authorization.deny\"",
    ]);
    assert!(page.html.find("What would change") < page.html.find("own words</h2>"), "facts first, the model last");
    let seen = page.field("seen");
    let form = [("decision", "allow_once"), ("seen", seen.as_str())];
    submit(&web, &owner, &path, &form).await.leads_to(&format!("{path}?told=done"));
    assert_eq!(status(&web, &id).await, "executed");
    let done = look(&web, &owner, &format!("{path}?told=done")).await;
    done.has(&[
        "Allowed, and carried out just as shown.",
        "Allowed by Olivia Owner (you) just now",
        "wanted to archive",
    ])
    .has_not(&["data-capability=\"authorization", "name=\"decision\""]);
    let calls = owner.read("audit", json!({"action": "authorization.allow_once"})).await.ok();
    assert_eq!((&calls[0]["door"], &calls[0]["actor"]), (&json!("page"), &json!("Olivia Owner")));

    submit(&web, &owner, &path, &form).await.leads_to(&format!("{path}?told=late"));
    look(&web, &owner, &format!("{path}?told=late")).await.has(&["You had decided this already"]);
    look(&web, &owner, "/queue").await.has(&["Nothing waits for you"]);
    look(&web, &owner, "/queue/history").await.has(&["Allowed by Olivia Owner just now (today, 3:05 AM)"]);
}

#[tokio::test]
async fn a_double_click_decides_once() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    let (path, id) = six_waiting(&web).await;
    let seen = look(&web, &owner, &path).await.field("seen");
    let form = [("decision", "allow_once"), ("seen", seen.as_str())];
    let (one, two) = tokio::join!(submit(&web, &owner, &path, &form), submit(&web, &owner, &path, &form));
    let mut places = [one.location, two.location];
    places.sort();
    assert_eq!(places, [format!("{path}?told=done"), format!("{path}?told=late")]);
    assert_eq!(status(&web, &id).await, "executed");
    assert_eq!(web.desk.count("authorizations").await, 1);
}

#[tokio::test]
async fn a_denial_carries_its_note_as_text() {
    let web = Web::open().await;
    let (owner, manager) = (web.desk.owner().await, web.desk.manager().await);
    let (path, id) = six_waiting(&web).await;
    let note = "Not the Millers: <script>alert(1)</script> & \u{202e}“quotes”\nAsk me first.";
    submit(&web, &manager, &path, &[("decision", "deny"), ("note", note)]).await.leads_to(&format!("{path}?told=done"));
    let kept = owner.get("authorizations", &id).await.ok();
    assert_eq!(kept["note"].as_str().map(|note| note.contains("<script>alert(1)</script>")), Some(true));
    for page in ["?told=done", ""] {
        look(&web, &owner, &format!("{path}{page}"))
            .await
            .has(&["&lt;script&gt;alert(1)", "Denied by Max Manager", "Ask me first."])
            .has_not(&["<script>", "\u{202e}", "(you)"]);
    }
    look(&web, &manager, &format!("{path}?told=done")).await.has(&["Denied. Nothing was changed", "(you)"]);
    look(&web, &owner, "/queue/history?outcome=denied").await.has(&["Denied by Max Manager", "&lt;script&gt;"]);
    look(&web, &owner, "/queue/history?outcome=allowed").await.has(&["Nothing of that kind"]);
    let agent = web.desk.agent().await.caller.id().unwrap();
    look(&web, &owner, &format!("/queue/history?agent={agent}&outcome=")).await.has(&["Denied by Max Manager"]);
    look(&web, &owner, "/queue/history?outcome=nonsense").await.leads_to("/queue/history");
}

#[tokio::test]
async fn a_note_that_is_too_long_is_kept_and_named() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    let (path, id) = six_waiting(&web).await;
    let note = "Not these. ".repeat(1_000);
    let page = submit(&web, &owner, &path, &[("decision", "deny"), ("note", &note)]).await;
    assert_eq!(page.status, 422, "{}", page.words());
    page.has(&["Nothing was done yet", "id=\"note-problem\"", "aria-invalid=\"true\" autofocus", note.trim()]);
    assert_eq!(status(&web, &id).await, "pending");
}

#[tokio::test]
async fn allowing_always_is_offered_as_narrow_as_the_request() {
    let web = Web::open().await;
    let (owner, manager) = (web.desk.owner().await, web.desk.manager().await);
    let (path, id) = six_waiting(&web).await;
    look(&web, &manager, &path).await.has(&["Allow once"]).has_not(&["Allow always"]);
    let page = look(&web, &owner, &path).await;
    assert_eq!(
        (page.field("items_per_call\" type=\"text\" inputmode=\"numeric\" autocomplete=\"off").as_str(), ""),
        ("6", "")
    );
    page.has(&["At most so many contacts a day", "min=\"2030-01-08\"", "value=\"this\" checked"]);
    let seen = page.field("seen");
    let form = |per_call: &'static str, until: &'static str| {
        let fields = [
            ("decision", "allow_always"),
            ("seen", seen.as_str()),
            ("agents", "every"),
            ("items_per_call", per_call),
            ("items_per_day", ""),
            ("until", until),
        ];
        fields.map(|(name, value)| (name, value.to_string()))
    };
    for (per_call, until, problem) in [
        ("six", "", "Write a whole number"),
        ("0", "", "Must be"),
        ("8", "soon", "Choose a day"),
        ("8", "2030-01-06", "Must lie in the future."),
    ] {
        let fields = form(per_call, until);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = submit(&web, &owner, &path, &fields).await;
        assert_eq!(page.status, 422, "{}", page.words());
        page.has(&[problem, "autofocus", "<details class=\"box\" open>", "value=\"every\" checked"]);
        page.has(&[&format!("value=\"{per_call}\""), &format!("value=\"{until}\"")]);
    }
    assert_eq!(status(&web, &id).await, "pending");
    let fields = form("8", "2030-01-08");
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    submit(&web, &owner, &path, &fields).await.leads_to(&format!("{path}?told=done"));
    let rule = owner.read("rules", json!({})).await.ok()[0].clone();
    assert_eq!((&rule["items_per_call"], rule.get("items_per_day")), (&json!(8), None));
    assert_eq!((&rule["expires_at"], rule.get("agent_id")), (&json!("2030-01-09T06:00:00Z"), None));

    let rules = look(&web, &owner, "/queue/rules").await;
    rules
        .has(&["Every agent may archive contacts", "Up to 8 contacts at once; until the end of Tuesday, Jan 8, 2030."]);
    look(&web, &manager, "/queue/rules").await.has(&["Only owners"]).has_not(&["data-capability=\"rule.revoke\""]);
    let revoke = [("rule_id", rule["id"].as_str().unwrap())];
    assert_eq!(submit(&web, &manager, "/queue/rules", &revoke).await.status, 403);
    submit(&web, &owner, "/queue/rules", &revoke).await.leads_to("/queue/rules?told=revoked");
    look(&web, &owner, "/queue/rules?told=revoked").await.has(&["The rule is revoked", "Revoked just now"]);
    web.desk.other_agent("Night").await.call_on_each("contact.archive", &web.desk.contacts(6).await).await.held();
}

#[tokio::test]
async fn what_one_may_not_do_is_not_offered_and_is_refused_politely() {
    let web = Web::open().await;
    let (owner, manager, technician) = (web.desk.owner().await, web.desk.manager().await, web.desk.technician().await);
    let (path, id) = six_waiting(&web).await;
    let seen = look(&web, &owner, &path).await.field("seen");
    for page in ["/queue", "/queue/history", "/queue/rules", "/queue/agents", &path] {
        let refused = look(&web, &technician, page).await;
        assert_eq!(refused.status, 403);
        refused.has(&["This is not yours to decide", "is for managers and owners", "Tara Technician", "Sign out"]);
        refused.has_not(&["authorizations", "aria-current"]);
    }
    let refused = submit(&web, &technician, &path, &[("decision", "allow_once"), ("seen", &seen)]).await;
    assert_eq!(refused.status, 403);
    assert_eq!(submit(&web, &technician, "/queue", &[("agents", "freeze")]).await.status, 403);
    assert_eq!(status(&web, &id).await, "pending");

    let agent = web.desk.agent().await;
    let rename = agent.call_because("org.update", json!({"name": "Clear View"})).await.held();
    let path = format!("/queue/{rename}");
    look(&web, &manager, &path)
        .await
        .has(&["Only owners may allow this. You can deny it.", "Test Windows", "Clear View", "authorization.deny"])
        .has_not(&["authorization.allow"]);
    let seen = look(&web, &owner, &path).await.has(&["decided each time"]).has_not(&["allow_always"]).field("seen");
    let refused = submit(&web, &manager, &path, &[("decision", "allow_once"), ("seen", &seen)]).await;
    assert_eq!(refused.status, 403);
    refused.has(&["Nothing was done."]);
    assert_eq!(status(&web, &rename).await, "pending");
}

#[tokio::test]
async fn a_form_that_does_not_come_from_the_persons_page_does_nothing() {
    let web = Web::open().await;
    let (owner, manager) = (web.desk.owner().await, web.desk.manager().await);
    let (path, id) = six_waiting(&web).await;
    let seen = look(&web, &owner, &path).await.field("seen");
    let before = web.desk.state().await;
    for (path, form) in [
        (path.as_str(), format!("decision=allow_once&seen={seen}")),
        (&path, "decision=deny".into()),
        ("/queue", "agents=freeze".into()),
        ("/queue/agents", format!("may_call=no&agent_id={id}")),
        ("/queue/rules", format!("rule_id={id}")),
    ] {
        for csrf in ["x", &manager.session().csrf()] {
            let page = send(&web, &owner, path, &format!("{form}&_csrf={csrf}")).await;
            assert_eq!(page.status, 403, "{path}");
            page.has(&["That did not come from this page"]);
        }
        assert_eq!(send(&web, &owner, path, &form).await.status, 403, "{path} without any");
    }
    for csrf in ["", owner.session().reveal()] {
        assert_eq!(send(&web, &owner, "/queue", &format!("agents=freeze&_csrf={csrf}")).await.status, 403);
    }
    let form = format!("decision=allow_once&seen={seen}&_csrf={}", owner.session().csrf());
    for (header, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let mut request = web.request_of(&owner, Method::POST, &path, form.clone());
        request.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        request.headers_mut().insert(header, value.parse().unwrap());
        assert_eq!(web.send(request).await.status, 403);
    }
    let unknown = submit(&web, &owner, &path, &[("decision", "contact.delete"), ("seen", &seen)]).await;
    assert_eq!(unknown.status, 422);
    assert_eq!(web.send(web.request_of(&owner, Method::PUT, "/queue", "")).await.status, 403);
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn whoever_is_not_signed_in_any_more_comes_back_to_the_same_request() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    let (path, id) = six_waiting(&web).await;
    let seen = look(&web, &owner, &path).await.field("seen");
    submit(&web, &owner, "/sign-out", &[]).await.leads_to("/sign-in");
    let away = submit(&web, &owner, &path, &[("decision", "allow_once"), ("seen", &seen)]).await;
    away.leads_to(&format!("/sign-in?next={path}&undone=yes"));
    assert_eq!(status_of(&web, &id).await, "pending");
    let asked = web.send(web.request_of(&owner, Method::GET, &away.location, "")).await;
    Page::of(&asked).has(&["nothing was done"]);
    let kept = asked.headers["set-cookie"].to_str().unwrap().to_string();
    assert!(kept.starts_with(&format!("frontdesk_onward={path}; Path=/sign-in; ")), "{kept}");

    let link = web.desk.link(owner.caller.id().unwrap()).await;
    let mut request = web.request_of(&owner, Method::POST, &format!("/sign-in/{}", link.reveal()), "");
    request.headers_mut().insert("cookie", kept.split(';').next().unwrap().parse().unwrap());
    Page::of(&web.send(request).await).leads_to(&path);
    let elsewhere = look(&web, &owner, "/sign-in?next=//evil.example/%3Bx").await;
    assert_eq!(elsewhere.status, 200);
}

async fn status_of(web: &Web, id: &str) -> String {
    let status = format!("select status from authorizations where id = '{id}'");
    sqlx::query_scalar(AssertSqlSafe(status)).fetch_one(&mut web.desk.sql().await).await.unwrap()
}

#[tokio::test]
async fn what_somebody_else_decided_meanwhile_is_told_with_who_and_when() {
    let web = Web::open().await;
    let (owner, manager, agent) = (web.desk.owner().await, web.desk.manager().await, web.desk.agent().await);
    let (path, id) = six_waiting(&web).await;
    let seen = look(&web, &owner, &path).await.field("seen");
    manager.call("authorization.deny", json!({"authorization_id": id, "note": "They are back."})).await.ok();
    web.desk.pass(TimeDelta::minutes(2));
    let late = format!("{path}?told=late");
    submit(&web, &owner, &path, &[("decision", "allow_once"), ("seen", &seen)]).await.leads_to(&late);
    look(&web, &owner, &late).await.has(&[
        "Somebody else had decided this already. Nothing more was done.",
        "Denied by Max Manager 2 minutes ago (Monday, January 7, 2030, 3:00 AM CST)",
        "They are back.",
    ]);

    let (path, id) = six_waiting(&web).await;
    agent.call("authorization.withdraw", json!({"authorization_id": id})).await.ok();
    submit(&web, &owner, &path, &[("decision", "deny")]).await.leads_to(&format!("{path}?told=late"));
    look(&web, &owner, &format!("{path}?told=late")).await.has(&["The agent has taken it back", "Withdrawn"]);

    let (path, _) = six_waiting(&web).await;
    let seen = look(&web, &owner, &path).await.field("seen");
    web.desk.pass(TimeDelta::hours(73));
    submit(&web, &owner, &path, &[("decision", "allow_once"), ("seen", &seen)])
        .await
        .leads_to(&format!("{path}?told=late"));
    look(&web, &owner, &format!("{path}?told=late")).await.has(&["Too late: it ran out", "Ran out"]);

    for path in [&path, "/queue/nonsense", "/queue/01970000-0000-7000-8000-000000000001"] {
        let other = Web::open().await;
        let page = look(&other, &other.desk.owner().await, path).await;
        assert_eq!(page.status, 404, "{path}");
        page.has(&["There is no such request.", "To what waits"]).has_not(&["Front Office", "0197"]);
    }
}

#[tokio::test]
async fn when_the_plan_changed_the_fresh_preview_is_shown_with_what_differs_and_nothing_is_done() {
    let web = Web::open().await;
    let (owner, agent) = (web.desk.owner().await, web.desk.agent().await);
    let jane = owner.contact("Jane", json!({"family_name": "Smith", "notes": ["Beware of the dog."]})).await;
    let id = agent.call_because("contact.delete", json!({"contact_id": jane})).await.held();
    let path = format!("/queue/{id}");
    let page = look(&web, &owner, &path).await;
    page.has(&["Deleted Contact Jane Smith", "and 1 note", "Beware of the dog.", "Touches"])
        .has_not(&["different now"]);
    let seen = page.field("seen");
    owner.call("note.add", json!({"contact_id": jane, "content": "Pays in cash."})).await.ok();
    owner.call("contact.update", json!({"contact_id": jane, "family_name": "Miller"})).await.ok();
    web.desk.pass(TimeDelta::minutes(1));

    let form = [("decision", "allow_once"), ("seen", seen.as_str())];
    let changed = submit(&web, &owner, &path, &form).await;
    assert_eq!(changed.status, 409);
    changed.has(&["nothing was done", "and 2 notes", "Pays in cash.", "different now", "Miller"]);
    assert_eq!(status(&web, &id).await, "pending");
    let again = submit(&web, &owner, &path, &form).await;
    assert_eq!(again.status, 409, "a second click of the old page decides nothing about the fresh preview");
    again.has(&["nothing was done", "Pays in cash.", "different now"]);
    let stale = look(&web, &owner, &format!("{path}?seen={seen}")).await;
    stale.has(&["has changed since you looked: what is different now is marked", "different now", "Miller"]);
    look(&web, &owner, &format!("{path}?seen=nonsense"))
        .await
        .has(&["please read it again"])
        .has_not(&["different now"]);
    assert_eq!(status(&web, &id).await, "pending");
    let seen = changed.field("seen");
    assert_eq!(look(&web, &owner, &path).await.field("seen"), seen);
    submit(&web, &owner, &path, &[("decision", "allow_once"), ("seen", &seen)])
        .await
        .leads_to(&format!("{path}?told=done"));
}

#[tokio::test]
async fn what_is_no_longer_part_of_a_plan_is_named() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    let contacts = web.desk.contacts(6).await;
    let id = web.desk.agent().await.call_on_each("contact.archive", &contacts).await.held();
    let path = format!("/queue/{id}");
    let seen = look(&web, &owner, &path).await.field("seen");
    owner.call("contact.archive", json!({"contact_id": contacts[3]})).await.ok();
    web.desk.pass(TimeDelta::minutes(1));
    let changed = submit(&web, &owner, &path, &[("decision", "allow_once"), ("seen", &seen)]).await;
    assert_eq!(changed.status, 409);
    changed.has(&["No longer part of it Contact Contact 3", "Changed 5 contacts", "Archived at (empty) now"]);
    changed.has_not(&["different now"]);
}

#[tokio::test]
async fn what_fails_when_it_is_carried_out_says_why() {
    let web = Web::open().await;
    let (owner, agent) = (web.desk.owner().await, web.desk.agent().await);
    let contacts = web.desk.contacts(6).await;
    let items = contacts.iter().map(|id| json!({"contact_id": id, "expected_version": 1})).collect();
    let options = Options { reasoning: Some("They moved.".into()), ..Options::default() };
    let path = format!("/queue/{}", agent.call_items("contact.archive", items, options).await.held());
    let seen = look(&web, &owner, &path).await.field("seen");
    owner.call("contact.update", json!({"contact_id": contacts[5], "family_name": "Meier"})).await.ok();
    submit(&web, &owner, &path, &[("decision", "allow_once"), ("seen", &seen)])
        .await
        .leads_to(&format!("{path}?told=done"));
    look(&web, &owner, &format!("{path}?told=done")).await.has(&[
        "You allowed it, but it could not be carried out",
        "Allowed, but it failed by Olivia Owner",
        "It was changed meanwhile",
        "What would have changed",
    ]);
}

#[tokio::test]
async fn names_and_reasons_are_text_in_their_own_direction_whatever_they_say() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    let agent = web.desk.other_agent("<b>x</b>\u{202e}\u{200b}Bob").await;
    let names = ["<b>x</b>", "\u{202e}drawkcab", "שרה", "A\u{200b}B"];
    let mut contacts = web.desk.contacts(2).await;
    for name in names {
        contacts.push(owner.contact(name, json!({})).await);
    }
    let reasoning = format!("<img src=x>\u{202e} https://evil.example {}", "y".repeat(900));
    let items = contacts.iter().map(|id| json!({"contact_id": id})).collect();
    let options = Options { reasoning: Some(reasoning), ..Options::default() };
    let id = agent.call_items("contact.archive", items, options).await.held();
    for path in ["/queue", "/queue/history", "/queue/agents", &format!("/queue/{id}")] {
        let page = look(&web, &owner, path).await;
        page.has(&["&lt;b&gt;x&lt;"]).has_not(&["<b>", "<img", "\u{202e}", "\u{200b}", "href=\"https"]);
        assert!(!page.html.contains(&"y".repeat(500)), "the model has five hundred characters at most");
    }
    look(&web, &owner, &format!("/queue/{id}")).await.has(&["<bdi>drawkcab</bdi>", "<bdi>שרה</bdi>", "<bdi>AB</bdi>"]);
}

#[tokio::test]
async fn merging_shows_what_moves_by_name() {
    let web = Web::open().await;
    let (owner, agent) = (web.desk.owner().await, web.desk.agent().await);
    let stays = owner.contact("Jane", json!({"family_name": "Smith"})).await;
    let goes = json!({"family_name": "Smyth", "emails": [{"email": "j@example.com"}], "notes": ["Gate code 4711."]});
    let goes = owner.contact("J.", goes).await;
    let merge = json!({"contact_id": stays, "merged_contact_id": goes});
    let id = agent.call_because("contact.merge", merge).await.held();
    let page = look(&web, &owner, &format!("/queue/{id}")).await;
    page.has(&[
        "This always needs a person’s yes.",
        "Changed Contact J. Smyth",
        "Merged into (empty) Jane Smith",
        "and 1 note",
        "Contact: J. Smyth → Jane Smith",
        "and 1 email",
    ])
    .has_not(&[&format!("<bdi>{stays}"), "another record", "contact_emails"]);
}

#[tokio::test]
async fn the_switches_show_how_they_stand() {
    let web = Web::open().await;
    let (owner, manager, agent) = (web.desk.owner().await, web.desk.manager().await, web.desk.agent().await);
    submit(&web, &manager, "/queue", &[("agents", "freeze")]).await.leads_to("/queue?told=frozen");
    look(&web, &owner, "/queue?told=frozen").await.has(&["Agents are frozen.", "today, 3:00 AM", "org.unfreeze"]);
    let jane = json!({"kind": "person", "given_name": "Jane"});
    let held = agent.call_because("contact.create", jane).await.held();
    look(&web, &owner, &format!("/queue/{held}")).await.has(&[
        "New Contact Jane",
        "Given name Jane",
        "Agents are frozen",
    ]);
    submit(&web, &manager, "/queue", &[("agents", "unfreeze")]).await.leads_to("/queue?told=unfrozen");
    look(&web, &owner, "/queue").await.has(&["Agents may work"]).has_not(&["Agents are frozen."]);

    let id = agent.caller.id().unwrap().to_string();
    look(&web, &manager, "/queue/agents").await.has(&["Only owners disable agents"]).has_not(&["agent.disable"]);
    assert_eq!(submit(&web, &manager, "/queue/agents", &[("agent_id", &id), ("may_call", "no")]).await.status, 403);
    look(&web, &owner, "/queue/agents").await.has(&["Front Office", "Last call just now", "agent.disable"]);
    let off = [("agent_id", id.as_str()), ("may_call", "no")];
    submit(&web, &owner, "/queue/agents", &off).await.leads_to("/queue/agents?told=disabled");
    look(&web, &owner, "/queue/agents?told=disabled").await.has(&["Disabled just now", "agent.enable"]);
    assert_eq!(status(&web, &held).await, "withdrawn");
    let on = [("agent_id", id.as_str()), ("may_call", "yes")];
    submit(&web, &owner, "/queue/agents", &on).await.leads_to("/queue/agents?told=enabled");
    look(&web, &owner, "/queue/agents").await.has(&["May call."]).has_not(&["Disabled just now"]);
}
