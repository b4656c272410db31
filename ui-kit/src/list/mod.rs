//! Lists made from a data type: columns in words by what its rows hold, filters that stay in the address, page by page, and
//! something to say where there is nothing.
//!
//! A list is declared by the name of its data type. A page of it is a line where a door lists its pages:
//!
//! ```text
//! const SERVICES: ListPage = ListPage::at(
//!     "/services",
//!     List::of("services")
//!         .title("What we offer")
//!         .columns(&[Column::of("name").leads_to("/services/{id}"), Column::of("pricing.price").label("Price")])
//!         .filters(&[Filter::of("active")])
//!         .empty("Nothing is offered yet."),
//! );
//! ```

mod asking;
mod cells;
mod filters;
mod routes;

use serde_json::Value;

pub use asking::{Listed, Listing};
pub use filters::Filter;
pub use routes::ListPage;
pub(crate) use routes::list_routes;

/// A column of a list, by the member of the row that stands in it.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    member: &'static str,
    label: Option<&'static str>,
    path: &'static str,
}

impl Column {
    /// The column of a member; of a member within another, `pricing.price`.
    #[must_use]
    pub const fn of(member: &'static str) -> Self {
        Self { member, label: None, path: "" }
    }

    /// What stands above it.
    #[must_use]
    pub const fn label(self, label: &'static str) -> Self {
        Self { label: Some(label), ..self }
    }

    /// What stands in it leads to the page of the row: `/services/{id}`.
    #[must_use]
    pub const fn leads_to(self, path: &'static str) -> Self {
        Self { path, ..self }
    }
}

/// A list of a data type's rows.
#[derive(Clone, Copy)]
pub struct List {
    data_type: &'static str,
    path: &'static str,
    title: &'static str,
    about: &'static str,
    columns: &'static [Column],
    filters: &'static [Filter],
    always: Option<fn() -> Value>,
    include: &'static [&'static str],
    counted: Option<(&'static str, &'static str, &'static str)>,
    more: &'static str,
    back: &'static str,
    empty: &'static str,
    none_such: &'static str,
    no_more: &'static str,
    cursor: &'static str,
}

impl List {
    /// The list of this data type.
    #[must_use]
    pub const fn of(data_type: &'static str) -> Self {
        Self {
            data_type,
            path: "",
            title: "",
            about: "",
            columns: &[],
            filters: &[],
            always: None,
            include: &[],
            counted: None,
            more: "More",
            back: "Back to the first",
            empty: "There is nothing here yet.",
            none_such: "Nothing of that kind is there.",
            no_more: "That is all.",
            cursor: "cursor",
        }
    }

    /// Where it is, for lists that are a part of a page.
    #[must_use]
    pub const fn at(self, path: &'static str) -> Self {
        Self { path, ..self }
    }

    /// Its heading.
    #[must_use]
    pub const fn title(self, title: &'static str) -> Self {
        Self { title, ..self }
    }

    /// What is said below the heading.
    #[must_use]
    pub const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// What is shown of each row.
    #[must_use]
    pub const fn columns(self, columns: &'static [Column]) -> Self {
        Self { columns, ..self }
    }

    /// By what it can be narrowed down.
    #[must_use]
    pub const fn filters(self, filters: &'static [Filter]) -> Self {
        Self { filters, ..self }
    }

    /// The filters of the data type that always hold.
    #[must_use]
    pub const fn always(self, filters: fn() -> Value) -> Self {
        Self { always: Some(filters), ..self }
    }

    /// What its rows bring along.
    #[must_use]
    pub const fn with(self, include: &'static [&'static str]) -> Self {
        Self { include, ..self }
    }

    /// How its rows are counted, one and many, and their order: "3 requests, newest first".
    #[must_use]
    pub const fn counted(self, one: &'static str, many: &'static str, order: &'static str) -> Self {
        Self { counted: Some((one, many, order)), ..self }
    }

    /// What the ways to the rows after these and back to the first ones are called.
    #[must_use]
    pub const fn ways(self, more: &'static str, back: &'static str) -> Self {
        Self { more, back, ..self }
    }

    /// What is said if there are no rows at all.
    #[must_use]
    pub const fn empty(self, empty: &'static str) -> Self {
        Self { empty, ..self }
    }

    /// What is said if the filters let none through.
    #[must_use]
    pub const fn none_such(self, none_such: &'static str) -> Self {
        Self { none_such, ..self }
    }

    /// What is said where the last page was the one before.
    #[must_use]
    pub const fn no_more(self, no_more: &'static str) -> Self {
        Self { no_more, ..self }
    }

    /// How its place is called in the address, where a page has several lists.
    #[must_use]
    pub const fn place(self, cursor: &'static str) -> Self {
        Self { cursor, ..self }
    }
}
