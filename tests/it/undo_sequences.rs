//! Undos after changes at random: each is refused with the later changes that stand against it, or everything the call had
//! changed is as it was before, and nothing else is touched; an undo of the undo has it back.
//!
//! FRONTDESK_TEST_SEED tries other sequences, FRONTDESK_TEST_SEQUENCES more of them; a failure names its seed.

use std::collections::{BTreeMap, BTreeSet};

use capabilities::Options;
use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::desk::{Actor, Desk, Reply};

const SEED: u64 = 20_300_107;
const SEQUENCES: u64 = 6;
const STEPS: usize = 24;
/// So few that changes meet.
const CONTACTS: usize = 4;

const GIVEN: &[&str] = &["Jane", "Janet", "Müller", "李"];
const EMAILS: &[&str] = &["jane@example.com", "j@example.com", "office@example.com"];
const PHONES: &[&str] = &["(256) 555-0100", "555-0100", "(256) 555-0177"];
const TAGS: &[&str] = &["vip", "west", "late"];
const TEXTS: &[&str] = &["Beware of the dog.", "Long ladder.", "Call first \u{2028} twice."];

type Row = Map<String, Value>;
/// Every row of a tenant's tables by table and id, without what counts changes or is computed.
type State = BTreeMap<(String, String), Row>;

#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the program")]
fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// A call that was made, with the state around it.
struct Made {
    call: String,
    action: String,
    at: DateTime<Utc>,
    by_agent: bool,
    before: State,
    after: State,
    /// The calls it undid.
    undid: Vec<String>,
}

struct Sequence {
    desk: Desk,
    owner: Actor,
    agent: Actor,
    sql: PgConnection,
    rng: StdRng,
    made: Vec<Made>,
    told: String,
    tally: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    calls: usize,
    undone: usize,
    refused: usize,
    redone: usize,
    all_since: usize,
}

impl Sequence {
    async fn begin(seed: u64) -> Self {
        let desk = Desk::open().await;
        let (owner, agent, sql) = (desk.owner().await, desk.agent().await, desk.sql().await);
        let rng = StdRng::seed_from_u64(seed);
        let told = format!("FRONTDESK_TEST_SEED={seed} FRONTDESK_TEST_SEQUENCES=1");
        Self { desk, owner, agent, sql, rng, made: Vec::new(), told, tally: Tally::default() }
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices.choose(&mut self.rng).unwrap().clone()
    }

    fn some_of(&mut self, choices: &[&str]) -> Vec<String> {
        let chosen = choices.iter().filter(|_| self.rng.random_bool(0.5));
        chosen.map(|choice| (*choice).to_string()).collect()
    }

    async fn state(&mut self) -> State {
        let tables: Vec<String> = sqlx::query_scalar("select table_name from frontdesk.logged_tables()")
            .fetch_all(&mut self.sql)
            .await
            .unwrap();
        let mut state = State::new();
        for table in tables {
            let rows = format!(
                "select to_jsonb(t) - array['version', 'updated_at', 'display_name', 'sort_name', 'email_key', 'phone_key', \
                 'city_key', 'token_hash'] from {table} t where org_id = $1"
            );
            let rows: Vec<Value> =
                sqlx::query_scalar(AssertSqlSafe(rows)).bind(self.desk.org).fetch_all(&mut self.sql).await.unwrap();
            for row in rows {
                let Value::Object(row) = row else { panic!("{table}") };
                state.insert((table.clone(), row["id"].as_str().unwrap().into()), row);
            }
        }
        state
    }

    /// What is derived from contacts is as if it were derived anew: no undo leaves a search text or a tag behind.
    async fn derived_is_fresh(&mut self) {
        let org = self.desk.org;
        let all = "select coalesce(jsonb_agg(s.line order by s.line), '[]') from ( \
             select to_jsonb(c) as line from contact_search c where c.org_id = $1 \
             union all select to_jsonb(n) from note_search n where n.org_id = $1) s";
        let kept: Value = sqlx::query_scalar(all).bind(org).fetch_one(&mut self.sql).await.unwrap();
        let mut trial = self.sql.begin().await.unwrap();
        for step in [
            "delete from contact_search where org_id = $1",
            "delete from note_search where org_id = $1",
            "select frontdesk.index_contacts($1, array(select id from contacts where org_id = $1))",
            "select frontdesk.index_notes($1, array(select id from notes where org_id = $1))",
        ] {
            sqlx::query(step).bind(org).execute(&mut *trial).await.unwrap();
        }
        let fresh: Value = sqlx::query_scalar(all).bind(org).fetch_one(&mut *trial).await.unwrap();
        trial.rollback().await.unwrap();
        assert_eq!(kept, fresh, "{}", self.told);
        let stray = "select count(*) from (select contact_id, tag from contact_tags where org_id = $1 except \
             select id, unnest(tags) from contacts where org_id = $1) s";
        let missing = "select count(*) from (select id, unnest(tags) from contacts where org_id = $1 except \
             select contact_id, tag from contact_tags where org_id = $1) s";
        let unknown = "select count(*) from ( \
               select unnest(tsvector_to_array(terms)) from contact_search where org_id = $1 \
               union select unnest(tsvector_to_array(terms)) from note_search where org_id = $1) said (word) \
             where word !~ '[0-9=<@]' and not exists (select from search_words w where w.org_id = $1 and w.word = said.word)";
        for question in [stray, missing, unknown] {
            let count: i64 = sqlx::query_scalar(question).bind(org).fetch_one(&mut self.sql).await.unwrap();
            assert_eq!(count, 0, "{}", self.told);
        }
    }

    fn ids_of(&self, state: &State, table: &str) -> Vec<String> {
        state.keys().filter(|(of, _)| of == table).map(|(_, id)| id.clone()).collect()
    }

    /// An action at random, and its input.
    fn chance(&mut self, state: &State) -> (&'static str, Value) {
        let contacts = self.ids_of(state, "contacts");
        if contacts.len() < CONTACTS {
            return ("contact.create", self.contact());
        }
        let contact = self.one_of(&contacts);
        let child = |sequence: &mut Self, table: &str| {
            let ids = sequence.ids_of(state, table);
            (!ids.is_empty()).then(|| sequence.one_of(&ids))
        };
        match self.rng.random_range(0..16) {
            0 | 1 => {
                let mut input = self.contact();
                for gone in ["kind", "addresses", "notes"] {
                    input.as_object_mut().unwrap().remove(gone);
                }
                let some: Row =
                    input.as_object().unwrap().clone().into_iter().filter(|_| self.rng.random_bool(0.5)).collect();
                let mut input = Value::Object(some);
                input["contact_id"] = contact.into();
                ("contact.update", input)
            }
            2 => ("contact.archive", json!({"contact_id": contact})),
            3 => ("contact.restore", json!({"contact_id": contact})),
            4 => ("contact.unsubscribe", json!({"contact_id": contact})),
            5 => {
                let (email, status) = (self.one_of(EMAILS), self.one_of(&["ok", "bounced"]));
                ("contact.mark_email", json!({"contact_id": contact, "email": email, "status": status}))
            }
            6 | 7 => ("contact.merge", json!({"contact_id": contact, "merged_contact_id": self.one_of(&contacts)})),
            8 => ("contact.delete", json!({"contact_id": contact})),
            9 | 10 => ("note.add", json!({"contact_id": contact, "content": self.one_of(TEXTS)})),
            11 => match child(self, "notes") {
                Some(note) => ("note.edit", json!({"note_id": note, "content": self.one_of(TEXTS)})),
                None => ("contact.create", self.contact()),
            },
            12 => match child(self, "notes") {
                Some(note) => ("note.delete", json!({"note_id": note})),
                None => ("contact.create", self.contact()),
            },
            13 => {
                let address = json!({"street": "1 Elm", "city": "Athens", "is_primary": self.rng.random_bool(0.5)});
                ("address.add", json!({"contact_id": contact, "address": address}))
            }
            14 => match child(self, "addresses") {
                Some(address) => {
                    (self.one_of(&["address.set_primary", "address.remove"]), json!({"address_id": address}))
                }
                None => ("contact.create", self.contact()),
            },
            _ => (
                "org.update",
                json!({"invoice_prefix": self.one_of(TAGS), "payment_terms_days": self.one_of(&[7, 14])}),
            ),
        }
    }

    fn contact(&mut self) -> Value {
        let emails: Vec<Value> = self.some_of(EMAILS).into_iter().map(|email| json!({"email": email})).collect();
        let phones: Vec<Value> = self.some_of(PHONES).into_iter().map(|phone| json!({"phone": phone})).collect();
        json!({
            "kind": "person", "given_name": self.one_of(GIVEN), "emails": emails, "phones": phones,
            "tags": self.some_of(TAGS), "notes": self.some_of(TEXTS),
            "addresses": [{"street": "123 Main Street", "city": self.one_of(&["Madison", "Athens"])}],
        })
    }

    /// Carries it out, with an owner's consent where it waits; what came of it if it was done.
    async fn carry_out(&mut self, by_agent: bool, action: &str, input: Value) -> Option<(String, Reply)> {
        let actor = if by_agent { &self.agent } else { &self.owner };
        let options = Options { reasoning: Some("It was asked for.".into()), ..Options::default() };
        let reply = actor.call_with(action, input.clone(), options).await;
        assert!(reply.0.error_code() != Some("INTERNAL"), "{}: {action} {input}: {:#}", self.told, reply.0.envelope());
        if reply.0.is_held() {
            let id = reply.held();
            let decided = self.owner.allow_once(&id).await;
            let data = decided.0.data.clone().unwrap();
            return (data["status"] == "executed")
                .then(|| (data["executed_call_id"].as_str().unwrap().to_string(), decided));
        }
        reply.0.success().then(|| (reply.0.meta.request_id.to_string(), reply))
    }

    /// One change at random.
    async fn step(&mut self) {
        self.desk.pass(TimeDelta::minutes(1));
        let before = self.state().await;
        let (action, input) = self.chance(&before);
        let by_agent = self.rng.random_bool(0.4);
        if let Some((call, _)) = self.carry_out(by_agent, action, input).await {
            self.tally.calls += 1;
            self.remember(call, action, by_agent, before, Vec::new()).await;
        }
    }

    async fn remember(&mut self, call: String, action: &str, by_agent: bool, before: State, undid: Vec<String>) {
        let (after, at) = (self.state().await, self.desk.office.clock().now());
        self.made.push(Made { call, action: action.into(), at, by_agent, before, after, undid });
    }

    fn place(&self, call: &str) -> usize {
        let known = self.made.iter().position(|made| made.call == call);
        known.unwrap_or_else(|| panic!("{}: {call} is named and was never made", self.told))
    }

    /// Undoes a call. What stands against it is undone first, as the refusal says.
    async fn undo(&mut self, call: String) {
        let (mut wanted, mut steps) = (vec![call], Vec::new());
        for _ in 0..100 {
            let Some(call) = wanted.last().cloned() else { return };
            let before = self.state().await;
            let made = self.place(&call);
            let reply = self.owner.call("audit.undo", json!({"call_id": call})).await;
            let undo = reply.0.meta.request_id.to_string();
            match reply.0.error_code().map(str::to_string).as_deref() {
                None => {
                    let expected = reversed(before.clone(), &self.made[made]);
                    let now = self.state().await;
                    assert_eq!(now, expected, "{}: undo of {} {call}", self.told, self.made[made].action);
                    self.derived_is_fresh().await;
                    self.tally.undone += 1;
                    self.remember(undo, "audit.undo", false, before, vec![call]).await;
                    wanted.pop();
                }
                Some("ALREADY_UNDONE" | "NOTHING_TO_UNDO") => {
                    assert_eq!(self.state().await, before, "{}", self.told);
                    wanted.pop();
                }
                Some("CHANGED_SINCE") => {
                    assert_eq!(self.state().await, before, "{}", self.told);
                    self.tally.refused += 1;
                    let error = reply.0.error.unwrap();
                    let newest = error["later_changes"][0]["call_id"].as_str().unwrap().to_string();
                    assert!(self.place(&newest) > made, "{}: {error:#}", self.told);
                    let against = error["later_changes"].as_array().unwrap().iter().map(|later| {
                        let by = self.place(later["call_id"].as_str().unwrap());
                        format!("{by} {} {} {}", later["how"], later["data_type"], later["fields"])
                    });
                    steps.push(format!("{made} is refused for {}", against.collect::<Vec<_>>().join("; ")));
                    wanted.push(newest);
                }
                other => {
                    panic!("{}: undo of {}: {other:?} {:#}", self.told, self.made[made].action, reply.0.envelope())
                }
            }
        }
        let calls = self.made.iter().enumerate().map(|(nth, made)| {
            let undid: Vec<usize> = made.undid.iter().map(|call| self.place(call)).collect();
            format!("{nth} {} {undid:?}", made.action)
        });
        let calls: Vec<String> = calls.collect();
        panic!(
            "{}: no end of undoing: {:#?} {:#?}",
            self.told,
            &calls[..calls.len().min(60)],
            &steps[..steps.len().min(12)]
        );
    }

    /// The newest call is always undone, exactly; and the undo of the undo has everything back.
    async fn there_and_back(&mut self) {
        let Some(newest) = self.made.last() else { return };
        let (call, before, after) = (newest.call.clone(), newest.before.clone(), newest.after.clone());
        let told = format!("{}: {} {call}", self.told, newest.action);
        for expected in [before, after] {
            let Some(newest) = self.made.last().map(|made| made.call.clone()) else { return };
            if self.made.last().is_some_and(|made| made.before == made.after) {
                return;
            }
            let now = self.state().await;
            let reply = self.owner.call("audit.undo", json!({"call_id": newest})).await;
            let undo = reply.0.meta.request_id.to_string();
            reply.ok();
            assert_eq!(self.state().await, expected, "{told}");
            self.derived_is_fresh().await;
            self.remember(undo, "audit.undo", false, now, vec![newest]).await;
        }
        self.tally.redone += 1;
    }

    /// What an agent did since some time is undone as one, or refused.
    async fn all_since(&mut self) {
        let times: Vec<DateTime<Utc>> = self.made.iter().map(|made| made.at).collect();
        let since = self.one_of(&times);
        let before = self.state().await;
        let input = json!({"agent_id": self.agent.caller.id(), "since": since});
        let reply = self.owner.call("audit.undo", input).await;
        let undo = reply.0.meta.request_id.to_string();
        match reply.0.error_code().map(str::to_string).as_deref() {
            None => {
                let undone = self.undone_calls();
                let in_force = |made: &&Made| made.by_agent && made.at >= since && !undone.contains(&made.call);
                let targets: Vec<&Made> = self.made.iter().filter(in_force).collect();
                let expected = targets.iter().rev().fold(before.clone(), |state, made| reversed(state, made));
                let undid = targets.iter().map(|made| made.call.clone()).collect();
                let now = self.state().await;
                assert_eq!(now, expected, "{}: all since {since}", self.told);
                self.derived_is_fresh().await;
                self.tally.all_since += 1;
                self.remember(undo, "audit.undo", false, before, undid).await;
            }
            Some("CHANGED_SINCE" | "NOTHING_TO_UNDO") => assert_eq!(self.state().await, before, "{}", self.told),
            other => panic!("{}: all since {since}: {other:?} {:#}", self.told, reply.0.envelope()),
        }
    }

    /// The calls that are undone as the sequence knows it.
    fn undone_calls(&self) -> BTreeSet<String> {
        let mut undone = BTreeSet::new();
        // An undo is known to hold or not before what it undid.
        for made in self.made.iter().rev() {
            if !undone.contains(&made.call) {
                undone.extend(made.undid.iter().cloned());
            }
        }
        undone
    }

    async fn run(mut self) -> Tally {
        for _ in 0..STEPS {
            self.step().await;
            match self.rng.random_range(0..8) {
                0 | 1 => self.there_and_back().await,
                2 | 3 if !self.made.is_empty() => {
                    let calls: Vec<String> = self.made.iter().map(|made| made.call.clone()).collect();
                    let call = self.one_of(&calls);
                    self.undo(call).await;
                }
                4 if !self.made.is_empty() => self.all_since().await,
                _ => {}
            }
        }
        self.tally
    }
}

/// The state without what one call changed, found by looking before and after it: the row log has no part in this.
fn reversed(mut state: State, made: &Made) -> State {
    for (key, was) in &made.before {
        match made.after.get(key) {
            None => {
                state.insert(key.clone(), was.clone());
            }
            Some(is) => {
                let differs = was.iter().filter(|(field, value)| is.get(*field) != Some(*value));
                for (field, value) in differs {
                    state.get_mut(key).expect("a changed row is there").insert(field.clone(), value.clone());
                }
            }
        }
    }
    state.retain(|key, _| made.before.contains_key(key) || !made.after.contains_key(key));
    state
}

#[tokio::test]
async fn an_undo_is_refused_with_reasons_or_everything_is_exactly_as_before() {
    let (first, count) = (setting("FRONTDESK_TEST_SEED", SEED), setting("FRONTDESK_TEST_SEQUENCES", SEQUENCES));
    let mut all = Tally::default();
    for seed in first..first + count {
        let tally = Sequence::begin(seed).await.run().await;
        all = Tally {
            calls: all.calls + tally.calls,
            undone: all.undone + tally.undone,
            refused: all.refused + tally.refused,
            redone: all.redone + tally.redone,
            all_since: all.all_since + tally.all_since,
        };
    }
    println!("{count} sequences from seed {first}: {all:?}");
    let enough = all.undone > 10 && all.refused > 0 && all.redone > 5 && all.all_since > 0;
    assert!(count < SEQUENCES || enough, "{all:?}");
}
