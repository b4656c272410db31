//! The frame of all pages: layout, navigation and numbers from what each door hands in, words for what machines write, and
//! the one way of pages into the office. Made over any registry: it knows neither a domain nor a door.
//!
//! Who is signed in, and that a write comes from that person's own page, is settled by whoever mounts the routes, which puts
//! a [`Visitor`] beside each request.

#![warn(missing_docs)]

mod form;
mod frame;
mod list;
mod page;
mod pages;
mod refusals;
mod routes;
mod rows;
mod ui;
pub mod words;

pub use form::{Choice, Control, Field, Filled, Form, FormPage, Given, Problems, Typed, decimal, money_as_typed};
pub use frame::{Badge, Frame, Line, Link, Live, Place, Surround, Surrounding};
pub use list::{Column, Filter, List, ListPage, Listed, Listing};
pub use page::Page;
pub use pages::Templates;
pub use refusals::{Refusal, at_the_form, sentence};
pub use routes::{Named, Queried, Sent, Shown, Who, allowing, onward, unreadable, with_status};
pub use rows::{Detail, Rows, rows_of, total_of};
pub use ui::{Door, Ui, Visitor};
pub use words::{Moment, amount, capitalized, counted, cut, encoded, listed, minor_units, money, text, time};
