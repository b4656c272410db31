//! What the office would have mailed, shown where it is tried out: to those who run it, and never what signs one in.

use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::Method;
use capabilities::world::{Letter, Mail};
use capabilities::{Action, Delivery, Domain, Effect, Errand, PermissionClass, Result, Tx, Undelivered, Who};
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::desk::{Actor, Desk, fresh};
use crate::rest::{Response, Web};

/// A letter with an HTML part that tries what such parts try.
#[derive(Serialize, Deserialize)]
struct Colourful {}
impl Errand for Colourful {
    const KIND: &str = "colourful";
    const SERVICE: &str = "mail";
    fn summary(&self) -> String {
        "A colourful letter".into()
    }
    async fn deliver(&self, delivery: &Delivery<'_>) -> std::result::Result<(), Undelivered> {
        let html =
            "<p style=\"color: red\">Dear <b>Jane</b></p><script>alert(1)</script><img src=\"https://x.example/p\">";
        let letter = Letter {
            kind: Self::KIND,
            name: Some("Jane Smith".into()),
            to: "jane@example.com".into(),
            from_name: "Test Windows".into(),
            reply_to: None,
            subject: "Ihre Rechnung – <b>danke</b>".into(),
            text: "Dear Jane & <i>all</i>".into(),
            html: Some(html.into()),
        };
        delivery.mail(&letter).await
    }
}

/// Write a colourful letter.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Write {}
#[derive(Serialize, JsonSchema)]
struct Written {}
impl Action for Write {
    const NAME: &str = "trial.write";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = Written;
    fn example() -> Value {
        json!({})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Written> {
        tx.errand(&Colourful {}).await?;
        Ok(Written {})
    }
}

/// An office whose mail stays in a directory of its own, which goes with the test.
struct Trial {
    web: Web,
    files: PathBuf,
}

impl Trial {
    async fn open(words: &[&str]) -> Self {
        let files = std::env::temp_dir().join(format!("frontdesk-mail-{}", fresh())).join("mail");
        let mut domains = handlers::domains();
        domains.push(Domain::new("trial", "What is mailed").action::<Write>().errand::<Colourful>());
        let mail = Mail::directory(&files, "office@rocketcity.example").unwrap();
        let web = Web::of(Desk::mailing(domains, mail).await, words).await;
        Self { web, files }
    }

    async fn look(&self, person: &Actor, path: &str) -> Response {
        self.web.send(self.web.request_of(person, Method::GET, path, Body::empty())).await
    }

    /// Leaves a mail of each kind and sends them; the ids of the colourful one, the notice to the owner and the one that signs
    /// in.
    async fn mail(&self) -> [String; 3] {
        let (desk, owner) = (&self.web.desk, self.web.desk.owner().await);
        owner.call("user.send_sign_in_link", json!({"user_id": owner.caller.id()})).await.ok();
        desk.agent().await.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
        desk.pass(TimeDelta::seconds(30));
        owner.call("trial.write", json!({})).await.ok();
        desk.work().await;
        let errands = owner.read("errands", json!({})).await.ok();
        let id = |words: &str| {
            let found = errands.as_array().unwrap().iter().find(|row| row["summary"].as_str().unwrap().contains(words));
            found.unwrap()["id"].as_str().unwrap().to_string()
        };
        [id("colourful"), id("Notice to Olivia"), id("Sign-in link")]
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(self.files.parent().unwrap_or(Path::new("/nowhere"))));
    }
}

fn text(response: &Response) -> String {
    String::from_utf8(response.body.clone()).unwrap()
}

fn policy(response: &Response) -> &str {
    response.headers["content-security-policy"].to_str().unwrap()
}

#[tokio::test]
async fn what_would_have_been_mailed_is_listed_newest_first_without_what_signs_in() {
    let trial = Trial::open(&[]).await;
    let owner = trial.web.desk.owner().await;
    assert!(text(&trial.look(&owner, "/dev/mail").await).contains("No mail here."));
    let [colourful, notice, sign_in] = trial.mail().await;
    assert!(trial.files.join(format!("{sign_in}.eml")).exists());
    for person in [&owner, &trial.web.desk.manager().await] {
        let list = trial.look(person, "/dev/mail").await;
        let page = text(&list);
        assert_eq!(list.status, 200);
        let (first, second) = (page.find(&colourful).unwrap(), page.find(&notice).unwrap());
        assert!(first < second, "newest first: {page}");
        assert!(page.contains("Ihre Rechnung – &lt;b&gt;danke&lt;&#x2f;b&gt;"), "{page}");
        assert!(
            page.contains("Jane Smith &lt;jane@example.com&gt;") && page.contains("today")
                || page.contains("Mon, Jan 7")
        );
        assert!(!page.contains(&sign_in) && !page.contains("Sign in to"), "{page}");
        assert_eq!(trial.look(person, &format!("/dev/mail/{sign_in}")).await.status, 404);
        assert_eq!(trial.look(person, &format!("/dev/mail/{sign_in}/html")).await.status, 404);
    }
}

#[tokio::test]
async fn a_mail_is_shown_as_text_and_its_html_in_a_frame_where_nothing_runs_or_loads() {
    let trial = Trial::open(&[]).await;
    let owner = trial.web.desk.owner().await;
    let [colourful, notice, _] = trial.mail().await;
    let shown = trial.look(&owner, &format!("/dev/mail/{colourful}")).await;
    let page = text(&shown);
    assert!(page.contains("Dear Jane &amp; &lt;i&gt;all"), "{page}");
    assert!(page.contains("<iframe class=\"letter\" sandbox title=") && !page.contains("<script>"), "{page}");
    assert!(policy(&shown).contains("frame-src 'self'") && policy(&shown).contains("default-src 'none'"));
    let framed = trial.look(&owner, &format!("/dev/mail/{colourful}/html")).await;
    assert!(text(&framed).contains("<p style=\"color: red\">Dear <b>Jane</b></p>"));
    for part in ["sandbox; default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", "frame-ancestors 'self'"]
    {
        assert!(policy(&framed).contains(part), "{}", policy(&framed));
    }
    assert!(!policy(&framed).contains("script-src") && !policy(&framed).contains("allow-"));
    assert_eq!(framed.headers["cache-control"], "no-store");
    let plain = text(&trial.look(&owner, &format!("/dev/mail/{notice}")).await);
    assert!(plain.contains("Agent Front Office wants to archive 6 contacts.") && !plain.contains("<iframe"), "{plain}");
    assert_eq!(trial.look(&owner, &format!("/dev/mail/{notice}/html")).await.status, 404);
}

#[tokio::test]
async fn neither_agents_nor_strangers_nor_technicians_nor_other_businesses_read_it() {
    let trial = Trial::open(&[]).await;
    let [colourful, ..] = trial.mail().await;
    let technician = trial.web.desk.technician().await;
    let other =
        Web::of(Desk::mailing(handlers::domains(), Mail::directory(&trial.files, "o@x.example").unwrap()).await, &[])
            .await;
    let stranger = other.desk.owner().await;
    for path in ["/dev/mail".to_string(), format!("/dev/mail/{colourful}"), format!("/dev/mail/{colourful}/html")] {
        let agent = trial.web.get(&path).await;
        assert_eq!(agent.status, 403, "{path}");
        let mut nobody = trial.web.request(Method::GET, &path, Body::empty());
        nobody.headers_mut().remove("authorization");
        let nobody = trial.web.send(nobody).await;
        assert_eq!((nobody.status, nobody.body.len()), (303, 0), "{path}");
        assert_eq!(trial.look(&technician, &path).await.status, 403, "{path}");
        let elsewhere = other.send(other.request_of(&stranger, Method::GET, &path, Body::empty())).await;
        assert_eq!(elsewhere.status, if path == "/dev/mail" { 200 } else { 404 }, "{path}");
        assert!(!text(&elsewhere).contains(&colourful));
    }
}

#[tokio::test]
async fn a_name_that_is_no_mail_leads_nowhere() {
    let trial = Trial::open(&[]).await;
    let owner = trial.web.desk.owner().await;
    let [colourful, ..] = trial.mail().await;
    std::fs::write(trial.files.parent().unwrap().join("secret.eml"), "X-Frontdesk-Kind: invoice\r\n\r\nsecret")
        .unwrap();
    std::fs::write(trial.files.join(format!("{}.eml", uuid::Uuid::nil())), "X-Frontdesk-Kind: invoice\r\n\r\nsecret")
        .unwrap();
    let names = [
        "..%2Fsecret".into(),
        "%2e%2e%2fsecret.eml".into(),
        "secret".into(),
        format!("{colourful}.eml"),
        format!("..%2Fmail%2F{colourful}"),
        format!("{colourful}%00"),
        "%ff".into(),
        uuid::Uuid::nil().to_string(),
    ];
    for name in names {
        let answer = trial.look(&owner, &format!("/dev/mail/{name}")).await;
        assert_eq!(answer.status, 404, "{name}");
        assert!(!text(&answer).contains("secret</pre>"), "{name}");
    }
}

#[tokio::test]
async fn in_production_there_is_no_such_page_and_over_smtp_it_says_so() {
    let key = "ab".repeat(32);
    let words = ["--mode", "production", "--secret-key", &key, "--public-url", "https://office.example.com/"];
    let trial = Trial::open(&words).await;
    let [colourful, ..] = trial.mail().await;
    let owner = trial.web.desk.owner().await;
    for path in ["/dev/mail".to_string(), format!("/dev/mail/{colourful}"), format!("/dev/mail/{colourful}/html")] {
        let mut request = trial.web.request_of(&owner, Method::GET, &path, Body::empty());
        let cookie = format!("__Host-frontdesk_session={}", owner.session().reveal());
        request.headers_mut().insert("cookie", cookie.parse().unwrap());
        assert_eq!(trial.web.send(request).await.status, 404, "{path}");
    }
    let (desk, _server) = crate::work::mailing().await;
    let web = Web::of(desk, &[]).await;
    let owner = web.desk.owner().await;
    let page = web.send(web.request_of(&owner, Method::GET, "/dev/mail", Body::empty())).await;
    assert!(text(&page).contains("Mail leaves over the mail server"), "{}", text(&page));
}
