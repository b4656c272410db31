//! The organization itself, which examples need not name.

use super::Sample;

pub const SAMPLE: Sample = Sample { first: &[("org.unfreeze", "org.freeze")], ..Sample::NONE };
