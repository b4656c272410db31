//! The wire between the program and PostgreSQL, listened to: which messages somebody waits for, and what is asked in them.
//!
//! It is a socket that passes everything on. A message is what the program sends before it waits for the answer: of several
//! statements it is still one. Whatever goes with the next message, as the rollback of a transaction that was dropped, costs
//! nobody's time, and neither does the pool's ping when a connection is given back.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::JoinHandle;

use crate::desk::fresh;

const ROLLBACK: &str = "ROLLBACK";
/// So much of a statement tells which it is.
const EXCERPT: usize = 160;

/// A message that the program waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The statements in it, as they are written.
    pub statements: Vec<String>,
    /// Whether it only has a statement prepared, which happens once per connection.
    pub prepares: bool,
}

impl Message {
    /// Whether it asks who is behind a token.
    pub fn looks_up_a_caller(&self) -> bool {
        let asks = |statement: &String| ["agent_by_token", "user_by_session"].iter().any(|by| statement.contains(by));
        self.statements.iter().any(asks)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |statement: &String| {
            let words = statement.split_whitespace().collect::<Vec<_>>().join(" ");
            let cut = words.char_indices().nth(EXCERPT).map_or(words.len(), |(end, _)| end);
            words[..cut].to_string()
        };
        let prepared = if self.prepares { "prepare: " } else { "" };
        write!(f, "{prepared}{}", self.statements.iter().map(short).collect::<Vec<_>>().join("; "))
    }
}

type Heard = Arc<Mutex<Vec<Message>>>;

/// A socket before a server.
pub struct Wire {
    directory: PathBuf,
    heard: Heard,
    passing: JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.passing.abort();
        // What is left of it is a file of no length.
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

impl Wire {
    /// A wire to this server.
    pub fn to(server: &PgConnectOptions) -> Self {
        let directory = std::env::temp_dir().join(format!("frontdesk-wire-{}", fresh()));
        std::fs::create_dir(&directory).unwrap();
        let socket = UnixListener::bind(directory.join(".s.PGSQL.5432")).unwrap();
        let heard = Heard::default();
        let passing = tokio::spawn(take_in(socket, server.clone(), heard.clone()));
        Self { directory, heard, passing }
    }

    /// The same login by way of this wire.
    pub fn through(&self, login: PgConnectOptions) -> PgConnectOptions {
        login.socket(&self.directory).port(5432).ssl_mode(PgSslMode::Disable)
    }

    /// What was waited for since this was asked last.
    pub fn heard(&self) -> Vec<Message> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Passes on what each connection says, until the wire is dropped.
async fn take_in(socket: UnixListener, server: PgConnectOptions, heard: Heard) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = socket.accept().await {
        let (server, heard) = (server.clone(), heard.clone());
        // When one side has left, the other one hears of it by the end of what it reads.
        connections.spawn(async move { drop(pass_on(client, &server, heard).await) });
    }
}

async fn pass_on(client: UnixStream, server: &PgConnectOptions, heard: Heard) -> io::Result<()> {
    match server.get_socket() {
        Some(directory) => {
            let path = directory.join(format!(".s.PGSQL.{}", server.get_port()));
            let (from_server, to_server) = UnixStream::connect(path).await?.into_split();
            both_ways(client, from_server, to_server, heard).await
        }
        None => {
            let server = TcpStream::connect((server.get_host(), server.get_port())).await?;
            server.set_nodelay(true)?;
            let (from_server, to_server) = server.into_split();
            both_ways(client, from_server, to_server, heard).await
        }
    }
}

async fn both_ways(
    client: UnixStream,
    mut from_server: impl AsyncRead + Unpin,
    mut to_server: impl AsyncWrite + Unpin,
    heard: Heard,
) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let mut listening = Listening { heard, ..Listening::default() };
    let asked = async {
        let mut read = vec![0; 1 << 20];
        loop {
            let length = from_client.read(&mut read).await?;
            if length == 0 {
                return to_server.shutdown().await;
            }
            // Heard before it is passed on: whoever has the answer finds the question counted.
            listening.hear(&read[..length]);
            to_server.write_all(&read[..length]).await?;
        }
    };
    let answered = async {
        tokio::io::copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::try_join!(asked, answered).map(|_| ())
}

/// What one connection says, in the frames of the protocol: a letter, a length, and as much as that.
#[derive(Default)]
struct Listening {
    heard: Heard,
    unread: Vec<u8>,
    is_started: bool,
    prepared: HashMap<Vec<u8>, String>,
    /// What was said since the program last waited.
    said: Said,
}

#[derive(Default)]
struct Said {
    statements: Vec<String>,
    parses: Vec<String>,
    /// Whether the server will answer what was said so far.
    is_asked: bool,
}

impl Listening {
    fn hear(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        while let Some((letter, body)) = self.frame() {
            self.understand(letter, &body);
        }
        if self.unread.is_empty() && self.said.is_asked {
            self.waits();
        }
    }

    /// The next frame, if it is there as a whole. The first one of a connection has no letter.
    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let lead = usize::from(self.is_started);
        let length = self.unread.get(lead..lead + 4)?.try_into().ok().map(u32::from_be_bytes)? as usize;
        let end = lead + length;
        if self.unread.len() < end {
            return None;
        }
        let letter = if self.is_started { self.unread[0] } else { 0 };
        let body = self.unread[lead + 4..end].to_vec();
        self.unread.drain(..end);
        self.is_started = true;
        Some((letter, body))
    }

    fn understand(&mut self, letter: u8, body: &[u8]) {
        // What something follows without a pause was queued.
        self.said.statements.pop_if(|statement| statement == ROLLBACK);
        let mut texts = body.split(|byte| *byte == 0);
        let mut text = || texts.next().unwrap_or_default();
        match letter {
            b'Q' => {
                self.said.statements.push(String::from_utf8_lossy(text()).into_owned());
                self.said.is_asked = true;
            }
            b'P' => {
                let (name, query) = (text().to_vec(), String::from_utf8_lossy(text()).into_owned());
                self.said.parses.push(query.clone());
                self.prepared.insert(name, query);
            }
            b'B' => {
                let (_portal, name) = (text(), text());
                let query = self.prepared.get(name).cloned().expect("a statement that was prepared");
                self.said.statements.push(query);
            }
            b'S' | b'H' => self.said.is_asked = true,
            _ => {}
        }
    }

    /// Nothing more came along, so the program waits for the answer.
    fn waits(&mut self) {
        let Said { statements, parses, .. } = std::mem::take(&mut self.said);
        let prepares = statements.is_empty();
        let statements = if prepares { parses } else { statements };
        if !statements.is_empty() {
            self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(Message { statements, prepares });
        }
    }
}
