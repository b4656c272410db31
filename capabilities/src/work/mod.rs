//! What is due is worked off: errands are delivered, jobs carried out. Several processes may do this on one database: each
//! claims for a while what it works on, and what a dead one had claimed is free again after that.

mod errands;
mod jobs;
mod lanes;
pub(crate) mod retention;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::error::Result;
use crate::office::Office;
use crate::tx::Access;
use crate::work::lanes::{Lane, Turns};

/// A word of the database can be lost, so workers look from time to time.
const LOOKS_EVERY: Duration = Duration::from_secs(5);

impl Office {
    /// Works off what is due, again and again, until `stop`. What is in hand then is finished.
    pub async fn work(self: Arc<Self>, stop: impl Future<Output = ()> + Send) {
        let (stopping, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for lane in self.lanes() {
            tasks.spawn(self.clone().work_in(lane, stopped.clone()));
        }
        tasks.spawn(self.clone().keep_standing_until(stopped));
        stop.await;
        stopping.send_replace(true);
        while tasks.join_next().await.is_some() {}
    }

    async fn work_in(self: Arc<Self>, lane: Lane, mut stopped: watch::Receiver<bool>) {
        let mut turns = Turns::new(&self, lane);
        let mut woken = self.more_work.subscribe();
        let mut ticks = interval(LOOKS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let look = tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => break,
                // Where something was done there may be more, and a hand is free now.
                done = turns.ended() => done > 0,
                Ok(()) = woken.changed() => true,
                _ = ticks.tick() => true,
            };
            if look && let Err(error) = turns.begin_around().await {
                tracing::warn!(?lane, "work could not be done: {}", error.message());
            }
        }
        turns.finish().await;
    }

    /// Works off what is due now, one turn of every organization in every lane, and tells how much that was.
    pub async fn work_off(self: &Arc<Self>) -> Result<usize> {
        let mut done = 0;
        for lane in self.lanes() {
            let mut turns = Turns::new(self, lane);
            while !turns.begin_to_the_end().await? {
                done += turns.ended().await;
            }
            done += turns.finish().await;
        }
        Ok(done)
    }

    /// Works off what is due now in one organization.
    pub async fn work_off_of(self: &Arc<Self>, org: Uuid) -> Result<usize> {
        let mut done = 0;
        for lane in self.lanes() {
            done += self.clone().turn(lane, org).await?;
        }
        Ok(done)
    }

    /// Once an hour: every organization has the next job of every standing schedule.
    async fn keep_standing_until(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let mut ticks = interval(LOOKS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kept_at = None;
        loop {
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.keep_all_standing(&mut kept_at).await {
                tracing::warn!("standing schedules could not be kept: {}", error.message());
            }
        }
    }

    async fn keep_all_standing(&self, kept_at: &mut Option<DateTime<Utc>>) -> Result<()> {
        let now = self.clock().now();
        if kept_at.is_some_and(|kept_at| now < kept_at + TimeDelta::hours(1)) {
            return Ok(());
        }
        self.keep_standing_schedules().await?;
        *kept_at = Some(now);
        Ok(())
    }

    /// Makes sure that every organization has the next job of every standing schedule.
    pub async fn keep_standing_schedules(&self) -> Result<()> {
        for org in self.org_ids().await? {
            self.keep_standing_of(org).await?;
        }
        Ok(())
    }

    /// Makes sure that one organization has the next job of every standing schedule.
    pub async fn keep_standing_of(&self, org: Uuid) -> Result<()> {
        let caller = self.system(org, "jobs").await?;
        let mut tx = self.begin(&caller, Access::Write).await?;
        for standing in self.registry.standing() {
            tx.keep_standing(standing).await?;
        }
        tx.commit().await
    }
}
