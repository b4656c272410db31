//! The domains: what the office knows and does. One file or folder each; this is the table of contents.

mod calendar;
mod customers;
mod entities;
mod house;
mod oversight;
mod workflows;

use capabilities::Domain;

/// All domains, in the order in which they are shown.
#[must_use]
pub fn domains() -> Vec<Domain> {
    vec![
        house::org::domain(),
        customers::contact::domain(),
        customers::address::domain(),
        house::service::domain(),
        calendar::ticket::domain(),
        workflows::domain(),
        customers::note::domain(),
        oversight::authorization::domain(),
        oversight::rule::domain(),
        house::user::domain(),
        oversight::agent::domain(),
        oversight::alert::domain(),
        oversight::job::domain(),
        oversight::audit::domain(),
    ]
}
