//! An agent asks over MCP; a person signs in by the link in a mail, reads and decides in a browser; the agent hears of it.

use std::time::Duration;

use capabilities::world::Mail;
use capabilities::{Door, Role, Source};
use serde_json::{Value, json};

use crate::browser::{Browser, Driver, Premises, Screen};
use crate::desk::Desk;
use crate::mcp::{Client, envelope_of};
use crate::smtp::MailServer;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const SPACE: &str = " ";

/// The agent, at the door that listens.
struct Agent<'h> {
    premises: &'h Premises,
}

impl Agent<'_> {
    async fn call(&self, tool: &str, arguments: Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let (parts, body) = Client::modern(&self.premises.web).request(message).into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let mut request = ureq::post(format!("{}/mcp", self.premises.url));
        for (name, value) in parts.headers.iter().filter(|(name, _)| *name != "host") {
            request = request.header(name, value);
        }
        let answered =
            tokio::task::spawn_blocking(move || request.send(&body[..]).unwrap().body_mut().read_to_string());
        let text = answered.await.unwrap().unwrap();
        let last = text.lines().filter_map(|line| line.strip_prefix("data:")).rfind(|data| !data.trim().is_empty());
        envelope_of(&serde_json::from_str(last.unwrap_or(&text)).unwrap())
    }

    /// Wants six contacts archived that are its own for this.
    async fn asks(&self) -> String {
        let contacts = self.premises.web.desk.contacts(6).await;
        let items: Vec<Value> = contacts.iter().map(|id| json!({"contact_id": id})).collect();
        let reasoning = "They moved away, as Jane says.";
        let call = json!({"domain": "contact", "action": "archive", "items": items, "reasoning": reasoning});
        let told = self.call("crm_action", call).await;
        assert_eq!(told["error"]["code"], "AUTHORIZATION_PENDING", "{told:#}");
        told["data"]["authorization_id"].as_str().unwrap().to_string()
    }

    async fn hears(&self, id: &str) -> Value {
        self.call("check_authorization", json!({"authorization_id": id, "wait_seconds": 0})).await
    }
}

/// What is different for the person from time to time.
#[derive(Debug, Clone, Copy)]
struct Manner {
    screen: Screen,
    scripts: bool,
    dark: bool,
}

impl Manner {
    async fn take(self, browser: &Browser) {
        browser.on(self.screen).await;
        browser.dark(self.dark).await;
        browser.without_scripts(!self.scripts).await;
    }

    /// Presses what this selector finds: on a phone with a finger, at a desk by the keyboard alone.
    async fn press(self, browser: &Browser, selector: &str) {
        if self.screen == Screen::Phone {
            return browser.tap(selector).await;
        }
        self.reach(browser, selector).await;
        let is_link = browser.look("document.activeElement.matches('a')").await == true;
        browser.keys(if is_link { ENTER } else { SPACE }).await;
    }

    /// Tabs on until the focus is there, as it must be within as many steps as a page has.
    async fn reach(self, browser: &Browser, selector: &str) {
        browser.find(selector).await;
        if browser.look("document.activeElement.matches('body') && !location.hash").await == true {
            browser.keys(TAB).await;
            assert_eq!(
                browser.look("document.activeElement.className").await,
                "skip",
                "one need not go through it all"
            );
            browser.keys(ENTER).await;
        }
        for _ in 0..30 {
            if browser.look(&format!("document.activeElement.matches({})", json!(selector))).await == true {
                let outline = browser.look("getComputedStyle(document.activeElement).outlineStyle").await;
                assert_eq!(outline, "solid", "the focus is seen on {selector}");
                return;
            }
            browser.keys(TAB).await;
        }
        panic!("the keyboard does not get to {selector}");
    }
}

/// Signs in by the link that comes by mail.
async fn sign_in(premises: &Premises, mail: &MailServer, browser: &Browser, email: &str, manner: Manner) {
    browser.go("/queue").await;
    assert_eq!(browser.path().await, "/sign-in?next=/queue");
    browser.write("#email", email).await;
    manner.press(browser, "main form button").await;
    browser.says("Look into your mail").await;
    // The mail is asked for after the answer.
    let to_them = |letter: &String| letter.contains(email);
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let sent = async {
        while !mail.taken().iter().any(to_them) {
            premises.web.desk.work().await;
            looks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), sent).await.expect("a mail with a link");
    let letter = mail.taken().into_iter().find(to_them).unwrap().replace("=\n", "");
    let link = letter.split("/sign-in/").nth(1).expect("a link").split_whitespace().next().unwrap().to_string();
    browser.go(&format!("/sign-in/{link}")).await;
    manner.press(browser, "main form button").await;
    browser.says("Waiting for you").await;
    assert_eq!(browser.path().await, "/queue");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_asks_and_a_person_decides_on_a_phone_with_and_without_scripts() {
    decide_in([
        Manner { screen: Screen::Phone, scripts: true, dark: true },
        Manner { screen: Screen::Phone, scripts: false, dark: false },
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_asks_and_a_person_decides_at_a_desk_by_the_keyboard_with_and_without_scripts() {
    decide_in([
        Manner { screen: Screen::Desk, scripts: true, dark: false },
        Manner { screen: Screen::Desk, scripts: false, dark: true },
    ])
    .await;
}

async fn decide_in(manners: [Manner; 2]) {
    let mail = MailServer::start().await;
    let sending = Mail::smtp(&mail.url(), "office@test.example").unwrap();
    let premises = Premises::of(Desk::mailing(handlers::domains(), sending).await).await;
    let desk = &premises.web.desk;
    let driver = Driver::start();
    let browser = driver.browser(&premises).await;
    let agent = Agent { premises: &premises };
    for (nth, manner) in manners.into_iter().enumerate() {
        let (email, source) = (format!("jo{nth}@{}.example", desk.org), Source::of(Door::Program));
        desk.office.create_user(desk.org, &email, "Jo Owner", Role::Owner, &source).await.unwrap();
        manner.take(&browser).await;
        browser.devtools("Network.clearBrowserCookies", json!({})).await;
        sign_in(&premises, &mail, &browser, &email, manner).await;
        story(&premises, &browser, &agent, manner).await;
    }
}

async fn story(premises: &Premises, browser: &Browser, agent: &Agent<'_>, manner: Manner) {
    let (once, denied, always) = (agent.asks().await, agent.asks().await, agent.asks().await);
    browser.go("/queue").await;
    manner.press(browser, &format!("a[href='/queue/{once}']")).await;
    browser.says("wants to archive 6 contacts").await;
    browser.says("Archived at").await;
    browser.says("They moved away, as Jane says.").await;
    manner.press(browser, "form[data-capability='authorization.allow_once'] button").await;
    browser.says("Allowed, and carried out just as shown.").await;
    let heard = agent.hears(&once).await;
    assert_eq!((&heard["success"], &heard["data"]["decided_by"]), (&json!(true), &json!("Jo Owner")), "{manner:?}");
    assert_eq!(heard["data"]["result"].as_array().unwrap().len(), 6);

    browser.go(&format!("/queue/{denied}")).await;
    browser.write("#note", "Not these: they are back. <b>Ask</b> me.").await;
    manner.press(browser, "form[data-capability='authorization.deny'] button").await;
    browser.says("Denied. Nothing was changed").await;
    let heard = agent.hears(&denied).await;
    assert_eq!(heard["error"]["code"], "AUTHORIZATION_DENIED", "{manner:?}");
    assert_eq!(heard["data"]["note"], "Not these: they are back. <b>Ask</b> me.");

    browser.go(&format!("/queue/{always}")).await;
    manner.press(browser, "#decide details summary").await;
    browser.find("#per-day").await.clear().await.unwrap();
    manner.press(browser, "form[data-capability='authorization.allow_always'] button:not([name])").await;
    browser.says("A rule lets the same through from now on.").await;
    assert_eq!(agent.hears(&always).await["data"]["decision"], "allow_always");
    browser.go("/queue/rules").await;
    browser.says("may archive contacts").await;
    let owner = premises.web.desk.owner().await;
    let rules = owner.read("rules", json!({})).await.ok();
    owner.call("rule.revoke", json!({"rule_id": rules[0]["id"]})).await.ok();
    assert_eq!(premises.web.desk.count("authorizations").await % 3, 0, "nothing waits or came besides");
}

/// What happens elsewhere while a page is open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_decided_elsewhere_appears_by_itself() {
    let mail = MailServer::start().await;
    let sending = Mail::smtp(&mail.url(), "office@test.example").unwrap();
    let premises = Premises::of(Desk::alone(handlers::domains(), sending).await).await;
    let (owner, manager) = (premises.web.desk.owner().await, premises.web.desk.manager().await);
    let agent = Agent { premises: &premises };
    let driver = Driver::start();
    let (one, two) = tokio::join!(driver.browser(&premises), driver.browser(&premises));
    one.be(&owner).await;
    two.be(&manager).await;
    one.on(Screen::Desk).await;
    two.on(Screen::Phone).await;
    one.go("/queue").await;
    one.says("Nothing waits for you.").await;
    let (first, second, third) = (agent.asks().await, agent.asks().await, agent.asks().await);
    one.until("document.querySelectorAll('.card').length === 3").await;
    one.until("document.querySelector('nav .count').textContent === '3'").await;
    one.until("document.title.startsWith('(3) Waiting')").await;
    one.until(
        "/New: Agent Client wants to archive 6 contacts/.test(document.querySelector('[aria-live]').textContent)",
    )
    .await;
    let marks = "window.here = 1, document.querySelectorAll('.card h2 a')[1].focus(), true";
    assert_eq!(one.look(marks).await, true);

    // Another person's browser decides.
    two.go(&format!("/queue/{third}")).await;
    two.click("form[data-capability='authorization.allow_once'] button").await;
    two.says("carried out just as shown").await;
    one.until("document.querySelectorAll('.card').length === 2").await;
    assert_eq!(one.look("window.here").await, 1, "the same page all the time");
    assert_eq!(one.look("document.activeElement.getAttribute('href')").await, format!("/queue/{second}"));
    one.until("/1 request no longer waiting/.test(document.querySelector('[aria-live]').textContent)").await;

    // Another server does, while the owner writes a note.
    let other = crate::workers::Server::start(premises.web.desk.database(), &mail, "2030-01-07T09:00:00Z");
    one.go(&format!("/queue/{second}")).await;
    one.write("#note", "Not yet, because").await;
    let url = other.url().await;
    let call =
        json!({"domain": "authorization", "action": "deny", "data": {"authorization_id": second, "note": "No."}});
    let (cookie, csrf) = (format!("frontdesk_session={}", manager.session().reveal()), manager.session().csrf());
    let denying = tokio::task::spawn_blocking(move || {
        let request = ureq::post(format!("{url}/api/actions")).header("cookie", cookie).header("x-csrf-token", csrf);
        request.send_json(call).unwrap().status().as_u16()
    });
    assert_eq!(denying.await.unwrap(), 200);
    one.says("Decided meanwhile by Max Manager.").await;
    one.says("What you had typed").await;
    assert_eq!(one.look("document.querySelectorAll('[data-capability^=authorization]').length").await, 0);
    assert_eq!(one.look("document.activeElement.className").await, "notice warns");
    one.until("document.title.startsWith('(1) ')").await;

    // The owner's session ends elsewhere.
    one.go(&format!("/queue/{first}")).await;
    let end = json!({"user_id": owner.caller.id().unwrap()});
    premises.web.desk.sign_in(owner.caller.id().unwrap()).await.call("user.end_sessions", end).await.ok();
    one.says("You are no longer signed in. Sign in again").await;
}
