//! What the registry answers to whoever has a transaction and the name of something declared.

use serde_json::Value;
use uuid::Uuid;

use crate::declare::domain::{ActionEntry, Parsed};
use crate::declare::registry::Registry;
use crate::declare::validation::place;
use crate::error::Result;
use crate::schema;
use crate::tx::facts::{ActionFacts, ErrandFacts, Inputs};
use crate::tx::{Boxed, Dispatch, Tx};

/// Carries out what was parsed, in order.
pub(crate) async fn run(tx: &mut Tx<'_>, each: Vec<Parsed>, batch: bool) -> Result<Value> {
    let mut results = Vec::with_capacity(each.len());
    for (index, parsed) in each.into_iter().enumerate() {
        results.push(parsed(tx).await.map_err(|error| error.under(&place(batch, index)))?);
    }
    Ok(together(results, batch))
}

/// The same of inputs that were stored.
async fn run_stored(tx: &mut Tx<'_>, action: &ActionEntry, inputs: Inputs<'_>) -> Result<Value> {
    let mut results = Vec::with_capacity(inputs.each.len());
    for (index, input) in inputs.each.iter().enumerate() {
        let done = (action.run)(input.clone(), tx).await;
        results.push(done.map_err(|error| error.under(&place(inputs.batch, index)))?);
    }
    Ok(together(results, inputs.batch))
}

fn together(mut results: Vec<Value>, batch: bool) -> Value {
    match (batch, results.pop()) {
        (false, Some(only)) => only,
        (_, last) => results.into_iter().chain(last).collect(),
    }
}

impl Dispatch for Registry {
    fn action(&self, name: &str) -> Result<ActionFacts> {
        let action = self.action(name)?;
        Ok(ActionFacts {
            name: action.name,
            class: action.class,
            who: action.who,
            each_time: action.each_time,
            instead_of_undo: action.instead_of_undo,
        })
    }

    fn errand(&self, kind: &str) -> Option<ErrandFacts> {
        self.errand(kind).map(|entry| ErrandFacts { made_up_for_by: entry.made_up_for_by })
    }

    fn run<'t>(&'t self, action: &'t str, inputs: Inputs<'t>, tx: &'t mut Tx<'_>) -> Boxed<'t, Result<Value>> {
        Box::pin(async move { run_stored(tx, self.action(action)?, inputs).await })
    }

    fn without_secrets(&self, action: &str, output: Value) -> Value {
        match self.action(action) {
            Ok(action) => action.without_secrets(output),
            Err(_) => output,
        }
    }

    fn leaving<'t>(&'t self, table: &'t str, ids: &'t [Uuid], tx: &'t mut Tx<'_>) -> Boxed<'t, Result<()>> {
        Box::pin(async move {
            for guard in self.guards(table) {
                (guard.ask)(ids, tx).await?;
            }
            Ok(())
        })
    }

    fn misnamed(&self, name: &str) -> Option<Vec<String>> {
        let known: Vec<&str> = match name.contains('.') {
            true => self.actions().map(|action| action.name).collect(),
            false => self.domains().iter().map(|domain| domain.name).collect(),
        };
        (!known.contains(&name)).then(|| schema::nearest(name, known))
    }
}
