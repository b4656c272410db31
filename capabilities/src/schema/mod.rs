//! JSON Schemas: made from the types, made portable, and used three times over: advertised, validated with,
//! and read for what the values mean (free text, secrets, references).
//!
//! Portable means that every known client takes them: no `$schema` and `$ref`, no bare `true`, no integer
//! formats JSON Schema does not know, optional is "may be absent" rather than a union with null.

pub(crate) mod examples;
mod marked;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::answer::escaped;
use crate::error::{Error, Result};
use crate::values::marks::{FREE_TEXT, MARKS, NULLABLE};
use crate::values::problem::Problem;

pub(crate) use marked::Marked;

/// The formats that are checked and that clients know; the widths of numbers are none.
const FORMATS: [&str; 4] = ["uuid", "date-time", "date", "email"];

/// The portable schema of an input, marks included.
pub(crate) fn of_input<T: JsonSchema>() -> Value {
    generate::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

/// The portable schema of an output, marks included.
pub(crate) fn of_output<T: JsonSchema>() -> Value {
    generate::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn generate<T: JsonSchema>(mut settings: SchemaSettings) -> Value {
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    make_portable(&mut schema);
    if let Value::Object(root) = &mut schema {
        root.remove("title");
    }
    schema
}

/// The schema as callers see it: without our marks.
pub(crate) fn advertised(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => members
            .iter()
            .filter(|(key, _)| !MARKS.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), advertised(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(advertised).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

fn make_portable(schema: &mut Value) {
    if *schema == Value::Bool(true) {
        *schema = json!({});
        return;
    }
    let Value::Object(members) = schema else { return };
    drop_null_branch(members);
    name_the_variants(members);
    members.remove("default");
    if members.get("format").and_then(Value::as_str).is_some_and(|format| !FORMATS.contains(&format)) {
        members.remove("format");
    }
    if members.get("additionalProperties") == Some(&Value::Bool(true)) {
        members.remove("additionalProperties");
    }
    members.remove("const").into_iter().for_each(|only| {
        members.insert("enum".into(), json!([only]));
    });
    let optional = nullable_properties(members);
    for key in ["properties", "$defs"] {
        if let Some(Value::Object(children)) = members.get_mut(key) {
            children.values_mut().for_each(make_portable);
        }
    }
    for key in ["items", "additionalProperties"] {
        members.get_mut(key).into_iter().for_each(make_portable);
    }
    if let Some(Value::Array(required)) = members.get_mut("required") {
        required.retain(|name| !optional.iter().any(|optional| name == optional));
        if required.is_empty() {
            members.remove("required");
        }
    }
    if members.remove(NULLABLE).is_some() {
        allow_null(members);
        members.insert(NULLABLE.into(), true.into());
    }
}

/// Rows leave out what is null, so what may be null is not required.
fn nullable_properties(members: &Map<String, Value>) -> Vec<String> {
    let Some(Value::Object(properties)) = members.get("properties") else { return Vec::new() };
    let nullable = |schema: &Value| {
        schema["type"].as_array().is_some_and(|types| types.contains(&json!("null")))
            || schema["anyOf"].as_array().is_some_and(|options| options.contains(&json!({"type": "null"})))
    };
    properties.iter().filter(|(_, schema)| nullable(schema)).map(|(name, _)| name.clone()).collect()
}

/// `Option<T>` arrives as a union with null: keep the `T`.
fn drop_null_branch(members: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            members.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(options)) = members.get_mut("anyOf") {
        options.retain(|option| *option != json!({"type": "null"}));
        if let [Value::Object(only)] = options.as_slice() {
            let only = only.clone();
            members.remove("anyOf");
            for (key, value) in only {
                members.entry(key).or_insert(value);
            }
        }
    }
    if let Some(Value::Array(values)) = members.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
}

/// An enum with documented variants arrives as `oneOf` of constants: keep the names, put the documentation into
/// the description.
fn name_the_variants(members: &mut Map<String, Value>) {
    let Some(Value::Array(variants)) = members.get("oneOf") else { return };
    let name = |variant: &Value| variant.get("const").or_else(|| variant["enum"].get(0)).cloned();
    let Some(names) = variants.iter().map(name).collect::<Option<Vec<_>>>() else { return };
    let docs: Vec<String> = variants
        .iter()
        .zip(&names)
        .filter_map(|(variant, name)| Some(format!("{}: {}", name.as_str()?, variant["description"].as_str()?)))
        .collect();
    members.remove("oneOf");
    members.insert("type".into(), "string".into());
    members.insert("enum".into(), names.into());
    if !docs.is_empty() {
        let own = members.get("description").and_then(Value::as_str).map(|own| format!("{own} ")).unwrap_or_default();
        members.insert("description".into(), format!("{own}{}", docs.join(" ")).into());
    }
}

fn allow_null(members: &mut Map<String, Value>) {
    if let Some(kind) = members.get("type").cloned() {
        members.insert("type".into(), json!([kind, "null"]));
    }
    if let Some(Value::Array(values)) = members.get_mut("enum") {
        values.push(Value::Null);
    }
}

/// So many problems are listed; an input with more is not mended one by one.
const PROBLEMS_AT_MOST: usize = 50;
/// Names longer than this are no misspelling of ours.
const NAME_AT_MOST: usize = 60;

/// A compiled schema.
pub(crate) struct Checker {
    schema: Value,
    validator: Validator,
    free_text: Marked,
}

impl Checker {
    /// Compiles `schema`; an error is a mistake in a declaration.
    pub fn new(schema: Value) -> std::result::Result<Self, String> {
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&schema)
            .map_err(|error| error.to_string())?;
        let free_text = Marked::by(FREE_TEXT, &schema);
        Ok(Self { schema, validator, free_text })
    }

    /// The schema with its marks.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Where free text stands in what it checks.
    pub fn free_text(&self) -> &Marked {
        &self.free_text
    }

    /// Everything wrong with `value`, at once.
    pub fn check(&self, value: &Value) -> Result<()> {
        let mut problems = Vec::new();
        nul_characters(value, &mut String::new(), &mut problems);
        for error in self.validator.iter_errors(value) {
            describe(&self.schema, &error, &mut problems);
            if problems.len() > PROBLEMS_AT_MOST {
                problems.truncate(PROBLEMS_AT_MOST);
                problems.push(Problem::at("", "has more problems than are listed here"));
                break;
            }
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Error::InvalidInput(problems)),
        }
    }

    /// Checks and parses what [`whole_numbers`] went over. What the schema cannot say (a time zone that does not exist) is
    /// found by parsing.
    pub fn parse<T: DeserializeOwned>(&self, value: &Value) -> Result<T> {
        self.check(value)?;
        serde_path_to_error::deserialize(value).map_err(|error| {
            let pointer: String = error
                .path()
                .iter()
                .map(|segment| match segment {
                    serde_path_to_error::Segment::Seq { index } => format!("/{index}"),
                    serde_path_to_error::Segment::Map { key } => format!("/{key}"),
                    serde_path_to_error::Segment::Enum { variant } => format!("/{variant}"),
                    serde_path_to_error::Segment::Unknown => String::new(),
                })
                .collect();
            Error::invalid(pointer, in_our_words(&error.inner().to_string()))
        })
    }
}

/// To JSON Schema 1.0 is a whole number; to the parser it is not.
pub(crate) fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let whole = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15);
            if let Some(whole) = whole {
                *value = json!(whole as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(members) => members.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

/// What the parser says, without its position and without its language's types.
fn in_our_words(message: &str) -> &str {
    match ["expected i32", "expected u32", "expected i64"].iter().any(|kind| message.contains(kind)) {
        true => "is outside the range of whole numbers here",
        false => message.split(" at line ").next().unwrap_or(message),
    }
}

/// PostgreSQL stores no NUL character; refused here so that it is the caller's error and not ours.
fn nul_characters(value: &Value, pointer: &mut String, problems: &mut Vec<Problem>) {
    let mut inside = |key: &str, child: &Value, pointer: &mut String| {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&escaped(&shortened(key)));
        nul_characters(child, pointer, problems);
        pointer.truncate(length);
    };
    match value {
        Value::String(text) if text.contains('\0') => {
            problems.push(Problem::at(pointer.clone(), "contains a NUL character, which cannot be stored"));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| inside(&index.to_string(), item, pointer));
        }
        Value::Object(members) => members.iter().for_each(|(key, member)| inside(key, member, pointer)),
        _ => {}
    }
}

fn describe(schema: &Value, error: &ValidationError<'_>, problems: &mut Vec<Problem>) {
    let pointer = error.instance_path().as_str();
    let here = at(schema, pointer);
    let problem = |message: String| Problem::at(pointer, message);
    problems.push(match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known: Vec<&str> =
                here["properties"].as_object().into_iter().flatten().map(|(k, _)| k.as_str()).collect();
            problems.extend(unexpected.iter().take(PROBLEMS_AT_MOST + 1).map(|name| {
                let message = match known.is_empty() {
                    true => "is not known; nothing is expected here".to_string(),
                    false => format!("is not known; known: {}", known.join(", ")),
                };
                Problem::at(format!("{pointer}/{}", escaped(&shortened(name))), message)
                    .did_you_mean(nearest(name, known.iter().copied()))
            }));
            return;
        }
        ValidationErrorKind::Required { property } => {
            Problem::at(format!("{pointer}/{}", property.as_str().unwrap_or_default()), "is required")
        }
        ValidationErrorKind::Enum { options } => {
            let allowed: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            problem(format!("must be one of {}", allowed.join(", ")))
                .did_you_mean(nearest(error.instance().as_str().unwrap_or_default(), allowed.iter().copied()))
        }
        ValidationErrorKind::Type { .. } => {
            problem(format!("must be {}, not {}", wanted(&here["type"]), kind_of(error.instance())))
        }
        ValidationErrorKind::MaxLength { limit } => problem(format!("has more than {limit} characters")),
        ValidationErrorKind::MinLength { limit: 1 } => problem("must not be empty".into()),
        ValidationErrorKind::MinLength { limit } => problem(format!("has fewer than {limit} characters")),
        ValidationErrorKind::MaxItems { limit } => problem(format!("has more than {limit} items")),
        ValidationErrorKind::MinItems { limit } => problem(format!("needs at least {limit} items")),
        ValidationErrorKind::Maximum { limit } => problem(format!("must be at most {limit}")),
        ValidationErrorKind::Minimum { limit } => problem(format!("must be at least {limit}")),
        ValidationErrorKind::Format { format } => problem(format_in_words(format)),
        ValidationErrorKind::Pattern { pattern } => problem(format!("must match {pattern}")),
        _ => problem(error.masked().to_string()),
    });
}

fn format_in_words(format: &str) -> String {
    match format {
        "uuid" => "is not a UUID".into(),
        "email" => "is not an e-mail address like jane@example.com".into(),
        "date-time" => "is not a time like 2030-01-07T09:00:00Z".into(),
        "date" => "is not a date like 2030-01-07".into(),
        other => format!("is not a valid {other}"),
    }
}

fn wanted(kind: &Value) -> String {
    match kind {
        Value::Array(kinds) => kinds.iter().map(wanted).collect::<Vec<_>>().join(" or "),
        Value::String(kind) => with_article(kind),
        _ => "something else".into(),
    }
}

fn kind_of(value: &Value) -> String {
    with_article(match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    })
}

fn with_article(kind: &str) -> String {
    match kind {
        "null" => "null".into(),
        "array" => "a list".into(),
        "integer" => "a whole number".into(),
        "object" => "an object".into(),
        other => format!("a {other}"),
    }
}

/// The part of a schema that describes what stands at `pointer` in a value.
pub(crate) fn at<'a>(schema: &'a Value, pointer: &str) -> &'a Value {
    pointer.split('/').skip(1).fold(schema, |schema, segment| match segment.parse::<usize>() {
        Ok(_) if schema.get("items").is_some() => &schema["items"],
        _ => &schema["properties"][segment],
    })
}

/// A caller's name as it is echoed.
pub(crate) fn shortened(name: &str) -> String {
    match name.char_indices().nth(NAME_AT_MOST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_string(),
    }
}

/// Up to three names that look like `wrong`, best first.
pub(crate) fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    if wrong.len() > NAME_AT_MOST {
        return Vec::new();
    }
    let wrong = wrong.to_lowercase();
    let mut scored: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| {
            let within = name.contains(&wrong) || wrong.contains(name);
            let bonus = if within && wrong.len() > 2 { 0.2 } else { 0.0 };
            (strsim::jaro_winkler(&wrong, name) + bonus, name)
        })
        .filter(|(score, _)| *score > 0.8)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(3).map(|(_, name)| name.to_string()).collect()
}

/// Turns the text of a query parameter into what the schema of its field expects.
pub(crate) fn from_text(schema: &Value, text: &str) -> Value {
    let as_text = || Value::String(text.to_string());
    match schema["type"].as_str() {
        Some("boolean") => text.parse().map_or_else(|_| as_text(), Value::Bool),
        Some("integer") => text.parse::<i64>().map_or_else(|_| as_text(), Value::from),
        Some("number") => text.parse::<f64>().map_or_else(|_| as_text(), Value::from),
        Some("array") => text.split(',').map(|item| from_text(&schema["items"], item)).collect(),
        _ => as_text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::contact_points::EmailAddress;
    use crate::values::patch::Patch;
    use crate::values::text::FreeText;
    use serde::Deserialize;

    /// An order.
    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by the schema only")]
    struct Order {
        /// Who gets it.
        to: EmailAddress,
        /// How many.
        count: Option<u32>,
        /// How.
        speed: Option<Speed>,
        /// A change.
        #[serde(default)]
        label: Patch<String>,
        /// Words.
        #[serde(default)]
        remarks: Vec<FreeText>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Speed {
        /// Today.
        Fast,
        /// Some day.
        Slow,
    }

    #[test]
    fn schemas_are_portable() {
        let schema = advertised(&of_input::<Order>());
        assert_eq!(schema["properties"]["count"], json!({"type": "integer", "minimum": 0, "description": "How many."}));
        assert_eq!(
            schema["properties"]["speed"],
            json!({"type": "string", "enum": ["fast", "slow"], "description": "How. fast: Today. slow: Some day."})
        );
        assert_eq!(schema["properties"]["label"]["type"], json!(["string", "null"]));
        assert_eq!(schema["required"], json!(["to"]));
        assert_eq!(schema["additionalProperties"], json!(false));
        assert!(!schema.to_string().contains("x-"), "{schema}");
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let checker = Checker::new(of_input::<Order>()).unwrap();
        let wrong = json!({"to": "nobody", "cuont": 3, "speed": "fats", "label": 5, "remarks": ["a", "b\u{0}"]});
        let Err(Error::InvalidInput(mut problems)) = checker.check(&wrong) else { panic!("must be refused") };
        problems.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        let seen: Vec<(&str, &str)> = problems.iter().map(|p| (p.pointer.as_str(), p.message.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("/cuont", "is not known; known: count, label, remarks, speed, to"),
                ("/label", "must be a string or null, not a number"),
                ("/remarks/1", "contains a NUL character, which cannot be stored"),
                ("/speed", "must be one of fast, slow"),
                ("/to", "is not an e-mail address like jane@example.com"),
            ]
        );
        assert_eq!(problems[0].did_you_mean, ["count"]);
        assert_eq!(problems[3].did_you_mean, ["fast"]);
    }

    #[test]
    fn a_number_without_a_fraction_is_whole() {
        let mut value = json!({"a": 1.0, "b": [2.5, {"c": -3.0}], "d": 1e300, "e": "1.0"});
        whole_numbers(&mut value);
        assert_eq!(value.to_string(), r#"{"a":1,"b":[2.5,{"c":-3}],"d":1e+300,"e":"1.0"}"#);
    }
}
