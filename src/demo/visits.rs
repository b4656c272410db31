//! The demo's catalog and twelve weeks of visits around the day it is made: what was worked on with its clock, what a few
//! customers called off, and what is to come.
//!
//! Like the customers, nothing is random. All times are local to the business. Closing a visit takes a review by a person, so
//! past visits are worked on and not closed.

use capabilities::Tz;
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc, Weekday};
use serde_json::{Value, json};
use uuid::Uuid;

/// The weeks before and after.
const WEEKS: i64 = 6;
/// Minutes of the day: the first visit begins at eight, none ends after five.
const OPENS: i64 = 8 * 60;
const CLOSES: i64 = 17 * 60;
/// Who is not there is prime to the number of customers, so that nobody is visited twice in a row.
const STRIDE: usize = 37;

/// Fewer than there are customers, of whom none is visited twice meanwhile.
const ROUND: usize = 150;
pub(super) const PARTS: usize = 2;

const NO_SHOWS: usize = 67;
const CALLED_OFF: [&str; 4] = [
    "The painters are not done yet, they will call in spring.",
    "Moved away, the house is sold.",
    "Rain all day, too slippery for the ladder.",
    "Out of town until next month.",
];
const WISHES: [&str; 2] = ["Could you come an hour later? We are at the doctor's.", "Any day but Friday, please."];

/// The catalog, each the input of `service.create`.
pub(super) fn services() -> Vec<Value> {
    let usd = |amount: i64| json!({"amount": amount, "currency": "USD"});
    let per = |amount: i64, unit: &str| json!({"strategy": "per_unit", "unit_price": usd(amount), "unit_name": unit});
    let fixed = |amount: i64| json!({"strategy": "fixed", "price": usd(amount)});
    let work = |code: &str, name: &str, pricing: Value, minutes: i64| json!({"name": name, "code": code, "kind": "work", "pricing": pricing, "duration_minutes": minutes});
    vec![
        work("WIN-IO", "Windows inside and outside", per(1_100, "window"), 120),
        work("WIN-OUT", "Windows outside", per(650, "window"), 75),
        work("STORE", "Storefront glass", fixed(4_500), 45),
        work("SCREEN", "Screens washed", per(300, "screen"), 30),
        work("GUTTER", "Gutters cleared", json!({"strategy": "flexible", "suggested_price": usd(16_500)}), 90),
        work("HARD", "Hard water stains removed", json!({"strategy": "flexible"}), 60),
        work("PRESSURE", "Pressure washing", per(8_500, "hour"), 120),
        work("SKY", "Skylights", per(1_800, "skylight"), 30),
        json!({"name": "New screen mesh", "code": "MESH", "kind": "product", "pricing": fixed(3_200)}),
    ]
}

/// What becomes of a visit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// When the clock was started, and when it was stopped if it was.
    Worked(NaiveDateTime, Option<NaiveDateTime>),
    Missed,
    CalledOff(&'static str),
    /// The input of `ticket.record_confirmation` besides the ticket, if the customer said something.
    ToCome(Option<Value>),
}

/// A visit to be made.
pub(super) struct Visit {
    /// Of `ticket.schedule`.
    pub(super) input: Value,
    pub(super) technicians: Vec<Uuid>,
    pub(super) fate: Fate,
}

/// A customer to be visited.
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) is_business: bool,
}

/// Who can be put together to a visit.
pub(super) struct Office<'o> {
    pub(super) customers: &'o [Customer],
    /// In the order of `services`.
    pub(super) services: &'o [String],
    pub(super) technicians: &'o [Uuid],
    pub(super) zone: Tz,
}

/// The visits of the weeks around `now`, the same at every call.
pub(super) fn visits(office: &Office<'_>, now: DateTime<Utc>) -> Vec<Visit> {
    let now = now.with_timezone(&office.zone).naive_local();
    let (today, mut visits) = (now.date(), Vec::new());
    for shift in -WEEKS * 7..WEEKS * 7 {
        let day = today + TimeDelta::days(shift);
        let is_weekend = [Weekday::Sat, Weekday::Sun].contains(&day.weekday());
        if is_weekend && shift != 0 {
            continue;
        }
        for seat in 0..office.technicians.len() {
            office.day_of(seat, day, shift, now, &mut visits);
        }
    }
    visits
}

/// The visits in their order, so many at a time, in parts that can be made side by side: nobody who is visited or goes is in
/// two parts of a round, so no part waits for another. The first two technicians go together at times.
pub(super) fn rounds(visits: Vec<Visit>, technicians: &[Uuid]) -> Vec<[Vec<Visit>; PARTS]> {
    let together: Vec<Uuid> = technicians.iter().copied().take(2).collect();
    let mut rounds = Vec::new();
    for (number, visit) in visits.into_iter().enumerate() {
        if number % ROUND == 0 {
            rounds.push([Vec::new(), Vec::new()]);
        }
        let part = usize::from(!visit.technicians.iter().any(|who| together.contains(who)));
        if let Some(round) = rounds.last_mut() {
            round[part].push(visit);
        }
    }
    rounds
}

impl Office<'_> {
    /// One technician's visits of a day, one after the other with time to drive.
    fn day_of(&self, seat: usize, day: NaiveDate, shift: i64, now: NaiveDateTime, visits: &mut Vec<Visit>) {
        let together = day.weekday() == Weekday::Wed && self.technicians.len() > 1;
        let mut minute = OPENS + if together && seat == 1 { 150 } else { i64::try_from(seat).unwrap_or(0) * 15 };
        for nth in 0..most(shift, seat) {
            let number = visits.len();
            let Some(customer) = self.customers.get(number * STRIDE % self.customers.len().max(1)) else { return };
            let (lines, minutes) = self.lines(number, customer.is_business);
            // What two do together is the first thing of their day, and long.
            let with_another = together && seat == 0 && nth == 0;
            let minutes = if with_another { 120 } else { minutes };
            if minute + minutes > CLOSES {
                return;
            }
            let (start, end) = (at(day, minute), at(day, minute + minutes));
            let crew = if with_another { 0..2 } else { seat..seat + 1 };
            let technicians: Vec<Uuid> = self.technicians[crew].to_vec();
            let input = json!({
                "contact_id": customer.id, "starts_at": local(start), "ends_at": local(end), "line_items": lines,
                "technician_ids": technicians, "backdated": start <= now, "is_price_estimated": number % 11 == 4,
            });
            visits.push(Visit { input, technicians, fate: fate(number, start, end, now) });
            minute += minutes + [15, 30, 15, 45][number % 4];
        }
    }

    /// What is done on a visit, and how long it takes.
    fn lines(&self, number: usize, is_business: bool) -> (Vec<Value>, i64) {
        let line = |service: usize, quantity: usize| json!({"service_id": self.services.get(service), "quantity": quantity.to_string()});
        let priced = |service: usize, amount: usize| {
            let price = json!({"amount": amount, "currency": "USD"});
            json!({"service_id": self.services.get(service), "unit_price": price})
        };
        let panes = 10 + number % 15;
        match (is_business, number % 8) {
            (true, 0..=4) => (vec![line(2, 1)], 45),
            (true, 5) => (vec![line(2, 1), line(7, 2)], 75),
            (true, _) => (vec![line(1, panes)], 60),
            (false, 0) => (vec![line(1, panes)], 75),
            (false, 1) => (vec![line(0, panes), line(3, panes)], 150),
            (false, 2) => (vec![line(0, panes), line(8, 1)], 120),
            (false, 3) => (vec![line(6, 2)], 120),
            (false, 4) => (vec![priced(4, 14_000 + number % 7 * 500)], 90),
            (false, 5) => (vec![line(1, panes), json!({"service_id": self.services.get(5)})], 105),
            (false, 6) => (vec![line(0, panes), line(7, 2)], 135),
            (false, _) => (vec![line(0, panes)], 90),
        }
    }
}

/// Today is busy, and days far ahead are not full yet.
fn most(shift: i64, seat: usize) -> usize {
    match shift {
        0 => 4,
        ..0 => 2 + usize::from((shift + i64::try_from(seat).unwrap_or(0)) % 2 == 0),
        1..14 => 3,
        14..28 => 2 + usize::from(seat == 0),
        _ => 1 + usize::from(seat == 0),
    }
}

fn fate(number: usize, start: NaiveDateTime, end: NaiveDateTime, now: NaiveDateTime) -> Fate {
    let late = |minutes: usize| TimeDelta::minutes(i64::try_from(minutes).unwrap_or(0));
    let begun = (start + late(number * 3 % 9)).min(now);
    let done = end - TimeDelta::minutes(10) + late(number * 7 % 26);
    let is_today = start.date() == now.date();
    match () {
        () if number % 41 == 9 && !is_today => Fate::CalledOff(CALLED_OFF[number % CALLED_OFF.len()]),
        () if start > now => Fate::ToCome(answer(number, start, now)),
        () if number % NO_SHOWS == 30 && !is_today => Fate::Missed,
        () => Fate::Worked(begun, Some(done).filter(|done| *done < now)),
    }
}

/// What the customer said to a time of the next days.
fn answer(number: usize, start: NaiveDateTime, now: NaiveDateTime) -> Option<Value> {
    match number % 12 {
        _ if start - now > TimeDelta::days(10) => None,
        0..7 => Some(json!({"answer": "accepted"})),
        9 => Some(json!({"answer": "change_requested", "words": WISHES[number % WISHES.len()]})),
        11 => Some(json!({"answer": "declined"})),
        _ => None,
    }
}

fn at(day: NaiveDate, minute: i64) -> NaiveDateTime {
    day.and_time(NaiveTime::MIN) + TimeDelta::minutes(minute)
}

/// As `When` takes it.
pub(super) fn local(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%dT%H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned() -> Vec<Visit> {
        let customers: Vec<Customer> =
            (0..200).map(|nth| Customer { id: nth.to_string(), is_business: nth % 4 == 3 }).collect();
        let services: Vec<String> = (0..9).map(|nth| nth.to_string()).collect();
        let technicians = [1, 2, 3].map(Uuid::from_u128);
        let office = Office {
            customers: &customers,
            services: &services,
            technicians: &technicians,
            zone: "America/Chicago".parse().unwrap(),
        };
        visits(&office, "2030-01-09T18:00:00Z".parse().unwrap())
    }

    fn times(visit: &Visit) -> (NaiveDateTime, NaiveDateTime) {
        let time = |member: &str| visit.input[member].as_str().unwrap();
        let parsed = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap();
        (parsed(time("starts_at")), parsed(time("ends_at")))
    }

    #[test]
    fn nobody_is_at_two_places_at_once() {
        let visits = planned();
        for technician in [1, 2, 3].map(Uuid::from_u128) {
            let mut own: Vec<_> = visits.iter().filter(|v| v.technicians.contains(&technician)).map(times).collect();
            own.sort_unstable();
            assert!(own.len() > 100, "{}", own.len());
            for pair in own.windows(2) {
                assert!(pair[1].0 - pair[0].1 >= TimeDelta::minutes(15) || pair[0].1.date() < pair[1].0.date());
            }
        }
    }

    #[test]
    fn visits_lie_within_business_hours_and_no_customer_has_two_on_a_day() {
        let visits = planned();
        assert!((400..700).contains(&visits.len()), "{}", visits.len());
        let mut seen = std::collections::HashSet::new();
        for visit in &visits {
            let (start, end) = times(visit);
            assert!(start.time() >= "08:00:00".parse().unwrap() && end.time() <= "17:00:00".parse().unwrap());
            assert!(seen.insert((visit.input["contact_id"].to_string(), start.date())), "{}", visit.input);
        }
    }

    #[test]
    fn what_is_made_side_by_side_shares_no_customer_and_no_technician() {
        let (visits, technicians) = (planned(), [1, 2, 3].map(Uuid::from_u128));
        let all = visits.len();
        let rounds = rounds(visits, &technicians);
        assert_eq!(rounds.iter().flatten().map(Vec::len).sum::<usize>(), all);
        for [one, other] in &rounds {
            assert!(!one.is_empty() && !other.is_empty());
            for (visit, beside) in one.iter().flat_map(|visit| other.iter().map(move |beside| (visit, beside))) {
                assert_ne!(visit.input["contact_id"], beside.input["contact_id"]);
                assert!(visit.technicians.iter().all(|who| !beside.technicians.contains(who)));
            }
        }
    }

    #[test]
    fn today_some_is_done_some_in_hand_and_some_to_come() {
        let visits = planned();
        let today: Vec<_> =
            visits.iter().filter(|visit| times(visit).0.date() == "2030-01-09".parse().unwrap()).collect();
        let count = |is: fn(&Fate) -> bool| today.iter().filter(|visit| is(&visit.fate)).count();
        assert!(count(|fate| matches!(fate, Fate::Worked(_, Some(_)))) >= 2);
        assert!(count(|fate| matches!(fate, Fate::Worked(_, None))) >= 1);
        assert!(count(|fate| matches!(fate, Fate::ToCome(_))) >= 3);
        assert!(visits.iter().any(|visit| visit.fate == Fate::Missed));
        assert!(visits.iter().any(|visit| matches!(visit.fate, Fate::CalledOff(_))));
    }
}
