//! Word to those who decide: when something begins to wait, the owners and managers get a mail that leads to the page. It
//! is composed when it is sent, of what waits then, so that a burst of requests is one mail to each of them.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::declare::errands::{Delivery, Errand};
use crate::error::Result;
use crate::tx::{Ground, Tx};
use crate::values::text::visible;
use crate::world::{Letter, Undelivered};

/// What is asked for within this time is told in one mail.
const GATHERED: TimeDelta = TimeDelta::seconds(20);
/// So often a person gets one at most.
const AT_MOST_EVERY: TimeDelta = TimeDelta::minutes(10);
/// So many requests are told one by one.
const TOLD: i64 = 5;
/// So many characters of one.
const SENTENCE: usize = 200;

/// A mail that tells one owner or manager what waits for a decision, with a link to the page and none that decides.
#[derive(Debug, Serialize, Deserialize)]
pub struct QueueNotice {
    /// Who gets it.
    user_id: Uuid,
    name: String,
}

impl Errand for QueueNotice {
    const KIND: &'static str = "queue_notice";
    const SERVICE: &'static str = "mail";
    const OUTWARD: bool = false;

    fn summary(&self) -> String {
        format!("Notice to {} of what waits for a decision", self.name)
    }

    async fn deliver(&self, delivery: &Delivery<'_>) -> std::result::Result<(), Undelivered> {
        let needless = |why: &str| Undelivered::Needless(why.into());
        let mut tx = delivery.begin().await?;
        let decider = decider(&mut tx, self.user_id).await?.ok_or_else(|| needless("they decide nothing any more"))?;
        let waiting = waiting(&mut tx).await?;
        let told_until = told_until(&mut tx, self.user_id).await?;
        drop(tx);
        let newest = waiting.first().ok_or_else(|| needless("nothing waits any more"))?;
        if told_until.is_some_and(|told| newest.created_at <= told) {
            return Err(needless("they were told of all that waits"));
        }
        delivery.mail(&decider.letter(delivery.ground, &waiting)).await
    }
}

/// Somebody who may decide.
struct Decider {
    name: String,
    email: String,
    organization: String,
}

/// What waits, as the mail tells it.
struct Waiting {
    id: Uuid,
    agent_name: String,
    summary: String,
    created_at: DateTime<Utc>,
    total: i64,
}

/// Leaves a notice for each owner and manager who has none that is yet to be sent. The organization's row is locked, so that
/// of two requests at once one leaves it; one in a worker's hands may be composed already and tells nothing of this request.
pub(crate) async fn give_notice(tx: &mut Tx<'_>) -> Result<()> {
    if tx.ground().dispatch.errand(QueueNotice::KIND).is_none() {
        return Ok(());
    }
    let (org_id, now) = (tx.org_id(), tx.now());
    sqlx::query!("select id from orgs where org_id = $1 and id = $1 for no key update", org_id)
        .fetch_one(tx.db())
        .await?;
    // Locked against workers: what one claims before this call commits would be composed without its request.
    let to_come = sqlx::query_scalar!(
        r#"
        select (payload ->> 'user_id')::uuid as "user_id!"
        from errands
        where org_id = $1 and kind = 'queue_notice' and ended_at is null
          and (claimed_until is null or claimed_until <= $2)
        for share
        "#,
        org_id,
        now
    )
    .fetch_all(tx.db())
    .await?;
    let deciders = sqlx::query!(
        r#"
        select u.id, u.name, (
                 select max(coalesce(e.ended_at, $2)) from errands e
                 where e.org_id = $1 and e.kind = 'queue_notice' and e.payload ->> 'user_id' = u.id::text
                   and (e.ended_at > $3 and e.state = 'done' and e.last_error is null
                        or e.ended_at is null and e.claimed_until > $2)
               ) as last_at
        from users u
        where u.org_id = $1 and u.deactivated_at is null and u.role in ('owner', 'manager') and u.id <> all($4)
        order by u.id
        "#,
        org_id,
        now,
        now - AT_MOST_EVERY,
        &to_come
    )
    .fetch_all(tx.db())
    .await?;
    for decider in deciders {
        let soon = now + GATHERED;
        let due_at = decider.last_at.map_or(soon, |last| soon.max(last + AT_MOST_EVERY));
        tx.errand_due(&QueueNotice { user_id: decider.id, name: decider.name }, due_at).await?;
    }
    Ok(())
}

async fn decider(tx: &mut Tx<'_>, user_id: Uuid) -> Result<Option<Decider>> {
    let org_id = tx.org_id();
    Ok(sqlx::query_as!(
        Decider,
        r#"
        select u.name, u.email, o.name as organization
        from users u
        join orgs o on o.org_id = $1 and o.id = $1
        where u.org_id = $1 and u.id = $2 and u.deactivated_at is null and u.role in ('owner', 'manager')
        "#,
        org_id,
        user_id
    )
    .fetch_optional(tx.db())
    .await?)
}

/// The newest that waits, and how much there is.
async fn waiting(tx: &mut Tx<'_>) -> Result<Vec<Waiting>> {
    let (org_id, now) = (tx.org_id(), tx.now());
    Ok(sqlx::query_as!(
        Waiting,
        r#"
        select id, agent_name, summary, created_at, count(*) over () as "total!"
        from authorizations
        where org_id = $1 and status = 'pending' and expires_at > $2
        order by id desc
        limit $3
        "#,
        org_id,
        now,
        TOLD
    )
    .fetch_all(tx.db())
    .await?)
}

/// Until when they were told what waits. A notice is composed after it was due.
async fn told_until(tx: &mut Tx<'_>, user_id: Uuid) -> Result<Option<DateTime<Utc>>> {
    let org_id = tx.org_id();
    Ok(sqlx::query_scalar!(
        r#"
        select max(due_at)
        from errands
        where org_id = $1 and kind = 'queue_notice' and payload ->> 'user_id' = $2::uuid::text and state = 'done'
          and last_error is null
        "#,
        org_id,
        user_id
    )
    .fetch_one(tx.db())
    .await?)
}

impl Decider {
    fn letter(&self, ground: &Ground, waiting: &[Waiting]) -> Letter {
        let total = waiting.first().map_or(0, |newest| newest.total);
        let (subject, opening, link) = match waiting {
            [one] => (
                format!("1 request waits for you at {}", self.organization),
                format!("{}. It waits for your decision:", one.sentence()),
                ground.review_url(one.id),
            ),
            many => (
                format!("{total} requests wait for you at {}", self.organization),
                format!("{total} requests of agents wait for your decision. {}", to_words(many, total)),
                format!("{}/queue", ground.address),
            ),
        };
        let text = format!(
            "Hello {},\n\n{opening}\n\n{link}\n\nNothing of it is done before an owner or a manager allows it. The link \
             leads to the page; to decide, sign in there.\n",
            self.name
        );
        Letter {
            kind: QueueNotice::KIND,
            name: Some(self.name.clone()),
            to: self.email.clone(),
            from_name: self.organization.clone(),
            reply_to: None,
            subject,
            text,
            html: None,
        }
    }
}

/// The newest ones, a line each.
fn to_words(waiting: &[Waiting], total: i64) -> String {
    let lines: String = waiting.iter().map(|one| format!("\n- {}", one.sentence())).collect();
    match total - waiting.len() as i64 {
        0 => format!("They are:\n{lines}"),
        more => format!("The newest are:\n{lines}\n- and {more} more"),
    }
}

impl Waiting {
    /// "Agent Front Office wants to archive 6 contacts".
    fn sentence(&self) -> String {
        let mut letters = self.summary.chars();
        let wants: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
        in_one_line(&format!("Agent {} wants to {wants}", self.agent_name))
    }
}

/// The names in it are of strangers and of models: no lines of their own, and no links beside ours.
fn in_one_line(text: &str) -> String {
    let is_link = |word: &&str| word.contains("://") || word.to_lowercase().starts_with("www.");
    let visible = visible(text);
    let words = visible.split_whitespace().map(|word| if is_link(&word) { "(a link)" } else { word });
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SENTENCE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_one_line_and_no_link_of_its_own() {
        let one = Waiting {
            id: Uuid::nil(),
            agent_name: "Front\u{202e} Office".into(),
            summary: "Delete contact Jane\n\nhttps://evil.example/queue WWW.evil.example".into(),
            created_at: DateTime::UNIX_EPOCH,
            total: 1,
        };
        assert_eq!(one.sentence(), "Agent Front Office wants to delete contact Jane (a link) (a link)");
        assert_eq!(in_one_line(&"word ".repeat(100)).chars().count(), SENTENCE + 1);
    }
}
