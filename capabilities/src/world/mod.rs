//! The things outside: each an enum or a struct of real code, so that tests swap a variant or an address and
//! never the code under test.

pub(crate) mod circuits;

mod clock;
mod database;
mod ids;
mod mail;

pub use clock::Clock;
pub use database::{Database, DatabaseError};
pub use ids::Ids;
pub use mail::{KIND_HEADER, Letter, Mail};

pub(crate) use database::constraint_text;
