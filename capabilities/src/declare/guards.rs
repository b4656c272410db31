//! How a domain objects to what happens below it: it guards an entity of another domain, and is asked before rows of that
//! leave. So addresses know nothing of the visits that are planned there, and yet none is removed from under one.

use std::future::Future;
use std::pin::Pin;

use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Boxed, Tx};
use crate::values::ids::{Entity, Id};

/// The columns by which a row leaves without being deleted: it has left when one of them is set.
pub const LEAVES_BY: [&str; 3] = ["archived_at", "deactivated_at", "removed_at"];

/// What a guard comes to: an error is its objection.
pub type Objection<'t> = Pin<Box<dyn Future<Output = Result<()>> + Send + 't>>;

/// Asked before rows of `E` leave: `|ids, tx| Box::pin(refuse_planned(ids, tx))`.
pub type Guard<E> = for<'t> fn(&'t [Id<E>], &'t mut Tx<'_>) -> Objection<'t>;

type Ask = Box<dyn for<'t> Fn(&'t [Uuid], &'t mut Tx<'_>) -> Boxed<'t, Result<()>> + Send + Sync>;

/// A guard as the registry knows it.
pub struct GuardEntry {
    /// The table that it guards.
    pub table: &'static str,
    pub(crate) ask: Ask,
}

impl GuardEntry {
    pub(crate) fn of<E: Entity>(guard: Guard<E>) -> Self {
        let ask: Ask = Box::new(move |ids, tx| {
            Box::pin(async move {
                let ids: Vec<Id<E>> = ids.iter().copied().map(Id::from).collect();
                guard(&ids, tx).await
            })
        });
        Self { table: E::TABLE, ask }
    }
}

impl Tx<'_> {
    /// Asks the domains that guard `E` whether these rows may leave: be deleted, removed, archived, deactivated or merged into
    /// another row. The rows must be locked by then, and whoever makes a row that refers to one of them locks it too: so
    /// nothing begins to stand against it after it was asked.
    pub async fn leaving<E: Entity>(&mut self, ids: &[Id<E>]) -> Result<()> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        self.leaving_from(E::TABLE, &ids).await
    }

    /// The same for rows of which only the table is known.
    pub(crate) async fn leaving_from(&mut self, table: &str, ids: &[Uuid]) -> Result<()> {
        let ground = self.ground();
        ground.dispatch.leaving(table, ids, self).await
    }
}
