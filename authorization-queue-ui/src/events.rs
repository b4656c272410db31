//! What is new, told to pages that stay open, as server-sent events: that something waits, changed or is decided, and how
//! many requests wait. The page reads itself anew then, so that there is one source of what it shows.
//!
//! A stream is no use of its session and ends with it, so it looks from time to time whether there is one still.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use capabilities::{Caller, Error, Listening, Waiting};
use futures_util::stream;
use serde_json::json;
use tokio::time::{Interval, MissedTickBehavior, interval};
use ui_kit::{Visitor, Who, words};
use uuid::Uuid;

use crate::{Queue, Shared};

/// So many pages of a person are told at once. Browsers have six connections to a server that speaks HTTP/1.1, and another
/// page must still be able to load; who is refused here looks by itself.
const AT_ONCE: usize = 4;
/// When a page that was refused may try again, in seconds.
const AGAIN_AFTER: u64 = 15;
/// A word of the database can be lost, and that time passes is said by nobody.
const LOOKS_EVERY: Duration = Duration::from_secs(5);
/// Many words in a row are one look.
const PAUSE: Duration = Duration::from_millis(200);
/// When a browser connects again after the stream ended.
const RETRY: Duration = Duration::from_secs(2);
/// So that nobody between here and there takes the connection for a dead one.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// How many streams each person has.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<HashMap<(Uuid, String), usize>>);

/// A person's place among the streams; it is free again when this is dropped.
struct Seat {
    streams: Arc<Streams>,
    person: (Uuid, String),
}

impl Streams {
    fn seat(self: &Arc<Self>, caller: &Caller) -> Option<Seat> {
        let person = (caller.org().id, caller.key());
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = taken.entry(person.clone()).or_default();
        if *number >= AT_ONCE {
            return None;
        }
        *number += 1;
        Some(Seat { streams: self.clone(), person })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = taken.get_mut(&self.person) {
            *number -= 1;
            if *number == 0 {
                taken.remove(&self.person);
            }
        }
    }
}

/// A stream between two events.
struct Watching {
    queue: Arc<Queue>,
    visitor: Visitor,
    listening: Listening,
    looks: Interval,
    pause: Interval,
    /// The mark that the page was told last.
    told: String,
    _seat: Seat,
}

pub(crate) async fn stream(State(queue): Shared, Extension(visitor): Who) -> Response {
    match queue.watch(&visitor).await {
        Ok(watching) => {
            let events = stream::unfold(watching, |mut watching| async move {
                watching.next().await.map(|event| (Ok::<_, Infallible>(event), watching))
            });
            let alive = KeepAlive::new().interval(ALIVE_EVERY).text("still here");
            let mut response = Sse::new(events).keep_alive(alive).into_response();
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            // nginx would collect events until there are many.
            headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
            response
        }
        Err(error) => queue.refuse(&visitor, &queue.ui.refused(&error)).await,
    }
}

impl Queue {
    async fn watch(self: &Arc<Self>, visitor: &Visitor) -> Result<Watching, Error> {
        // Listening begins before the first look, so that nothing is missed between the two.
        let listening = self.ui.office().listen().await?;
        self.ui.office().waiting(&visitor.caller).await?;
        let seat = self.streams.seat(&visitor.caller).ok_or(Error::RateLimited { wait: AGAIN_AFTER })?;
        let every = |period| {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let (looks, pause) = (every(LOOKS_EVERY), every(PAUSE));
        let (queue, visitor) = (self.clone(), visitor.clone());
        Ok(Watching { queue, visitor, listening, looks, pause, told: String::new(), _seat: seat })
    }
}

impl Watching {
    /// The next event; none when the session or the server ends.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if !self.told.is_empty() {
                self.something().await?;
            }
            let ended = self.queue.ended.clone();
            ended.run_until_cancelled(self.pause.tick()).await?;
            match self.look().await {
                Ok(waiting) if waiting.mark != self.told => {
                    let is_first = self.told.is_empty();
                    self.told.clone_from(&waiting.mark);
                    let event = self.event(&waiting);
                    return Some(if is_first { event.retry(RETRY) } else { event });
                }
                Ok(_) => {}
                Err(Error::Unauthenticated(_) | Error::Forbidden(_)) => return None,
                // The database is away for a while; it is looked again.
                Err(_) => drop(ended.run_until_cancelled(self.looks.tick()).await?),
            }
        }
    }

    /// Waits until something may be new.
    async fn something(&mut self) -> Option<()> {
        let org = self.visitor.caller.org().id;
        let woken = async { while !self.listening.next().await.concerns(org, None) {} };
        let something = async {
            tokio::select! {
                () = woken => {}
                _ = self.looks.tick() => {}
            }
        };
        self.queue.ended.run_until_cancelled(something).await
    }

    async fn look(&self) -> Result<Waiting, Error> {
        let caller = self.queue.ui.office().session_holds(&self.visitor.session).await?;
        self.queue.ui.office().waiting(&caller).await
    }

    fn event(&self, waiting: &Waiting) -> Event {
        let now = self.queue.ui.office().clock().now();
        let data = json!({"mark": waiting.mark, "waiting": words::how_many(waiting.count), "now": now});
        Event::default().event("queue").data(data.to_string())
    }
}
