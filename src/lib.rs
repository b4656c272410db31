//! Frontdesk, assembled: the program behind `main`, as a library so that the tests drive the very same parts.

pub mod assemble;
mod cluster;
pub mod config;
mod datadir;
mod demo;
mod identity;
mod mcp_http;
mod mcp_socket;
pub mod rest;
mod serve;
mod storage;

mod administration;

pub use administration::{create_agent, create_org, migrate, stop};
pub use mcp_socket::join as mcp;
pub use serve::serve;
pub use storage::{APP_ROLE, MIGRATIONS};
