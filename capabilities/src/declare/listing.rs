//! What each list of a table does, written once: a page of it, how many there are, its rows by their ids, and its rows beside
//! their parents. Each is a statement of its own, put together from the same literals and checked when it is compiled.

/// Makes the reading half of a [`Data`](crate::Data) out of one shape of SQL: `list`, `by_ids` and `beside`.
///
/// ```text
/// capabilities::listing! {
///     |notes, tx| NoteRow from StoredNote by shown,
///     select "id, contact_id, content, author_kind, version, created_at" from "notes",
///     newest first,
///     where "and ($6::uuid[] is null or contact_id = any($6))" [notes.contact_id.as_ref().map(Ids::uuids)],
///     beside "contact_id"
/// }
/// ```
///
/// - `|notes, tx|`: what is asked and the transaction, for the arguments. Statements in braces after it come before them.
/// - `from StoredNote by shown`: rows are read as `StoredNote`, and `async fn shown(Vec<StoredNote>, &mut Tx<'_>)` answers
///   `Result<Vec<Keyed<NoteRow>>>`. Without it the columns are the row's members, and a row's place is its id.
/// - `from "tickets" as "t" with "join … cross join lateral (…) l"`: what is joined to the rows once the page is cut out.
/// - `newest first`, `oldest first` or `order "name, id" after "$3::text is null or (name, id) > ($3, $4)"`, and `at place`
///   where `$3` is no text: a function of the sort value in the cursor.
/// - `only "removed_at is null"`: what lists show; by its id a row is found all the same.
/// - `through "left join …"`: what the filters look at besides the table; unused it falls away.
/// - `where`: the filters, which count from `$6`. `$1` is the organization, `$2` the ids or null, `$3` and `$4` the place, `$5`
///   how many.
/// - `beside "contact_id"`: filters of parents that are columns, for which the plan of rows beside these parents is kept.
///
/// By ids and beside parents nothing may be absent, so that one plan is right for all. Their ids stand behind a `select`: a
/// planner that saw how many there are would find a plan for one id so much cheaper than a plan for any number that
/// PostgreSQL would make it each time.
#[macro_export]
macro_rules! listing {
    (|$question:ident, $tx:ident| $({ $($before:tt)* })? $row:ident, select $($rest:tt)*) => {
        $crate::listing! { @from [$question $tx { $($($before)*)? } $row $row (id)] $($rest)* }
    };
    (|$question:ident, $tx:ident| $({ $($before:tt)* })? $row:ident from $stored:ident by $shown:ident, select $($rest:tt)*) => {
        $crate::listing! { @from [$question $tx { $($($before)*)? } $row $stored ($shown)] $($rest)* }
    };
    (@from [$($head:tt)*] $columns:literal from $table:literal, $($rest:tt)*) => {
        $crate::listing! { @order [$($head)* $columns $table $table ""] $($rest)* }
    };
    (@from [$($head:tt)*] $columns:literal from $table:literal as $alias:literal, $($rest:tt)*) => {
        $crate::listing! { @order [$($head)* $columns $table $alias ""] $($rest)* }
    };
    (@from [$($head:tt)*] $columns:literal from $table:literal as $alias:literal with $joined:literal, $($rest:tt)*) => {
        $crate::listing! { @order [$($head)* $columns $table $alias $joined] $($rest)* }
    };
    (@order [$($head:tt)*] newest first $($rest:tt)*) => {
        $crate::listing! { @only [$($head)* "id desc" "$3::text is null or id < $4" {}] $($rest)* }
    };
    (@order [$($head:tt)*] oldest first $($rest:tt)*) => {
        $crate::listing! { @only [$($head)* "id" "$3::text is null or id > $4" {}] $($rest)* }
    };
    (@order [$($head:tt)*] order $order:literal after $after:literal $(at $place:ident)? $(, $($rest:tt)*)?) => {
        $crate::listing! { @only [$($head)* $order $after {$($place)?}] $(, $($rest)*)? }
    };
    (@only [$($head:tt)*], only $only:literal $($rest:tt)*) => {
        $crate::listing! { @made [$($head)* $only] $($rest)* }
    };
    (@only [$($head:tt)*] $($rest:tt)*) => {
        $crate::listing! { @made [$($head)* "true"] $($rest)* }
    };
    (@made [
        $question:ident $tx:ident { $($before:tt)* } $row:ident $stored:ident ($shown:ident)
        $columns:literal $table:literal $alias:literal $joined:literal $order:literal $after:literal {$($place:ident)?}
        $only:literal
    ]
    $(, through $through:literal)? $(, where $filters:literal [$($argument:expr),* $(,)?])?
    $(, beside $($parent:literal)+)? $(,)?) => {
        async fn list(self, query: $crate::Query, $tx: &mut $crate::Tx<'_>) -> $crate::Result<$crate::Listing<$row>> {
            let $question = self;
            let _ = &$question;
            $($before)*
            let (org_id, ids, (sort, after)) = ($tx.org_id(), query.ids.as_deref(), query.after());
            $(let sort = $place(sort);)?
            let stored = ::sqlx::query_as!(
                $stored,
                "select " + $columns + " from (select " + $alias + ".* from " + $table + " " + $alias + " " $(+ $through)?
                    + " where " + $alias + ".org_id = $1 and ($2::uuid[] is null or " + $alias + ".id = any($2))"
                    + " and ($2 is not null or " + $only + ") and (" + $after + ") " $(+ $filters)?
                    + " order by " + $order + " limit $5) " + $alias + " " + $joined + " order by " + $order,
                org_id, ids, sort, after, query.limit $($(, $argument)*)?
            )
            .fetch_all($tx.db())
            .await?;
            let total = match query.total_of(stored.len()) {
                None if query.counted => {
                    let (no_sort, no_id) = (sort.filter(|_| false), after.filter(|_| false));
                    let counting = ::sqlx::query_scalar!(
                        "select count(*) as \"total!\" from (select 1 from " + $table + " " + $alias + " " $(+ $through)?
                            + " where " + $alias + ".org_id = $1 and ($2::uuid[] is null or " + $alias + ".id = any($2))"
                            + " and ($2 is not null or " + $only + ") and (" + $after + ") " $(+ $filters)?
                            + " limit $5) counted",
                        org_id, ids, no_sort, no_id, $crate::Query::COUNTED $($(, $argument)*)?
                    );
                    Some(counting.fetch_one($tx.db()).await?)
                }
                known => known,
            };
            Ok($crate::Listing { rows: $crate::listing!(@shown stored, $tx, $shown), total })
        }

        async fn by_ids(ids: &[::uuid::Uuid], $tx: &mut $crate::Tx<'_>) -> $crate::Result<Vec<$row>> {
            let org_id = $tx.org_id();
            let stored = ::sqlx::query_as!(
                $stored,
                "select " + $columns + " from (select * from " + $table + " where org_id = $1"
                    + " and id = any((select $2::uuid[])::uuid[])) " + $alias + " " + $joined + " order by " + $order,
                org_id, ids
            )
            .fetch_all($tx.db())
            .await?;
            Ok($crate::listing!(@shown stored, $tx, $shown).into_iter().map(|keyed| keyed.row).collect())
        }

        $crate::listing! {
            @beside [$tx $row $stored ($shown) $columns $table $alias $joined $order $only] $($($parent)+)?
        }
    };
    (@beside [$($head:tt)*]) => {};
    (@beside [
        $tx:ident $row:ident $stored:ident ($shown:ident)
        $columns:literal $table:literal $alias:literal $joined:literal $order:literal $only:literal
    ] $($parent:literal)+) => {
        const BESIDE: &'static [&'static str] = &[$($parent),+];

        async fn beside(
            filter: &str,
            parents: &[::uuid::Uuid],
            limit: i64,
            $tx: &mut $crate::Tx<'_>,
        ) -> $crate::Result<Vec<$row>> {
            let org_id = $tx.org_id();
            let stored = match filter {
                $($parent => {
                    ::sqlx::query_as!(
                        $stored,
                        "select " + $columns + " from (select * from " + $table + " " + $alias + " where org_id = $1"
                            + " and " + $parent + " = any((select $2::uuid[])::uuid[]) and " + $only
                            + " order by " + $order + " limit $3) " + $alias + " " + $joined + " order by " + $order,
                        org_id, parents, limit
                    )
                    .fetch_all($tx.db())
                    .await?
                })+
                _ => return Err($crate::Error::Internal(format!("no plan is kept beside {filter}"))),
            };
            Ok($crate::listing!(@shown stored, $tx, $shown).into_iter().map(|keyed| keyed.row).collect())
        }
    };
    (@shown $rows:ident, $tx:ident, id) => {
        $rows.into_iter().map(|row| $crate::Keyed { key: $crate::Key::of(row.id), row }).collect::<Vec<_>>()
    };
    (@shown $rows:ident, $tx:ident, $shown:ident) => {
        $shown($rows, $tx).await?
    };
}
