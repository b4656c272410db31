//! Closed tickets: nothing of them changes, whoever asks, and what they refer to stays. And what becomes of tickets when
//! contacts and addresses go.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::desk::{Desk, object};
use crate::services::fixed;
use crate::tickets_scheduling::{user, visit, with};

/// Closes a ticket, which no action does yet.
async fn close(desk: &Desk, ticket: &str) {
    let closing = format!(
        "begin; select frontdesk.begin_call('{org}', '{ticket}', '2030-01-08T18:00:00Z'); \
         update tickets set status = 'closed', closed_at = '2030-01-08T18:00:00Z' where org_id = '{org}' and id = '{ticket}'; \
         commit",
        org = desk.org
    );
    sqlx::raw_sql(AssertSqlSafe(closing)).execute(&mut desk.sql().await).await.unwrap();
}

/// A closed ticket of this contact with a line, a technician and a clock.
async fn closed(desk: &Desk, contact: &str) -> String {
    let (system, tara) = (desk.system().await, user(&desk.technician().await));
    let windows = fixed(&system, &crate::desk::fresh(), 14_900, 90).await;
    let more = json!({"line_items": [{"service_id": windows}], "technician_ids": [tara], "allow_overlap": true});
    let id = system.call("ticket.schedule", with(visit(contact, "2030-01-08T09:00"), more)).await.id();
    system.call("ticket.clock_in", json!({"ticket_id": id, "technician_id": tara})).await.ok();
    system.call("ticket.clock_out", json!({"ticket_id": id, "technician_id": tara})).await.ok();
    close(desk, &id).await;
    id
}

#[tokio::test]
async fn no_action_changes_a_closed_ticket() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let jane = agent.contact("Jane", json!({})).await;
    let (id, tara) = (closed(&desk, &jane).await, user(&desk.technician().await));
    let line = agent.read("line_items", json!({"ticket_id": id})).await.ok()[0]["id"].clone();
    let service = agent.read("services", json!({})).await.ok()[0]["id"].clone();
    let span = agent.read("clock_spans", json!({"ticket_id": id})).await.ok()[0]["id"].clone();
    let before = desk.state().await;
    let this = |more: Value| with(json!({"ticket_id": id}), more);
    for (action, data) in [
        ("ticket.update", this(json!({"title": "Again"}))),
        ("ticket.reschedule", this(json!({"starts_at": "2030-02-08T10:00"}))),
        ("ticket.cancel", this(json!({"reason": "x"}))),
        ("ticket.mark_no_show", this(json!({}))),
        ("ticket.assign", this(json!({"technician_ids": [tara]}))),
        ("ticket.unassign", this(json!({"technician_ids": [tara]}))),
        ("ticket.record_confirmation", this(json!({"answer": "accepted"}))),
        ("ticket.clock_in", this(json!({"technician_id": tara}))),
        ("ticket.clock_out", this(json!({"technician_id": tara}))),
        ("ticket.add_line_item", this(json!({"line_item": {"service_id": service}}))),
        ("ticket.update_line_item", json!({"line_item_id": line, "quantity": "2"})),
        ("ticket.remove_line_item", json!({"line_item_id": line})),
        ("ticket.update_clock_span", json!({"clock_span_id": span, "started_at": "2030-01-08T09:01"})),
        ("ticket.remove_clock_span", json!({"clock_span_id": span})),
    ] {
        agent.call_because(action, data).await.refused("TICKET_CLOSED");
    }
    assert_eq!(desk.state().await, before);
    agent.call("note.add", this(json!({"content": "They called again."}))).await.ok();
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_a_closed_ticket_or_a_part_of_it() {
    let desk = Desk::open().await;
    let jane = desk.system().await.contact("Jane", json!({})).await;
    let (id, org) = (closed(&desk, &jane).await, desk.org);
    let open = desk.system().await.call("ticket.schedule", visit(&jane, "2030-02-08T09:00")).await.id();
    let before = desk.state().await;
    for login in ["frontdesk_app", "frontdesk_owner"] {
        let mut connection = desk.sql().await;
        let begin = format!(
            "set session authorization {login}; begin; select frontdesk.begin_call('{org}', '{id}', now()); savepoint here"
        );
        sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut connection).await.unwrap();
        let of_ticket = format!("where org_id = '{org}' and ticket_id = '{id}'");
        for statement in [
            format!("update tickets set title = 'x' where org_id = '{org}' and id = '{id}'"),
            format!("update tickets set status = 'scheduled', closed_at = null where org_id = '{org}' and id = '{id}'"),
            format!("delete from tickets where org_id = '{org}' and id = '{id}'"),
            format!("delete from contacts where org_id = '{org}' and id = '{jane}'"),
            format!("update line_items set quantity_thousandths = 2000, total_amount = 29800 {of_ticket}"),
            format!("delete from line_items {of_ticket}"),
            format!("update line_items set ticket_id = '{open}' {of_ticket}"),
            format!("update clock_spans set ended_at = ended_at + interval '1 hour' {of_ticket}"),
            format!("delete from clock_spans {of_ticket}"),
            format!("delete from ticket_technicians {of_ticket}"),
            format!("update ticket_technicians set created_at = now() {of_ticket}"),
            format!(
                "insert into clock_spans (org_id, id, ticket_id, user_id, started_at, created_at, updated_at) \
                 select org_id, '{open}', ticket_id, user_id, now(), now(), now() from ticket_technicians {of_ticket}"
            ),
        ] {
            let error = match sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut connection).await {
                Ok(done) => panic!("must be refused to {login}: {statement}: {done:?}"),
                Err(error) => error.to_string(),
            };
            assert!(error.contains("is closed and does not change any more"), "{login}: {statement}: {error}");
            sqlx::raw_sql("rollback to here").execute(&mut connection).await.unwrap();
        }
    }
    assert_eq!(desk.state().await, before);
}

#[tokio::test]
async fn no_undo_changes_a_closed_ticket_but_a_note_on_it_can_be_undone() {
    let desk = Desk::open().await;
    let (owner, system) = (desk.owner().await, desk.system().await);
    let jane = owner.contact("Jane", json!({})).await;
    let windows = fixed(&system, &crate::desk::fresh(), 14_900, 90).await;
    let scheduled = owner.call("ticket.schedule", visit(&jane, "2030-01-08T09:00")).await;
    let (ticket, scheduling) = (scheduled.0.data.as_ref().unwrap()["id"].clone(), scheduled.0.meta.request_id);
    let this = |more: Value| with(json!({"ticket_id": ticket}), more);
    let mut calls = vec![scheduling.to_string()];
    for (action, input) in [
        ("ticket.add_line_item", this(json!({"line_item": {"service_id": windows}}))),
        ("ticket.assign", this(json!({"technician_ids": [user(&desk.technician().await)]}))),
        ("ticket.update", this(json!({"title": "Again"}))),
    ] {
        let reply = owner.call(action, input).await;
        calls.push(reply.0.meta.request_id.to_string());
        reply.ok();
    }
    close(&desk, ticket.as_str().unwrap()).await;
    let noted = owner.call("note.add", this(json!({"content": "She was glad."}))).await;
    let note = noted.0.meta.request_id.to_string();
    noted.ok();
    let before = desk.state().await;
    for call in &calls {
        let reply = owner.call("audit.undo", json!({"call_id": call})).await;
        let code = reply.0.error_code().map(str::to_string);
        assert!(["CANNOT_UNDO", "CHANGED_SINCE"].contains(&code.as_deref().unwrap_or_default()), "{:?}", reply.0);
    }
    let line = owner.call("audit.undo", json!({"call_id": calls[1]})).await.refused("CANNOT_UNDO");
    assert!(line["message"].as_str().unwrap().contains("closed"), "{line}");
    assert_eq!(desk.state().await, before);
    owner.call("audit.undo", json!({"call_id": note})).await.ok();
}

#[tokio::test]
async fn a_contact_with_a_closed_ticket_stays_and_one_with_open_tickets_goes_with_them_after_a_person_agreed() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let address = json!({"addresses": [{"street": "1 Elm", "city": "Madison"}]});
    let (jane, john) = (agent.contact("Jane", address.clone()).await, agent.contact("John", address).await);
    closed(&desk, &jane).await;
    let error = agent.call_because("contact.delete", json!({"contact_id": jane})).await.refused("HAS_RECORDS");
    assert!(error["message"].as_str().unwrap().contains("1 of closed tickets"), "{error}");
    let windows = fixed(&agent, "windows", 14_900, 90).await;
    let more = json!({"line_items": [{"service_id": windows}], "notes": ["Ring twice."]});
    agent.call("ticket.schedule", with(visit(&john, "2030-01-08T09:00"), more)).await.ok();
    let reply = agent.call_because("contact.delete", json!({"contact_id": john})).await;
    assert_eq!(reply.reasons(), ["has_history"]);
    let gone = desk.owner().await.allow_once(&reply.held()).await.ok();
    assert_eq!(gone["status"], "executed", "{gone:#}");
    assert_eq!(desk.count("tickets").await, 1);
    let paid = agent.contact("Payer", json!({})).await;
    let billed = with(visit(&jane, "2030-01-10T09:00"), json!({"bill_to_contact_id": paid}));
    agent.call("ticket.schedule", billed).await.ok();
    agent.call_because("contact.delete", json!({"contact_id": paid})).await.refused("HAS_RECORDS");
}

#[tokio::test]
async fn merging_moves_open_tickets_and_reads_closed_ones_through_the_contact_that_stays() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let elm = json!({"addresses": [{"street": "1 Elm", "city": "Madison", "postal_code": "35758"}]});
    let (stays, goes) = (owner.contact("Jane", elm.clone()).await, owner.contact("Janey", elm).await);
    let old = closed(&desk, &goes).await;
    let open = owner.call("ticket.schedule", visit(&goes, "2030-02-08T09:00")).await.id();
    let merge = json!({"contact_id": stays, "merged_contact_id": goes});
    let merged = owner.call("contact.merge", merge).await.ok();
    assert_eq!(merged["moved"]["tickets"], 1);
    let moved = owner.get("tickets", &open).await.ok();
    let address = owner.read("addresses", json!({"contact_id": stays})).await.ok()[0]["id"].clone();
    assert_eq!((&moved["contact_id"], &moved["address_id"]), (&json!(stays), &address), "at the address that both had");
    let kept = owner.get("tickets", &old).await.ok();
    assert_eq!((&kept["contact_id"], &kept["merged_contact_id"]), (&json!(stays), &json!(goes)));
    assert_eq!(kept["display_name"], "Jane, Tue, Jan 8, 2030, 9:00 AM");
    let selection = capabilities::Selection {
        data_type: "contacts".into(),
        id: Some(stays.clone()),
        include: vec!["tickets".into()],
        ..capabilities::Selection::default()
    };
    let tickets = owner.select(selection).await.ok()["tickets"].clone();
    let ids: Vec<&str> = tickets.as_array().unwrap().iter().map(|ticket| ticket["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [old.as_str(), open.as_str()]);
    let of = owner.read("tickets", json!({"contact_id": stays, "status": "closed"})).await.ok();
    assert_eq!(of[0]["id"], json!(old));
    assert!(object(owner.get("tickets", &open).await.ok()).get("merged_contact_id").is_none());
    owner.call("ticket.schedule", visit(&goes, "2030-03-08T09:00")).await.refused("CONTACT_MERGED");
}

#[tokio::test]
async fn customers_are_found_by_when_they_were_served_last_and_with_what() {
    let desk = Desk::open().await;
    let owner = desk.owner().await;
    let (jane, janey, john) = (
        owner.contact("Jane", json!({})).await,
        owner.contact("Janey", json!({})).await,
        owner.contact("John", json!({})).await,
    );
    owner.call("ticket.schedule", visit(&john, "2030-01-08T09:00")).await.ok();
    let old = closed(&desk, &janey).await;
    let service = owner.read("line_items", json!({"ticket_id": old})).await.ok()[0]["service_id"].clone();
    owner.call("contact.merge", json!({"contact_id": jane, "merged_contact_id": janey})).await.ok();
    let found = async |filters: Value| {
        let rows = owner.read("contacts", filters).await.ok();
        rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(found(json!({"last_service_before": "2030-01-09"})).await, [jane.as_str()]);
    assert_eq!(found(json!({"last_service_before": "2030-01-08"})).await, [""; 0]);
    assert_eq!(found(json!({"last_service_after": "2030-01-08", "search": "jane"})).await, [jane.as_str()]);
    assert_eq!(found(json!({"last_service_after": "2030-01-09"})).await, [""; 0]);
    assert_eq!(found(json!({"service_id": service, "last_service_before": "2030-01-09"})).await, [jane.as_str()]);
    assert_eq!(found(json!({"service_id": uuid::Uuid::nil()})).await, [""; 0]);
}

#[tokio::test]
async fn an_address_stays_while_a_visit_is_to_take_place_there() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let jane = agent.contact("Jane", json!({"addresses": [{"street": "1 Elm", "city": "Madison"}]})).await;
    let address = agent.read("addresses", json!({"contact_id": jane})).await.ok()[0]["id"].clone();
    let id = agent.call("ticket.schedule", visit(&jane, "2030-01-08T09:00")).await.id();
    let remove = json!({"address_id": address});
    let error = agent.call_because("address.remove", remove.clone()).await.refused("ADDRESS_IN_USE");
    assert!(error["message"].as_str().unwrap().contains("Tue, Jan 8, 2030, 9:00 AM"), "{error}");
    agent.call_because("ticket.cancel", json!({"ticket_id": id, "reason": "Moved away."})).await.ok();
    agent.call_because("address.remove", remove.clone()).await.ok();
    assert_eq!(agent.read("addresses", json!({"contact_id": jane})).await.ok(), json!([]));
    let ticket = agent.get("tickets", &id).await.ok();
    assert_eq!(ticket["address_id"], address, "the visit that was to be keeps its place");
    assert!(agent.get("addresses", address.as_str().unwrap()).await.ok()["removed_at"].is_string());
    agent.call_because("address.remove", remove).await.refused("NOT_FOUND");
    let there = with(visit(&jane, "2030-01-09T09:00"), json!({"address_id": address}));
    agent.call("ticket.schedule", there).await.refused("NOT_FOUND");
    let found = agent.read("contacts", json!({"search": "elm"})).await.ok();
    assert_eq!(found, json!([]), "nobody lives there any more");
}
