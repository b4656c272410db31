//! Totals, clocks and calendars against models of their own, on inputs at random. A failure names its seed.

use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use capabilities::Role;

use crate::desk::Desk;
use crate::services::usd;
use crate::tickets_scheduling::{user, visit, with};

const SEED: u64 = 20_300_108;

/// Price times quantity by schoolbook rules on the digits: no arithmetic of the product's is used.
fn by_hand(price: i64, thousandths: i64) -> i64 {
    let digits = (i128::from(price.abs()) * i128::from(thousandths)).to_string();
    let digits = format!("{digits:0>4}");
    let (whole, rest) = digits.split_at(digits.len() - 3);
    let up = i64::from(rest.as_bytes()[0] >= b'5');
    (whole.parse::<i64>().unwrap() + up) * price.signum()
}

#[tokio::test]
async fn a_total_is_the_sum_of_lines_that_are_each_rounded_once() {
    let desk = Desk::open().await;
    let system = desk.system().await;
    let mut rng = StdRng::seed_from_u64(SEED);
    let flexible = json!({"name": "Anything", "code": "ANY", "kind": "work", "pricing": {"strategy": "flexible"}});
    let service = system.call("service.create", flexible).await.id();
    let jane = system.contact("Jane", json!({})).await;
    for round in 0..12 {
        let (mut expected, mut open, mut lines) = (0, 0, Vec::new());
        for _ in 0..rng.random_range(0..12) {
            let thousandths: i64 = match rng.random_range(0..4) {
                0 => rng.random_range(1..=10),
                1 => rng.random_range(1..=20) * 500,
                2 => 10_000_000,
                _ => rng.random_range(1..=10_000_000),
            };
            let price: i64 = match rng.random_range(0..4) {
                0 => rng.random_range(-3..=3),
                1 => rng.random_range(-100_000..=100_000),
                2 => 99_999_999_999,
                _ => rng.random_range(0..=1_000_000),
            };
            let quantity = format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
            let mut line = json!({"service_id": service, "quantity": quantity});
            match rng.random_bool(0.2) {
                true => open += 1,
                false => {
                    line["unit_price"] = usd(price);
                    expected += by_hand(price, thousandths);
                }
            }
            lines.push(line);
        }
        let told = format!("seed {SEED}, round {round}: {lines:?}");
        let booked = with(visit(&jane, "2030-01-08T09:00"), json!({"line_items": lines}));
        let ticket = system.call("ticket.schedule", booked).await.ok();
        assert_eq!((&ticket["total"], &ticket["lines_without_price"]), (&usd(expected), &json!(open)), "{told}");
    }
}

#[tokio::test]
async fn the_clock_adds_up_whatever_is_entered_in_whatever_order() {
    let desk = Desk::open().await;
    let (system, tara) = (desk.system().await, user(&desk.technician().await));
    let mut rng = StdRng::seed_from_u64(SEED);
    let jane = system.contact("Jane", json!({})).await;
    let ticket = with(visit(&jane, "2030-01-08T09:00"), json!({"technician_ids": [tara]}));
    let ticket = system.call("ticket.schedule", ticket).await.id();
    desk.pass(TimeDelta::hours(48));
    let (mut spans, mut running): (Vec<(u32, u32)>, Option<u32>) = (Vec::new(), None);
    for step in 0..80 {
        let soon = running.map(|from| from + rng.random_range(0..30)).filter(|_| rng.random_bool(0.8));
        let minute = soon.unwrap_or_else(|| rng.random_range(0..600));
        let told = format!("seed {SEED}, step {step}: {minute} with {spans:?} and {running:?}");
        let at = format!("2030-01-08T{:02}:{:02}", 9 + minute / 60, minute % 60);
        let stroke = json!({"ticket_id": ticket, "technician_id": tara, "at": at});
        if rng.random_bool(if running.is_some() { 0.2 } else { 0.8 }) {
            let reply = system.call("ticket.clock_in", stroke).await;
            let expected = match running {
                Some(_) => Some("CLOCK_RUNNING"),
                None if spans.iter().any(|(from, to)| (*from..*to).contains(&minute)) => Some("CLOCK_OVERLAP"),
                None => None,
            };
            assert_eq!(reply.0.error_code(), expected, "{told}");
            running = running.or(Some(minute).filter(|_| expected.is_none()));
        } else {
            let reply = system.call("ticket.clock_out", stroke).await;
            let expected = match running {
                None => Some("CLOCK_NOT_RUNNING"),
                Some(from) if minute < from => Some("INVALID_INPUT"),
                Some(from) if spans.iter().any(|span| (from..minute).any(|m| (span.0..span.1).contains(&m))) => {
                    Some("CLOCK_OVERLAP")
                }
                Some(_) => None,
            };
            assert_eq!(reply.0.error_code(), expected, "{told}");
            if expected.is_none() {
                spans.extend(running.take().map(|from| (from, minute)));
            }
        }
    }
    let shown = system.get("tickets", &ticket).await.ok();
    let worked: u32 = spans.iter().map(|(from, to)| to - from).sum();
    assert!(spans.len() > 9, "{spans:?}");
    assert_eq!(shown["clocked_minutes"], worked);
    assert_eq!(shown.get("clock_running_since_at").is_some(), running.is_some());
}

#[tokio::test]
async fn nobody_is_ever_at_two_places_and_nobody_is_kept_from_a_free_hour() {
    let desk = Desk::open().await;
    let system = desk.system().await;
    let mut rng = StdRng::seed_from_u64(SEED);
    let jane = system.contact("Jane", json!({})).await;
    let people =
        [desk.user("A", Role::Technician).await, desk.user("B", Role::Technician).await].map(|id| id.to_string());
    let mut visits: Vec<(String, u32, u32, Vec<usize>)> = Vec::new();
    let clock =
        |quarter: u32| format!("2030-01-{:02}T{:02}:{:02}", 8 + quarter / 96, quarter / 4 % 24, quarter % 4 * 15);
    let (mut taken, mut refused) = (0, 0);
    for step in 0..60 {
        let (from, length) = (rng.random_range(0..96), rng.random_range(1..24));
        let who: Vec<usize> = (0..2).filter(|_| rng.random_bool(0.6)).collect();
        let ids: Vec<&String> = who.iter().map(|nth| &people[*nth]).collect();
        let times = json!({"starts_at": clock(from), "ends_at": clock(from + length)});
        let moved =
            Some(rng.random_range(0..visits.len().max(1))).filter(|_| !visits.is_empty() && rng.random_bool(0.3));
        let crew = moved.map_or(who.clone(), |nth| visits[nth].3.clone());
        let clashes = visits.iter().enumerate().any(|(nth, (_, start, end, others))| {
            Some(nth) != moved && *start < from + length && from < *end && others.iter().any(|one| crew.contains(one))
        });
        let reply = match moved {
            Some(nth) => system.call("ticket.reschedule", with(json!({"ticket_id": visits[nth].0}), times)).await,
            None => {
                let more = with(times, json!({"technician_ids": ids}));
                system.call("ticket.schedule", with(json!({"contact_id": jane}), more)).await
            }
        };
        let expected = clashes.then_some("TECHNICIAN_BUSY");
        assert_eq!(reply.0.error_code(), expected, "seed {SEED}, step {step}: {from}+{length} {crew:?} {visits:?}");
        match (clashes, moved) {
            (true, _) => refused += 1,
            (false, Some(nth)) => (visits[nth].1, visits[nth].2) = (from, from + length),
            (false, None) => visits.push((reply.id(), from, from + length, who)),
        }
        taken += u32::from(!clashes);
    }
    assert!(taken > 10 && refused > 10, "{taken} and {refused}");
    let shown: Value = system.read("tickets", json!({})).await.ok();
    assert!(!shown.as_array().unwrap().is_empty());
}
