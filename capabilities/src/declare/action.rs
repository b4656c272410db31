//! The declaration of a state change. The doc comment of the input type is what a model reads before it
//! chooses; everything else a caller sees is derived from the schema and the constants here.

use std::future::Future;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::callers::permit;
use crate::error::Result;
use crate::policy::{Escalation, PermissionClass, Reasons, Who, by_input, holding};
use crate::tx::Tx;

/// What an action does to what is there; becomes the MCP annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Makes something new; doing it twice makes two.
    Adds,
    /// Sets something; doing it twice is doing it once.
    Updates,
    /// Takes something away.
    Destroys,
}

/// A state change, declared by its input type. Listing it in its domain makes it reachable everywhere.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an action",
    note = "an action's input derives Deserialize and JsonSchema and implements `Action`"
)]
pub trait Action: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// `domain.verb`.
    const NAME: &'static str;
    /// Names it had before, still answered.
    const FORMERLY: &'static [&'static str] = &[];
    /// What it does to what is there.
    const EFFECT: Effect;
    /// The class for agents when no escalation applies.
    const CLASS: PermissionClass;
    /// The people who may do it.
    const WHO: Who;
    /// Whether a person must decide each time: no rule can allow it from now on.
    const EACH_TIME: bool = false;
    /// Whether it is done whatever the gate finds, because it only takes back what waits.
    const NEVER_HELD: bool = false;
    /// Whether one call may do it on several inputs.
    const ITEMS: bool = true;
    /// Where `audit.undo` must not take it back, or cannot: what to do instead, in a sentence that names the action.
    const INSTEAD_OF_UNDO: Option<&'static str> = None;
    /// What raises the class.
    const ESCALATIONS: &'static [Escalation<Self>] = &[];
    /// What it answers with.
    type Output: Serialize + JsonSchema + Send;

    /// A complete, valid input, for the documentation and for the contract test.
    fn example() -> Value;

    /// Looks at the rows before the run and names the escalations that hold.
    fn review(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Reasons>> + Send {
        let _ = tx;
        async { Ok(Reasons::none()) }
    }

    /// Does it. Everything written is undone when the call is refused or only rehearsed.
    fn run(self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Output>> + Send;
}

impl Tx<'_> {
    /// Carries out another action inside this call: same transaction, same preview, one decision for the whole.
    pub async fn call<A: Action>(&mut self, action: A) -> Result<A::Output> {
        permit(self.caller(), A::NAME, A::CLASS, A::WHO)?;
        let by_input = by_input(A::ESCALATIONS, &action);
        let found = action.review(self).await?;
        let holding = holding(A::ESCALATIONS, &by_input, &found);
        self.running.judgement.add(A::NAME, A::CLASS, A::WHO, &holding);
        action.run(self).await
    }
}
