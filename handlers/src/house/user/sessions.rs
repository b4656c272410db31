//! Where people are signed in. Kept by the kernel; here it is read, and ended.

use crate::entities::User;
use capabilities::{Action, Data, Effect, Id, Listing, PermissionClass, Query, Result, Role, SessionRow, Tx, Who};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{UserRow, load};

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
        let sees_all = tx.caller().role().is_none_or(|role| role == Role::Owner);
        let own = tx.caller().id().filter(|_| !sees_all);
        let (_, after) = query.after();
        let (rows, total) = tx.sessions(own, self.user_id, query.ids.as_deref(), after, query.limit).await?;
        Ok(Listing::by_id(rows, total, |row| row.id))
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

    fn example() -> Value {
        json!({"user_id": "01970000-0000-7000-8000-000000000001"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<UserRow> {
        let user = load(self.user_id, tx).await?;
        tx.end_sessions(user.id, self.only).await?;
        Ok(user)
    }
}
