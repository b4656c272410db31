//! What the kernel does with every call, shown on actions of its own.

use capabilities::{
    Action, Delivery, Domain, Effect, Entity, Errand, Error, Escalation, Id, Options, PermissionClass, Result, Secret,
    Tx, Undelivered, Who,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::desk::{Desk, object};

/// The product's contacts, and beside them a domain that does what no domain of the product does yet.
async fn desk() -> Desk {
    let mut domains = handlers::domains();
    domains.push(
        Domain::new("trial", "What the kernel can do")
            .action::<Write>()
            .action::<Reveal>()
            .action::<Refer>()
            .action::<Both>()
            .errand::<Letter>(),
    );
    Desk::with(domains).await
}

struct Contact;
impl Entity for Contact {
    const NAME: &str = "contact";
    const TABLE: &str = "contacts";
}

#[derive(Serialize, Deserialize)]
struct Letter {
    to: String,
}
impl Errand for Letter {
    const KIND: &str = "send_letter";
    const SERVICE: &str = "post";
    async fn deliver(&self, _: &Delivery<'_>) -> std::result::Result<(), Undelivered> {
        Ok(())
    }
    fn summary(&self) -> String {
        format!("Letter to {}", self.to)
    }
}

/// Write a letter.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Write {
    /// To whom.
    to: String,
}
#[derive(Serialize, JsonSchema)]
struct Written {
    /// To whom.
    to: String,
}
impl Action for Write {
    const NAME: &str = "trial.write";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::EVERYONE;
    const ESCALATIONS: &[Escalation<Self>] =
        &[Escalation::on_input("to_the_press", PermissionClass::SoftLimit, "it goes to the press", |input| {
            input.to == "press"
        })];
    type Output = Written;
    fn example() -> Value {
        json!({"to": "Jane"})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Written> {
        tx.errand(&Letter { to: self.to.clone() }).await?;
        Ok(Written { to: self.to })
    }
}

/// Reveal a secret.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reveal {}
#[derive(Serialize, JsonSchema)]
struct Revealed {
    /// The secret.
    token: Secret<String>,
}
impl Action for Reveal {
    const NAME: &str = "trial.reveal";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::OWNERS;
    type Output = Revealed;
    fn example() -> Value {
        json!({})
    }
    async fn run(self, _: &mut Tx<'_>) -> Result<Revealed> {
        Ok(Revealed { token: Secret("open sesame".into()) })
    }
}

/// Count what refers to a contact.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Refer {
    /// The contact.
    contact_id: Id<Contact>,
}
#[derive(Serialize, JsonSchema)]
struct Referred {
    /// Tables with counts.
    referrers: Vec<String>,
}
impl Action for Refer {
    const NAME: &str = "trial.refer";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::EVERYONE;
    type Output = Referred;
    fn example() -> Value {
        json!({"contact_id": "01970000-0000-7000-8000-000000000001"})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Referred> {
        let found = tx.referrers(self.contact_id).await?;
        Ok(Referred { referrers: found.iter().map(|r| format!("{}.{} {}", r.table, r.column, r.rows)).collect() })
    }
}

/// Write two letters, or none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Both {
    /// Whether the second one fails.
    fail: bool,
}
impl Action for Both {
    const NAME: &str = "trial.both";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::EVERYONE;
    type Output = Written;
    fn example() -> Value {
        json!({"fail": false})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Written> {
        tx.call(Write { to: "press".into() }).await?;
        match self.fail {
            true => Err(Error::conflict("NO_PAPER", "There is no paper left.", "Buy some.")),
            false => tx.call(Write { to: "Bob".into() }).await,
        }
    }
}

#[tokio::test]
async fn an_errand_is_recorded_with_the_change_and_shown_in_the_preview() {
    let desk = desk().await;
    let agent = desk.agent().await;
    let preview = agent.dry_run("trial.write", json!({"to": "Jane"})).await;
    assert!(preview.0.meta.dry_run);
    let preview = preview.ok();
    assert_eq!(preview["would"]["errands"], json!([{"kind": "send_letter", "summary": "Letter to Jane"}]));
    assert_eq!(desk.count("errands").await, 0);
    let reply = agent.call("trial.write", json!({"to": "Jane"})).await;
    let meta = serde_json::to_value(&reply.0.meta).unwrap();
    assert_eq!(
        (&meta["errands"][0]["summary"], &meta["errands"][0]["state"]),
        (&json!("Letter to Jane"), &json!("recorded"))
    );
    assert_eq!(desk.count("errands").await, 1);
}

#[tokio::test]
async fn a_preview_shows_exactly_what_would_change_and_changes_nothing() {
    let desk = desk().await;
    let agent = desk.agent().await;
    let id = agent.contact("Jane", json!({"phones": [{"phone": "256-555-0100"}], "tags": ["old"]})).await;
    let before = desk.state().await;
    let data = json!({"contact_id": id, "given_name": "Janet", "phones": [{"phone": "256-555-0199"}]});
    let preview = agent.dry_run("contact.update", data).await.ok();
    assert_eq!(preview["would"]["permission"], "soft_limit");
    assert_eq!(preview["would"]["reasons"][0]["code"], "reach_changes");
    assert_eq!(preview["result"]["display_name"], "Janet");
    let changes = preview["would"]["changes"].as_array().unwrap();
    let told: Vec<_> =
        changes.iter().map(|c| (c["data_type"].as_str().unwrap(), c["change"].as_str().unwrap())).collect();
    assert_eq!(told, [("contact_phones", "deleted"), ("contact_phones", "created"), ("contacts", "updated")]);
    assert_eq!(changes[2]["fields"], json!({"given_name": {"from": "Jane", "to": "Janet"}}));
    assert_eq!(desk.state().await, before);
    let calls = agent.read("audit", json!({"action": "contact.update"})).await.ok();
    assert_eq!(calls, json!([]), "a rehearsal is no call");
}

#[tokio::test]
async fn a_repeat_with_the_same_key_gets_the_first_outcome() {
    let desk = desk().await;
    let agent = desk.agent().await;
    let key = || Options { idempotency_key: Some("visit of May 3".into()), ..Options::default() };
    let data = json!({"kind": "person", "given_name": "Jane"});
    let first = agent.call_with("contact.create", data.clone(), key()).await;
    let again = agent.call_with("contact.create", data.clone(), key()).await;
    assert!(again.0.meta.repeated && !first.0.meta.repeated);
    assert_eq!(again.0.meta.request_id, first.0.meta.request_id);
    assert_eq!(again.ok(), first.ok());
    assert_eq!(desk.count("contacts").await, 1);
    let other = json!({"kind": "person", "given_name": "Bob"});
    agent.call_with("contact.create", other.clone(), key()).await.refused("IDEMPOTENCY_KEY_REUSED");
    desk.manager().await.call_with("contact.create", other.clone(), key()).await.ok();
    assert_eq!(desk.count("contacts").await, 2, "a key is its caller's own");
    desk.pass(chrono::TimeDelta::days(31));
    agent.call_with("contact.create", other, key()).await.ok();
}

#[tokio::test]
async fn a_refused_call_does_not_use_up_its_key() {
    let desk = desk().await;
    let agent = desk.agent().await;
    let key = Options { idempotency_key: Some("k".into()), ..Options::default() };
    agent.call_with("trial.both", json!({"fail": true}), key.clone()).await.refused("NO_PAPER");
    let reasoned = Options { reasoning: Some("They asked.".into()), ..key };
    agent.call_with("trial.both", json!({"fail": false}), reasoned).await.ok();
}

#[tokio::test]
async fn fifty_calls_at_once_with_one_key_are_one() {
    let desk = desk().await;
    let agent = desk.agent().await;
    let options = Options { idempotency_key: Some("one".into()), ..Options::default() };
    let calls = (0..50)
        .map(|_| agent.call_with("contact.create", json!({"kind": "person", "given_name": "Jane"}), options.clone()));
    let ids: Vec<String> = futures(calls).await.into_iter().map(|reply| reply.id()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(desk.count("contacts").await, 1);
}

#[tokio::test]
async fn two_changes_at_once_never_overwrite_each_other() {
    let desk = desk().await;
    let agent = desk.agent().await;
    let id = agent.contact("Jane", json!({})).await;
    let data = |n: usize| json!({"contact_id": id, "expected_version": 1, "family_name": format!("Name {n}")});
    let replies = futures((0..20).map(|n| agent.call("contact.update", data(n)))).await;
    let done = replies.iter().filter(|reply| reply.0.success()).count();
    assert_eq!(done, 1);
    assert!(replies.iter().all(|reply| reply.0.success() || reply.0.error_code() == Some("VERSION_CONFLICT")));
}

async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(move |cx| {
        let mut ready = true;
        for (future, output) in &mut pending {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(value) => *output = Some(value),
                    std::task::Poll::Pending => ready = false,
                }
            }
        }
        match ready {
            true => std::task::Poll::Ready(pending.iter_mut().filter_map(|(_, output)| output.take()).collect()),
            false => std::task::Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let desk = desk().await;
    let owner = desk.owner().await;
    let key = || Options { idempotency_key: Some("token".into()), ..Options::default() };
    assert_eq!(owner.call_with("trial.reveal", json!({}), key()).await.ok()["token"], "open sesame");
    assert_eq!(owner.call_with("trial.reveal", json!({}), key()).await.ok()["token"], "shown_once");
    let stored: Vec<Value> = sqlx::query_scalar("select outcome from idempotency_keys where org_id = $1")
        .bind(desk.org)
        .fetch_all(&mut desk.sql().await)
        .await
        .unwrap();
    assert!(!stored[0].to_string().contains("sesame"));
}

#[tokio::test]
async fn a_role_that_may_not_is_refused_and_the_refusal_is_on_record() {
    let desk = desk().await;
    for person in [desk.manager().await, desk.technician().await] {
        let error = person.call("trial.reveal", json!({})).await.refused("FORBIDDEN");
        assert_eq!(error["message"], "`trial.reveal` is for owners.");
    }
    let trail = desk.owner().await.read("audit", json!({"action": "trial.reveal"})).await.ok();
    assert_eq!((&trail[0]["outcome"], &trail[0]["error_code"]), (&json!("refused"), &json!("FORBIDDEN")));
}

#[tokio::test]
async fn what_refers_to_a_row_is_read_from_the_schema() {
    let desk = desk().await;
    let agent = desk.agent().await;
    let more =
        json!({"emails": [{"email": "a@example.com"}, {"email": "b@example.com"}], "notes": ["One."], "tags": ["t"]});
    let id = agent.contact("Jane", more).await;
    let referred = agent.call("trial.refer", json!({"contact_id": id})).await.ok();
    let expected = json!([
        "contact_emails.contact_id 2",
        "contact_search.id 1",
        "contact_tags.contact_id 1",
        "notes.contact_id 1"
    ]);
    assert_eq!(referred["referrers"], expected);
}

#[tokio::test]
async fn an_action_made_of_others_is_one_call_judged_by_its_strictest_step() {
    let desk = desk().await;
    let agent = desk.agent().await;
    let error = agent.call("trial.both", json!({"fail": false})).await.refused("REASONING_REQUIRED");
    assert_eq!(error["reasons"][0]["code"], "to_the_press");
    assert_eq!(desk.count("errands").await, 0);
    agent.call_because("trial.both", json!({"fail": true})).await.refused("NO_PAPER");
    assert_eq!(desk.count("errands").await, 0, "all or nothing");
    agent.call_because("trial.both", json!({"fail": false})).await.ok();
    assert_eq!(desk.count("errands").await, 2);
    let calls = agent.read("audit", json!({"action": "trial.both"})).await.ok();
    let outcomes: Vec<_> = calls.as_array().unwrap().iter().map(|call| call["outcome"].clone()).collect();
    assert_eq!(outcomes, ["done", "refused", "refused"]);
    assert_eq!(
        agent.read("audit", json!({"action": "trial.write"})).await.ok(),
        json!([]),
        "its steps are no calls of their own"
    );
}

#[tokio::test]
async fn items_are_all_done_or_none_and_problems_name_the_item() {
    let desk = desk().await;
    let agent = desk.agent().await;
    let person = |name: &str| json!({"kind": "person", "given_name": name});
    let before = desk.state().await;
    let items = vec![person("A"), person("B"), json!({"kind": "robot"}), json!({})];
    let reply = agent.call_items("contact.create", items, Options::default()).await;
    assert_eq!(reply.invalid_at(), ["/items/2/kind", "/items/3/kind"]);
    let items = vec![person("A"), json!({"kind": "person"})];
    assert_eq!(agent.call_items("contact.create", items, Options::default()).await.invalid_at(), ["/items/1"]);
    let six = (0..6).map(|n| person(&n.to_string())).collect();
    agent.call_items("contact.create", six, Options::default()).await.refused("REASONING_REQUIRED");
    let many = (0..501).map(|n| person(&n.to_string())).collect();
    assert_eq!(agent.call_items("contact.create", many, Options::default()).await.invalid_at(), ["/items"]);
    assert_eq!(desk.state().await, before);
    let made = agent.call_items("contact.create", vec![person("A"), person("B")], Options::default()).await.ok();
    assert_eq!(made.as_array().unwrap().len(), 2);
    let calls = agent.read("audit", json!({"action": "contact.create"})).await.ok();
    assert_eq!(calls[0]["changes"].as_array().unwrap().len(), 2, "one call");
}

#[tokio::test]
async fn what_is_refused_is_logged_by_code_and_place_never_by_value() {
    let desk = desk().await;
    let agent = desk.agent().await;
    let data = json!({"kind": "person", "given_name": "Jane", "emails": [{"email": "secret value"}], "4111 1111 1111 1111": 1});
    agent.call("contact.create", data).await.refused("INVALID_INPUT");
    let logged: (String, Value, Option<Value>) =
        sqlx::query_as("select error_code, problems, input from call_log where org_id = $1 and outcome = 'refused'")
            .bind(desk.org)
            .fetch_one(&mut desk.sql().await)
            .await
            .unwrap();
    assert_eq!(logged, ("INVALID_INPUT".into(), json!(["/data/emails/0/email", "/data/[REDACTED]"]), None));
}

#[tokio::test]
async fn the_schema_promises_what_validation_does() {
    let desk = desk().await;
    let agent = desk.agent().await;
    let wrong = json!({"kind": "persn", "given_nam": "J", "tags": "vip", "emails": [{"email": "x"}], "phones": [{}], "notes": ["a\u{0}"]});
    let error = agent.call("contact.create", wrong).await.refused("INVALID_INPUT");
    let mut problems: Vec<_> =
        error["problems"].as_array().unwrap().iter().map(|p| p["pointer"].as_str().unwrap()).collect();
    problems.sort_unstable();
    let expected = [
        "/data/emails/0/email",
        "/data/given_nam",
        "/data/kind",
        "/data/notes/0",
        "/data/phones/0/phone",
        "/data/tags",
    ];
    assert_eq!(problems, expected);
    let known =
        |pointer: &str| error["problems"].as_array().unwrap().iter().find(|p| p["pointer"] == pointer).unwrap().clone();
    assert_eq!(known("/data/kind")["did_you_mean"], json!(["person"]));
    assert_eq!(known("/data/given_nam")["did_you_mean"][0], "given_name");
    let unreal = json!({"contact_id": desk.org, "address": {"street": "1 Elm", "city": "X", "timezone": "Mars/Olympus", "country": "ZZ"}});
    assert_eq!(agent.call("address.add", unreal).await.invalid_at().len(), 1, "found by parsing, one at a time");
    assert!(object(json!({})).is_empty());
}

/// Whoever leaves while a transaction begins must not hand a connection on that is in the middle of one.
#[tokio::test]
async fn questions_that_are_given_up_at_any_moment_leave_no_transaction_behind() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    for nth in 0..150_u64 {
        let leaves = std::time::Instant::now() + std::time::Duration::from_micros(nth * 10);
        let gone = async {
            while std::time::Instant::now() < leaves {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = owner.read("contacts", json!({})) => {}
            () = gone => {}
        }
        owner.contact(&format!("After {nth}"), json!({})).await;
    }
}
