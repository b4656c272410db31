//! What an agent may do in a day before each further change waits for a person. Counted from the call log and the errands
//! under the lock on the agent's row: there is nothing to reset, and nothing that parallel calls slip past.

use std::collections::HashMap;

use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use iso_currency::Currency;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Running, Tx};
use crate::values::when::first_moment_of;

/// What an agent may do in a day of the organization before each further change waits for a person; what is absent has no
/// limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Budget {
    /// Changes; each item of a call counts as one.
    pub actions: Option<i64>,
    /// Messages to customers and others outside.
    pub messages: Option<i64>,
    /// Money charged or refunded, in minor units of the organization's currency.
    pub money: Option<i64>,
}

/// What an agent did by itself since the organization's day began. What people allowed and what was rehearsed is not in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spent {
    /// Changes; each item of a call counts as one.
    pub actions: i64,
    /// Messages to customers and others outside.
    pub messages: i64,
    /// Money charged or refunded, in minor units of the organization's currency: 0 until agents can do something that moves any.
    pub money: i64,
}

/// A budget and what of it is used.
#[derive(Debug, Deserialize)]
pub(crate) struct Allotment {
    most: Budget,
    used: Spent,
}

/// When the day of an organization began, and when the next one does. A midnight that a clock change leaves out is the first
/// moment after it.
pub(crate) fn day_of(now: DateTime<Utc>, timezone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
    let day = now.with_timezone(&timezone).date_naive();
    let tomorrow = day.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX);
    (first_moment_of(day, timezone), first_moment_of(tomorrow, timezone))
}

/// An amount in minor units as people read it: `120.00 USD`.
#[must_use]
pub fn amount_in_words(minor: i64, currency: [u8; 3]) -> String {
    let code = String::from_utf8_lossy(&currency);
    let digits = Currency::from_code(&code).and_then(Currency::exponent).unwrap_or_default();
    match (digits, 10_i64.pow(digits.into())) {
        (0, _) => format!("{minor} {code}"),
        (digits, unit) => format!("{}.{:0width$} {code}", minor / unit, (minor % unit).abs(), width = digits.into()),
    }
}

impl Running {
    /// What the call that is running does of what budgets limit.
    pub(crate) fn spending(&self, items: i64) -> Spent {
        let messages = self.errands.iter().filter(|errand| errand.outward && errand.payment.is_none()).count();
        let money = self.errands.iter().fold(0_i64, |sum, errand| sum.saturating_add(errand.money()));
        Spent { actions: items, messages: messages as i64, money }
    }
}

impl Allotment {
    /// Which budgets `more` would pass, what of them is used and when they renew; none if it passes none.
    pub fn overrun(&self, more: Spent, renews: &str, currency: [u8; 3]) -> Option<String> {
        let plain = |number: i64| number.to_string();
        let amount = |minor: i64| amount_in_words(minor, currency);
        let budgets = [
            (self.most.actions, self.used.actions, more.actions, "actions", &plain as &dyn Fn(i64) -> String),
            (self.most.messages, self.used.messages, more.messages, "messages", &plain),
            (self.most.money, self.used.money, more.money, "in money", &amount),
        ];
        let passed = budgets.into_iter().filter_map(|(most, used, more, what, say)| {
            let most = most.filter(|most| more > 0 && used.saturating_add(more) > *most)?;
            Some(format!("{} of {} {what} are used and this takes {} more", say(used), say(most), say(more)))
        });
        let passed: Vec<String> = passed.collect();
        let said = passed.join(", ");
        (!passed.is_empty())
            .then(|| format!("it would go past this agent’s budget for today: {said}; it renews {renews}"))
    }
}

impl Tx<'_> {
    /// What each of these agents did by itself since the organization's day began, and when the next one begins.
    pub async fn spent_today(&mut self, agents: &[Uuid]) -> Result<(HashMap<Uuid, Spent>, DateTime<Utc>)> {
        let (began, renews) = day_of(self.now(), self.org().timezone);
        let spent = sqlx::query!(
            r#"
            select agent.id as "agent!", spent.actions as "actions!", spent.messages as "messages!", spent.money as "money!"
            from unnest($1::uuid[]) as agent (id)
            cross join lateral frontdesk.spent_since(agent.id, $2) spent
            "#,
            agents,
            began
        )
        .fetch_all(self.db())
        .await?;
        let spent = spent
            .into_iter()
            .map(|row| (row.agent, Spent { actions: row.actions, messages: row.messages, money: row.money }));
        Ok((spent.collect(), renews))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_where_the_business_is() {
        let at = |time: &str, zone: Tz| day_of(time.parse().unwrap(), zone).0.to_rfc3339();
        assert_eq!(at("2030-01-07T05:59:00Z", chrono_tz::America::Chicago), "2030-01-06T06:00:00+00:00");
        // In Beirut the clocks went from midnight to one on 2024-03-31.
        assert_eq!(at("2024-03-31T12:00:00Z", chrono_tz::Asia::Beirut), "2024-03-30T22:00:00+00:00");
        let (began, renews) = day_of("2030-03-10T12:00:00Z".parse().unwrap(), chrono_tz::America::Chicago);
        assert_eq!((renews - began).num_hours(), 23, "the clocks change that day");
    }

    #[test]
    fn what_would_pass_a_budget_says_which_and_by_how_much() {
        let most = Budget { actions: Some(200), messages: None, money: Some(50_000) };
        let allotment = |actions, money| Allotment { most, used: Spent { actions, messages: 9, money } };
        let over = |allotment: Allotment, actions, messages, money| {
            allotment.overrun(Spent { actions, messages, money }, "soon", *b"USD")
        };
        assert_eq!(over(allotment(199, 50_000), 1, 4, 0), None, "up to the number, and what it does not touch");
        let said = over(allotment(198, 0), 5, 0, 0).unwrap();
        assert!(said.ends_with("today: 198 of 200 actions are used and this takes 5 more; it renews soon"), "{said}");
        let said = over(allotment(200, 100), 1, 0, 50_000).unwrap();
        assert!(said.contains("1.00 USD of 500.00 USD in money are used and this takes 500.00 USD more"), "{said}");
    }

    #[test]
    fn amounts_have_the_decimals_of_their_currency() {
        assert_eq!(amount_in_words(12_005, *b"USD"), "120.05 USD");
        assert_eq!(amount_in_words(500, *b"JPY"), "500 JPY");
    }
}
