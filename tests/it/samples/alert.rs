//! An alert about a mail that nobody took. Hours of failures are not waited for.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Named, Sample};
use crate::desk::Desk;

pub const SAMPLE: Sample = Sample { ids: &["alert_id"], make: |_, desk, _| Box::pin(alert(desk)), ..Sample::NONE };

async fn alert(desk: &Desk) -> Vec<Named> {
    let (alert, errand) = (Uuid::from_u128(rand::random()), Uuid::from_u128(rand::random()));
    let statements = format!(
        "begin; select frontdesk.begin_call('{org}', '{alert}', '2030-01-07T09:00:00Z'); \
         insert into errands (org_id, id, call_id, kind, service, summary, payload, state, due_at, created_at, ended_at) \
         values ('{org}', '{errand}', '{alert}', 'sign_in_mail', 'mail', 'A mail', '{{}}', 'failed', now(), now(), now()); \
         insert into alerts (org_id, id, kind, message, errand_id, created_at, updated_at) \
         values ('{org}', '{alert}', 'errand_failed', 'A mail could not be sent.', '{errand}', now(), now()); commit",
        org = desk.org
    );
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut desk.sql().await).await.unwrap();
    vec![("alert_id", alert.to_string())]
}
