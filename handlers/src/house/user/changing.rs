//! Who works here and what they may do: changed by owners alone. The last owner stays one.

use capabilities::{Action, Effect, EmailAddress, Error, Id, PermissionClass, Result, Role, Text, Tx, Who};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{UserRow, load, signing_in};
use crate::entities::User;

/// Invite somebody to the business: they get a mail with a link that signs them in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invite {
    /// Where the invitation goes; what they sign in with.
    pub email: EmailAddress,
    /// Their name.
    pub name: Text<100>,
    /// What they may do.
    pub role: Role,
}

impl Action for Invite {
    const NAME: &str = "user.invite";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    const INSTEAD_OF_UNDO: Option<&str> = Some("Shut them out with user.deactivate.");
    type Output = UserRow;

    fn example() -> Value {
        json!({"email": "sam@example.com", "name": "Sam Miller", "role": "technician"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<UserRow> {
        let (org_id, id, now) = (tx.org_id(), tx.new_id::<User>(), tx.now());
        sqlx::query!(
            r#"
            insert into users (org_id, id, email, name, role, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $6)
            "#,
            org_id,
            id.uuid(),
            self.email.as_str(),
            self.name.as_str(),
            self.role.name(),
            now
        )
        .execute(tx.db())
        .await?;
        let user = load(id, tx).await?;
        let host = tx.caller().name().to_string();
        signing_in::mail(&user, Some(host), tx).await?;
        Ok(user)
    }
}

/// Give somebody another role. It holds from their next click on.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeRole {
    /// Whose role.
    pub user_id: Id<User>,
    /// What they may do from now on.
    pub role: Role,
    /// Refuse if the user is at another version by now.
    pub expected_version: Option<i32>,
}

impl Action for ChangeRole {
    const NAME: &str = "user.change_role";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    const INSTEAD_OF_UNDO: Option<&str> = Some("Give them the other role with user.change_role.");
    type Output = UserRow;

    fn example() -> Value {
        json!({"role": "manager"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<UserRow> {
        tx.lock(self.user_id, self.expected_version).await?;
        let org_id = tx.org_id();
        sqlx::query!(
            "update users set role = $3 where org_id = $1 and id = $2",
            org_id,
            self.user_id.uuid(),
            self.role.name()
        )
        .execute(tx.db())
        .await?;
        refuse_without_owner(tx).await?;
        tx.forget_callers().await?;
        load(self.user_id, tx).await
    }
}

/// Shut somebody out: they cannot sign in any more, and their sessions end at once. Their trail stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deactivate {
    /// Who.
    pub user_id: Id<User>,
    /// Refuse if the user is at another version by now.
    pub expected_version: Option<i32>,
}

impl Action for Deactivate {
    const NAME: &str = "user.deactivate";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    const INSTEAD_OF_UNDO: Option<&str> = Some("Let them in again with user.reactivate.");
    type Output = UserRow;

    async fn run(self, tx: &mut Tx<'_>) -> Result<UserRow> {
        tx.lock(self.user_id, self.expected_version).await?;
        tx.leaving(&[self.user_id]).await?;
        let (org_id, now) = (tx.org_id(), tx.now());
        sqlx::query!(
            "update users set deactivated_at = coalesce(deactivated_at, $3) where org_id = $1 and id = $2",
            org_id,
            self.user_id.uuid(),
            now
        )
        .execute(tx.db())
        .await?;
        refuse_without_owner(tx).await?;
        tx.end_sessions(self.user_id.uuid(), None).await?;
        load(self.user_id, tx).await
    }
}

/// Let somebody in again who was shut out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reactivate {
    /// Who.
    pub user_id: Id<User>,
    /// Refuse if the user is at another version by now.
    pub expected_version: Option<i32>,
}

impl Action for Reactivate {
    const NAME: &str = "user.reactivate";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    const INSTEAD_OF_UNDO: Option<&str> = Some("Shut them out again with user.deactivate.");
    type Output = UserRow;

    async fn run(self, tx: &mut Tx<'_>) -> Result<UserRow> {
        tx.lock(self.user_id, self.expected_version).await?;
        let org_id = tx.org_id();
        sqlx::query!(
            "update users set deactivated_at = null where org_id = $1 and id = $2",
            org_id,
            self.user_id.uuid()
        )
        .execute(tx.db())
        .await?;
        load(self.user_id, tx).await
    }
}

/// The business must have somebody who may do everything. Owners are locked, so that two who shut each other out at once
/// cannot both succeed.
async fn refuse_without_owner(tx: &mut Tx<'_>) -> Result<()> {
    let org_id = tx.org_id();
    let owners = sqlx::query_scalar!(
        r#"
        select id from users
        where org_id = $1 and role = 'owner' and deactivated_at is null
        order by id
        for update
        "#,
        org_id
    )
    .fetch_all(tx.db())
    .await?;
    match owners.is_empty() {
        false => Ok(()),
        true => Err(Error::conflict(
            "LAST_OWNER",
            "The business would be left without an owner.",
            "Make somebody else an owner first with user.change_role.",
        )),
    }
}
