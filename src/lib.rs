//! Frontdesk, assembled: the program behind `main`, as a library so that the tests drive the very same parts.

pub mod assemble;
mod backup;
mod cluster;
pub mod config;
mod datadir;
mod demo;
mod doors;
pub mod http;
pub mod schema;
mod serve;
mod storage;

mod administration;

use std::process::ExitCode;

/// How a process ends that found another one at work in its data directory (`EX_TEMPFAIL` of sysexits.h).
const DATA_IN_USE: u8 = 75;

/// What a failed command tells its caller.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref() {
        Some(datadir::LockError::Held { .. }) => ExitCode::from(DATA_IN_USE),
        _ => ExitCode::FAILURE,
    }
}

pub use administration::{back_up, create_agent, create_org, migrate, restore, sign_in_link, stop};
pub use doors::mcp_socket::join as mcp;
pub use serve::serve;
pub use storage::APP_ROLE;
