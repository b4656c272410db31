//! How much the office gets done, as a share of what PostgreSQL gets done with the very statements of the same calls.
//!
//! ```sh
//! cargo bench --bench throughput                                 # about twenty minutes
//! cargo bench --bench throughput -- --seconds 2 --rounds 1 --contacts 20000
//! cargo bench --bench throughput -- calendar                     # or contacts, or comparison: one part of it
//! ```
//!
//! The program runs as it does for an owner: its own PostgreSQL with everything durable, on the same cores as those who ask.
//! A call is made once while PostgreSQL logs statements; `pgbench` then repeats exactly those, and the doors are asked
//! for the same work, in turn, with as many connections. So the baseline has the same rows, indexes and disk.

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::Context as _;

use crate::load::{Client, Door, Figure, Numbers};
use crate::office::{Asker, Organization, Program};
use crate::work::Work;

mod calendar;
mod comparison;
mod load;
mod office;
mod statements;
mod work;

/// Connections that work at the same time, each with an agent or a session of its own.
const CONNECTIONS: usize = 8;
const SMALL: u32 = 2_000;
const PARTS: [&str; 3] = ["contacts", "calendar", "comparison"];

/// What the command line asks for.
struct Plan {
    seconds: u64,
    rounds: u32,
    contacts: u32,
    parts: Vec<&'static str>,
}

impl Plan {
    fn read() -> anyhow::Result<Self> {
        let mut given: BTreeMap<&str, u32> = [("--seconds", 5), ("--rounds", 5), ("--contacts", 200_000)].into();
        let mut parts = Vec::new();
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            if let Some(part) = PARTS.into_iter().find(|part| *part == word) {
                parts.push(part);
                continue;
            }
            let value = given
                .get_mut(word.as_str())
                .with_context(|| format!("{word}: there are --seconds, --rounds, --contacts, {}", PARTS.join(", ")))?;
            let number = words.next().and_then(|number| number.parse::<u32>().ok());
            *value = number.with_context(|| format!("{word} needs a number"))?.max(1);
        }
        if parts.is_empty() {
            parts.extend(PARTS);
        }
        Ok(Self { seconds: given["--seconds"].into(), rounds: given["--rounds"], contacts: given["--contacts"], parts })
    }

    fn say(&self) -> anyhow::Result<()> {
        say(&format!("{CONNECTIONS} connections, {} rounds of {} s each\n", self.rounds, self.seconds))
    }
}

/// The figures of a round: the baseline and each door that there is for the work, one after the other.
type Round = Vec<Figure>;
const BASELINE: usize = 0;

fn main() -> anyhow::Result<()> {
    let plan = Plan::read()?;
    let program = Program::start()?;
    for part in &plan.parts {
        match *part {
            "contacts" => contacts(&program, &plan)?,
            "calendar" => calendars(&program, &plan)?,
            _ => comparison::run(&program, &plan)?,
        }
    }
    program.stop()
}

fn contacts(program: &Program, plan: &Plan) -> anyhow::Result<()> {
    plan.say()?;
    let (small, big) = (program.organization("Small", SMALL)?, program.organization("Big", plan.contacts)?);
    let at_rest = program.resident_mib()?;
    for work in [Work::Create, Work::ById] {
        measured(program, work, &small, plan)?;
    }
    let (few, many) = (measured(program, Work::Search, &small, plan)?, measured(program, Work::Search, &big, plan)?);
    let slower = |nth: usize| median(few.iter().zip(&many).map(|(few, many)| few[nth].rate / many[nth].rate));
    say(&format!(
        "Searching {} contacts takes {:.2} times as long as searching {SMALL} over REST, {:.2} times in pgbench.",
        plan.contacts,
        slower(BASELINE + 1),
        slower(BASELINE)
    ))?;
    say(&format!("Memory of the program: {at_rest:.0} MiB before, {:.0} MiB after.\n", program.resident_mib()?))
}

/// What changes the calendar is done in organizations of their own, so that every question finds the same visits.
fn calendars(program: &Program, plan: &Plan) -> anyhow::Result<()> {
    plan.say()?;
    let read = program.organization_at_work("Reading", SMALL)?;
    let at_rest = program.resident_mib()?;
    for work in [Work::Availability, Work::WeekPage, Work::BusyWeekPage, Work::MonthPage, Work::Week] {
        measured(program, work, &read, plan)?;
    }
    let owner = program.owner(&read)?;
    for work in [Work::WeekPage, Work::BusyWeekPage, Work::MonthPage] {
        let (whole, sent) = Client::new(&program.server.url, Door::Page, &owner)?.sizes(&work.http(&read, 0).0)?;
        let (whole, sent) = (whole as f64 / 1000.0, sent as f64 / 1000.0);
        say(&format!("{} takes {whole:.1} KB, {sent:.1} KB as it is sent.", work.name()))?;
    }
    for (work, name) in [(Work::Schedule, "Scheduling"), (Work::Reschedule, "Moving")] {
        measured(program, work, &program.organization_at_work(name, SMALL)?, plan)?;
    }
    say(&format!("Memory of the program: {at_rest:.0} MiB before, {:.0} MiB after.\n", program.resident_mib()?))
}

fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn measured(program: &Program, work: Work, org: &Organization, plan: &Plan) -> anyhow::Result<Vec<Round>> {
    let mut numbers = Numbers::default();
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let alone = askers(program, work, org)?;
        let mut round = vec![statements::run(program, work, org, &alone, plan.seconds, &mut numbers)?];
        for door in work.doors() {
            let askers = askers(program, work, org)?;
            round.push(load::run(&program.server, *door, work, org, &askers, plan.seconds, &mut numbers)?);
        }
        rounds.push(round);
    }
    say(&format!("{}, in an organization of {} contacts\n{}", work.name(), org.contacts, report(work, &rounds)))?;
    Ok(rounds)
}

/// New agents: what one did within ten minutes is counted at each of its calls. Or the owner, with a session for all.
fn askers(program: &Program, work: Work, org: &Organization) -> anyhow::Result<Vec<Asker>> {
    match work.doors().contains(&Door::Page) {
        true => Ok(vec![program.owner(org)?; CONNECTIONS]),
        false => (0..CONNECTIONS).map(|_| program.agent(org)).collect(),
    }
}

fn report(work: Work, rounds: &[Round]) -> String {
    let names: Vec<&str> = std::iter::once("pgbench").chain(work.doors().iter().map(|door| door.name())).collect();
    let line = |nth: usize| {
        let mid = |figure: fn(&Figure) -> f64| median(rounds.iter().map(|round| figure(&round[nth])));
        let (rate, middle, slow) = (mid(|figure| figure.rate), mid(|figure| figure.middle), mid(|figure| figure.slow));
        let name = names[nth];
        let own = mid(|figure| figure.own.unwrap_or(f64::NAN));
        let own = if own.is_nan() { String::new() } else { format!("   the program's part {own:5.2} ms") };
        format!("  {name:8} {rate:7.0} a second   half within {middle:5.2} ms, 95 % within {slow:5.2} ms{own}")
    };
    let share = |nth: usize| {
        let of = nth - 1;
        let shares: Vec<f64> = rounds.iter().map(|round| round[nth].rate / round[of].rate).collect();
        let (least, most) =
            (shares.iter().copied().fold(f64::MAX, f64::min), shares.iter().copied().fold(0.0, f64::max));
        format!("   {:.2} of {} ({least:.2} to {most:.2})", median(shares.into_iter()), names[of])
    };
    let doors = (BASELINE + 1..names.len()).map(|nth| line(nth) + &share(nth));
    std::iter::once(line(BASELINE)).chain(doors).map(|line| line + "\n").collect()
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
