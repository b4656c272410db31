//! The one test binary: black box, by name and JSON, against a real PostgreSQL. `desk` is the fixture.

mod desk;
mod durability;

mod calls;
mod contacts;
mod isolation;
