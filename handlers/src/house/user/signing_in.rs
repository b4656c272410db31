//! Letting somebody in by mail: the link is made when the mail is sent, so it is stored nowhere else.

use crate::entities::User;
use capabilities::world::Letter;
use capabilities::{Action, Delivery, Effect, Errand, Id, LINK_TO_COME, PermissionClass, Result, Tx, Undelivered, Who};
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{UserRow, load};

/// How long a mailed link can be used.
const VALID: TimeDelta = TimeDelta::minutes(15);
/// That of an invitation: it may lie a while.
const INVITATION_VALID: TimeDelta = TimeDelta::days(3);

/// A mail with a link that signs one person in.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SignInMail {
    pub user_id: Uuid,
    pub to: String,
    pub name: String,
    pub organization: String,
    /// Of an invitation: who invites.
    pub invited_by: Option<String>,
}

impl Errand for SignInMail {
    const KIND: &str = "sign_in_mail";
    const SERVICE: &str = "mail";
    const OUTWARD: bool = false;

    fn summary(&self) -> String {
        let what = if self.invited_by.is_some() { "Invitation" } else { "Sign-in link" };
        format!("{what} to {}", self.name)
    }

    fn preview(&self) -> Option<Letter> {
        Some(self.letter(LINK_TO_COME, self.valid()))
    }

    async fn deliver(&self, delivery: &Delivery<'_>) -> std::result::Result<(), Undelivered> {
        let valid = self.valid();
        let token = delivery.sign_in_link(self.user_id, valid).await?;
        let link = format!("{}/sign-in/{}", delivery.address(), token.reveal());
        delivery.mail(&self.letter(&link, valid)).await
    }
}

impl SignInMail {
    fn valid(&self) -> TimeDelta {
        if self.invited_by.is_some() { INVITATION_VALID } else { VALID }
    }

    fn letter(&self, link: &str, valid: TimeDelta) -> Letter {
        let (name, organization) = (&self.name, &self.organization);
        let (subject, opening) = match &self.invited_by {
            Some(who) => (
                format!("{who} invites you to {organization}"),
                format!("{who} invites you to the office of {organization}. This link signs you in:"),
            ),
            None => (format!("Sign in to {organization}"), format!("This link signs you in to {organization}:")),
        };
        let time = match valid.num_hours() {
            hours if hours >= 24 => format!("{} days", hours / 24),
            _ => format!("{} minutes", valid.num_minutes()),
        };
        let text = format!(
            "Hello {name},\n\n{opening}\n\n{link}\n\nIt works once, within {time}. If you did not expect it, leave it: \
             without it nobody gets in.\n"
        );
        Letter {
            kind: "sign_in",
            name: Some(name.clone()),
            to: self.to.clone(),
            from_name: organization.clone(),
            reply_to: None,
            subject,
            text,
            html: None,
        }
    }
}

/// Mail somebody of the business a fresh link to sign in with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendSignInLink {
    /// Who gets it.
    pub user_id: Id<User>,
}

impl Action for SendSignInLink {
    const NAME: &str = "user.send_sign_in_link";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    const INSTEAD_OF_UNDO: Option<&str> =
        Some("End their sessions with user.end_sessions if the wrong person signed in.");
    type Output = UserRow;

    fn example() -> Value {
        json!({"user_id": "01970000-0000-7000-8000-000000000001"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<UserRow> {
        let user = load(self.user_id, tx).await?;
        super::refuse_deactivated(&user)?;
        mail(&user, None, tx).await?;
        Ok(user)
    }
}

/// Leaves the mail.
pub(crate) async fn mail(user: &UserRow, invited_by: Option<String>, tx: &mut Tx<'_>) -> Result<()> {
    let organization = tx.organization_name().await?;
    let (to, name) = (user.email.clone().unwrap_or_default(), user.name.clone());
    tx.errand(&SignInMail { user_id: user.id, to, name, organization, invited_by }).await
}
