//! What other calls, also in other servers, tell those who wait: that something about an authorization, or about who may
//! call, is new. Heard are ids only; whoever waits reads again under row security. A word can be lost, so whoever waits
//! looks from time to time as well, and callers are kept for a moment only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use crate::callers::kept::Kept;
use crate::error::{Error, Result};
use crate::tx::Tx;
use crate::world::Database;

const CHANNEL: &str = "frontdesk_authorizations";
/// Who falls further behind than this is told that anything may be new.
const REMEMBERED: usize = 256;
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Whoever wants to listen waits so long for a connection that does.
const PATIENCE: Duration = Duration::from_secs(5);

/// Something new: about this authorization of this organization; without one about any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wakeup {
    org: Option<Uuid>,
    authorization: Option<Uuid>,
}

impl Wakeup {
    fn read(payload: &str) -> Self {
        let mut ids = payload.split(' ').map(|id| id.parse().ok());
        Self { org: ids.next().flatten(), authorization: ids.next().flatten() }
    }

    /// Whether it may concern this organization, and of it this authorization.
    #[must_use]
    pub fn concerns(self, org: Uuid, authorization: Option<Uuid>) -> bool {
        let may = |heard: Option<Uuid>, wanted: Option<Uuid>| heard.is_none() || wanted.is_none() || heard == wanted;
        may(self.org, Some(org)) && may(self.authorization, authorization)
    }
}

impl Tx<'_> {
    /// Tells every server, as soon as this call commits, that what is known of this organization's callers may be true no
    /// more: one is shown out or has other rights, or the organization itself has changed. This one forgets them at once.
    pub async fn forget_callers(&mut self) -> Result<()> {
        self.announce(None).await
    }

    /// Tells those who wait, as soon as this call commits. Never by a trigger: a sharded database would tell nobody.
    pub(crate) async fn announce(&mut self, authorization: Option<Uuid>) -> Result<()> {
        self.tells_others();
        let ids = [Some(self.org_id()), authorization].into_iter().flatten();
        let payload = ids.map(|id| id.to_string()).collect::<Vec<_>>().join(" ");
        sqlx::query!("select pg_notify($1, $2)", CHANNEL, payload).execute(self.db()).await?;
        Ok(())
    }
}

/// Listens from the first question on, in one task and on one connection.
#[derive(Debug)]
pub(crate) struct Wakeups {
    said: broadcast::Sender<Wakeup>,
    is_started: AtomicBool,
    listens: Arc<watch::Sender<bool>>,
}

impl Default for Wakeups {
    fn default() -> Self {
        Self {
            said: broadcast::channel(REMEMBERED).0,
            is_started: AtomicBool::new(false),
            listens: Arc::new(watch::channel(false).0),
        }
    }
}

/// The wakeups that come from now on.
#[derive(Debug)]
pub struct Listening(broadcast::Receiver<Wakeup>);

impl Listening {
    /// The next wakeup. Never ends before the program does.
    pub async fn next(&mut self) -> Wakeup {
        match self.0.recv().await {
            Ok(wakeup) => wakeup,
            Err(broadcast::error::RecvError::Lagged(_)) => Wakeup::default(),
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Wakeups {
    /// Begins to listen, if nobody did before. It takes effect when there is a connection.
    pub fn start(&self, database: &Database, kept: &Arc<Kept>) {
        if !self.is_started.swap(true, Ordering::Relaxed) {
            let ear = Ear {
                database: database.clone(),
                kept: kept.clone(),
                said: self.said.clone(),
                listens: self.listens.clone(),
            };
            tokio::spawn(ear.listen());
        }
    }

    pub async fn listen(&self, database: &Database, kept: &Arc<Kept>) -> Result<Listening> {
        self.start(database, kept);
        let said = self.said.subscribe();
        let mut listens = self.listens.subscribe();
        match timeout(PATIENCE, listens.wait_for(|listens| *listens)).await {
            Ok(Ok(_)) => Ok(Listening(said)),
            _ => Err(Error::Unavailable { part: "database", cause: "nobody listens to it".into() }),
        }
    }
}

/// Whoever listens for all.
struct Ear {
    database: Database,
    kept: Arc<Kept>,
    said: broadcast::Sender<Wakeup>,
    listens: Arc<watch::Sender<bool>>,
}

impl Ear {
    async fn listen(self) {
        let mut pause: Interval = interval(AGAIN_AFTER);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.database.is_closed() {
            pause.tick().await;
            if let Err(error) = self.hear().await {
                tracing::debug!("nobody listens to the database: {error}");
            }
            self.kept.hears(false);
            self.listens.send_replace(false);
        }
    }

    /// Hears what is said until the connection is lost.
    async fn hear(&self) -> std::result::Result<(), sqlx::Error> {
        let mut listener = self.database.listener().await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        self.kept.hears(true);
        self.listens.send_replace(true);
        // What was said before is lost.
        self.tell(Wakeup::default());
        while let Some(notice) = listener.try_recv().await? {
            let wakeup = Wakeup::read(notice.payload());
            match wakeup.org {
                Some(org) => self.kept.forget(org),
                None => self.kept.forget_all(),
            }
            self.tell(wakeup);
        }
        Ok(())
    }

    fn tell(&self, wakeup: Wakeup) {
        // Nobody may be waiting.
        drop(self.said.send(wakeup));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_concerns_whom_it_names_and_one_without_names_everybody() {
        let (org, one, other) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let heard = Wakeup::read(&format!("{org} {one}"));
        assert!(heard.concerns(org, Some(one)) && heard.concerns(org, None));
        assert!(!heard.concerns(org, Some(other)) && !heard.concerns(other, Some(one)));
        assert!(Wakeup::read(&org.to_string()).concerns(org, Some(other)));
        assert!(Wakeup::default().concerns(other, Some(one)));
    }
}
