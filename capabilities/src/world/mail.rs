//! Outgoing mail: over SMTP, or as files in a directory where no server is configured.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::PoolConfig;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use crate::world::undelivered::Undelivered;

const CONNECTIONS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(20);
/// What a mail is, for whoever looks through the directory: `sign_in` is kept from pages.
pub const KIND_HEADER: &str = "X-Frontdesk-Kind";

/// One mail to one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Letter {
    /// Stable, snake_case: `sign_in`.
    pub kind: &'static str,
    /// The person's name.
    pub name: Option<String>,
    /// Their address.
    pub to: String,
    /// The business that writes.
    pub from_name: String,
    /// Where answers go, if not to the sender's address.
    pub reply_to: Option<String>,
    /// One line.
    pub subject: String,
    /// The plain text part.
    pub text: String,
    /// The HTML part.
    pub html: Option<String>,
}

/// How mail leaves.
#[derive(Debug, Clone)]
pub struct Mail {
    from: Address,
    transport: Transport,
}

#[derive(Debug, Clone)]
enum Transport {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Directory(PathBuf),
}

impl Mail {
    /// What is wrong with a mail server's URL, if anything. Needs no runtime, which a connection would.
    #[must_use]
    pub fn wrong_url(url: &str) -> Option<String> {
        AsyncSmtpTransport::<Tokio1Executor>::from_url(url).err().map(|error| error.to_string())
    }

    /// Over a server: `smtp://host:1025`, `smtps://user:password@host:465`, `smtp://host:587?tls=required`.
    pub fn smtp(url: &str, from: &str) -> Result<Self, String> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|error| error.to_string())?;
        let pool = PoolConfig::new().max_size(CONNECTIONS);
        let transport = Transport::Smtp(builder.timeout(Some(PATIENCE)).pool_config(pool).build());
        Ok(Self { from: address(from)?, transport })
    }

    /// Into a directory, one `.eml` file each.
    pub fn directory(path: &Path, from: &str) -> Result<Self, String> {
        Ok(Self { from: address(from)?, transport: Transport::Directory(path.into()) })
    }

    /// Where the files are, if it is a directory.
    #[must_use]
    pub fn files(&self) -> Option<&Path> {
        match &self.transport {
            Transport::Directory(path) => Some(path),
            Transport::Smtp(_) => None,
        }
    }

    /// Sends a letter. `key` is in its Message-ID, so that a repeat can be told.
    pub async fn send(&self, letter: &Letter, key: Uuid) -> Result<(), Undelivered> {
        let message = self.message(letter, key).map_err(Undelivered::Never)?;
        match &self.transport {
            Transport::Smtp(server) => match server.send(message).await {
                Ok(_) => Ok(()),
                Err(error) if error.is_permanent() => Err(Undelivered::Never(said(&error))),
                Err(error) => Err(Undelivered::Later(said(&error))),
            },
            Transport::Directory(path) => {
                let name = format!("{key}.eml");
                let written = write(path, &name, &message.formatted()).await;
                written.map_err(|error| Undelivered::Later(format!("{} cannot be written: {error}", path.display())))
            }
        }
    }

    fn message(&self, letter: &Letter, key: Uuid) -> Result<Message, String> {
        let from = Mailbox::new(Some(letter.from_name.clone()), self.from.clone());
        let message_id = format!("<{key}@{}>", self.from.domain());
        let kind = HeaderValue::new(HeaderName::new_from_ascii_str(KIND_HEADER), letter.kind.into());
        let mut builder = Message::builder()
            .from(from)
            .to(Mailbox::new(letter.name.clone(), address(&letter.to)?))
            .subject(&letter.subject)
            .message_id(Some(message_id))
            .raw_header(kind);
        if let Some(reply_to) = &letter.reply_to {
            builder = builder.reply_to(Mailbox::new(None, address(reply_to)?));
        }
        let message = match &letter.html {
            Some(html) => builder.multipart(MultiPart::alternative_plain_html(letter.text.clone(), html.clone())),
            None => builder.singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(letter.text.clone())),
        };
        message.map_err(|error| error.to_string())
    }
}

fn address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|_| "it is no e-mail address".to_string())
}

/// What the server said, with its causes.
fn said(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// Whole or not at all, and for nobody else to read: mail holds links.
async fn write(directory: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).await?;
    let draft = directory.join(format!(".{name}.partial"));
    let mut file =
        tokio::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&draft).await?;
    file.write_all(bytes).await?;
    file.sync_all().await?;
    tokio::fs::rename(&draft, directory.join(name)).await
}
