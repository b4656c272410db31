//! The one test binary: black box, by name and JSON, against a real PostgreSQL. `desk` is the fixture.

#[cfg(test)]
mod desk;
#[cfg(test)]
mod durability;

#[cfg(test)]
mod administration;
#[cfg(test)]
mod agents;
#[cfg(test)]
mod alerts_pages;
#[cfg(test)]
mod availability;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod booking_story;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod browser_luck;
#[cfg(test)]
mod browser_office;
#[cfg(test)]
mod browser_pages;
#[cfg(test)]
mod browser_story;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod contacts;
#[cfg(test)]
mod contacts_finding;
#[cfg(test)]
mod contacts_merging;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod contract_calls;
#[cfg(test)]
mod contract_reads;
#[cfg(test)]
mod departments;
#[cfg(test)]
mod functions;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod known_callers;
#[cfg(test)]
mod lanes;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod layers_kernel;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod log_retention;
#[cfg(test)]
mod mcp;
#[cfg(test)]
mod mcp_queue;
#[cfg(test)]
mod mcp_sizes;
#[cfg(test)]
mod mcp_stdio;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod office_forms;
#[cfg(test)]
mod office_pages;
#[cfg(test)]
mod office_settings;
#[cfg(test)]
mod page_forms;
#[cfg(test)]
mod page_lists;
#[cfg(test)]
mod people;
#[cfg(test)]
mod preview_pages;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod queue_events;
#[cfg(test)]
mod queue_pages;
#[cfg(test)]
mod queue_sizes;
#[cfg(test)]
mod reading_again;
#[cfg(test)]
mod redaction;
#[cfg(test)]
mod references;
#[cfg(test)]
mod rehearsal;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod rest_bad_input;
#[cfg(test)]
mod rule_coverage;
#[cfg(test)]
mod rules_pages;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod sent_mail;
#[cfg(test)]
mod services;
#[cfg(test)]
mod smtp;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod tickets_closed;
#[cfg(test)]
mod tickets_properties;
#[cfg(test)]
mod tickets_scheduling;
#[cfg(test)]
mod tickets_work;
#[cfg(test)]
mod undo;
#[cfg(test)]
mod undo_leftovers;
#[cfg(test)]
mod undo_pages;
#[cfg(test)]
mod undo_sequences;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod work;
#[cfg(test)]
mod workers;
#[cfg(test)]
mod workflows;
