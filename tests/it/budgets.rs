//! What an agent may do in a day: beyond it everything waits, whatever rules say, and nothing slips past.

use capabilities::{
    Action, Delivery, Direction, Domain, Effect, Errand, Options, Payment, PermissionClass, Result, Tx, Undelivered,
    Who,
};
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::desk::{Actor, Desk};
use crate::queue_pages::{look, submit};
use crate::rest::Web;

async fn set(desk: &Desk, agent: &Actor, mut budget: Value) -> Value {
    budget["agent_id"] = json!(agent.caller.id());
    desk.owner().await.call("agent.set_budget", budget).await.ok()
}

async fn row(desk: &Desk, agent: &Actor) -> Value {
    desk.owner().await.get("agents", &agent.caller.id().unwrap().to_string()).await.ok()
}

fn person(name: &str) -> Value {
    json!({"kind": "person", "given_name": name})
}

#[tokio::test]
async fn what_goes_beyond_the_budget_waits_and_says_what_is_used_and_when_it_renews() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    set(&desk, &agent, json!({"actions": 3})).await;
    agent.contacts(2).await;
    agent.dry_run("contact.create", person("Rehearsed")).await.ok();
    agent.call("contact.create", person("Third")).await.ok();

    agent.call("contact.create", person("Fourth")).await.refused("REASONING_REQUIRED");
    let rehearsed = agent.dry_run("contact.create", person("Fourth")).await.ok();
    assert_eq!(rehearsed["would"]["permission"], "requires_authorization");
    let asked = agent.call_because("contact.create", person("Fourth")).await;
    assert_eq!(asked.reasons(), ["over_budget"]);
    let reasons = asked.0.data.as_ref().unwrap()["reasons"].clone();
    assert_eq!(
        reasons[0]["message"],
        "it would go past this agent’s budget for today: 3 of 3 actions are used and this takes 1 more; it renews on \
         Tuesday, January 8 at 12:00 AM"
    );
    owner.allow_once(&asked.held()).await.ok();
    let used = row(&desk, &agent).await;
    assert_eq!(used["budget"], json!({"actions": 3}));
    assert_eq!(used["used_today"], json!({"actions": 3, "messages": 0, "money": 0}), "what a person allowed is theirs");
    assert_eq!(used["resets_at"], "2030-01-08T06:00:00Z");

    // 03:00 where the business is: midnight is 21 hours away.
    desk.pass(TimeDelta::hours(21) - TimeDelta::seconds(1));
    agent.call_because("contact.create", person("Late")).await.held();
    desk.pass(TimeDelta::seconds(1));
    agent.call("contact.create", person("Tomorrow")).await.ok();
    assert_eq!(row(&desk, &agent).await["used_today"]["actions"], 1);
}

#[tokio::test]
async fn each_item_counts_and_taking_back_does_not() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    set(&desk, &agent, json!({"actions": 5})).await;
    agent.contacts(3).await;
    let items = || vec![person("A"), person("B"), person("C")];
    let options = Options { reasoning: Some("They called.".into()), ..Options::default() };
    let asked = agent.call_items("contact.create", items(), options).await;
    assert_eq!(asked.reasons(), ["over_budget"]);
    agent.call("authorization.withdraw", json!({"authorization_id": asked.held()})).await.ok();
    agent.contacts(2).await;
    assert_eq!(row(&desk, &agent).await["used_today"]["actions"], 5);
    let other = desk.other_agent("Night Watch").await;
    other.contacts(1).await;
}

#[tokio::test]
async fn no_rule_lifts_a_budget() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let id = agent.call_on_each("contact.archive", &desk.contacts(6).await).await.held();
    let always = json!({"authorization_id": id, "items_per_day": 100, "reasons": ["bulk", "over_budget"]});
    owner.call("authorization.allow_always", always).await.ok();
    let contacts = desk.contacts(2).await;
    set(&desk, &agent, json!({"actions": 1})).await;
    agent.call("contact.archive", json!({"contact_id": contacts[0]})).await.ok();
    let asked = agent.call_because("contact.archive", json!({"contact_id": contacts[1]})).await;
    assert_eq!(asked.reasons(), ["over_budget"]);
    // Nor is one made of it that says it did.
    let made = owner.call("authorization.allow_always", json!({"authorization_id": asked.held()})).await.ok();
    assert_eq!(owner.get("rules", made["rule_id"].as_str().unwrap()).await.ok()["reasons"], json!([]));
}

#[tokio::test]
async fn fifty_calls_side_by_side_cannot_slip_past_a_budget() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    set(&desk, &agent, json!({"actions": 12})).await;
    let mut calls = tokio::task::JoinSet::new();
    for contact in desk.contacts(50).await {
        let (agent, note) = (agent.clone(), json!({"contact_id": contact, "content": "Called back."}));
        calls.spawn(async move { agent.call_because("note.add", note).await });
    }
    let replies = calls.join_all().await;
    let waits = |answer: &capabilities::Answer| answer.is_held() || answer.error_code() == Some("QUEUE_FULL");
    assert!(replies.iter().all(|reply| reply.0.success() || waits(&reply.0)));
    assert_eq!(replies.iter().filter(|reply| reply.0.success()).count(), 12);
    assert_eq!((desk.count("notes").await, row(&desk, &agent).await["used_today"]["actions"].clone()), (12, json!(12)));
}

/// Something that goes to a customer, or moves money.
#[derive(Serialize, Deserialize)]
struct Outside {
    to: String,
    amount: i64,
}
impl Errand for Outside {
    const KIND: &str = "outside";
    const SERVICE: &str = "trial";
    fn payment(&self) -> Option<Payment> {
        let (amount, customer) = (self.amount, self.to.clone());
        (amount > 0).then(|| Payment { direction: Direction::Refund, amount, currency: "USD".into(), customer })
    }
    fn summary(&self) -> String {
        format!("Something for {}", self.to)
    }
    async fn deliver(&self, _: &Delivery<'_>) -> std::result::Result<(), Undelivered> {
        Ok(())
    }
}
/// A word to the office's own people.
#[derive(Serialize, Deserialize)]
struct Inside {}
impl Errand for Inside {
    const KIND: &str = "inside";
    const SERVICE: &str = "trial";
    const OUTWARD: bool = false;
    fn summary(&self) -> String {
        "A word to the office".into()
    }
    async fn deliver(&self, _: &Delivery<'_>) -> std::result::Result<(), Undelivered> {
        Ok(())
    }
}
/// Send something.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Send {
    /// To customers.
    #[serde(default)]
    to: Vec<String>,
    /// The money it moves.
    #[serde(default)]
    amount: i64,
}
#[derive(Serialize, JsonSchema)]
struct Sent {}
impl Action for Send {
    const NAME: &str = "trial.send";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = Sent;
    fn example() -> Value {
        json!({"to": ["jane@example.com"]})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Sent> {
        tx.errand(&Inside {}).await?;
        for to in self.to {
            tx.errand(&Outside { to, amount: self.amount }).await?;
        }
        Ok(Sent {})
    }
}

async fn sending() -> Desk {
    let mut domains = handlers::domains();
    let trial = Domain::new("trial", "What goes outside").action::<Send>();
    domains.push(trial.errand::<Outside>().errand::<Inside>());
    Desk::with(domains).await
}

#[tokio::test]
async fn messages_to_people_outside_count_and_those_to_the_office_do_not() {
    let desk = sending().await;
    let agent = desk.agent().await;
    set(&desk, &agent, json!({"messages": 2})).await;
    agent.call("trial.send", json!({"to": []})).await.ok();
    agent.call("trial.send", json!({"to": ["jane@example.com"]})).await.ok();
    let asked = agent.call_because("trial.send", json!({"to": ["joe@example.com", "jim@example.com"]})).await;
    assert_eq!(asked.reasons(), ["over_budget"]);
    asked.held();
    agent.call("trial.send", json!({"to": ["joe@example.com"]})).await.ok();
    agent.call("trial.send", json!({"to": []})).await.ok();
    assert_eq!(row(&desk, &agent).await["used_today"], json!({"actions": 4, "messages": 2, "money": 0}));
}

#[tokio::test]
async fn money_counts_by_what_the_errands_of_a_call_move() {
    let desk = sending().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    set(&desk, &agent, json!({"money": 10_000})).await;
    agent.call("trial.send", json!({"to": ["jane@example.com"], "amount": 9_000})).await.ok();
    let asked = agent.call_because("trial.send", json!({"to": ["joe@example.com"], "amount": 1_001})).await;
    let reasons = asked.0.data.as_ref().unwrap()["reasons"].clone();
    let said = reasons[0]["message"].as_str().unwrap();
    assert!(said.contains("90.00 USD of 100.00 USD in money are used and this takes 10.01 USD more"), "{said}");
    let shown = owner.get("authorizations", &asked.held()).await.ok();
    assert_eq!(shown["stake"]["payments"][0]["amount"], 1_001);
    agent.call("trial.send", json!({"to": ["joe@example.com"], "amount": 1_000})).await.ok();
    assert_eq!(row(&desk, &agent).await["used_today"], json!({"actions": 2, "messages": 0, "money": 10_000}));
}

#[tokio::test]
async fn a_budget_is_set_by_owners_left_as_it_is_or_cleared() {
    let desk = Desk::open().await;
    let (agent, owner, manager) = (desk.agent().await, desk.owner().await, desk.manager().await);
    let this = json!({"agent_id": agent.caller.id(), "actions": 5});
    for other in [&agent, &manager] {
        other.call("agent.set_budget", this.clone()).await.refused("FORBIDDEN");
    }
    let negative = json!({"agent_id": agent.caller.id(), "actions": -1});
    assert_eq!(owner.call("agent.set_budget", negative).await.invalid_at(), ["/data/actions"]);
    set(&desk, &agent, json!({"actions": 5, "messages": 2, "money": 100})).await;
    set(&desk, &agent, json!({"messages": null})).await;
    assert_eq!(manager.read("agents", json!({})).await.ok()[0]["budget"], json!({"actions": 5, "money": 100}));
    set(&desk, &agent, json!({"actions": null, "money": null})).await;
    assert_eq!(row(&desk, &agent).await["budget"], json!({}));
    set(&desk, &agent, json!({"actions": 0})).await;
    agent.call_because("contact.create", person("Any")).await.held();
}

#[tokio::test]
async fn the_agents_page_shows_what_is_used_and_sets_the_budget() {
    let web = Web::open().await;
    let (owner, manager, agent) = (web.desk.owner().await, web.desk.manager().await, web.desk.agent().await);
    agent.contacts(3).await;
    let id = agent.caller.id().unwrap().to_string();
    let list = look(&web, &owner, "/queue/agents").await;
    list.has(&["3 actions today.", "0 messages today.", "agent.set_budget"]).has_not(&["<progress", "USD"]);
    look(&web, &manager, "/queue/agents").await.has(&["3 actions today."]).has_not(&["agent.set_budget"]);
    let form = |actions: &'static str, messages: &'static str| {
        [("agent_id".to_string(), id.clone()), ("actions".into(), actions.into()), ("messages".into(), messages.into())]
    };
    let send = |person: Actor, form: [(String, String); 3]| {
        let web = &web;
        async move {
            let fields: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            submit(web, &person, "/queue/agents", &fields).await
        }
    };
    send(owner.clone(), form(" 200 ", "")).await.leads_to("/queue/agents?told=budget");
    let page = look(&web, &owner, "/queue/agents?told=budget").await;
    page.has(&["Its budget is set", "3 of 200 actions today.", "<progress value=\"3\" max=\"200\"", "value=\"200\""]);
    for wrong in ["many", "-1", "5000000"] {
        let again = send(owner.clone(), form(wrong, "7")).await;
        again.has(&[
            "Write whole numbers",
            &format!("value=\"{wrong}\""),
            "name=\"messages\" value=\"7\" maxlength=\"9\">",
            "aria-invalid",
        ]);
        assert_eq!(again.status, 422);
    }
    assert_eq!(send(manager, form("1", "1")).await.status, 403);
    send(owner.clone(), form("3", "")).await.leads_to("/queue/agents?told=budget");
    let waits = "3 of 3 actions today: anything more waits for you. It renews tomorrow, 12:00 AM.";
    look(&web, &owner, "/queue/agents").await.has(&[waits]);
    let held = agent.call_because("contact.create", person("Fourth")).await.held();
    look(&web, &owner, &format!("/queue/{held}"))
        .await
        .has(&["It would go past this agent’s budget for today: 3 of 3"]);
}
