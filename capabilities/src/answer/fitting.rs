//! Cutting what is too large for whoever reads it, and saying what was cut.

use std::collections::{BTreeSet, BinaryHeap};
use std::io;

use serde_json::Value;

use crate::answer::envelope::{Answer, escaped};

/// A text worth shortening.
const LONG_TEXT: usize = 200;

impl Answer {
    /// Cuts the data to `room` bytes of JSON: long texts first, then lists, halved until it fits; says what was cut.
    #[must_use]
    pub fn fit(mut self, room: usize) -> Self {
        let Some(data) = self.data.as_mut() else { return self };
        let size = json_length(data);
        if size <= room {
            return self;
        }
        let cut = Cutting::of(data, size).cut_to(data, room);
        if !cut.is_empty() {
            let places: Vec<&str> = cut.iter().map(String::as_str).take(10).collect();
            let how =
                "Cut to fit: ask for less at once (`fields`, filters, a smaller `limit`), or query the part itself.";
            self.meta.truncated = Some(format!("{how} Cut at {}.", places.join(", ")));
        }
        self
    }
}

/// How many bytes of JSON a value takes.
pub(crate) fn json_length(value: &Value) -> usize {
    let mut length = Length(0);
    // Counting cannot fail.
    drop(serde_json::to_writer(&mut length, value));
    length.0
}

struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What can be cut of a value, the largest first, and how large it still is. What is weighed once is weighed again only when
/// it is cut: a list whose rows were cut meanwhile is worth less than it was thought to be, and waits its turn.
struct Cutting {
    size: usize,
    texts: BinaryHeap<(usize, String)>,
    lists: BinaryHeap<(usize, String)>,
}

impl Cutting {
    fn of(data: &Value, size: usize) -> Self {
        let mut cutting = Self { size, texts: BinaryHeap::new(), lists: BinaryHeap::new() };
        cutting.weigh(data, "");
        cutting
    }

    /// Finds what can be cut, and tells how many bytes of JSON the value takes.
    fn weigh(&mut self, value: &Value, pointer: &str) -> usize {
        // The brackets, and what stands between members.
        match value {
            Value::Object(members) => {
                let inside = members.iter().map(|(key, member)| {
                    json_length(&Value::from(key.as_str()))
                        + 2
                        + self.weigh(member, &format!("{pointer}/{}", escaped(key)))
                });
                inside.sum::<usize>() + 1 + usize::from(members.is_empty())
            }
            Value::Array(items) => {
                let inside =
                    items.iter().enumerate().map(|(index, item)| self.weigh(item, &format!("{pointer}/{index}")) + 1);
                let size = inside.sum::<usize>() + 1 + usize::from(items.is_empty());
                let weight = items.len() / 2 * size;
                self.lists.extend((weight > 0).then(|| (weight, pointer.to_string())));
                size
            }
            Value::String(text) => {
                let weight = text_weight(text);
                self.texts.extend((weight > 0).then(|| (weight, pointer.to_string())));
                json_length(value)
            }
            other => json_length(other),
        }
    }

    fn cut_to(mut self, data: &mut Value, room: usize) -> BTreeSet<String> {
        let mut cut = BTreeSet::new();
        while self.size > room {
            let text = self.texts.peek().is_some_and(|(weight, _)| *weight > room / 8);
            let Some((weight, pointer)) = (if text { self.texts.pop() } else { self.lists.pop() }) else { break };
            // It may be gone with a row that it stood in.
            let Some(part) = data.pointer_mut(&pointer) else { continue };
            match part {
                Value::String(text) => {
                    let half: String = text.chars().take(text.chars().count() / 2).collect();
                    let was = json_length(&Value::from(text.as_str()));
                    *text = format!("{half}…");
                    let (by_now, is) = (text_weight(text), json_length(&Value::from(text.as_str())));
                    self.size -= was - is;
                    self.texts.extend((by_now > 0).then(|| (by_now, pointer.clone())));
                }
                Value::Array(_) => {
                    let now = list_weight(part);
                    let is_largest = now == weight || self.lists.peek().is_none_or(|(next, _)| *next <= now);
                    if now == 0 || !is_largest {
                        self.lists.extend((now > 0).then_some((now, pointer)));
                        continue;
                    }
                    self.size -= halve(part);
                    let left = list_weight(part);
                    self.lists.extend((left > 0).then(|| (left, pointer.clone())));
                }
                _ => continue,
            }
            cut.insert(pointer);
        }
        cut
    }
}

fn text_weight(text: &str) -> usize {
    text.len() / LONG_TEXT * LONG_TEXT
}

fn list_weight(list: &Value) -> usize {
    list.as_array().map_or(0, |items| items.len() / 2 * json_length(list))
}

/// Keeps the first half of a list, and tells how many bytes of JSON that spares.
fn halve(list: &mut Value) -> usize {
    let Value::Array(items) = list else { return 0 };
    let half = items.len() / 2;
    items.split_off(half).iter().map(|gone| json_length(gone) + 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::envelope::Meta;
    use serde_json::json;

    #[test]
    fn an_answer_that_is_too_large_is_cut_and_says_where() {
        let data = json!({"id": 1, "tags": ["a"], "notes": vec!["x".repeat(100); 40], "story": "y".repeat(9_000)});
        let answer = Answer::done(data, Meta::default()).fit(2_000);
        let data = answer.data.unwrap();
        assert!(data.to_string().len() <= 2_000);
        assert_eq!(data["tags"], json!(["a"]));
        assert!(!data["notes"].as_array().unwrap().is_empty());
        assert!(answer.meta.truncated.unwrap().ends_with("Cut at /notes, /story."));
    }

    #[test]
    fn an_answer_that_fits_is_left_alone() {
        let answer = Answer::done(json!({"notes": ["x"]}), Meta::default()).fit(2_000);
        assert_eq!((answer.data, answer.meta.truncated), (Some(json!({"notes": ["x"]})), None));
    }

    #[test]
    fn what_is_reckoned_is_what_it_takes() {
        for data in [
            json!({}),
            json!([]),
            json!({"a": [], "b/~\"": {"c": null}, "d": [1.5, true, "ä\n"]}),
            json!([["x".repeat(700), {"y": "z".repeat(300)}], [[], {}]]),
        ] {
            let mut cutting = Cutting::of(&data, json_length(&data));
            assert_eq!(
                (cutting.weigh(&data, ""), data.to_string().len()),
                (json_length(&data), json_length(&data)),
                "{data}"
            );
        }
    }

    #[test]
    fn whatever_it_is_made_of_it_fits_and_the_size_is_known() {
        let rows = |count: usize, length: usize| {
            vec![json!({"notes": vec!["n".repeat(length); 9], "text": "t".repeat(length)}); count]
        };
        for data in
            [json!(rows(40, 30)), json!({"rows": rows(7, 500), "one": "ü".repeat(4_000)}), json!([[rows(3, 900)]])]
        {
            for room in [1_500, 6_000] {
                let answer = Answer::done(data.clone(), Meta::default()).fit(room);
                let data = answer.data.unwrap();
                assert!(data.to_string().len() <= room, "{} > {room}", data.to_string().len());
                assert!(answer.meta.truncated.is_some());
            }
        }
    }

    #[test]
    fn many_rows_are_cut_in_a_moment() {
        let rows: Vec<Value> =
            (0..20_000).map(|nth| json!({"id": nth, "tags": ["a", "b"], "text": "x".repeat(100)})).collect();
        let data = Answer::done(json!({"rows": rows}), Meta::default()).fit(30_000).data.unwrap();
        assert!((10..20_000).contains(&data["rows"].as_array().unwrap().len()));
    }
}
