//! The ids of examples: an example says what an action is asked with, and its schema knows where records are named.

use serde_json::{Map, Value, json};

use crate::values::marks::REFERS_TO;

/// How an example writes the id of a record that need not be named.
const SOME_RECORD: &str = "…";

/// An example with ids: all that its schema requires, and those it shows besides. Each names another record.
pub(crate) fn with_ids(schema: &Value, mut example: Value) -> Value {
    name_records(schema, &mut example, &mut 0);
    example
}

fn name_records(schema: &Value, value: &mut Value, named: &mut u32) {
    if names_a_record(schema) && *value == SOME_RECORD {
        *value = next(named);
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                require(name, property, schema, members);
                members.get_mut(name).into_iter().for_each(|member| name_records(property, member, named));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| name_records(&schema["items"], item, named)),
        _ => {}
    }
}

/// Has a record named, or a list of one, where the schema wants that and the example leaves it out.
fn require(name: &str, property: &Value, schema: &Value, members: &mut Map<String, Value>) {
    let is_required = schema["required"].as_array().is_some_and(|required| required.iter().any(|one| one == name));
    if is_required && !members.contains_key(name) {
        if names_a_record(property) {
            members.insert(name.into(), SOME_RECORD.into());
        } else if names_a_record(&property["items"]) {
            members.insert(name.into(), json!([SOME_RECORD]));
        }
    }
}

fn names_a_record(schema: &Value) -> bool {
    !schema[REFERS_TO].is_null()
}

fn next(named: &mut u32) -> Value {
    *named += 1;
    format!("01970000-0000-7000-8000-{named:012}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_gets_the_ids_that_its_schema_requires_and_those_it_shows() {
        let record = json!({"type": "string", "format": "uuid", "x-refers-to": "contacts"});
        let schema = json!({
            "properties": {
                "a_id": record, "b_id": record, "c_id": record, "d_ids": {"type": "array", "items": record},
                "lines": {"items": {"properties": {"e_id": record}, "required": ["e_id"]}}, "name": {"type": "string"}
            },
            "required": ["a_id", "c_id", "d_ids", "name"]
        });
        let id = |number: u32| format!("01970000-0000-7000-8000-{number:012}");
        let own = "01970000-0000-7000-8000-0000000000ff";
        let example = json!({"b_id": "…", "c_id": own, "lines": [{"name": "…"}, {}]});
        let expected = json!({
            "a_id": id(1), "b_id": id(2), "c_id": own, "d_ids": [id(3)],
            "lines": [{"name": "…", "e_id": id(4)}, {"e_id": id(5)}]
        });
        assert_eq!(with_ids(&schema, example), expected);
    }
}
