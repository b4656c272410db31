//! The checked list of everything the office can do and show. Built once at start from the domains' plain lists;
//! what is wrong in a declaration is found then, all at once.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde_json::Value;

use crate::callers::{Caller, Who};
use crate::declare::action::{Action, Effect};
use crate::declare::data::{Data, Keyed, Listing, Parent, Query};
use crate::declare::errands::{Delivery, Errand, Undelivered};
use crate::declare::jobs::Standing;
use crate::error::{Error, Result};
use crate::policy::{self, PermissionClass};
use crate::schema::{self, Checker, SECRET};
use crate::tx::Tx;

type Boxed<'t, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 't>>;
type Deliver = for<'t> fn(Value, &'t Delivery<'_>) -> Pin<Box<dyn Future<Output = Attempt> + Send + 't>>;
type Attempt = std::result::Result<(), Undelivered>;
type Run = for<'t> fn(Value, &'t mut Tx<'_>) -> Boxed<'t, Value>;
type List = for<'t> fn(Value, Query, &'t mut Tx<'_>) -> Boxed<'t, Listing<Value>>;

/// What agents call a capability that has a tool of its own, besides the generic ones.
#[derive(Debug, Clone, Copy)]
pub struct ToolNames {
    /// `find_customer`.
    pub name: &'static str,
    /// "Find a customer".
    pub title: &'static str,
}

/// An action as the registry knows it.
pub struct ActionEntry {
    /// `domain.verb`.
    pub name: &'static str,
    /// Former names, still answered.
    pub formerly: &'static [&'static str],
    /// What a model reads.
    pub description: String,
    /// What it does to what is there.
    pub effect: Effect,
    /// Its class for agents.
    pub class: PermissionClass,
    /// The people who may do it.
    pub who: Who,
    /// Whether a person must decide each time.
    pub each_time: bool,
    /// Whether it is done whatever the gate finds.
    pub never_held: bool,
    /// Whether one call may do it on several inputs.
    pub items: bool,
    /// Where `audit.undo` does not take it back: what to do instead.
    pub instead_of_undo: Option<&'static str>,
    /// What raises the class: code, class, sentence.
    pub escalations: Vec<(&'static str, PermissionClass, &'static str)>,
    /// A complete, valid input.
    pub example: Value,
    /// The tool of its own that agents get for it.
    pub tool: Option<ToolNames>,
    pub(crate) input: std::result::Result<Checker, String>,
    pub(crate) output: Value,
    pub(crate) parse: fn(&Checker, Value) -> Result<()>,
    pub(crate) run: Run,
}

impl ActionEntry {
    /// Whether `caller` may do it at all.
    pub(crate) fn permit(&self, caller: &Caller) -> Result<()> {
        policy::permit(caller, self.name, self.class, self.who)
    }

    /// Its compiled input schema; present once the registry was built.
    pub(crate) fn input(&self) -> Result<&Checker> {
        self.input.as_ref().map_err(|error| Error::Internal(error.clone()))
    }

    /// What it answered with, without what is shown once.
    pub(crate) fn without_secrets(&self, mut output: Value) -> Value {
        schema::each_marked(SECRET, &self.output, &mut output, "", &mut |_, value| *value = "shown_once".into());
        output
    }

    /// The schema of its input, as advertised.
    #[must_use]
    pub fn input_schema(&self) -> Value {
        self.input.as_ref().map(|input| schema::advertised(input.schema())).unwrap_or_default()
    }

    /// The same with our marks: what is free text, a time, a reference.
    #[must_use]
    pub fn marked_input(&self) -> Option<&Value> {
        self.input.as_ref().ok().map(Checker::schema)
    }

    /// The schema of what it answers with.
    #[must_use]
    pub fn output_schema(&self) -> Value {
        schema::advertised(&self.output)
    }
}

/// A data type as the registry knows it.
pub struct DataEntry {
    /// Plural.
    pub name: &'static str,
    /// Singular.
    pub one: &'static str,
    /// What a model reads.
    pub description: String,
    /// The people who may read it.
    pub who: Who,
    /// Whether agents may not.
    pub people_only: bool,
    /// The order, in words.
    pub sorted_by: &'static str,
    /// What its rows belong to.
    pub parents: &'static [Parent],
    /// The tool of its own that agents get for it.
    pub tool: Option<ToolNames>,
    pub(crate) filters: std::result::Result<Checker, String>,
    pub(crate) row: Value,
    pub(crate) parse: fn(&Checker, Value) -> Result<()>,
    pub(crate) list: List,
}

impl DataEntry {
    /// Whether `caller` may read it.
    pub(crate) fn permit(&self, caller: &Caller) -> Result<()> {
        if caller.is_agent() && self.people_only {
            return Err(Error::Forbidden(format!("`{}` are for people to read, not for agents.", self.name)));
        }
        match caller.is_among(self.who) {
            true => Ok(()),
            false => Err(Error::Forbidden(format!("`{}` are for {} to read.", self.name, self.who.in_words()))),
        }
    }

    /// The compiled schema of its filters; present once the registry was built.
    pub(crate) fn filters(&self) -> Result<&Checker> {
        self.filters.as_ref().map_err(|error| Error::Internal(error.clone()))
    }

    /// The schema of its filters, as advertised.
    #[must_use]
    pub fn filters_schema(&self) -> Value {
        self.filters.as_ref().map(|filters| schema::advertised(filters.schema())).unwrap_or_default()
    }

    /// The same with our marks.
    #[must_use]
    pub fn marked_filters(&self) -> Option<&Value> {
        self.filters.as_ref().ok().map(Checker::schema)
    }

    /// The schema of a row, with our marks.
    #[must_use]
    pub fn marked_row(&self) -> &Value {
        &self.row
    }

    /// The schema of a row.
    #[must_use]
    pub fn row_schema(&self) -> Value {
        schema::advertised(&self.row)
    }
}

/// A kind of errand as the registry knows it.
pub struct ErrandEntry {
    /// `send_email`.
    pub kind: &'static str,
    /// The outside service it needs.
    pub service: &'static str,
    /// What makes up for it once it is delivered.
    pub made_up_for_by: Option<&'static str>,
    pub(crate) deliver: Deliver,
}

/// A domain: its name, what it is about, and its lists.
pub struct Domain {
    /// `contact`.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// Its actions.
    pub actions: Vec<ActionEntry>,
    /// Its data types.
    pub data: Vec<DataEntry>,
    /// The kinds of errands its actions leave.
    pub errands: Vec<ErrandEntry>,
    /// What it does every day.
    pub standing: Vec<Standing>,
}

impl Domain {
    /// An empty domain.
    #[must_use]
    pub fn new(name: &'static str, about: &'static str) -> Self {
        Self { name, about, actions: Vec::new(), data: Vec::new(), errands: Vec::new(), standing: Vec::new() }
    }

    /// Adds an action.
    #[must_use]
    pub fn action<A: Action>(mut self) -> Self {
        let schema = schema::of_input::<A>();
        self.actions.push(ActionEntry {
            name: A::NAME,
            formerly: A::FORMERLY,
            description: schema["description"].as_str().unwrap_or_default().to_string(),
            effect: A::EFFECT,
            class: A::CLASS,
            each_time: A::EACH_TIME,
            never_held: A::NEVER_HELD,
            items: A::ITEMS,
            instead_of_undo: A::INSTEAD_OF_UNDO,
            who: A::WHO,
            escalations: A::ESCALATIONS.iter().map(crate::policy::Escalation::facts).collect(),
            example: A::example(),
            tool: None,
            output: schema::of_output::<A::Output>(),
            input: Checker::new(schema),
            parse: |checker, value| checker.parse::<A>(value).map(drop),
            run: |value, tx| Box::pin(run::<A>(value, tx)),
        });
        self
    }

    /// Adds an action that agents also get as a tool of its own, because it is a common job in one go.
    #[must_use]
    pub fn action_tool<A: Action>(mut self, name: &'static str, title: &'static str) -> Self {
        self = self.action::<A>();
        if let Some(entry) = self.actions.last_mut() {
            entry.tool = Some(ToolNames { name, title });
        }
        self
    }

    /// Adds a data type.
    #[must_use]
    pub fn data<D: Data>(mut self) -> Self {
        let schema = schema::of_input::<D>();
        self.data.push(DataEntry {
            name: D::NAME,
            one: D::ONE,
            description: schema["description"].as_str().unwrap_or_default().to_string(),
            who: D::WHO,
            people_only: D::PEOPLE_ONLY,
            sorted_by: D::SORTED_BY,
            parents: D::PARENTS,
            tool: None,
            row: schema::of_output::<D::Row>(),
            filters: Checker::new(schema),
            parse: |checker, value| checker.parse::<D>(value).map(drop),
            list: |filters, query, tx| Box::pin(list::<D>(filters, query, tx)),
        });
        self
    }

    /// Adds a kind of errand.
    #[must_use]
    pub fn errand<E: Errand>(mut self) -> Self {
        self.errands.push(ErrandEntry {
            kind: E::KIND,
            service: E::SERVICE,
            made_up_for_by: E::MADE_UP_FOR_BY,
            deliver: |payload, delivery| Box::pin(deliver::<E>(payload, delivery)),
        });
        self
    }

    /// Adds something that every organization does every day.
    #[must_use]
    pub fn daily(mut self, standing: Standing) -> Self {
        self.standing.push(standing);
        self
    }

    /// Adds a data type that agents also get as a tool of its own, because it is the first thing they reach for.
    #[must_use]
    pub fn data_tool<D: Data>(mut self, name: &'static str, title: &'static str) -> Self {
        self = self.data::<D>();
        if let Some(entry) = self.data.last_mut() {
            entry.tool = Some(ToolNames { name, title });
        }
        self
    }
}

async fn deliver<E: Errand>(payload: Value, delivery: &Delivery<'_>) -> Attempt {
    match serde_json::from_value::<E>(payload) {
        Ok(errand) => errand.deliver(delivery).await,
        Err(error) => Err(Undelivered::Never(format!("it is not understood any more ({error})"))),
    }
}

async fn run<A: Action>(input: Value, tx: &mut Tx<'_>) -> Result<Value> {
    let action: A = serde_json::from_value(input).map_err(|error| Error::Internal(error.to_string()))?;
    let output = tx.call(action).await?;
    serde_json::to_value(output).map_err(|error| Error::Internal(error.to_string()))
}

async fn list<D: Data>(filters: Value, query: Query, tx: &mut Tx<'_>) -> Result<Listing<Value>> {
    let question: D = serde_json::from_value(filters).map_err(|error| Error::Internal(error.to_string()))?;
    let page = question.list(query, tx).await?;
    let rows = page.rows.into_iter().map(|Keyed { key, row }| {
        let row = serde_json::to_value(row).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Keyed { key, row })
    });
    Ok(Listing { rows: rows.collect::<Result<_>>()?, total: page.total })
}

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
            if let Err(error) = (action.parse)(checker, action.example.clone()) {
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
        && let Err(error) = (action.parse)(checker, standing.input.clone())
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
