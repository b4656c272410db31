//! People: how they sign in by a link that works once, and how a session knows them afterwards.
//!
//! Links and sessions are found by the hash of their token. That is an equality in an index and not a comparison in
//! constant time: a token has 256 random bits and only its SHA-256 is compared, so time tells nothing of use.

pub(crate) mod agents;
pub(crate) mod enrolment;

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::callers::kept::Known;
use crate::callers::tokens::{LinkToken, SessionToken};
use crate::callers::{Actor, Caller, Credential, Door, Source};
use crate::declare::data::{Key, Keyed, Listing, Query};
use crate::declare::errands::Delivery;
use crate::error::{Error, Result};
use crate::office::Office;
use crate::office::system::{org_facts, stranger, system_of};
use crate::policy::Role;
use crate::tx::call_log::{LogEntry, write_log};
use crate::tx::{Access, Tx};
use crate::values::contact_points::EmailAddress;
use crate::values::text::Text;

/// A session ends when it was not used for so long.
const SESSION: TimeDelta = TimeDelta::days(14);
/// Use is written down so often and no oftener, because it is a write at a read.
const SEEN_EVERY: TimeDelta = TimeDelta::hours(1);
/// What is over is kept so long, so that whoever comes with it hears what became of it.
const KEPT: TimeDelta = TimeDelta::days(30);

/// A person's session, as a request showed it.
#[derive(Debug, Clone)]
pub struct Session {
    /// The person.
    pub caller: Caller,
    /// What the request showed.
    pub token: SessionToken,
    /// When it ends unless it is used.
    pub expires_at: DateTime<Utc>,
}

/// Whom a sign-in link is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkHolder {
    /// The organization.
    pub org: Uuid,
    /// Its name.
    pub organization: String,
    /// The person's name.
    pub name: String,
}

/// A link that would sign somebody in now.
struct GoodLink {
    id: Uuid,
    caller: Caller,
    organization: String,
}

/// When a session was last used.
struct Seen {
    session: Uuid,
    at: DateTime<Utc>,
}

impl Office {
    /// Makes a user, on behalf of whoever administers the program.
    pub async fn create_user(&self, org: Uuid, email: &str, name: &str, role: Role, source: &Source) -> Result<Uuid> {
        let email: EmailAddress = email.parse().map_err(|why: String| Error::invalid("/email", why))?;
        let name: Text<100> = name.parse().map_err(|why: String| Error::invalid("/name", why))?;
        let caller = self.system(org, "administrator").await?;
        let mut tx = self.begin(&caller, Access::Write).await?;
        let now = tx.now();
        let id = self.ground.world.ids.next(now);
        sqlx::query!(
            r#"
            insert into users (org_id, id, email, name, role, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $6)
            "#,
            org,
            id,
            email.as_str(),
            name.as_str(),
            role.name(),
            now
        )
        .execute(tx.db())
        .await?;
        let input = json!({"user_id": id, "name": name, "role": role});
        write_log(&mut tx, source, LogEntry::done("user.create", input)).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The active user with this address in an organization.
    pub async fn user_by_email(&self, org: Uuid, email: &str) -> Result<Option<Uuid>> {
        Ok(self.users_with_address(email).await?.into_iter().find(|(of, _)| *of == org).map(|(_, user)| user))
    }

    /// The active users with this address: one person may belong to several organizations.
    pub async fn users_with_address(&self, email: &str) -> Result<Vec<(Uuid, Uuid)>> {
        let found = sqlx::query!(
            r#"select org_id as "org_id!", user_id as "user_id!" from frontdesk.users_by_email($1)"#,
            email.trim()
        );
        Ok(found.fetch_all(self.database().pool()).await?.into_iter().map(|user| (user.org_id, user.user_id)).collect())
    }

    /// Makes a link that signs a user in, once, within `valid_for`. Its token is in the answer and nowhere else.
    pub async fn sign_in_link(
        &self,
        org: Uuid,
        user_id: Uuid,
        valid_for: TimeDelta,
        source: &Source,
    ) -> Result<LinkToken> {
        let caller = self.system(org, "administrator").await?;
        make_link(self.begin(&caller, Access::Write).await?, user_id, valid_for, source).await
    }

    /// A sign-in link for each organization in which somebody has this address.
    pub async fn sign_in_links_for(
        &self,
        email: &str,
        valid_for: TimeDelta,
        source: &Source,
    ) -> Result<Vec<(LinkHolder, LinkToken)>> {
        let mut links = Vec::new();
        for (org, user) in self.users_with_address(email).await? {
            let token = self.sign_in_link(org, user, valid_for, source).await?;
            links.push((self.link_holder(token.reveal()).await?, token));
        }
        Ok(links)
    }

    /// Whom a sign-in link is for, without using it up.
    pub async fn link_holder(&self, token: &str) -> Result<LinkHolder> {
        let link = self.good_link(token).await?;
        Ok(LinkHolder {
            org: link.caller.org().id,
            organization: link.organization,
            name: link.caller.name().to_string(),
        })
    }

    /// Signs in by a link and uses it up; of two at the same time one succeeds.
    pub async fn sign_in(&self, token: &str, source: &Source) -> Result<(SessionToken, Caller)> {
        let link = self.good_link(token).await?;
        let mut tx = self.begin(&link.caller, Access::Write).await?;
        use_up(&mut tx, link.id).await?;
        let (session, id) = open_session(&mut tx, source).await?;
        tx.commit().await?;
        Ok((session, link.caller.by(Credential::Session(id))))
    }

    async fn good_link(&self, token: &str) -> Result<GoodLink> {
        let token = LinkToken::parse(token).ok_or_else(unknown_link)?;
        let org = token.org().ok_or_else(unknown_link)?;
        let (stranger, hash, now) = (stranger(org, "sign-in"), token.hash(), self.clock().now());
        let mut tx = self.begin(&stranger, Access::Read).await?;
        let link = sqlx::query!(
            r#"
            select l.id, l.used_at, l.expires_at, u.id as user_id, u.name, u.role, u.deactivated_at,
                   o.name as organization, o.timezone, o.currency, o.country
            from sign_in_links l
            join users u on u.org_id = l.org_id and u.id = l.user_id
            join orgs o on o.org_id = l.org_id and o.id = l.org_id
            where l.org_id = $1 and l.token_hash = $2
            "#,
            org,
            hash.as_slice()
        )
        .fetch_optional(tx.db())
        .await?
        .ok_or_else(unknown_link)?;
        drop(tx);
        if link.used_at.is_some() {
            return Err(used_link());
        }
        if link.expires_at <= now {
            return Err(Error::LinkGone("This sign-in link is too old.".into()));
        }
        if link.deactivated_at.is_some() {
            return Err(Error::LinkGone(format!("{} is no longer active here.", link.name)));
        }
        let org = org_facts(org, &link.timezone, &link.currency, &link.country)?;
        let actor = user(link.user_id, link.name, &link.role)?;
        Ok(GoodLink { id: link.id, caller: Caller::new(org, actor), organization: link.organization })
    }

    /// The person behind a session's token, in one round trip. Use renews the session.
    pub async fn authenticate_session(&self, token: &str) -> Result<Session> {
        let token = SessionToken::parse(token).ok_or_else(unknown_session)?;
        let org = token.org().ok_or_else(unknown_session)?;
        let (hash, began, now) = (token.hash(), Instant::now(), self.clock().now());
        if let Some(Known { caller, expires_at: Some(expires_at), .. }) = self.kept().find(org, &hash, now) {
            return Ok(Session { caller, token, expires_at });
        }
        let (mut session, seen) = self.session_of(&token).await?;
        let renewed_at = seen.at + SEEN_EVERY;
        if now >= renewed_at {
            self.renew(seen.session, &mut session).await?;
        } else {
            let (caller, expires_at) = (session.caller.clone(), session.expires_at);
            let good_until = Some(expires_at.min(renewed_at));
            self.kept().keep(org, hash, began, Known { caller, expires_at: Some(expires_at), good_until });
        }
        Ok(session)
    }

    async fn session_of(&self, token: &SessionToken) -> Result<(Session, Seen)> {
        let org = token.org().ok_or_else(unknown_session)?;
        let (hash, now) = (token.hash(), self.clock().now());
        let found = sqlx::query!(
            r#"
            select session_id as "session_id!", user_id as "user_id!", name as "name!", role as "role!", deactivated_at,
                   last_seen_at as "last_seen_at!", expires_at as "expires_at!", timezone as "timezone!",
                   currency as "currency!", country as "country!"
            from frontdesk.user_by_session($1, $2)
            "#,
            org,
            hash.as_slice()
        )
        .fetch_optional(self.database().pool())
        .await?
        .ok_or_else(unknown_session)?;
        if found.deactivated_at.is_some() {
            return Err(Error::Unauthenticated(format!("{} is no longer active here.", found.name)));
        }
        if found.expires_at <= now {
            let when = found.expires_at.to_rfc3339();
            return Err(Error::Unauthenticated(format!("This session expired at {when}: sign in again.")));
        }
        let org = org_facts(org, &found.timezone, &found.currency, &found.country)?;
        let credential = Credential::Session(found.session_id);
        let caller = Caller::new(org, user(found.user_id, found.name, &found.role)?).by(credential);
        let seen = Seen { session: found.session_id, at: found.last_seen_at };
        Ok((Session { caller, token: token.clone(), expires_at: found.expires_at }, seen))
    }

    async fn renew(&self, id: Uuid, session: &mut Session) -> Result<()> {
        let mut tx = self.begin(&session.caller, Access::Write).await?;
        let now = tx.now();
        let org_id = tx.org_id();
        sqlx::query!(
            "update sessions set last_seen_at = $3, expires_at = $4 where org_id = $1 and id = $2",
            org_id,
            id,
            now,
            now + SESSION
        )
        .execute(tx.db())
        .await?;
        tx.commit().await?;
        session.expires_at = now + SESSION;
        Ok(())
    }

    /// The person of a session as they are by now, or why there is none any more. This is no use of the session: a page
    /// that stays open does not keep it alive.
    pub async fn session_holds(&self, token: &SessionToken) -> Result<Caller> {
        self.session_of(token).await.map(|(session, _)| session.caller)
    }

    /// Ends a session.
    pub async fn sign_out(&self, session: &Session, source: &Source) -> Result<()> {
        let mut tx = self.begin(&session.caller, Access::Write).await?;
        let (org_id, hash) = (tx.org_id(), session.token.hash());
        sqlx::query!("delete from sessions where org_id = $1 and token_hash = $2", org_id, hash.as_slice())
            .execute(tx.db())
            .await?;
        write_log(&mut tx, source, LogEntry::done("session.sign_out", json!({}))).await?;
        // The pages of this session that are still open learn of it.
        tx.announce(None).await?;
        tx.commit().await
    }

    /// The name of the caller's organization.
    pub async fn organization_name(&self, caller: &Caller) -> Result<String> {
        let mut tx = self.begin(caller, Access::Read).await?;
        tx.organization_name().await
    }
}

impl Delivery<'_> {
    /// Makes a link that signs a user in, once, within `valid_for`: when its mail is sent, so it is stored nowhere else.
    pub async fn sign_in_link(&self, user_id: Uuid, valid_for: TimeDelta) -> Result<LinkToken> {
        let administrator = system_of(*self.org(), "administrator");
        let tx = Tx::begin(self.ground, &administrator, Access::Write).await?;
        make_link(tx, user_id, valid_for, &Source::of(Door::Program)).await
    }
}

/// Where somebody is signed in.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SessionRow {
    /// The session.
    pub id: Uuid,
    /// Who is signed in.
    pub user_id: Uuid,
    /// Their name.
    pub name: String,
    /// The browser or program, as it states itself.
    pub client: Option<String>,
    /// When it began, UTC.
    pub created_at: DateTime<Utc>,
    /// When it was last used, UTC, to the hour.
    pub last_seen_at: DateTime<Utc>,
    /// When it ends unless it is used, UTC.
    pub expires_at: DateTime<Utc>,
}

/// Which sessions to show, of those that hold. Owners see everybody's, others their own.
#[derive(Debug, Default)]
pub struct SessionQuery {
    /// Those of this user.
    pub user_id: Option<Uuid>,
}

impl SessionQuery {
    crate::listing! {
        |asked, tx| {
            let (now, own) = (tx.now(), own_only(tx));
        }
        SessionRow from SessionRow by holding,
        select "s.id, s.user_id, u.name, s.client, s.created_at, s.last_seen_at, s.expires_at"
        from "sessions" as "s" with "join users u on u.org_id = $1 and u.id = s.user_id",
        newest first,
        where "
            and expires_at > $6
            and ($7::uuid is null or user_id = $7)
            and ($8::uuid is null or user_id = $8)"
            [now, own, asked.user_id]
    }
}

fn own_only(tx: &Tx<'_>) -> Option<Uuid> {
    let sees_all = tx.caller().role().is_none_or(|role| role == Role::Owner);
    tx.caller().id().filter(|_| !sees_all)
}

async fn holding(mut rows: Vec<SessionRow>, tx: &mut Tx<'_>) -> Result<Vec<Keyed<SessionRow>>> {
    let (now, own) = (tx.now(), own_only(tx));
    rows.retain(|row| row.expires_at > now && own.is_none_or(|user| row.user_id == user));
    Ok(rows.into_iter().map(|row| Keyed { key: Key::of(row.id), row }).collect())
}

/// The sessions that hold, newest first.
pub async fn sessions(question: SessionQuery, query: Query, tx: &mut Tx<'_>) -> Result<Listing<SessionRow>> {
    question.list(query, tx).await
}

/// Sessions by their ids, of those that hold.
pub async fn sessions_by_ids(ids: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<SessionRow>> {
    SessionQuery::by_ids(ids, tx).await
}

impl Tx<'_> {
    /// What the business is called.
    pub async fn organization_name(&mut self) -> Result<String> {
        let org_id = self.org_id();
        let name = sqlx::query_scalar!("select name from orgs where org_id = $1 and id = $1", org_id);
        Ok(name.fetch_one(self.db()).await?)
    }

    /// Ends the sessions of a user, or only one of them.
    pub async fn end_sessions(&mut self, user_id: Uuid, only: Option<Uuid>) -> Result<()> {
        let org_id = self.org_id();
        sqlx::query!(
            "delete from sessions where org_id = $1 and user_id = $2 and ($3::uuid is null or id = $3)",
            org_id,
            user_id,
            only
        )
        .execute(self.db())
        .await?;
        // The pages of these sessions that are still open learn of it.
        self.announce(None).await
    }
}

fn unknown_session() -> Error {
    Error::Unauthenticated("This session is not known, or it was ended: sign in again.".into())
}

/// Makes a link and puts that on record.
async fn make_link(mut tx: Tx<'_>, user_id: Uuid, valid_for: TimeDelta, source: &Source) -> Result<LinkToken> {
    let (org, now, id) = (tx.org_id(), tx.now(), tx.next_id());
    sqlx::query!(
        "delete from sign_in_links where org_id = $1 and user_id = $2 and expires_at < $3",
        org,
        user_id,
        now - KEPT
    )
    .execute(tx.db())
    .await?;
    let token = LinkToken::mint(org);
    let hash = token.hash();
    let made = sqlx::query!(
        r#"
        insert into sign_in_links (org_id, id, user_id, token_hash, created_at, expires_at)
        select $1, $2, u.id, $4, $5, $6
        from users u
        where u.org_id = $1 and u.id = $3 and u.deactivated_at is null
        "#,
        org,
        id,
        user_id,
        hash.as_slice(),
        now,
        now + valid_for
    )
    .execute(tx.db())
    .await?;
    if made.rows_affected() == 0 {
        return Err(Error::NotFound { what: format!("active user {user_id}") });
    }
    write_log(&mut tx, source, LogEntry::done("user.sign_in_link", json!({"user_id": user_id}))).await?;
    tx.commit().await?;
    Ok(token)
}

/// Two who use a link at once both get here; the second waits for the first and then finds it used.
async fn use_up(tx: &mut Tx<'_>, link: Uuid) -> Result<()> {
    let (org_id, now) = (tx.org_id(), tx.now());
    let used = sqlx::query_scalar!(
        r#"
        update sign_in_links l
        set used_at = $3
        from users u
        where l.org_id = $1 and l.id = $2 and l.used_at is null and u.org_id = $1 and u.id = l.user_id
          and u.deactivated_at is null
        returning l.id
        "#,
        org_id,
        link,
        now
    );
    used.fetch_optional(tx.db()).await?.map(|_| ()).ok_or_else(used_link)
}

async fn open_session(tx: &mut Tx<'_>, source: &Source) -> Result<(SessionToken, Uuid)> {
    let (org_id, now, user_id, id) = (tx.org_id(), tx.now(), tx.caller().id(), tx.next_id());
    sqlx::query!(
        "delete from sessions where org_id = $1 and user_id = $2 and expires_at < $3",
        org_id,
        user_id,
        now - KEPT
    )
    .execute(tx.db())
    .await?;
    let token = SessionToken::mint(org_id);
    let hash = token.hash();
    sqlx::query!(
        r#"
        insert into sessions (org_id, id, user_id, token_hash, client, created_at, last_seen_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $6, $7)
        "#,
        org_id,
        id,
        user_id,
        hash.as_slice(),
        source.client,
        now,
        now + SESSION
    )
    .execute(tx.db())
    .await?;
    write_log(tx, source, LogEntry::done("session.sign_in", json!({"session_id": id}))).await?;
    Ok((token, id))
}

fn user(id: Uuid, name: String, role: &str) -> Result<Actor> {
    let role = Role::named(role).ok_or_else(|| Error::Internal(format!("user {id} has no known role")))?;
    Ok(Actor::User { id, name, role })
}

fn unknown_link() -> Error {
    Error::LinkGone("This sign-in link is not known: it is incomplete, or it was used or ran out long ago.".into())
}

fn used_link() -> Error {
    Error::LinkGone("This sign-in link was used already: each works once.".into())
}
