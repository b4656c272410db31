//! `frontdesk serve`: brings everything up, says where it is, and takes it down in order.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use capabilities::Office;
use capabilities::world::{Clock, Mail};
use mcp::OfficeServer;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::assemble;
use crate::config::{Config, DatabaseConfig};
use crate::datadir::{DataDir, write_private};
use crate::demo::{self, Demo};
use crate::doors::mcp_socket;
use crate::http::connections::{self, Patience};
use crate::http::limits::Limits;
use crate::http::metrics;
use crate::storage::Storage;

/// How long calls in hand and open streams may take to end.
const GRACE: Duration = Duration::from_secs(10);
/// How long the headers of a request may take to arrive.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);
/// How long an answer on a stream takes from being made to being sent.
const WRITTEN_WITHIN: Duration = Duration::from_millis(200);

/// Runs the office until it is told to stop.
pub async fn serve(config: &Config, with_demo: bool) -> anyhow::Result<()> {
    let data = DataDir::open(&config.data)?;
    let lock = data.lock()?;
    let asked_to_stop = stop_signal()?;
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("cannot listen on {}: end what does, or choose another address with --listen", config.listen)
    })?;
    let address = listener.local_addr()?;
    let storage = Storage::open(config, &data, Some(&lock)).await?;
    let clock = config.clock.map_or(Clock::System, Clock::shifted);
    let office =
        assemble::office(storage.database.clone(), clock, assemble::mail(config, &data)?, &url(config, address))?;
    let demo = match with_demo {
        true => demo::fill(&office, &data, &url(config, address)).await?,
        false => None,
    };
    let (stop, streams) = (CancellationToken::new(), CancellationToken::new());
    let limits = Arc::new(Limits::new(config.rate_limit));
    let server = assemble::mcp_server(&office)?.until(stop.clone()).admitting(admission(&limits));
    let router = assemble::doors_with(&office, config, server.clone(), limits, streams.clone())?;
    let embedded = matches!(config.database, DatabaseConfig::Embedded);
    let socket = data.mcp_socket()?;
    let until = mcp_socket::Until { stop: stop.clone(), streams: streams.clone() };
    mcp_socket::listen(&socket, office.clone(), server.clone(), embedded, until).await?;
    write_private(&data.url(), url(config, address).as_bytes())?;
    say_where(config, &office, &data, demo.as_ref())?;
    tokio::spawn(stop_when(asked_to_stop, stop.clone()));
    let worker = tokio::spawn(office.clone().work(stop.clone().cancelled_owned()));
    let upkeep = tokio::spawn(metrics::keep_up());
    let patience = Patience { headers: HEADERS_WITHIN, ending: GRACE };
    tokio::join!(connections::serve(listener, router, &stop, patience), end_streams(&server, &stop, &streams));
    upkeep.abort();
    // What it has in hand is finished, or claimed by the next worker after a while.
    drop(tokio::time::timeout(GRACE, worker).await);
    let removed = std::fs::remove_file(&socket).and(std::fs::remove_file(data.url()));
    drop::<Arc<Office>>(office);
    storage.close().await;
    removed.or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    Ok(())
}

/// The tool calls in hand are answered; then the streams end, which would never end by themselves.
async fn end_streams(server: &OfficeServer, stop: &CancellationToken, streams: &CancellationToken) {
    stop.cancelled().await;
    server.in_hand().close();
    drop(tokio::time::timeout(GRACE / 2, server.in_hand().wait()).await);
    // The last answers are made; the library has yet to write them.
    drop(tokio::time::timeout(WRITTEN_WITHIN, std::future::pending::<()>()).await);
    streams.cancel();
}

fn admission(limits: &Arc<Limits>) -> mcp::Admission {
    let limits = limits.clone();
    Arc::new(move |caller| limits.caller(caller))
}

fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn stop_when(asked: impl Future<Output = ()>, stop: CancellationToken) {
    asked.await;
    tracing::info!("stopping after the calls in hand");
    stop.cancel();
}

fn url(config: &Config, address: SocketAddr) -> String {
    config
        .public_url
        .as_ref()
        .map_or_else(|| format!("http://{address}"), |url| url.to_string().trim_end_matches('/').into())
}

/// A dozen lines for whoever started it.
fn say_where(config: &Config, office: &Office, data: &DataDir, demo: Option<&Demo>) -> anyhow::Result<()> {
    let url = office.address();
    let token = demo.map_or("fd_… (make one with: frontdesk agent create NAME)", |demo| demo.agent_token.as_str());
    let stdio = demo::stdio(data)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "Frontdesk {} is ready at {url} (data in {}).", assemble::VERSION, data.path().display())?;
    if let Some(demo) = demo {
        writeln!(
            out,
            "Demo: {}, {} contacts. Token and addresses: {}",
            demo.business,
            demo.contacts,
            data.demo().display()
        )?;
        writeln!(out, "Owner         sign in by the link in {}", data.demo_owner().display())?;
    }
    writeln!(out, "Capabilities  {url}/api/capabilities   OpenAPI  {url}/openapi.json   MCP  {url}/mcp")?;
    if let Some(files) = office.mail().and_then(Mail::files).filter(|_| !config.production) {
        writeln!(out, "Mail          {url}/dev/mail, as files in {}", files.display())?;
    }
    writeln!(out, "Agent token   {token}")?;
    writeln!(out, "MCP over stdio:")?;
    writeln!(out, "  {}", serde_json::json!({"mcpServers": {"frontdesk": stdio}}))?;
    writeln!(out, "MCP over HTTP:")?;
    let http = serde_json::json!({"type": "http", "url": format!("{url}/mcp"), "headers": {"Authorization": format!("Bearer {token}")}});
    writeln!(out, "  {}", serde_json::json!({"mcpServers": {"frontdesk": http}}))?;
    writeln!(out, "Stop with Ctrl-C or: frontdesk stop --data {}", data.path().display())?;
    Ok(out.flush()?)
}
