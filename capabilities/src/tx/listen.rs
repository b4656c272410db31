//! What other calls, also in other servers, tell those who wait: that something about an authorization is new. Heard are
//! ids only; whoever waits reads again under row security. A word can be lost, so whoever waits looks from time to time as
//! well.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::{OnceCell, broadcast};
use uuid::Uuid;

use crate::error::Result;
use crate::tx::Tx;
use crate::world::Database;

const CHANNEL: &str = "frontdesk_authorizations";
/// Who falls further behind than this is told that anything may be new.
const REMEMBERED: usize = 256;
const AGAIN_AFTER: Duration = Duration::from_secs(1);

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
    /// Tells those who wait, as soon as this call commits. Never by a trigger: a sharded database would tell nobody.
    pub(crate) async fn announce(&mut self, authorization: Option<Uuid>) -> Result<()> {
        let ids = [Some(self.org_id()), authorization].into_iter().flatten();
        let payload = ids.map(|id| id.to_string()).collect::<Vec<_>>().join(" ");
        sqlx::query!("select pg_notify($1, $2)", CHANNEL, payload).execute(self.db()).await?;
        Ok(())
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
            Err(broadcast::error::RecvError::Lagged(_)) => Wakeup::default(),
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
                Ok(Some(notice)) => drop(all.send(Wakeup::read(notice.payload()))),
                // It connects again by itself; what was said meanwhile is lost.
                Ok(None) => drop(all.send(Wakeup::default())),
                Err(_) => drop(pause.tick().await),
            }
        }
    });
    Ok(said)
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
