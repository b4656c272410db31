//! The envelope every caller gets, by whatever door.

mod envelope;
mod fitting;
mod told;
mod writing;

pub use envelope::{Answer, Meta};
pub(crate) use envelope::{Outcome, escaped, presentable};
pub(crate) use fitting::json_length;
pub use told::Warning;
pub(crate) use told::{News, Recorded};
pub use writing::Written;
