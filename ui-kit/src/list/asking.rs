//! A page of a list: what is asked of it, its rows, and the ways on.

use capabilities::{Answer, Selection};
use serde::Serialize;
use serde_json::Value;

use crate::form::{Control, Typed};
use crate::list::List;
use crate::list::filters::Narrowed;
use crate::page::Page;
use crate::routes::{Shown, onward};
use crate::rows::{rows_of, total_of};
use crate::words::encoded;

/// How many rows a page shows.
const PAGE: i64 = 25;

/// A page of a list as its template takes it, without the rows.
#[derive(Debug, Default, Serialize)]
pub struct Listing {
    path: &'static str,
    title: &'static str,
    about: &'static str,
    /// How many there are, counted to 1,000: "3", "1000+".
    pub total: String,
    /// "3 requests, newest first".
    counted: String,
    /// The words that are searched for.
    search: Option<Control>,
    filters: Vec<Control>,
    /// Whether it is narrowed down.
    is_narrowed: bool,
    /// Whether a filter needs another look.
    is_wrong: bool,
    is_first: bool,
    /// The way to the rows after these.
    next: Option<String>,
    more: &'static str,
    /// The way to the first ones.
    first: String,
    back: &'static str,
    /// What is said if there are no rows.
    empty: &'static str,
}

/// A page of a list, and its rows.
#[derive(Debug, Default)]
pub struct Listed {
    /// The rows.
    pub rows: Vec<Value>,
    /// What stands around them.
    pub list: Listing,
}

impl List {
    /// A place in a list that is no more: the list begins anew. Other refusals stay.
    pub fn anew(&self, refused: Box<Answer>) -> Shown {
        match refused.error_code() {
            Some("INVALID_INPUT") => Ok(onward(self.path)),
            _ => Err(refused),
        }
    }

    /// How many rows there are, in words.
    fn said(&self, total: &str) -> String {
        match self.counted {
            None => String::new(),
            Some((one, _, order)) if total == "1" => format!("1 {one}, {order}"),
            Some((_, many, order)) => format!("{total} {many}, {order}"),
        }
    }
}

impl Page<'_> {
    /// What is asked of a list by an address.
    pub async fn list(&mut self, list: &List, asked: &Typed) -> Result<Listed, Box<Answer>> {
        let narrowed = Narrowed::of(self, list, asked).await?;
        let cursor = Some(asked.get(list.cursor)).filter(|cursor| !cursor.is_empty()).map(str::to_string);
        let (is_first, query) = (cursor.is_none(), narrowed.query.as_str());
        let first = match query.strip_prefix('&') {
            Some(query) => format!("{}?{query}", list.path),
            None => list.path.to_string(),
        };
        let (search, filters) = narrowed.controls.into_iter().partition(|control| control.kind == "search");
        let mut shown = Listing {
            path: list.path,
            title: list.title,
            about: list.about,
            search: Vec::into_iter(search).next(),
            filters,
            is_narrowed: narrowed.is_some,
            is_wrong: narrowed.is_wrong,
            is_first,
            more: list.more,
            first,
            back: list.back,
            empty: match (narrowed.is_some, is_first) {
                _ if narrowed.is_wrong => "Nothing is shown yet: a field above needs another look.",
                (true, true) => list.none_such,
                (false, true) => list.empty,
                (_, false) => list.no_more,
            },
            ..Listing::default()
        };
        if shown.is_wrong {
            return Ok(Listed { rows: Vec::new(), list: shown });
        }
        let include = self.there_is(list.data_type, list.include);
        let (data_type, filters, limit) = (list.data_type.into(), narrowed.filters, Some(PAGE));
        let selection = Selection { data_type, filters, include, limit, cursor, ..Selection::default() };
        let answer = self.read_counted(selection).await?;
        let next = answer.meta.next_cursor.as_deref();
        shown.next = next.map(|cursor| format!("{}?{}={}{query}", list.path, list.cursor, encoded(cursor)));
        shown.total = total_of(&answer);
        shown.counted = list.said(&shown.total);
        Ok(Listed { rows: rows_of(answer.data), list: shown })
    }
}
