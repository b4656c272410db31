//! Booking and moving visits in one go: by name and words, near a wish, asking where something may be meant in two ways.

use capabilities::Selection;
use serde_json::{Value, json};

use crate::availability::{starts, with_tara};
use crate::desk::{Actor, Desk, Reply};
use crate::mcp::{Client, LEGACY};
use crate::rest::Web;
use crate::services::fixed;

const SCHEDULE: &str = "workflow.schedule_appointment";
const RESCHEDULE: &str = "workflow.handle_reschedule_request";

/// The values of a member of the records that stand in the way.
fn about<'e>(error: &'e Value, member: &str) -> Vec<&'e str> {
    error["about"].as_array().unwrap().iter().map(|one| one[member].as_str().unwrap()).collect()
}

async fn book(actor: &Actor, contact: &str, wish: &str) -> Reply {
    actor.call(SCHEDULE, json!({"contact_id": contact, "wish": wish})).await
}

#[tokio::test]
async fn a_visit_is_booked_from_words_and_a_day() {
    let desk = Desk::open().await;
    let (agent, tara, jane) = with_tara(&desk).await;
    fixed(&agent, "Window cleaning", 14_900, 90).await;
    let asked = json!({
        "customer": {"name": "jane smith"}, "service": "windows", "wish": "2030-01-08", "notes": "Before the party."
    });
    let error = agent.call(SCHEDULE, asked.clone()).await.refused("UNKNOWN_SERVICE");
    assert!(error["message"].as_str().unwrap().contains("Window cleaning"), "{error}");
    let mut asked = asked;
    asked["service"] = "window".into();
    let made = agent.call(SCHEDULE, asked).await.ok();
    assert_eq!((&made["booked"], &made["as_wished"]), (&json!(true), &json!(true)));
    assert_eq!((&made["contact_id"], &made["technician_id"]), (&json!(jane), &json!(tara)));
    let ticket = &made["ticket"];
    assert_eq!(ticket["display_name"], "Jane Smith, Tue, Jan 8, 2030, 8:00 AM");
    assert_eq!((&ticket["title"], &ticket["total"]["amount"]), (&json!("Window cleaning"), &json!(14_900)));
    assert_eq!(ticket["ends_at_local"], "2030-01-08T09:30:00-06:00");
    let of_tara = agent.read("tickets", json!({"technician_id": tara})).await.ok();
    assert_eq!(of_tara[0]["id"], ticket["id"]);
    let notes = agent.read("notes", json!({"ticket_id": ticket["id"]})).await.ok();
    assert_eq!(notes[0]["content"], "Before the party.");
}

#[tokio::test]
async fn a_wish_that_is_not_free_is_answered_with_what_is_near_it() {
    let desk = Desk::open().await;
    let (agent, tara, jane) = with_tara(&desk).await;
    book(&agent, &jane, "2030-01-08T10:00").await.ok();
    let before = desk.state().await;
    let error = book(&agent, &jane, "2030-01-08T10:00").await.refused("NO_FREE_SLOT");
    assert_eq!(about(&error, "starts_at")[0], "2030-01-08T17:15:00Z", "{error}");
    assert!(error["message"].as_str().unwrap().contains("Jan 8, 2030, 11:15 AM (Tara Technician)"), "{error}");
    book(&agent, &jane, "2030-01-08T06:00").await.refused("NO_FREE_SLOT");
    book(&agent, &jane, "2030-01-06").await.refused("IN_THE_PAST");
    let offered = json!({"contact_id": jane, "wish": "2030-01-08T10:00", "book": "offer_only", "technician_id": tara});
    let offered = agent.call(SCHEDULE, offered).await.ok();
    assert_eq!((&offered["booked"], &offered["as_wished"]), (&json!(false), &json!(false)));
    let offers = offered["offers"].as_array().unwrap();
    assert_eq!((offers.len(), starts(offers)[0]), (5, "2030-01-08T11:15"));
    assert_eq!(desk.state().await, before);
    let nearest = json!({"contact_id": jane, "wish": "2030-01-08T10:00", "book": "nearest"});
    let made = agent.call(SCHEDULE, nearest).await.ok();
    assert_eq!((&made["booked"], &made["as_wished"]), (&json!(true), &json!(false)));
    assert_eq!(made["ticket"]["starts_at_local"], "2030-01-08T11:15:00-06:00");
    let range = json!({"contact_id": jane, "wish": "2030-01-08T14:30", "until": "2030-01-08T16:00"});
    let made = agent.call(SCHEDULE, range).await.ok();
    assert_eq!(made["ticket"]["starts_at_local"], "2030-01-08T14:30:00-06:00");
}

#[tokio::test]
async fn who_is_meant_is_asked_and_never_guessed() {
    let desk = Desk::open().await;
    let (agent, _, jane) = with_tara(&desk).await;
    let john = json!({"family_name": "Smith", "phones": [{"phone": "256-555-0177"}],
        "addresses": [{"street": "2 Oak Street", "city": "Athens"}]});
    let john = agent.contact("John", john).await;
    agent.contact("Jane", json!({"family_name": "Smithson"})).await;
    let before = desk.state_without(&["call_log"]).await;
    let ask = async |customer: Value| agent.call(SCHEDULE, json!({"customer": customer, "wish": "2030-01-08"})).await;
    let error = ask(json!({"name": "Smith"})).await.refused("AMBIGUOUS_CUSTOMER");
    let mut candidates = about(&error, "contact_id");
    candidates.sort_unstable();
    assert_eq!(candidates, [jane.as_str(), john.as_str()]);
    for told in ["John Smith (256-555-0177, 2 Oak Street", "Jane Smith (256-555-0100, 1 Elm Street"] {
        assert!(error["message"].as_str().unwrap().contains(told), "{error}");
    }
    assert!(error["hint"].as_str().unwrap().contains("contact_id"));
    // John's name with Jane's phone, and Jane's with one that nobody has.
    let error = ask(json!({"name": "John Smith", "phone": "256-555-0100"})).await.refused("AMBIGUOUS_CUSTOMER");
    assert_eq!(about(&error, "contact_id").len(), 2);
    let new_phone = json!({"name": "Jane Smith", "phone": "256-555-0155"});
    let error = ask(new_phone.clone()).await.refused("AMBIGUOUS_CUSTOMER");
    assert_eq!(about(&error, "display_name"), ["Jane Smith"]);
    let told = json!({"customer": new_phone, "create_customer": true, "wish": "2030-01-08"});
    agent.call(SCHEDULE, told).await.refused("AMBIGUOUS_CUSTOMER");
    let error = ask(json!({"name": "Jon Smith"})).await.refused("UNKNOWN_CUSTOMER");
    assert!(about(&error, "display_name").contains(&"John Smith"), "{error}");
    ask(json!({"name": "Nobody"})).await.refused("UNKNOWN_CUSTOMER");
    assert_eq!(ask(json!({"city": "Athens"})).await.invalid_at(), ["/data/customer"]);
    assert_eq!(desk.state_without(&["call_log"]).await, before);
    for customer in [
        json!({"name": "Jane Smith"}),
        json!({"phone": "(256) 555-0100"}),
        json!({"name": "smith", "phone": "+1 256 555 0100"}),
        json!({"name": "Smith", "city": "Madison"}),
    ] {
        assert_eq!(ask(customer.clone()).await.ok()["contact_id"], jane, "{customer}");
    }
}

#[tokio::test]
async fn which_service_is_meant_is_asked_too() {
    let desk = Desk::open().await;
    let (agent, _, jane) = with_tara(&desk).await;
    let inside = fixed(&agent, "Windows inside", 9_900, 60).await;
    let outside = fixed(&agent, "Windows outside", 7_900, 45).await;
    let asked = |service: &str| json!({"contact_id": jane, "service": service, "wish": "2030-01-08"});
    let error = agent.call(SCHEDULE, asked("windows")).await.refused("AMBIGUOUS_SERVICE");
    assert_eq!(about(&error, "service_id"), [inside, outside.clone()]);
    assert_eq!(error["about"][1]["pricing"]["price"]["amount"], 7_900);
    let made = agent.call(SCHEDULE, asked("OUTSIDE windows")).await.ok();
    assert_eq!(made["ticket"]["title"], "Windows outside");
}

#[tokio::test]
async fn a_new_customer_is_made_only_when_told_to() {
    let desk = Desk::open().await;
    let (agent, ..) = with_tara(&desk).await;
    let customer = json!({
        "name": "Mary Ann Jones", "phone": "256-555-0188", "email": "mary@example.com", "street": "9 Hill Road",
        "city": "Athens", "postal_code": "35611"
    });
    let before = desk.count("contacts").await;
    let asked = json!({"customer": customer, "wish": "2030-01-08T10:00"});
    agent.call(SCHEDULE, asked.clone()).await.refused("UNKNOWN_CUSTOMER");
    let mut told = asked.clone();
    told["create_customer"] = true.into();
    let mut only_offers = told.clone();
    only_offers["book"] = "offer_only".into();
    let offered = agent.call(SCHEDULE, only_offers).await.ok();
    assert_eq!((&offered["as_wished"], offered.get("contact_id")), (&json!(true), None));
    assert_eq!(desk.count("contacts").await, before);
    let made = agent.call(SCHEDULE, told.clone()).await.ok();
    assert_eq!((&made["customer_is_new"], &made["customer"]), (&json!(true), &json!("Mary Ann Jones")));
    let selection = Selection {
        data_type: "contacts".into(),
        id: made["contact_id"].as_str().map(str::to_string),
        include: vec!["addresses".into()],
        ..Selection::default()
    };
    let contact = agent.select(selection).await.ok();
    assert_eq!((&contact["given_name"], &contact["family_name"]), (&json!("Mary Ann"), &json!("Jones")));
    assert_eq!(contact["addresses"][0]["postal_code"], "35611");
    assert_eq!(made["ticket"]["address_id"], contact["addresses"][0]["id"]);
    told["wish"] = "2030-01-09T10:00".into();
    let again = agent.call(SCHEDULE, told).await.ok();
    assert_eq!((&again["customer_is_new"], &again["contact_id"]), (&json!(false), &made["contact_id"]));
    let mut nameless = asked;
    nameless["create_customer"] = true.into();
    nameless["customer"] = json!({"phone": "256-555-0199"});
    assert_eq!(agent.call(SCHEDULE, nameless).await.invalid_at(), ["/data/customer/name"]);
}

#[tokio::test]
async fn a_visit_is_moved_as_the_customer_asks() {
    let desk = Desk::open().await;
    let (agent, tara, jane) = with_tara(&desk).await;
    let ask = |wish: &str| json!({"customer": {"name": "Jane Smith"}, "wish": wish, "words": "Could you come later?"});
    agent.call(RESCHEDULE, ask("2030-01-09")).await.refused("NO_UPCOMING_TICKET");
    let ticket = book(&agent, &jane, "2030-01-08T10:00").await.ok()["ticket"]["id"].clone();
    agent.call("ticket.record_confirmation", json!({"ticket_id": ticket, "answer": "accepted"})).await.ok();
    let moved = agent.call(RESCHEDULE, ask("2030-01-08T10:30")).await.ok();
    assert_eq!((&moved["moved"], &moved["ticket"]["id"]), (&json!(true), &ticket), "it does not stand in its own way");
    assert_eq!(moved["ticket"]["starts_at_local"], "2030-01-08T10:30:00-06:00");
    assert_eq!(moved["ticket"]["previous_starts_at_local"], "2030-01-08T10:00:00-06:00");
    assert_eq!(moved["ticket"]["confirmation"], "not_asked");
    let notes = agent.read("notes", json!({"ticket_id": ticket})).await.ok();
    assert_eq!(notes[0]["untrusted_text"]["text"], "Could you come later?");
    assert_eq!(notes[0]["author_kind"], "customer");
    let other = book(&agent, &jane, "2030-01-10T10:00").await.ok()["ticket"]["id"].clone();
    let error = agent.call(RESCHEDULE, ask("2030-01-11")).await.refused("AMBIGUOUS_TICKET");
    assert_eq!(about(&error, "ticket_id"), [ticket.as_str().unwrap(), other.as_str().unwrap()]);
    let mut exact = ask("2030-01-10T10:00");
    exact["ticket_id"] = ticket.clone();
    let error = agent.call(RESCHEDULE, exact.clone()).await.refused("NO_FREE_SLOT");
    assert!(!about(&error, "starts_at").is_empty());
    exact["book"] = "nearest".into();
    let moved = agent.call(RESCHEDULE, exact.clone()).await.ok();
    assert_eq!(moved["ticket"]["starts_at_local"], "2030-01-10T11:15:00-06:00");
    let of_tara = agent.read("tickets", json!({"technician_id": tara, "from": "2030-01-10"})).await.ok();
    assert_eq!(of_tara.as_array().unwrap().len(), 2, "who goes there stays");
    let mut others = exact;
    others["contact_id"] = agent.contact("Paula", json!({})).await.into();
    assert_eq!(agent.call(RESCHEDULE, others).await.invalid_at(), ["/data/ticket_id"]);
}

#[tokio::test]
async fn of_twenty_who_want_the_last_slot_one_gets_it_and_the_others_hear_what_is_free() {
    let desk = Desk::open().await;
    let (_, tara, jane) = with_tara(&desk).await;
    let hours = json!({"business_hours": {"tue": ["08:00", "09:00"], "wed": ["08:00", "09:00"]}});
    desk.owner().await.call("org.update", hours).await.ok();
    let mut calls = tokio::task::JoinSet::new();
    for nth in 0..20 {
        let (agent, jane) = (desk.other_agent(&format!("Agent {nth}")).await, jane.clone());
        calls.spawn(async move { book(&agent, &jane, "2030-01-08T08:00").await });
    }
    let (mut won, mut lost) = (0, 0);
    for reply in calls.join_all().await {
        if reply.0.success() {
            won += 1;
            continue;
        }
        let error = reply.refused("NO_FREE_SLOT");
        let offers = about(&error, "starts_at");
        assert_eq!(offers[0], "2030-01-07T22:00:00Z", "{error}");
        assert!(offers.contains(&"2030-01-09T14:00:00Z"), "{error}");
        lost += 1;
    }
    assert_eq!((won, lost), (1, 19));
    let tickets = desk.owner().await.read("tickets", json!({"technician_id": tara})).await.ok();
    assert_eq!(tickets.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_booking_that_must_wait_shows_all_it_would_do_and_does_it_when_it_is_allowed() {
    let desk = Desk::open().await;
    let (owner, (_, _, _)) = (desk.owner().await, with_tara(&desk).await);
    fixed(&owner, "Windows", 14_900, 90).await;
    let asked = json!({
        "customer": {"name": "Mary Jones", "phone": "256-555-0188"}, "create_customer": true, "service": "windows",
        "wish": "2030-01-08T10:00", "notes": "Ring twice."
    });
    // Held as itself, or because one of its steps is.
    for (held, day) in [(SCHEDULE, "08"), ("ticket.schedule", "09")] {
        let agent = desk.other_agent(&format!("Held at {held}")).await;
        let mut overrides = json!({"agent_id": agent.caller.id().unwrap(), "overrides": {}});
        overrides["overrides"][held] = "requires_authorization".into();
        owner.call("agent.set_overrides", overrides).await.ok();
        let mut asked = asked.clone();
        asked["wish"] = format!("2030-01-{day}T10:00").into();
        let agent = desk.other_agent(&format!("Held at {held}")).await;
        let before = desk.state_without(&["authorizations", "call_log", "errands"]).await;
        let waiting = agent.call_because(SCHEDULE, asked).await;
        assert_eq!(waiting.reasons(), ["override"]);
        let waiting = waiting.held();
        assert_eq!(desk.state_without(&["authorizations", "call_log", "errands"]).await, before);
        let request = owner.get("authorizations", &waiting).await.ok();
        assert_eq!(request["action"], SCHEDULE);
        let changes = request["preview"]["changes"].as_array().unwrap();
        let tables: Vec<&str> = changes.iter().map(|row| row["data_type"].as_str().unwrap()).collect();
        for table in ["tickets", "line_items", "ticket_technicians", "notes"] {
            assert!(tables.contains(&table), "{tables:?}");
        }
        assert_eq!(tables.contains(&"contacts"), held == SCHEDULE, "the second time she is known: {tables:?}");
        assert_eq!(owner.allow_once(&waiting).await.ok()["status"], "executed");
        let done = agent.check(&waiting).await.ok();
        assert_eq!(done["result"][0]["ticket"]["title"], "Windows", "{done:#}");
    }
}

#[tokio::test]
async fn both_are_tools_of_their_own_in_both_eras() {
    let web = Web::open().await;
    let (_, _, jane) = with_tara(&web.desk).await;
    for (client, day) in [(Client::modern(&web), "08"), (Client::legacy(&web, LEGACY[0]).await, "09")] {
        let wish = format!("2030-01-{day}T10:00");
        let wanted = json!({"contact_id": jane, "wish": wish, "idempotency_key": wish});
        let mut trial = wanted.clone();
        trial["dry_run"] = true.into();
        let preview = client.call("schedule_appointment", trial).await;
        assert_eq!(preview["data"]["result"]["booked"], true, "{preview:#}");
        let made = client.call("schedule_appointment", wanted.clone()).await;
        let ticket = made["data"]["ticket"]["id"].clone();
        assert!(ticket.is_string(), "{made:#}");
        let again = client.call("schedule_appointment", wanted).await;
        assert_eq!(again["data"]["ticket"]["id"], ticket, "a repeat with the key is the same booking");
        let full = client.call("schedule_appointment", json!({"contact_id": jane, "wish": wish})).await;
        assert_eq!(full["error"]["code"], "NO_FREE_SLOT");
        let wrong = client.call("schedule_appointment", json!({"customer": {"city": "Athens"}, "wish": wish})).await;
        assert_eq!(wrong["error"]["problems"][0]["pointer"], "/customer", "{wrong:#}");
        let wrong = client.call("schedule_appointment", json!({"contact_id": jane, "wish": "soon"})).await;
        assert_eq!(wrong["error"]["problems"][0]["pointer"], "/wish", "{wrong:#}");
        let moved = json!({"ticket_id": ticket, "wish": format!("2030-01-{day}T13:00"), "words": "After lunch?"});
        let moved = client.call("handle_reschedule_request", moved).await;
        assert_eq!(moved["data"]["ticket"]["starts_at_local"], format!("2030-01-{day}T13:00:00-06:00"), "{moved:#}");
    }
}

#[tokio::test]
async fn a_technician_books_nothing() {
    let desk = Desk::open().await;
    let (_, _, jane) = with_tara(&desk).await;
    book(&desk.technician().await, &jane, "2030-01-08").await.refused("FORBIDDEN");
}
