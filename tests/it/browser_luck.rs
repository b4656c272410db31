//! What goes wrong between a person and a page: pressed twice, gone back, decided or changed meanwhile, signed out.

use chrono::TimeDelta;
use serde_json::json;

use crate::browser::{Browser, Driver, Premises, Screen};
use crate::desk::Actor;

const ALLOW: &str = "form[data-capability='authorization.allow_once'] button";
const DENY: &str = "form[data-capability='authorization.deny'] button";

/// A request to delete Jane, who has a note, and its page.
async fn jane_waits(premises: &Premises) -> (String, String, String) {
    let (owner, agent) = (premises.web.desk.owner().await, premises.web.desk.agent().await);
    let jane = owner.contact("Jane", json!({"family_name": "Smith", "notes": ["Beware of the dog."]})).await;
    let id = agent.call_because("contact.delete", json!({"contact_id": jane})).await.held();
    (jane, format!("/queue/{id}"), id)
}

async fn decisions(owner: &Actor) -> usize {
    let calls = owner.read("audit", json!({"action": "authorization.allow_once"})).await.ok();
    calls.as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pressed_twice_gone_back_or_too_late_it_is_decided_once() {
    let premises = Premises::open().await;
    let owner = premises.web.desk.owner().await;
    let driver = Driver::start();
    let browser = driver.browser(&premises).await;
    browser.be(&owner).await;
    browser.on(Screen::Phone).await;

    for without in [false, true] {
        browser.without_scripts(without).await;
        let before = decisions(&owner).await;
        let (_, path, _) = jane_waits(&premises).await;
        browser.go(&path).await;
        let twice = format!("[1, 2].forEach(() => document.querySelector({}).click())", json!(ALLOW));
        browser.look(&twice).await;
        browser.until("document.readyState === 'complete' && location.search.startsWith('?told=')").await;
        browser.says("Allowed by Olivia Owner").await;
        assert_eq!(decisions(&owner).await, before + 1);

        // With scripts it is a form no longer. Without, the browser may show what it kept, which does no more.
        browser.client.back().await.unwrap();
        if without {
            browser.click(ALLOW).await;
            browser.says("You had decided this already. Nothing more was done.").await;
        } else {
            browser.says("by Olivia Owner").await;
            browser.until("!document.querySelector('[data-capability^=authorization]')").await;
        }
        assert_eq!(decisions(&owner).await, before + 1 + usize::from(without), "the one that came late is on record");
    }
    browser.without_scripts(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_plan_is_shown_anew_with_what_differs_and_never_slips_under_the_button() {
    let premises = Premises::open().await;
    let (owner, manager) = (premises.web.desk.owner().await, premises.web.desk.manager().await);
    let driver = Driver::start();
    let browser = driver.browser(&premises).await;
    browser.be(&owner).await;
    browser.on(Screen::Phone).await;
    let (jane, path, id) = jane_waits(&premises).await;
    browser.go(&path).await;
    let seen = browser.look("document.querySelector('[name=seen]').value").await;
    browser.write("#note", "I wonder").await;
    owner.call("note.add", json!({"contact_id": jane, "content": "Pays in cash."})).await.ok();
    manager.allow_once(&id).await.refused("PLAN_CHANGED");
    browser.says("What this would do has changed. Look again").await;
    assert_eq!(browser.look("document.querySelector('[name=seen]').value").await, seen, "what is allowed was shown");
    browser.picture("request-changed-meanwhile").await;

    browser.click(ALLOW).await;
    browser.says("Something changed since this page was made, so nothing was done.").await;
    different(&browser).await;
    assert_eq!(browser.obstacles(&[]).await, [""; 0]);
    browser.picture("request-plan-changed").await;
    browser.go(&format!("{path}?seen={}", seen.as_str().unwrap())).await;
    browser.says("has changed since you looked: what is different now is marked").await;
    different(&browser).await;
    assert_eq!(
        browser.find("#note").await.prop("value").await.unwrap().as_deref(),
        Some("I wonder"),
        "the note is kept"
    );
    browser.click(ALLOW).await;
    browser.says("Allowed, and carried out just as shown.").await;
}

/// The second note is marked.
async fn different(browser: &Browser) {
    browser.says("and 2 notes").await;
    let marked =
        "[...document.querySelectorAll('.since')].some(mark => mark.parentNode.textContent.includes('2 notes'))";
    assert_eq!(browser.look(marked).await, true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_must_sign_in_first_comes_back_to_the_request_and_to_what_was_typed() {
    let premises = Premises::open().await;
    let desk = &premises.web.desk;
    let owner = desk.owner().await;
    let driver = Driver::start();
    let browser = driver.browser(&premises).await;
    browser.be(&owner).await;
    browser.on(Screen::Phone).await;
    let (_, path, id) = jane_waits(&premises).await;
    browser.go(&path).await;
    browser.write("#note", "Ask her first.").await;
    // The session is gone without a word to this page.
    browser.devtools("Network.clearBrowserCookies", json!({})).await;
    browser.click(DENY).await;
    browser.says("You were no longer signed in, so nothing was done.").await;
    assert_eq!(owner.get("authorizations", &id).await.ok()["status"], "pending");
    browser.picture("sign-in-undone").await;

    let link = desk.link(owner.caller.id().unwrap()).await;
    browser.go(&format!("/sign-in/{}", link.reveal())).await;
    browser.picture("sign-in-link").await;
    browser.click("main form button").await;
    browser.says("wants to delete").await;
    assert_eq!(browser.path().await, path);
    assert_eq!(browser.find("#note").await.prop("value").await.unwrap().as_deref(), Some("Ask her first."));
    browser.click(DENY).await;
    browser.says("Denied. Nothing was changed").await;
    browser.go("/queue").await;
    assert_eq!(browser.look("localStorage.length").await, 0, "what is decided leaves nothing behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_move_and_open_and_never_decide_and_a_lost_connection_is_told() {
    let premises = Premises::open().await;
    let owner = premises.web.desk.owner().await;
    let (_, first, id) = jane_waits(&premises).await;
    let (_, second, _) = jane_waits(&premises).await;
    let driver = Driver::start();
    let browser = driver.browser(&premises).await;
    browser.be(&owner).await;
    browser.on(Screen::Desk).await;
    browser.go("/queue").await;
    let focused = "document.activeElement.getAttribute('href')";
    for (key, at) in [("j", &second), ("j", &first), ("j", &first), ("k", &second), ("j", &first)] {
        browser.keys(key).await;
        assert_eq!(browser.look(focused).await, at.as_str(), "{key}");
    }
    browser.keys("?").await;
    browser.says("Use these keys").await;
    assert_eq!(browser.obstacles(&[]).await, [""; 0]);
    browser.picture("keys").await;
    browser.keys("\u{e00c}").await;
    browser.keys("o").await;
    browser.says("wants to delete").await;
    assert_eq!(browser.path().await, first);
    for (key, word) in [("a", "Allow once"), ("d", "Deny")] {
        browser.keys(key).await;
        assert_eq!(browser.look("document.activeElement.textContent").await, word);
    }
    browser.write("#note", "jkoad?").await;
    assert_eq!(browser.find("#note").await.prop("value").await.unwrap().as_deref(), Some("jkoad?"));
    assert_eq!(owner.get("authorizations", &id).await.ok()["status"], "pending");

    let offline = |is: bool| json!({"offline": is, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
    browser.devtools("Network.enable", json!({})).await;
    browser.devtools("Network.emulateNetworkConditions", offline(true)).await;
    browser.says("You are offline. What you see may be out of date.").await;
    browser.picture("request-offline").await;
    premises.web.desk.manager().await.call("authorization.deny", json!({"authorization_id": id})).await.ok();
    browser.devtools("Network.emulateNetworkConditions", offline(false)).await;
    browser.says("Decided meanwhile by Max Manager.").await;
    browser.until("document.querySelector('.state').textContent === ''").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_moves_nothing_under_the_eyes_and_times_go_on() {
    let premises = Premises::open().await;
    let owner = premises.web.desk.owner().await;
    for _ in 0..8 {
        jane_waits(&premises).await;
    }
    let driver = Driver::start();
    let browser = driver.browser(&premises).await;
    browser.be(&owner).await;
    browser.on(Screen::Phone).await;
    browser.go("/queue").await;
    let card = "document.querySelectorAll('.card')[document.querySelectorAll('.card').length - 4]";
    let top = format!("Math.round({card}.getBoundingClientRect().top)");
    let before = browser.look(&format!("({card}.scrollIntoView(), {top})")).await;
    let (_, path, id) = jane_waits(&premises).await;
    browser.until("document.querySelectorAll('.card').length === 9").await;
    assert_eq!(browser.look(&top).await, before);

    owner.call("authorization.deny", json!({"authorization_id": id})).await.ok();
    browser.go(&format!("{path}?told=done")).await;
    browser.says("Denied by Olivia Owner (you) just now").await;
    premises.web.desk.pass(TimeDelta::minutes(5));
    jane_waits(&premises).await;
    browser.says("Denied by Olivia Owner (you) 5 minutes ago").await;
    browser.until("document.querySelector('nav .count').textContent === '9'").await;
}
