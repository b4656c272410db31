//! Workflows have nothing of their own.

use super::Sample;

pub const SAMPLE: Sample = Sample::NONE;
