//! Where people are signed in. Kept by the kernel; here it is read, and ended.

use capabilities::{
    Action, Data, Effect, Id, Listing, PermissionClass, Query, Result, SessionQuery, SessionRow, Tx, Who, sessions,
    sessions_by_ids,
};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::{UserRow, load};
use crate::entities::User;

/// Where people are signed in. Owners see everybody's sessions, others their own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sessions {
    /// Only sessions of this user.
    user_id: Option<Uuid>,
}

impl Data for Sessions {
    const NAME: &str = "sessions";
    const ONE: &str = "session";
    const WHO: Who = Who::EVERYONE;
    const PEOPLE_ONLY: bool = true;
    const SORTED_BY: &str = "when they began, newest first";
    type Row = SessionRow;

    async fn list(self, query: Query, tx: &mut Tx<'_>) -> Result<Listing<SessionRow>> {
        sessions(SessionQuery { user_id: self.user_id }, query, tx).await
    }

    async fn by_ids(ids: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<SessionRow>> {
        sessions_by_ids(ids, tx).await
    }
}

/// Sign somebody out: of one session, or of all of them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndSessions {
    /// Whose sessions.
    pub user_id: Id<User>,
    /// Only this one; all of them if left out.
    pub only: Option<Uuid>,
}

impl Action for EndSessions {
    const NAME: &str = "user.end_sessions";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const INSTEAD_OF_UNDO: Option<&str> = Some("They sign in again.");
    type Output = UserRow;

    async fn run(self, tx: &mut Tx<'_>) -> Result<UserRow> {
        let user = load(self.user_id, tx).await?;
        tx.end_sessions(user.id, self.only).await?;
        Ok(user)
    }
}
