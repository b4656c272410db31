//! What is done to a visit by a form that is as its action declares it.

use std::collections::BTreeMap;

use capabilities::Answer;
use minijinja::Value as Html;
use serde_json::{Map, Value, json};
use ui_kit::{Field, Form, Given, Page};
use uuid::Uuid;

use crate::inputs::VisitForm;

/// A form of a visit.
pub(crate) struct Declared {
    /// How it calls itself.
    pub word: &'static str,
    pub form: Form,
    /// The word that tells it was done.
    pub told: &'static str,
}

pub(crate) const DECLARED: [Declared; 4] = [
    Declared {
        word: "note",
        form: Form::of("note.add")
            .fields(&[Field::of("content").label("Note").hint("").missing("Write the note first.")])
            .without(&["contact_id"])
            .about("")
            .folded("Write a note")
            .button("Keep the note")
            .quiet(),
        told: "noted",
    },
    Declared {
        word: "answer",
        form: Form::of("ticket.record_confirmation")
            .fields(&[
                Field::of("answer")
                    .label("Asked on the phone, for instance, they say")
                    .hint("")
                    .choices(&[
                        ("accepted", "That suits us"),
                        ("change_requested", "Another time, please"),
                        ("declined", "Not then"),
                    ])
                    .missing("Choose what the customer says."),
                Field::of("words").label("In their own words").aside("if they matter").hint("").lines(2),
            ])
            .about("")
            .folded("What the customer says to the time")
            .button("Keep the answer")
            .quiet()
            .it("visit"),
        told: "answered",
    },
    Declared {
        word: "no_show",
        form: Form::of("ticket.mark_no_show")
            .about("The visit was in vain: it counts as not done, and nobody is told.")
            .folded("Nobody was there?")
            .button("Nobody was there")
            .grave()
            .it("visit"),
        told: "missed",
    },
    Declared {
        word: "cancel",
        form: Form::of("ticket.cancel")
            .fields(&[Field::of("reason")
                .label("Why")
                .hint("")
                .lines(2)
                .missing("Write in a few words why it is cancelled.")])
            .about("")
            .folded("Cancel it")
            .button("Cancel the visit")
            .grave()
            .it("visit"),
        told: "cancelled",
    },
];

/// What is known of the input of each.
pub(crate) fn given(ticket: Uuid) -> Map<String, Value> {
    Map::from_iter([("ticket_id".to_string(), json!(ticket))])
}

/// The forms of a visit by their words, as it stands, one of them perhaps as somebody filled it in.
pub(crate) async fn forms(
    page: &mut Page<'_>,
    ticket: Uuid,
    row: &Value,
    typed: &VisitForm,
) -> Result<BTreeMap<&'static str, Html>, Box<Answer>> {
    let mut forms = BTreeMap::new();
    for declared in &DECLARED {
        let given = Given {
            to: &format!("/tickets/{ticket}"),
            hidden: &[("do", declared.word)],
            input: given(ticket),
            version: row["version"].as_i64(),
            filled: typed.filled.as_deref().filter(|_| typed.what == declared.word),
            ..Given::default()
        };
        forms.insert(declared.word, page.form(&declared.form, given).await?);
    }
    Ok(forms)
}
