//! What undone calls left beside their rows: what still waits is withdrawn, and what is out of the house is named.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::error::Result;
use crate::tx::Tx;

/// Of a job that was dropped because what had scheduled it was undone.
const UNDONE: &str = "what scheduled it was undone";

/// An errand of an undone call.
struct Left {
    id: Uuid,
    kind: String,
    summary: String,
    recipient: Option<String>,
    state: String,
    claimed_until: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
}

impl Left {
    fn to_words(&self) -> String {
        match &self.recipient {
            Some(to) if !self.summary.contains(to.as_str()) => format!("{} (to {to})", self.summary),
            _ => self.summary.clone(),
        }
    }
}

/// How far an errand is, for an undo.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Withdrawn,
    Delivered,
    /// A worker has it, or had it and died: it may be out.
    InDoubt,
    Waiting,
}

fn reach(left: &Left, now: DateTime<Utc>) -> Reach {
    match (left.state.as_str(), left.claimed_until) {
        ("withdrawn", _) => Reach::Withdrawn,
        ("done", _) => Reach::Delivered,
        ("failed", _) | (_, None) => Reach::Waiting,
        (_, Some(until)) if until > now => Reach::InDoubt,
        (_, Some(_)) => Reach::Waiting,
    }
}

/// Withdraws the errands and jobs of these calls that nobody has in hand, and tells which those were.
pub(super) async fn take_back_waiting(calls: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<String>> {
    let now = tx.now();
    let (mut ids, mut withdrawn) = (Vec::new(), Vec::new());
    for left in errands_of(calls, tx).await?.iter().filter(|left| reach(left, now) == Reach::Waiting) {
        let (code, message) = match left.claimed_until {
            None => ("withdrawn", format!("This had not gone out and never will: {}.", left.to_words())),
            Some(_) => (
                "withdrawn_late",
                format!("This is withdrawn, but may be out, because an attempt was cut off: {}.", left.to_words()),
            ),
        };
        tx.warn(code, message.clone(), Some(json!({"errand_id": left.id})));
        ids.push(left.id);
        withdrawn.push(message);
    }
    let org_id = tx.org_id();
    sqlx::query!(
        r#"
        update errands
        set state = 'withdrawn', ended_at = $3, claimed_until = null
        where org_id = $1 and id = any($2)
        "#,
        org_id,
        &ids,
        now
    )
    .execute(tx.db())
    .await?;
    withdrawn.extend(drop_jobs(calls, tx).await?);
    Ok(withdrawn)
}

async fn errands_of(calls: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<Left>> {
    let org_id = tx.org_id();
    Ok(sqlx::query_as!(
        Left,
        r#"
        select id, kind, summary, payload ->> 'to' as recipient, state, claimed_until, ended_at
        from errands
        where org_id = $1 and call_id = any($2)
        order by id
        for update
        "#,
        org_id,
        calls
    )
    .fetch_all(tx.db())
    .await?)
}

async fn drop_jobs(calls: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<String>> {
    let (org_id, now) = (tx.org_id(), tx.now());
    let dropped = sqlx::query!(
        r#"
        update jobs
        set state = 'dropped', ended_at = $3, claimed_until = null, last_error = $4
        where org_id = $1 and caused_by = any($2) and schedule is null
          and (ended_at is null or state = 'failed') and (claimed_until is null or claimed_until <= $3)
        returning id, action, due_at
        "#,
        org_id,
        calls,
        now,
        UNDONE
    )
    .fetch_all(tx.db())
    .await?;
    let mut told = Vec::new();
    for job in dropped {
        let message = format!("A {} was due at {} and will not be done.", job.action, local(job.due_at, tx));
        tx.warn("job_dropped", message.clone(), Some(json!({"job_id": job.id})));
        told.push(message);
    }
    Ok(told)
}

/// Names what no undo brings back: what went out, what the calls caused, and what an undo had withdrawn before.
pub(super) async fn tell_what_stays(calls: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<String>> {
    let mut stays = Vec::new();
    for (code, message, about) in
        [delivered(calls, tx).await?, caused(calls, tx).await?, withdrawn(calls, tx).await?].concat()
    {
        stays.push(message.clone());
        tx.warn(code, message, Some(about));
    }
    Ok(stays)
}

/// A time as people of the organization read it.
fn local(at: DateTime<Utc>, tx: &Tx<'_>) -> String {
    at.with_timezone(&tx.org().timezone).format("%Y-%m-%d %H:%M").to_string()
}

type Told = Vec<(&'static str, String, serde_json::Value)>;

async fn delivered(calls: &[Uuid], tx: &mut Tx<'_>) -> Result<Told> {
    let now = tx.now();
    let mut told = Told::new();
    for left in errands_of(calls, tx).await? {
        let made_up = tx.ground().dispatch.errand(&left.kind).and_then(|entry| entry.made_up_for_by);
        let made_up = made_up.map(|by| format!(" {by}")).unwrap_or_default();
        let about = json!({"errand_id": left.id});
        match (reach(&left, now), left.ended_at) {
            (Reach::Delivered, at) => {
                let when = at.map(|at| format!(" at {}", local(at, tx))).unwrap_or_default();
                told.push((
                    "delivered",
                    format!("This went out{when} and stays out: {}.{made_up}", left.to_words()),
                    about,
                ));
            }
            (Reach::InDoubt, _) => {
                told.push((
                    "in_hand",
                    format!("This is going out at this moment: {}.{made_up}", left.to_words()),
                    about,
                ));
            }
            _ => {}
        }
    }
    Ok(told)
}

/// What was done later because of these calls, such as a job that came due, is a call of its own.
async fn caused(calls: &[Uuid], tx: &mut Tx<'_>) -> Result<Told> {
    let org_id = tx.org_id();
    let caused = sqlx::query!(
        r#"
        select c.id, c.action, c.at
        from call_log c
        where c.org_id = $1 and c.caused_by = any($2) and c.outcome = 'done' and c.id <> all($2)
          and exists (select 1 from row_log r where r.org_id = $1 and r.call_id = c.id)
          and not exists (select 1 from errands e where e.org_id = $1 and c.input ->> 'errand_id' = e.id::text)
          and frontdesk.undone_by(c.id) is null
        order by c.id
        "#,
        org_id,
        calls
    )
    .fetch_all(tx.db())
    .await?;
    let told = caused.into_iter().map(|call| {
        let message = format!("It led to {} at {}, which stays until that is undone.", call.action, local(call.at, tx));
        ("led_to", message, json!({"call_id": call.id}))
    });
    Ok(told.collect())
}

/// What was withdrawn when these undos were made is not sent by undoing them.
async fn withdrawn(calls: &[Uuid], tx: &mut Tx<'_>) -> Result<Told> {
    let org_id = tx.org_id();
    let found = sqlx::query!(
        r#"
        select e.summary as "what!", e.id as "id!"
        from undone_calls u
        join errands e on e.org_id = $1 and e.call_id = u.call_id and e.state = 'withdrawn'
        where u.org_id = $1 and u.undo_call_id = any($2)
        union all
        select j.action, j.id
        from undone_calls u
        join jobs j on j.org_id = $1 and j.caused_by = u.call_id and j.state = 'dropped' and j.last_error = $3
        where u.org_id = $1 and u.undo_call_id = any($2)
        order by 2
        "#,
        org_id,
        calls,
        UNDONE
    )
    .fetch_all(tx.db())
    .await?;
    let told = found.into_iter().map(|left| {
        let message = format!("This was withdrawn and stays so; do it anew if it is still wanted: {}.", left.what);
        ("stays_withdrawn", message, json!({"id": left.id}))
    });
    Ok(told.collect())
}
