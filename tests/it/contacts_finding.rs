//! Finding contacts: what is found, in which order, and that it stays quick however unlike the organizations are.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::desk::{Actor, Desk};

async fn named(agent: &Actor, given: &str, family: &str, more: Value) -> String {
    let mut data = json!({"family_name": family});
    data.as_object_mut().unwrap().extend(crate::desk::object(more));
    agent.contact(given, data).await
}

async fn found(agent: &Actor, search: &str) -> Vec<String> {
    let rows = agent.read("contacts", json!({"search": search})).await.ok();
    rows.as_array().unwrap().iter().map(|row| row["display_name"].as_str().unwrap().to_string()).collect()
}

#[tokio::test]
async fn whole_words_go_first_and_near_ones_fill_what_is_left_of_the_page() {
    let desk = Desk::open().await;
    let agent = desk.system().await;
    named(&agent, "Amy", "Abbot", json!({})).await;
    named(&agent, "Ann", "Abbott", json!({})).await;
    named(&agent, "Bob", "Abbottson", json!({})).await;
    named(&agent, "Cy", "Young", json!({"addresses": [{"street": "1 Abbott Road", "city": "Athens"}]})).await;
    named(&agent, "Di", "Hill", json!({"notes": ["Knows the Abbott family."]})).await;
    let expected = ["Ann Abbott", "Cy Young", "Di Hill", "Bob Abbottson", "Amy Abbot"];
    assert_eq!(found(&agent, "abbott").await, expected, "by name, elsewhere, in notes, beginning so, one slip apart");
    assert_eq!(found(&agent, "abbo").await.len(), 5, "what begins so");
    assert_eq!(found(&agent, "bottso").await, ["Bob Abbottson"], "inside a word, when nothing else fits");
    let rows = agent.read("customer_matches", json!({"search": "abbott"})).await.ok();
    let why: Vec<_> = rows.as_array().unwrap().iter().map(|row| &row["matched"][0]).collect();
    let because = |found: &str, place: &str| json!({"word": "abbott", "found": found, "in": place});
    assert_eq!(*why[0], because("abbott", "name"));
    assert_eq!(*why[1], because("abbott", "address"));
    assert_eq!(*why[2], because("abbott", "tags_or_notes"));
    assert_eq!(*why[3], because("abbottson", "name"));
    assert_eq!(*why[4], because("abbot", "name"));
}

#[tokio::test]
async fn a_full_page_is_not_followed_by_near_words() {
    let desk = Desk::open().await;
    let agent = desk.system().await;
    let people = |family: &str, count: usize| -> Vec<Value> {
        (0..count).map(|n| json!({"kind": "person", "given_name": format!("P{n}"), "family_name": family})).collect()
    };
    agent.call_items("contact.create", people("Abbott", 24), capabilities::Options::default()).await.ok();
    named(&agent, "Amy", "Abbot", json!({})).await;
    let select = |agent: Actor| async move {
        let selection = capabilities::Selection {
            data_type: "contacts".into(),
            filters: crate::desk::object(json!({"search": "abbott"})),
            limit: Some(10),
            ..capabilities::Selection::default()
        };
        agent.select(selection).await.0.meta.total
    };
    assert_eq!(select(agent.clone()).await, Some(json!(25)), "24 and a near one");
    named(&agent, "Zoe", "Abbott", json!({})).await;
    assert_eq!(select(agent.clone()).await, Some(json!(25)), "25 as they are");
}

#[tokio::test]
async fn words_are_found_wherever_they_stand_together_or_apart() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let more = json!({
        "emails": [{"email": "j.o'neil@mail.example.com"}], "phones": [{"phone": "(256) 555-0100"}, {"phone": "555-0177"}],
        "addresses": [{"street": "12 Smith-Jones Road", "city": "Löwenstein"}], "tags": ["gate code"],
        "notes": ["The dog bites.", "Gutters in spring."]
    });
    named(&agent, "Jane", "Smith", more).await;
    named(&agent, "Other", "Person", json!({"notes": ["The dog sleeps."]})).await;
    for search in [
        "smith dog",
        "dog gutters",
        "gutters dog lowenstein",
        "smith-jones",
        "jones smith",
        "o'neil",
        "j.o'neil@mail.example.com",
        "J.O'NEIL@MAIL",
        "mail.example",
        "0100",
        "55-0100 smith",
        "2565550100",
        "0177",
        "gate code",
        "guters spring",
        "smith & jones",
        "smith gutt",
    ] {
        assert_eq!(found(&agent, search).await, ["Jane Smith"], "{search}");
    }
    for search in [
        "smith sleeps",
        "bob@mail.example.com",
        "256-555-0101",
        "555-0178",
        "&",
        "''",
        "\\",
        "!",
        "dog | cat & (",
        ":*",
    ] {
        assert_eq!(found(&agent, search).await, Vec::<String>::new(), "{search}");
    }
    assert_eq!(found(&agent, "dog").await.len(), 2);
}

#[tokio::test]
async fn filters_narrow_a_search_before_it_is_counted() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let at = |city: &str, code: &str, tag: &str| json!({"tags": [tag], "addresses": [{"street": "1 Elm", "city": city, "postal_code": code}]});
    named(&agent, "Ann", "Field", at("Athens", "35611", "vip")).await;
    let archived = named(&agent, "Bob", "Field", at("Madison", "35758", "late")).await;
    named(&agent, "Cy", "Field", at("Madison", "35758", "vip")).await;
    agent.call_because("contact.archive", json!({"contact_id": archived})).await.ok();
    let count = async |filters: Value| {
        let mut all = json!({"search": "field"});
        all.as_object_mut().unwrap().extend(crate::desk::object(filters));
        agent.read("contacts", all).await.0.meta.total.unwrap()
    };
    assert_eq!(count(json!({})).await, json!(2));
    assert_eq!(count(json!({"archived": "only"})).await, json!(1));
    assert_eq!(count(json!({"archived": "any"})).await, json!(3));
    assert_eq!(count(json!({"tag": "vip"})).await, json!(2));
    assert_eq!(count(json!({"city": "MADISON"})).await, json!(1));
    assert_eq!(count(json!({"city": "madison", "postal_code": "35611"})).await, json!(0));
    assert_eq!(count(json!({"postal_code": "35758", "archived": "any", "tag": "late"})).await, json!(1));
}

#[tokio::test]
async fn a_word_that_nobody_has_any_more_is_forgotten() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let id = agent.contact("Quillon", json!({"family_name": "Smith", "notes": ["A zeppelin on the roof."]})).await;
    agent.contact("Other", json!({"family_name": "Smith"})).await;
    agent.call("contact.update", json!({"contact_id": id, "given_name": "Quentin"})).await.ok();
    let mut service = desk.sql().await;
    let begin = format!(
        "begin; set local role {}; select frontdesk.begin_call('{org}', '{org}', now())",
        frontdesk::APP_ROLE,
        org = desk.org
    );
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut service).await.unwrap();
    let (mut beyond, mut steps) = (String::new(), 0);
    loop {
        let last: Option<String> = sqlx::query_scalar("select frontdesk.forget_words($1, 3)")
            .bind(&beyond)
            .fetch_one(&mut service)
            .await
            .unwrap();
        let Some(last) = last else { break };
        assert!(last > beyond, "{last} after {beyond}");
        (beyond, steps) = (last, steps + 1);
    }
    assert!(steps > 2, "{steps}");
    sqlx::raw_sql("commit").execute(&mut service).await.unwrap();
    let words: Vec<String> = sqlx::query_scalar("select word::text from search_words where org_id = $1 order by word")
        .bind(desk.org)
        .fetch_all(&mut desk.sql().await)
        .await
        .unwrap();
    assert_eq!(words, ["a", "on", "other", "quentin", "roof", "smith", "the", "zeppelin"]);
}

/// So many contacts, of whom 20 are called Fairweather and every fifth lives in Madison, as a bulk import leaves them.
async fn populate(owner: &mut PgConnection, org: Uuid, contacts: usize) {
    let statements = format!(
        "begin; select frontdesk.begin_call('{org}', gen_random_uuid(), now()); \
         create temp table people on commit drop as select gen_random_uuid() as id, n from generate_series(1, {contacts}) n; \
         insert into contacts (org_id, id, kind, given_name, family_name, created_at, updated_at) \
           select '{org}', id, 'person', 'Pat', case when n % ({contacts} / 20) = 1 then 'Fairweather' \
             else initcap(translate(substr(md5((n / 5)::text), 1, 7), '0123456789', 'aeioulnrst')) end, now(), now() from people; \
         insert into addresses (org_id, id, contact_id, street, street2, city, country, is_primary, created_at, updated_at) \
           select '{org}', id, id, n || ' Main Street', repeat('behind the church ', 20), case n % 5 when 0 then 'Madison' else 'Athens' end, 'US', true, now(), now() \
             from people; \
         insert into call_log (org_id, id, at, caller_kind, caller_name, door, action, outcome) \
           select '{org}', frontdesk.call_id(), now(), 'system', 'test', 'program', 'test.populate', 'done'; \
         commit"
    );
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(owner).await.unwrap();
}

/// How many hits there are, and how many pages were looked at, by the service's role with its settings.
async fn looked_at(service: &mut PgConnection, org: Uuid, word: &str) -> (i64, i64) {
    let begin = format!(
        "begin; set local role {}; set local plan_cache_mode = force_custom_plan; select frontdesk.begin_call('{org}', '{org}', now())",
        frontdesk::APP_ROLE
    );
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut *service).await.unwrap();
    let explain = format!(
        "explain (analyze, buffers, format json) select * from frontdesk.find_contacts( \
           '{org}', array['{word}'], '{{}}', 'no', null, null, null, false, null, null, null, null, null, 26)"
    );
    let plan: Value = sqlx::query_scalar(AssertSqlSafe(explain)).fetch_one(&mut *service).await.unwrap();
    sqlx::raw_sql("rollback").execute(&mut *service).await.unwrap();
    let top = &plan[0]["Plan"];
    let pages = top["Shared Hit Blocks"].as_i64().unwrap() + top["Shared Read Blocks"].as_i64().unwrap();
    (top["Actual Rows"].as_f64().unwrap() as i64, pages)
}

#[tokio::test]
async fn plans_that_are_kept_suit_organizations_of_every_size() {
    let (small, large) = (Desk::open().await, Desk::open().await);
    let mut owner = large.sql().await;
    populate(&mut owner, small.org, 40).await;
    populate(&mut owner, large.org, 4_000).await;
    sqlx::raw_sql("analyze contact_search, note_search, search_words").execute(&mut owner).await.unwrap();
    // What reading the large organization's rows one by one would take.
    let pages = "select count(distinct (ctid::text::point)[0]) from contact_search where org_id = $1";
    let whole: i64 = sqlx::query_scalar(pages).bind(large.org).fetch_one(&mut owner).await.unwrap();
    assert!(whole > 150, "{whole}");
    for [first, second] in [[&small, &large], [&large, &small]] {
        let mut service = large.sql().await;
        for _ in 0..10 {
            looked_at(&mut service, first.org, "fairweather").await;
            looked_at(&mut service, first.org, "madison").await;
        }
        for org in [first.org, second.org] {
            let (hits, pages) = looked_at(&mut service, org, "fairweather").await;
            assert_eq!(hits, 20);
            assert!(pages < 120, "{pages} pages for 20 hits of {whole}");
        }
    }
}
