//! The doors: MCP over HTTP and the local socket, and the pages.

pub(crate) mod mcp_http;
pub(crate) mod mcp_socket;
pub(crate) mod pages;
