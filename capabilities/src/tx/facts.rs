//! What a transaction can be told of something declared when it has no more than its name.

use serde_json::Value;

use crate::policy::{PermissionClass, Who};

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
