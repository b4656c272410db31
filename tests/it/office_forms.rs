//! Finding a customer, booking a visit, and changing what is done on it and by whom: by forms, as a browser without scripts
//! does it.

use capabilities::Role;
use chrono::TimeDelta;
use serde_json::json;

use crate::desk::{Actor, Desk};
use crate::office_pages::{jane_today, read};
use crate::queue_pages::{Page, look, submit};
use crate::rest::Web;
use crate::services::{fixed, flexible, usd};
use crate::tickets_scheduling::{user, visit, with};

/// The values of a form's fields of this name.
fn values(page: &Page, name: &str) -> Vec<String> {
    let lead = format!("name=\"{name}\" value=\"");
    page.html.split(&lead).skip(1).map(|rest| rest.split('"').next().unwrap().to_string()).collect()
}

/// A form of the person's own page, with what was typed.
async fn send(web: &Web, who: &Actor, path: &str, fields: Vec<(&'static str, String)>) -> Page {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    submit(web, who, path, &fields).await
}

async fn person(desk: &Desk, name: &str) -> Actor {
    desk.sign_in(desk.user(name, Role::Technician).await).await
}

#[tokio::test]
async fn a_customer_is_found_by_whatever_one_knows() {
    let web = Web::open().await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    look(&web, &owner, "/contacts").await.has(&["There are no customers yet."]);
    let (jane, _) = jane_today(&web.desk, &[]).await;
    let more = json!({"family_name": "<b>Brown & Sons</b>"});
    owner.contact("Bob", more).await;
    let all = look(&web, &tara, "/contacts").await;
    all.has(&["Bob &lt;b&gt;Brown &amp; Sons", "Jane Smith", "123 Main Street, Madison, AL 35758 · (256) 555-0100"]);
    for known in ["smith", "256%20555%200100", "main+street", "dog", "jane@example.com", "smiht"] {
        let found = look(&web, &tara, &format!("/contacts?search={known}")).await;
        found.has(&["Jane Smith", &format!("href=\"/contacts/{jane}\"")]).has_not(&["Bob"]);
    }
    let nobody = look(&web, &owner, "/contacts?search=%3Ci%3Ezzyzx").await;
    nobody.has(&["Nobody is found by “&lt;i&gt;zzyzx”", "value=\"&lt;i&gt;zzyzx\""]);
    for number in 0..30 {
        owner.contact(&format!("Al {number:02}"), json!({"family_name": "Smith & Co"})).await;
    }
    let first = look(&web, &owner, "/contacts?search=smith+%26+co").await;
    let next =
        first.html.split("class=\"way\" href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let second = look(&web, &owner, &next).await;
    second.has(&["Back to the first"]);
    let names = |page: &Page| page.html.matches("<strong><bdi>Al ").count();
    assert_eq!((names(&first), names(&second)), (25, 5));
    assert_eq!(look(&web, &owner, "/contacts?cursor=nonsense").await.status, 422);
}

#[tokio::test]
async fn a_visit_is_booked_at_a_time_that_is_free() {
    let web = Web::open().await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    let (jane, _) = jane_today(&web.desk, &[&tara]).await;
    let gutters = fixed(&owner, "Gutters", 16_500, 60).await;
    look(&web, &owner, &format!("/contacts/{jane}")).await.has(&[&format!("href=\"/contacts/{jane}/book\"")]);
    let path = format!("/contacts/{jane}/book");
    let empty = look(&web, &owner, &path).await;
    empty.has(&["Book a visit", "Gutters – $165.00", "Tara Technician", "Whoever is free"]).has_not(&["Book it"]);
    let asked = format!("{path}?service={gutters}&quantity=2&day=2030-01-07");
    let free = look(&web, &owner, &asked).await;
    free.has(&["Gutters × 2", "Today", "nearby that day: Tara Technician", "10:45 – 11:45 AM", "1:00 – 2:00 PM"]);
    let today = free.html.split("</fieldset>").next().unwrap();
    assert!(!today.contains("9:00 – 10:00 AM") && !today.contains("9:30 – 10:30 AM"), "{today}");
    let slots = values(&free, "slot");
    let slot = slots.iter().find(|slot| slot.starts_with("2030-01-07T19:00:00Z")).unwrap();
    let once = free.field("once");
    let form = |slot: &str| {
        let fields = [("service", gutters.as_str()), ("quantity", "2"), ("day", "2030-01-07"), ("once", &once)];
        let fields = fields.into_iter().chain([("slot", slot), ("note", "Ladder <3 m>.")]);
        fields.map(|(name, value)| (name, value.to_string())).collect::<Vec<_>>()
    };
    let book = async |fields| send(&web, &owner, &path, fields).await;
    let nothing = book(form("")).await;
    assert_eq!(nothing.status, 422);
    nothing.has(&["Nothing is booked yet: Choose one of the free times", "Ladder &lt;3 m&gt;.", "1:00 – 2:00 PM"]);
    let booked = book(form(slot)).await;
    let ticket = booked.location.trim_start_matches("/tickets/").trim_end_matches("?told=booked").to_string();
    booked.leads_to(&format!("/tickets/{ticket}?told=booked"));
    book(form(slot)).await.leads_to(&format!("/tickets/{ticket}?told=booked"));
    let shown = look(&web, &owner, &booked.location).await;
    shown.has(&["Booked.", "Today, 1:00 – 2:00 PM", "Gutters", "2 × $165.00", "$330.00", "Tara Technician"]);
    shown.has(&["Ladder &lt;3 m&gt;."]);
    assert_eq!(web.desk.count("tickets").await, 2, "the same form of the same page books once");
    let free = values(&look(&web, &owner, &asked).await, "slot");
    assert!(!free.contains(slot) && free.iter().any(|slot| slot.starts_with("2030-01-07T20:15:00Z")), "{free:?}");

    let other = look(&web, &owner, &asked).await.field("once");
    let mut taken = form(slot);
    taken[3].1 = other;
    let refused = book(taken).await;
    assert_eq!(refused.status, 409);
    refused.has(&["Nothing is booked yet: Busy at that time: Tara Technician is at Jane Smith for Gutters"]);
}

#[tokio::test]
async fn a_time_that_is_typed_is_booked_too_even_beside_another_visit_if_one_says_so() {
    let web = Web::open().await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    let (jane, _) = jane_today(&web.desk, &[&tara]).await;
    let gutters = fixed(&owner, "Gutters", 16_500, 60).await;
    let (path, tara_id) = (format!("/contacts/{jane}/book"), user(&tara));
    let form = |starts_at: &'static str, more: &[(&'static str, &'static str)]| {
        let fields = [("service", gutters.as_str()), ("technician", &tara_id), ("slot", "another")];
        let fields = fields.into_iter().chain([("starts_at", starts_at)]).chain(more.iter().copied());
        fields.map(|(name, value)| (name, value.to_string())).collect::<Vec<_>>()
    };
    let book = async |fields| send(&web, &owner, &path, fields).await;
    for (at, status, words) in [
        ("", 422, "Choose the day and time."),
        ("2029-12-01T09:00", 409, "Choose a time to come."),
        ("2030-03-10T02:30", 422, "Nothing is booked yet:"),
        ("2030-01-07T09:30", 409, "Busy at that time"),
    ] {
        let refused = book(form(at, &[])).await;
        assert_eq!(refused.status, status, "{at}: {}", refused.words());
        refused.has(&[words, "<details open>", &format!("value=\"{at}\"")]);
    }
    assert_eq!(web.desk.count("tickets").await, 1);
    book(form("2030-01-07T09:30", &[])).await.has(&["Do it although both visits are at that time"]);
    let booked = book(form("2030-01-07T09:30", &[("anyway", "yes")])).await;
    assert_eq!(booked.status, 303, "{}", booked.words());
    let by_hand = [("service", gutters.as_str()), ("starts_at", "2030-01-08T13:00")];
    let booked = submit(&web, &owner, &path, &by_hand).await;
    look(&web, &owner, &booked.location).await.has(&["Tomorrow, 1:00 – 2:00 PM", "Nobody is on it yet."]);
}

#[tokio::test]
async fn only_the_office_books_and_only_for_customers_that_are_there() {
    let web = Web::open().await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    let (jane, _) = jane_today(&web.desk, &[&tara]).await;
    let path = format!("/contacts/{jane}/book");
    assert_eq!(look(&web, &tara, &path).await.status, 403);
    look(&web, &tara, &format!("/contacts/{jane}")).await.has_not(&["/book"]);
    let service = fixed(&owner, "Gutters", 16_500, 60).await;
    let form = [("service", service.as_str()), ("starts_at", "2030-01-08T13:00")];
    assert_eq!(submit(&web, &tara, &path, &form).await.status, 403);
    assert_eq!(web.desk.count("tickets").await, 1);
    let bob = owner.contact("Bob", json!({})).await;
    owner.call("contact.archive", json!({"contact_id": bob})).await.ok();
    look(&web, &owner, &format!("/contacts/{bob}")).await.has(&["This customer is archived"]).has_not(&["/book"]);
    let (stays, goes) = (owner.contact("Ann", json!({})).await, owner.contact("Anna", json!({})).await);
    owner.call("contact.merge", json!({"contact_id": stays, "merged_contact_id": goes})).await.ok();
    let refused = submit(&web, &owner, &format!("/contacts/{goes}/book"), &form).await;
    assert_eq!(refused.status, 409);
    refused.has(&["Nothing is booked yet: Anna was merged into Ann."]);
    let wrong = [("service", "nonsense"), ("slot", "another"), ("starts_at", "")];
    submit(&web, &owner, &path, &wrong).await.has(&["Nothing is booked yet: Choose the day and time."]);
    let nobody = "/contacts/01970000-0000-7000-8000-000000000001/book";
    assert_eq!(look(&web, &owner, nobody).await.status, 404);
    let refused = look(&web, &owner, &format!("{path}?service=nonsense&day=someday")).await;
    assert_eq!(refused.status, 422);
    refused.has(&["Nothing is booked yet:", "Show free times"]).has_not(&["Nothing is free"]);
    let closed = look(&web, &owner, &format!("{path}?service={service}&day=2030-01-12")).await;
    closed.has(&["Monday, January 14"]).has_not(&["January 12", "January 13"]);
}

#[tokio::test]
async fn what_is_to_be_done_is_changed_line_by_line() {
    let web = Web::open().await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    let (_, ticket) = jane_today(&web.desk, &[&tara]).await;
    let stains = flexible(&owner, "Stains").await;
    let (path, page) = (format!("/tickets/{ticket}"), format!("/tickets/{ticket}/lines"));
    look(&web, &tara, &path).await.has(&[&format!("href=\"{page}\"")]);
    let lines = look(&web, &tara, &page).await;
    lines.has(&["What is to be done", "Windows 2 × $149.00 $298.00", "Stains", "Total: $298.00"]);
    let send = async |more: &[(&str, &str)]| {
        let fields: Vec<_> = [("from", "lines")].iter().chain(more).copied().collect();
        submit(&web, &tara, &path, &fields).await
    };
    let add = [("do", "add_line"), ("service", stains.as_str()), ("quantity", "1,5"), ("price", "")];
    send(&add).await.leads_to(&format!("{page}?told=added"));
    let added = look(&web, &tara, &format!("{page}?told=added")).await;
    added.has(&["Added.", "Stains × 1.5", "no price yet", "without what has no price yet"]);
    let (line, version) = (values(&added, "line").pop().unwrap(), values(&added, "version").pop().unwrap());
    let change = |quantity: &'static str, price: &'static str| {
        [
            ("do", "change_line"),
            ("line", line.as_str()),
            ("version", &version),
            ("quantity", quantity),
            ("price", price),
        ]
        .map(|(name, value)| (name, value.to_string()))
    };
    let change = async |quantity, price| {
        let fields = change(quantity, price);
        send(&fields.each_ref().map(|(name, value)| (*name, value.as_str()))).await
    };
    for (quantity, price, words) in [
        ("0", "10", "This is not a quantity from 0.001 to 10000"),
        ("", "10", "Write how many"),
        ("2", "cheap", "Write the price as an amount"),
    ] {
        let refused = change(quantity, price).await;
        assert_eq!(refused.status, 422, "{quantity} {price}");
        refused.has(&[
            "Nothing was done yet:",
            words,
            &format!("name=\"price\" type=\"text\" inputmode=\"decimal\" autocomplete=\"off\" value=\"{price}\""),
        ]);
    }
    change("2", "$1,020.50").await.leads_to(&format!("{page}?told=changed"));
    look(&web, &tara, &page).await.has(&["2 × $1,020.50", "Total: $2,339.00", "value=\"1,020.50\""]);
    let stale = change("3", "1").await;
    assert_eq!(stale.status, 409);
    stale.has(&["Somebody changed this visit meanwhile."]);
    assert_eq!(read(&owner, &ticket).await["total"], usd(233_900));
    send(&[("do", "remove_line"), ("line", &line)]).await.leads_to(&format!("{page}?told=removed"));
    assert_eq!(read(&owner, &ticket).await["total"], usd(29_800));
    assert_eq!(send(&[("do", "add_line"), ("quantity", "1")]).await.status, 422);

    let tom = person(&web.desk, "Tom").await;
    look(&web, &tom, &page).await.has_not(&["ticket.add_line_item"]);
    let not_his = [("do", "remove_line"), ("from", "lines"), ("line", line.as_str())];
    submit(&web, &tom, &path, &not_his).await.has(&["Nothing was done yet:"]);
}

#[tokio::test]
async fn people_are_put_on_a_visit_and_taken_off_it() {
    let web = Web::open().await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    let tom = person(&web.desk, "Tom Tall").await;
    let (jane, ticket) = jane_today(&web.desk, &[&tara]).await;
    let more = json!({"technician_ids": [user(&tom)], "title": "Gutters"});
    owner.call("ticket.schedule", with(visit(&jane, "2030-01-07T10:00"), more)).await.ok();
    let (path, page) = (format!("/tickets/{ticket}"), format!("/tickets/{ticket}/crew"));
    let crew = look(&web, &owner, &page).await;
    crew.has(&[
        "Tara Technician On it",
        "Tom Tall Then at Jane Smith, 10:00 – 11:00 AM",
        "Max Manager works in the office",
    ]);
    look(&web, &tara, &page).await.has_not(&["ticket.assign", "ticket.unassign"]);
    let tom_id = user(&tom);
    let form = |what: &'static str| [("do", what), ("from", "crew"), ("technician", tom_id.as_str())];
    let refused = submit(&web, &owner, &path, &form("assign")).await;
    assert_eq!(refused.status, 409);
    refused.has(&["Nothing was done yet: Busy at that time: Tom Tall is at Jane Smith", "Put on it all the same"]);
    let anyway: Vec<_> = form("assign").into_iter().chain([("anyway", "yes")]).collect();
    submit(&web, &owner, &path, &anyway).await.leads_to(&format!("{page}?told=on"));
    look(&web, &owner, &format!("{page}?told=on")).await.has(&["Put on it.", "But at the same time at Jane Smith"]);
    submit(&web, &owner, &path, &form("unassign")).await.leads_to(&format!("{page}?told=off"));
    assert_eq!(submit(&web, &tara, &path, &form("assign")).await.status, 403);
    assert_eq!(read(&owner, &ticket).await["version"], 3);
}

#[tokio::test]
async fn what_a_customer_says_and_that_nobody_was_there_is_kept() {
    let web = Web::open().await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    let (_, ticket) = jane_today(&web.desk, &[&tara]).await;
    let path = format!("/tickets/{ticket}");
    look(&web, &tara, &path).await.has_not(&["ticket.record_confirmation", "ticket.mark_no_show"]);
    let page = look(&web, &owner, &path).await;
    page.has(&["ticket.record_confirmation", "Not asked yet"]).has_not(&["ticket.mark_no_show"]);
    let missing = submit(&web, &owner, &path, &[("do", "answer"), ("words", "Ring <twice>.")]).await;
    assert_eq!(missing.status, 422);
    missing.has(&["Choose what the customer says.", "Ring &lt;twice&gt;."]);
    let answer = [("do", "answer"), ("answer", "change_requested"), ("words", "After three, <please>.")];
    submit(&web, &owner, &path, &answer).await.leads_to(&format!("{path}?told=answered"));
    let page = look(&web, &owner, &format!("{path}?told=answered")).await;
    page.has(&[
        "The answer is kept.",
        "The customer wants another time",
        "After three, &lt;please&gt;.",
        "In the words of",
    ]);
    web.desk.pass(TimeDelta::hours(7));
    look(&web, &owner, &path).await.has(&["ticket.mark_no_show", "Nobody was there?"]);
    submit(&web, &owner, &path, &[("do", "no_show")]).await.leads_to(&format!("{path}?told=missed"));
    let page = look(&web, &owner, &format!("{path}?told=missed")).await;
    page.has(&["Kept: nobody was there.", "Nobody was there"]).has_not(&["/move", "/lines", "/crew"]);
    assert_eq!(read(&owner, &ticket).await["status"], "no_show");
}

#[tokio::test]
async fn a_clock_is_put_right_by_a_form() {
    let web = Web::open().await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    let tom = person(&web.desk, "Tom Tall").await;
    let (_, ticket) = jane_today(&web.desk, &[&tara, &tom]).await;
    let (path, page) = (format!("/tickets/{ticket}"), format!("/tickets/{ticket}/clock"));
    look(&web, &tara, &page).await.has(&["Nobody has clocked in yet."]);
    web.desk.pass(TimeDelta::minutes(6 * 60 + 17));
    web.desk.pass(TimeDelta::seconds(42));
    for (who, at) in [(&tara, "in"), (&tom, "in")] {
        who.call(&format!("ticket.clock_{at}"), json!({"ticket_id": ticket})).await.ok();
    }
    web.desk.pass(TimeDelta::minutes(90));
    tara.call("ticket.clock_out", json!({"ticket_id": ticket})).await.ok();
    look(&web, &tara, &path).await.has(&[&format!("href=\"{page}\"")]);
    let clock = look(&web, &tara, &page).await;
    clock.has(&["Tara Technician Mon, Jan 7, 9:17 – 10:47 AM", "Tom Tall", "since 9:17 AM"]);
    assert_eq!(clock.html.matches("ticket.update_clock_span").count(), 1, "her own");
    let field = |name: &str| clock.field(name);
    let (span, version) = (field("span"), field("version"));
    let (was_started, was_ended) = (field("was_started_at"), field("was_ended_at"));
    let form = |starts_at: &str, ends_at: &str| {
        let fields = [("do", "correct_clock"), ("from", "clock"), ("span", &span), ("version", &version)];
        let shown = [("was_started_at", was_started.as_str()), ("was_ended_at", &was_ended)];
        let typed = [("starts_at", starts_at), ("ends_at", ends_at)];
        fields.into_iter().chain(shown).chain(typed).map(|(name, text)| (name, text.to_string())).collect::<Vec<_>>()
    };
    let correct = async |fields| send(&web, &tara, &path, fields).await;
    for (starts_at, ends_at, words) in [
        (was_started.as_str(), "2030-01-07T09:00", "Must not turn it around"),
        (&was_started, "2030-01-07T20:00", "Must not be in the future"),
        ("", &was_ended, "Choose when it began."),
    ] {
        let refused = correct(form(starts_at, ends_at)).await;
        assert_eq!(refused.status, 422, "{}", refused.words());
        refused.has(&["Nothing was done yet:", words, &format!("value=\"{starts_at}\"")]);
    }
    correct(form(&was_started, "2030-01-07T10:02")).await.leads_to(&format!("{page}?told=corrected"));
    let spans = owner.read("clock_spans", json!({"ticket_id": ticket})).await.ok();
    assert_eq!(spans[0]["started_at"], "2030-01-07T15:17:42Z", "what was left as it was keeps its seconds");
    assert_eq!(spans[0]["ended_at"], "2030-01-07T16:02:00Z");
    let stale = correct(form(&was_started, "2030-01-07T10:03")).await;
    stale.has(&["Somebody changed this visit meanwhile."]);
    let off = [("do", "remove_clock"), ("from", "clock"), ("span", span.as_str())];
    submit(&web, &tom, &path, &off).await.has(&["Nothing was done yet: A technician may correct only a clock"]);
    submit(&web, &tara, &path, &off).await.leads_to(&format!("{page}?told=unclocked"));
    look(&web, &owner, &format!("{page}?told=unclocked"))
        .await
        .has(&["Taken off.", "Tom Tall"])
        .has_not(&["9:17 – 10"]);
}
