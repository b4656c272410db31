//! When there is time for a visit: free slots over a year with both its clock changes, against a reckoning of its own minute
//! by minute; and where somebody should be now.

use std::collections::{BTreeMap, BTreeSet};

use capabilities::{Role, Selection, Tz};
use chrono::{DateTime, Datelike as _, Offset as _, TimeDelta, Timelike as _, Utc};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::desk::{Actor, Desk, object};
use crate::services::fixed;
use crate::tickets_scheduling::{visit, with};

/// Another seed tries another year; a failure names its zone and case.
const SEED: u64 = 20_300_107;
/// Between the beginnings of two cases.
const FORTNIGHT: i64 = 14;
const CASES: i64 = 26;
const OPENS: &[&str] = &["00:00", "01:30", "02:15", "08:00", "09:10"];
const CLOSES: &[&str] = &["02:45", "03:30", "12:00", "17:05", "23:59"];
const DAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const STEP: TimeDelta = TimeDelta::minutes(5);

fn instant(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap_or_else(|| panic!("{value} is no time")).parse().unwrap()
}

/// Every slot, page by page.
pub async fn slots(actor: &Actor, filters: Value) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let (filters, limit) = (object(filters.clone()), Some(200));
        let selection = Selection { data_type: "availability".into(), filters, limit, cursor, ..Selection::default() };
        let reply = actor.select(selection).await;
        cursor = reply.0.meta.next_cursor.clone();
        all.extend(reply.ok().as_array().unwrap().clone());
        if cursor.is_none() {
            return all;
        }
    }
}

type Span = (DateTime<Utc>, DateTime<Utc>);

/// What the business is like, as the oracle knows it.
struct Town {
    zone: Tz,
    hours: BTreeMap<String, [String; 2]>,
    buffer: TimeDelta,
    /// Visits by technician.
    visits: BTreeMap<String, Vec<Span>>,
}

impl Town {
    /// By the clock on the wall, at this very instant.
    fn is_open(&self, at: DateTime<Utc>) -> bool {
        let local = at.with_timezone(&self.zone);
        let day = DAYS[local.weekday().num_days_from_monday() as usize];
        let time = format!("{:02}:{:02}", local.hour(), local.minute());
        self.hours.get(day).is_some_and(|[opens, closes]| *opens <= time && time < *closes)
    }

    fn is_free(&self, technician: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
        self.visits[technician].iter().all(|(begin, end)| *end + self.buffer <= from || to + self.buffer <= *begin)
    }

    /// Who could go then; nobody while the business is closed.
    fn who(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<String> {
        let mut minute = from;
        while minute < to {
            if !self.is_open(minute) {
                return Vec::new();
            }
            minute += TimeDelta::minutes(1);
        }
        self.visits.keys().filter(|technician| self.is_free(technician, from, to)).cloned().collect()
    }
}

/// When the clocks of a zone are changed within a year.
fn changes(zone: Tz, year: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let offset = |hour: i64| (year + TimeDelta::hours(hour)).with_timezone(&zone).offset().fix();
    let hours = (1..365 * 24).filter(|hour| offset(*hour) != offset(hour - 1));
    hours.map(|hour| year + TimeDelta::hours(hour)).collect()
}

fn week(rng: &mut StdRng) -> Value {
    let hours = |rng: &mut StdRng| loop {
        let (opens, closes) = (*OPENS.choose(rng).unwrap(), *CLOSES.choose(rng).unwrap());
        if opens < closes {
            return json!([opens, closes]);
        }
    };
    DAYS.iter()
        .map(|day| (day.to_string(), if rng.random_bool(0.2) { Value::Null } else { hours(rng) }))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// A business through a year, and who asks it.
struct Year {
    desk: Desk,
    owner: Actor,
    /// Who knows the business's clock: whoever came before it was set does not.
    agent: Actor,
    writer: Actor,
    contact: String,
    town: Town,
    rng: StdRng,
}

impl Year {
    async fn in_zone(zone: Tz) -> Self {
        let (desk, rng) = (Desk::open().await, StdRng::seed_from_u64(SEED));
        let owner = desk.owner().await;
        let contact = owner.contact("Jane", json!({})).await;
        let mut technicians = vec![desk.technician().await.caller.id().unwrap().to_string()];
        for name in ["Theo", "Tess"] {
            technicians.push(desk.user(name, Role::Technician).await.to_string());
        }
        owner.call("org.update", json!({"timezone": zone.name()})).await.ok();
        let visits = technicians.into_iter().map(|id| (id, Vec::new())).collect();
        let town = Town { zone, hours: BTreeMap::new(), buffer: TimeDelta::zero(), visits };
        let (agent, writer) = (desk.agent().await, desk.system().await);
        Self { desk, owner, agent, writer, contact, town, rng }
    }

    fn now(&self) -> DateTime<Utc> {
        self.desk.office.clock().now()
    }

    /// Other hours and another buffer; where clocks change the business is open at night.
    async fn settle(&mut self, at_a_change: bool) {
        let buffer = *[0, 10, 15, 45].choose(&mut self.rng).unwrap();
        let hours = match at_a_change {
            true => DAYS.iter().map(|day| (day.to_string(), json!(["00:00", "03:30"]))).collect(),
            false => week(&mut self.rng),
        };
        let org = self.owner.call("org.update", json!({"buffer_minutes": buffer, "business_hours": hours})).await.ok();
        self.town.hours = serde_json::from_value(org["business_hours"].clone()).unwrap();
        self.town.buffer = TimeDelta::minutes(buffer);
    }

    /// Some visits, of which one or the other is cancelled.
    async fn fill(&mut self, from: DateTime<Utc>, days: i64) {
        for _ in 0..self.rng.random_range(0..8) {
            let starts = from + TimeDelta::minutes(self.rng.random_range(0..days * 1440) / 5 * 5);
            let ends = starts + TimeDelta::minutes(self.rng.random_range(5..600));
            let technicians: Vec<String> = self.town.visits.keys().cloned().collect();
            let who = technicians.choose(&mut self.rng).unwrap();
            let visit = json!({
                "contact_id": self.contact, "starts_at": starts, "ends_at": ends, "technician_ids": [who],
                "allow_overlap": true
            });
            let made = self.writer.call("ticket.schedule", visit).await.ok();
            if self.rng.random_bool(0.15) {
                let cancelled = json!({"ticket_id": made["id"], "reason": "Rain."});
                self.writer.call_because("ticket.cancel", cancelled).await.ok();
            } else {
                let busy = self.town.visits.get_mut(who).unwrap();
                busy.push((instant(&made["starts_at"]), instant(&made["ends_at"])));
            }
        }
    }

    /// Visits that have begun, each with its clock; those on which it runs yet.
    async fn work(&mut self) -> Vec<(String, String)> {
        let mut running = Vec::new();
        for _ in 0..self.rng.random_range(1..6) {
            let now = self.now();
            let starts = now - TimeDelta::minutes(self.rng.random_range(1..300));
            let ends = starts + TimeDelta::minutes(self.rng.random_range(5..240));
            let technicians: Vec<String> = self.town.visits.keys().cloned().collect();
            let who = technicians.choose(&mut self.rng).unwrap();
            let visit = json!({
                "contact_id": self.contact, "starts_at": starts, "ends_at": ends, "technician_ids": [who],
                "allow_overlap": true, "backdated": true
            });
            let ticket = self.writer.call("ticket.schedule", visit).await.id();
            let at = |at: DateTime<Utc>| json!({"ticket_id": ticket, "technician_id": who, "at": at});
            self.writer.call("ticket.clock_in", at(starts)).await.ok();
            let mut stopped = now;
            match self.rng.random_bool(0.5) {
                true => {
                    stopped = starts + (now - starts) * self.rng.random_range(1..10) / 10;
                    self.writer.call("ticket.clock_out", at(stopped)).await.ok();
                }
                false => running.push((ticket, who.clone())),
            }
            self.town.visits.get_mut(who).unwrap().push((starts, ends.max(stopped)));
        }
        running
    }

    /// Compares what is offered with the oracle; how many slots that were.
    async fn compare(&self, from: DateTime<Utc>, to: DateTime<Utc>, length: TimeDelta, told: &str) -> usize {
        let asked = json!({"from": from, "to": to, "duration_minutes": length.num_minutes()});
        let found = slots(&self.agent, asked).await;
        let mut known = BTreeSet::new();
        for slot in &found {
            let (starts, ends) = (instant(&slot["starts_at"]), instant(&slot["ends_at"]));
            assert_eq!(ends - starts, length, "{told}: {slot}");
            assert!(starts >= self.now() && from <= starts && starts < to, "{told}: {slot}");
            let local: DateTime<chrono::FixedOffset> = slot["starts_at_local"].as_str().unwrap().parse().unwrap();
            assert_eq!(local.naive_local(), starts.with_timezone(&self.town.zone).naive_local(), "{told}: {slot}");
            let technicians = slot["technicians"].as_array().unwrap().iter();
            let mut free: Vec<&str> = technicians.map(|technician| technician["id"].as_str().unwrap()).collect();
            free.sort_unstable();
            assert!(!free.is_empty(), "{told}: {slot}");
            assert_eq!(free, self.town.who(starts, ends), "{told}: {slot}");
            assert!(known.insert(starts), "{told}: {slot} twice");
        }
        let mut mark = from - TimeDelta::seconds(from.timestamp() % STEP.num_seconds()) + STEP;
        while mark < to {
            let local = mark.with_timezone(&self.town.zone);
            let on_the_grid = local.minute().is_multiple_of(30) && local.second() == 0;
            if on_the_grid && !self.town.who(mark, mark + length).is_empty() {
                assert!(known.contains(&mark), "{told}: {mark} is free and not offered");
            }
            mark += STEP;
        }
        found.len()
    }
}

async fn a_year(zone: Tz) {
    let mut year = Year::in_zone(zone).await;
    let first = year.now();
    let changes = changes(zone, first);
    assert_eq!(changes.len(), 2, "{zone}: {changes:?}");
    let around: Vec<_> = changes.iter().map(|change| *change - TimeDelta::days(2)).collect();
    let fortnights = (0..CASES).map(|case| first + TimeDelta::days(case * FORTNIGHT));
    let mut begins: Vec<_> = fortnights.chain(around.iter().copied()).collect();
    begins.sort();
    let mut offered = 0;
    for (case, begin) in begins.into_iter().enumerate() {
        let told = format!("zone {zone}, case {case}, seed {SEED}");
        println!("{told}");
        let at_a_change = around.contains(&begin);
        let begin = year.now().max(begin + TimeDelta::minutes(year.rng.random_range(0..1440)));
        year.desk.pass(begin - year.now());
        year.settle(at_a_change).await;
        let from = begin + TimeDelta::minutes(year.rng.random_range(0..12 * 60));
        let days = if at_a_change { 4 } else { year.rng.random_range(1..10) };
        year.fill(from, days).await;
        let running = year.work().await;
        let length = TimeDelta::minutes(*[5, 30, 90, 240].choose(&mut year.rng).unwrap());
        offered += year.compare(from, from + TimeDelta::days(days), length, &told).await;
        offered += year.compare(year.now(), year.now() + TimeDelta::hours(12), STEP, &told).await;
        for (ticket, who) in running {
            let stopped = json!({"ticket_id": ticket, "technician_id": who});
            year.writer.call("ticket.clock_out", stopped).await.ok();
        }
    }
    assert!(offered > 1_000, "{offered} slots looked at");
}

#[tokio::test]
async fn over_a_year_in_chicago_no_slot_is_busy_closed_or_nonexistent_and_none_is_left_out() {
    a_year(Tz::America__Chicago).await;
}

#[tokio::test]
async fn over_a_year_in_beirut_where_clocks_skip_midnight_the_same_holds() {
    a_year(Tz::Asia__Beirut).await;
}

/// A desk whose only technician is Tara, with her id and a customer.
pub async fn with_tara(desk: &Desk) -> (Actor, String, String) {
    let agent = desk.agent().await;
    let tara = desk.technician().await.caller.id().unwrap().to_string();
    let jane = json!({"family_name": "Smith", "phones": [{"phone": "256-555-0100"}],
        "addresses": [{"street": "1 Elm Street", "city": "Madison", "postal_code": "35758"}]});
    let jane = agent.contact("Jane", jane).await;
    (agent, tara, jane)
}

pub fn starts(slots: &[Value]) -> Vec<&str> {
    slots.iter().map(|slot| &slot["starts_at_local"].as_str().unwrap()[..16]).collect()
}

#[tokio::test]
async fn on_the_day_the_clocks_change_slots_go_around_the_skipped_hour_and_through_the_repeated_one() {
    let desk = Desk::open().await;
    let (agent, ..) = with_tara(&desk).await;
    let nights = json!({"business_hours": {"sun": ["01:00", "03:30"]}});
    desk.owner().await.call("org.update", nights).await.ok();
    let spring = json!({"from": "2030-03-10", "to": "2030-03-10", "duration_minutes": 60});
    let spring = slots(&agent, spring).await;
    assert_eq!(starts(&spring), ["2030-03-10T01:00", "2030-03-10T01:30"], "from 1:30 it takes until 3:30");
    assert_eq!(spring[1]["ends_at_local"], "2030-03-10T03:30:00-05:00");
    let autumn = slots(&agent, json!({"from": "2030-11-03", "to": "2030-11-03", "duration_minutes": 60})).await;
    let twice = ["2030-11-03T01:00", "2030-11-03T01:30", "2030-11-03T01:00", "2030-11-03T01:30"];
    assert_eq!(starts(&autumn), [&twice[..], &["2030-11-03T02:00", "2030-11-03T02:30"]].concat());
}

#[tokio::test]
async fn a_visit_and_the_way_to_and_from_it_take_their_time() {
    let desk = Desk::open().await;
    let (agent, tara, jane) = with_tara(&desk).await;
    let day = json!({"business_hours": {"tue": ["08:00", "12:00"]}});
    desk.owner().await.call("org.update", day).await.ok();
    let visit = json!({"contact_id": jane, "starts_at": "2030-01-08T09:30", "ends_at": "2030-01-08T10:02", "technician_ids": [tara]});
    let visit = agent.call("ticket.schedule", visit).await.id();
    let asked = json!({"from": "2030-01-08", "to": "2030-01-08", "duration_minutes": 60});
    let found = slots(&agent, asked.clone()).await;
    assert_eq!(starts(&found), ["2030-01-08T08:00", "2030-01-08T10:20", "2030-01-08T10:30", "2030-01-08T11:00"]);
    assert_eq!(found[0]["technicians"], json!([{"id": tara, "name": "Tara Technician"}]));
    let just = |time: &str| json!({"from": format!("2030-01-08T{time}"), "exact": true, "duration_minutes": 60});
    assert_eq!(slots(&agent, just("08:13")).await.len(), 1);
    for busy_or_closed in ["08:16", "10:16", "11:01", "07:59", "12:00"] {
        assert_eq!(slots(&agent, just(busy_or_closed)).await, [Value::Null; 0], "{busy_or_closed}");
    }
    agent.call_because("ticket.cancel", json!({"ticket_id": visit, "reason": "Rain."})).await.ok();
    assert_eq!(slots(&agent, asked).await.len(), 7);
}

#[tokio::test]
async fn who_works_longer_than_planned_is_busy_until_the_clock_stops_and_who_is_done_sooner_until_the_end() {
    let desk = Desk::open().await;
    let (agent, tara, jane) = with_tara(&desk).await;
    let technician = desk.technician().await;
    let mut tickets = Vec::new();
    for (starts, ends) in [("08:00", "09:00"), ("12:00", "14:00")] {
        let at = |time: &str| format!("2030-01-07T{time}");
        let visit = json!({"contact_id": jane, "starts_at": at(starts), "ends_at": at(ends), "technician_ids": [tara]});
        tickets.push(agent.call("ticket.schedule", visit).await.id());
    }
    let is_free = async |time: &str| {
        let asked = json!({"from": format!("2030-01-07T{time}"), "exact": true, "duration_minutes": 10});
        !slots(&agent, asked).await.is_empty()
    };
    let clock = async |action: &str, ticket: &str| {
        technician.call(action, json!({"ticket_id": ticket})).await.ok();
    };
    desk.pass(TimeDelta::hours(5));
    clock("ticket.clock_in", &tickets[0]).await;
    desk.pass(TimeDelta::minutes(125));
    assert_eq!((is_free("10:10").await, is_free("10:20").await), (false, true), "the clock runs, and it is 10:05");
    clock("ticket.clock_out", &tickets[0]).await;
    desk.pass(TimeDelta::minutes(10));
    assert_eq!((is_free("10:19").await, is_free("10:20").await), (false, true), "it was stopped at 10:05");
    desk.pass(TimeDelta::minutes(105));
    clock("ticket.clock_in", &tickets[1]).await;
    desk.pass(TimeDelta::minutes(10));
    clock("ticket.clock_out", &tickets[1]).await;
    assert_eq!((is_free("13:00").await, is_free("14:15").await), (false, true), "the visit ends at 14:00");
}

#[tokio::test]
async fn what_is_past_is_not_offered_and_why_nothing_is_free_is_told() {
    let desk = Desk::open().await;
    let (agent, tara, _) = with_tara(&desk).await;
    desk.pass(TimeDelta::hours(8));
    let today = slots(&agent, json!({"from": "2030-01-07", "to": "2030-01-07", "duration_minutes": 300})).await;
    assert_eq!(starts(&today), ["2030-01-07T11:00", "2030-01-07T11:30", "2030-01-07T12:00"]);
    for (asked, why) in [
        (json!({"from": "2030-01-06", "to": "2030-01-06"}), "past"),
        (json!({"from": "2030-01-07T10:59", "exact": true}), "past"),
        (json!({"from": "2030-01-12", "to": "2030-01-13"}), "closed throughout"),
        (json!({"from": "2030-01-08", "to": "2030-01-08", "duration_minutes": 900}), "never open for more than"),
    ] {
        let reply = agent.read("availability", asked).await;
        assert_eq!(reply.warning_codes(), ["no_free_slot"]);
        assert!(reply.0.meta.warnings[0].message.contains(why), "{:?}", reply.0.meta.warnings);
        assert_eq!(reply.ok(), json!([]));
    }
    for (asked, pointer) in [
        (json!({"from": "2030-01-08", "to": "2030-02-08"}), "/to"),
        (json!({"from": "2030-01-08", "to": "2030-01-07"}), "/to"),
        (json!({"from": "2030-03-10T02:30"}), "/from"),
        (json!({"duration_minutes": 0}), "/duration_minutes"),
    ] {
        assert_eq!(agent.read("availability", asked.clone()).await.invalid_at(), [pointer], "{asked}");
    }
    slots(&agent, json!({"from": "2030-03-01", "to": "2030-03-31", "technician_id": tara})).await;
    agent.get("availability", &tara).await.refused("NOT_FOUND");
    let (data_type, include) = ("availability".into(), vec!["audit_trail".into()]);
    let with_trails = agent.select(Selection { data_type, include, ..Selection::default() }).await.ok();
    assert_eq!(with_trails[0]["audit_trail"], json!([]), "a slot is no record, so it has none");
}

#[tokio::test]
async fn a_visit_takes_as_long_as_the_last_one_did_else_as_the_service_else_as_usual() {
    let desk = Desk::open().await;
    let (agent, tara, jane) = with_tara(&desk).await;
    let windows = fixed(&agent, "windows", 14_900, 95).await;
    let length = async |filters: Value| {
        let first = slots(&agent, filters).await[0].clone();
        (instant(&first["ends_at"]) - instant(&first["starts_at"])).num_minutes()
    };
    assert_eq!(length(json!({"contact_id": jane})).await, 60);
    assert_eq!(length(json!({"contact_id": jane, "service_id": windows})).await, 95);
    let past = json!({"contact_id": jane, "starts_at": "2030-01-03T09:00", "ends_at": "2030-01-03T09:40",
        "technician_ids": [tara], "backdated": true});
    let past = agent.call("ticket.schedule", past).await.id();
    let closed = format!(
        "begin; select frontdesk.begin_call('{}', '{past}', '2030-01-07T09:00:00Z'); \
         update tickets set status = 'closed', closed_at = now() where id = '{past}'; commit",
        desk.org
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(closed)).execute(&mut desk.sql().await).await.unwrap();
    assert_eq!(length(json!({"contact_id": jane, "service_id": windows})).await, 40);
    assert_eq!(length(json!({"contact_id": jane, "duration_minutes": 25})).await, 25);
}

#[tokio::test]
async fn slots_of_whoever_is_near_that_day_come_first_and_say_why() {
    let desk = Desk::open().await;
    let (agent, tara, jane) = with_tara(&desk).await;
    desk.user("Theo", Role::Technician).await;
    let visit = json!({"contact_id": jane, "starts_at": "2030-01-09T09:00", "technician_ids": [tara]});
    agent.call("ticket.schedule", visit).await.ok();
    let near = |code: &str| json!({"near": code, "from": "2030-01-08", "to": "2030-01-10", "duration_minutes": 60});
    for (code, expected) in [("35758", Some("35758")), ("35749", Some("35758")), ("90210", None)] {
        let found = slots(&agent, near(code)).await;
        let why = expected.map(|code| format!("Tara Technician has a visit in {code} that day"));
        assert_eq!(found[0]["near"].as_str(), why.as_deref(), "{code}");
        let day = if expected.is_some() { "2030-01-09" } else { "2030-01-08" };
        assert!(found[0]["starts_at_local"].as_str().unwrap().starts_with(day), "{code}: {}", found[0]);
        let in_order = |found: &[Value]| found.is_sorted_by_key(|slot| instant(&slot["starts_at"]));
        assert!(in_order(&found) == expected.is_none(), "{code}");
        let first = found.iter().position(|slot| slot.get("near").is_none()).unwrap();
        assert!(in_order(&found[..first]) && in_order(&found[first..]), "{code}");
    }
}

#[tokio::test]
async fn the_current_ticket_is_where_the_clock_runs_else_the_visit_now_else_todays_next() {
    let desk = Desk::open().await;
    let (agent, tara, jane) = with_tara(&desk).await;
    let technician = desk.technician().await;
    let nothing = technician.read("current_ticket", json!({})).await.ok();
    assert_eq!(nothing, json!([]));
    let mut tickets = Vec::new();
    for starts in ["2030-01-07T09:00", "2030-01-07T13:00", "2030-01-08T09:00"] {
        let visit = json!({"contact_id": jane, "starts_at": starts, "technician_ids": [tara]});
        tickets.push(agent.call("ticket.schedule", visit).await.id());
    }
    let now = async |actor: &Actor, filters: Value| {
        let rows = actor.read("current_ticket", filters).await.ok();
        let tell =
            |row: &Value| (row["id"].as_str().unwrap().to_string(), row["because"].as_str().unwrap().to_string());
        rows.as_array().unwrap().iter().map(tell).collect::<Vec<_>>()
    };
    let expected = |nth: usize, why: &str| vec![(tickets[nth].clone(), why.to_string())];
    assert_eq!(now(&technician, json!({})).await, expected(0, "next_today"));
    desk.pass(TimeDelta::minutes(6 * 60 + 15));
    assert_eq!(now(&technician, json!({})).await, expected(0, "now"));
    technician.call("ticket.clock_in", json!({"ticket_id": tickets[1]})).await.ok();
    assert_eq!(now(&technician, json!({})).await, expected(1, "clocked_in"));
    for actor in [&desk.owner().await, &agent] {
        assert_eq!(now(actor, json!({"technician_id": tara})).await, expected(1, "clocked_in"));
        assert_eq!(now(actor, json!({})).await, expected(1, "clocked_in"), "of everybody who has one");
    }
    let theo = desk.user("Theo", Role::Technician).await.to_string();
    assert_eq!(now(&agent, json!({"technician_id": theo})).await, []);
    technician.call("ticket.clock_out", json!({"ticket_id": tickets[1]})).await.ok();
    desk.pass(TimeDelta::hours(9));
    assert_eq!(now(&technician, json!({})).await, [], "tomorrow's is not today's");
}

#[tokio::test]
async fn a_visit_that_is_to_be_moved_does_not_stand_in_its_own_way_and_takes_all_who_are_on_it() {
    let desk = Desk::open().await;
    let (agent, tara, jane) = with_tara(&desk).await;
    let tom = desk.user("Tom", Role::Technician).await;
    let both = json!({"technician_ids": [tara, tom], "ends_at": "2030-01-08T10:30"});
    let ticket = agent.call("ticket.schedule", with(visit(&jane, "2030-01-08T09:00"), both)).await.id();
    let alone = json!({"technician_ids": [tom], "ends_at": "2030-01-08T15:00"});
    agent.call("ticket.schedule", with(visit(&jane, "2030-01-08T12:00"), alone)).await.ok();
    let moving = json!({"from": "2030-01-08", "to": "2030-01-08", "ticket_id": ticket});
    let free = slots(&agent, moving.clone()).await;
    let expected = ["08:00", "08:30", "09:00", "09:30", "10:00", "15:15", "15:30"];
    assert_eq!(starts(&free), expected.map(|time| format!("2030-01-08T{time}")));
    assert_eq!(
        (&free[0]["ends_at_local"], free[0]["technicians"].as_array().unwrap().len()),
        (&json!("2030-01-08T09:30:00-06:00"), 2)
    );
    let shorter = slots(&agent, with(moving.clone(), json!({"duration_minutes": 30, "technician_id": tara}))).await;
    assert!(starts(&shorter).contains(&"2030-01-08T12:00"), "she alone is free: {shorter:#?}");
    let unknown = with(moving, json!({"ticket_id": "01970000-0000-7000-8000-000000000001"}));
    agent.read("availability", unknown).await.refused("NOT_FOUND");
}
