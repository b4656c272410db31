//! What happened, read back: history, plans, undo.

pub(crate) mod history;
pub(crate) mod plan;
pub(crate) mod undo;
