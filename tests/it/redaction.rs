//! Card and social security numbers, end to end: whichever way one comes in, no table keeps it.

use capabilities::redact::redact;
use capabilities::{Call, Door, Input, Options, Source};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::desk::{Desk, Reply};
use crate::layers::{none, read};

const CARD: &str = "4012 8888 8888 1881";
const SSN: &str = "123-45-6789";
/// What of them must stand nowhere, however the spaces and dashes are treated.
const TRACES: &[&str] = &["88888881881", "8888 1881", "8888-1881", "123456789", "45-6789", "45 6789"];

impl Desk {
    /// Every row of this organization in every table, as text: the logs too.
    async fn everything_kept(&self) -> String {
        let mut owner = self.sql().await;
        let tables: Vec<String> = sqlx::query_scalar(
            "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' \
             and c.relname <> '_sqlx_migrations' order by 1",
        )
        .fetch_all(&mut owner)
        .await
        .unwrap();
        let mut kept = String::new();
        for table in tables {
            let rows = format!("select to_jsonb(t)::text from {table} t where org_id = $1");
            let rows: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(rows)).bind(self.org).fetch_all(&mut owner).await.unwrap();
            rows.iter().for_each(|row| kept.push_str(&format!("{table} {row}\n")));
        }
        kept
    }

    #[track_caller]
    fn no_trace_in(kept: &str) {
        let lines = kept.lines().filter(|line| TRACES.iter().any(|trace| line.contains(trace)));
        assert_eq!(lines.collect::<Vec<_>>(), Vec::<&str>::new());
    }

    /// The kinds and fields on record, sorted.
    async fn security_events(&self) -> Vec<String> {
        let events = "select kind || ' ' || action || ' ' || field from security_events where org_id = $1 order by 1";
        sqlx::query_scalar(events).bind(self.org).fetch_all(&mut self.sql().await).await.unwrap()
    }
}

/// The fields that the warnings of an answer name.
fn fields_warned_of(reply: &Reply) -> Vec<String> {
    let warnings = reply.0.meta.warnings.iter().filter(|warning| warning.code == "redacted");
    let mut fields: Vec<String> =
        warnings.map(|warning| warning.message.split(' ').next().unwrap_or_default().to_string()).collect();
    fields.sort();
    fields
}

/// A contact with a card or social security number wherever free text goes.
fn leaky() -> Value {
    json!({
        "kind": "person", "given_name": "Jane", "notes": ["Likes dogs.", format!("Pays with {CARD}, her SSN is {SSN}.")],
        "addresses": [{"street": "1 Elm", "city": "Madison", "access_notes": format!("Code {CARD}#")}]
    })
}

#[tokio::test]
async fn a_number_in_any_free_text_is_kept_in_no_table() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let options = Options {
        reasoning: Some(format!("She said: charge {CARD}.")),
        idempotency_key: Some("once".into()),
        ..Options::default()
    };
    let reply = agent.call_with("contact.create", leaky(), options).await;
    let fields = ["/data/addresses/0/access_notes", "/data/notes/1", "/data/notes/1", "/reasoning"];
    assert_eq!(fields_warned_of(&reply), fields);
    Desk::no_trace_in(&reply.0.envelope().to_string());
    let contact = reply.id();

    let notes = agent.read("notes", json!({"contact_id": contact})).await.ok();
    assert_eq!(notes[0]["content"], "Pays with [REDACTED], her SSN is [REDACTED].");
    let addresses = agent.read("addresses", json!({"contact_id": contact})).await.ok();
    assert_eq!(addresses[0]["access_notes"], "Code [REDACTED]#");
    let expected = [
        "card_redacted contact.create /data/addresses/0/access_notes",
        "card_redacted contact.create /data/notes/1",
        "card_redacted contact.create /reasoning",
        "ssn_redacted contact.create /data/notes/1",
    ];
    assert_eq!(desk.security_events().await, expected);
    let kept = desk.everything_kept().await;
    Desk::no_trace_in(&kept);
    for table in ["call_log", "row_log", "notes", "addresses"] {
        let lines: Vec<_> = kept.lines().filter(|line| line.starts_with(&format!("{table} "))).collect();
        assert!(lines.iter().any(|line| line.contains("[REDACTED]")), "{table} keeps the text around it: {lines:#?}");
    }
}

#[tokio::test]
async fn the_call_log_keeps_the_cleaned_input_and_reasoning() {
    let desk = Desk::open().await;
    let options = Options { reasoning: Some(format!("Card {CARD}")), ..Options::default() };
    desk.agent().await.call_with("contact.create", leaky(), options).await.ok();
    let (input, reasoning): (Value, String) =
        sqlx::query_as("select input, reasoning from call_log where org_id = $1 and action = 'contact.create'")
            .bind(desk.org)
            .fetch_one(&mut desk.sql().await)
            .await
            .unwrap();
    assert_eq!(reasoning, "Card [REDACTED]");
    assert_eq!(input["notes"], json!(["Likes dogs.", "Pays with [REDACTED], her SSN is [REDACTED]."]));
    assert_eq!(input["addresses"][0]["access_notes"], "Code [REDACTED]#");
}

#[tokio::test]
async fn a_repeat_finds_the_cleaned_outcome_and_warns_again() {
    let desk = Desk::open().await;
    let (agent, contact) = (desk.agent().await, desk.agent().await.contact("Jane", json!({})).await);
    let key = || Options { idempotency_key: Some("note".into()), ..Options::default() };
    let data = json!({"contact_id": contact, "content": format!("Card {CARD}")});
    agent.call_with("note.add", data.clone(), key()).await.ok();
    let outcome: Value = sqlx::query_scalar("select outcome from idempotency_keys where org_id = $1")
        .bind(desk.org)
        .fetch_one(&mut desk.sql().await)
        .await
        .unwrap();
    assert_eq!(outcome["data"]["content"], "Card [REDACTED]");
    let again = agent.call_with("note.add", data, key()).await;
    assert_eq!(fields_warned_of(&again), ["/data/content"]);
    assert_eq!(desk.security_events().await.len(), 1, "a repeat is no second event");
    assert_eq!(desk.count("notes").await, 1);
}

#[tokio::test]
async fn a_change_of_a_text_is_cleaned_like_a_new_one() {
    let desk = Desk::open().await;
    let manager = desk.manager().await;
    let more = json!({"notes": ["Fine."], "addresses": [{"street": "1 Elm", "city": "Madison"}]});
    manager.contact("Jane", more).await;
    let note = manager.read("notes", json!({})).await.ok()[0]["id"].clone();
    let address = manager.read("addresses", json!({})).await.ok()[0]["id"].clone();
    let edited = manager.call("note.edit", json!({"note_id": note, "content": format!("Card {CARD}")})).await;
    assert_eq!(fields_warned_of(&edited), ["/data/content"]);
    assert_eq!(edited.ok()["content"], "Card [REDACTED]");
    let data = json!({"address_id": address, "access_notes": format!("SSN {SSN}")});
    let updated = manager.call("address.update", data).await;
    assert_eq!(fields_warned_of(&updated), ["/data/access_notes"]);
    assert_eq!(updated.ok()["access_notes"], "SSN [REDACTED]");
    Desk::no_trace_in(&desk.everything_kept().await);
}

#[tokio::test]
async fn of_items_the_field_names_the_item() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let contact = agent.contact("Jane", json!({})).await;
    let item = |text: &str| json!({"contact_id": contact, "content": text});
    let items = vec![item("Fine."), item(&format!("Card {CARD}"))];
    let reply = agent.call_items("note.add", items, Options::default()).await;
    assert_eq!(fields_warned_of(&reply), ["/items/1/content"]);
    reply.ok();
    assert_eq!(desk.security_events().await, ["card_redacted note.add /items/1/content"]);
    Desk::no_trace_in(&desk.everything_kept().await);
}

#[tokio::test]
async fn a_dry_run_shows_the_cleaned_text_and_records_no_event() {
    let desk = Desk::open().await;
    let preview = desk.agent().await.dry_run("contact.create", leaky()).await;
    assert_eq!(fields_warned_of(&preview).len(), 3);
    Desk::no_trace_in(&preview.0.envelope().to_string());
    assert_eq!(desk.security_events().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_refused_call_leaves_no_number_either() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let mut data = leaky();
    data[CARD] = json!("x");
    data["phones"] = json!([{"phone": CARD, "type": "pager"}]);
    agent.call("contact.create", data).await.refused("INVALID_INPUT");
    let why = Options { reasoning: Some(format!("Card {CARD}")), ..Options::default() };
    let nobody = json!({"contact_id": desk.org, "content": format!("Card {CARD}")});
    agent.call_with("note.add", nobody, why).await.refused("NOT_FOUND");
    Desk::no_trace_in(&desk.everything_kept().await);
}

#[tokio::test]
async fn phone_numbers_zip_codes_and_ids_are_left_alone() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let contact = agent.contact("Jane", json!({})).await;
    let content =
        format!("Call (256) 555-0100 or +1 256 555 0100, ZIP 35758-1234, contact {contact}, paid $1,234,567.89.");
    let reply = agent.call("note.add", json!({"contact_id": contact, "content": content})).await;
    assert_eq!(fields_warned_of(&reply), Vec::<String>::new());
    assert_eq!(reply.ok()["content"], content);
}

#[tokio::test]
async fn the_database_redacts_what_comes_past_the_program() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let contact = agent.contact("Jane", json!({"addresses": [{"street": "1 Elm", "city": "Madison"}]})).await;
    let past = "begin; select frontdesk.begin_call('ORG', 'ORG', now()); \
        insert into notes (org_id, id, contact_id, content, author_kind, author_name, source, created_at, updated_at) \
          values ('ORG', 'ORG', 'CONTACT', 'Card NUMBER', 'import', 'x', 'x', now(), now()); \
        update notes set content = 'SSN SECURITY' || content where org_id = 'ORG'; \
        update addresses set access_notes = 'Code NUMBER' where org_id = 'ORG'; \
        insert into call_log (org_id, id, at, caller_kind, caller_name, door, action, reasoning, outcome) \
          values ('ORG', 'ORG', now(), 'system', 'x', 'program', 'x', 'Card NUMBER', 'done'); \
        commit";
    let words =
        [("ORG", desk.org.to_string()), ("CONTACT", contact), ("NUMBER", CARD.into()), ("SECURITY", SSN.into())];
    let past = words.iter().fold(past.to_string(), |text, (word, value)| text.replace(word, value));
    sqlx::raw_sql(AssertSqlSafe(past)).execute(&mut desk.sql().await).await.unwrap();
    let note = agent.read("notes", json!({})).await.ok()[0].clone();
    assert_eq!(note["untrusted_text"]["text"], "SSN [REDACTED]Card [REDACTED]");
    assert_eq!(agent.read("addresses", json!({})).await.ok()[0]["access_notes"], "Code [REDACTED]");
    Desk::no_trace_in(&desk.everything_kept().await);
}

#[tokio::test]
async fn what_a_client_says_of_itself_is_cleaned_before_it_is_logged() {
    let desk = Desk::open().await;
    let caller = desk.agent().await.caller;
    let call = Call {
        action: "contact.create".into(),
        input: Input::One(json!({"kind": "person", "given_name": "Jane"})),
        options: Options::default(),
        source: Source::of(Door::Rest).client(Some(&format!("curl for card {CARD}"))),
    };
    assert!(desk.office.call(&caller, call).await.success());
    Desk::no_trace_in(&desk.everything_kept().await);
}

/// The inputs of the vectors that the program, the database and the page share, with their outputs.
fn vectors() -> Vec<(String, String)> {
    let vectors: Vec<Value> = serde_json::from_str(&read("capabilities/src/values/redact_vectors.json")).unwrap();
    let text = |vector: &Value, member: &str| vector[member].as_str().unwrap().to_string();
    vectors.iter().map(|vector| (text(vector, "input"), text(vector, "output"))).collect()
}

/// What the database makes of each text.
async fn redacted_by_the_database(texts: &[String]) -> Vec<String> {
    let redact = "select frontdesk.redact(t) from unnest($1::text[]) with ordinality as u (t, n) order by n";
    let mut owner = Desk::open().await.sql().await;
    let redacted: Vec<String> = sqlx::query_scalar(redact).bind(texts).fetch_all(&mut owner).await.unwrap();
    assert_eq!(redacted.len(), texts.len());
    redacted
}

#[tokio::test]
async fn the_database_and_the_program_agree_with_every_vector() {
    let vectors = vectors();
    assert!(vectors.len() > 100, "{} vectors", vectors.len());
    let inputs: Vec<String> = vectors.iter().map(|(input, _)| input.clone()).collect();
    let mut wrong = Vec::new();
    for ((input, output), stored) in vectors.iter().zip(redacted_by_the_database(&inputs).await) {
        let told = redact(input).text;
        if stored != *output || told != *output {
            wrong.push(format!("{input:?} must be {output:?}; the database: {stored:?}, the program: {told:?}"));
        }
    }
    none(&wrong);
}

#[tokio::test]
async fn the_database_and_the_program_agree_on_vectors_run_together() {
    let vectors = vectors();
    let next = |at: usize| vectors[at % vectors.len()].0.as_str();
    let texts: Vec<String> = (0..vectors.len())
        .flat_map(|at| {
            [(1, ""), (2, " "), (3, "-"), (5, ", "), (7, " ssn ")]
                .map(|(on, gap)| [next(at), gap, next(at + on)].concat())
        })
        .collect();
    let mut wrong = Vec::new();
    for (text, stored) in texts.iter().zip(redacted_by_the_database(&texts).await) {
        let told = redact(text).text;
        if stored != told {
            wrong.push(format!("{text:?}: the database: {stored:?}, the program: {told:?}"));
        }
    }
    none(&wrong);
}
