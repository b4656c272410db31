//! Scheduling visits: when and where they are, what they cost, and whose time they take.

use capabilities::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::desk::{Actor, Desk, Reply, object};
use crate::services::{fixed, usd};

/// A visit of this customer that begins then, by the business's clock.
pub fn visit(contact: &str, starts_at: &str) -> Value {
    json!({"contact_id": contact, "starts_at": starts_at})
}

pub fn with(mut visit: Value, more: Value) -> Value {
    visit.as_object_mut().unwrap().extend(object(more));
    visit
}

/// The user that an actor is.
pub fn user(actor: &Actor) -> String {
    actor.caller.id().unwrap().to_string()
}

fn warnings(reply: &Reply) -> Vec<String> {
    reply.warning_codes().into_iter().map(str::to_string).collect()
}

#[tokio::test]
async fn a_visit_is_scheduled_with_lines_technicians_and_notes() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let address = json!({"addresses": [{"street": "123 Main Street", "city": "Madison"}]});
    let (jane, tara) = (agent.contact("Jane", address).await, user(&desk.technician().await));
    let windows = fixed(&agent, "windows", 14_900, 90).await;
    let more = json!({
        "line_items": [{"service_id": windows, "quantity": "1.5"}], "technician_ids": [tara], "notes": ["Ring twice."]
    });
    let reply = agent.call("ticket.schedule", with(visit(&jane, "2030-01-08T09:00"), more)).await;
    assert_eq!(warnings(&reply), [""; 0]);
    let ticket = reply.ok();
    assert_eq!(ticket["display_name"], "Jane, Tue, Jan 8, 2030, 9:00 AM");
    assert_eq!((&ticket["title"], &ticket["status"]), (&json!("windows"), &json!("scheduled")));
    assert_eq!(ticket["starts_at"], "2030-01-08T15:00:00Z");
    assert_eq!(ticket["starts_at_local"], "2030-01-08T09:00:00-06:00");
    assert_eq!(ticket["ends_at"], "2030-01-08T16:30:00Z", "what the services typically take");
    assert_eq!((&ticket["total"], &ticket["lines_without_price"]), (&usd(22_350), &json!(0)));
    assert_eq!((&ticket["confirmation"], &ticket["bill_to_contact_id"]), (&json!("not_asked"), &json!(jane)));
    let include = ["line_items", "technicians", "clock_spans", "notes", "contact", "address", "audit_trail"];
    let selection = capabilities::Selection {
        data_type: "tickets".into(),
        filters: object(json!({"technician_id": tara, "city": "MADISON"})),
        include: include.map(String::from).to_vec(),
        ..capabilities::Selection::default()
    };
    let shown = desk.technician().await.select(selection.clone()).await.refused("FORBIDDEN");
    assert!(shown["message"].as_str().unwrap().contains("audit"), "a technician reads no audit trail: {shown}");
    let shown = agent.select(selection).await.ok()[0].clone();
    assert_eq!((&shown["line_items"][0]["quantity"], &shown["line_items"][0]["total"]), (&json!("1.5"), &usd(22_350)));
    assert_eq!(shown["technicians"][0]["name"], "Tara Technician");
    assert_eq!(
        (&shown["notes"][0]["content"], &shown["notes"][0]["contact_id"]),
        (&json!("Ring twice."), &json!(jane))
    );
    assert_eq!((&shown["contact"]["display_name"], &shown["address"]["city"]), (&json!("Jane"), &json!("Madison")));
    let trail = shown["audit_trail"][0]["changes"].as_array().unwrap();
    let mut tables: Vec<&str> = trail.iter().map(|change| change["data_type"].as_str().unwrap()).collect();
    tables.sort_unstable();
    assert_eq!(tables, ["line_items", "ticket_technicians", "tickets"], "its parts stand in its trail");
}

#[tokio::test]
async fn without_lines_a_visit_takes_as_long_as_visits_usually_do() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    desk.owner().await.call("org.update", json!({"default_ticket_minutes": 45})).await.ok();
    let jane = agent.contact("Jane", json!({})).await;
    let ticket = agent.call("ticket.schedule", visit(&jane, "2030-01-08T09:00-05:00")).await.ok();
    assert_eq!(
        (&ticket["starts_at"], &ticket["ends_at"]),
        (&json!("2030-01-08T14:00:00Z"), &json!("2030-01-08T14:45:00Z"))
    );
    assert_eq!((&ticket["title"], ticket.get("address_id")), (&json!("Visit"), None));
}

#[tokio::test]
async fn a_time_is_meant_by_the_clock_at_the_address_and_none_is_guessed() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let there = json!({"addresses": [{"street": "1 Peach Street", "city": "Atlanta", "timezone": "America/New_York"}]});
    let (far, near) = (agent.contact("Far", there).await, agent.contact("Near", json!({})).await);
    let ticket = agent.call("ticket.schedule", visit(&far, "2030-03-12T09:00")).await.ok();
    assert_eq!(
        (&ticket["starts_at"], &ticket["timezone"]),
        (&json!("2030-03-12T13:00:00Z"), &json!("America/New_York"))
    );
    assert_eq!(ticket["starts_at_local"], "2030-03-12T09:00:00-04:00");
    assert_eq!(ticket["display_name"], "Far, Tue, Mar 12, 2030, 9:00 AM");
    for (skipped_or_twice, readings) in [
        ("2030-03-10T02:30", ["2030-03-10T03:30:00-05:00", "2030-03-10T01:30:00-06:00"]),
        ("2030-11-03T01:30", ["2030-11-03T01:30:00-05:00", "2030-11-03T01:30:00-06:00"]),
    ] {
        let error = agent.call("ticket.schedule", visit(&near, skipped_or_twice)).await.refused("INVALID_INPUT");
        assert_eq!(error["problems"][0]["pointer"], "/data/starts_at");
        let hint = error["hint"].as_str().unwrap();
        assert!(readings.iter().all(|reading| hint.contains(reading)), "{hint}");
        agent.call("ticket.schedule", visit(&near, readings[0])).await.ok();
    }
}

#[tokio::test]
async fn what_cannot_be_scheduled_is_refused_and_says_why() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let address = json!({"addresses": [{"street": "1 Elm", "city": "Madison"}]});
    let (jane, john) = (agent.contact("Jane", address.clone()).await, agent.contact("John", address).await);
    let johns = agent.read("addresses", json!({"contact_id": john})).await.ok()[0]["id"].clone();
    let windows = fixed(&agent, "windows", 14_900, 90).await;
    let gone = desk.user("Gone", Role::Technician).await;
    desk.owner().await.call("user.deactivate", json!({"user_id": gone})).await.ok();
    let before = desk.state().await;
    let soon = || visit(&jane, "2030-01-08T09:00");
    for (more, code) in [
        (json!({"address_id": johns}), "ADDRESS_NOT_OF_CONTACT"),
        (json!({"starts_at": "2030-01-07T02:00"}), "IN_THE_PAST"),
        (json!({"technician_ids": [gone]}), "USER_DEACTIVATED"),
        (json!({"technician_ids": [uuid::Uuid::nil()]}), "NOT_FOUND"),
        (json!({"ends_at": "2030-01-08T09:00"}), "INVALID_INPUT"),
        (json!({"ends_at": "2030-01-16T09:00"}), "INVALID_INPUT"),
        (json!({"line_items": [{"service_id": windows, "unit_price": usd(1)}]}), "INVALID_INPUT"),
        (json!({"line_items": [{"service_id": windows, "quantity": "0"}]}), "INVALID_INPUT"),
    ] {
        agent.call("ticket.schedule", with(soon(), more)).await.refused(code);
    }
    desk.technician().await.call("ticket.schedule", soon()).await.refused("FORBIDDEN");
    assert_eq!(desk.state().await, before);
    let history = with(soon(), json!({"starts_at": "2029-12-01T09:00", "backdated": true}));
    let reply = agent.call("ticket.schedule", history).await;
    assert_eq!(warnings(&reply), [""; 0], "history is not measured by business hours");
    reply.ok();
}

#[tokio::test]
async fn outside_business_hours_or_close_to_the_next_visit_is_told_and_allowed() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let (jane, tara) = (agent.contact("Jane", json!({})).await, user(&desk.technician().await));
    for (starts_at, ends_at, inside) in [
        ("2030-01-08T08:00", "2030-01-08T17:00", true),
        ("2030-01-08T07:59", "2030-01-08T09:00", false),
        ("2030-01-08T16:00", "2030-01-08T17:01", false),
        ("2030-01-12T09:00", "2030-01-12T10:00", false),
        ("2030-01-08T16:00", "2030-01-09T09:00", false),
    ] {
        let reply = agent.dry_run("ticket.schedule", with(visit(&jane, starts_at), json!({"ends_at": ends_at}))).await;
        assert_eq!(warnings(&reply).is_empty(), inside, "{starts_at} to {ends_at}");
    }
    let of_tara = |starts_at: &str| with(visit(&jane, starts_at), json!({"technician_ids": [tara]}));
    agent.call("ticket.schedule", of_tara("2030-01-08T09:00")).await.ok();
    let close = agent.call("ticket.schedule", of_tara("2030-01-08T10:10")).await;
    assert_eq!(warnings(&close), ["little_buffer"]);
    assert_eq!(close.0.meta.warnings[0].about.as_ref().unwrap()[0]["contact"], "Jane");
    desk.owner().await.call("org.update", json!({"buffer_minutes": 0})).await.ok();
    let next = agent.call("ticket.schedule", of_tara("2030-01-08T11:10")).await;
    assert_eq!(warnings(&next), [""; 0], "one visit may follow the other at once");
    next.ok();
}

#[tokio::test]
async fn a_technician_is_at_one_place_at_a_time_unless_somebody_means_it() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let (jane, john) = (agent.contact("Jane Smith", json!({})).await, agent.contact("John", json!({})).await);
    let tara = user(&desk.technician().await);
    let of_tara = |contact: &str, starts_at: &str| with(visit(contact, starts_at), json!({"technician_ids": [tara]}));
    let first = agent.call("ticket.schedule", of_tara(&jane, "2030-01-08T09:00")).await.id();
    let clash = of_tara(&john, "2030-01-08T09:30");
    let error = agent.call("ticket.schedule", clash.clone()).await.refused("TECHNICIAN_BUSY");
    let message = error["message"].as_str().unwrap();
    for named in ["Tara Technician", "Jane Smith", "Visit", "Tue, Jan 8, 2030, 9:00 AM", first.as_str()] {
        assert!(message.contains(named), "{named}: {message}");
    }
    assert_eq!((&error["about"][0]["ticket_id"], &error["about"][0]["contact"]), (&json!(first), &json!("Jane Smith")));
    let both = agent.call("ticket.schedule", with(clash, json!({"allow_overlap": true}))).await;
    assert_eq!(warnings(&both), ["technician_busy"]);
    both.ok();
    agent.call("ticket.schedule", visit(&john, "2030-01-08T09:30")).await.ok();
    let other = agent.call("ticket.schedule", of_tara(&john, "2030-01-08T13:00")).await.id();
    agent
        .call("ticket.reschedule", json!({"ticket_id": other, "starts_at": "2030-01-08T08:30"}))
        .await
        .refused("TECHNICIAN_BUSY");
    agent.call_because("ticket.cancel", json!({"ticket_id": first, "reason": "Rain."})).await.ok();
    let unassigned = agent.call("ticket.schedule", visit(&jane, "2030-01-08T13:00")).await.id();
    let assign = json!({"ticket_id": unassigned, "technician_ids": [tara]});
    agent.call("ticket.assign", assign.clone()).await.refused("TECHNICIAN_BUSY");
    agent.call("ticket.reschedule", json!({"ticket_id": other, "starts_at": "2030-01-09T13:00"})).await.ok();
    agent.call("ticket.assign", assign).await.ok();
}

#[tokio::test]
async fn of_twenty_bookings_at_once_of_one_technician_one_wins_and_the_others_hear_of_it() {
    let desk = Desk::open().await;
    let system = desk.system().await;
    let (contacts, tara) = (desk.contacts(20).await, user(&desk.technician().await));
    let bookings = contacts.iter().map(|contact| {
        system.call("ticket.schedule", with(visit(contact, "2030-01-08T09:00"), json!({"technician_ids": [tara]})))
    });
    let replies = join_all(bookings).await;
    let (won, lost): (Vec<Reply>, Vec<Reply>) = replies.into_iter().partition(|reply| reply.0.success());
    assert_eq!((won.len(), lost.len()), (1, 19));
    let won = won.into_iter().next().unwrap().id();
    for reply in lost {
        assert_eq!(reply.refused("TECHNICIAN_BUSY")["about"][0]["ticket_id"], won);
    }
    assert_eq!(desk.count("tickets").await, 1);
}

#[tokio::test]
async fn two_people_and_an_agent_who_change_a_ticket_at_once_lose_nothing() {
    let desk = Desk::open().await;
    let (agent, owner, manager) = (desk.agent().await, desk.owner().await, desk.manager().await);
    let jane = agent.contact("Jane", json!({})).await;
    let ticket = agent.call("ticket.schedule", visit(&jane, "2030-01-08T09:00")).await.id();
    let with_version = |more: Value| with(json!({"ticket_id": ticket, "expected_version": 1}), more);
    let (moved, named, estimated) = tokio::join!(
        owner.call("ticket.reschedule", with_version(json!({"starts_at": "2030-01-09T09:00"}))),
        manager.call("ticket.update", with_version(json!({"title": "Windows"}))),
        agent.call("ticket.update", with_version(json!({"is_price_estimated": true}))),
    );
    let replies = [moved, named, estimated];
    assert_eq!(replies.iter().filter(|reply| reply.0.success()).count(), 1);
    for reply in replies.into_iter().filter(|reply| !reply.0.success()) {
        assert_eq!(reply.refused("VERSION_CONFLICT")["current_version"], 2);
    }
    assert_eq!(agent.get("tickets", &ticket).await.ok()["version"], 2);
}

#[tokio::test]
async fn tickets_are_found_by_day_status_customer_technician_and_city_page_by_page() {
    let desk = Desk::open().await;
    let system = desk.system().await;
    let at = |city: &str| json!({"addresses": [{"street": "1 Elm", "city": city}]});
    let (jane, john) = (system.contact("Jane", at("Madison")).await, system.contact("John", at("Athens")).await);
    let tara = user(&desk.technician().await);
    for day in ["08", "09", "10", "11", "12"] {
        let of_tara = with(visit(&jane, &format!("2030-01-{day}T09:00")), json!({"technician_ids": [tara]}));
        system.call("ticket.schedule", of_tara).await.ok();
        system.call("ticket.schedule", visit(&john, &format!("2030-01-{day}T09:00"))).await.ok();
    }
    let count = async |filters: Value| system.read("tickets", filters).await.ok().as_array().unwrap().len();
    assert_eq!(count(json!({"from": "2030-01-09", "to": "2030-01-10"})).await, 4, "days count whole");
    assert_eq!(
        count(json!({"from": "2030-01-09T09:30", "to": "2030-01-09T12:00"})).await,
        2,
        "what is under way counts"
    );
    assert_eq!(count(json!({"city": "athens"})).await, 5);
    assert_eq!(count(json!({"city": "Nowhere"})).await, 0);
    assert_eq!(count(json!({"contact_id": jane, "technician_id": tara})).await, 5);
    assert_eq!(count(json!({"contact_id": john, "technician_id": tara})).await, 0);
    assert_eq!(count(json!({"status": "scheduled", "confirmation": "not_asked"})).await, 10);
    assert_eq!(count(json!({"status": "closed"})).await, 0);
    let (mut cursor, mut seen) = (None, Vec::new());
    loop {
        let selection = capabilities::Selection {
            data_type: "tickets".into(),
            limit: Some(3),
            cursor: cursor.clone(),
            ..capabilities::Selection::default()
        };
        let page = system.select(selection).await;
        cursor.clone_from(&page.0.meta.next_cursor);
        assert_eq!(page.0.meta.total, Some(json!(10)));
        seen.extend(
            page.ok().as_array().unwrap().iter().map(|row| (row["starts_at"].to_string(), row["id"].to_string())),
        );
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 10);
    assert!(seen.is_sorted(), "{seen:?}");
}

#[tokio::test]
async fn what_waits_for_a_person_is_told_with_names_and_times() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let jane = agent.contact("Jane Smith", json!({})).await;
    let id = agent.call("ticket.schedule", visit(&jane, "2030-01-08T09:00")).await.id();
    let windows = crate::services::fixed(&owner, "Windows outside", 14_900, 95).await;
    let item = json!({"ticket_id": id, "line_item": {"service_id": windows, "quantity": "2"}});
    let added = agent.call("ticket.add_line_item", item.clone()).await;
    let (call, line) = (added.0.meta.request_id, added.id());
    owner.call("org.freeze", json!({})).await.ok();
    let summary = async |action: &str, data: Value| {
        agent.call_because(action, data).await.0.data.unwrap()["summary"].as_str().unwrap().to_string()
    };
    assert_eq!(
        summary("ticket.schedule", visit(&jane, "2030-01-09T09:00")).await,
        "Schedule ticket: contact Jane Smith, Wed, Jan 9, 2030, 9:00 AM"
    );
    assert_eq!(
        summary("ticket.reschedule", json!({"ticket_id": id, "starts_at": "2030-01-09T09:00"})).await,
        "Reschedule ticket Jane Smith, Tue, Jan 8, 2030, 9:00 AM → Wed, Jan 9, 2030, 9:00 AM"
    );
    assert_eq!(
        summary("ticket.cancel", json!({"ticket_id": id, "reason": "Rain."})).await,
        "Cancel ticket Jane Smith, Tue, Jan 8, 2030, 9:00 AM"
    );
    let of_visit = "of ticket Jane Smith, Tue, Jan 8, 2030, 9:00 AM";
    assert_eq!(summary("ticket.add_line_item", item).await, format!("Add line item 2 × Windows outside {of_visit}"));
    let fewer = json!({"line_item_id": line, "quantity": "1"});
    assert_eq!(summary("ticket.update_line_item", fewer).await, format!("Update line item Windows outside {of_visit}"));
    let gone = json!({"line_item_id": line});
    assert_eq!(summary("ticket.remove_line_item", gone).await, format!("Remove line item Windows outside {of_visit}"));
    assert_eq!(
        summary("audit.undo", json!({"call_id": call})).await,
        format!("Undo call “Add line item 2 × Windows outside {of_visit}”")
    );
}

#[tokio::test]
async fn a_visit_leaves_the_search_text_of_its_customer_alone_and_a_note_on_it_does_not() {
    let desk = Desk::open().await;
    let manager = desk.manager().await;
    let jane = manager.contact("Jane", json!({})).await;
    let mut sql = desk.sql().await;
    let mut written = async || -> (String, i64) {
        let lines = "select xmin::text, (select count(*) from note_search where contact_id = $1::uuid) \
             from contact_search where id = $1::uuid";
        sqlx::query_as(lines).bind(&jane).fetch_one(&mut sql).await.unwrap()
    };
    let before = written().await;
    let ticket = manager.call("ticket.schedule", visit(&jane, "2030-01-08T09:00")).await.id();
    assert_eq!(written().await, before);
    manager.call("note.add", json!({"ticket_id": ticket, "content": "Beware of the goose."})).await.ok();
    assert_eq!(written().await, (before.0, before.1 + 1), "the note has a line of its own");
    let found = manager.read("contacts", json!({"search": "goose"})).await.ok();
    assert_eq!(found[0]["id"], jane.as_str());
}

#[tokio::test]
async fn how_full_a_day_is_is_told_by_the_businesss_calendar() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let (jane, tara) = (agent.contact("Jane", json!({})).await, user(&desk.technician().await));
    for (starts_at, ends_at, technicians) in [
        ("2030-01-08T09:00", "2030-01-08T10:30", json!([tara])),
        ("2030-01-08T23:30", "2030-01-09T01:00", json!([])),
        ("2030-01-10T09:00", "2030-01-10T10:00", json!([tara])),
    ] {
        let more = json!({"ends_at": ends_at, "technician_ids": technicians});
        agent.call("ticket.schedule", with(visit(&jane, starts_at), more)).await.ok();
    }
    let off = agent.call("ticket.schedule", visit(&jane, "2030-01-09T09:00")).await.id();
    agent.call_because("ticket.cancel", json!({"ticket_id": off, "reason": "Rain."})).await.ok();
    let days = async |filters: Value| agent.read("calendar_days", filters).await.ok();
    let first = json!({"day": "2030-01-08", "visits": 2, "minutes": 180});
    let last = json!({"day": "2030-01-10", "visits": 1, "minutes": 60});
    assert_eq!(days(json!({})).await, json!([first, last]));
    assert_eq!(days(json!({"from": "2030-01-08", "to": "2030-01-08"})).await, json!([first]));
    let hers = json!([{"day": "2030-01-08", "visits": 1, "minutes": 90}, last]);
    assert_eq!(days(json!({"technician_id": tara})).await, hers);
    assert_eq!(days(json!({"from": "2030-02-01"})).await, json!([]));
    for wrong in [json!({"from": "2030-01-08", "to": "2030-01-07"}), json!({"from": "2030-01-08", "to": "2031-02-08"})]
    {
        assert_eq!(agent.read("calendar_days", wrong).await.invalid_at(), ["/to"]);
    }
}
