//! Forms made from an action's schema: whatever an action takes can be typed, what is wrong stands beside the field it is about,
//! and what was typed is kept and done once.

use axum::http::Method;
use capabilities::{OrgFacts, Registry, Tz};
use chrono::{DateTime, Timelike as _, Utc};
use serde_json::{Map, Value, json};
use ui_kit::Form;
use uuid::Uuid;

use crate::browser::{Driver, Premises, Screen};
use crate::browser_pages::check;
use crate::desk::Desk;
use crate::kit::with_kit;
use crate::layers::none;
use crate::office_pages::jane_today;
use crate::queue_pages::{Page, look, submit};
use crate::services::{fixed, usd};

const ORG: OrgFacts = OrgFacts { id: Uuid::nil(), timezone: Tz::America__Chicago, currency: *b"USD", country: *b"US" };

/// An input as far as it is typed: without what is empty in it, and to the minute.
fn as_typed(input: &Value) -> Value {
    let minutes = |time: DateTime<Utc>| time.with_second(0).unwrap().to_rfc3339().into();
    match input {
        Value::String(text) => text.parse().map_or_else(|_| input.clone(), minutes),
        Value::Object(members) => {
            let some = members.iter().filter(|(_, member)| !member.is_null());
            some.map(|(name, member)| (name.clone(), as_typed(member))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(as_typed).collect(),
        other => other.clone(),
    }
}

#[test]
fn whatever_an_action_shows_as_its_example_can_be_typed_into_its_form() {
    let registry = Registry::new(handlers::domains()).unwrap();
    let mut wrong = Vec::new();
    for action in registry.actions() {
        let form = Form::of(action.name);
        let typed = form.filled_in(action, &action.example, &ORG);
        match form.input(action, &Map::new(), &typed, &ORG) {
            Ok(input) if as_typed(&input.clone().into()) == as_typed(&action.example) => {}
            other => wrong.push(format!("{}: {typed:?} is read as {other:?}, not {}", action.name, action.example)),
        }
    }
    none(&wrong);
}

/// How often a text stands in a page.
fn count(page: &Page, text: &str) -> usize {
    page.html.matches(text).count()
}

#[tokio::test]
async fn every_action_has_a_page_and_nothing_is_done_by_an_empty_form() {
    let web = with_kit(Desk::open().await).await;
    let owner = web.desk.owner().await;
    jane_today(&web.desk, &[]).await;
    let before = web.desk.state().await;
    for action in web.desk.office.registry().actions() {
        let path = format!("/try/{}", action.name);
        let page = look(&web, &owner, &path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.words());
        page.has(&[
            &format!("data-capability=\"{}\"", action.name),
            "name=\"once\" value=\"",
            "name=\"_csrf\" value=\"",
        ]);
        page.has_not(&["autofocus", "aria-invalid", "expected_version", "style=", "http:", "https:"]);
        let ids: Vec<&str> = page.html.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        let mut once = ids.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), ids.len(), "{path}: {ids:?}");
        for of in page.html.split(" for=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(ids.contains(&of), "{path}: a label for {of}");
        }
        if action.input_schema()["required"].is_array() {
            let refused = submit(&web, &owner, &path, &[]).await;
            assert_eq!(refused.status, 422, "{path}: {}", refused.words());
            refused.has(&["Nothing was done yet:", "class=\"problem\""]);
            assert_eq!(count(&refused, "autofocus"), 1, "{path}: the first problem has the focus");
        }
    }
    assert_eq!(web.desk.state().await, before);
}

const WRONG: [(&str, &str); 6] = [
    ("name", "Windows <b>"),
    ("code", " "),
    ("kind", "work"),
    ("pricing.strategy", "fixed"),
    ("pricing.price", "cheap"),
    ("duration_minutes", "an hour"),
];
const RIGHT: [(&str, &str); 6] = [
    ("name", "Windows"),
    ("code", "W"),
    ("kind", "work"),
    ("pricing.strategy", "fixed"),
    ("pricing.price", "$1,149.50"),
    ("duration_minutes", "90"),
];

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field_and_what_was_typed_is_kept() {
    let web = with_kit(Desk::open().await).await;
    let owner = web.desk.owner().await;
    let path = "/try/services/new";
    let page = look(&web, &owner, path).await;
    page.has(&[
        "<h1>Offer something</h1>",
        "aria-current=\"page\">Customers</a>",
        "With fixed: the price.",
        "Duration minutes",
    ]);
    let once = page.field("once");
    let send = async |more: &[(&str, &str)]| {
        let fields: Vec<_> = [("once", once.as_str())].iter().chain(more).copied().collect();
        submit(&web, &owner, path, &fields).await
    };
    let refused = send(&WRONG).await;
    assert_eq!(refused.status, 422);
    refused.has(&[
        "Nothing was done yet: Code: Write something here.",
        "id=\"create-code-problem\">Write something here.</p>",
        "aria-describedby=\"create-code-hint create-code-problem\" aria-invalid=\"true\" autofocus",
        "id=\"create-pricing-price-problem\">Write an amount, such as 149.50.</p>",
        "id=\"create-duration-minutes-problem\">Write a whole number.</p>",
        "value=\"Windows &lt;b&gt;\"",
        "value=\"cheap\"",
        "value=\"work\" checked",
        "value=\"fixed\" checked",
    ]);
    assert_eq!((count(&refused, "autofocus"), count(&refused, "aria-invalid")), (1, 3));
    let long = "x".repeat(300);
    let of_the_office = [
        ("name", long.as_str()),
        ("code", "W"),
        ("kind", "sorcery"),
        ("pricing.strategy", "fixed"),
        ("pricing.price", "$1,149.50"),
        ("duration_minutes", "0"),
    ];
    let refused = send(&of_the_office).await;
    assert_eq!(refused.status, 422);
    refused.has(&["id=\"create-name-problem\">Has more than", "Must be one of work, product.", "value=\"$1,149.50\""]);
    assert_eq!(count(&refused, "autofocus"), 1);
    for _ in 0..2 {
        send(&RIGHT).await.leads_to("/try/services?did=service.create");
    }
    assert_eq!(web.desk.count("services").await, 1, "the same form of the same page is done once");
    let service = owner.read("services", json!({})).await.ok()[0].clone();
    assert_eq!((&service["pricing"]["price"], &service["duration_minutes"]), (&usd(114_950), &json!(90)));
    let again = look(&web, &owner, path).await.field("once");
    let taken: Vec<_> = [("once", again.as_str())].iter().chain(&RIGHT).copied().collect();
    let refused = submit(&web, &owner, path, &taken).await;
    assert_eq!(refused.status, 409, "{}", refused.words());
    refused.has(&["class=\"problem\" tabindex=\"-1\" autofocus>", "value=\"Windows\""]);
}

/// The fields of the form in the page, as they stand there or with something else in them.
fn filled_in(page: &Page, changed: &[(&str, &str)]) -> Vec<(String, String)> {
    let main = page.html.split("<main").nth(1).unwrap();
    let names = main.split("name=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let value = |name: &str| match name {
        "access_notes" => "Gate code 4711.".to_string(),
        name => {
            let after = page.html.split(&format!("name=\"{name}\"")).nth(1).unwrap();
            after.split("value=\"").nth(1).unwrap().split('"').next().unwrap().into()
        }
    };
    let changed = |name: &str| changed.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_string());
    let own = names.filter(|name| *name != "_csrf");
    own.map(|name| (name.to_string(), changed(name).unwrap_or_else(|| value(name)))).collect()
}

#[tokio::test]
async fn what_was_left_as_it_was_is_not_changed_and_what_was_emptied_is_cleared() {
    let web = with_kit(Desk::open().await).await;
    let owner = web.desk.owner().await;
    let (jane, _) = jane_today(&web.desk, &[]).await;
    let address = owner.read("addresses", json!({"contact_id": jane})).await.ok()[0].clone();
    let id = address["id"].as_str().unwrap();
    let path = format!("/try/addresses/{id}");
    let page = look(&web, &owner, &path).await;
    page.has(&["value=\"123 Main Street\"", "value=\"Madison\"", "Gate code 4711.</textarea>", "What they call it"]);
    page.has_not(&["Latitude"]);
    assert!(page.html.find("name=\"street\"") < page.html.find("name=\"label\""), "in the order of the form");
    assert!(page.html.find("name=\"label\"") < page.html.find("name=\"city\""), "which comes before the rest");
    let send = async |fields: Vec<(String, String)>| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        submit(&web, &owner, &path, &fields).await
    };
    send(filled_in(&page, &[("label", "Lake house"), ("access_notes", "")]))
        .await
        .leads_to("/today?did=address.update");
    let changed = owner.get("addresses", id).await.ok();
    assert_eq!(
        (&changed["label"], changed.get("access_notes"), &changed["version"]),
        (&json!("Lake house"), None, &json!(2))
    );
    assert_eq!((&changed["street"], &changed["region"]), (&address["street"], &address["region"]));
    let trail = owner.read("audit", json!({"action": "address.update"})).await.ok();
    let touched = trail[0]["changes"][0]["fields"].as_object().unwrap();
    assert_eq!(touched.keys().collect::<Vec<_>>(), ["access_notes", "label"]);
    look(&web, &owner, "/today?did=address.update").await.has(&["role=\"status\">"]);
    look(&web, &owner, "/today?did=nonsense").await.has_not(&["role=\"status\">"]);
    let stale = send(filled_in(&page, &[("label", "Home")])).await;
    assert_eq!(stale.status, 409);
    stale.has(&[
        "Somebody changed this address meanwhile. Look again how it stands now.",
        "value=\"Home\"",
        "name=\"version\" value=\"2\"",
    ]);
}

#[tokio::test]
async fn a_form_of_what_is_not_there_or_not_ones_own_to_do_is_no_page() {
    let web = with_kit(Desk::open().await).await;
    let (owner, technician) = (web.desk.owner().await, web.desk.technician().await);
    let jane = owner.contact("Jane", json!({})).await;
    let path = format!("/try/contacts/{jane}/delete");
    let before = web.desk.state().await;
    for refused in [look(&web, &technician, &path).await, submit(&web, &technician, &path, &[]).await] {
        assert_eq!(refused.status, 403);
        refused
            .has(&["This is for managers and owners to do.", "Sign out", "Today"])
            .has_not(&["Jane", "contact.delete"]);
    }
    for nowhere in ["/try/contacts/x/delete", "/try/contacts/01970000-0000-7000-8000-000000000001/delete"] {
        let page = look(&web, &owner, nowhere).await;
        assert_eq!(page.status, 404, "{nowhere}");
        page.has(&["There is nothing here", "There is no such contact."]);
    }
    let response = web.send(web.request_of(&owner, Method::PUT, &path, "")).await;
    assert_eq!((response.status, response.headers["allow"].to_str().unwrap()), (405, "GET, HEAD, POST"));
    assert_eq!(web.desk.state().await, before);
    look(&web, &owner, &path).await.has(&["<bdi>Jane</bdi>", "class=\"grave\"", "Nothing brings it back."]);
    submit(&web, &owner, &path, &[]).await.leads_to("/contacts?did=contact.delete");
    assert_eq!(web.desk.count("contacts").await, 0);
}

#[tokio::test]
async fn there_is_room_for_one_more_of_several_things() {
    let web = with_kit(Desk::open().await).await;
    let owner = web.desk.owner().await;
    let path = "/try/contact.create";
    let page = look(&web, &owner, path).await;
    page.has(&["name=\"emails.0.email\" type=\"email\"", "name=\"more\" value=\"emails\""])
        .has_not(&["emails.1.email"]);
    let one = [("kind", "person"), ("given_name", "Ann"), ("emails.0.email", "ann@example.com"), ("more", "emails")];
    let more = submit(&web, &owner, path, &one).await;
    assert_eq!((more.status, web.desk.count("contacts").await), (200, 0));
    more.has(&["value=\"Ann\"", "name=\"emails.1.email\""]).has_not(&["Nothing was done yet"]);
    let two = [("emails.1.email", "nonsense"), ("tags", "vip\r\n\r\nnorth ")];
    let wrong: Vec<_> = one[..3].iter().chain(&two).copied().collect();
    submit(&web, &owner, path, &wrong)
        .await
        .has(&["id=\"create-emails-1-email-problem\">This is not an e-mail address"]);
    let right: Vec<_> =
        one[..3].iter().chain(&two[1..]).chain(&[("emails.1.email", "a@example.com")]).copied().collect();
    submit(&web, &owner, path, &right).await.leads_to("/today?did=contact.create");
    let ann = owner.read("contacts", json!({})).await.ok()[0].clone();
    assert_eq!(ann["tags"], json!(["north", "vip"]));
    assert_eq!(ann["emails"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_can_use_a_form_that_is_made_of_a_schema_on_every_screen() {
    let premises = Premises::serving(with_kit(Desk::open().await).await).await;
    let owner = premises.web.desk.owner().await;
    let (jane, ticket) = jane_today(&premises.web.desk, &[]).await;
    fixed(&owner, "Windows", 14_900, 90).await;
    let address =
        owner.read("addresses", json!({"contact_id": jane})).await.ok()[0]["id"].as_str().unwrap().to_string();
    let driver = Driver::start();
    let browser = driver.browser(&premises).await;
    browser.be(&owner).await;
    for (name, path) in [
        ("form-service", "/try/services/new".to_string()),
        ("form-address", format!("/try/addresses/{address}")),
        ("form-delete", format!("/try/contacts/{jane}/delete")),
        ("form-contact", "/try/contact.create".into()),
        ("form-schedule", "/try/ticket.schedule".into()),
        ("visit-forms", format!("/tickets/{ticket}")),
    ] {
        check(&browser, &(name, path)).await;
    }
    browser.without_scripts(true).await;
    browser.go("/try/services/new").await;
    browser.write("#create-name", "Screens").await;
    browser.click("main form button[type='submit']:last-of-type").await;
    browser.without_scripts(false).await;
    browser.says("Nothing was done yet:").await;
    assert_eq!(browser.look("document.activeElement.id").await, "create-code", "the first problem has the focus");
    assert_eq!(browser.look("document.querySelector('#create-name').value").await, "Screens");
    browser.picture("form-service-problems").await;
    browser.on(Screen::Phone).await;
    browser.go(&format!("/tickets/{ticket}")).await;
    browser.click("details:has([data-capability='ticket.cancel']) summary").await;
    browser.write("#cancel-reason", " ").await;
    browser.click("form[data-capability='ticket.cancel'] button").await;
    browser.says("Nothing was done yet: Write in a few words why it is cancelled.").await;
    assert_eq!(browser.look("document.activeElement.id").await, "cancel-reason");
    assert_eq!(browser.look("document.querySelectorAll('details[open]').length").await, 1, "its form is open again");
    browser.picture("visit-cancel-problem").await;
    browser.dark(true).await;
    browser.picture("visit-cancel-problem-dark").await;
}
