//! What programs and models send: the same two shapes over REST and MCP, checked with the schemas that are advertised.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::marker::PhantomData;

use crate::callers::{Call, Input, Options, Source};
use crate::error::{Error, Result};
use crate::schema::{self, Checker};

/// A compiled request type: its schema and its parser.
pub struct Form<T> {
    checker: Checker,
    form: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + JsonSchema> Form<T> {
    /// Compiles the schema of `T`; an error is a mistake in its declaration.
    pub fn new() -> std::result::Result<Self, String> {
        Ok(Self { checker: Checker::new(schema::of_input::<T>())?, form: PhantomData })
    }

    /// Compiles a schema that is put together from others.
    pub fn of(schema: Value) -> std::result::Result<Self, String> {
        Ok(Self { checker: Checker::new(schema)?, form: PhantomData })
    }

    /// The schema, as advertised.
    #[must_use]
    pub fn schema(&self) -> Value {
        schema::advertised(self.checker.schema())
    }

    /// Checks and parses, all problems at once.
    pub fn parse(&self, mut value: Value) -> Result<T> {
        schema::whole_numbers(&mut value);
        self.checker.parse(&value)
    }
}

/// Carry out an action.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionRequest {
    /// The domain, such as `contact`.
    #[schemars(length(max = 100))]
    domain: String,
    /// The action, such as `create`.
    #[schemars(length(max = 100))]
    action: String,
    /// The action's input.
    data: Option<Map<String, Value>>,
    /// Instead of `data`: several inputs of the same action, all or nothing.
    #[schemars(length(max = 500))]
    items: Option<Vec<Map<String, Value>>>,
    /// Why this is right, in one or two sentences for the record. Some actions demand it.
    reasoning: Option<String>,
    /// A new random text per intended change: a repeat with the same key and input is answered with the first outcome
    /// and changes nothing.
    #[schemars(length(max = 200))]
    idempotency_key: Option<String>,
    /// Show exactly what would change, and change nothing.
    #[serde(default)]
    dry_run: bool,
}

impl ActionRequest {
    /// What the own tool of an action sends: the action's input, and beside it how to carry it out.
    #[must_use]
    pub fn of_tool(action: &str, mut arguments: Map<String, Value>) -> Self {
        let (domain, verb) = action.split_once('.').unwrap_or((action, ""));
        let mut text = |name| arguments.remove(name).and_then(|value| value.as_str().map(str::to_string));
        let (reasoning, idempotency_key) = (text("reasoning"), text("idempotency_key"));
        let dry_run = arguments.remove("dry_run").and_then(|value| value.as_bool()).unwrap_or_default();
        let (domain, action) = (domain.to_string(), verb.to_string());
        Self { domain, action, data: Some(arguments), items: None, reasoning, idempotency_key, dry_run }
    }

    /// The call it asks for.
    pub fn into_call(self, source: Source) -> Result<Call> {
        let input = match (self.data, self.items) {
            (Some(_), Some(_)) => return Err(Error::invalid("/items", "give either data or items, not both")),
            (None, Some(items)) => Input::Items(items.into_iter().map(Value::Object).collect()),
            (data, None) => Input::One(Value::Object(data.unwrap_or_default())),
        };
        // `contact.create` in full is understood too.
        let verb = self.action.strip_prefix(&format!("{}.", self.domain)).unwrap_or(&self.action);
        Ok(Call {
            action: format!("{}.{verb}", self.domain),
            input,
            options: Options {
                dry_run: self.dry_run,
                idempotency_key: self.idempotency_key,
                reasoning: self.reasoning,
            },
            source,
        })
    }

    /// Takes the key of an `Idempotency-Key` header, unless the body has one.
    #[must_use]
    pub fn with_key(mut self, key: Option<String>) -> Self {
        self.idempotency_key = self.idempotency_key.or(key);
        self
    }
}

/// Read records.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryRequest {
    /// The data type, such as `contacts`.
    #[serde(rename = "type")]
    #[schemars(length(max = 100))]
    data_type: String,
    /// One record by its id: `data` is then the record itself.
    id: Option<String>,
    /// Words to search for, where the type can be searched.
    search: Option<String>,
    /// Filters by name, as the type lists them.
    filters: Option<Map<String, Value>>,
    /// What the rows bring along, such as `addresses`, `notes` or `audit_trail`.
    include: Option<Vec<String>>,
    /// Only these members of the rows: saves tokens.
    fields: Option<Vec<String>>,
    /// Rows per page, 1 to 200; 25 if left out.
    limit: Option<i64>,
    /// `meta.next_cursor` of the page before.
    cursor: Option<String>,
}

/// What of a data type is asked for.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The data type.
    pub data_type: String,
    /// One record by its id: the answer's data is the record itself.
    pub id: Option<String>,
    /// Filters by name.
    pub filters: Map<String, Value>,
    /// Where in the caller's request the filters stand, for pointers to what is wrong with them: `/filters`, or nothing.
    pub filters_at: &'static str,
    /// What the rows bring along.
    pub include: Vec<String>,
    /// The members to show; all if empty.
    pub fields: Vec<String>,
    /// Rows per page, 1 to 200; 25 if absent.
    pub limit: Option<i64>,
    /// Where the page begins: `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl TryFrom<QueryRequest> for Selection {
    type Error = Error;

    fn try_from(request: QueryRequest) -> Result<Self> {
        let mut filters = request.filters.unwrap_or_default();
        if let Some(search) = request.search
            && filters.insert("search".into(), search.into()).is_some()
        {
            return Err(Error::invalid("/search", "is given twice: here and among the filters"));
        }
        Ok(Self {
            data_type: request.data_type,
            id: request.id,
            filters,
            filters_at: "/filters",
            include: request.include.unwrap_or_default(),
            fields: request.fields.unwrap_or_default(),
            limit: request.limit,
            cursor: request.cursor,
        })
    }
}
