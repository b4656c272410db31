//! The thread that starts the server and watches it until it is told to stop.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::account::{self, Account};
use super::binaries::Programs;
use super::creation::{self, Settling};
use super::error::ClusterError;
use super::log::Log;
use super::places::Places;
use super::server::Server;
use super::stale;

/// How soon a dead server is noticed.
const GLANCE: Duration = Duration::from_millis(100);
const TRIM_EVERY: Duration = Duration::from_mins(1);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A server that ran that long is taken to be well, so its next death begins with a short pause
/// again.
const WELL_AFTER: Duration = Duration::from_mins(1);

/// A wish to stop, which every wait of the thread heeds.
#[derive(Debug, Clone, Default)]
pub(super) struct StopRequest {
    shared: Arc<(Mutex<bool>, Condvar)>,
}

impl StopRequest {
    pub(super) fn make(&self) {
        let (made, bell) = &*self.shared;
        *made.lock().unwrap_or_else(PoisonError::into_inner) = true;
        bell.notify_all();
    }

    /// Waits that long, or until the request is made; true if it is.
    pub(super) fn made_within(&self, time: Duration) -> bool {
        let (made, bell) = &*self.shared;
        let made = made.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = bell.wait_timeout_while(made, time, |made| !*made);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

#[derive(Debug)]
pub(super) struct Supervisor {
    places: Places,
    programs: Programs,
    account: Option<Account>,
    stop: StopRequest,
    log: Log,
    settling: Option<Settling>,
}

impl Supervisor {
    pub(super) fn new(
        places: Places,
        programs: Programs,
        account: Option<Account>,
        stop: StopRequest,
    ) -> Result<Self, ClusterError> {
        let log = Log::open(&places.log())?;
        Ok(Self { places, programs, account, stop, log, settling: None })
    }

    /// Reports the first start, then returns only when told to stop.
    pub(super) fn run(&mut self, report: &SyncSender<Result<(), ClusterError>>) {
        let (server, result) = match self.prepare().and_then(|()| self.start()) {
            Ok(server) => (Some(server), Ok(())),
            Err(error) => (None, Err(error)),
        };
        // Whoever asked waits for the answer; if it does not, it has panicked, and the stop request
        // comes next.
        let _ = report.send(result);
        if let Some(server) = server {
            self.watch(server);
        }
        if let Some(settling) = self.settling.take() {
            settling.abandon();
        }
    }

    /// What a first start needs and a restart does not.
    fn prepare(&mut self) -> Result<(), ClusterError> {
        stale::clear(&self.places, &self.stop)?;
        if creation::existing_major(&self.places)?.is_none() {
            creation::create(&self.places, &self.programs, self.account.as_ref())?;
            tracing::info!(pgdata = %self.places.pgdata().display(), "made a new database");
        } else if let Some(account) = &self.account {
            account::give_tree(&self.places.pgdata(), account)?;
        }
        self.settling = Settling::begin(&self.places, &self.programs, self.account.as_ref())?;
        Ok(())
    }

    fn start(&mut self) -> Result<Server, ClusterError> {
        stale::clear(&self.places, &self.stop)?;
        let mut server = Server::spawn(&self.places, &self.programs, self.account.as_ref(), &mut self.log)?;
        match server.until_ready(&self.places, &self.log, &self.stop) {
            Ok(()) => Ok(server),
            Err(ClusterError::Stopped) => {
                server.stop();
                Err(ClusterError::Stopped)
            }
            Err(error) => Err(error),
        }
    }

    fn watch(&mut self, mut server: Server) {
        let mut pause = FIRST_PAUSE;
        let mut started = Instant::now();
        let mut trimmed = Instant::now();
        while !self.stop.made_within(GLANCE) {
            if let Some(status) = server.ended() {
                tracing::error!(
                    %status,
                    "PostgreSQL ended by itself; starting it again: {}",
                    self.log.tail()
                );
                if started.elapsed() > WELL_AFTER {
                    pause = FIRST_PAUSE;
                }
                let Some(next) = self.restart(&mut pause) else {
                    return;
                };
                server = next;
                started = Instant::now();
            }
            if self.settling.as_mut().is_some_and(|settling| settling.is_over(&self.places)) {
                self.settling = None;
            }
            if trimmed.elapsed() > TRIM_EVERY {
                trimmed = Instant::now();
                self.trim_log();
            }
        }
        server.stop();
    }

    /// Tries until the server runs, or until told to stop.
    fn restart(&mut self, pause: &mut Duration) -> Option<Server> {
        loop {
            if self.stop.made_within(*pause) {
                return None;
            }
            *pause = (*pause * 2).min(LONGEST_PAUSE);
            match self.start() {
                Ok(server) => {
                    tracing::info!("PostgreSQL runs again");
                    return Some(server);
                }
                Err(ClusterError::Stopped) => return None,
                Err(error) => {
                    tracing::error!(
                        %error, next_try_in = ?pause,
                        "PostgreSQL could not be started again"
                    );
                }
            }
        }
    }

    fn trim_log(&mut self) {
        if let Err(error) = self.log.trim() {
            tracing::warn!(
                %error, log = %self.log.path().display(),
                "the database's log could not be shortened"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_request_ends_a_wait() {
        let stop = StopRequest::default();
        assert!(!stop.made_within(Duration::from_millis(1)));
        let other = stop.clone();
        let begun = Instant::now();
        let thread = std::thread::spawn(move || other.made_within(Duration::from_mins(1)));
        stop.make();
        assert!(thread.join().unwrap());
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
