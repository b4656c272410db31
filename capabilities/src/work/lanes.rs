//! Lanes: each outside service has one of its own and so have jobs. Within a lane organizations work side by side, a bounded
//! number of them, and take turns in the order of their ids. So a service that hangs or somebody's backlog holds up nobody else.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::JoinSet;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::office::Office;

/// Organizations that a lane has in hand at a time.
const SIDE_BY_SIDE: usize = 16;

/// What a lane works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Errands that need this service.
    Service(&'static str),
    /// Errands for services that this version of the program does not know.
    Unknown,
    /// Jobs.
    Jobs,
}

/// The turns of one lane that are being taken.
pub(crate) struct Turns {
    office: Arc<Office>,
    lane: Lane,
    /// The organization whose turn came last.
    past: Option<Uuid>,
    in_hand: HashSet<Uuid>,
    running: JoinSet<(Uuid, Result<usize>)>,
}

impl Turns {
    pub fn new(office: &Arc<Office>, lane: Lane) -> Self {
        Self { office: office.clone(), lane, past: None, in_hand: HashSet::new(), running: JoinSet::new() }
    }

    /// Begins the turns of organizations in which something is due, as far as there are hands: from the one whose turn came
    /// last to the end, and then from the first one.
    pub async fn begin_around(&mut self) -> Result<()> {
        let from_the_first = self.past.is_none();
        if self.begin_to_the_end().await? && !from_the_first {
            self.begin_to_the_end().await?;
        }
        Ok(())
    }

    /// The same without going around, and whether the end was reached.
    pub async fn begin_to_the_end(&mut self) -> Result<bool> {
        while self.running.len() < SIDE_BY_SIDE {
            let due = self.office.orgs_due(self.lane, self.past, 2 * SIDE_BY_SIDE as i32).await?;
            if due.is_empty() {
                self.past = None;
                return Ok(true);
            }
            for org in due.into_iter().take(SIDE_BY_SIDE - self.running.len()) {
                self.past = Some(org);
                self.begin_of(org);
            }
        }
        Ok(false)
    }

    fn begin_of(&mut self, org: Uuid) {
        if !self.in_hand.insert(org) {
            return;
        }
        let (office, lane) = (self.office.clone(), self.lane);
        // In a task of its own: whatever panics there must not end the lane.
        let turn = tokio::spawn(async move { office.turn(lane, org).await });
        self.running.spawn(async move {
            let taken = turn.await.unwrap_or_else(|error| Err(Error::Internal(error.to_string())));
            (org, taken)
        });
    }

    /// The next turn that ends: how much was done in it. Never, while none is being taken.
    pub async fn ended(&mut self) -> usize {
        match self.running.join_next().await {
            Some(Ok((org, taken))) => {
                self.in_hand.remove(&org);
                taken.unwrap_or_else(|error| {
                    // One organization's trouble must not hold up the others.
                    tracing::warn!(%org, lane = ?self.lane, "work could not be done: {}", error.message());
                    0
                })
            }
            Some(Err(error)) => {
                tracing::warn!(lane = ?self.lane, "work could not be done: {error}");
                0
            }
            None => std::future::pending().await,
        }
    }

    /// Sees the turns that are being taken to their end.
    pub async fn finish(&mut self) -> usize {
        let mut done = 0;
        while !self.running.is_empty() {
            done += self.ended().await;
        }
        done
    }
}

impl Office {
    /// All lanes.
    pub(crate) fn lanes(&self) -> Vec<Lane> {
        let services = self.registry.services().into_iter().map(Lane::Service);
        services.chain([Lane::Unknown, Lane::Jobs]).collect()
    }

    /// The organizations after `past` in which something is due in a lane, in the order of their ids.
    async fn orgs_due(&self, lane: Lane, past: Option<Uuid>, at_most: i32) -> Result<Vec<Uuid>> {
        let now = self.clock().now();
        let world = &self.ground.world;
        let orgs = match lane {
            Lane::Service(service) => {
                let resting = world.circuits.open(service, now);
                world.database.orgs_with_errands(now, Some(service), &[], &resting, past, at_most).await?
            }
            Lane::Unknown => {
                let known = self.registry.services();
                world.database.orgs_with_errands(now, None, &known, &[], past, at_most).await?
            }
            Lane::Jobs => world.database.orgs_with_jobs(now, past, at_most).await?,
        };
        Ok(orgs)
    }

    /// One organization's turn in a lane: some of what is due in it, and how much that was.
    pub(crate) async fn turn(self: Arc<Self>, lane: Lane, org: Uuid) -> Result<usize> {
        match lane {
            Lane::Service(_) | Lane::Unknown => self.deliver_due(lane, org).await,
            Lane::Jobs => self.run_due(org).await,
        }
    }
}
