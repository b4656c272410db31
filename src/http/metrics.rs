//! `/metrics`: what is counted and timed, and how much waits, for Prometheus to read.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use capabilities::{Error, Office, Result};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use subtle::ConstantTimeEq as _;

use crate::assemble::VERSION;
use crate::http::identity::bearer;
use crate::http::peer::Peer;
use crate::http::rest;

/// In seconds: most calls take a few milliseconds, and none more than a minute.
const BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// What was timed is put into its buckets so often, whether anybody asks or not.
const UPKEEP: Duration = Duration::from_secs(5);
/// The form that Prometheus reads.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

struct Measures {
    office: Arc<Office>,
    recorder: PrometheusHandle,
    token: Option<String>,
}

/// The route `/metrics`: for this machine, and elsewhere for whoever has the token.
pub(crate) fn routes(office: &Arc<Office>, token: Option<&str>) -> anyhow::Result<Router> {
    let measures = Measures { office: office.clone(), recorder: recorder()?, token: token.map(str::to_string) };
    Ok(Router::new().route("/metrics", get(tell)).with_state(Arc::new(measures)))
}

/// The process counts in one place, which is made when it is first asked for.
fn recorder() -> anyhow::Result<PrometheusHandle> {
    static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut known = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*known {
        return Ok(handle.clone());
    }
    let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    describe();
    Ok(known.insert(handle).clone())
}

/// Keeps what was timed from piling up.
pub(crate) async fn keep_up() -> anyhow::Result<()> {
    let recorder = recorder()?;
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        recorder.run_upkeep();
    }
}

fn describe() {
    describe_counter!("frontdesk_calls_total", "Calls by action, outcome and door.");
    describe_counter!("frontdesk_errors_total", "Calls and reads that were refused, queued or failed, by error code.");
    describe_counter!("frontdesk_refusals_total", "Requests refused before they became a call, by error code.");
    describe_histogram!("frontdesk_call_seconds", Unit::Seconds, "How long calls took.");
    describe_histogram!("frontdesk_read_seconds", Unit::Seconds, "How long reads took.");
    describe_gauge!("frontdesk_authorizations", "Requests that wait for a person.");
    describe_gauge!("frontdesk_errands", "Errands by state; those that ended are kept for 90 days.");
    describe_gauge!("frontdesk_jobs", "Jobs by state; those that ended are kept for 90 days.");
    describe_gauge!("frontdesk_alerts", "Alerts that nobody has acknowledged.");
    describe_gauge!("frontdesk_database_up", "Whether the database answers.");
    describe_gauge!("frontdesk_database_connections", "Connections to the database by state.");
    describe_gauge!("frontdesk_build_info", "The running version.");
    describe_gauge!("process_resident_memory_bytes", "Memory of this process.");
}

async fn tell(State(measures): State<Arc<Measures>>, peer: Option<Extension<Peer>>, headers: HeaderMap) -> Response {
    let is_local = peer.is_some_and(|Extension(peer)| peer.is_local);
    if let Err(error) = measures.permit(is_local, &headers) {
        return rest::refuse(&measures.office, &error);
    }
    measures.look().await;
    let kind = [(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-store")];
    (kind, measures.recorder.render()).into_response()
}

impl Measures {
    fn permit(&self, is_local: bool, headers: &HeaderMap) -> Result<()> {
        let Some(token) = &self.token else {
            return if is_local { Ok(()) } else { Err(Error::UnknownRoute("/metrics".into())) };
        };
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| bearer(value).ok());
        let knows = shown.is_some_and(|shown| shown.as_bytes().ct_eq(token.as_bytes()).into());
        match knows || is_local && shown.is_none() {
            true => Ok(()),
            false => Err(Error::Unauthenticated("The metrics open with FRONTDESK_METRICS_TOKEN only.".into())),
        }
    }

    /// What is not counted as it happens.
    async fn look(&self) {
        let database = self.office.database();
        let counts = database.work_counts().await;
        gauge!("frontdesk_database_up").set(if counts.is_ok() { 1.0 } else { 0.0 });
        for count in counts.unwrap_or_default() {
            let number = count.number as f64;
            match count.kind.as_str() {
                "authorizations" => gauge!("frontdesk_authorizations", "status" => count.state).set(number),
                "errands" => gauge!("frontdesk_errands", "state" => count.state).set(number),
                "jobs" => gauge!("frontdesk_jobs", "state" => count.state).set(number),
                _ => gauge!("frontdesk_alerts", "state" => count.state).set(number),
            }
        }
        let (open, idle) = database.connections();
        gauge!("frontdesk_database_connections", "state" => "open").set(open);
        gauge!("frontdesk_database_connections", "state" => "idle").set(idle as f64);
        gauge!("frontdesk_build_info", "version" => VERSION).set(1.0);
        if let Some(bytes) = resident_memory() {
            gauge!("process_resident_memory_bytes").set(bytes);
        }
    }
}

/// Where the system tells: on Linux.
fn resident_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().trim_end_matches("kB");
    kibibytes.trim().parse::<f64>().ok().map(|kibibytes| kibibytes * 1_024.0)
}
