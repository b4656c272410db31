//! The standing office: something of every kind that an example can name, and who an action is for. Each domain's part stands in a
//! file beside this one and is built by that domain's own actions. What the contract and the rehearsals ask of every action, they
//! ask of it.

use std::collections::{BTreeMap, BTreeSet};

use capabilities::{ActionEntry, PermissionClass};
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};

use crate::desk::{Actor, Desk, Reply, fresh};

mod address;
mod agent;
mod alert;
mod audit;
mod authorization;
mod contact;
mod job;
mod note;
mod org;
mod rule;
mod service;
mod ticket;
mod user;
mod workflow;

/// Hands the domains to a macro, after what else it is given. A domain that is missing here is found out below.
macro_rules! for_each_domain {
    ($macro:ident $($given:tt)*) => {
        $macro! {
            $($given)*
            address agent alert audit authorization contact job note org rule service ticket user workflow
        }
    };
}
pub(crate) use for_each_domain;

macro_rules! table_of_samples {
    ($($domain:ident)+) => {
        /// The domains and what each of them has standing.
        pub const SAMPLES: &[(&str, Sample)] = &[$((stringify!($domain), $domain::SAMPLE)),+];
    };
}
for_each_domain!(table_of_samples);

/// What each run of an action mints anew, so that a rehearsal cannot foretell it.
pub const MINTED: &[&str] = &["token_prefix"];

/// What one domain has standing.
pub struct Sample {
    /// What examples call the ids it has.
    pub ids: &'static [&'static str],
    /// What has to be done before an action's example changes anything.
    pub first: &'static [(&'static str, &'static str)],
    /// What an action needs to be there although its example does not name it.
    pub besides: &'static [(&'static str, &'static str)],
    /// What is taken up by what is made of it, so that the next one needs another.
    pub taken_up: &'static [&'static str],
    /// Makes one of the ids, and what comes along with it.
    pub make: for<'s> fn(&'s mut Standing, &'s Desk, &'s str) -> LocalBoxFuture<'s, Vec<Named>>,
}

impl Sample {
    /// Nothing at all.
    const NONE: Self = Self {
        ids: &[],
        first: &[],
        besides: &[],
        taken_up: &[],
        make: |_, _, id| panic!("a domain without ids is asked for `{id}`"),
    };
}

type Named = (&'static str, String);

/// Whether agents may do it, at once or after a person allowed it.
pub fn is_for_agents(action: &ActionEntry) -> bool {
    action.class != PermissionClass::PeopleOnly
}

/// Whether people may do it. What is never held takes back a request, and only the agent that made it can.
pub fn is_for_people(action: &ActionEntry) -> bool {
    !action.never_held
}

/// What the ids of the examples stand for, and the agent whose request waits.
pub struct Standing {
    ids: BTreeMap<&'static str, String>,
    /// What was made of what, by the names of both.
    made_of: BTreeSet<(&'static str, &'static str)>,
    /// What is being made, each for the one before it.
    making: Vec<&'static str>,
    pub agent: Actor,
}

impl Desk {
    /// The standing office of one domain.
    pub async fn sample(&self, domain: &str) -> Standing {
        let mut standing = Standing::at(self).await;
        standing.add(self, domain).await;
        standing
    }

    /// Only what examples call by these names.
    pub async fn sample_of(&self, names: &[impl AsRef<str>]) -> Standing {
        let mut standing = Standing::at(self).await;
        standing.need_all(self, names).await;
        standing
    }

    /// As much of it as `action` needs, with an input on which it has something to do.
    pub async fn sample_for(&self, action: &ActionEntry) -> (Standing, Value) {
        let sample = sample_of(domain_of(action));
        let named = |list: &[(&'static str, &'static str)]| -> Vec<&'static str> {
            list.iter().filter(|(name, _)| *name == action.name).map(|(_, other)| *other).collect()
        };
        let first: Vec<_> =
            named(sample.first).into_iter().map(|name| self.office.registry().action(name).unwrap()).collect();
        let mut standing = Standing::at(self).await;
        for shown in first.iter().chain([&action]) {
            standing.need_all(self, &ids_in(&shown.example)).await;
        }
        standing.need_all(self, &named(sample.besides)).await;
        for first in first {
            let input = standing.fill(&first.example);
            standing.doer(self, first).await.call(first.name, input).await.ok();
        }
        let input = standing.fill(&action.example);
        (standing, input)
    }
}

impl Standing {
    async fn at(desk: &Desk) -> Self {
        Self { ids: BTreeMap::new(), made_of: BTreeSet::new(), making: Vec::new(), agent: new_agent(desk).await }
    }

    /// Everything that a domain has.
    pub async fn add(&mut self, desk: &Desk, domain: &str) {
        self.need_all(desk, sample_of(domain).ids).await;
    }

    async fn need_all(&mut self, desk: &Desk, names: &[impl AsRef<str>]) {
        for name in names {
            self.need(desk, name.as_ref()).await;
        }
    }

    /// The id that examples call by this name. It is made if nothing has it yet.
    pub async fn need(&mut self, desk: &Desk, name: &str) -> String {
        let (sample, name) = maker_of(name);
        self.made_of.extend(self.making.last().map(|whole| (*whole, name)));
        if !self.ids.contains_key(name) {
            self.making.push(name);
            let made = (sample.make)(self, desk, name).await;
            self.making.pop();
            self.ids.extend(made);
        }
        self.id(name).to_string()
    }

    /// Makes anew what `input` names and what was made of that, because a call may have used it up.
    pub async fn renew(&mut self, desk: &Desk, input: &str) {
        let mut used: BTreeSet<&str> =
            self.ids.iter().filter(|(_, id)| input.contains(*id)).map(|(name, _)| *name).collect();
        loop {
            let wholes = self.made_of.iter().filter(|(_, part)| used.contains(part)).map(|(whole, _)| *whole);
            let parts = used.iter().flat_map(|name| maker_of(name).0.taken_up).copied();
            let more: BTreeSet<&str> = wholes.chain(parts).chain(used.iter().copied()).collect();
            if more.len() == used.len() {
                break;
            }
            used = more;
        }
        let had: Vec<&str> = self.ids.keys().copied().filter(|name| used.contains(name)).collect();
        self.ids.retain(|name, _| !used.contains(name));
        self.need_all(desk, &had).await;
    }

    /// Who carries an action out: an owner where people may, else the agent.
    pub async fn doer(&self, desk: &Desk, action: &ActionEntry) -> Actor {
        match is_for_people(action) {
            true => desk.owner().await,
            false => self.agent.clone(),
        }
    }

    /// Everybody for whom an action is: the agent, an owner, or both.
    pub async fn doers(&self, desk: &Desk, action: &ActionEntry) -> Vec<Actor> {
        let agent = Some(self.agent.clone()).filter(|_| is_for_agents(action));
        let owner = Some(desk.owner().await).filter(|_| is_for_people(action));
        agent.into_iter().chain(owner).collect()
    }

    /// The ids by what examples call them.
    pub fn ids(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ids.iter().map(|(name, id)| (*name, id.as_str()))
    }

    pub fn id(&self, name: &str) -> &str {
        self.ids.get(name).unwrap_or_else(|| panic!("nothing stands for `{name}`: ask for it first"))
    }

    /// The example with what stands here.
    pub fn fill(&self, example: &Value) -> Value {
        let filled = example.as_object().map(|members| {
            let fill = |(name, value): (&String, &Value)| match name.strip_suffix("_ids") {
                Some(one) => (name.clone(), json!([self.id(&format!("{one}_id"))])),
                None if name.ends_with("_id") => (name.clone(), self.id(name).into()),
                None => (name.clone(), self.fill(value)),
            };
            Value::Object(members.iter().map(fill).collect())
        });
        let filled = filled.or_else(|| Some(example.as_array()?.iter().map(|item| self.fill(item)).collect()));
        filled.unwrap_or_else(|| example.clone())
    }
}

/// The domain that an action stands in.
pub fn domain_of(action: &ActionEntry) -> &'static str {
    action.name.split('.').next().unwrap_or_default()
}

fn sample_of(domain: &str) -> &'static Sample {
    let of_domain = SAMPLES.iter().find(|(name, _)| *name == domain);
    // A domain that only a test has shows what the product's have.
    of_domain.map_or(&Sample::NONE, |(_, sample)| sample)
}

/// Which domain's part makes what examples call by this name.
fn maker_of(name: &str) -> (&'static Sample, &'static str) {
    let all = SAMPLES.iter().flat_map(|(_, sample)| sample.ids.iter().map(move |id| (sample, *id)));
    let mut of_name = all.filter(|(_, id)| *id == name);
    of_name.next().unwrap_or_else(|| panic!("no domain has a `{name}` standing: give it one in tests/it/samples"))
}

/// Whether some domain has standing what examples call by this name.
pub fn have(name: &str) -> bool {
    SAMPLES.iter().any(|(_, sample)| sample.ids.contains(&name))
}

/// What an example names, each as a single one is called.
pub fn ids_in(example: &Value) -> Vec<String> {
    let members = example.as_object().into_iter().flatten();
    let of_members = members.flat_map(|(name, value)| match name.ends_with("_id") || name.ends_with("_ids") {
        true => vec![name.replace("_ids", "_id")],
        false => ids_in(value),
    });
    of_members.chain(example.as_array().into_iter().flatten().flat_map(ids_in)).collect()
}

pub async fn new_agent(desk: &Desk) -> Actor {
    desk.other_agent(&format!("Agent {}", fresh())).await
}

/// Carries it out as the agent, with a reasoning, and has an owner allow it where it waits.
pub async fn done_because(desk: &Desk, agent: &Actor, action: &str, input: Value) -> Reply {
    let reply = agent.call_because(action, input).await;
    if !reply.0.is_held() {
        return reply;
    }
    let allowed = desk.owner().await.allow_once(&reply.held()).await;
    assert_eq!(allowed.0.data.as_ref().unwrap()["status"], "executed", "{action}: {:#}", allowed.0.envelope());
    allowed
}

#[test]
fn every_domain_has_its_sample_and_every_sample_its_domain() {
    let registry = crate::contract::registry();
    let mut domains: Vec<&str> = registry.domains().iter().map(|domain| domain.name).collect();
    domains.sort_unstable();
    assert_eq!(SAMPLES.iter().map(|(name, _)| *name).collect::<Vec<_>>(), domains);
}

#[test]
fn an_exemption_is_for_an_action_that_is_there() {
    let registry = crate::contract::registry();
    for (domain, sample) in SAMPLES {
        for (action, _) in sample.first.iter().chain(sample.besides) {
            assert_eq!(domain_of(registry.action(action).unwrap()), *domain, "{action}");
        }
    }
}
