//! Common jobs in one go. A workflow is an action made of other domains' actions: one transaction, one preview, one decision
//! for the whole. It holds no SQL, and where something can be meant in two ways it asks and never guesses.

mod catalog;
mod customers;
mod rescheduling;
mod scheduling;
mod wishes;

use capabilities::Domain;

pub fn domain() -> Domain {
    Domain::new("workflow", "Common jobs in one go, made of the actions of the other domains")
        .action_tool::<scheduling::ScheduleAppointment>("schedule_appointment", "Schedule an appointment")
        .action_tool::<rescheduling::HandleRescheduleRequest>(
            "handle_reschedule_request",
            "Handle a request to reschedule",
        )
}

/// Alternatives in a sentence.
fn either(options: &[String]) -> String {
    match options {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
