//! Changing the business's settings.

use capabilities::{
    Action, CountryCode, CurrencyCode, Effect, EmailAddress, Error, Id, Name, Patch, Percent, PermissionClass, Result,
    Text, TimeOfDay, TimeZone, Tx, Who,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::types::Json;

use super::{OrgRow, Orgs};
use crate::entities::Org;

/// Opening and closing time, the later one second.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "[TimeOfDay; 2]", into = "[TimeOfDay; 2]")]
pub(crate) struct Hours([TimeOfDay; 2]);

impl TryFrom<[TimeOfDay; 2]> for Hours {
    type Error = &'static str;

    fn try_from(hours: [TimeOfDay; 2]) -> Result<Self, &'static str> {
        match hours[0] < hours[1] {
            true => Ok(Self(hours)),
            false => Err("must open before it closes"),
        }
    }
}

impl From<Hours> for [TimeOfDay; 2] {
    fn from(hours: Hours) -> Self {
        hours.0
    }
}

/// Days after which something is followed up, each later than the one before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<i32>")]
pub(crate) struct RisingDays(Vec<i32>);

impl TryFrom<Vec<i32>> for RisingDays {
    type Error = &'static str;

    fn try_from(days: Vec<i32>) -> Result<Self, &'static str> {
        match days.is_sorted_by(|earlier, later| earlier < later) {
            true => Ok(Self(days)),
            false => Err("each must be later than the one before"),
        }
    }
}

/// Opening and closing times per weekday: a day left out stays as it is, null closes it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Week {
    /// Monday.
    #[serde(default)]
    mon: Patch<Hours>,
    /// Tuesday.
    #[serde(default)]
    tue: Patch<Hours>,
    /// Wednesday.
    #[serde(default)]
    wed: Patch<Hours>,
    /// Thursday.
    #[serde(default)]
    thu: Patch<Hours>,
    /// Friday.
    #[serde(default)]
    fri: Patch<Hours>,
    /// Saturday.
    #[serde(default)]
    sat: Patch<Hours>,
    /// Sunday.
    #[serde(default)]
    sun: Patch<Hours>,
}

impl Week {
    /// The days that are mentioned; a closed one is null.
    fn mentioned(&self) -> serde_json::Map<String, Value> {
        let days = [
            ("mon", &self.mon),
            ("tue", &self.tue),
            ("wed", &self.wed),
            ("thu", &self.thu),
            ("fri", &self.fri),
            ("sat", &self.sat),
            ("sun", &self.sun),
        ];
        let mentioned = days.into_iter().filter_map(|(day, hours)| match hours.parts() {
            (true, hours) => Some((day.to_string(), json!(hours))),
            (false, _) => None,
        });
        mentioned.collect()
    }
}

/// Change the business's settings: what is left out stays, null clears.
///
/// They hold for what is made from now on; what was made before keeps what it was made with. The currency is fixed once a
/// service or a ticket has a price.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Update {
    /// Refuse if the settings are at another version by now.
    pub expected_version: Option<i32>,
    /// The business's name.
    pub name: Option<Name>,
    /// IANA time zone in which local times are meant.
    pub timezone: Option<TimeZone>,
    /// ISO 4217 currency of all amounts.
    pub currency: Option<CurrencyCode>,
    /// ISO 3166-1 country; phone numbers without a country code are read as of there.
    pub country: Option<CountryCode>,
    /// Opening and closing time per weekday, such as `["08:00", "17:00"]`.
    #[serde(default)]
    pub business_hours: Week,
    /// Percent from 0 to 100 with at most four decimals, as exact decimal text such as `9.25`.
    pub default_tax_rate: Option<Percent>,
    /// What invoice numbers begin with.
    #[serde(default)]
    pub invoice_prefix: Patch<Text<20>>,
    /// Days until an invoice is due.
    #[schemars(range(min = 0, max = 365))]
    pub payment_terms_days: Option<i32>,
    /// Where customers' replies go.
    #[serde(default)]
    pub reply_to_email: Patch<EmailAddress>,
    /// Days before a visit at which its reminder goes out.
    #[schemars(range(min = 0, max = 30))]
    pub reminder_lead_days: Option<i32>,
    /// All days after asking at which an unanswered confirmation is followed up, rising; an empty list for never.
    #[schemars(length(max = 10), inner(range(min = 1, max = 60)))]
    pub follow_up_days: Option<RisingDays>,
    /// Length of a visit in minutes when nothing else is known.
    #[schemars(range(min = 5, max = 1440))]
    pub default_ticket_minutes: Option<i32>,
    /// Minutes that should lie between two visits of one technician; less is told as a warning.
    #[schemars(range(min = 0, max = 480))]
    pub buffer_minutes: Option<i32>,
}

impl Action for Update {
    const NAME: &str = "org.update";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::RequiresAuthorization;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    type Output = OrgRow;

    fn example() -> Value {
        json!({
            "expected_version": 1, "default_tax_rate": "9.25", "invoice_prefix": "W-", "follow_up_days": [2, 4],
            "business_hours": {"fri": ["08:00", "13:00"], "sat": null}
        })
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<OrgRow> {
        tx.lock(Id::<Org>::from(tx.org_id()), self.expected_version).await?;
        self.refuse_other_currency(tx).await?;
        self.set_columns(tx).await?;
        // Every caller carries the time zone, the currency and the country.
        tx.forget_callers().await?;
        Orgs::own(tx).await
    }
}

impl Update {
    /// An amount is stored without its currency. Whoever stores one holds the organization's row until the end of the call,
    /// so none comes in between.
    async fn refuse_other_currency(&self, tx: &mut Tx<'_>) -> Result<()> {
        let before = Orgs::own(tx).await?.currency;
        if self.currency.as_ref().is_none_or(|new| new.as_str() == before) {
            return Ok(());
        }
        let kept = sqlx::query_scalar!("select frontdesk.keeps_amounts()").fetch_one(tx.db()).await?;
        match kept {
            None => Ok(()),
            Some(table) => Err(Error::conflict(
                "CURRENCY_FIXED",
                format!("There are {} with prices in {before}, so the currency stays.", table.replace('_', " ")),
                "Leave `currency` out; another currency needs an organization of its own.",
            )),
        }
    }

    async fn set_columns(&self, tx: &mut Tx<'_>) -> Result<()> {
        let org_id = tx.org_id();
        let (prefix, reply_to) = (self.invoice_prefix.parts(), self.reply_to_email.parts());
        sqlx::query!(
            r#"
            update orgs
            set name = coalesce($2, name),
                timezone = coalesce($3, timezone),
                currency = coalesce($4, currency),
                country = coalesce($5, country),
                business_hours = jsonb_strip_nulls(business_hours || $6),
                default_tax_rate = coalesce($7::text::numeric, default_tax_rate),
                invoice_prefix = case when $8 then coalesce($9, '') else invoice_prefix end,
                payment_terms_days = coalesce($10, payment_terms_days),
                reply_to_email = case when $11 then $12 else reply_to_email end,
                reminder_lead_days = coalesce($13, reminder_lead_days),
                follow_up_days = coalesce($14, follow_up_days),
                default_ticket_minutes = coalesce($15, default_ticket_minutes),
                buffer_minutes = coalesce($16, buffer_minutes)
            where org_id = $1 and id = $1
            "#,
            org_id,
            self.name.as_ref().map(Text::as_str),
            self.timezone.as_ref().map(TimeZone::as_str),
            self.currency.as_ref().map(CurrencyCode::as_str),
            self.country.as_ref().map(CountryCode::as_str),
            Json(self.business_hours.mentioned()) as _,
            self.default_tax_rate.as_ref().map(Percent::as_str),
            prefix.0,
            prefix.1.map(Text::as_str),
            self.payment_terms_days,
            reply_to.0,
            reply_to.1.map(EmailAddress::as_str),
            self.reminder_lead_days,
            self.follow_up_days.as_ref().map(|days| days.0.as_slice()),
            self.default_ticket_minutes,
            self.buffer_minutes
        )
        .execute(tx.db())
        .await?;
        Ok(())
    }
}
