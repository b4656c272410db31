//! Rehearsals of every action on inputs nobody would think of: whatever is asked, a rehearsal changes nothing, and what it
//! shows is what is done right after it.

use capabilities::{ActionEntry, Effect, Input, Options};
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::contract_calls::{comparable, done_by, ids_of};
use crate::desk::{Actor, Desk, Reply};
use crate::samples::{self, Standing};

/// Another seed tries other inputs; a failure names its own.
const SEED: u64 = 20_300_107;
/// How many inputs are tried in all, shared out among the actions.
const INPUTS: usize = 280;
/// As many items of an agent wait for a person.
const BULK: usize = 6;
/// So many actions are tried side by side, each at a desk of its own.
const AT_ONCE: usize = 4;

/// What texts are made of: scripts, signs that databases and pages trip over, and numbers that are never stored.
const PIECES: &[&str] = &[
    "Jane",
    "Müller",
    "李小龍",
    "عبد الله",
    "👩‍👩‍👧‍👦",
    "e\u{301}",
    "\u{202e}sdrawkcab",
    "\u{200b}",
    "\u{feff}",
    "\u{10ffff}",
    "İstanbul ß ﬁ",
    "O'Brien; drop table contacts--",
    "\"quoted\"",
    "back\\slash \\u0000",
    "100 % _",
    "<b>&amp;",
    "{\"a\": [null]}",
    "4111 1111 1111 1111",
    "078-05-1120",
    "01970000-0000-7000-8000-000000000001",
    "2030-01-07T09:00:00Z",
    " ",
];
const PHONES: &[&str] = &["(256) 555-0100", "+49 30 901820", "555-0100", "1-256-555-0199 x12"];
const TIMEZONES: &[&str] = &["America/Chicago", "Europe/Berlin", "Asia/Kathmandu"];
const COUNTRIES: &[&str] = &["US", "DE", "JP"];
const EMAILS: &[&str] = &["jane@example.com", "JANE@Example.COM", "o'brien+tag@sub.example.org", "a@b.co"];
const TIMES: &[&str] = &["2030-01-08T09:00:00Z", "2030-02-01T09:00:00.123456+05:45", "2400-02-29T00:00:00-12:00"];
const DATES: &[&str] = &["2030-01-08", "2028-02-29", "2100-12-31"];
/// What looks like one of those and is none.
const WRONG: &[&str] =
    &["not a number", "Mars/Olympus", "ZZ", "nobody", "1969-12-31T23:59:59.999Z", "2029-02-29", "0001-01-01", "\0"];

/// Inputs at random, as the schemas advertise them and now and then a little off.
struct Chance<'s> {
    rng: StdRng,
    standing: &'s Standing,
    /// Whether what is refused for its form is made as well.
    off: bool,
    /// How likely a member is that the example does without.
    more: f64,
}

impl<'s> Chance<'s> {
    fn new(action: &str, nth: usize, standing: &'s Standing) -> Self {
        let seed: [u8; 32] = Sha256::digest(format!("{SEED} {action} {nth}")).into();
        let mut rng = StdRng::from_seed(seed);
        let off = rng.random_bool(0.3);
        let more = *[0.0, 0.2, 0.5].choose(&mut rng).unwrap();
        Self { rng, standing, off, more }
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices.choose(&mut self.rng).unwrap().clone()
    }

    /// Whether it is to be a little off here.
    fn off(&mut self) -> bool {
        self.off && self.rng.random_bool(0.05)
    }

    /// A value for the member `name`; `example` is what stands there in the action's example.
    fn value(&mut self, name: &str, schema: &Value, example: &Value) -> Value {
        let kinds = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
        if kinds.contains(&json!("null")) && self.rng.random_bool(0.2) {
            return Value::Null;
        }
        if !name.is_empty() && self.off() {
            return self.one_of(&[Value::Null, json!(-1), json!(1.5), json!(""), json!([]), json!({"a": "\0"})]);
        }
        if let Some(variants) = schema["enum"].as_array() {
            let shown = example.is_string() && self.rng.random_bool(0.6);
            return if shown { example.clone() } else { self.one_of(variants) };
        }
        match kinds[0].as_str() {
            Some("object") => self.object(schema, example),
            Some("array") => self.list(name, schema, example),
            Some("boolean") => self.rng.random_bool(0.5).into(),
            Some("integer") => self.whole_number(name, schema).into(),
            Some("number") => self.number(schema, example),
            _ => self.text(name, schema, example),
        }
    }

    fn object(&mut self, schema: &Value, example: &Value) -> Value {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let mut members = Map::new();
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let shown = if example.get(name).is_some() { 0.95 } else { self.more };
            let wanted = if required.contains(&json!(name)) { !self.off() } else { self.rng.random_bool(shown) };
            if wanted {
                members.insert(name.clone(), self.value(name, member, &example[name]));
            }
        }
        if self.off() {
            members.insert("unheard_of".into(), true.into());
        }
        members.into()
    }

    fn list(&mut self, name: &str, schema: &Value, example: &Value) -> Value {
        let least = schema["minItems"].as_u64().unwrap_or(0) as usize;
        let count = self.rng.random_range(least..=least + 2);
        let mut items: Vec<Value> = (0..count).map(|_| self.value(name, &schema["items"], &example[0])).collect();
        if self.off() {
            items.extend(items.clone());
        }
        items.into()
    }

    fn whole_number(&mut self, name: &str, schema: &Value) -> i64 {
        if name == "expected_version" {
            return self.one_of(&[1, 1, 1, 2]);
        }
        let least = schema["minimum"].as_i64().unwrap_or(0);
        let most = schema["maximum"].as_i64().unwrap_or(least + 100);
        let between = self.rng.random_range(least..=most);
        self.one_of(&[least, most, between])
    }

    fn number(&mut self, schema: &Value, example: &Value) -> Value {
        let least = schema["minimum"].as_f64().unwrap_or(-100.0);
        let most = schema["maximum"].as_f64().unwrap_or(100.0);
        let between = json!(self.rng.random_range(least..=most));
        let shown = if example.is_number() { example.clone() } else { between.clone() };
        self.one_of(&[shown, between, json!(least), json!(0.1)])
    }

    fn text(&mut self, name: &str, schema: &Value, example: &Value) -> Value {
        let known = match (schema["format"].as_str(), name) {
            (Some("uuid"), _) => return self.id(name).into(),
            (Some("email"), _) => Some(EMAILS),
            (Some("date-time"), _) => Some(TIMES),
            (Some("date"), _) => Some(DATES),
            (_, "phone") => Some(PHONES),
            (_, "timezone") => Some(TIMEZONES),
            (_, "country") => Some(COUNTRIES),
            _ => None,
        };
        if example.is_string() && (schema["pattern"].is_string() || self.rng.random_bool(0.4)) {
            return example.clone();
        }
        match known {
            Some(_) if self.off() => self.one_of(WRONG).into(),
            Some(choices) => self.one_of(choices).into(),
            None => self.odd_text(schema).into(),
        }
    }

    /// The id that the member asks for, mostly; else one of another kind, or of nothing.
    fn id(&mut self, name: &str) -> String {
        let standing = self.standing;
        let own = standing.ids().find(|(known, _)| *known == name.replace("_ids", "_id")).map(|(_, id)| id.to_string());
        if let Some(own) = own.filter(|_| !self.off && self.rng.random_bool(0.95) || self.rng.random_bool(0.6)) {
            return own;
        }
        let others: Vec<String> = standing.ids().map(|(_, id)| id.to_string()).collect();
        let nobodys = Uuid::from_u128(self.rng.random()).to_string();
        let other = self.one_of(&others);
        self.one_of(&[other, nobodys])
    }

    fn odd_text(&mut self, schema: &Value) -> String {
        let most = schema["maxLength"].as_u64().unwrap_or(60) as usize;
        let mut text = String::new();
        for _ in 0..self.rng.random_range(1..=4) {
            text.push_str(self.one_of(PIECES));
            let several_lines = most > 1_000 || self.off();
            text.push_str(if several_lines { self.one_of(&["", " ", "\r\n", "\t", "\u{2028}"]) } else { " " });
        }
        match self.rng.random_range(0..20) {
            0 => text = text.chars().cycle().take(most).collect(),
            1 if self.off => text = text.chars().cycle().take(most + 1).collect(),
            _ => text = text.chars().take(most).collect(),
        }
        text
    }
}

/// A call that is rehearsed and then made, and what to say of it when it went wrong.
struct Attempt<'a> {
    actor: Actor,
    action: &'a ActionEntry,
    input: Input,
    told: String,
}

/// What came of it.
#[derive(Debug, Default)]
struct Tally {
    refused: usize,
    done: usize,
    waited: usize,
}

impl Tally {
    fn and(&self, other: &Self) -> Self {
        let Self { refused, done, waited } = other;
        Self { refused: self.refused + refused, done: self.done + done, waited: self.waited + waited }
    }
}

impl<'a> Attempt<'a> {
    async fn new(desk: &Desk, standing: &Standing, action: &'a ActionEntry, nth: usize) -> Self {
        let mut chance = Chance::new(action.name, nth, standing);
        let actor = chance.one_of(&standing.doers(desk, action).await);
        let (schema, example) = (action.input_schema(), standing.fill(&action.example));
        let several = action.items && actor.caller.is_agent() && chance.rng.random_bool(0.4);
        let input = match several {
            true => {
                chance.off = false;
                Input::Items((0..BULK).map(|_| chance.value("", &schema, &example)).collect())
            }
            false => Input::One(chance.value("", &schema, &example)),
        };
        let told = format!("seed {SEED}, {} {nth} by {}: {input:?}", action.name, actor.caller.name());
        Self { actor, action, input, told }
    }

    async fn send(&self, options: Options) -> Reply {
        let reply = self.actor.send(self.action.name, self.input.clone(), options).await;
        let ours = ["INTERNAL", "UNAVAILABLE"].map(Some).contains(&reply.0.error_code());
        assert!(!ours, "{}: {:#}", self.told, reply.0.envelope());
        reply
    }

    /// What it would change, unless it is refused; either way nothing is changed by asking.
    async fn rehearse(&self, desk: &Desk) -> Option<Value> {
        let before = desk.everything().await;
        let reply = self.send(Options { dry_run: true, ..Options::default() }).await;
        assert_eq!(desk.everything().await, before, "{}", self.told);
        reply.0.success().then(|| reply.ok()["would"]["changes"].clone())
    }

    /// Makes the call, with an owner's consent where it waits, and holds what was done against what was shown.
    async fn make(&self, desk: &Desk, would: &Value, tally: &mut Tally) {
        let reasoning = Some("The customer asked for it.".into());
        let mut reply = self.send(Options { reasoning, ..Options::default() }).await;
        match reply.0.is_held() {
            false => tally.done += 1,
            true => {
                tally.waited += 1;
                let (id, owner) = (reply.held(), desk.owner().await);
                let shown = owner.get("authorizations", &id).await.ok();
                assert_eq!(comparable(&shown["preview"]["changes"]), comparable(would), "{}", self.told);
                reply = owner.allow_once(&id).await;
                let status = reply.0.data.as_ref().map(|data| &data["status"]);
                assert_eq!(status, Some(&json!("executed")), "{}: {:#}", self.told, reply.0.envelope());
            }
        }
        assert!(reply.0.success(), "{}: {:#}", self.told, reply.0.envelope());
        let (done, count) = done_by(desk, &reply.0.meta.request_id.to_string()).await;
        let would = would.as_array().unwrap();
        assert_eq!(count, would.len(), "{}: {done:#?} {would:#?}", self.told);
        let told = comparable(&would[..done.len()].to_vec().into());
        assert_eq!(comparable(&done.into()), told, "{}", self.told);
    }
}

/// Tries one action on a desk of its own.
async fn attempts(first: &Desk, action: &ActionEntry, count: usize) -> Tally {
    let (desk, mut tally) = (first.neighbour().await, Tally::default());
    // What it can name, whatever else its domain has, and something that it has nothing to do with.
    let mut standing = desk.sample(samples::domain_of(action)).await;
    for name in ids_of(action).iter().map(String::as_str).chain(["contact_id", "service_id", "user_id"]) {
        standing.need(&desk, name).await;
    }
    for nth in 0..count {
        let attempt = Attempt::new(&desk, &standing, action, nth).await;
        match attempt.rehearse(&desk).await {
            None => tally.refused += 1,
            Some(would) => {
                attempt.make(&desk, &would, &mut tally).await;
                // What was there may be gone; what was only added to is there still.
                if action.effect != Effect::Adds {
                    standing.renew(&desk, &attempt.told).await;
                }
            }
        }
    }
    tally
}

/// The domains of customers, of visits and of agents: each has a test of its own beside that of all the others, so that they
/// run side by side.
const OF_CUSTOMERS: &[&str] = &["address", "contact", "note"];
const OF_VISITS: &[&str] = &["service", "ticket"];
const OF_AGENTS: &[&str] = &["agent", "authorization", "rule"];

/// Rehearses and makes each action of the domains that are wanted.
async fn rehearsed_and_made(wanted: impl Fn(&str) -> bool) -> Tally {
    let registry = crate::contract::registry();
    let each = INPUTS.div_ceil(registry.actions().count());
    let of = |action: &&ActionEntry| wanted(action.name.split('.').next().unwrap_or_default());
    let actions: Vec<&ActionEntry> = registry.actions().filter(of).collect();
    let (first, mut tally) = (Desk::open().await, Tally::default());
    // Some desks at a time: one is looked at while the database works for the others.
    for some in actions.chunks(AT_ONCE) {
        let tallies = join_all(some.iter().map(|action| attempts(&first, action, each))).await;
        tally = tallies.iter().fold(tally, |tally, more| tally.and(more));
    }
    tally
}

#[tokio::test]
async fn a_rehearsal_of_what_is_done_to_customers_changes_nothing_and_is_what_is_done_right_after_it() {
    let tally = rehearsed_and_made(|domain| OF_CUSTOMERS.contains(&domain)).await;
    assert!(tally.refused > 5 && tally.done > 20, "{tally:?}");
}

#[tokio::test]
async fn a_rehearsal_of_what_is_done_to_visits_changes_nothing_and_is_what_is_done_right_after_it() {
    let tally = rehearsed_and_made(|domain| OF_VISITS.contains(&domain)).await;
    assert!(tally.refused > 5 && tally.done > 20 && tally.waited > 0, "{tally:?}");
}

#[tokio::test]
async fn a_rehearsal_of_what_is_decided_of_agents_changes_nothing_and_is_what_is_done_right_after_it() {
    let tally = rehearsed_and_made(|domain| OF_AGENTS.contains(&domain)).await;
    assert!(tally.refused > 5 && tally.done > 20, "{tally:?}");
}

#[tokio::test]
async fn a_rehearsal_of_anything_else_changes_nothing_and_is_what_is_done_right_after_it() {
    let tally = rehearsed_and_made(|domain| ![OF_CUSTOMERS, OF_VISITS, OF_AGENTS].concat().contains(&domain)).await;
    assert!(tally.refused > 5 && tally.done > 20, "{tally:?}");
}
