//! Administration without a browser: joins the database of a running server, else holds its lock for the moment.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use capabilities::world::Clock;
use capabilities::{CountryCode, Door, EmailAddress, Error, LinkToken, NewOrg, Office, Role, Source, TimeZone};
use chrono::{SecondsFormat, TimeDelta};
use rustix::process::{Pid, Signal, kill_process};

use crate::assemble;
use crate::backup;
use crate::cluster::Cluster;
use crate::config::{AgentCommand, Config, DatabaseConfig, OrgCommand};
use crate::datadir::{DataDir, Lock, LockError};
use crate::storage::{Reached, Storage};

const STOPPED_WITHIN: Duration = Duration::from_secs(40);
/// A link goes from one window to another; whoever is slower asks for another one.
const LINK_VALID: TimeDelta = TimeDelta::minutes(15);

/// Ends the running server and waits until it is gone.
pub async fn stop(config: &Config) -> anyhow::Result<()> {
    let data = DataDir::open(&config.data)?;
    let Some(holder) = data.holder() else {
        return say(&format!("No server uses {}.", data.path().display()));
    };
    let pid = i32::try_from(holder).ok().and_then(Pid::from_raw).context("the lock names no process")?;
    kill_process(pid, Signal::TERM).with_context(|| format!("process {holder} cannot be ended"))?;
    let gone = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while data.holder() == Some(holder) {
            tick.tick().await;
        }
    };
    tokio::time::timeout(STOPPED_WITHIN, gone).await.with_context(|| format!("process {holder} does not end"))?;
    say("Stopped.")
}

/// Brings the database to this version of the program.
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    with_office(config, async |_| Ok("The database is up to date.".into())).await
}

/// Writes everything to one file, joined to a running server or without one.
pub async fn back_up(config: &Config, file: &Path) -> anyhow::Result<()> {
    if file == Path::new("-") {
        bail!("a backup is read back before it counts, so it needs a file: name one");
    }
    let data = DataDir::open(&config.data)?;
    if matches!(config.database, DatabaseConfig::Embedded) && !Cluster::is_there(&data) {
        bail!("there is nothing to back up in {}: name the data directory with --data", data.path().display());
    }
    let lock = lock_unless_joined(config, &data)?;
    let reached = Reached::open(config, &data, lock.as_ref()).await?;
    let done = backup::take(&reached.owner, file).await;
    reached.close().await;
    say(&format!("Backed up to {}: {}, read back and found whole.", file.display(), done?))
}

/// Fills an empty data directory or database from a backup.
pub async fn restore(config: &Config, file: &Path) -> anyhow::Result<()> {
    let backup = backup::Checked::read(file)?;
    let data = DataDir::open(&config.data)?;
    let lock = data.lock()?;
    let reached = Reached::open(config, &data, Some(&lock)).await?;
    let done = backup::restore(&reached, &backup).await;
    reached.close().await;
    say(&format!(
        "Restored {}, which Frontdesk {} wrote at {}: {}. People sign in again; agents keep their tokens.",
        file.display(),
        backup.program,
        backup.taken_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        done?
    ))
}

/// Makes an organization and its owner.
pub async fn create_org(config: &Config, command: OrgCommand) -> anyhow::Result<()> {
    let OrgCommand::Create(new) = command;
    let mut wrong = Vec::new();
    let timezone: Result<TimeZone, String> = new.timezone.parse();
    let country: Result<CountryCode, String> = new.country.parse();
    wrong.extend(timezone.err().map(|why| format!("--timezone {} {why}", new.timezone)));
    wrong.extend(country.err().map(|why| format!("--country {} {why}", new.country)));
    if iso_currency::Currency::from_code(&new.currency).is_none() {
        wrong.push(format!("--currency {} is not an ISO 4217 code like USD", new.currency));
    }
    if new.name.trim().is_empty() {
        wrong.push("--name must not be empty".into());
    }
    let owner: Result<EmailAddress, String> = new.owner.parse();
    wrong.extend(owner.err().map(|why| format!("--owner {} {why}", new.owner)));
    let before_at = new.owner.rsplit_once('@').map_or(new.owner.as_str(), |(name, _)| name);
    let owner_name = new.owner_name.as_deref().unwrap_or(before_at).trim().to_string();
    if owner_name.is_empty() || owner_name.chars().count() > 100 || owner_name.chars().any(char::is_control) {
        wrong.push("--owner-name must have 1 to 100 characters in one line".into());
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }
    with_office(config, async |office| {
        let (source, email) = (Source::of(Door::Program), new.owner);
        let new = NewOrg { name: new.name, timezone: new.timezone, currency: new.currency, country: new.country };
        let org = office.create_org(&new, &source).await.map_err(in_words)?;
        office.create_user(org, &email, &owner_name, Role::Owner, &source).await.map_err(in_words)?;
        Ok(format!(
            "Organization {} is made: {org}\n{owner_name} owns it and signs in with: frontdesk sign-in-link {email}",
            new.name
        ))
    })
    .await
}

/// Makes an agent and prints its token: the only time it is seen.
pub async fn create_agent(config: &Config, command: AgentCommand) -> anyhow::Result<()> {
    let AgentCommand::Create(new) = command;
    if new.name.trim().is_empty() || new.name.chars().count() > 100 || new.name.chars().any(char::is_control) {
        bail!("an agent's name has 1 to 100 characters in one line");
    }
    with_office(config, async |office| {
        let org = match (new.org, office.org_ids().await.map_err(in_words)?.as_slice()) {
            (Some(org), _) => org,
            (None, [org]) => *org,
            (None, []) => bail!("there is no organization yet: make one with `frontdesk org create`"),
            (None, orgs) => {
                let ids: Vec<String> = orgs.iter().map(ToString::to_string).collect();
                bail!("there are several organizations: name one with --org ({})", ids.join(", "))
            }
        };
        let agent = office
            .create_agent(org, new.name.trim(), new.expires, &Source::of(Door::Program))
            .await
            .map_err(in_words)?;
        Ok(agent.token.reveal().to_string())
    })
    .await
}

/// Prints a link for each organization in which somebody has this address.
pub async fn sign_in_link(config: &Config, email: &str) -> anyhow::Result<()> {
    let url = pages_url(config, &DataDir::open(&config.data)?);
    with_office(config, async |office| {
        let source = Source::of(Door::Program);
        let links = office.sign_in_links_for(email, LINK_VALID, &source).await.map_err(in_words)?;
        if links.is_empty() {
            bail!(
                "no active user has the address {email}: `frontdesk org create` makes an organization with its owner"
            );
        }
        let minutes = LINK_VALID.num_minutes();
        let lines = links.iter().map(|(holder, token)| {
            format!("{} at {}, once within {minutes} minutes:\n{}", holder.name, holder.organization, link(&url, token))
        });
        Ok(lines.collect::<Vec<_>>().join("\n"))
    })
    .await
}

/// A sign-in link on the server at `url`.
pub(crate) fn link(url: &str, token: &LinkToken) -> String {
    format!("{url}/sign-in/{}", token.reveal())
}

/// Where the pages are: as configured, else where the running server says it listens, else where one would.
fn pages_url(config: &Config, data: &DataDir) -> String {
    let running = || data.holder().and_then(|_| std::fs::read_to_string(data.url()).ok());
    let url = config.public_url.as_ref().map(ToString::to_string).or_else(running);
    url.map_or_else(|| format!("http://{}", config.listen), |url| url.trim().trim_end_matches('/').into())
}

/// An error for whoever administers the program, causes included.
pub(crate) fn in_words(error: Error) -> anyhow::Error {
    match error {
        Error::Internal(cause) | Error::Unconfirmed { cause } | Error::Unavailable { cause, .. } => {
            anyhow::anyhow!(cause)
        }
        error => anyhow::anyhow!("{} {}", error.message(), error.hint()),
    }
}

/// Runs something over the office and prints what it returns.
async fn with_office(config: &Config, work: impl AsyncFnOnce(&Office) -> anyhow::Result<String>) -> anyhow::Result<()> {
    let data = DataDir::open(&config.data)?;
    let lock = lock_unless_joined(config, &data)?;
    let storage = Storage::open(config, &data, lock.as_ref()).await?;
    let office = assemble::office(
        storage.database.clone(),
        Clock::System,
        assemble::mail(config, &data)?,
        "http://127.0.0.1:8480",
    )?;
    let done = work(&office).await;
    drop(office);
    storage.close().await;
    say(&done?)
}

/// The lock of the data directory; none when a running server holds it, whose database is then joined.
fn lock_unless_joined(config: &Config, data: &DataDir) -> anyhow::Result<Option<Lock>> {
    match (&config.database, data.lock()) {
        (_, Ok(lock)) => Ok(Some(lock)),
        (_, Err(LockError::Held { .. })) => Ok(None),
        (DatabaseConfig::Embedded | DatabaseConfig::OwnerOnly(_) | DatabaseConfig::Both { .. }, Err(error)) => {
            Err(error.into())
        }
    }
}

fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
