//! Waiting for a person's decision, within what clients wait for an answer.

use std::time::Duration;

use capabilities::{Answer, Caller, Office};
use rmcp::model::ProgressNotificationParam;
use rmcp::service::{RequestContext, RoleServer};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use uuid::Uuid;

/// Many clients give up after a minute.
pub(crate) const WAITS_AT_MOST: u64 = 45;
const TELLS_EVERY: Duration = Duration::from_secs(5);

/// The state of an authorization: as soon as it is decided, or as it is when the time is up.
pub(crate) async fn decision(
    office: &Office,
    caller: &Caller,
    id: Uuid,
    seconds: u64,
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
        if !answer.is_held() || Instant::now() >= deadline {
            return answer;
        }
        let news = async {
            loop {
                tokio::select! {
                    wakeup = listening.next() => if wakeup.concerns(org, Some(id)) { break },
                    () = progress.tell() => {}
                    () = cx.ct.cancelled() => break,
                }
            }
        };
        // Whether it was woken or the time is up, the answer is read anew.
        drop(timeout_at(deadline, news).await);
        if cx.ct.is_cancelled() {
            return answer;
        }
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
        let mut ticks = interval(TELLS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { cx, ticks, told: 0 }
    }

    /// Returns after each word, and never if none was asked for.
    async fn tell(&mut self) {
        let Some(token) = self.cx.meta.get_progress_token() else { return std::future::pending().await };
        self.ticks.tick().await;
        let waited = self.told * TELLS_EVERY.as_secs();
        self.told += 1;
        let word = ProgressNotificationParam::new(token, waited as f64)
            .with_total(WAITS_AT_MOST as f64)
            .with_message("waiting for a person to decide");
        // A client that has gone will not miss it.
        drop(self.cx.peer.notify_progress(word).await);
    }
}
