//! The marker of every entity: what the ids of its records are made with. Naming the id of another domain's record needs
//! nothing of that domain.

use capabilities::Entity;

/// A marker for each: what a person says for one, and its table, which is also its data type.
macro_rules! entities {
    ($($(#[$doc:meta])+ $entity:ident: $name:literal in $table:literal;)+) => {$(
        $(#[$doc])+
        pub(crate) struct $entity;

        impl Entity for $entity {
            const NAME: &str = $name;
            const TABLE: &str = $table;
        }
    )+};
}

entities! {
    /// The business, one to an organization.
    Org: "organization" in "orgs";
    /// Somebody who works here.
    User: "user" in "users";
    /// An item of the catalog.
    Service: "service" in "services";

    /// A person or organization that receives services.
    Contact: "contact" in "contacts";
    /// A service location.
    Address: "address" in "addresses";
    /// A note.
    Note: "note" in "notes";

    /// Scheduled and performed work.
    Ticket: "ticket" in "tickets";
    /// A user's place on a ticket.
    TicketTechnician: "ticket technician" in "ticket_technicians";
    /// A line of a ticket.
    LineItem: "line item" in "line_items";
    /// A stretch of work.
    ClockSpan: "clock span" in "clock_spans";

    /// A model or program with a token of its own.
    Agent: "agent" in "agents";
    /// A request of an agent.
    Authorization: "authorization" in "authorizations";
    /// A rule by which requests need nobody.
    Rule: "rule" in "rules";
    /// What a person must look at.
    Alert: "alert" in "alerts";
    /// A call that is due later.
    Job: "job" in "jobs";
    /// Something to be done outside.
    Errand: "errand" in "errands";
    /// A call.
    Call: "call" in "audit";
    /// A record of any data type.
    Record: "record" in "records";
}
