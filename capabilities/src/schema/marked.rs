//! Where in a value stands what its schema marks: found once per schema, so that nobody walks both for every call.

use serde_json::Value;

/// Where everything with one mark stands in the values of a schema, found once.
#[derive(Debug, Default)]
pub(crate) struct Marked(Vec<Vec<Step>>);

#[derive(Debug, Clone)]
enum Step {
    Member(String),
    EachItem,
}

impl Marked {
    /// Of everything that a schema marks with this.
    pub fn by(mark: &str, schema: &Value) -> Self {
        let mut found = Self::default();
        found.look(mark, schema, &mut Vec::new());
        found
    }

    fn look(&mut self, mark: &str, schema: &Value, path: &mut Vec<Step>) {
        if schema[mark] == Value::Bool(true) {
            self.0.push(path.clone());
        }
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            path.push(Step::Member(name.clone()));
            self.look(mark, member, path);
            path.pop();
        }
        if let Some(items) = schema.get("items") {
            path.push(Step::EachItem);
            self.look(mark, items, path);
            path.pop();
        }
    }

    /// Calls `each` with the pointer and the value of everything that is marked in `value`, which stands at `place`.
    pub fn each(&self, value: &mut Value, place: &str, each: &mut impl FnMut(&str, &mut Value)) {
        let mut pointer = place.to_string();
        for path in &self.0 {
            walk(value, path, &mut pointer, each);
        }
    }
}

fn walk(value: &mut Value, path: &[Step], pointer: &mut String, each: &mut impl FnMut(&str, &mut Value)) {
    let length = pointer.len();
    match (path.split_first(), value) {
        (None, value) => each(pointer, value),
        (Some((Step::Member(name), rest)), Value::Object(members)) => {
            if let Some(member) = members.get_mut(name) {
                pointer.push('/');
                pointer.push_str(name);
                walk(member, rest, pointer, each);
            }
        }
        (Some((Step::EachItem, rest)), Value::Array(items)) => {
            for (index, item) in items.iter_mut().enumerate() {
                pointer.push_str(&format!("/{index}"));
                walk(item, rest, pointer, each);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
    pointer.truncate(length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::marks::{FREE_TEXT, SECRET};
    use serde_json::json;

    #[test]
    fn what_is_marked_is_found_wherever_it_stands() {
        let text = json!({"type": "string", FREE_TEXT: true});
        let lines = json!({"type": "array", "items": {"properties": {"about": text, "token": {SECRET: true}}}});
        let schema = json!({"properties": {"lines": lines, "remarks": {"items": text}, "title": {"type": "string"}}});
        let marked = Marked::by(FREE_TEXT, &schema);
        let found = |mut value: Value| {
            let mut seen = Vec::new();
            marked.each(&mut value, "/data", &mut |pointer, value| seen.push(format!("{pointer} {value}")));
            seen
        };
        let value = json!({"lines": [{"about": 1}, {}, {"about": 2}], "remarks": ["a", "b"], "title": "none"});
        assert_eq!(
            found(value),
            ["/data/lines/0/about 1", "/data/lines/2/about 2", "/data/remarks/0 \"a\"", "/data/remarks/1 \"b\""]
        );
        assert_eq!(found(json!({"lines": "none", "remarks": {"0": "none"}})), [""; 0], "what does not fit has none");
        let mut value = json!({"lines": [{"token": "secret"}]});
        Marked::by(SECRET, &schema).each(&mut value, "", &mut |_, value| *value = "shown_once".into());
        assert_eq!(value["lines"][0]["token"], "shown_once");
    }
}
