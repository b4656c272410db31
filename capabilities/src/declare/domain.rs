//! A domain's plain list, and what is kept of each thing in it: its facts, its schemas, and how it is run, without its type.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::callers::{Caller, permit};
use crate::declare::action::{Action, Effect};
use crate::declare::data::{Data, Keyed, Listing, Parent, Query};
use crate::declare::errands::{CLAIM, Delivery, Errand, Retries};
use crate::declare::guards::{Guard, GuardEntry};
use crate::declare::jobs::Standing;
use crate::error::{Error, Result};
use crate::policy::{Escalation, PermissionClass, Who};
use crate::schema::{self, Checker, Marked, examples};
use crate::tx::{Boxed, Tx};
use crate::values::ids::Entity;
use crate::values::marks::SECRET;
use crate::world::Undelivered;

type Deliver = for<'t> fn(Value, &'t Delivery<'_>) -> Boxed<'t, Attempt>;
type Attempt = std::result::Result<(), Undelivered>;
type Run = for<'t> fn(Value, &'t mut Tx<'_>) -> Boxed<'t, Result<Value>>;
/// An input that fits its schema, as the action that it asks for.
pub(crate) type Parsed = Box<dyn for<'t> FnOnce(&'t mut Tx<'_>) -> Boxed<'t, Result<Value>> + Send + Sync>;
type List = for<'t> fn(Value, Query, &'t mut Tx<'_>) -> Boxed<'t, Result<Listing<Value>>>;
type ByIds = for<'t> fn(Vec<Uuid>, &'t mut Tx<'_>) -> Boxed<'t, Result<Vec<Value>>>;
type Beside = for<'t> fn(&'static str, Vec<Uuid>, i64, &'t mut Tx<'_>) -> Boxed<'t, Result<Vec<Value>>>;

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
    pub(crate) secrets: Marked,
    pub(crate) parse: fn(&Checker, &Value) -> Result<Parsed>,
    /// Of an input that was parsed before, and stored.
    pub(crate) run: Run,
}

impl ActionEntry {
    /// Whether `caller` may do it at all.
    pub(crate) fn permit(&self, caller: &Caller) -> Result<()> {
        permit(caller, self.name, self.class, self.who)
    }

    /// Its compiled input schema; present once the registry was built.
    pub(crate) fn input(&self) -> Result<&Checker> {
        self.input.as_ref().map_err(|error| Error::Internal(error.clone()))
    }

    /// What it answered with, without what is shown once.
    pub(crate) fn without_secrets(&self, mut output: Value) -> Value {
        self.secrets.each(&mut output, "", &mut |_, value| *value = "shown_once".into());
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
    pub(crate) parse: fn(&Checker, &Value) -> Result<()>,
    pub(crate) list: List,
    pub(crate) by_ids: ByIds,
    pub(crate) beside: Beside,
    /// The filters of parents for which `beside` is there.
    pub(crate) kept_beside: &'static [&'static str],
}

impl DataEntry {
    /// Whether `caller` may read it.
    pub(crate) fn permit(&self, caller: &Caller) -> Result<()> {
        if !caller.reaches(self.name) {
            return Err(Error::Forbidden(format!("`{}` are beyond what {} reaches.", self.name, caller.name())));
        }
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
    /// How it is tried again.
    pub retries: Retries,
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
    /// Whom it guards.
    pub guards: Vec<GuardEntry>,
}

impl Domain {
    /// An empty domain.
    #[must_use]
    pub fn new(name: &'static str, about: &'static str) -> Self {
        let (actions, data, errands) = (Vec::new(), Vec::new(), Vec::new());
        Self { name, about, actions, data, errands, standing: Vec::new(), guards: Vec::new() }
    }

    /// Adds an action.
    #[must_use]
    pub fn action<A: Action>(mut self) -> Self {
        let (schema, output) = (schema::of_input::<A>(), schema::of_output::<A::Output>());
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
            escalations: A::ESCALATIONS.iter().map(Escalation::fact).collect(),
            example: examples::with_ids(&schema, A::example()),
            tool: None,
            secrets: Marked::by(SECRET, &output),
            output,
            input: Checker::new(schema),
            parse: |checker, value| {
                let action: A = checker.parse(value)?;
                Ok(Box::new(move |tx| Box::pin(carry_out(action, tx))))
            },
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
            by_ids: |ids, tx| Box::pin(async move { as_json(tx.these::<D>(&ids).await?) }),
            beside: |filter, parents, limit, tx| {
                Box::pin(async move { as_json(D::beside(filter, &parents, limit, tx).await?) })
            },
            kept_beside: D::BESIDE,
        });
        self
    }

    /// Adds a kind of errand.
    #[must_use]
    pub fn errand<E: Errand>(mut self) -> Self {
        const { assert!((E::RETRIES.patience.as_secs() as i64) < CLAIM.num_seconds(), "an attempt outlives its claim") }
        self.errands.push(ErrandEntry {
            kind: E::KIND,
            service: E::SERVICE,
            retries: E::RETRIES,
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

    /// Has a say before rows of an entity below leave: an error of the guard refuses it.
    #[must_use]
    pub fn guards<E: Entity>(mut self, guard: Guard<E>) -> Self {
        self.guards.push(GuardEntry::of(guard));
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
    carry_out(serde_json::from_value::<A>(input).map_err(|error| Error::Internal(error.to_string()))?, tx).await
}

async fn carry_out<A: Action>(action: A, tx: &mut Tx<'_>) -> Result<Value> {
    let output = tx.call(action).await?;
    serde_json::to_value(output).map_err(|error| Error::Internal(error.to_string()))
}

async fn list<D: Data>(filters: Value, query: Query, tx: &mut Tx<'_>) -> Result<Listing<Value>> {
    let question: D = serde_json::from_value(filters).map_err(|error| Error::Internal(error.to_string()))?;
    let page = tx.list(question, query).await?;
    let rows = page.rows.into_iter().map(|Keyed { key, row }| Ok(Keyed { key, row: json_of(row)? }));
    Ok(Listing { rows: rows.collect::<Result<_>>()?, total: page.total })
}

fn as_json<R: Serialize>(rows: Vec<R>) -> Result<Vec<Value>> {
    rows.into_iter().map(json_of).collect()
}

fn json_of<R: Serialize>(row: R) -> Result<Value> {
    serde_json::to_value(row).map_err(|error| Error::Internal(error.to_string()))
}
