//! The tools: four generic ones and those that capabilities ask for, with their schemas compiled once.

use std::sync::Arc;

use capabilities::{
    ActionEntry, ActionRequest, DataEntry, Effect, Error, Form, QueryRequest, Registry, Selection, ToolNames,
};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::waiting::WAITS_AT_MOST;

/// The registry, as a tool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CapabilitiesRequest {
    /// One domain with the full schemas of its actions and data types, such as `contact`.
    domain: Option<String>,
    /// One action with its full schema, such as `contact.create`.
    action: Option<String>,
}

/// A request in the queue, as a tool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckRequest {
    /// The request, as the queued action named it.
    authorization_id: Uuid,
    /// How long to wait for a decision; 45 if left out.
    #[schemars(range(max = 45))]
    wait_seconds: Option<u64>,
}

/// What a tool call asks for.
pub(crate) enum ToolRequest {
    Capabilities {
        domain: Option<String>,
        action: Option<String>,
    },
    Query(Selection),
    Action(ActionRequest),
    /// By its own tool, whose arguments are its input.
    OwnAction(ActionRequest),
    Decision {
        id: Uuid,
        seconds: u64,
    },
}

/// How the arguments of a tool are read.
pub(crate) enum ToolForm {
    Capabilities(Form<CapabilitiesRequest>),
    Query(Form<QueryRequest>),
    Action(Form<ActionRequest>),
    Check(Form<CheckRequest>),
    Reads { data_type: &'static str, form: Form<Map<String, Value>> },
    Acts { action: &'static str, form: Form<Map<String, Value>> },
}

impl ToolForm {
    /// What `data` is in the answers of this tool.
    fn data(&self) -> Value {
        match self {
            Self::Capabilities(_) => json!({"type": "object", "description": "What you may do and read."}),
            Self::Query(_) => json!({"description": "The rows, or with `id` the record."}),
            Self::Action(_) | Self::Acts { .. } => {
                json!({"description": "What the action answers with, the preview of a dry run, or what waits for a person."})
            }
            Self::Check(_) => {
                json!({"type": "object", "description": "The request: its status, the note, the result."})
            }
            Self::Reads { .. } => json!({"type": "array", "items": {"type": "object"}, "description": "The rows."}),
        }
    }

    /// The schema of its answers. The generic tools tell the whole envelope, which costs as much as a tool; the others have
    /// the same one.
    fn answer(&self) -> JsonObject {
        match self {
            Self::Reads { .. } | Self::Acts { .. } => short_envelope(&self.data()),
            _ => envelope(&self.data()),
        }
    }

    pub fn read(&self, arguments: Value) -> Result<ToolRequest, Error> {
        match self {
            Self::Capabilities(form) => form
                .parse(arguments)
                .map(|asked| ToolRequest::Capabilities { domain: asked.domain, action: asked.action }),
            Self::Query(form) => form.parse(arguments)?.try_into().map(ToolRequest::Query),
            Self::Action(form) => form.parse(arguments).map(ToolRequest::Action),
            Self::Check(form) => form.parse(arguments).map(|asked| ToolRequest::Decision {
                id: asked.authorization_id,
                seconds: asked.wait_seconds.unwrap_or(WAITS_AT_MOST),
            }),
            Self::Reads { data_type, form } => {
                form.parse(arguments).map(|filters| ToolRequest::Query(own_tool_query(data_type, filters)))
            }
            Self::Acts { action, form } => {
                form.parse(arguments).map(|input| ToolRequest::OwnAction(ActionRequest::of_tool(action, input)))
            }
        }
    }
}

/// A data type's own tool takes its filters, and beside them how much and from where.
fn own_tool_query(data_type: &str, mut filters: Map<String, Value>) -> Selection {
    let limit = filters.remove("limit").and_then(|limit| limit.as_i64());
    let cursor = filters.remove("cursor").and_then(|cursor| cursor.as_str().map(str::to_string));
    Selection { data_type: data_type.into(), filters, limit, cursor, ..Selection::default() }
}

pub(crate) struct Toolbox {
    tools: Vec<Tool>,
    forms: Vec<ToolForm>,
}

impl Toolbox {
    pub fn new(registry: &Registry) -> Result<Self, String> {
        let mut toolbox = Self { tools: Vec::new(), forms: Vec::new() };
        toolbox.add_generic()?;
        for entry in registry.data_types() {
            if let Some(names) = entry.tool {
                toolbox.add_reading(entry, names)?;
            }
        }
        for entry in registry.actions() {
            if let Some(names) = entry.tool {
                toolbox.add_acting(entry, names)?;
            }
        }
        Ok(toolbox)
    }

    pub fn tools(&self) -> &[Tool] {
        &self.tools
    }

    pub fn form(&self, name: &str) -> Option<&ToolForm> {
        let index = self.tools.iter().position(|tool| tool.name == name)?;
        self.forms.get(index)
    }

    fn add_generic(&mut self) -> Result<(), String> {
        let form = Form::new()?;
        self.add(
            ToolNames { name: "crm_capabilities", title: "What the office can do" },
            "What you may do and read here. Without arguments: one line per action and data type, with the permission that \
             holds for you. With `domain` or `action`: the full schemas, with an example. Look here before you guess.",
            form.schema(),
            reading(),
            ToolForm::Capabilities(form),
        );
        let form = Form::new()?;
        self.add(
            ToolNames { name: "crm_query", title: "Read records" },
            "Read records of any data type: filter, search, include what belongs to them, page by cursor. `data` is a list, \
             or with `id` the record. Use `fields` to save tokens. crm_capabilities lists the types and their filters.",
            form.schema(),
            reading(),
            ToolForm::Query(form),
        );
        let form = Form::new()?;
        self.add(
            ToolNames { name: "crm_action", title: "Carry out an action" },
            "Carry out any action: {\"domain\": \"contact\", \"action\": \"create\", \"data\": {…}}. crm_capabilities shows the \
             schema of `data`. A refusal changes nothing and says what to mend. With `dry_run` you see exactly what would change.",
            form.schema(),
            ToolAnnotations::new().read_only(false).destructive(true).idempotent(false).open_world(true),
            ToolForm::Action(form),
        );
        let form = Form::new()?;
        self.add(
            ToolNames { name: "check_authorization", title: "Look whether a person decided" },
            "An action that answered AUTHORIZATION_PENDING waits for a person. This waits up to 45 seconds for the decision and \
             returns it with the person's note and, when it was allowed, the result. Ask with `wait_seconds` 0 to only look.",
            form.schema(),
            reading(),
            ToolForm::Check(form),
        );
        Ok(())
    }

    fn add_reading(&mut self, entry: &DataEntry, names: ToolNames) -> Result<(), String> {
        let mut schema = entry.filters_schema();
        schema["properties"]["limit"] =
            json!({"type": "integer", "minimum": 1, "maximum": 200, "description": "Rows per page; 25 if left out."});
        schema["properties"]["cursor"] =
            json!({"type": "string", "description": "`meta.next_cursor` of the page before."});
        let form = Form::of(schema.clone())?;
        let tool = ToolForm::Reads { data_type: entry.name, form };
        self.add(names, &entry.description, schema, reading(), tool);
        Ok(())
    }

    fn add_acting(&mut self, entry: &ActionEntry, names: ToolNames) -> Result<(), String> {
        let mut schema = entry.input_schema();
        let beside = json!({
            "reasoning": {"type": "string", "description": "Why this is right, for the record."},
            "idempotency_key": {"type": "string", "maxLength": 200,
                "description": "A new random text per intended change; a repeat with it changes nothing."},
            "dry_run": {"type": "boolean", "description": "Show what would change, and change nothing."},
        });
        if let (Some(members), Value::Object(beside)) = (schema["properties"].as_object_mut(), beside) {
            members.extend(beside);
        }
        let form = Form::of(schema.clone())?;
        self.add(names, &entry.description, schema, acting(entry.effect), ToolForm::Acts { action: entry.name, form });
        Ok(())
    }

    fn add(&mut self, names: ToolNames, about: &str, input: Value, mut hints: ToolAnnotations, form: ToolForm) {
        hints.title = Some(names.title.into());
        let tool = Tool::new(names.name, about.to_string(), Arc::new(without_description(input)))
            .with_title(names.title)
            .with_raw_output_schema(Arc::new(form.answer()))
            .with_annotations(hints);
        self.tools.push(tool);
        self.forms.push(form);
    }
}

fn reading() -> ToolAnnotations {
    ToolAnnotations::new().read_only(true).destructive(false).idempotent(true).open_world(false)
}

/// Whatever it changes may have mails sent, so the world is open to it.
fn acting(effect: Effect) -> ToolAnnotations {
    ToolAnnotations::new()
        .read_only(false)
        .destructive(effect == Effect::Destroys)
        .idempotent(effect != Effect::Adds)
        .open_world(true)
}

fn without_description(schema: Value) -> JsonObject {
    let Value::Object(mut members) = schema else { return JsonObject::new() };
    members.remove("description");
    members
}

/// The envelope of `crm_action`, in short.
fn short_envelope(data: &Value) -> JsonObject {
    let schema = json!({
        "type": "object",
        "required": ["success", "meta"],
        "properties": {
            "success": {"type": "boolean", "description": "Whether it was done. Only true means done."},
            "data": data,
            "error": {"type": "object", "description": "As in crm_action."},
            "meta": {"type": "object", "description": "As in crm_action."}
        }
    });
    match schema {
        Value::Object(members) => members,
        _ => JsonObject::new(),
    }
}

/// Every tool answers with the same envelope. Its root is an object, which older clients insist on.
fn envelope(data: &Value) -> JsonObject {
    let schema = json!({
        "type": "object",
        "required": ["success", "meta"],
        "properties": {
            "success": {"type": "boolean", "description": "Whether it was done. Only true means done."},
            "data": data,
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "string", "description": "Stable."},
                    "message": {"type": "string", "description": "What is so."},
                    "hint": {"type": "string", "description": "What to do next."},
                    "retry": {"type": "string", "enum": ["never", "after_fixing", "later", "when_authorized"]},
                    "problems": {
                        "type": "array", "description": "Everything wrong with the input.",
                        "items": {"type": "object", "properties": {
                            "pointer": {"type": "string"}, "message": {"type": "string"},
                            "did_you_mean": {"type": "array", "items": {"type": "string"}}
                        }}
                    }
                }
            },
            "meta": {
                "type": "object",
                "properties": {
                    "request_id": {"type": "string"},
                    "timestamp": {"type": "string"},
                    "warnings": {"type": "array", "items": {"type": "object"}, "description": "Worth telling the person."},
                    "errands": {"type": "array", "items": {"type": "object"}, "description": "What will go out; not sent yet."},
                    "decisions_since_last_call": {"type": "array", "items": {"type": "object"},
                        "description": "What people decided of your requests meanwhile."},
                    "next_cursor": {"type": "string", "description": "There is more: ask again with it as `cursor`."},
                    "truncated": {"type": "string"}
                }
            }
        }
    });
    match schema {
        Value::Object(members) => members,
        _ => JsonObject::new(),
    }
}
