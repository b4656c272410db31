//! What the program is told from outside: command line and environment, checked as a whole before anything starts.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::anyhow;
use axum::http::Uri;
use capabilities::world::Mail;
use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand};
use sqlx::postgres::PgConnectOptions;

use crate::http::limits;

/// The back office of a small service business, run by a language model, with people keeping the last word.
#[derive(Debug, Parser)]
#[command(name = "frontdesk", version)]
pub struct Arguments {
    /// Where everything lives [default: the platform's data directory; /var/lib/frontdesk for root]
    #[arg(long, global = true, env = "FRONTDESK_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// The PostgreSQL to serve from, as the login frontdesk_app; with this one URL alone it is the owner's. Without it the
    /// program runs a PostgreSQL of its own in the data directory
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// The owner's login, which migrates
    #[arg(long, global = true, env = "DATABASE_OWNER_URL", hide_env_values = true, value_name = "URL")]
    database_owner_url: Option<String>,
    /// Where PostgreSQL's programs are, if they are not found
    #[arg(long, global = true, env = "FRONTDESK_PG_BIN", value_name = "DIR")]
    pg_bin: Option<PathBuf>,
    /// 64 hexadecimal digits; without it a key file is made in the data directory
    #[arg(long, global = true, env = "FRONTDESK_SECRET_KEY", hide_env_values = true, value_name = "KEY")]
    secret_key: Option<String>,
    /// The address people and programs reach this server at; what links, allowed hosts and origins are made from
    #[arg(long, global = true, env = "FRONTDESK_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// development or production; production wants a public https URL and a secret key
    #[arg(long, global = true, env = "FRONTDESK_MODE", default_value = "development", value_name = "MODE")]
    mode: String,
    /// Whose agent `frontdesk mcp` is
    #[arg(long, global = true, env = "FRONTDESK_AGENT_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    agent_token: Option<String>,
    /// on, or off to serve older MCP clients without sessions: for several servers behind a balancer
    #[arg(long, global = true, env = "FRONTDESK_MCP_SESSIONS", default_value = "on", value_name = "ON|OFF")]
    mcp_sessions: String,
    /// The mail server, like smtps://user:password@host:465; without one, mail is written to files in the data directory
    #[arg(long, global = true, env = "SMTP_URL", hide_env_values = true, value_name = "URL")]
    smtp_url: Option<String>,
    /// The address mail comes from; needed with a mail server
    #[arg(long, global = true, env = "MAIL_FROM", value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// Development mode only: the office's clock starts at this instant (RFC 3339) and runs on from there
    #[arg(long, global = true, env = "FRONTDESK_CLOCK", value_name = "TIME")]
    clock: Option<String>,
    /// What is logged, to standard error: error, warn, info, debug, or per module
    #[arg(long, global = true, env = "RUST_LOG", default_value = "info", value_name = "LEVEL")]
    pub log: String,
    /// json, one object a line, or text; without it text on a terminal and json elsewhere
    #[arg(long, global = true, env = "FRONTDESK_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<String>,
    /// Opens /metrics for other machines; without it only this one may read it, and with a public URL nobody
    #[arg(long, global = true, env = "FRONTDESK_METRICS_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    metrics_token: Option<String>,
    /// How many requests a second each agent and each person may make, and three times as many at once [default: 20]
    #[arg(long, global = true, env = "FRONTDESK_RATE_LIMIT", value_name = "NUMBER")]
    rate_limit: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the office: database, REST, MCP over HTTP
    Serve {
        /// Fill an empty database with a window-cleaning business to try things on
        #[arg(long)]
        demo: bool,
        /// Where to listen
        #[arg(long, env = "FRONTDESK_LISTEN", default_value = "127.0.0.1:8480", value_name = "ADDR")]
        listen: String,
    },
    /// Speak MCP on standard input and output; starts a server if none runs
    Mcp {
        /// Where a server started for this listens; any free port instead, where another installation has that one
        #[arg(long, env = "FRONTDESK_LISTEN", default_value = "127.0.0.1:8480", value_name = "ADDR")]
        listen: String,
    },
    /// End the running server, after the calls in hand
    Stop,
    /// Bring the database to this version of the program
    Migrate,
    /// Write everything to one file, while the office goes on working
    Backup {
        /// The new file
        file: PathBuf,
    },
    /// Fill an empty data directory or database from a backup, which may be of an older version and another PostgreSQL
    Restore {
        /// The backup
        file: PathBuf,
    },
    /// Organizations
    #[command(subcommand)]
    Org(OrgCommand),
    /// Agents and their tokens
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Print links by which a person signs in: one for each organization of the address, good once, for 15 minutes
    SignInLink {
        /// The person's e-mail address
        email: String,
    },
}

/// About organizations.
#[derive(Debug, Subcommand)]
pub enum OrgCommand {
    /// Make an organization
    Create(NewOrgArguments),
}

/// What a new organization is told.
#[derive(Debug, Args)]
pub struct NewOrgArguments {
    /// The business's name
    #[arg(long)]
    pub name: String,
    /// IANA time zone, such as America/Chicago
    #[arg(long)]
    pub timezone: String,
    /// ISO 4217 currency, such as USD
    #[arg(long)]
    pub currency: String,
    /// ISO 3166-1 country, such as US: phone numbers without a country code are read as of there
    #[arg(long, default_value = "US")]
    pub country: String,
    /// The owner's e-mail address: who signs in first
    #[arg(long, value_name = "EMAIL")]
    pub owner: String,
    /// The owner's name, if it is not what stands before the @ of the address
    #[arg(long, value_name = "NAME")]
    pub owner_name: Option<String>,
}

/// About agents.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Make an agent and print its token, once
    Create(NewAgentArguments),
}

/// What a new agent is told.
#[derive(Debug, Args)]
pub struct NewAgentArguments {
    /// Its name, as people will see it
    pub name: String,
    /// The organization's id; may be left out when there is one only
    #[arg(long)]
    pub org: Option<uuid::Uuid>,
    /// When the token expires (RFC 3339); never, if left out
    #[arg(long)]
    pub expires: Option<DateTime<Utc>>,
}

/// Which database.
#[derive(Debug, Clone)]
pub enum DatabaseConfig {
    /// A PostgreSQL of our own in the data directory.
    Embedded,
    /// One URL, the owner's: the service's login is made from it.
    OwnerOnly(Box<PgConnectOptions>),
    /// A login to serve with and one to migrate with.
    Both {
        /// Serves.
        app: Box<PgConnectOptions>,
        /// Migrates.
        owner: Box<PgConnectOptions>,
    },
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One object a line, for programs.
    Json,
    /// For people.
    Text,
}

/// Everything the program is told, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data directory.
    pub data: PathBuf,
    /// The database.
    pub database: DatabaseConfig,
    /// Where PostgreSQL's programs are.
    pub pg_bin: Option<PathBuf>,
    /// The key, if it is given.
    pub secret_key: Option<[u8; 32]>,
    /// How others reach this server.
    pub public_url: Option<Uri>,
    /// Whose agent `frontdesk mcp` is.
    pub agent_token: Option<String>,
    /// Whether older MCP clients get sessions.
    pub mcp_sessions: bool,
    /// The mail server's URL; files in the data directory without one.
    pub smtp_url: Option<String>,
    /// The address mail comes from.
    pub mail_from: String,
    /// Where the office's clock starts.
    pub clock: Option<DateTime<Utc>>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// How the log is written.
    pub log_format: LogFormat,
    /// What opens `/metrics` for other machines.
    pub metrics_token: Option<String>,
    /// How many requests a second a caller may make.
    pub rate_limit: NonZeroU32,
    /// Whether it is no development any more.
    pub production: bool,
}

impl Config {
    /// Checks everything at once: whoever sets it up hears of all that is wrong in one go.
    pub fn read(arguments: &Arguments) -> anyhow::Result<Self> {
        let mut wrong = Problems(Vec::new());
        let production = wrong.one_of("FRONTDESK_MODE", &arguments.mode, "production", "development");
        let listen = match &arguments.command {
            Command::Serve { listen, .. } | Command::Mcp { listen } => listen.as_str(),
            _ => "127.0.0.1:8480",
        };
        let config = Self {
            data: arguments.data.clone().or_else(default_data).unwrap_or_else(|| {
                wrong.0.push("FRONTDESK_DATA: there is no home directory to choose a place in; name one".into());
                PathBuf::new()
            }),
            database: wrong.database(arguments),
            pg_bin: arguments.pg_bin.clone(),
            secret_key: wrong.parsed(
                "FRONTDESK_SECRET_KEY",
                arguments.secret_key.as_deref(),
                "64 hexadecimal digits",
                key,
            ),
            public_url: wrong.parsed(
                "FRONTDESK_PUBLIC_URL",
                arguments.public_url.as_deref(),
                "a URL like https://office.example.com",
                web_address,
            ),
            agent_token: arguments.agent_token.clone().filter(|token| !token.is_empty()),
            mcp_sessions: wrong.one_of("FRONTDESK_MCP_SESSIONS", &arguments.mcp_sessions, "on", "off"),
            smtp_url: arguments.smtp_url.clone().filter(|url| !url.is_empty()),
            mail_from: arguments.mail_from.clone().unwrap_or_else(|| "frontdesk@localhost".into()),
            clock: wrong.parsed(
                "FRONTDESK_CLOCK",
                arguments.clock.as_deref(),
                "a time like 2030-01-07T09:00:00Z",
                |text| text.parse().ok(),
            ),
            listen: wrong
                .parsed("FRONTDESK_LISTEN", Some(listen), "an address like 127.0.0.1:8480", |text| text.parse().ok())
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8480))),
            log_format: wrong.log_format(arguments.log_format.as_deref()),
            metrics_token: arguments.metrics_token.clone().filter(|token| !token.is_empty()),
            rate_limit: wrong
                .parsed("FRONTDESK_RATE_LIMIT", arguments.rate_limit.as_deref(), "a whole number from 1", |text| {
                    text.parse().ok()
                })
                .unwrap_or(limits::A_SECOND),
            production,
        };
        wrong.about_mail(arguments, &config);
        wrong.about_mode(&config);
        wrong.finish().map(|()| config)
    }
}

struct Problems(Vec<String>);

impl Problems {
    fn one_of(&mut self, name: &str, value: &str, yes: &str, no: &str) -> bool {
        if value != yes && value != no {
            self.0.push(format!("{name}: must be {yes} or {no}"));
        }
        value == yes
    }

    /// The value is left out of the message: it may be a secret.
    fn parsed<T>(
        &mut self,
        name: &str,
        text: Option<&str>,
        like: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = text.filter(|text| !text.is_empty())?;
        let parsed = parse(text);
        if parsed.is_none() {
            self.0.push(format!("{name}: must be {like}"));
        }
        parsed
    }

    fn log_format(&mut self, given: Option<&str>) -> LogFormat {
        let on_terminal = std::io::stderr().is_terminal();
        let format = given.filter(|given| !given.is_empty()).unwrap_or(if on_terminal { "text" } else { "json" });
        match self.one_of("FRONTDESK_LOG_FORMAT", format, "json", "text") {
            true => LogFormat::Json,
            false => LogFormat::Text,
        }
    }

    fn database(&mut self, arguments: &Arguments) -> DatabaseConfig {
        let like = "a URL like postgres://user:password@host/database";
        let parse =
            |text: &str| PgConnectOptions::from_str(text).ok().filter(|_| text.starts_with("postgres")).map(Box::new);
        let app = self.parsed("DATABASE_URL", arguments.database_url.as_deref(), like, parse);
        let owner = self.parsed("DATABASE_OWNER_URL", arguments.database_owner_url.as_deref(), like, parse);
        match (app, owner) {
            (Some(app), Some(owner)) => DatabaseConfig::Both { app, owner },
            (Some(owner), None) | (None, Some(owner)) => DatabaseConfig::OwnerOnly(owner),
            (None, None) => DatabaseConfig::Embedded,
        }
    }

    fn about_mail(&mut self, arguments: &Arguments, config: &Config) {
        if config.smtp_url.is_some() && arguments.mail_from.is_none() {
            self.0.push("MAIL_FROM: a mail server needs the address mail comes from".into());
        }
        if let Err(why) = Mail::directory(&config.data, &config.mail_from) {
            self.0.push(format!("MAIL_FROM {}: {why}", config.mail_from));
        }
        if let Some(why) = config.smtp_url.as_deref().and_then(Mail::wrong_url) {
            self.0.push(format!("SMTP_URL: must be a URL like smtps://user:password@host:465 ({why})"));
        }
    }

    fn about_mode(&mut self, config: &Config) {
        if config.production {
            if config.public_url.as_ref().is_none_or(|url| url.scheme_str() != Some("https")) {
                self.0.push(
                    "FRONTDESK_PUBLIC_URL: production mode needs the https URL others reach this server at".into(),
                );
            }
            if config.secret_key.is_none() {
                self.0.push("FRONTDESK_SECRET_KEY: production mode needs a key of 64 hexadecimal digits".into());
            }
            if config.clock.is_some() {
                self.0.push("FRONTDESK_CLOCK: is for development mode only".into());
            }
        } else if !config.listen.ip().is_loopback() {
            self.0.push("FRONTDESK_LISTEN: an address that others can reach needs FRONTDESK_MODE=production".into());
        }
    }

    fn finish(self) -> anyhow::Result<()> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(anyhow!("the configuration is wrong:\n  {}", self.0.join("\n  "))),
        }
    }
}

fn key(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16)).map(|d| d.and_then(|d| d.try_into().ok())).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] * 16 + pair[1]).collect();
    (digits.len() == 64).then(|| bytes.try_into().ok()).flatten()
}

fn web_address(text: &str) -> Option<Uri> {
    let uri: Uri = text.trim_end_matches('/').parse().ok()?;
    (matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()).then_some(uri)
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment besides clap")]
fn default_data() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/frontdesk"));
    }
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    if cfg!(target_os = "macos") {
        return home().map(|home| home.join("Library/Application Support/frontdesk"));
    }
    let named = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    named.or_else(|| home().map(|home| home.join(".local/share"))).map(|base| base.join("frontdesk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> anyhow::Result<Config> {
        let words = std::iter::once("frontdesk").chain(words.iter().copied());
        Config::read(&Arguments::try_parse_from(words).unwrap())
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let error = read(&[
            "serve",
            "--listen",
            "nowhere",
            "--mode",
            "prod",
            "--secret-key",
            "abc",
            "--public-url",
            "office",
            "--clock",
            "noon",
            "--database-url",
            "mysql://x",
            "--mcp-sessions",
            "maybe",
            "--rate-limit",
            "0",
        ])
        .unwrap_err()
        .to_string();
        for name in
            ["LISTEN", "MODE", "SECRET_KEY", "PUBLIC_URL", "CLOCK", "DATABASE_URL", "MCP_SESSIONS", "RATE_LIMIT"]
        {
            assert!(error.contains(name), "{name} is missing in {error}");
        }
        assert!(!error.contains("abc"), "a secret does not belong in a message");
    }

    #[test]
    fn what_others_can_reach_is_for_production() {
        assert!(
            read(&["serve", "--listen", "0.0.0.0:80"]).unwrap_err().to_string().contains("FRONTDESK_MODE=production")
        );
        let key = "ab".repeat(32);
        let production = ["serve", "--listen", "0.0.0.0:80", "--mode", "production", "--secret-key", &key];
        assert!(read(&production).unwrap_err().to_string().contains("FRONTDESK_PUBLIC_URL"));
        let with_url = [&production[..], &["--public-url", "https://office.example.com/"]].concat();
        let config = read(&with_url).unwrap();
        assert_eq!(config.public_url.unwrap().host(), Some("office.example.com"));
        assert_eq!(config.secret_key, Some([0xab; 32]));
    }
}
