//! Puts the parts together: the registry of all domains, the office over the database, the doors over the office.

use std::sync::Arc;

use anyhow::anyhow;
use axum::Router;
use capabilities::world::{Clock, Database, Http, Mail, Patience, World};
use capabilities::{Office, Registry};
use mcp::OfficeServer;
use rmcp::transport::streamable_http_server::StreamableHttpServerConfig;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};
use crate::datadir::DataDir;
use crate::doors::{mcp_http, pages};
use crate::http::identity::Authenticator;
use crate::http::limits::Limits;
use crate::http::stack::{self, Stack};
use crate::http::{metrics, rest};

/// The program's version, as it is told to callers.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Libraries that would tell at length what passes through them: requests, headers, statements.
const QUIETER: [&str; 5] = ["rmcp=warn", "sqlx=warn", "h2=info", "hyper=info", "hyper_util=info"];

/// Logs go to standard error: standard output belongs to the protocol or to the person who started the program.
pub fn start_logging(filter: &str, format: LogFormat) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let quieter = QUIETER.iter().filter_map(|directive| directive.parse().ok());
    let filter = quieter.fold(filter, EnvFilter::add_directive);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    match format {
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
        LogFormat::Text => log.init(),
    }
}

/// The office with all its domains, whose pages people find at `url`.
pub fn office(database: Database, clock: Clock, mail: Mail, url: &str) -> anyhow::Result<Arc<Office>> {
    let registry = Registry::new(handlers::domains())?;
    let http = Http::new(Patience::default()).map_err(|error| anyhow!(error))?;
    Ok(Arc::new(Office::new(World::new(database, clock, http, Some(mail)), registry, url)))
}

/// How mail leaves.
pub(crate) fn mail(config: &Config, data: &DataDir) -> anyhow::Result<Mail> {
    let mail = match &config.smtp_url {
        Some(url) => Mail::smtp(url, &config.mail_from),
        None => Mail::directory(&data.mail(), &config.mail_from),
    };
    mail.map_err(|error| anyhow!(error))
}

/// The office as an MCP server.
pub fn mcp_server(office: &Arc<Office>) -> anyhow::Result<OfficeServer> {
    OfficeServer::new(office.clone(), VERSION).map_err(|error| anyhow!(error))
}

/// All doors that are reached over HTTP.
pub fn doors(office: &Arc<Office>, config: &Config, stop: CancellationToken) -> anyhow::Result<Router> {
    doors_with(office, config, mcp_server(office)?, Arc::default(), stop)
}

/// The same with parts that other doors share; streams end with `streams`.
pub(crate) fn doors_with(
    office: &Arc<Office>,
    config: &Config,
    server: OfficeServer,
    limits: Arc<Limits>,
    streams: CancellationToken,
) -> anyhow::Result<Router> {
    let settings = StreamableHttpServerConfig::default()
        .with_allowed_hosts(allowed_hosts(config))
        .with_allowed_origins(allowed_origins(config))
        .with_legacy_session_mode(config.mcp_sessions)
        .with_max_request_body_bytes(rest::BODY_LIMIT)
        .with_cancellation_token(streams.clone());
    let authenticator = Arc::new(Authenticator::new(office, &limits, config.public_url.as_ref()));
    let routes = rest::routes(office, &authenticator)?
        .merge(mcp_http::routes(office, &authenticator, server, settings))
        .merge(pages::routes(office, &authenticator, config.production, streams)?)
        .merge(metrics::routes(office, config.metrics_token.as_deref())?);
    let https = config.public_url.as_ref().is_some_and(|url| url.scheme_str() == Some("https"));
    let stack = Stack { office: office.clone(), limits, proxied: config.public_url.is_some(), https };
    Ok(stack::around(routes, stack))
}

fn allowed_hosts(config: &Config) -> Vec<String> {
    let own = ["localhost", "127.0.0.1", "::1"].map(str::to_string);
    let public = config.public_url.as_ref().and_then(|url| url.host()).map(str::to_string);
    own.into_iter().chain(public).collect()
}

/// A page of another origin must not speak for whoever has it open, so only our own may call from a browser.
fn allowed_origins(config: &Config) -> Vec<String> {
    let own = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"].map(str::to_string);
    let public = config.public_url.as_ref().and_then(|url| {
        let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("https") { 443 } else { 80 });
        Some(format!("{}://{}:{port}", url.scheme_str()?, url.host()?))
    });
    own.into_iter().chain(public).collect()
}
