//! How many messages to PostgreSQL a call, a read and a page wait for: budgets, because a round trip is the one figure of
//! speed that a test can hold to.
//!
//! Counted is at the doors, authentication included, over one connection on which everything is prepared. A budget that is
//! too large fails like one that is too small: what got better is written down. `cost` prints what was asked.

use std::cell::Cell;

use serde_json::{Value, json};

use crate::desk::{Actor, Desk, fresh};
use crate::mcp::{Client, create};
use crate::office_pages::jane_today;
use crate::queue_pages::{look, submit};
use crate::rest::Web;
use crate::services::fixed;
use crate::tickets_scheduling::{user, visit, with};
use crate::wire::{Message, Wire};

/// What is done so often is done with all its statements prepared the last time.
const WARM_AFTER: usize = 3;

/// A desk over one connection, and what was spent on it so far.
struct Counted {
    web: Web,
    wire: Wire,
    overdrawn: Vec<String>,
}

impl Counted {
    async fn open() -> Self {
        let (desk, wire) = Desk::wired().await;
        Self { web: Web::of(desk, &[]).await, wire, overdrawn: Vec::new() }
    }

    fn desk(&self) -> &Desk {
        &self.web.desk
    }

    /// Compares the budget of something with what it takes.
    async fn cost(&mut self, what: &str, budget: usize, done: impl AsyncFn(&Web)) {
        self.cost_after(what, budget, async |_| (), async |web, ()| done(web).await).await;
    }

    /// The same of something that needs a preparation, which is not counted.
    async fn cost_after<T>(
        &mut self,
        what: &str,
        budget: usize,
        made: impl AsyncFn(&Web) -> T,
        done: impl AsyncFn(&Web, T),
    ) {
        let mut heard = Vec::new();
        for _ in 0..WARM_AFTER {
            let with = made(&self.web).await;
            self.wire.heard();
            done(&self.web, with).await;
            heard = self.wire.heard();
            // Whoever calls is known for a second, which may just be over.
            heard.retain(|message| !message.looks_up_a_caller());
        }
        self.judge(what, budget, &heard);
    }

    fn judge(&mut self, what: &str, budget: usize, heard: &[Message]) {
        if heard.len() != budget {
            let messages: String = heard.iter().map(|message| format!("  {message}\n")).collect();
            self.overdrawn.push(format!("{what} takes {} messages, its budget is {budget}:\n{messages}", heard.len()));
        }
    }

    #[track_caller]
    fn done(self) {
        assert!(self.overdrawn.is_empty(), "\n{}", self.overdrawn.join("\n"));
    }
}

/// Jane with an e-mail, a phone and an address that nobody has had before.
fn new_jane() -> Value {
    let number: u32 = rand::random::<u32>() % 10_000_000;
    create(
        &fresh(),
        json!({
            "family_name": fresh(),
            "emails": [{"email": format!("{}@example.com", fresh())}],
            "phones": [{"phone": format!("+1256{number:07}"), "type": "mobile"}],
            "addresses": [{"street": format!("{} Main Street", fresh()), "city": "Madison", "postal_code": "35758"}],
        }),
    )
}

async fn get(web: &Web, path: &str) {
    web.get(path).await.ok();
}

async fn page(web: &Web, person: &Actor, path: &str) {
    assert_eq!(look(web, person, path).await.status, 200, "{path}");
}

#[tokio::test]
async fn what_reading_costs() {
    let mut counted = Counted::open().await;
    let tara = counted.desk().technician().await;
    let (jane, ticket) = jane_today(counted.desk(), &[&tara]).await;
    let one = format!("/api/data?type=contacts&id={jane}");
    counted.cost("a contact by id", 2, async |web| get(web, &one).await).await;
    let with = format!("{one}&include=addresses");
    counted.cost("a contact by id with its addresses", 3, async |web| get(web, &with).await).await;
    let search = "/api/data?type=contacts&search=smith";
    counted.cost("a search for contacts", 3, async |web| get(web, search).await).await;
    let one = format!("/api/data?type=tickets&id={ticket}");
    counted.cost("a ticket by id", 2, async |web| get(web, &one).await).await;
    let one = json!({"type": "contacts", "id": jane, "include": ["addresses"]});
    let asked = async |web: &Web| drop(Client::modern(web).call("crm_query", one.clone()).await);
    counted.cost("crm_query of a contact by id with its addresses", 3, asked).await;
    counted.done();
}

#[tokio::test]
async fn what_calling_costs() {
    let mut counted = Counted::open().await;
    let (owner, tara) = (counted.desk().owner().await, counted.desk().technician().await);
    let (jane, ticket) = jane_today(counted.desk(), &[&tara]).await;
    let windows = fixed(&owner, "more windows", 14_900, 90).await;
    let act = async |web: &Web, call: Value| drop(web.act(call).await.ok());
    counted
        .cost("contact.create with an e-mail, a phone and an address", 12, async |web| act(web, new_jane()).await)
        .await;
    let note = |about: Value| json!({"domain": "note", "action": "add", "data": about});
    let on_contact = note(json!({"contact_id": jane, "content": "Ring twice."}));
    counted.cost("a note on a contact", 6, async |web| act(web, on_contact.clone()).await).await;
    let on_ticket = note(json!({"ticket_id": ticket, "content": "Ring twice."}));
    counted.cost("a note on a ticket", 7, async |web| act(web, on_ticket.clone()).await).await;
    let edit = json!({"domain": "contact", "action": "update", "data": {"contact_id": jane, "organization_name": "Smith & Co."}});
    counted.cost("a contact's company changed", 9, async |web| act(web, edit.clone()).await).await;
    let more = json!({"line_items": [{"service_id": windows, "quantity": "2"}], "technician_ids": [user(&tara)]});
    let day = Cell::new(1);
    let schedule = async |web: &Web| {
        let visit = with(visit(&jane, &format!("2030-02-{:02}T09:00", day.replace(day.get() + 1))), more.clone());
        act(web, json!({"domain": "ticket", "action": "schedule", "data": visit})).await;
    };
    counted.cost("ticket.schedule with a line and a technician", 15, schedule).await;
    let by_form = async |web: &Web| {
        let form = [("do", "note"), ("content", "The gate sticks."), ("once", &fresh())];
        assert_eq!(submit(web, &tara, &format!("/tickets/{ticket}"), &form).await.status, 303);
    };
    counted.cost("a note on a ticket by the technician's form", 6, by_form).await;
    counted.done();
}

#[tokio::test]
async fn what_deciding_costs() {
    let mut counted = Counted::open().await;
    let owner = counted.desk().owner().await;
    let asked = async |web: &Web| {
        let agent = web.desk.agent().await;
        let jane = owner.contact(&fresh(), json!({"notes": ["Beware of the dog."]})).await;
        agent.call_because("contact.delete", json!({"contact_id": jane})).await.held()
    };
    let allowed = async |web: &Web, id: String| {
        let allow = json!({"domain": "authorization", "action": "allow_once", "data": {"authorization_id": id}});
        web.act_as(&owner, allow).await.ok();
    };
    counted.cost_after("a deletion asked for and allowed", 17, asked, allowed).await;
    let held = async |_: &Web| owner.contact(&fresh(), json!({"notes": ["Beware of the dog."]})).await;
    let ask = async |web: &Web, jane: String| {
        let delete = json!({
            "domain": "contact", "action": "delete", "data": {"contact_id": jane}, "reasoning": "They asked for it."
        });
        assert_eq!(web.act(delete).await.status, 202);
    };
    counted.cost_after("a deletion that must wait", 21, held, ask).await;
    counted.done();
}

#[tokio::test]
async fn what_pages_cost() {
    let mut counted = Counted::open().await;
    let (max, tara) = (counted.desk().manager().await, counted.desk().technician().await);
    let (jane, ticket) = jane_today(counted.desk(), &[&tara]).await;
    let agent = counted.desk().agent().await;
    let waits = agent.call_because("contact.delete", json!({"contact_id": jane})).await.held();
    for (what, person, path, budget) in [
        ("today for a manager", &max, "/today".to_string(), 9),
        ("today for a technician", &tara, "/today".into(), 9),
        ("the week for a manager", &max, "/week".into(), 7),
        ("what waits", &max, "/queue".into(), 5),
        ("one request that waits", &max, format!("/queue/{waits}"), 13),
        ("a visit for a manager", &max, format!("/tickets/{ticket}"), 13),
        ("a visit for a technician", &tara, format!("/tickets/{ticket}"), 12),
        ("a customer", &max, format!("/contacts/{jane}"), 9),
        ("the customers", &max, "/contacts".into(), 6),
    ] {
        counted.cost(what, budget, async |web| page(web, person, &path).await).await;
    }
    counted.done();
}
