//! Forms made from an action's schema: its fields with labels, kinds and help; what is wrong beside the field it is about; what
//! was typed kept; sent once however often. They work without scripts.
//!
//! A form is declared by the name of its action. What is said beside that goes before what the schema says:
//!
//! ```text
//! const CANCEL: Form = Form::of("ticket.cancel")
//!     .fields(&[Field::of("reason").label("Why").missing("Write in a few words why it is cancelled.")])
//!     .button("Cancel the visit")
//!     .grave();
//! ```

mod asked;
mod carrying;
mod kind;
mod reading;
mod routes;
mod shown;
mod typed;

pub(crate) use carrying::record_choice;
pub use carrying::{Filled, Given};
pub(crate) use kind::Kind;
pub use reading::{decimal, money_as_typed};
pub use routes::FormPage;
pub(crate) use routes::form_routes;
pub use shown::{Choice, Control};
pub use typed::{Problems, Typed};

/// A field in words of its own.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    name: &'static str,
    label: Option<&'static str>,
    aside: Option<&'static str>,
    hint: Option<&'static str>,
    missing: Option<&'static str>,
    lines: Option<u8>,
    choices: &'static [(&'static str, &'static str)],
}

impl Field {
    /// The field of a member of the input; of a member within another, `address.street`.
    #[must_use]
    pub const fn of(name: &'static str) -> Self {
        Self { name, label: None, aside: None, hint: None, missing: None, lines: None, choices: &[] }
    }

    /// What it is called.
    #[must_use]
    pub const fn label(self, label: &'static str) -> Self {
        Self { label: Some(label), ..self }
    }

    /// What stands beside its label in small; nothing if empty.
    #[must_use]
    pub const fn aside(self, aside: &'static str) -> Self {
        Self { aside: Some(aside), ..self }
    }

    /// What helps to fill it in; nothing if empty.
    #[must_use]
    pub const fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// What is said if nothing stands in it although it must.
    #[must_use]
    pub const fn missing(self, missing: &'static str) -> Self {
        Self { missing: Some(missing), ..self }
    }

    /// How many lines of a long text are in sight.
    #[must_use]
    pub const fn lines(self, lines: u8) -> Self {
        Self { lines: Some(lines), ..self }
    }

    /// The words for the values of a choice, in their order.
    #[must_use]
    pub const fn choices(self, choices: &'static [(&'static str, &'static str)]) -> Self {
        Self { choices, ..self }
    }
}

/// How a form's button looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Plain,
    Quiet,
    Grave,
}

/// A form of an action.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    action: &'static str,
    fields: &'static [Field],
    left_out: &'static [&'static str],
    title: &'static str,
    about: Option<&'static str>,
    button: &'static str,
    look: Look,
    folded: &'static str,
    it: &'static str,
    done: &'static str,
}

impl Form {
    /// The form of this action, made from its schema.
    #[must_use]
    pub const fn of(action: &'static str) -> Self {
        Self {
            action,
            fields: &[],
            left_out: &[],
            title: "",
            about: None,
            button: "",
            look: Look::Plain,
            folded: "",
            it: "",
            done: "Done.",
        }
    }

    /// The name of its action.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        self.action
    }

    /// What is said when it was done.
    #[must_use]
    pub const fn done_words(&self) -> &'static str {
        self.done
    }

    /// Fields in words of their own; they come first, in this order.
    #[must_use]
    pub const fn fields(self, fields: &'static [Field]) -> Self {
        Self { fields, ..self }
    }

    /// Members that are not asked for.
    #[must_use]
    pub const fn without(self, left_out: &'static [&'static str]) -> Self {
        Self { left_out, ..self }
    }

    /// The heading of a page of its own.
    #[must_use]
    pub const fn title(self, title: &'static str) -> Self {
        Self { title, ..self }
    }

    /// What is said above its fields; nothing if empty. Without it, that is how the action describes itself.
    #[must_use]
    pub const fn about(self, about: &'static str) -> Self {
        Self { about: Some(about), ..self }
    }

    /// The words on its button.
    #[must_use]
    pub const fn button(self, button: &'static str) -> Self {
        Self { button, ..self }
    }

    /// Its button is not the one that the page is for.
    #[must_use]
    pub const fn quiet(self) -> Self {
        Self { look: Look::Quiet, ..self }
    }

    /// Its button takes something away.
    #[must_use]
    pub const fn grave(self) -> Self {
        Self { look: Look::Grave, ..self }
    }

    /// It is folded under these words until somebody wants it.
    #[must_use]
    pub const fn folded(self, under: &'static str) -> Self {
        Self { folded: under, ..self }
    }

    /// What people call the record it is about: "visit".
    #[must_use]
    pub const fn it(self, it: &'static str) -> Self {
        Self { it, ..self }
    }

    /// What is said when it was done.
    #[must_use]
    pub const fn done(self, done: &'static str) -> Self {
        Self { done, ..self }
    }
}
