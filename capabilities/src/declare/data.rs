//! The declaration of something readable. The type is the question: its fields are the filters, its doc comment is
//! what a model reads.

use std::future::Future;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::policy::Who;
use crate::tx::Tx;
use crate::values::ids::{Entity, Id};

/// A row belongs to rows of another type: makes both `include`s, of the children and of the parent.
#[derive(Debug, Clone, Copy)]
pub struct Parent {
    /// The parent's data type; `*` for every one.
    pub of: &'static str,
    /// The filter that takes the parents' ids.
    pub filter: &'static str,
    /// The member of a row that holds the parent's id, or a list of them.
    pub member: &'static str,
    /// The name of the children among the parent's includes.
    pub children: &'static str,
    /// The name of the parent among the child's includes, if it can be asked for.
    pub parent: Option<&'static str>,
}

/// Where a row stands in the order of its list: the sort value as text, then the id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Key(pub String, pub Uuid);

impl Key {
    /// The place of a row in the order of ids, up or down; an id carries the time at which it was made.
    #[must_use]
    pub fn of(id: Uuid) -> Self {
        Self(String::new(), id)
    }
}

/// A row with its place.
#[derive(Debug)]
pub struct Keyed<R> {
    /// Its place.
    pub key: Key,
    /// The row.
    pub row: R,
}

/// What of a list is wanted, beside the filters.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only these.
    pub ids: Option<Vec<Uuid>>,
    /// Only what comes after this place.
    pub after: Option<Key>,
    /// At most so many.
    pub limit: i64,
    /// Whether to tell how many match in all, though it takes counting.
    pub counted: bool,
}

impl Query {
    /// Matches are counted so far and no further.
    pub const COUNTED: i64 = 1_001;

    /// The first rows, uncounted.
    #[must_use]
    pub fn first(limit: i64) -> Self {
        Self { limit, ..Self::default() }
    }

    /// The sort value and the id to start after, for `(sort, id) > ($3, $4)`.
    #[must_use]
    pub fn after(&self) -> (Option<&str>, Option<Uuid>) {
        match &self.after {
            Some(Key(sort, id)) => (Some(sort), Some(*id)),
            None => (None, None),
        }
    }

    /// How many match in all, where a page of `found` rows tells it.
    #[must_use]
    pub fn total_of(&self, found: usize) -> Option<i64> {
        let found = found as i64;
        (self.after.is_none() && found < self.limit).then_some(found)
    }
}

/// A page of rows.
#[derive(Debug)]
pub struct Listing<R> {
    /// In order.
    pub rows: Vec<Keyed<R>>,
    /// How many match in all, counted to 1,001: where that is known, or was asked for.
    pub total: Option<i64>,
}

impl<R> Listing<R> {
    /// A page of rows that are all at hand, given from the page's place on.
    pub fn all(total: usize, rows: impl IntoIterator<Item = Keyed<R>>, query: &Query) -> Self {
        let limit = usize::try_from(query.limit).unwrap_or_default();
        Self { rows: rows.into_iter().take(limit).collect(), total: Some(total as i64) }
    }

    /// The rows without their places.
    pub fn into_rows(self) -> impl Iterator<Item = R> {
        self.rows.into_iter().map(|keyed| keyed.row)
    }
}

impl Tx<'_> {
    /// One row of a data type by its id, as a question for it would show it to this caller.
    pub async fn one<D: Data>(&mut self, id: Id<impl Entity>) -> Result<D::Row> {
        D::by_ids(&[id.uuid()], self).await?.pop().ok_or_else(|| missing(id))
    }

    /// The rows of a data type with these ids, in the order of their list; those that are not there are left out.
    pub async fn these<D: Data>(&mut self, ids: &[Uuid]) -> Result<Vec<D::Row>> {
        match ids {
            [] => Ok(Vec::new()),
            ids => D::by_ids(ids, self).await,
        }
    }

    /// The first rows of a question, so many at most.
    pub async fn first_of<D: Data>(&mut self, question: D, limit: i64) -> Result<Vec<D::Row>> {
        Ok(self.list(question, Query::first(limit)).await?.into_rows().collect())
    }

    /// A page of a data type. What is absent among the filters is known only with their values: from here on each statement
    /// of the transaction is planned for its own.
    pub async fn list<D: Data>(&mut self, question: D, query: Query) -> Result<Listing<D::Row>> {
        self.plan_each_time().await?;
        question.list(query, self).await
    }
}

fn missing<T: Entity>(id: Id<T>) -> Error {
    Error::not_found::<T>(id)
}

/// Something readable, declared by the type of its filters.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a data type",
    note = "the filters derive Deserialize and JsonSchema and implement `Data`"
)]
pub trait Data: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Plural: `contacts`.
    const NAME: &'static str;
    /// The singular, for sentences: `contact`.
    const ONE: &'static str;
    /// The people who may read it.
    const WHO: Who;
    /// Whether agents may not.
    const PEOPLE_ONLY: bool = false;
    /// The order, in words.
    const SORTED_BY: &'static str;
    /// What its rows belong to.
    const PARENTS: &'static [Parent] = &[];
    /// A row.
    type Row: Serialize + JsonSchema + Send;

    /// The filters of its parents beside which rows are asked by a plan that is kept; beside others the list is asked.
    const BESIDE: &'static [&'static str] = &[];

    /// The rows that pass the filters, from a place on. Asked by [`Tx::list`]; mostly made by [`listing!`](crate::listing).
    fn list(self, query: Query, tx: &mut Tx<'_>) -> impl Future<Output = Result<Listing<Self::Row>>> + Send;

    /// The rows with these ids in the order of the list, those too that it leaves out. Nothing in the statement may be absent:
    /// its plan is kept.
    fn by_ids(ids: &[Uuid], tx: &mut Tx<'_>) -> impl Future<Output = Result<Vec<Self::Row>>> + Send;

    /// The rows that belong to these parents, by one of the filters in `BESIDE`: what the list answers with it alone.
    fn beside(
        filter: &str,
        _parents: &[Uuid],
        _limit: i64,
        _tx: &mut Tx<'_>,
    ) -> impl Future<Output = Result<Vec<Self::Row>>> + Send {
        let wrong = Error::Internal(format!("{} keep no plan beside {filter}", Self::NAME));
        async { Err(wrong) }
    }
}
