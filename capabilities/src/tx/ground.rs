//! What every transaction stands on: the world outside, where people find the pages, and what is declared, by name.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use crate::error::Result;
use crate::policy::{PermissionClass, Who};
use crate::tx::Tx;
use crate::world::World;

/// A future that may be sent to another thread and answers by whoever made it.
pub(crate) type Boxed<'t, T> = Pin<Box<dyn Future<Output = T> + Send + 't>>;

/// The world, the address and the declarations, from which transactions are opened.
pub(crate) struct Ground {
    pub world: World,
    /// Where people find the pages, without a slash at the end.
    pub address: String,
    pub dispatch: Arc<dyn Dispatch>,
}

/// What is known of an action by its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActionFacts {
    pub name: &'static str,
    pub class: PermissionClass,
    pub who: Who,
    pub each_time: bool,
    pub instead_of_undo: Option<&'static str>,
}

/// What is known of a kind of errand by its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrandFacts {
    pub made_up_for_by: Option<&'static str>,
}

/// Inputs of one action, carried out in order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs<'i> {
    pub each: &'i [Value],
    pub batch: bool,
}

/// What is declared, for whoever has a transaction and a name and no declarations: the registry answers it.
pub(crate) trait Dispatch: Send + Sync {
    /// The facts of an action; an error names those that are like it.
    fn action(&self, name: &str) -> Result<ActionFacts>;

    /// The facts of a kind of errand, if some domain lists it.
    fn errand(&self, kind: &str) -> Option<ErrandFacts>;

    /// Carries out an action, its steps judged with the call that is running.
    fn run<'t>(&'t self, action: &'t str, inputs: Inputs<'t>, tx: &'t mut Tx<'_>) -> Boxed<'t, Result<Value>>;

    /// What an action answered with, without what is shown once.
    fn without_secrets(&self, action: &str, output: Value) -> Value;

    /// Asks the guards of a table whether these rows may leave.
    fn leaving<'t>(&'t self, table: &'t str, ids: &'t [Uuid], tx: &'t mut Tx<'_>) -> Boxed<'t, Result<()>>;

    /// The names that are like `name`, of actions if it has a dot and of domains if not; none if it is one itself.
    fn misnamed(&self, name: &str) -> Option<Vec<String>>;
}
