//! What refers to a row, in whatever domain: the foreign keys of the schema know it, so nobody keeps a list.

use crate::error::Result;
use crate::tx::Tx;
use crate::values::ids::{Entity, Id};

/// Rows of another table that refer to another row than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repointed {
    /// The table.
    pub table: String,
    /// How many.
    pub rows: i64,
}

impl Tx<'_> {
    /// Makes everything that refers to `from` refer to `to`, by the foreign keys of the schema, and tells what that was. The
    /// tables in `own` are left alone: the caller's own parts, which it moves itself. So are rows that are closed: they keep
    /// what they refer to.
    pub async fn repoint<T: Entity>(&mut self, from: Id<T>, to: Id<T>, own: &[&str]) -> Result<Vec<Repointed>> {
        let own: Vec<String> = own.iter().map(ToString::to_string).collect();
        Ok(sqlx::query_as!(
            Repointed,
            r#"select table_name as "table!", rows as "rows!" from frontdesk.repoint($1, $2, $3, $4)"#,
            T::TABLE,
            from.uuid(),
            to.uuid(),
            &own
        )
        .fetch_all(self.db())
        .await?)
    }
}
