//! How much the office gets done, as a share of what PostgreSQL gets done with the very statements of the same calls.
//!
//! ```sh
//! cargo bench --bench throughput                                 # about eight minutes
//! cargo bench --bench throughput -- --seconds 2 --rounds 1 --contacts 20000
//! ```
//!
//! The program runs as it does for an owner: its own PostgreSQL with everything durable, on the same cores as those who ask.
//! A call is made once while PostgreSQL logs statements; `pgbench` then repeats exactly those, and the doors are asked
//! for the same work, in turn, with as many connections. So the baseline has the same rows, indexes and disk.

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::Context as _;

use crate::load::{Door, Figure, Numbers};
use crate::office::{Agent, Program};
use crate::work::Work;

mod load;
mod office;
mod statements;
mod work;

/// Connections that work at the same time, each as an agent of its own.
const CONNECTIONS: usize = 8;
const SMALL: u32 = 2_000;

/// What the command line asks for.
struct Plan {
    seconds: u64,
    rounds: u32,
    contacts: u32,
}

impl Plan {
    fn read() -> anyhow::Result<Self> {
        let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
        let mut given: BTreeMap<&str, u32> = [("--seconds", 5), ("--rounds", 5), ("--contacts", 200_000)].into();
        for pair in words.chunks(2) {
            let [name, value] = pair else { anyhow::bail!("{} needs a number", pair[0]) };
            let value: u32 = value.parse().with_context(|| format!("{name} needs a number"))?;
            *given
                .get_mut(name.as_str())
                .with_context(|| format!("{name}: there are --seconds, --rounds, --contacts"))? = value.max(1);
        }
        Ok(Self { seconds: given["--seconds"].into(), rounds: given["--rounds"], contacts: given["--contacts"] })
    }
}

/// Picks a figure of a round.
type Pick = fn(&Round) -> &Figure;

fn main() -> anyhow::Result<()> {
    let plan = Plan::read()?;
    let program = Program::start()?;
    let (small, big) = (program.organization("Small", SMALL)?, program.organization("Big", plan.contacts)?);
    let at_rest = program.resident_mib()?;
    say(&format!("{CONNECTIONS} connections, {} rounds of {} s each\n", plan.rounds, plan.seconds))?;
    let mut numbers = Numbers::default();
    let mut searches = Vec::new();
    for (work, org) in [(Work::Create, &small), (Work::ById, &small), (Work::Search, &small), (Work::Search, &big)] {
        let rounds = measure(&program, work, org, &plan, &mut numbers)?;
        say(&format!("{}, in an organization of {} contacts\n{}", work.name(), org.contacts, report(&rounds)))?;
        if work == Work::Search {
            searches.push(rounds);
        }
    }
    if let [small, big] = searches.as_slice() {
        let slower = |pick: Pick| {
            median(small.iter().map(pick).zip(big.iter().map(pick)).map(|(small, big)| small.rate / big.rate))
        };
        say(&format!(
            "Searching {} contacts takes {:.2} times as long as searching {SMALL} over REST, {:.2} times in pgbench.",
            plan.contacts,
            slower(|round| &round.rest),
            slower(|round| &round.baseline)
        ))?;
    }
    say(&format!("Memory of the program: {at_rest:.0} MiB before, {:.0} MiB after.", program.resident_mib()?))?;
    program.stop()
}

fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// One round: the baseline and both doors, one after the other.
struct Round {
    baseline: Figure,
    rest: Figure,
    mcp: Figure,
}

fn measure(
    program: &Program,
    work: Work,
    org: &office::Organization,
    plan: &Plan,
    numbers: &mut Numbers,
) -> anyhow::Result<Vec<Round>> {
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        // Agents of their own: what one did within ten minutes is counted at each of its calls.
        let fresh = || -> anyhow::Result<Vec<Agent>> { (0..CONNECTIONS).map(|_| program.agent(org)).collect() };
        let (alone, by_rest, by_mcp) = (fresh()?, fresh()?, fresh()?);
        rounds.push(Round {
            baseline: statements::run(program, work, org, &alone, plan.seconds, numbers)?,
            rest: load::run(program, Door::Rest, work, org, &by_rest, plan.seconds, numbers)?,
            mcp: load::run(program, Door::Mcp, work, org, &by_mcp, plan.seconds, numbers)?,
        });
    }
    Ok(rounds)
}

fn report(rounds: &[Round]) -> String {
    let mid = |figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(figure));
    let line = |name: &str, pick: Pick| {
        let (rate, middle) = (mid(&|round| pick(round).rate), mid(&|round| pick(round).middle));
        let slow = mid(&|round| pick(round).slow);
        format!("  {name:8} {rate:7.0} a second   half within {middle:5.2} ms, 95 % within {slow:5.2} ms")
    };
    let share = |pick: Pick, of: &str, base: Pick| {
        let shares: Vec<f64> = rounds.iter().map(|round| pick(round).rate / base(round).rate).collect();
        let (least, most) =
            (shares.iter().copied().fold(f64::MAX, f64::min), shares.iter().copied().fold(0.0, f64::max));
        format!("   {:.2} of {of} ({least:.2} to {most:.2})", median(shares.into_iter()))
    };
    let (baseline, rest, mcp): (Pick, Pick, Pick) = (|round| &round.baseline, |round| &round.rest, |round| &round.mcp);
    [
        line("pgbench", baseline),
        line("REST", rest) + &share(rest, "pgbench", baseline),
        line("MCP", mcp) + &share(mcp, "REST", rest),
        String::new(),
    ]
    .join("\n")
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
