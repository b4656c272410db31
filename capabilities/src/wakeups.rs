//! What other calls, also in other servers, tell those who wait: that something about an authorization is new. Heard are
//! ids only; whoever waits reads again under row security.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::{OnceCell, broadcast};
use uuid::Uuid;

use crate::error::Result;
use crate::world::Database;

const CHANNEL: &str = "frontdesk_authorizations";
/// Who falls further behind than this is told that anything may be new.
const REMEMBERED: usize = 256;
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Something new: about this authorization of this organization, or, after the connection was lost, about any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wakeup(Option<(Uuid, Uuid)>);

impl Wakeup {
    fn read(payload: &str) -> Option<Self> {
        let (org, id) = payload.split_once(' ')?;
        Some(Self(Some((org.parse().ok()?, id.parse().ok()?))))
    }

    /// Whether it may concern this organization, and of it this authorization.
    #[must_use]
    pub fn concerns(self, org: Uuid, authorization: Option<Uuid>) -> bool {
        self.0.is_none_or(|(of, id)| of == org && authorization.is_none_or(|wanted| wanted == id))
    }
}

/// Listens from the first question on.
#[derive(Debug, Default)]
pub(crate) struct Wakeups(OnceCell<broadcast::Sender<Wakeup>>);

/// The wakeups that come from now on.
#[derive(Debug)]
pub struct Listening(broadcast::Receiver<Wakeup>);

impl Listening {
    /// The next wakeup. Never ends before the program does.
    pub async fn next(&mut self) -> Wakeup {
        match self.0.recv().await {
            Ok(wakeup) => wakeup,
            Err(broadcast::error::RecvError::Lagged(_)) => Wakeup(None),
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Wakeups {
    pub async fn listen(&self, database: &Database) -> Result<Listening> {
        let said = self.0.get_or_try_init(|| start(database.pool())).await?;
        Ok(Listening(said.subscribe()))
    }
}

async fn start(pool: &PgPool) -> Result<broadcast::Sender<Wakeup>> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    let (said, _) = broadcast::channel(REMEMBERED);
    let (all, pool) = (said.clone(), pool.clone());
    tokio::spawn(async move {
        let mut pause = tokio::time::interval(AGAIN_AFTER);
        while !pool.is_closed() {
            match listener.try_recv().await {
                Ok(Some(notice)) => drop(Wakeup::read(notice.payload()).map(|wakeup| all.send(wakeup))),
                // It connects again by itself; what was said meanwhile is lost.
                Ok(None) => drop(all.send(Wakeup(None))),
                Err(_) => drop(pause.tick().await),
            }
        }
    });
    Ok(said)
}
