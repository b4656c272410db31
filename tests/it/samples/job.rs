//! What is done every day, and a mail that is to go out.

use serde_json::json;

use super::{Named, Sample, Standing};
use crate::desk::Desk;

pub const SAMPLE: Sample = Sample {
    ids: &["job_id", "errand_id"],
    besides: &[("job.tidy", "alert_id")],
    make: |standing, desk, id| Box::pin(made(standing, desk, id)),
    ..Sample::NONE
};

async fn made(standing: &mut Standing, desk: &Desk, id: &str) -> Vec<Named> {
    let owner = desk.owner().await;
    let (id, of) = match id {
        "job_id" => {
            desk.office.keep_standing_of(desk.org).await.unwrap();
            ("job_id", "jobs")
        }
        _ => {
            // Those who decide are told of what waits.
            standing.need(desk, "authorization_id").await;
            ("errand_id", "errands")
        }
    };
    let rows = owner.read(of, json!({})).await.ok();
    vec![(id, rows[0]["id"].as_str().unwrap().to_string())]
}
