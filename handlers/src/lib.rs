//! The domains: what the office knows and does. One file or folder each; this is the table of contents.

mod agents;
mod alerts;
mod audit;
mod authorizations;
mod contacts;
mod jobs;
mod notes;
mod orgs;
mod rules;
mod services;
mod tickets;
mod users;
mod workflows;

use capabilities::Domain;

/// All domains, in the order in which they are shown.
#[must_use]
pub fn domains() -> Vec<Domain> {
    vec![
        orgs::domain(),
        contacts::domain(),
        contacts::addresses::domain(),
        services::domain(),
        tickets::domain(),
        workflows::domain(),
        notes::domain(),
        authorizations::domain(),
        rules::domain(),
        users::domain(),
        agents::domain(),
        alerts::domain(),
        jobs::domain(),
        audit::domain(),
    ]
}
