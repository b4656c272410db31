//! The day's work on pages: who sees what, the clock by a form, and that it looks after those who use it.

use axum::http::Method;
use capabilities::{Options, Role};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::desk::{Actor, Desk};
use crate::queue_pages::{look, send, submit};
use crate::rest::Web;
use crate::services::fixed;
use crate::tickets_scheduling::{user, visit, with};

pub const FIRST_VIEW: usize = 14 << 10;

/// Jane, whose gate has a code, and her visit today at nine by these technicians; the ids of both.
pub async fn jane_today(desk: &Desk, technicians: &[&Actor]) -> (String, String) {
    let owner = desk.owner().await;
    let address = json!({
        "street": "123 Main Street", "city": "Madison", "region": "AL", "postal_code": "35758",
        "access_notes": "Gate code 4711."
    });
    let jane = json!({
        "family_name": "Smith", "phones": [{"phone": "(256) 555-0100", "type": "mobile"}], "addresses": [address],
        "emails": [{"email": "jane@example.com"}], "notes": ["Beware of the dog."]
    });
    let jane = owner.contact("Jane", jane).await;
    let windows = fixed(&owner, &crate::desk::fresh(), 14_900, 90).await;
    let technicians: Vec<String> = technicians.iter().map(|technician| user(technician)).collect();
    let more = json!({
        "title": "All windows", "line_items": [{"service_id": windows, "quantity": "2", "description": "Windows"}],
        "technician_ids": technicians
    });
    let ticket = owner.call("ticket.schedule", with(visit(&jane, "2030-01-07T09:00"), more)).await.id();
    (jane, ticket)
}

pub async fn read(actor: &Actor, ticket: &str) -> Value {
    actor.get("tickets", ticket).await.ok()
}

#[tokio::test]
async fn a_technician_begins_with_the_own_visits_of_today() {
    let web = Web::open().await;
    let tara = web.desk.technician().await;
    let tom = web.desk.sign_in(web.desk.user("Tom", Role::Technician).await).await;
    look(&web, &tara, "/").await.leads_to("/today");
    look(&web, &web.desk.owner().await, "/").await.leads_to("/queue");
    look(&web, &tara, "/today").await.has(&["Nothing is scheduled for you today."]).has_not(&["/queue/history"]);
    let (jane, ticket) = jane_today(&web.desk, &[&tara]).await;
    look(&web, &tara, "/today").await.has(&[
        "<h1>Today</h1>",
        "Monday, January 7 · 1 visit for you",
        "9:00 – 10:30 AM",
        "Jane Smith",
        "All windows",
        "123 Main Street, Madison, AL 35758",
        "href=\"geo:0,0?q=123%20Main%20Street%2C%20Madison%2C%20AL%2035758\"",
        "href=\"tel:+12565550100\"",
        "Gate code 4711.",
        "data-capability=\"ticket.clock_in\"",
        "aria-current=\"page\">Today</a>",
    ]);
    look(&web, &tom, "/today").await.has(&["Nothing is scheduled for you today."]).has_not(&["Jane"]);
    look(&web, &tom, &format!("/tickets/{ticket}")).await.has(&["Jane Smith"]).has_not(&["clock_in"]);
    look(&web, &tara, &format!("/contacts/{jane}")).await.has(&["Jane Smith"]);
}

#[tokio::test]
async fn the_office_sees_everybodys_visits_and_those_of_one() {
    let web = Web::open().await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    jane_today(&web.desk, &[&tara]).await;
    let tom = web.desk.user("Tom Tall", Role::Technician).await;
    let all = look(&web, &owner, "/today").await;
    all.has(&["1 visit", "With Tara Technician", "Everybody", "Tom Tall", "Waiting", "Calendar"]);
    all.has_not(&["data-capability=\"ticket.clock_in\"", "Max Manager"]);
    let of_tom = look(&web, &owner, &format!("/today?who={tom}")).await;
    of_tom.has(&["Nothing is scheduled for Tom Tall today.", "aria-current=\"true\"><bdi>Tom Tall"]);
    look(&web, &owner, &format!("/week/2030-01-07?who={}", user(&tara))).await.has(&["Jane Smith"]);
    look(&web, &owner, "/today?who=nonsense").await.has(&["Jane Smith"]);
}

#[tokio::test]
async fn the_calendar_shows_weeks_and_counts_days() {
    let web = Web::open().await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    let (jane, _) = jane_today(&web.desk, &[&tara]).await;
    let off = owner.call("ticket.schedule", visit(&jane, "2030-01-09T09:00")).await.id();
    owner.call("ticket.cancel", json!({"ticket_id": off, "reason": "Rain."})).await.ok();
    let week = look(&web, &tara, "/week").await;
    week.has(&["Jan 7 – Jan 13, 2030", "Jane Smith", "Thu, Jan 10 Nothing.", "href=\"/week/2030-01-14\""]);
    week.has_not(&["Cancelled"]);
    let week = look(&web, &owner, "/week/2030-01-10").await;
    week.has(&["9:00 – 10:30 AM", "Cancelled"]);
    let month = look(&web, &owner, "/month/2030-01").await;
    month.has(&["January 2030", "1 visit", "Monday, January 7: 1 visit", "Wednesday, January 9: 0 visits"]);
    month.has(&["href=\"/month/2029-12\"", "href=\"/month/2030-02\"", "href=\"/day/2030-01-09\""]);
    look(&web, &owner, "/month/2030-03").await.has(&["Nothing is scheduled in this month."]);
    look(&web, &owner, "/week/2030-03-04").await.has(&["Nothing is scheduled in this week."]);
    look(&web, &owner, "/day/2030-01-09").await.has(&["Wednesday, January 9", "0 visits", "Cancelled"]);
    look(&web, &owner, "/day/2030-01-08").await.has(&["Tomorrow", "Nothing is scheduled on this day."]);
    for (wrong, right) in [("/day/someday", "/today"), ("/week/13", "/week"), ("/month/2030-13", "/month")] {
        look(&web, &owner, wrong).await.leads_to(right);
    }
}

#[tokio::test]
async fn the_clock_is_started_and_stopped_by_forms_once_however_often_they_are_sent() {
    let web = Web::open().await;
    let tara = web.desk.technician().await;
    let (jane, ticket) = jane_today(&web.desk, &[&tara]).await;
    web.desk.pass(TimeDelta::hours(6));
    let path = format!("/tickets/{ticket}");
    let once = look(&web, &tara, "/today").await.has(&["Now: Jane Smith"]).field("once");
    let form = [("do", "clock_in"), ("from", "today"), ("once", once.as_str())];
    let (one, two) = tokio::join!(submit(&web, &tara, &path, &form), submit(&web, &tara, &path, &form));
    one.leads_to("/today?told=in");
    two.leads_to("/today?told=in");
    assert_eq!(web.desk.count("clock_spans").await, 1);
    web.desk.pass(TimeDelta::minutes(82));
    let running = look(&web, &tara, "/today?told=in").await;
    running.has(&["Your clock runs.", "In progress", "1 h 22 min so far", "data-capability=\"ticket.clock_out\""]);
    look(&web, &tara, "/week").await.has(&[&format!("<a href=\"{path}\"><bdi>Now: Jane Smith</bdi></a>")]);
    submit(&web, &tara, &path, &[("do", "clock_in")]).await.leads_to(&format!("{path}?told=in"));
    let once = look(&web, &tara, &path).await.has(&["1 h 22 min so far"]).field("once");
    submit(&web, &tara, &path, &[("do", "clock_out"), ("once", &once)]).await.leads_to(&format!("{path}?told=out"));
    let stopped = look(&web, &tara, &format!("{path}?told=out")).await;
    stopped.has(&["Your clock is stopped.", "1 h 22 min", "9:00 – 10:22 AM"]);
    submit(&web, &tara, &path, &[("do", "clock_out"), ("once", &once)]).await.leads_to(&format!("{path}?told=out"));
    assert_eq!(read(&tara, &ticket).await["clocked_minutes"], 82);
    web.desk.pass(TimeDelta::days(1));
    look(&web, &tara, &format!("/contacts/{jane}")).await.has(&["Last time: 1 h 22 min", "Beware of the dog."]);
}

#[tokio::test]
async fn a_forgotten_clock_is_stopped_at_the_time_somebody_says() {
    let web = Web::open().await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    let (_, ticket) = jane_today(&web.desk, &[&tara]).await;
    web.desk.pass(TimeDelta::hours(6));
    tara.call("ticket.clock_in", json!({"ticket_id": ticket})).await.ok();
    web.desk.pass(TimeDelta::days(1));
    let path = format!("/tickets/{ticket}");
    look(&web, &tara, "/today").await.has(&["Now: Jane Smith"]);
    look(&web, &owner, &path).await.has(&["Did Tara Technician forget to clock out?"]);
    let at = |at: &'static str| [("do", "clock_out"), ("at", at)];
    let mut form = at("2030-01-07T08:00").to_vec();
    let tara_id = user(&tara);
    form.push(("technician", &tara_id));
    let refused = submit(&web, &owner, &path, &form).await;
    assert_eq!(refused.status, 422, "{}", refused.words());
    refused.has(&["Nothing was done yet", "Must not be before the clock was started", "value=\"2030-01-07T08:00\""]);
    form[1].1 = "2030-01-07T10:30";
    submit(&web, &owner, &path, &form).await.leads_to(&format!("{path}?told=out"));
    assert_eq!(read(&owner, &ticket).await["clocked_minutes"], 90);
}

#[tokio::test]
async fn a_visit_is_moved_and_cancelled_by_forms_that_say_why_not() {
    let web = Web::open().await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    let (jane, ticket) = jane_today(&web.desk, &[&tara]).await;
    let more = json!({"technician_ids": [user(&tara)], "title": "Gutters"});
    let other = owner.call("ticket.schedule", with(visit(&jane, "2030-01-08T09:00"), more)).await.id();
    let path = format!("/tickets/{ticket}");
    look(&web, &tara, &path).await.has_not(&["/move", "ticket.cancel"]);
    look(&web, &tara, &format!("{path}/move")).await.has_not(&["ticket.reschedule"]);
    let page = look(&web, &owner, &path).await;
    page.has(&["/move", "ticket.cancel", "$298.00", "What happened to it"]);
    let free = look(&web, &owner, &format!("{path}/move")).await;
    free.has(&["ticket.reschedule", "nearby that day: Tara Technician", "Tomorrow", "10:30 AM – 12:00 PM"]);
    let version = free.field("version");
    let form = |at: &'static str| {
        [("do", "reschedule"), ("from", "move"), ("version", version.as_str()), ("slot", "another"), ("starts_at", at)]
    };
    for (at, status, words) in [
        ("2030-01-08T09:30", 409, "Tara Technician is at Jane Smith for Gutters"),
        ("2029-01-08T09:30", 409, "Choose a time to come."),
        ("", 422, "Choose the day and time."),
        ("soon", 422, "Nothing was done yet"),
    ] {
        let refused = submit(&web, &owner, &path, &form(at)).await;
        assert_eq!(refused.status, status, "{at}: {}", refused.words());
        refused.has(&[words, "Nothing was done yet", "autofocus"]).has_not(&[&format!("ticket {other}")]);
    }
    submit(&web, &owner, &path, &form("2030-01-08T13:00")).await.leads_to(&format!("{path}?told=moved"));
    look(&web, &owner, &format!("{path}?told=moved")).await.has(&[
        "Moved.",
        "Tomorrow, 1:00 – 2:30 PM",
        "Moved here from",
    ]);
    let free = look(&web, &owner, &format!("{path}/move?day=2030-01-08")).await;
    free.has(&["<legend>Tomorrow", "Earlier days"]).has_not(&["<legend>Today"]);
    let slot = free.html.split("name=\"slot\" value=\"").find(|slot| slot.starts_with("2030-01-08T19:30:00Z")).unwrap();
    let (slot, version) = (slot.split('"').next().unwrap(), free.field("version"));
    let chosen = [("do", "reschedule"), ("from", "move"), ("version", &version), ("slot", slot)];
    submit(&web, &owner, &path, &chosen).await.leads_to(&format!("{path}?told=moved"));
    look(&web, &owner, &path).await.has(&["Tomorrow, 1:30 – 3:00 PM"]);
    let nothing = submit(&web, &owner, &path, &chosen[..3]).await;
    assert_eq!(nothing.status, 422);
    nothing.has(&["Nothing was done yet: Choose one of the free times, or another one."]);
    let stale = submit(&web, &owner, &path, &form("2030-01-08T15:00")).await;
    assert_eq!(stale.status, 409);
    stale.has(&["Somebody changed this visit meanwhile."]);
    let version = stale.field("version");
    let empty = submit(&web, &owner, &path, &[("do", "cancel"), ("version", &version), ("reason", " ")]).await;
    empty.has(&["Write in a few words why it is cancelled."]);
    let form = [("do", "cancel"), ("version", version.as_str()), ("reason", "<b>Rain</b>")];
    submit(&web, &owner, &path, &form).await.leads_to(&format!("{path}?told=cancelled"));
    let cancelled = look(&web, &owner, &path).await;
    cancelled.has(&["Cancelled", "&lt;b&gt;Rain"]).has_not(&["<b>", "/move"]);
    let refused = submit(&web, &tara, &path, &[("do", "clock_in")]).await;
    assert_eq!(refused.status, 409);
    refused.has(&["Nothing was done yet", "role=\"alert\""]);
}

#[tokio::test]
async fn a_note_is_kept_once() {
    let web = Web::open().await;
    let tara = web.desk.technician().await;
    let (_, ticket) = jane_today(&web.desk, &[&tara]).await;
    let path = format!("/tickets/{ticket}");
    let once = look(&web, &tara, &path).await.field("once");
    let form = [("do", "note"), ("once", once.as_str()), ("content", "The north side needs <acid>.")];
    for _ in 0..2 {
        submit(&web, &tara, &path, &form).await.leads_to(&format!("{path}?told=noted"));
    }
    let page = look(&web, &tara, &path).await;
    assert_eq!(page.html.matches("needs &lt;acid&gt;").count(), 1, "{}", page.words());
    let empty = submit(&web, &tara, &path, &[("do", "note"), ("content", "")]).await;
    assert_eq!(empty.status, 422);
    empty.has(&["Write the note first."]);
}

#[tokio::test]
async fn what_does_not_come_from_the_persons_page_or_is_not_theirs_does_nothing() {
    let web = Web::open().await;
    let (tara, owner) = (web.desk.technician().await, web.desk.owner().await);
    let tom = web.desk.sign_in(web.desk.user("Tom", Role::Technician).await).await;
    let (jane, ticket) = jane_today(&web.desk, &[&tara]).await;
    let path = format!("/tickets/{ticket}");
    let before = web.desk.state().await;
    for csrf in ["", "x", &owner.session().csrf()] {
        let forged = send(&web, &tara, &path, &format!("do=clock_in&_csrf={csrf}")).await;
        assert_eq!(forged.status, 403);
        forged.has(&["That did not come from this page"]);
    }
    assert_eq!(send(&web, &tara, &path, "do=clock_in").await.status, 403);
    let not_hers = submit(&web, &tom, &path, &[("do", "clock_in")]).await;
    not_hers.has(&["Nothing was done yet", "only tickets that they are on"]);
    let moved = [("do", "reschedule"), ("starts_at", "2030-01-09T09:00")];
    assert_eq!(submit(&web, &tara, &path, &moved).await.status, 403);
    assert_eq!(submit(&web, &owner, &path, &[("do", "contact.delete")]).await.status, 422);
    assert_eq!(web.desk.state().await, before);

    let other = Web::open().await;
    let stranger = other.desk.owner().await;
    for path in [&path, &format!("/contacts/{jane}"), "/tickets/x", "/contacts/x"] {
        let page = look(&other, &stranger, path).await;
        assert_eq!(page.status, 404, "{path}");
        page.has(&["There is nothing here", "To today’s visits"]).has_not(&["Jane", "0197"]);
    }
    assert_eq!(submit(&other, &stranger, &path, &[("do", "clock_in")]).await.status, 404);
    look(&other, &stranger, "/month").await.has_not(&["Jane"]);
    look(&web, &tara, "/queue").await.has(&["This is not yours to decide"]);
}

#[tokio::test]
async fn whoever_is_not_signed_in_comes_back_to_the_same_visit() {
    let web = Web::open().await;
    let tara = web.desk.technician().await;
    let (_, ticket) = jane_today(&web.desk, &[&tara]).await;
    submit(&web, &tara, "/sign-out", &[]).await.leads_to("/sign-in");
    look(&web, &tara, "/").await.leads_to("/sign-in");
    look(&web, &tara, &format!("/tickets/{ticket}")).await.leads_to(&format!("/sign-in?next=/tickets/{ticket}"));
}

#[tokio::test]
async fn names_are_text_in_their_own_direction_whatever_they_say() {
    let web = Web::open().await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    let name = "<b>x</b>\u{202e}Bob";
    let address = json!({"street": "<i>1</i> \"A\" Street", "city": "Madison", "access_notes": "<img src=x>"});
    let bob = owner.contact(name, json!({"addresses": [address], "notes": ["<script>alert(1)</script>"]})).await;
    let more = json!({"title": "<b>All</b>", "technician_ids": [user(&tara)], "notes": ["<script>x</script>"]});
    let ticket = owner.call("ticket.schedule", with(visit(&bob, "2030-01-07T09:00"), more)).await.id();
    for path in ["/today", "/week", &format!("/tickets/{ticket}"), &format!("/contacts/{bob}")] {
        let page = look(&web, &owner, path).await;
        page.has(&["&lt;b&gt;x&lt;"]).has_not(&["<b>", "<i>", "<img", "<script>", "\u{202e}", "https:"]);
    }
}

#[tokio::test]
async fn a_busy_days_first_view_is_small_and_each_form_says_its_action() {
    let web = Web::open().await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    let (jane, ticket) = jane_today(&web.desk, &[&tara]).await;
    for hour in 10..16 {
        for crew in 0..4 {
            let title = format!("Windows inside and outside, round {crew}");
            let more = json!({"title": title, "ends_at": format!("2030-01-07T{hour}:45")});
            owner.call("ticket.schedule", with(visit(&jane, &format!("2030-01-07T{hour}:00")), more)).await.ok();
        }
    }
    let of_visit = |part: &str| format!("/tickets/{ticket}{part}");
    let service = owner.read("services", json!({})).await.ok()[0]["id"].as_str().unwrap().to_string();
    let of_jane = |part: &str| format!("/contacts/{jane}{part}");
    let book = format!("/book?service={service}");
    let paths = ["/today", "/week", "/month", "/contacts"].map(str::to_string).into_iter();
    let paths =
        paths.chain(["", "/lines", "/crew", "/clock", "/move"].map(of_visit)).chain(["", "/book", &book].map(of_jane));
    for path in &paths.collect::<Vec<_>>() {
        let page = look(&web, &owner, path).await;
        let files = page.html.split('"').filter(|text| text.starts_with('/') && text.contains(".css"));
        let mut size = 0;
        for path in files.chain([path.as_str()]) {
            let mut request = web.request_of(&owner, Method::GET, path, "");
            request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
            size += web.send(request).await.body.len();
        }
        assert!(size < FIRST_VIEW, "{path}: {size}");
        page.has_not(&["style=", "http:", "https:"]);
        let capabilities = page.html.matches("data-capability=").count();
        assert_eq!(page.html.matches("method=\"post\"").count(), capabilities, "{path}");
        let shown = page.words();
        let ids = shown.split(|c: char| !c.is_ascii_hexdigit() && c != '-').filter(|word| word.len() == 36);
        assert_eq!(ids.count(), 0, "no ids are shown at {path}: {shown}");
    }
}

#[tokio::test]
async fn of_a_week_with_more_visits_than_one_looks_over_the_counts_are_shown() {
    let web = Web::open().await;
    let (owner, tara) = (web.desk.owner().await, web.desk.technician().await);
    let (jane, _) = jane_today(&web.desk, &[&tara]).await;
    let at = |nth: usize| format!("2030-01-{:02}T{:02}:00", 8 + nth % 2, 8 + nth % 9);
    let visits: Vec<Value> = (0..200).map(|nth| visit(&jane, &at(nth))).collect();
    for items in visits.chunks(50) {
        owner.call_items("ticket.schedule", items.to_vec(), Options::default()).await.ok();
    }
    let week = look(&web, &owner, "/week/2030-01-07").await;
    week.has(&["Choose a technician, or a day.", "100 visits", "1 visit", "0 visits", "href=\"/day/2030-01-08\""]);
    week.has_not(&["Jane Smith"]);
    let hers = look(&web, &owner, &format!("/week/2030-01-07?who={}", user(&tara))).await;
    hers.has(&["Jane Smith"]).has_not(&["Choose a technician"]);
    look(&web, &owner, "/month/2030-01").await.has(&["201 visits", "Tuesday, January 8: 100 visits"]);
}
