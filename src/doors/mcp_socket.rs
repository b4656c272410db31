//! MCP over standard input and output: `frontdesk mcp` joins them to the running server's socket.
//!
//! Before the protocol begins, one line goes each way: the joiner says whose token it has, the server says whether it may
//! come in. A joiner without a token is the agent `local`, if there is one organization only and the database is our own:
//! whoever can open the socket could read the database's files as well.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use capabilities::{Door, Error, Office, Source};
use mcp::{Identity, OfficeServer};
use rmcp::ServiceExt as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::DATA_IN_USE;
use crate::config::Config;
use crate::datadir::DataDir;

const LOCAL_AGENT: &str = "local";
/// A hello is a token in JSON; more is not read.
const HELLO_LIMIT: usize = 4_096;
const HELLO_WITHIN: Duration = Duration::from_secs(5);
const STARTED_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Hello {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Welcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

/// Until when: nobody joins after `stop`, and whoever has joined is served until `streams`.
#[derive(Clone)]
pub(crate) struct Until {
    pub stop: CancellationToken,
    pub streams: CancellationToken,
}

/// Serves everyone who joins.
pub(crate) async fn listen(
    path: &Path,
    office: Arc<Office>,
    server: OfficeServer,
    embedded: bool,
    until: Until,
) -> anyhow::Result<()> {
    // The lock is ours, so a socket that is still there belongs to nobody.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let listener = UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    tokio::spawn(async move {
        while let Some(Ok((stream, _))) = until.stop.run_until_cancelled(listener.accept()).await {
            let (office, server, streams) = (office.clone(), server.clone(), until.streams.clone());
            tokio::spawn(async move {
                if let Err(error) = admit(stream, &office, &server, embedded, streams).await {
                    tracing::debug!("a local MCP connection ended: {error:#}");
                }
            });
        }
    });
    Ok(())
}

async fn admit(
    mut stream: UnixStream,
    office: &Office,
    server: &OfficeServer,
    embedded: bool,
    streams: CancellationToken,
) -> anyhow::Result<()> {
    let hello: Hello = tokio::time::timeout(HELLO_WITHIN, read_line(&mut stream)).await??;
    let identity = identify(hello, office, embedded).await;
    let refused = identity.as_ref().err().map(|error| format!("{} {}", error.message(), error.hint()));
    write_line(&mut stream, &Welcome { refused }).await?;
    let Ok(identity) = identity else { return Ok(()) };
    // A token of its own: the library cancels it when this connection ends, and that must not end the others.
    let running = server.for_callers(identity).serve_with_ct(stream.into_split(), streams.child_token()).await?;
    running.waiting().await?;
    Ok(())
}

async fn identify(hello: Hello, office: &Office, embedded: bool) -> Result<Identity, Error> {
    if let Some(token) = hello.token {
        return office.authenticate(&token).await.map(|_| Identity::Token(token));
    }
    match office.org_ids().await?.as_slice() {
        [org] if embedded => {
            office.agent_named(*org, LOCAL_AGENT, &Source::of(Door::McpStdio)).await?;
            Ok(Identity::Local { org: *org, name: LOCAL_AGENT.into() })
        }
        [] => Err(Error::Unauthenticated(
            "There is no organization yet: make one with `frontdesk org create`, or try `frontdesk serve --demo`."
                .into(),
        )),
        _ => Err(Error::Unauthenticated("Set FRONTDESK_AGENT_TOKEN to say whose agent this is.".into())),
    }
}

/// Byte by byte, because what follows the line belongs to the protocol.
async fn read_line<T: serde::de::DeserializeOwned>(stream: &mut UnixStream) -> anyhow::Result<T> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => return Ok(serde_json::from_slice(&line)?),
            byte if line.len() < HELLO_LIMIT => line.push(byte),
            _ => bail!("the first line is too long"),
        }
    }
}

async fn write_line<T: Serialize>(stream: &mut UnixStream, line: &T) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    Ok(stream.write_all(&text).await?)
}

/// Joins standard input and output to the running server, started first if none runs.
pub async fn join(config: &Config) -> anyhow::Result<()> {
    let data = DataDir::open(&config.data)?;
    let socket = data.mcp_socket()?;
    let mut stream = match UnixStream::connect(&socket).await {
        Ok(stream) => stream,
        Err(_) => start_and_connect(config, &data, &socket).await?,
    };
    write_line(&mut stream, &Hello { token: config.agent_token.clone() }).await?;
    let welcome: Welcome = read_line(&mut stream).await.context("the server did not answer")?;
    if let Some(refused) = welcome.refused {
        bail!("{refused}");
    }
    let (mut from_server, mut to_server) = stream.into_split();
    let incoming = tokio::spawn(async move {
        tokio::io::copy(&mut tokio::io::stdin(), &mut to_server).await?;
        to_server.shutdown().await
    });
    // The server has the last word: answers to what was sent still come after our input ended.
    tokio::io::copy(&mut from_server, &mut tokio::io::stdout()).await?;
    tokio::io::stdout().flush().await?;
    incoming.abort();
    Ok(())
}

async fn start_and_connect(config: &Config, data: &DataDir, socket: &Path) -> anyhow::Result<UnixStream> {
    let log = data.server_log();
    let mut server = Detached::start(config, &log)?;
    let waited = tokio::time::timeout(STARTED_WITHIN, async {
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        loop {
            tick.tick().await;
            if let Ok(stream) = UnixStream::connect(socket).await {
                return Ok(stream);
            }
            match server.process.try_wait()? {
                // Another server was starting, and will be ready, or was ending, and has made room.
                Some(status) if status.code() == Some(DATA_IN_USE.into()) && data.holder().is_some() => {}
                Some(status) if status.code() == Some(DATA_IN_USE.into()) => {
                    server = Detached::start(config, &log)?;
                }
                Some(status) => bail!("the server could not be started ({status}): {}", server.last_words(&log)),
                None => {}
            }
        }
    });
    waited.await.with_context(|| format!("the server did not get ready; see {}", log.display()))?
}

fn is_taken(address: SocketAddr) -> bool {
    std::net::TcpListener::bind(address).is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

/// A server of its own process group, so that what ends us from the keyboard does not end it.
struct Detached {
    process: Child,
    /// Where its lines begin in the log.
    begins: u64,
}

impl Detached {
    fn start(config: &Config, log: &Path) -> anyhow::Result<Self> {
        let output = OpenOptions::new().create(true).append(true).mode(0o600).open(log)?;
        let begins = output.metadata()?.len();
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg("--data").arg(&config.data);
        // Whoever joins by the socket needs no port that stays the same.
        let port = if is_taken(config.listen) { 0 } else { config.listen.port() };
        command.arg("--listen").arg(SocketAddr::new(config.listen.ip(), port).to_string());
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let process = command.spawn().context("the server could not be started")?;
        Ok(Self { process, begins })
    }

    fn last_words(&self, log: &Path) -> String {
        let text = std::fs::read(log).unwrap_or_default();
        let own = text.get(usize::try_from(self.begins).unwrap_or_default()..).unwrap_or_default();
        let own = String::from_utf8_lossy(own);
        let lines: Vec<&str> = own.lines().rev().take(3).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }
}
