//! Every page as it is seen: narrow and wide, light and dark, with nothing, little and much on it; everybody can use it, and
//! it loads nothing from elsewhere.

use capabilities::Options;
use serde_json::json;

use crate::browser::{Browser, Driver, Premises, Screen};

/// A page, and what it is called.
pub type Page = (&'static str, String);

/// Requests in every state.
async fn requests(premises: &Premises) -> Vec<Page> {
    let desk = &premises.web.desk;
    let (owner, agent) = (desk.owner().await, desk.agent().await);
    let held = async || agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    let (executed, denied, waits) = (held().await, held().await, held().await);
    owner.allow_once(&executed).await.ok();
    owner.call("authorization.deny", json!({"authorization_id": denied, "note": "They are back: ask me."})).await.ok();
    let stays = owner.contact("Jane", json!({"family_name": "Smith"})).await;
    let more = json!({"family_name": "Smyth", "emails": [{"email": "j@example.com"}], "notes": ["Gate code 4711."]});
    let goes = owner.contact("J.", more).await;
    let merge = json!({"contact_id": stays, "merged_contact_id": goes});
    let merge = agent.call_because("contact.merge", merge).await.held();
    let rename = agent.call_because("org.update", json!({"name": "Clear View"})).await.held();
    let of = |id: &String| format!("/queue/{id}");
    vec![
        ("request-bulk", of(&waits)),
        ("request-merge", of(&merge)),
        ("request-each-time", of(&rename)),
        ("request-executed", format!("{}?told=done", of(&executed))),
        ("request-denied", of(&denied)),
        ("request-late", format!("{}?told=late", of(&denied))),
        ("not-found", "/queue/01970000-0000-7000-8000-000000000001".into()),
    ]
}

/// One request that waits, one rule, one of everything.
async fn one_of_each(premises: &Premises) -> Vec<Page> {
    let desk = &premises.web.desk;
    let (owner, agent) = (desk.owner().await, desk.agent().await);
    let held = async || agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    let (always, _) = (held().await, held().await);
    owner.call("authorization.allow_always", json!({"authorization_id": always})).await.ok();
    vec![
        ("queue-one", "/queue".into()),
        ("history", "/queue/history".into()),
        ("history-none", "/queue/history?status=withdrawn".into()),
        ("rules", "/queue/rules".into()),
        ("agents", "/queue/agents".into()),
    ]
}

/// Words as long as names get, without a place to break them.
async fn long_names(premises: &Premises) {
    let desk = &premises.web.desk;
    let name = "Wolfeschlegelsteinhausenbergerdorff".repeat(2);
    let agent = desk.other_agent(&name).await;
    let person = json!({"kind": "person", "given_name": name, "family_name": name});
    let options = Options { reasoning: Some("Because ".repeat(60)), ..Options::default() };
    let items = (0..6).map(|_| person.clone()).collect();
    agent.call_items("contact.create", items, options).await.held();
    for _ in 0..5 {
        desk.agent().await.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    }
}

/// What is too small for a thumb.
const SMALL: &str = "[...document.querySelectorAll('button, .way, summary, nav a, select, textarea, \
    input:not([type=hidden], [type=radio], [type=checkbox])')]\
    .filter(it => it.offsetParent && it.getBoundingClientRect().height < 44).map(it => it.outerHTML)";
/// What is loaded from another host.
const ELSEWHERE: &str = "performance.getEntriesByType('resource').map(it => it.name)\
    .filter(it => !it.startsWith(location.origin + '/'))";
/// Whether the button that decides is in sight without scrolling.
const IN_SIGHT: &str = "[...document.querySelectorAll('.bar button')]\
    .every(it => it.getBoundingClientRect().bottom <= innerHeight && it.getBoundingClientRect().top >= 0)";

/// Looks at a page in each way.
pub async fn check(browser: &Browser, (name, path): &Page) {
    browser.go(path).await;
    for screen in [Screen::Phone, Screen::Desk] {
        browser.on(screen).await;
        browser.dark(false).await;
        assert_eq!(browser.look(IN_SIGHT).await, true, "{name}: the button that decides is out of sight");
        browser.picture(&format!("{name}-{}-light", screen.width())).await;
        browser.dark(true).await;
        browser.picture(&format!("{name}-{}-dark", screen.width())).await;
        // What is folded is a part of the page as well.
        browser.look("document.querySelectorAll('details').forEach(it => it.open = true)").await;
        let found = browser.obstacles(&["color-contrast"]).await;
        assert!(found.is_empty(), "{name}, {screen:?}, dark: {found:#?}");
        browser.dark(false).await;
        let found = browser.obstacles(&[]).await;
        assert!(found.is_empty(), "{name}, {screen:?}, light: {found:#?}");
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.look(fits).await, true, "{name} is wider than a screen of {}", screen.width());
        assert_eq!(browser.look(SMALL).await, json!([]), "{name}: too small for a thumb");
        assert_eq!(browser.look(ELSEWHERE).await, json!([]), "{name} loads something from elsewhere");
        browser.look("document.querySelectorAll('details').forEach(it => it.open = false)").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_can_use_the_page_of_a_request_on_every_screen() {
    let premises = Premises::open().await;
    let driver = Driver::start();
    let browser = driver.browser(&premises).await;
    browser.be(&premises.web.desk.owner().await).await;
    for page in requests(&premises).await {
        check(&browser, &page).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_can_use_every_list_and_sign_in_on_every_screen() {
    let premises = Premises::open().await;
    let owner = premises.web.desk.owner().await;
    let driver = Driver::start();
    let browser = driver.browser(&premises).await;
    check(&browser, &("sign-in", "/sign-in".into())).await;
    check(&browser, &("sign-in-gone", "/sign-in/fl_x".into())).await;
    browser.be(&owner).await;
    check(&browser, &("queue-none", "/queue".into())).await;
    for page in one_of_each(&premises).await {
        check(&browser, &page).await;
    }
    owner.call("org.freeze", json!({})).await.ok();
    long_names(&premises).await;
    check(&browser, &("queue-long-and-frozen", "/queue".into())).await;
    browser.be(&premises.web.desk.technician().await).await;
    check(&browser, &("not-yours", "/queue".into())).await;
}
