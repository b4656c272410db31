//! The schema extension keys by which a value says what it means: read by whoever checks, redacts and shows it.

/// Marks free text: redacted, and reported with its pointer when something was.
pub const FREE_TEXT: &str = "x-free-text";
/// Marks what may be null, to clear it.
pub(crate) const NULLABLE: &str = "x-nullable";
/// Marks a value that is shown once.
pub(crate) const SECRET: &str = "x-secret";
/// Marks an id with the data type it refers to.
pub const REFERS_TO: &str = "x-refers-to";
/// Marks a time that may be meant by the clock of a place.
pub const TIME: &str = "x-time";

/// All of them: no caller sees one.
pub(crate) const MARKS: [&str; 5] = [FREE_TEXT, NULLABLE, SECRET, REFERS_TO, TIME];
