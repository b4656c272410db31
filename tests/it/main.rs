//! The one test binary: black box, by name and JSON, against a real PostgreSQL. `desk` is the fixture.

#[cfg(test)]
mod desk;
#[cfg(test)]
mod durability;

#[cfg(test)]
mod calls;
#[cfg(test)]
mod contacts;
#[cfg(test)]
mod isolation;
