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

/// A row with its place.
#[derive(Debug)]
pub struct Keyed<R> {
    /// Its place.
    pub key: Key,
    /// The row.
    pub row: R,
}

/// What of a list is wanted, beside the filters.
#[derive(Debug, Clone)]
pub struct Query {
    /// Only these.
    pub ids: Option<Vec<Uuid>>,
    /// Only what comes after this place.
    pub after: Option<Key>,
    /// At most so many.
    pub limit: i64,
}

impl Query {
    /// The sort value and the id to start after, for `(sort, id) > ($n, $m)`.
    #[must_use]
    pub fn after(&self) -> (Option<&str>, Option<Uuid>) {
        match &self.after {
            Some(Key(sort, id)) => (Some(sort), Some(*id)),
            None => (None, None),
        }
    }
}

/// A page of rows.
#[derive(Debug)]
pub struct Listing<R> {
    /// In order.
    pub rows: Vec<Keyed<R>>,
    /// How many match in all, counted to 1,001.
    pub total: i64,
}

impl<R> Listing<R> {
    /// Rows in the order of their ids, up or down; an id carries the time at which it was made.
    pub fn by_id(rows: impl IntoIterator<Item = R>, total: i64, id: impl Fn(&R) -> Uuid) -> Self {
        let rows = rows.into_iter().map(|row| Keyed { key: Key(String::new(), id(&row)), row });
        Self { rows: rows.collect(), total }
    }
}

impl Tx<'_> {
    /// One row of a data type by its id, as a question for it would show it to this caller.
    pub async fn one<D: Data, T: Entity>(&mut self, question: D, id: Id<T>) -> Result<D::Row> {
        let query = Query { ids: Some(vec![id.uuid()]), after: None, limit: 1 };
        let found = question.list(query, self).await?.rows.pop();
        found.map(|keyed| keyed.row).ok_or_else(|| Error::not_found::<T>(id))
    }

    /// The rows of a data type with these ids, in the order of their list; those that are not there are left out.
    pub async fn these<D: Data>(&mut self, question: D, ids: Vec<Uuid>) -> Result<Vec<D::Row>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let query = Query { limit: ids.len() as i64, ids: Some(ids), after: None };
        Ok(question.list(query, self).await?.rows.into_iter().map(|keyed| keyed.row).collect())
    }
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

    /// The rows that pass the filters, from a place on.
    fn list(self, query: Query, tx: &mut Tx<'_>) -> impl Future<Output = Result<Listing<Self::Row>>> + Send;
}
