//! The pages of rules and of what was decided, as a browser without scripts uses them.

use axum::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::desk::Actor;
use crate::queue_pages::{Page, look, send, six_waiting, submit};
use crate::rest::Web;

/// A rule of six contacts at once and a day, its page's path and its id.
async fn made(web: &Web, more: Value) -> (String, String) {
    let (_, id) = six_waiting(web).await;
    let mut always = json!({"authorization_id": id});
    always.as_object_mut().unwrap().extend(crate::desk::object(more));
    let rule = web.desk.owner().await.call("authorization.allow_always", always).await.ok()["rule_id"].clone();
    let rule = rule.as_str().unwrap().to_string();
    (format!("/queue/rules/{rule}"), rule)
}

/// What a form's fields hold, by name.
fn typed(page: &Page, id: &str) -> String {
    let field = page.html.split(&format!("id=\"{id}\"")).nth(1).unwrap_or_else(|| panic!("no {id}: {}", page.html));
    field.split(" value=\"").nth(1).unwrap().split('"').next().unwrap().to_string()
}

fn filled<'f>(agent: &'f str, per_call: &'f str, per_day: &'f str, until: &'f str) -> Vec<(&'f str, &'f str)> {
    vec![
        ("agent", agent),
        ("items_per_call", per_call),
        ("items_per_day", per_day),
        ("until", until),
        ("covers_no_reason", "yes"),
    ]
}

async fn rule_of(owner: &Actor, id: &str) -> Value {
    owner.get("rules", id).await.ok()
}

#[tokio::test]
async fn the_list_tells_what_each_rule_lets_through_how_it_is_used_and_where_it_came_from() {
    let web = Web::open().await;
    let (owner, manager) = (web.desk.owner().await, web.desk.manager().await);
    look(&web, &owner, "/queue/rules").await.has(&["There are no rules"]);
    let (path, _) = made(&web, json!({"until": "2030-03-01T06:00:00Z"})).await;
    look(&web, &owner, "/queue/rules").await.has(&[
        "Agent Front Office may archive contacts",
        "Up to 6 contacts at once, up to 6 contacts a day; until the end of Thursday, Feb 28, 2030.",
        "Not used today, and never before.",
        "Made by Olivia Owner just now (today, 3:00 AM), from this request.",
        "This rule would have let through 1 of 1 request to archive contacts in the past 90 days.",
        &format!("href=\"{path}\""),
        "Revoke it?",
    ]);
    web.desk.pass(TimeDelta::minutes(30));
    web.desk.agent().await.call_on_each("contact.archive", &web.desk.contacts(6).await).await.ok();
    web.desk.pass(TimeDelta::minutes(5));
    let page = look(&web, &manager, "/queue/rules").await;
    page.has(&["Let 6 contacts through today; the last time 5 minutes ago (today, 3:30 AM).", "Only owners"]);
    page.has_not(&["Revoke it?", ">Change<"]);
    look(&web, &manager, &path).await.has(&["Only owners change"]).has_not(&["data-capability=\"rule."]);
}

#[tokio::test]
async fn each_limit_of_a_rule_is_loosened_and_tightened_in_its_form() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    let night = web.desk.other_agent("Night <b>Shift</b>").await.caller.id().unwrap().to_string();
    let (path, id) = made(&web, json!({})).await;
    let page = look(&web, &owner, &path).await;
    assert_eq!([typed(&page, "per-call"), typed(&page, "per-day"), typed(&page, "until")], ["6", "6", ""]);
    page.has(&["Night &lt;b&gt;Shift&lt;", "At most so many contacts at once"]).has_not(&["<b>"]);
    submit(&web, &owner, &path, &filled(&night, "20", "", "2030-02-01"))
        .await
        .leads_to(&format!("{path}?told=changed"));
    let rule = rule_of(&owner, &id).await;
    assert_eq!((&rule["agent_id"], &rule["items_per_call"]), (&json!(night), &json!(20)));
    assert_eq!((rule.get("items_per_day"), &rule["expires_at"]), (None, &json!("2030-02-02T06:00:00Z")));
    assert_eq!(rule["reasons"], json!(["bulk", "no_reason"]), "what the form does not offer stays");
    let page = look(&web, &owner, &format!("{path}?told=changed")).await;
    page.has(&["Changed. It holds from the next call on.", "until the end of Friday, Feb 1, 2030"]);
    assert_eq!(typed(&page, "until"), "2030-02-01");
    submit(&web, &owner, &path, &filled("every", "3", "9", "")).await.leads_to(&format!("{path}?told=changed"));
    let rule = rule_of(&owner, &id).await;
    assert_eq!((rule.get("agent_id"), &rule["items_per_call"], &rule["items_per_day"]), (None, &json!(3), &json!(9)));
    assert_eq!(rule.get("expires_at"), None);
}

#[tokio::test]
async fn a_time_that_was_not_touched_stays_the_very_moment() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    let (path, id) = made(&web, json!({"until": "2030-02-01T18:30:00Z"})).await;
    let shown = typed(&look(&web, &owner, &path).await, "until");
    submit(&web, &owner, &path, &filled("every", "7", "7", &shown)).await.leads_to(&format!("{path}?told=changed"));
    assert_eq!(rule_of(&owner, &id).await["expires_at"], "2030-02-01T18:30:00Z");
}

#[tokio::test]
async fn what_was_typed_wrongly_is_kept_beside_what_is_wrong_with_it_and_changes_nothing() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    let (path, id) = made(&web, json!({})).await;
    let before = rule_of(&owner, &id).await;
    for (per_call, per_day, until, problem) in [
        ("six", "9", "", "Write a whole number"),
        ("0", "9", "", "Must be"),
        ("<6>", "9", "", "Write a whole number"),
        ("8", "9", "soon", "Choose a day"),
        ("8", "9", "2030-01-01", "Must lie in the future."),
    ] {
        let page = submit(&web, &owner, &path, &filled("every", per_call, per_day, until)).await;
        assert_eq!(page.status, 422, "{}", page.words());
        page.has(&[problem, "autofocus", "value=\"every\" selected"]);
        let kept = [typed(&page, "per-call"), typed(&page, "per-day"), typed(&page, "until")];
        assert_eq!(kept, [per_call.replace('<', "&lt;").replace('>', "&gt;"), per_day.into(), until.into()]);
    }
    let mut stale = filled("every", "8", "9", "");
    stale.push(("version", "7"));
    let page = submit(&web, &owner, &path, &stale).await;
    assert_eq!(page.status, 409);
    page.has(&["somebody else changed this rule meanwhile"]);
    assert_eq!((typed(&page, "per-call").as_str(), page.field("version").as_str()), ("8", "1"));
    assert_eq!(rule_of(&owner, &id).await, before);
}

#[tokio::test]
async fn limits_are_tried_before_they_are_saved() {
    let web = Web::open().await;
    let (owner, agent) = (web.desk.owner().await, web.desk.agent().await);
    let nine = agent.call_on_each("contact.archive", &web.desk.contacts(9).await).await.held();
    web.desk.pass(TimeDelta::days(1));
    let (path, id) = made(&web, json!({})).await;
    look(&web, &owner, &path).await.has(&["let through 1 of 2 requests to archive contacts"]);
    let mut wider = filled("every", "9", "9", "");
    wider.push(("try", "yes"));
    let page = submit(&web, &owner, &path, &wider).await;
    assert_eq!(page.status, 200);
    page.has(&["Nothing was changed yet.", "let through 2 of 2 requests", &format!("/queue/{nine}"), "Which ones?"]);
    assert_eq!(rule_of(&owner, &id).await["items_per_call"], 6);

    owner.call("rule.revoke", json!({"rule_id": id})).await.ok();
    let (path, asked) = six_waiting(&web).await;
    let page = look(&web, &owner, &path).await;
    page.has(&["This rule would have let through", "to archive contacts in the past 90 days", "Try these limits"]);
    let seen = page.field("seen");
    let form = [
        ("decision", "allow_always"),
        ("seen", seen.as_str()),
        ("agents", "every"),
        ("items_per_call", "9"),
        ("items_per_day", ""),
        ("until", ""),
        ("try", "yes"),
    ];
    let page = submit(&web, &owner, &path, &form).await;
    assert_eq!(page.status, 200);
    page.has(&["Nothing was done yet. Below, the rule was tried.", "value=\"9\"", "value=\"every\" checked"]);
    assert_eq!(owner.get("authorizations", &asked).await.ok()["status"], "pending");
}

#[tokio::test]
async fn forged_forms_and_other_people_change_no_rule() {
    let web = Web::open().await;
    let (owner, manager, technician) = (web.desk.owner().await, web.desk.manager().await, web.desk.technician().await);
    let (path, id) = made(&web, json!({})).await;
    let before = web.desk.state().await;
    let form = "agent=every&items_per_call=500&items_per_day=&until=";
    for csrf in ["", "x", &manager.session().csrf()] {
        let page = send(&web, &owner, &path, &format!("{form}&_csrf={csrf}")).await;
        assert_eq!(page.status, 403);
        assert_eq!(send(&web, &owner, "/queue/rules", &format!("rule_id={id}&_csrf={csrf}")).await.status, 403);
    }
    for person in [&manager, &technician] {
        let refused = submit(&web, person, &path, &filled("every", "500", "", "")).await;
        assert_eq!(refused.status, 403, "{}", refused.words());
    }
    assert_eq!(look(&web, &technician, &path).await.status, 403);
    let other = Web::open().await;
    let stranger = other.desk.owner().await;
    for path in [path.as_str(), "/queue/rules/nonsense", "/queue/rules/01970000-0000-7000-8000-000000000001"] {
        let page = look(&other, &stranger, path).await;
        assert_eq!(page.status, 404);
        page.has(&["There is no such rule."]);
        assert_eq!(submit(&other, &stranger, path, &filled("every", "500", "", "")).await.status, 404);
    }
    assert_eq!(web.send(web.request_of(&owner, Method::PUT, &path, "")).await.status, 403);
    assert_eq!(web.desk.state().await, before);
}

#[tokio::test]
async fn names_in_rules_and_what_they_would_have_let_through_are_text() {
    let web = Web::open().await;
    let owner = web.desk.owner().await;
    let agent = web.desk.other_agent("<img src=x>\u{202e}Bob").await;
    let jane = owner.contact("<script>x</script>", json!({"notes": ["x"]})).await;
    let id = agent.call_because("contact.delete", json!({"contact_id": jane})).await.held();
    let rule = owner.call("authorization.allow_always", json!({"authorization_id": id})).await.ok()["rule_id"].clone();
    for path in ["/queue/rules".into(), format!("/queue/rules/{}", rule.as_str().unwrap()), "/queue/history".into()] {
        let page = look(&web, &owner, &path).await;
        page.has(&["&lt;img src=x&gt;Bob"]).has_not(&["<img", "<script>", "\u{202e}"]);
    }
    let page = look(&web, &owner, &format!("/queue/rules/{}", rule.as_str().unwrap())).await;
    page.has(&["Also when …", "name=\"covers_has_history\" value=\"yes\" checked", "&lt;script&gt;x"]);
}

#[tokio::test]
async fn the_history_holds_what_no_longer_waits_narrowed_by_every_filter() {
    let web = Web::open().await;
    let (owner, agent) = (web.desk.owner().await, web.desk.agent().await);
    six_waiting(&web).await;
    look(&web, &owner, "/queue/history").await.has(&["Nothing was decided yet."]).has_not(&["asked to"]);
    let night = web.desk.other_agent("Night").await;
    let denied = night.call_on_each("contact.archive", &web.desk.contacts(7).await).await.held();
    let note = json!({"authorization_id": denied, "note": "Not the Millers."});
    owner.call("authorization.deny", note).await.ok();
    web.desk.pass(TimeDelta::days(4));
    let jane = owner.contact("Jane", json!({"notes": ["x"]})).await;
    let id = agent.call_because("contact.delete", json!({"contact_id": jane})).await.held();
    owner.allow_once(&id).await.ok();
    let all = look(&web, &owner, "/queue/history").await;
    all.has(&[
        "3 requests",
        "archive 6 contacts",
        "Ran out. Asked 4 days ago",
        "Note: Not the Millers.",
        "delete contact Jane",
    ]);
    let night = night.caller.id().unwrap();
    for (query, has, has_not) in [
        ("outcome=denied".to_string(), "archive 7 contacts", "delete contact"),
        ("outcome=expired".into(), "archive 6 contacts", "archive 7"),
        ("outcome=allowed".into(), "Allowed by Olivia Owner", "archive"),
        (format!("agent={night}"), "archive 7 contacts", "delete contact"),
        ("action=contact.delete".into(), "delete contact Jane", "archive 7"),
        ("from=2030-01-08".into(), "delete contact Jane", "archive 7"),
        ("from=2030-01-07&to=2030-01-07".into(), "archive 7 contacts", "delete contact Jane"),
        ("outcome=withdrawn".into(), "Nothing of that kind was decided.", "asked to"),
    ] {
        let page = look(&web, &owner, &format!("/queue/history?{query}")).await;
        let cards = page.html.split("</details>").last().unwrap();
        let cards = Page { status: 200, html: cards.into(), location: String::new() };
        cards.has(&[has]).has_not(&[has_not]);
    }
    let kept = look(&web, &owner, "/queue/history?outcome=denied&action=contact.archive&from=2030-01-01&to=").await;
    kept.has(&[
        "value=\"denied\" selected",
        "value=\"contact.archive\" selected",
        "name=\"from\" type=\"date\" value=\"2030-01-01\"",
    ]);
    for (query, problem) in [("from=soon", "from-problem"), ("from=2030-02-01&to=2030-01-01", "to-problem")] {
        let page = look(&web, &owner, &format!("/queue/history?{query}")).await;
        page.has(&[problem, "autofocus", "Nothing is shown yet"]).has_not(&["asked to"]);
    }
    look(&web, &owner, "/queue/history?action=no.such&agent=nobody").await.leads_to("/queue/history");
    for page in [&all, &kept] {
        page.has(&["aria-current=\"page\">History"]);
    }
}
