//! A booking from the call of a customer to the trail it leaves: scheduled, staffed, moved, worked on by two, changed, and another
//! one cancelled. Once by an agent over MCP, once by people on pages in a browser.

use capabilities::Role;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::browser::{Browser, Driver, Premises, Screen};
use crate::desk::{Actor, Desk};
use crate::mcp::{Client, LEGACY};
use crate::rest::Web;
use crate::services::{fixed, usd};
use crate::tickets_scheduling::user;

/// Jane, whom two can visit, and what is offered.
async fn office(desk: &Desk) -> (Actor, Actor) {
    let owner = desk.owner().await;
    let tom = desk.sign_in(desk.user("Tom Tall", Role::Technician).await).await;
    let address = json!({"street": "1 Elm Street", "city": "Madison", "region": "AL", "postal_code": "35758"});
    owner.contact("Jane", json!({"family_name": "Smith", "addresses": [address]})).await;
    fixed(&owner, "Windows", 14_900, 90).await;
    fixed(&owner, "Screens", 4_000, 30).await;
    (desk.technician().await, tom)
}

/// Who did what to a ticket, the oldest first.
fn deeds(trail: &Value) -> Vec<String> {
    let done = trail.as_array().unwrap().iter().rev().filter(|call| call["outcome"] == "done");
    done.map(|call| format!("{}: {}", call["actor"].as_str().unwrap(), call["action"].as_str().unwrap())).collect()
}

/// What an agent does in the story, the oldest first.
const OVER_MCP: [&str; 10] = [
    "Client: workflow.schedule_appointment",
    "Client: ticket.assign",
    "Client: workflow.handle_reschedule_request",
    "Client: ticket.record_confirmation",
    "Client: ticket.clock_in",
    "Client: ticket.clock_in",
    "Client: ticket.clock_out",
    "Client: ticket.clock_out",
    "Client: ticket.add_line_item",
    "Client: ticket.update_line_item",
];

/// An agent, at its tools.
struct Agent<'w>(Client<'w>);

impl Agent<'_> {
    async fn does(&self, tool: &str, arguments: Value) -> Value {
        let answer = self.0.call(tool, arguments).await;
        assert_eq!(answer["success"], true, "{answer:#}");
        answer["data"].clone()
    }

    async fn acts(&self, action: &str, data: Value) -> Value {
        let reasoning = "As Jane asked on the phone.";
        let call = json!({"domain": "ticket", "action": action, "reasoning": reasoning, "data": data});
        self.does("crm_action", call).await
    }

    async fn books(&self, wish: &str) -> String {
        let asked = json!({"customer": {"name": "jane smith"}, "service": "windows", "wish": wish});
        self.does("schedule_appointment", asked).await["ticket"]["id"].as_str().unwrap().to_string()
    }
}

#[tokio::test]
async fn an_agent_runs_a_booking_over_mcp_and_its_trail_tells_it() {
    for era in ["modern", "legacy"] {
        let web = Web::open().await;
        let (tara, tom) = office(&web.desk).await;
        let client = if era == "modern" { Client::modern(&web) } else { Client::legacy(&web, LEGACY[0]).await };
        let agent = Agent(client);
        let id = agent.books("2030-01-08T09:00").await;
        let this = |mut more: Value| {
            more["ticket_id"] = id.as_str().into();
            more
        };
        let found = agent.does("crm_query", json!({"type": "tickets", "id": id, "include": ["technicians"]})).await;
        let first = found["technicians"][0]["technician_id"].as_str().unwrap().to_string();
        let second = [user(&tara), user(&tom)].into_iter().find(|one| *one != first).unwrap();
        agent.acts("assign", this(json!({"technician_ids": [second]}))).await;
        let asked = this(json!({"wish": "2030-01-08T13:00", "words": "After lunch, please."}));
        let moved = agent.does("handle_reschedule_request", asked).await;
        assert_eq!(moved["ticket"]["starts_at_local"], "2030-01-08T13:00:00-06:00");
        agent.acts("record_confirmation", this(json!({"answer": "accepted"}))).await;
        web.desk.pass(TimeDelta::hours(40));
        for (who, at, action) in [
            (&first, "2030-01-08T13:05", "clock_in"),
            (&second, "2030-01-08T13:20", "clock_in"),
            (&first, "2030-01-08T14:35", "clock_out"),
            (&second, "2030-01-08T14:20", "clock_out"),
        ] {
            agent.acts(action, this(json!({"technician_id": who, "at": at}))).await;
        }
        let screens = agent.does("crm_query", json!({"type": "services"})).await;
        let screens = screens.as_array().unwrap().iter().find(|row| row["name"] == "Screens").unwrap()["id"].clone();
        let line = agent
            .acts("add_line_item", this(json!({"line_item": {"service_id": screens, "quantity": "3"}})))
            .await["id"]
            .clone();
        agent.acts("update_line_item", json!({"line_item_id": line, "quantity": "2.5"})).await;
        let ticket = agent.does("crm_query", json!({"type": "tickets", "id": id, "include": ["audit_trail"]})).await;
        assert_eq!((&ticket["total"], &ticket["clocked_minutes"]), (&usd(24_900), &json!(150)), "{ticket:#}");
        assert_eq!(ticket["status"], "in_progress");
        assert_eq!(deeds(&ticket["audit_trail"]), OVER_MCP);

        let other = agent.books("2030-01-10T09:00").await;
        agent.acts("cancel", json!({"ticket_id": other, "reason": "She sold the house."})).await;
        let gone = agent.does("crm_query", json!({"type": "tickets", "id": other, "include": ["audit_trail"]})).await;
        assert_eq!(
            (&gone["status"], &gone["cancellation_reason"]),
            (&json!("cancelled"), &json!("She sold the house."))
        );
        assert_eq!(gone["audit_trail"][0]["reasoning"], "As Jane asked on the phone.", "{:#}", gone["audit_trail"]);
    }
}

/// One of those who tell the story, before their own browser.
async fn person(driver: &Driver, premises: &Premises, who: &Actor) -> Browser {
    let browser = driver.browser(premises).await;
    browser.on(Screen::Phone).await;
    browser.be(who).await;
    browser
}

/// Fills a field in that may hold something.
async fn fill(browser: &Browser, selector: &str, text: &str) {
    browser.find(selector).await.clear().await.unwrap();
    browser.write(selector, text).await;
}

/// Taps and waits for the page that this leads to: until then the one before is still there.
async fn follow(browser: &Browser, selector: &str, to: &str) {
    browser.tap(selector).await;
    let there = format!("(location.pathname + location.search).includes('{to}') && document.readyState == 'complete'");
    browser.until(&there).await;
}

/// Finds Jane and books what is free first on a day; the ticket's path.
async fn book(office: &Browser, day: &str) -> String {
    office.go("/").await;
    follow(office, "nav a[href='/contacts']", "/contacts").await;
    office.write("#search", "jane elm").await;
    follow(office, ".search button", "search=jane+elm").await;
    office.says("1 Elm Street, Madison").await;
    follow(office, ".entries a", "/contacts/").await;
    follow(office, "a[href$='/book']", "/book").await;
    office.find("#service").await.select_by_label("Windows – $149.00").await.unwrap();
    let set = format!("document.querySelector('#day').value = '{day}'");
    office.look(&set).await;
    follow(office, ".filter button", "service=").await;
    office.tap(".slots label").await;
    office.tap(".bar button").await;
    office.says("Booked. Tell the customer: nobody was told by this.").await;
    office.path().await.trim_end_matches("?told=booked").to_string()
}

/// Opens a fold of the ticket's page and sends the form in it.
async fn send(browser: &Browser, capability: &str, fields: &[(&str, &str)]) {
    let form = format!("form[data-capability='{capability}']");
    browser.find(&form).await;
    browser.look(&format!("document.querySelector(\"{form}\").closest('details')?.setAttribute('open', '')")).await;
    for (name, text) in fields {
        browser.look(&format!("document.querySelector(\"{form} [name={name}]\").value = '{text}'")).await;
    }
    browser.tap(&format!("{form} button")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_run_a_booking_on_pages_and_its_trail_tells_it() {
    let premises = Premises::open().await;
    let desk = &premises.web.desk;
    let (tara, tom) = office(desk).await;
    let driver = Driver::start();
    let office = person(&driver, &premises, &desk.owner().await).await;
    let (hers, his) = (person(&driver, &premises, &tara).await, person(&driver, &premises, &tom).await);
    let ticket = book(&office, "2030-01-08").await;
    office.says("Tomorrow, 8:00 – 9:30 AM").await;

    follow(&office, "a[href$='/crew']", "/crew").await;
    office.tap("form[data-capability='ticket.assign'] button").await;
    office.says("Put on it.").await;
    follow(&office, "a.back", "/tickets/").await;
    follow(&office, "a[href$='/move']", "/move").await;
    send(&office, "ticket.reschedule", &[("starts_at", "2030-01-08T10:00")]).await;
    office.says("Moved. Tell the customer").await;
    office.says("Tomorrow, 10:00 – 11:30 AM").await;

    desk.pass(TimeDelta::hours(31));
    for browser in [&hers, &his] {
        browser.go("/").await;
        browser.says("Jane Smith").await;
        browser.tap("form[data-capability='ticket.clock_in'] button").await;
        browser.says("Your clock runs.").await;
    }
    desk.pass(TimeDelta::minutes(50));
    follow(&hers, ".now a", "/tickets/").await;
    follow(&hers, "a[href$='/lines']", "/lines").await;
    hers.find("#service").await.select_by_label("Screens – $40.00").await.unwrap();
    fill(&hers, "#quantity", "3").await;
    hers.tap("form[data-capability='ticket.add_line_item'] button").await;
    hers.says("Added.").await;
    hers.says("Total: $269.00").await;
    for browser in [&hers, &his] {
        browser.go("/today").await;
        browser.says("50 min so far").await;
        browser.tap("form[data-capability='ticket.clock_out'] button").await;
        browser.says("Your clock is stopped.").await;
    }
    office.go(&ticket).await;
    office.says("1 h 40 min in all").await;
    office.look("document.querySelectorAll('details').forEach(it => it.open = true)").await;
    let told = office.words().await;
    let trail = told.split("What happened to it").nth(1).unwrap();
    for deed in [
        "Olivia Owner scheduled it",
        "Olivia Owner put somebody on it",
        "Olivia Owner moved it",
        "Tara Technician started a clock",
        "Tom Tall started a clock",
        "Tara Technician added a line",
        "Tara Technician stopped a clock",
        "Tom Tall stopped a clock",
    ] {
        assert!(trail.contains(deed), "{deed}: {trail}");
    }

    book(&office, "2030-01-10").await;
    send(&office, "ticket.cancel", &[("reason", "She sold the house.")]).await;
    office.says("Cancelled. Tell the customer").await;
    office.says(": She sold the house.").await;
}
