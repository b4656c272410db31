//! The things outside: each an enum or a struct of real code, so that tests swap a variant or an address and
//! never the code under test.

mod circuits;
mod clock;
mod database;
mod database_errors;
mod http;
mod ids;
mod mail;
mod undelivered;

pub(crate) use circuits::Circuits;
pub use clock::Clock;
pub use database::{Database, DatabaseError};
pub use http::{Http, Patience, Reply};
pub use ids::Ids;
pub use mail::{KIND_HEADER, Letter, Mail};
pub use undelivered::Undelivered;

/// Everything outside that the office works with. An outside service is a file here and a member of this.
#[derive(Debug)]
pub struct World {
    /// Its clock.
    pub clock: Clock,
    /// The way to HTTP services.
    pub http: Http,
    /// How it sends its mail. Without that, mail waits.
    pub mail: Option<Mail>,
    pub(crate) database: Database,
    pub(crate) ids: Ids,
    pub(crate) circuits: Circuits,
}

impl World {
    /// The world with this database, this clock, and these ways out.
    #[must_use]
    pub fn new(database: Database, clock: Clock, http: Http, mail: Option<Mail>) -> Self {
        Self { database, clock, http, mail, ids: Ids::default(), circuits: Circuits::default() }
    }
}
