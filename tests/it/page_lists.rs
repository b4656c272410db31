//! Lists made from a data type: columns in words, filters that stay in the address, page by page.

use serde_json::json;

use crate::browser::{Driver, Premises};
use crate::browser_pages::check;
use crate::desk::Desk;
use crate::kit::with_kit;
use crate::office_pages::jane_today;
use crate::queue_pages::look;
use crate::services::{fixed, flexible, usd};
use crate::tickets_scheduling::{user, visit};

#[tokio::test]
async fn every_data_type_has_a_list_in_words() {
    let web = with_kit(Desk::open().await).await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    jane_today(&web.desk, &[&tara]).await;
    web.desk.agent().await.call_on_each("contact.archive", &web.desk.contacts(6).await).await.held();
    let mut shown = 0;
    for entry in web.desk.office.registry().data_types() {
        let page = look(&web, &owner, &format!("/all/{}", entry.name)).await;
        // Some ask for a filter that has to be there.
        if page.status == 303 {
            continue;
        }
        shown += 1;
        assert_eq!(page.status, 200, "{}: {}", entry.name, page.words());
        page.has_not(&["style=", "=\"http", "null", "{&quot;"]);
        let words = page.words();
        let ids = words
            .split_whitespace()
            .filter(|word| !word.contains('@'))
            .flat_map(|word| word.split(|c: char| !c.is_ascii_hexdigit() && c != '-'))
            .filter(|word| word.len() == 36);
        assert_eq!(ids.count(), 0, "no ids are shown of {}: {words}", entry.name);
    }
    assert!(shown > 15, "{shown}");
}

#[tokio::test]
async fn a_list_is_narrowed_down_and_read_page_by_page() {
    let web = with_kit(Desk::open().await).await;
    let owner = web.desk.owner().await;
    look(&web, &owner, "/try/services").await.has(&[
        "<h1>What we offer</h1>",
        "Nothing is offered yet.",
        "Narrow down",
    ]);
    fixed(&owner, "<b>Windows</b>", 114_950, 1_090).await;
    let stains = flexible(&owner, "Stains").await;
    let page = look(&web, &owner, "/try/services").await;
    page.has(&[
        "2 services, by name",
        "<th scope=\"col\" class=\"number\">Price</th>",
        "data-label=\"Price\" class=\"number\"><bdi>$1,149.50</bdi>",
        "<bdi>1,090</bdi>",
        "title=\"Monday, January 7, 2030, 3:00 AM CST\">today, 3:00 AM</time>",
        &format!("<a href=\"/try/services/{stains}\"><bdi>Stains</bdi></a>"),
        "&lt;b&gt;Windows&lt;",
        "aria-current=\"page\">Customers</a>",
    ]);
    page.has_not(&["<b>", "Back to the first"]);
    let products = look(&web, &owner, "/try/services?kind=product").await;
    products.has(&[
        "Nothing of that kind is offered.",
        "Narrowed down",
        "<option value=\"product\" selected>Product</option>",
        "Show everything",
    ]);
    owner.call("service.archive", json!({"service_id": stains})).await.ok();
    look(&web, &owner, "/try/services?active=false")
        .await
        .has(&["1 service, by name", "Stains"])
        .has_not(&["&lt;b&gt;Windows"]);
    for wrong in ["?kind=nonsense", "?cursor=nonsense", "?active=perhaps"] {
        look(&web, &owner, &format!("/try/services{wrong}")).await.leads_to("/try/services");
    }
    for nth in 0..30 {
        fixed(&owner, &format!("Service {nth:02}"), 100, 30).await;
    }
    let first = look(&web, &owner, "/try/services?active=true&kind=work").await;
    first.has(&["31 services, by name", ">More</a>"]);
    let next = first.html.split("class=\"way\" href=\"").find(|rest| rest.contains("cursor=")).unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&");
    let second = look(&web, &owner, &next).await;
    second.has(&["Back to the first", "href=\"/try/services?kind=work&amp;active=true\""]);
    assert_eq!((first.html.matches("<tr>").count(), second.html.matches("<tr>").count()), (26, 7));
}

#[tokio::test]
async fn days_and_people_are_chosen_and_a_wrong_day_is_told_where_it_stands() {
    let web = with_kit(Desk::open().await).await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    let (jane, _) = jane_today(&web.desk, &[&tara]).await;
    owner.call("ticket.schedule", visit(&jane, "2030-02-07T09:00")).await.ok();
    let all = look(&web, &owner, "/try/visits").await;
    all.has(&[
        "Customer",
        "Starts at",
        "$298.00",
        "today, 9:00 AM",
        "Thu, Feb 7, 9:00 AM",
        "Anybody",
        "In progress</option>",
    ]);
    let hers = look(&web, &owner, &format!("/try/visits?who={}", user(&tara))).await;
    hers.has(&["today, 9:00 AM", "selected>Tara Technician</option>"]).has_not(&["Feb 7"]);
    look(&web, &owner, "/try/visits?from=2030-02-01&to=2030-02-07").await.has(&["Feb 7"]).has_not(&["today, 9:00"]);
    for (asked, problem) in [
        ("from=someday", "id=\"from-problem\">Choose a day, or leave it empty."),
        ("from=2030-02-01&to=2030-01-01", "id=\"to-problem\">This day lies before the first one: choose a later day."),
    ] {
        let wrong = look(&web, &owner, &format!("/try/visits?{asked}")).await;
        wrong
            .has(&[problem, "Nothing is shown yet: a field above needs another look.", "autofocus"])
            .has_not(&["$298"]);
    }
    look(&web, &tara, "/all/rules").await.has(&["This cannot be done", "To where you begin"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_can_use_a_list_that_is_made_of_a_data_type_on_every_screen() {
    let premises = Premises::serving(with_kit(Desk::open().await).await).await;
    let owner = premises.web.desk.owner().await;
    let driver = Driver::start();
    let browser = driver.browser(&premises).await;
    browser.be(&owner).await;
    check(&browser, &("list-none", "/try/services".into())).await;
    jane_today(&premises.web.desk, &[]).await;
    for nth in 0..3 {
        fixed(&owner, &format!("Windows inside and outside {nth}"), 14_900 * (nth + 1), 90).await;
    }
    let pricing = json!({"strategy": "fixed", "price": usd(9_999_999_999)});
    let long = "Wolfeschlegelsteinhausenbergerdorff".repeat(2);
    let service = json!({"name": long, "code": "LONG", "kind": "work", "pricing": pricing});
    owner.call("service.create", service).await.ok();
    for (name, path) in [
        ("list", "/try/services"),
        ("list-narrowed", "/try/services?kind=product"),
        ("list-visits", "/try/visits?from=2030-01-01"),
    ] {
        check(&browser, &(name, path.into())).await;
    }
}
