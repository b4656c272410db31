//! Who works in an organization, and the free slots that visits are put into.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use crate::CONNECTIONS;
use crate::load::{NUMBERS_EACH, connection};

pub const ZONE: Tz = chrono_tz::America::Chicago;
/// The month, and the week in it, that are asked for: as `calendar.sql` fills them.
pub const MONTH: (&str, &str) = ("2031-02-01", "2031-02-28");
pub const WEEK: (&str, &str) = ("2031-02-10", "2031-02-16");
pub const VISITS_A_WEEK: usize = 500;
pub const TECHNICIANS: usize = 10;
pub const WORKDAYS: usize = 5;
/// The Monday from which on nobody has a visit yet.
const FREE_FROM: NaiveDate = NaiveDate::from_ymd_opt(2031, 3, 3).expect("a date");
/// Visits are put at each hour from eight to four on weekdays, so they are never too close to each other.
const A_DAY: u64 = 9;
const A_WEEK: u64 = 5 * A_DAY;
const OPENS: i64 = 8;
/// Minutes after the beginning of a slot of which a call's statements speak: the buffer before the visit, the visit, the
/// buffer after it.
const MINUTES: [i64; 4] = [-15, 0, 30, 45];

/// What a calendar is made of.
#[derive(Debug, Default)]
pub struct Calendar {
    /// Each technician's id, and some of their visits.
    pub technicians: Vec<(Uuid, Vec<Uuid>)>,
    pub service: Uuid,
}

impl Calendar {
    /// A technician for each connection: nobody waits for anybody else's calendar.
    pub fn technician(&self, number: u64) -> Uuid {
        self.technicians[connection(number)].0
    }

    /// A visit of that technician.
    pub fn visit(&self, number: u64) -> Uuid {
        let (_, visits) = &self.technicians[connection(number)];
        visits[(number / NUMBERS_EACH) as usize / CONNECTIONS % visits.len()]
    }
}

/// A time at which a connection's technician is free; another one for each number.
#[derive(Debug, Clone, Copy)]
pub struct Slot(NaiveDateTime);

impl Slot {
    pub fn of(number: u64) -> Self {
        let round = number / NUMBERS_EACH / CONNECTIONS as u64;
        let nth = round * NUMBERS_EACH + number % NUMBERS_EACH;
        let day = FREE_FROM + Days::new(nth / A_WEEK * 7 + nth / A_DAY % 5);
        Self(day.and_time(chrono::NaiveTime::MIN) + TimeDelta::hours(OPENS + (nth % A_DAY) as i64))
    }

    /// By the clock on the wall, as a door is told it.
    pub fn local(self) -> String {
        self.0.format("%Y-%m-%dT%H:%M").to_string()
    }

    /// The instants in a recorded call as PostgreSQL logs them, each with what stands for it when the call is repeated.
    pub fn instants(self) -> impl Iterator<Item = (String, String)> {
        let begins: Option<DateTime<Utc>> = self.0.and_local_timezone(ZONE).earliest().map(|at| at.to_utc());
        begins.into_iter().flat_map(|begins| {
            MINUTES.map(|minutes| {
                let at = begins + TimeDelta::minutes(minutes);
                (at.format("%Y-%m-%d %H:%M:%S+00").to_string(), expression(minutes))
            })
        })
    }
}

/// The same reckoning in SQL.
fn expression(minutes: i64) -> String {
    let each = NUMBERS_EACH;
    let nth = format!("(:n::bigint / {} * {each} + :n::bigint % {each})", each * CONNECTIONS as u64);
    format!(
        "((timestamp '{FREE_FROM} 00:00' + make_interval(weeks => ({nth} / {A_WEEK})::int, days => ({nth} / {A_DAY} % 5)::int, \
         hours => ({OPENS} + {nth} % {A_DAY})::int, mins => {minutes})) at time zone '{ZONE}')::text"
    )
}
