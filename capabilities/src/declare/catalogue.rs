//! Views of the registry: the capabilities document and OpenAPI. Nothing in them is written by hand but the frame.

use serde_json::{Map, Value, json};

use crate::callers::Caller;
use crate::declare::domain::{ActionEntry, DataEntry, Domain};
use crate::declare::registry::Registry;
use crate::error::{Error, Result};
use crate::policy::PermissionClass;
use crate::schema::{advertised, from_text, nearest, shortened};
use crate::values::problem::Problem;

impl Registry {
    /// What this caller may do and read: a line each, or with their full schemas those of one domain or one action. Of a
    /// domain in which there is nothing for this caller it hears nothing.
    pub fn capabilities(&self, caller: &Caller, domain: Option<&str>, action: Option<&str>) -> Result<Value> {
        if let Some(name) = action {
            let full = match domain {
                Some(domain) if !name.contains('.') => format!("{domain}.{name}"),
                _ => name.to_string(),
            };
            let action = self.action_for(caller, &full)?;
            action.permit(caller)?;
            return Ok(json!({"actions": [self.action_in_full(action, caller)]}));
        }
        if let Some(name) = domain {
            let mut open = self.open_to(caller);
            let domain = open.find(|domain| domain.name == name).ok_or_else(|| self.no_domain(name, caller))?;
            return Ok(json!({
                "domain": domain.name,
                "about": domain.about,
                "actions": allowed(&domain.actions, caller).map(|action| self.action_in_full(action, caller)).collect::<Value>(),
                "data": readable(&domain.data, caller).map(|entry| self.data_in_full(entry, caller)).collect::<Value>(),
            }));
        }
        let domains = self.open_to(caller).map(|domain| {
            let actions: Map<_, _> = allowed(&domain.actions, caller)
                .map(|action| {
                    let line = format!("[{}] {}", permission(action, caller).name(), first_line(&action.description));
                    (action.name.to_string(), line.into())
                })
                .collect();
            let data: Map<_, _> = readable(&domain.data, caller)
                .map(|entry| (entry.name.to_string(), first_line(&entry.description).into()))
                .collect();
            json!({"domain": domain.name, "about": domain.about, "actions": actions, "data": data})
        });
        Ok(json!({
            "domains": domains.collect::<Value>(),
            "permissions": {
                "unrestricted": "done at once",
                "soft_limit": "done at once when `reasoning` is given",
                "requires_authorization": "waits for a person; give `reasoning`, then see check_authorization",
            },
            "more": "Ask with `domain` (or `domain` and `action`) for the full schemas.",
        }))
    }

    /// The domains in which this caller may do or read something.
    fn open_to(&self, caller: &Caller) -> impl Iterator<Item = &Domain> {
        self.domains().iter().filter(|domain| {
            allowed(&domain.actions, caller).next().is_some() || readable(&domain.data, caller).next().is_some()
        })
    }

    fn no_domain(&self, name: &str, caller: &Caller) -> Error {
        let names: Vec<&str> = self.open_to(caller).map(|domain| domain.name).collect();
        let problem =
            Problem::at("/domain", format!("there is no domain `{}`; known: {}", shortened(name), names.join(", ")));
        problem.did_you_mean(nearest(name, names)).into()
    }

    fn action_in_full(&self, action: &ActionEntry, caller: &Caller) -> Value {
        let mut full = json!({
            "action": action.name,
            "description": action.description,
            "permission": permission(action, caller),
            "effect": action.effect,
            "input": action.input().map(|input| without_description(input.schema())).unwrap_or_default(),
            "output": self.output_in_short(action),
            "example": action.example,
        });
        if caller.is_agent() && !action.escalations.is_empty() {
            let raised = action.escalations.iter();
            let raised = raised.map(|(code, gate, message)| json!({"code": code, "permission": gate, "when": message}));
            full["stricter_when"] = raised.collect();
        }
        full
    }

    /// Most actions answer with a row that a data type describes already; saying it again would cost a model tokens.
    fn output_in_short(&self, action: &ActionEntry) -> Value {
        match self.data_types().find(|entry| entry.row == action.output) {
            Some(entry) => format!("a row of `{}`", entry.name).into(),
            None => without_description(&action.output),
        }
    }

    fn data_in_full(&self, entry: &DataEntry, caller: &Caller) -> Value {
        let include = self.includes(entry).into_iter().filter(|include| include.other().permit(caller).is_ok());
        json!({
            "type": entry.name,
            "description": entry.description,
            "sorted_by": entry.sorted_by,
            "filters": entry.filters().map(|filters| without_description(filters.schema())).unwrap_or_default(),
            "include": include.map(|include| include.name()).collect::<Vec<_>>(),
            "row": without_description(&entry.row),
        })
    }

    /// A filter of a data type from the text of a query parameter, typed as its schema says.
    #[must_use]
    pub fn filter_from_text(&self, data_type: &str, name: &str, text: &str) -> Value {
        let schema =
            self.data_type(data_type).and_then(DataEntry::filters).map(|filters| &filters.schema()["properties"][name]);
        schema.map_or_else(|_| text.into(), |schema| from_text(schema, text))
    }

    /// OpenAPI 3.1 of the REST door. Its schemas are the very ones inputs are validated with.
    #[must_use]
    pub fn openapi(&self, version: &str) -> Value {
        let bodies: Vec<Value> = self.actions().map(body_of).collect();
        let names: Vec<&str> = self.data_types().map(|entry| entry.name).collect();
        let not_for_agents = self.data_types().filter(|entry| entry.people_only).map(|entry| entry.name);
        let what =
            format!("What to read. In people's sessions only: {}.", not_for_agents.collect::<Vec<_>>().join(", "));
        let mut parameters = vec![
            parameter("type", &what, &json!({"type": "string", "enum": names})),
            parameter(
                "id",
                "One record by its id: `data` is the record itself.",
                &json!({"type": "string", "format": "uuid"}),
            ),
            parameter("include", "What the rows bring along, separated by commas.", &json!({"type": "string"})),
            parameter("fields", "The members to show, separated by commas.", &json!({"type": "string"})),
            parameter(
                "limit",
                "Rows per page.",
                &json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 25}),
            ),
            parameter("cursor", "`meta.next_cursor` of the page before.", &json!({"type": "string"})),
        ];
        parameters[0]["required"] = true.into();
        parameters.extend(self.filter_parameters());
        json!({
            "openapi": "3.1.0",
            "info": {"title": "Frontdesk", "version": version,
                "description": "The back office of a small service business. Every action and data type is listed by /api/capabilities."},
            "security": [{"agent": []}, {"session": []}],
            "paths": {
                "/api/capabilities": {"get": {
                    "operationId": "capabilities", "summary": "What this caller may do and read",
                    "parameters": [
                        parameter("domain", "One domain, with full schemas.", &json!({"type": "string"})),
                        parameter("action", "One action, with its full schema.", &json!({"type": "string"})),
                    ],
                    "responses": answers("The capabilities."),
                }},
                "/api/data": {"get": {
                    "operationId": "query", "summary": "Read records", "parameters": parameters,
                    "responses": answers("A page of rows, or one record."),
                }},
                "/api/actions": {"post": {
                    "operationId": "act", "summary": "Carry out an action",
                    "parameters": [{"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 200}}, csrf_header(false)],
                    "requestBody": {"required": true, "content": {"application/json": {"schema": {"oneOf": bodies}}}},
                    "responses": held(answers("What the action answers with, or the preview of a dry run.")),
                }},
                "/api/session": session_route(),
            },
            "components": {
                "securitySchemes": {
                    "agent": {"type": "http", "scheme": "bearer", "description": "An agent's token, `fd_…`."},
                    "session": {"type": "apiKey", "in": "cookie", "name": "frontdesk_session", "description": "A person's session, begun at /sign-in; on an https address the cookie is called `__Host-frontdesk_session`. Send it or a token, never both."},
                },
                "schemas": {"Envelope": envelope_schema()},
            },
        })
    }

    /// Filters of all types, merged by name: OpenAPI cannot make a parameter depend on another.
    fn filter_parameters(&self) -> Vec<Value> {
        let mut merged: Map<String, Value> = Map::new();
        for entry in self.data_types() {
            let Ok(filters) = entry.filters() else { continue };
            for (name, schema) in filters.schema()["properties"].as_object().into_iter().flatten() {
                let description = format!("Of {}: {}", entry.name, schema["description"].as_str().unwrap_or_default());
                match merged.get_mut(name) {
                    Some(known) => {
                        let text = format!("{} {description}", known["description"].as_str().unwrap_or_default());
                        known["description"] = text.into();
                        known["schema"] = json!({"type": "string"});
                    }
                    None => {
                        merged.insert(name.clone(), parameter(name, &description, &without_description(schema)));
                    }
                }
            }
        }
        merged.into_iter().map(|(_, parameter)| parameter).collect()
    }
}

/// An agent's call may wait for a person instead.
fn held(mut answers: Value) -> Value {
    answers["202"] = answers["default"].clone();
    answers["202"]["description"] = "It waits for a person: `data.authorization_id`, `data.review_url`.".into();
    answers
}

fn parameter(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

fn answers(description: &str) -> Value {
    json!({
        "200": {"description": description, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Envelope"}}}},
        "default": {"description": "Refused: see `error`.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Envelope"}}}},
    })
}

fn csrf_header(required: bool) -> Value {
    json!({
        "name": "X-CSRF-Token", "in": "header", "required": required, "schema": {"type": "string"},
        "description": "Of a write in a person's session: the session's `csrf_token`, which GET /api/session tells.",
    })
}

fn session_route() -> Value {
    json!({
        "get": {
            "operationId": "session", "summary": "Who is signed in, and the CSRF token of the session",
            "security": [{"session": []}], "responses": answers("`user`, `organization`, `csrf_token`, `expires_at`."),
        },
        "delete": {
            "operationId": "sign_out", "summary": "Sign out: ends the session", "parameters": [csrf_header(true)],
            "security": [{"session": []}], "responses": answers("Signed out."),
        },
    })
}

fn body_of(action: &ActionEntry) -> Value {
    let (domain, verb) = action.name.split_once('.').unwrap_or((action.name, ""));
    let data = action.input().map(|input| advertised(input.schema())).unwrap_or_default();
    let description = match action.class {
        PermissionClass::PeopleOnly => {
            format!("{}\n\nIn people's sessions only: agents are refused.", action.description)
        }
        _ => action.description.clone(),
    };
    json!({
        "title": action.name,
        "description": description,
        "type": "object",
        "required": ["domain", "action"],
        "properties": {
            "domain": {"type": "string", "enum": [domain]},
            "action": {"type": "string", "enum": [verb]},
            "data": data,
            "items": {"type": "array", "description": "Several inputs instead of `data`, all or nothing.", "items": {"type": "object"}},
            "reasoning": {"type": "string", "maxLength": 2000},
            "idempotency_key": {"type": "string", "maxLength": 200},
            "dry_run": {"type": "boolean"},
        },
        "examples": [{"domain": domain, "action": verb, "data": action.example}],
    })
}

fn envelope_schema() -> Value {
    json!({
        "type": "object",
        "required": ["success", "data", "error", "meta"],
        "properties": {
            "success": {"type": "boolean"},
            "data": {"type": ["object", "array", "null"]},
            "error": {"type": ["object", "null"], "properties": {
                "code": {"type": "string"}, "message": {"type": "string"}, "hint": {"type": "string"},
                "retry": {"type": "string", "enum": ["never", "after_fixing", "later", "when_authorized"]},
                "problems": {"type": "array", "items": {"type": "object", "properties": {
                    "pointer": {"type": "string"}, "message": {"type": "string"},
                    "did_you_mean": {"type": "array", "items": {"type": "string"}}}}},
            }},
            "meta": {"type": "object", "properties": {
                "request_id": {"type": "string", "format": "uuid"}, "timestamp": {"type": "string", "format": "date-time"},
                "warnings": {"type": "array", "items": {"type": "object"}},
                "total": {"type": ["integer", "string"]}, "next_cursor": {"type": "string"},
            }},
        },
    })
}

fn allowed<'a>(actions: &'a [ActionEntry], caller: &Caller) -> impl Iterator<Item = &'a ActionEntry> {
    actions.iter().filter(|action| action.permit(caller).is_ok())
}

fn readable<'a>(data: &'a [DataEntry], caller: &Caller) -> impl Iterator<Item = &'a DataEntry> {
    data.iter().filter(|entry| entry.permit(caller).is_ok())
}

/// The permission class that holds for this caller, limits and rules aside: people are bound by their role alone.
fn permission(action: &ActionEntry, caller: &Caller) -> PermissionClass {
    match caller.is_agent() {
        true => caller.own_class(action.name).map_or(action.class, |own| own.max(action.class)),
        false => PermissionClass::Unrestricted,
    }
}

/// The schema as advertised, without the description that stands beside it already.
fn without_description(schema: &Value) -> Value {
    let mut schema = advertised(schema);
    if let Value::Object(members) = &mut schema {
        members.remove("description");
    }
    schema
}

fn first_line(description: &str) -> &str {
    description.lines().next().unwrap_or_default()
}
