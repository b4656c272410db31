//! Waiting for a person's decision, within what clients wait for an answer.

use std::time::Duration;

use capabilities::{Answer, Caller, Office};
use rmcp::model::ProgressNotificationParam;
use rmcp::service::{RequestContext, RoleServer};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Many clients give up after a minute.
pub(crate) const WAITS_AT_MOST: u64 = 45;
/// A word of the database can be lost, so it is looked from time to time.
const LOOKS_EVERY: Duration = Duration::from_secs(5);

/// The state of an authorization: as soon as it is decided, or as it is when the time is up or the server stops.
pub(crate) async fn decision(
    office: &Office,
    caller: &Caller,
    (id, seconds): (Uuid, u64),
    stop: &CancellationToken,
    cx: &RequestContext<RoleServer>,
) -> Answer {
    // Listening begins before the first look, so that nothing is missed between the two.
    let mut listening = match office.listen().await {
        Ok(listening) => listening,
        Err(error) => return office.refuse(&error),
    };
    let deadline = Instant::now() + Duration::from_secs(seconds.min(WAITS_AT_MOST));
    let org = caller.org().id;
    let mut progress = Progress::of(cx);
    loop {
        let answer = office.check_authorization(caller, id).await;
        if !answer.is_held() || Instant::now() >= deadline || cx.ct.is_cancelled() || stop.is_cancelled() {
            return answer;
        }
        let woken = async { while !listening.next().await.concerns(org, Some(id)) {} };
        let something = async {
            tokio::select! {
                () = woken => {}
                () = progress.tell() => {}
                () = cx.ct.cancelled() => {}
                () = stop.cancelled() => {}
            }
        };
        // Whatever ends the waiting, the answer is read anew.
        drop(timeout_at(deadline, something).await);
    }
}

/// Tells a client that asked for it how long it has been waiting.
struct Progress<'c> {
    cx: &'c RequestContext<RoleServer>,
    ticks: tokio::time::Interval,
    told: u64,
}

impl<'c> Progress<'c> {
    fn of(cx: &'c RequestContext<RoleServer>) -> Self {
        let mut ticks = interval(LOOKS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { cx, ticks, told: 0 }
    }

    /// Returns when it is time to look again; a client with a progress token has heard of it then.
    async fn tell(&mut self) {
        self.ticks.tick().await;
        let waited = self.told * LOOKS_EVERY.as_secs();
        self.told += 1;
        let Some(token) = self.cx.meta.get_progress_token() else { return };
        let word = ProgressNotificationParam::new(token, waited as f64)
            .with_total(WAITS_AT_MOST as f64)
            .with_message("waiting for a person to decide");
        // A client that has gone will not miss it.
        drop(self.cx.peer.notify_progress(word).await);
    }
}
