//! What a request would do, as a person reads it: long texts word by word, mails as they would arrive, money in a line, and
//! pages that stay small whatever hangs on a record.

use axum::http::Method;
use capabilities::world::Letter;
use capabilities::{
    Action, Delivery, Direction, Domain, Effect, Errand, LINK_TO_COME, Options, Payment, PermissionClass, Result, Tx,
    Undelivered, Who,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::queue_pages::{Page, look};
use crate::rest::Web;
use crate::work::mailing;

/// Pay money back and write to the customer.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PayBack {
    /// Who gets it.
    customer: String,
    /// In cents.
    cents: i64,
    /// Whether the mail has an HTML part.
    html: bool,
}
#[derive(Serialize, JsonSchema)]
struct PaidBack {
    /// How much.
    cents: i64,
}
impl Action for PayBack {
    const NAME: &str = "trial.pay_back";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::RequiresAuthorization;
    const WHO: Who = Who::MANAGERS;
    type Output = PaidBack;
    fn example() -> Value {
        json!({"customer": "Jane Smith", "cents": 100, "html": false})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<PaidBack> {
        tx.errand(&Refund(PayBack { customer: self.customer.clone(), ..self })).await?;
        Ok(PaidBack { cents: self.cents })
    }
}

#[derive(Serialize, Deserialize)]
struct Refund(PayBack);

impl Refund {
    fn letter(&self, link: &str) -> Letter {
        let PayBack { customer, cents, html } = &self.0;
        let page = format!(
            "<p style=\"color: #080\">Dear {customer}</p><img src=\"https://evil.example/x.png\"><script>alert(1)</script>\
             <p>\"{cents}\" &amp; more: <a href=\"{link}\">see</a></p>"
        );
        Letter {
            kind: "receipt",
            name: Some(customer.clone()),
            to: "jane@example.com".into(),
            from_name: "Test Windows".into(),
            reply_to: None,
            subject: "Your <refund>".into(),
            text: format!("Dear {customer},\n\nwe paid {cents} back.\n\nSee {link}\n"),
            html: html.then_some(page),
        }
    }
}

impl Errand for Refund {
    const KIND: &'static str = "trial_refund";
    const SERVICE: &'static str = "mail";
    fn summary(&self) -> String {
        format!("Refund to {}", self.0.customer)
    }
    fn preview(&self) -> Option<Letter> {
        Some(self.letter(LINK_TO_COME))
    }
    fn payment(&self) -> Option<Payment> {
        let (amount, customer) = (self.0.cents, self.0.customer.clone());
        Some(Payment { direction: Direction::Refund, amount, currency: "USD".into(), customer })
    }
    async fn deliver(&self, delivery: &Delivery<'_>) -> std::result::Result<(), Undelivered> {
        delivery.mail(&self.letter("https://office.example/pay/secret")).await
    }
}

async fn web() -> Web {
    let mut domains = handlers::domains();
    domains.push(Domain::new("trial", "Money back").action::<PayBack>().errand::<Refund>());
    Web::of(Desk::with(domains).await, &[]).await
}

fn because() -> Options {
    Options { reasoning: Some("The panes were streaky.".into()), ..Options::default() }
}

#[tokio::test]
async fn a_mail_and_the_money_are_shown_as_they_would_go_out() {
    let web = web().await;
    let (owner, agent) = (web.desk.owner().await, web.desk.agent().await);
    let back = json!({"customer": "Jane <b>Smith</b>", "cents": 12_000, "html": false});
    let rehearsed = agent.dry_run("trial.pay_back", back.clone()).await.ok();
    assert_eq!(rehearsed["would"]["errands"][0]["letter"]["subject"], "Your <refund>");
    let id = agent.call_because("trial.pay_back", back).await.held();
    let shown = owner.get("authorizations", &id).await.ok();
    let payment = json!({"direction": "refund", "amount": 12_000, "currency": "USD", "customer": "Jane <b>Smith</b>"});
    assert_eq!(shown["stake"]["payments"], json!([payment]));
    assert_eq!(shown["stake"]["recipients"], json!(["jane@example.com"]));
    let page = look(&web, &owner, &format!("/queue/{id}")).await;
    page.has(&[
        "<strong>Refund $120.00 to Jane &lt;b&gt;Smith&lt;/b&gt;</strong>",
        "To Jane &lt;b&gt;Smith&lt;/b&gt; &lt;jane@example.com&gt;",
        "Subject Your &lt;refund&gt;",
        "we paid 12000 back.",
        LINK_TO_COME,
    ]);
    page.has_not(&["<b>", "<iframe", "pay/secret"]);
    owner.allow_once(&id).await.ok();
    look(&web, &owner, &format!("/queue/{id}")).await.has(&["What was to be sent"]);
}

#[tokio::test]
async fn an_invitation_is_previewed_by_the_code_that_writes_it_and_without_a_link() {
    let (desk, server) = mailing().await;
    let owner = desk.owner().await;
    let sam = json!({"email": "sam@example.com", "name": "Sam", "role": "technician"});
    let shown = owner.dry_run("user.invite", sam.clone()).await.ok();
    let letter = &shown["would"]["errands"][0]["letter"];
    assert_eq!((&letter["to"], &letter["name"]), (&json!("sam@example.com"), &json!("Sam")));
    owner.call("user.invite", sam).await.ok();
    desk.work().await;
    let sent = &server.taken()[0];
    assert!(sent.contains(&format!("Subject: {}", letter["subject"].as_str().unwrap())), "{sent}");
    let text = letter["text"].as_str().unwrap();
    assert!(text.contains(LINK_TO_COME) && !text.contains("http"), "{text}");
    let sent = sent.replace("=\r\n", "").replace("=\n", "").replace("\r\n", "\n");
    for part in text.split(LINK_TO_COME) {
        assert!(sent.contains(part.trim()), "{part} is not in {sent}");
    }
}

#[tokio::test]
async fn the_html_of_a_mail_is_framed_without_scripts_and_without_anything_from_elsewhere() {
    let web = web().await;
    let (owner, agent) = (web.desk.owner().await, web.desk.agent().await);
    let policy_of =
        |response: &crate::rest::Response| response.headers["content-security-policy"].to_str().unwrap().to_string();
    let mut policies = Vec::new();
    for html in [false, true] {
        let back = json!({"customer": "Jane", "cents": 5, "html": html});
        let id = agent.call_because("trial.pay_back", back).await.held();
        let answer = web.send(web.request_of(&owner, Method::GET, &format!("/queue/{id}"), "")).await;
        policies.push((policy_of(&answer), Page::of(&answer)));
    }
    let [(strict, text), (wider, framed)] = &policies[..] else { panic!("two pages") };
    assert_eq!(*wider, format!("{strict}; style-src-attr 'unsafe-inline'"), "and for no other page");
    assert!(strict.contains("default-src 'none'") && !strict.contains("unsafe"), "{strict}");
    text.has_not(&["<iframe"]);
    framed.has(&[
        "<iframe sandbox title=",
        "srcdoc=\"&lt;!doctype html&gt;",
        "default-src &#x27;none&#x27;",
        "as plain text",
    ]);
    framed.has_not(&["<script>", "<img", "sandbox=\"allow"]);
}

#[tokio::test]
async fn of_many_payments_the_sum_is_told_and_of_many_mails_the_first() {
    let web = web().await;
    let (owner, agent) = (web.desk.owner().await, web.desk.agent().await);
    let one = |n: usize| json!({"customer": format!("Jane {n} {}", "x".repeat(400)), "cents": 1_000, "html": false});
    let id = agent.call_items("trial.pay_back", (0..400).map(one).collect(), because()).await.held();
    let mut path = format!("/queue/{id}");
    let mut read = 0;
    loop {
        let page = look(&web, &owner, &path).await;
        assert!(page.html.len() < 100_000, "{}", page.html.len());
        page.has(&["Refund $4,000.00 to 400 customers in all"]);
        read += page.html.matches("<article class=\"letter\">").count();
        match page.html.split("?letter=").nth(1) {
            Some(next) => path = format!("/queue/{id}?letter={}", next.split('"').next().unwrap()),
            None => break,
        }
    }
    assert_eq!(read, 400, "each mail can be read");
}

#[tokio::test]
async fn a_long_text_is_told_word_by_word_and_read_whole_where_it_was_cut() {
    let web = Web::open().await;
    let (owner, agent) = (web.desk.owner().await, web.desk.agent().await);
    let story = "The key is under the blue pot by the side door. Call before noon, mind the dog behind the garage.";
    let jane = owner.contact("Jane", json!({"notes": [story]})).await;
    let note = owner.read("notes", json!({"contact_id": jane})).await.ok()[0]["id"].clone();
    owner.call("org.freeze", json!({})).await.ok();
    let edited = json!({"note_id": note, "content": story.replace("before noon", "after <two>")});
    let id = agent.call_because("note.edit", edited).await.held();
    let page = look(&web, &owner, &format!("/queue/{id}")).await;
    page.has(&["<del>", "before noon,", "<ins>", "after &lt;two&gt;,", "(goes: ", "(comes: "]);
    assert_eq!(page.html.matches("under the blue pot").count(), 1, "what stays stands once");
    owner.call("org.unfreeze", json!({})).await.ok();

    let long = format!("Start {} the very end.", "of a long story ".repeat(300));
    let jim = owner.contact("Jim", json!({"notes": [long, "Short."]})).await;
    let id = agent.call_because("contact.delete", json!({"contact_id": jim})).await.held();
    let page = look(&web, &owner, &format!("/queue/{id}")).await;
    page.has(&["and 2 notes", "<details class=\"long\">", "the very end."]);
    assert_eq!(page.html.matches("<details class=\"long\">").count(), 1, "what is short is not folded");
}

#[tokio::test]
async fn a_row_that_is_replaced_is_told_as_before_and_after() {
    let web = Web::open().await;
    let (owner, agent) = (web.desk.owner().await, web.desk.agent().await);
    let jane = owner.contact("Jane", json!({"phones": [{"phone": "256-555-0100"}]})).await;
    owner.call("org.freeze", json!({})).await.ok();
    let phones = json!([{"phone": "256-555-0199"}]);
    let alone = json!({"contact_id": jane, "phones": phones});
    let id = agent.call_because("contact.update", alone).await.held();
    let page = look(&web, &owner, &format!("/queue/{id}")).await;
    page.has(&["↻ Changed Phone", "Phone 256-555-0100 256-555-0199"]).has_not(&["E164", "Deleted", "another record"]);
    let along = json!({"contact_id": jane, "phones": phones, "tags": ["vip"]});
    let id = agent.call_because("contact.update", along).await.held();
    let page = look(&web, &owner, &format!("/queue/{id}")).await;
    page.has(&["↻ Changed Contact Jane", "<details class=\"part\" open>", "and 1 phone ↻ Changed"]);
    page.has(&["<bdi>Phone: 256-555-0100 → 256-555-0199</bdi>"]).has_not(&["E164", "Deleted"]);
}

#[tokio::test]
async fn a_thousand_notes_that_go_along_are_read_page_by_page() {
    let web = Web::open().await;
    let (owner, system, agent) = (web.desk.owner().await, web.desk.system().await, web.desk.agent().await);
    let jane = owner.contact("Jane", json!({"family_name": "Smith"})).await;
    for half in [0, 500] {
        let note = |n: usize| json!({"contact_id": jane, "content": format!("Visit no. {n}: {}", "<clean & dry> ".repeat(12))});
        system.call_items("note.add", (half..half + 500).map(note).collect(), Options::default()).await.ok();
    }
    let id = agent.call_because("contact.delete", json!({"contact_id": jane})).await.held();
    let mut path = format!("/queue/{id}");
    let mut read = std::collections::BTreeSet::new();
    loop {
        let page = look(&web, &owner, &path).await;
        assert!(page.html.len() < 100_000, "{}", page.html.len());
        page.has(&["Deleted Contact Jane Smith", "and 1,000 notes", "Allow once"]);
        let numbers = page.html.split("Visit no. ").skip(1).map(|rest| rest.split(':').next().unwrap().to_string());
        read.extend(numbers);
        let next = page.html.split("go along with it").next().unwrap().rsplit("href=\"").next().unwrap();
        match next.contains("along=") {
            true => path = next.split('"').next().unwrap().replace("&amp;", "&"),
            false => break,
        }
    }
    assert_eq!(read.len(), 1_000, "each note can be read");
}
