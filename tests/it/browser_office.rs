//! The pages of the day's work as they are seen, narrow and wide, light and dark, with nothing, little and much on them; and what
//! comes over a thin line until a clock runs.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::browser::{Browser, Driver, Premises, Screen};
use crate::browser_pages::{Page, check};
use crate::office_pages::{FIRST_VIEW, jane_today};
use crate::services::{flexible, usd};
use crate::tickets_scheduling::{user, visit, with};

const NOBODY: &str = "01970000-0000-7000-8000-000000000001";

/// A working day with everything on it: a visit that is done, one with a clock that runs, one without anybody, one called off.
async fn a_day(premises: &Premises) -> Vec<Page> {
    let desk = &premises.web.desk;
    let (owner, tara) = (desk.owner().await, desk.technician().await);
    let (jane, ticket) = jane_today(desk, &[&tara]).await;
    let stains = flexible(&owner, "Hard water stains").await;
    let line = json!({"ticket_id": ticket, "line_item": {"service_id": stains, "quantity": "2.5"}});
    owner.call("ticket.add_line_item", line).await.ok();
    let at = |time: &str| format!("2030-01-07T{time}");
    let early = json!({"technician_ids": [user(&tara)], "title": "Storefront", "ends_at": at("07:30")});
    let early = owner.call("ticket.schedule", with(visit(&jane, &at("07:00")), early)).await.id();
    let nobody = owner.call("ticket.schedule", visit(&jane, &at("13:00"))).await.id();
    let off = owner.call("ticket.schedule", visit(&jane, &at("15:00"))).await.id();
    owner.call("ticket.cancel", json!({"ticket_id": off, "reason": "Rain all day."})).await.ok();
    let answer = json!({"ticket_id": nobody, "answer": "declined", "words": "Not before spring, please."});
    owner.call("ticket.record_confirmation", answer).await.ok();
    desk.pass(TimeDelta::hours(7));
    for (action, id, time) in
        [("clock_in", &early, "07:00"), ("clock_out", &early, "07:40"), ("clock_in", &ticket, "09:05")]
    {
        tara.call(&format!("ticket.{action}"), json!({"ticket_id": id, "at": at(time)})).await.ok();
    }
    vec![
        ("today", "/today?told=in".into()),
        ("week", "/week".into()),
        ("month", "/month".into()),
        ("visit", format!("/tickets/{ticket}")),
        ("visit-scheduled", format!("/tickets/{nobody}?told=answered")),
        ("visit-cancelled", format!("/tickets/{off}?told=cancelled")),
        ("visit-lines", format!("/tickets/{ticket}/lines")),
        ("visit-clock", format!("/tickets/{ticket}/clock")),
        ("visit-move", format!("/tickets/{nobody}/move")),
        ("visit-crew", format!("/tickets/{nobody}/crew")),
        ("customers", "/contacts".into()),
        ("customer", format!("/contacts/{jane}")),
        ("booking", format!("/contacts/{jane}/book")),
        ("booking-free", format!("/contacts/{jane}/book?service={stains}&quantity=2")),
        ("booking-none", format!("/contacts/{jane}/book?service={stains}&technician={NOBODY}")),
        ("visit-none", "/tickets/01970000-0000-7000-8000-000000000001".into()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_can_use_the_pages_of_the_day_on_every_screen() {
    let premises = Premises::open().await;
    let driver = Driver::start();
    let browser = driver.browser(&premises).await;
    let owner = premises.web.desk.owner().await;
    browser.be(&owner).await;
    for (name, path) in [("today-none", "/today"), ("week-none", "/week"), ("customers-none", "/contacts")] {
        check(&browser, &(name, path.into())).await;
    }
    for page in a_day(&premises).await {
        check(&browser, &page).await;
    }
    browser.be(&premises.web.desk.technician().await).await;
    check(&browser, &("today-technician", "/today".into())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_any_length_fit_on_every_screen() {
    let premises = Premises::open().await;
    let desk = &premises.web.desk;
    let owner = desk.owner().await;
    let name = "Wolfeschlegelsteinhausenbergerdorff".repeat(2);
    let address = json!({"street": name, "city": name, "access_notes": name});
    let contact = owner.contact(&name, json!({"family_name": name, "addresses": [address], "notes": [name]})).await;
    let pricing = json!({"strategy": "fixed", "price": usd(9_999_999_999)});
    let service = json!({"name": name, "code": "LONG", "kind": "work", "pricing": pricing});
    let service = owner.call("service.create", service).await.id();
    let who = desk.user(&name, capabilities::Role::Technician).await;
    let more = json!({"line_items": [{"service_id": service, "quantity": "9999.999"}], "technician_ids": [who]});
    let ticket = owner.call("ticket.schedule", with(visit(&contact, "2030-01-07T09:00"), more)).await.id();
    let driver = Driver::start();
    let browser = driver.browser(&premises).await;
    browser.be(&owner).await;
    for (name, path) in [
        ("long-today", "/today".to_string()),
        ("long-week", "/week".into()),
        ("long-visit", format!("/tickets/{ticket}")),
        ("long-lines", format!("/tickets/{ticket}/lines")),
        ("long-crew", format!("/tickets/{ticket}/crew")),
        ("long-customers", "/contacts".into()),
        ("long-customer", format!("/contacts/{contact}")),
        ("long-booking", format!("/contacts/{contact}/book?service={service}")),
    ] {
        check(&browser, &(name, path)).await;
    }
}

/// What came over the line for the page in sight: how many answers, and their bytes.
async fn came(browser: &Browser) -> (u64, u64) {
    let entries = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]\
        .filter(it => it.transferSize > 0 && it.initiatorType != 'eventsource').map(it => it.transferSize)";
    let sizes: Vec<u64> = serde_json::from_value(browser.look(entries).await).unwrap();
    (sizes.len() as u64, sizes.iter().sum())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn little_comes_over_a_thin_line_until_a_clock_runs() {
    let premises = Premises::open().await;
    let (owner, tara) = (premises.web.desk.owner().await, premises.web.desk.technician().await);
    let (jane, _) = jane_today(&premises.web.desk, &[&tara]).await;
    for hour in 11..17 {
        let more = json!({"technician_ids": [user(&tara)], "title": "Windows inside and outside"});
        owner.call("ticket.schedule", with(visit(&jane, &format!("2030-01-07T{hour}:00")), more)).await.ok();
    }
    premises.web.desk.pass(TimeDelta::hours(6));
    let driver = Driver::start();
    let browser = driver.browser(&premises).await;
    browser.on(Screen::Phone).await;
    browser.be(&tara).await;
    browser.go("/today").await;
    browser.says("Now: Jane Smith").await;
    let (answers, bytes) = came(&browser).await;
    assert!(
        answers <= 5 && bytes < FIRST_VIEW as u64,
        "the page, two styles, a script and an icon: {answers}, {bytes}"
    );
    browser.tap("form[data-capability='ticket.clock_in'] button").await;
    browser.says("Your clock runs.").await;
    let (answers, bytes) = came(&browser).await;
    assert_eq!(answers, 1, "what pages load besides is there already");
    assert!(bytes < 5 << 10, "{bytes}");
    let redirects = browser.look("performance.getEntriesByType('navigation')[0].redirectCount").await;
    assert_eq!(redirects, Value::from(1), "the form, and the page after it");
}
