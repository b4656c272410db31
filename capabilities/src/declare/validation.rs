//! A call after validation: what runs, what is logged, and what was kept out of it.

use serde_json::Value;

use crate::callers::{Input, Options};
use crate::declare::domain::{ActionEntry, Parsed};
use crate::error::{Error, Result};
use crate::schema;
use crate::values::problem::Problem;
use crate::values::redact::{self, redact};

const ITEMS_AT_MOST: usize = 500;
const REASONING_LENGTH: usize = 2_000;
const KEY_LENGTH: usize = 200;

pub(crate) struct Prepared {
    /// As they are logged and stored: redacted, canonical.
    pub inputs: Vec<Value>,
    pub batch: bool,
    pub reasoning: Option<String>,
    pub key: Option<String>,
    pub dry_run: bool,
    pub redactions: Vec<(String, redact::Finding)>,
}

impl Prepared {
    /// The input as it is logged and stored: redacted, canonical.
    pub fn input(&self) -> Value {
        match (self.batch, self.inputs.as_slice()) {
            (false, [only]) => only.clone(),
            (_, items) => items.into(),
        }
    }

    /// How often the action is carried out, for limits.
    pub fn items(&self) -> i32 {
        self.inputs.len().try_into().unwrap_or(i32::MAX)
    }
}

/// Where the input with this index stands in the call.
pub(crate) fn place(batch: bool, index: usize) -> String {
    if batch { format!("/items/{index}") } else { "/data".into() }
}

/// Checks everything about a call that needs no database, all problems at once, and takes out what must not be kept. Beside
/// it comes what is to be carried out.
pub(crate) fn validate(action: &ActionEntry, input: Input, options: &Options) -> Result<(Prepared, Vec<Parsed>)> {
    let (mut inputs, batch) = match input {
        Input::One(input) => (vec![input], false),
        Input::Items(items) => (items, true),
    };
    let mut problems = check_options(options);
    if batch && !action.items {
        problems.push(Problem::at("/items", format!("`{}` takes one `data` at a time", action.name)));
    } else if batch && !(1..=ITEMS_AT_MOST).contains(&inputs.len()) {
        problems.push(Problem::at("/items", format!("must have 1 to {ITEMS_AT_MOST} items")));
    }
    let (mut redactions, mut parsed) = (Vec::new(), Vec::with_capacity(inputs.len()));
    let checker = action.input()?;
    for (index, input) in inputs.iter_mut().enumerate() {
        let prefix = place(batch, index);
        schema::whole_numbers(input);
        checker.free_text().each(input, &prefix, &mut |pointer, value| {
            if let Value::String(text) = value {
                let clean = redact(text);
                redactions.extend(clean.found.iter().map(|kind| (pointer.to_string(), *kind)));
                *value = clean.text.into_owned().into();
            }
        });
        match (action.parse)(checker, input) {
            Ok(fitting) => parsed.push(fitting),
            Err(error) => problems.extend_from_slice(error.under(&prefix).problems()),
        }
    }
    if !problems.is_empty() {
        return Err(Error::InvalidInput(problems));
    }
    let reasoning = options.reasoning.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(|text| {
        let clean = redact(text);
        redactions.extend(clean.found.iter().map(|kind| ("/reasoning".to_string(), *kind)));
        clean.text.into_owned()
    });
    let key = options.idempotency_key.clone().filter(|_| !options.dry_run);
    Ok((Prepared { inputs, batch, reasoning, key, dry_run: options.dry_run, redactions }, parsed))
}

fn check_options(options: &Options) -> Vec<Problem> {
    let texts = [
        ("/reasoning", &options.reasoning, REASONING_LENGTH),
        ("/idempotency_key", &options.idempotency_key, KEY_LENGTH),
    ];
    let mut problems = Vec::new();
    for (pointer, text, most) in texts {
        let Some(text) = text else { continue };
        if text.chars().count() > most {
            problems.push(Problem::at(pointer, format!("has more than {most} characters")));
        }
        if text.contains('\0') {
            problems.push(Problem::at(pointer, "contains a NUL character, which cannot be stored"));
        }
    }
    if options.idempotency_key.as_deref().is_some_and(|key| key.trim().is_empty()) {
        problems.push(Problem::at("/idempotency_key", "must not be empty"));
    }
    if options.idempotency_key.as_deref().is_some_and(|key| !redact(key).found.is_empty()) {
        problems.push(Problem::at("/idempotency_key", "must not contain a card or social security number"));
    }
    problems
}
