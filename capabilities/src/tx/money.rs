//! Money as rows hold it: minor units of the organization's one currency.

use crate::error::{Error, Result};
use crate::tx::Tx;
use crate::values::amounts::Money;

impl Tx<'_> {
    /// So many minor units of the organization's currency.
    #[must_use]
    pub fn money(&self, amount: i64) -> Money {
        self.org().money(amount)
    }

    /// The minor units of an amount that is about to be stored: it must be of the organization's currency, which stays what
    /// it is until the call ends. `pointer` says where the amount stands in the input.
    pub async fn minor_units(&mut self, money: &Money, pointer: &str) -> Result<i64> {
        let org_id = self.org_id();
        let own = sqlx::query_scalar!("select currency from orgs where org_id = $1 and id = $1 for key share", org_id)
            .fetch_one(self.db())
            .await?;
        match money.currency() == own {
            true => Ok(money.amount()),
            false => {
                Err(Error::invalid(format!("{pointer}/currency"), format!("must be {own}, the business's currency")))
            }
        }
    }
}
