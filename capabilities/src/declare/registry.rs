//! The checked list of everything the office can do and show. Built once at start from the domains' plain lists;
//! what is wrong in a declaration is found then, all at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::callers::Caller;
use crate::declare::data::Parent;
use crate::declare::domain::{ActionEntry, DataEntry, Domain, ErrandEntry};
use crate::declare::guards::GuardEntry;
use crate::declare::jobs::Standing;
use crate::error::{Error, Result};
use crate::schema;

/// What is wrong with the declarations.
#[derive(Debug)]
pub struct RegistryError(Vec<String>);

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the capabilities are declared wrongly: {}", self.0.join("; "))
    }
}

impl std::error::Error for RegistryError {}

/// Everything the office can do and show.
pub struct Registry {
    domains: Vec<Domain>,
    actions: BTreeMap<&'static str, (usize, usize)>,
    data: BTreeMap<&'static str, (usize, usize)>,
}

impl Registry {
    /// Checks the domains and indexes them by name.
    pub fn new(domains: Vec<Domain>) -> std::result::Result<Self, RegistryError> {
        let mut wrong = Vec::new();
        let (mut actions, mut data) = (BTreeMap::new(), BTreeMap::new());
        for (d, domain) in domains.iter().enumerate() {
            for (a, action) in domain.actions.iter().enumerate() {
                check_action(domain.name, action, &mut wrong);
                for name in std::iter::once(&action.name).chain(action.formerly) {
                    if actions.insert(*name, (d, a)).is_some() {
                        wrong.push(format!("{name} is declared twice"));
                    }
                }
            }
            for (t, entry) in domain.data.iter().enumerate() {
                if data.insert(entry.name, (d, t)).is_some() {
                    wrong.push(format!("{} is declared twice", entry.name));
                }
            }
        }
        for entry in domains.iter().flat_map(|domain| &domain.data) {
            check_data(entry, &data, &mut wrong);
        }
        for standing in domains.iter().flat_map(|domain| &domain.standing) {
            check_standing(standing, &domains, &actions, &mut wrong);
        }
        match wrong.is_empty() {
            true => Ok(Self { domains, actions, data }),
            false => Err(RegistryError(wrong)),
        }
    }

    /// The domains in their order.
    #[must_use]
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// All actions, by domain.
    pub fn actions(&self) -> impl Iterator<Item = &ActionEntry> {
        self.domains.iter().flat_map(|domain| &domain.actions)
    }

    /// All data types, by domain.
    pub fn data_types(&self) -> impl Iterator<Item = &DataEntry> {
        self.domains.iter().flat_map(|domain| &domain.data)
    }

    /// The action of that name.
    pub fn action(&self, name: &str) -> Result<&ActionEntry> {
        self.known_action(name).ok_or_else(|| unknown_action(name, self.actions.keys().copied()))
    }

    /// The same for somebody: a name that means nothing is compared with what this caller may do, and with nothing else.
    pub(crate) fn action_for(&self, caller: &Caller, name: &str) -> Result<&ActionEntry> {
        let open = |known: &&str| self.known_action(known).is_some_and(|action| action.permit(caller).is_ok());
        self.known_action(name).ok_or_else(|| unknown_action(name, self.actions.keys().copied().filter(open)))
    }

    fn known_action(&self, name: &str) -> Option<&ActionEntry> {
        self.actions.get(name).map(|(domain, action)| &self.domains[*domain].actions[*action])
    }

    /// The data type of that name.
    pub fn data_type(&self, name: &str) -> Result<&DataEntry> {
        self.known_type(name).ok_or_else(|| unknown_type(name, self.data.keys().copied()))
    }

    /// The same for somebody, as with actions.
    pub(crate) fn data_type_for(&self, caller: &Caller, name: &str) -> Result<&DataEntry> {
        let open = |known: &&str| self.known_type(known).is_some_and(|entry| entry.permit(caller).is_ok());
        self.known_type(name).ok_or_else(|| unknown_type(name, self.data.keys().copied().filter(open)))
    }

    fn known_type(&self, name: &str) -> Option<&DataEntry> {
        self.data.get(name).map(|(domain, entry)| &self.domains[*domain].data[*entry])
    }

    /// The kind of errand of that name.
    pub(crate) fn errand(&self, kind: &str) -> Option<&ErrandEntry> {
        self.domains.iter().flat_map(|domain| &domain.errands).find(|entry| entry.kind == kind)
    }

    /// The outside services that errands need.
    pub(crate) fn services(&self) -> Vec<&'static str> {
        let errands = self.domains.iter().flat_map(|domain| &domain.errands);
        errands.map(|entry| entry.service).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The guards of a table, in the order of their domains.
    pub(crate) fn guards(&self, table: &str) -> impl Iterator<Item = &GuardEntry> {
        self.domains.iter().flat_map(|domain| &domain.guards).filter(move |guard| guard.table == table)
    }

    /// What every organization does every day.
    pub(crate) fn standing(&self) -> impl Iterator<Item = &Standing> {
        self.domains.iter().flat_map(|domain| &domain.standing)
    }

    /// What rows of `entry` can bring along: the name, the other type, and how they hang together.
    pub(crate) fn includes(&self, entry: &DataEntry) -> Vec<Include<'_>> {
        let children = self.data_types().flat_map(|child| {
            let of_this = |parent: &&Parent| parent.of == entry.name || (parent.of == "*" && child.name != entry.name);
            child.parents.iter().filter(of_this).map(move |link| Include::Children { name: link.children, child, link })
        });
        let parents = entry.parents.iter().filter_map(|link| {
            Some(Include::Parent { name: link.parent?, parent: self.data_type(link.of).ok()?, member: link.member })
        });
        children.chain(parents).collect()
    }
}

fn unknown_action<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Error {
    Error::UnknownAction { name: schema::shortened(name), did_you_mean: schema::nearest(name, names) }
}

fn unknown_type<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Error {
    Error::UnknownType { name: schema::shortened(name), did_you_mean: schema::nearest(name, names) }
}

/// Something rows can bring along.
pub(crate) enum Include<'r> {
    /// Rows that belong to them.
    Children { name: &'static str, child: &'r DataEntry, link: &'static Parent },
    /// The row they belong to.
    Parent { name: &'static str, parent: &'r DataEntry, member: &'static str },
}

impl Include<'_> {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Children { name, .. } | Self::Parent { name, .. } => name,
        }
    }

    /// Whether it is asked by ids alone, so that its plan is kept.
    pub fn keeps_its_plan(&self) -> bool {
        match self {
            Self::Children { child, link, .. } => child.kept_beside.contains(&link.filter),
            Self::Parent { .. } => true,
        }
    }

    /// The type of what is brought along.
    pub fn other(&self) -> &DataEntry {
        match self {
            Self::Children { child: other, .. } | Self::Parent { parent: other, .. } => other,
        }
    }
}

fn check_action(domain: &str, action: &ActionEntry, wrong: &mut Vec<String>) {
    let name = action.name;
    if name.strip_prefix(domain).is_none_or(|rest| !rest.starts_with('.')) {
        wrong.push(format!("{name} does not begin with its domain {domain}"));
    }
    if action.description.is_empty() {
        wrong.push(format!("{name} has no doc comment"));
    }
    match &action.input {
        Err(error) => wrong.push(format!("{name}: {error}")),
        Ok(checker) => {
            if let Err(error) = (action.parse)(checker, &action.example) {
                wrong.push(format!("the example of {name} is refused: {}", error.message()));
            }
        }
    }
}

fn check_standing(
    standing: &Standing,
    domains: &[Domain],
    known: &BTreeMap<&'static str, (usize, usize)>,
    wrong: &mut Vec<String>,
) {
    let Some((domain, action)) = known.get(standing.action) else {
        return wrong.push(format!("{} is to do {}, which is not there", standing.name, standing.action));
    };
    let action = &domains[*domain].actions[*action];
    if let Ok(checker) = &action.input
        && let Err(error) = (action.parse)(checker, &standing.input)
    {
        wrong.push(format!("the input of {} is refused: {}", standing.name, error.message()));
    }
}

fn check_data(entry: &DataEntry, known: &BTreeMap<&'static str, (usize, usize)>, wrong: &mut Vec<String>) {
    let name = entry.name;
    match &entry.filters {
        Err(error) => wrong.push(format!("{name}: {error}")),
        Ok(filters) => {
            for parent in entry.parents {
                if parent.of != "*" && !known.contains_key(parent.of) {
                    wrong.push(format!("{name} belongs to {}, which is not there", parent.of));
                }
                if filters.schema()["properties"].get(parent.filter).is_none() {
                    wrong.push(format!("{name} has no filter {}", parent.filter));
                }
            }
        }
    }
}
