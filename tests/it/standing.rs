//! The standing set: something of every kind that an example can name, and who an action is for. What the contract and
//! the rehearsals ask of every action, they ask of it.

use std::collections::BTreeMap;

use capabilities::{ActionEntry, PermissionClass, Role};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::desk::{Actor, Desk, Reply, fresh};

/// What has to be done before an action's example changes anything.
const FIRST: &[(&str, &str)] = &[
    ("agent.enable", "agent.disable"),
    ("contact.restore", "contact.archive"),
    ("org.unfreeze", "org.freeze"),
    ("service.restore", "service.archive"),
    ("ticket.assign", "ticket.unassign"),
    ("ticket.clock_out", "ticket.clock_in"),
    ("user.reactivate", "user.deactivate"),
];
/// What an action needs to be there although its example does not name it.
const BESIDES: &[(&str, &str)] = &[("job.tidy", "alert_id")];
/// What each run of an action mints anew, so that a rehearsal cannot foretell it.
pub const MINTED: &[&str] = &["token_prefix"];

/// Whether agents may do it, at once or after a person allowed it.
pub fn is_for_agents(action: &ActionEntry) -> bool {
    action.class != PermissionClass::PeopleOnly
}

/// Whether people may do it. What is never held takes back a request, and only the agent that made it can.
pub fn is_for_people(action: &ActionEntry) -> bool {
    !action.never_held
}

/// What the ids of the examples stand for, and the agent whose request waits.
pub struct Standing {
    ids: BTreeMap<&'static str, String>,
    pub agent: Actor,
}

type Named = (&'static str, String);

impl Standing {
    pub async fn at(desk: &Desk) -> Self {
        Self::with(desk, |_| true).await
    }

    async fn with(desk: &Desk, wanted: impl Fn(&str) -> bool) -> Self {
        let mut standing = Self { ids: BTreeMap::new(), agent: new_agent(desk).await };
        standing.make(desk, wanted).await;
        standing
    }

    /// Makes what is wanted. A kind of record that is new gets a function like those below, and its lines here.
    async fn make(&mut self, desk: &Desk, wanted: impl Fn(&str) -> bool) {
        let ticket = wanted("ticket_id") || wanted("line_item_id");
        let visit = ticket || wanted("clock_span_id");
        if ["contact_id", "address_id", "note_id"].into_iter().any(&wanted)
            || visit && !self.ids.contains_key("contact_id")
        {
            self.ids.extend(contact(desk).await);
        }
        if wanted("bill_to_contact_id") {
            self.ids.insert("bill_to_contact_id", desk.owner().await.contact("Paula", json!({})).await);
        }
        if wanted("service_id") || visit && !self.ids.contains_key("service_id") {
            self.ids.insert("service_id", service(desk).await);
        }
        // One of its own for each ticket, because nobody is at two places at once.
        if wanted("technician_id") || visit {
            let user = desk.user(&format!("Terry {}", fresh()), Role::Technician).await;
            self.ids.insert("technician_id", user.to_string());
        }
        if ticket {
            let ticket = self.ticket(desk, "2030-01-08T10:00").await;
            let lines = desk.owner().await.read("line_items", json!({"ticket_id": ticket})).await.ok();
            self.ids.insert("line_item_id", lines[0]["id"].as_str().unwrap().to_string());
            self.ids.insert("ticket_id", ticket);
        }
        if wanted("clock_span_id") {
            let begun = json!({"ticket_id": self.ticket(desk, "2030-01-09T10:00").await, "technician_id": self.id("technician_id")});
            self.ids.insert("clock_span_id", desk.owner().await.call("ticket.clock_in", begun).await.id());
        }
        if wanted("merged_contact_id") {
            let janet = json!({"emails": [{"email": "janet@example.com"}]});
            self.ids.insert("merged_contact_id", desk.owner().await.contact("Janet", janet).await);
        }
        if wanted("user_id") {
            let user = desk.user(&format!("Sam {}", fresh()), Role::Technician).await;
            desk.sign_in(user).await;
            self.ids.insert("user_id", user.to_string());
        }
        if wanted("alert_id") {
            self.ids.extend(alert(desk).await);
        }
        if wanted("job_id") {
            desk.office.keep_standing_of(desk.org).await.unwrap();
        }
        if wanted("agent_id") {
            self.ids.extend(idle_agent(desk).await);
        }
        if wanted("rule_id") {
            self.ids.extend(rule(desk).await);
        }
        if wanted("call_id") {
            self.ids.extend(past_call(desk, &self.agent).await);
        }
        if wanted("authorization_id") {
            self.ids.extend(request(desk, &self.agent).await);
        }
    }

    /// A ticket with a line, a technician and a note.
    async fn ticket(&self, desk: &Desk, starts_at: &str) -> String {
        let scheduled = json!({
            "contact_id": self.id("contact_id"), "address_id": self.id("address_id"), "starts_at": starts_at,
            "line_items": [{"service_id": self.id("service_id")}], "technician_ids": [self.id("technician_id")],
            "notes": ["The gate sticks."],
        });
        desk.owner().await.call("ticket.schedule", scheduled).await.id()
    }

    /// Makes anew what `input` names, because a call may have used it up.
    pub async fn renew(&mut self, desk: &Desk, input: &str) {
        let used: Vec<&str> = self.ids.iter().filter(|(_, id)| input.contains(*id)).map(|(name, _)| *name).collect();
        self.revoke_other_rules(desk).await;
        self.make(desk, |name| used.contains(&name)).await;
    }

    /// A rule that was made meanwhile would let the next request through.
    async fn revoke_other_rules(&self, desk: &Desk) {
        let owner = desk.owner().await;
        let rules = owner.read("rules", json!({"active": true})).await.ok();
        let others = rules
            .as_array()
            .unwrap()
            .iter()
            .filter(|rule| rule["id"].as_str() != self.ids.get("rule_id").map(String::as_str));
        for rule in others {
            owner.call("rule.revoke", json!({"rule_id": rule["id"]})).await.ok();
        }
    }

    /// As much of the set as `action` needs, with an input on which it has something to do.
    pub async fn sample(desk: &Desk, action: &ActionEntry) -> (Self, Value) {
        let first = FIRST.iter().filter(|(name, _)| *name == action.name);
        let first: Vec<_> = first.map(|(_, first)| desk.office.registry().action(first).unwrap()).collect();
        let shown: String = first.iter().chain([&action]).map(|action| action.example.to_string()).collect();
        let shown = shown.replace("_ids\"", "_id\"");
        let besides = |name: &str| BESIDES.contains(&(action.name, name));
        let standing = Self::with(desk, |name| shown.contains(&format!("\"{name}\"")) || besides(name)).await;
        for first in first {
            let input = standing.fill(&first.example);
            standing.doer(desk, first).await.call(first.name, input).await.ok();
        }
        let input = standing.fill(&action.example);
        (standing, input)
    }

    /// Who carries an action out: an owner where people may, else the agent.
    pub async fn doer(&self, desk: &Desk, action: &ActionEntry) -> Actor {
        match is_for_people(action) {
            true => desk.owner().await,
            false => self.agent.clone(),
        }
    }

    /// Everybody for whom an action is: the agent, an owner, or both.
    pub async fn doers(&self, desk: &Desk, action: &ActionEntry) -> Vec<Actor> {
        let agent = Some(self.agent.clone()).filter(|_| is_for_agents(action));
        let owner = Some(desk.owner().await).filter(|_| is_for_people(action));
        agent.into_iter().chain(owner).collect()
    }

    /// The ids by what examples call them.
    pub fn ids(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ids.iter().map(|(name, id)| (*name, id.as_str()))
    }

    pub fn id(&self, member: &str) -> &str {
        self.ids.get(member).unwrap_or_else(|| panic!("the standing set has no `{member}`: give it one"))
    }

    /// The example with ids of this set.
    pub fn fill(&self, example: &Value) -> Value {
        let filled = example.as_object().map(|members| {
            let fill = |(name, value): (&String, &Value)| match name.strip_suffix("_ids") {
                Some(one) => (name.clone(), json!([self.id(&format!("{one}_id"))])),
                None if name.ends_with("_id") => (name.clone(), self.id(name).into()),
                None => (name.clone(), self.fill(value)),
            };
            Value::Object(members.iter().map(fill).collect())
        });
        let filled = filled.or_else(|| Some(example.as_array()?.iter().map(|item| self.fill(item)).collect()));
        filled.unwrap_or_else(|| example.clone())
    }
}

async fn new_agent(desk: &Desk) -> Actor {
    desk.other_agent(&format!("Agent {}", fresh())).await
}

/// A contact with an e-mail, an address of it that is not the primary one, and a note.
async fn contact(desk: &Desk) -> [Named; 3] {
    let owner = desk.owner().await;
    let more = json!({
        "family_name": "Smith", "emails": [{"email": "jane@example.com"}], "notes": ["Beware of the dog."],
        "addresses": [
            {"street": "1 Elm Street", "city": "Madison"},
            {"street": "7 Shore Road", "city": "Athens", "label": "Lake house"}
        ],
    });
    let contact = owner.contact("Jane", more).await;
    let addresses = owner.read("addresses", json!({"contact_id": contact})).await.ok();
    let notes = owner.read("notes", json!({"contact_id": contact})).await.ok();
    let id = |row: &Value| row["id"].as_str().unwrap().to_string();
    [("contact_id", contact), ("address_id", id(&addresses[1])), ("note_id", id(&notes[0]))]
}

/// A service with a price per unit and a typical duration.
async fn service(desk: &Desk) -> String {
    let service = json!({
        "name": "Window cleaning", "code": fresh(), "kind": "work", "duration_minutes": 60,
        "pricing": {"strategy": "per_unit", "unit_price": {"amount": 850, "currency": "USD"}, "unit_name": "window"},
    });
    desk.owner().await.call("service.create", service).await.id()
}

/// An agent that does nothing.
async fn idle_agent(desk: &Desk) -> [Named; 1] {
    [("agent_id", new_agent(desk).await.caller.id().unwrap().to_string())]
}

/// A call of the agent that can be undone.
async fn past_call(desk: &Desk, agent: &Actor) -> [Named; 1] {
    let mistaken = json!({"kind": "person", "given_name": "Mistaken"});
    let made = done_because(desk, agent, "contact.create", mistaken).await;
    let call = made.0.meta.request_id.to_string();
    let carried_out = made.ok()["executed_call_id"].as_str().map(str::to_string);
    [("call_id", carried_out.unwrap_or(call))]
}

/// An alert about a mail that nobody took. Hours of failures are not waited for.
async fn alert(desk: &Desk) -> [Named; 1] {
    let (alert, errand) = (fresh_id(), fresh_id());
    let statements = format!(
        "begin; select frontdesk.begin_call('{org}', '{alert}', '2030-01-07T09:00:00Z'); \
         insert into errands (org_id, id, call_id, kind, service, summary, payload, state, due_at, created_at, ended_at) \
         values ('{org}', '{errand}', '{alert}', 'sign_in_mail', 'mail', 'A mail', '{{}}', 'failed', now(), now(), now()); \
         insert into alerts (org_id, id, kind, message, errand_id, created_at, updated_at) \
         values ('{org}', '{alert}', 'errand_failed', 'A mail could not be sent.', '{errand}', now(), now()); commit",
        org = desk.org
    );
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut desk.sql().await).await.unwrap();
    [("alert_id", alert.to_string())]
}

fn fresh_id() -> Uuid {
    Uuid::from_u128(rand::random())
}

/// A request that waits.
async fn request(desk: &Desk, agent: &Actor) -> [Named; 1] {
    let asked = agent.call_on_each("contact.archive", &desk.contacts(6).await).await;
    [("authorization_id", asked.held())]
}

/// A rule for another agent.
async fn rule(desk: &Desk) -> [Named; 1] {
    let [(_, asked)] = request(desk, &new_agent(desk).await).await;
    let this = json!({"authorization_id": asked});
    let allowed = desk.owner().await.call("authorization.allow_always", this).await.ok();
    [("rule_id", allowed["rule_id"].as_str().unwrap().to_string())]
}

/// Carries it out as the agent, with a reasoning, and has an owner allow it where it waits.
pub async fn done_because(desk: &Desk, agent: &Actor, action: &str, input: Value) -> Reply {
    let reply = agent.call_because(action, input).await;
    if !reply.0.is_held() {
        return reply;
    }
    let allowed = desk.owner().await.allow_once(&reply.held()).await;
    assert_eq!(allowed.0.data.as_ref().unwrap()["status"], "executed", "{action}: {:#}", allowed.0.envelope());
    allowed
}
