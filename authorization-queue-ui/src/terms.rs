//! The limits of a rule, as the forms ask for them that make one and change one.

use chrono::Days;
use serde_json::{Map, Value};
use ui_kit::{Control, Page, Problems};

/// What somebody typed for the limits of a rule.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'t> {
    pub per_call: &'t str,
    pub per_day: &'t str,
    /// The last day on which it holds.
    pub until: &'t str,
}

impl Terms<'_> {
    /// Puts the numbers into an input, null for none; what is no number is told.
    pub fn put_numbers(self, input: &mut Value, problems: &mut Problems) {
        for (member, typed) in [("items_per_call", self.per_call), ("items_per_day", self.per_day)] {
            match typed.trim() {
                "" => input[member] = Value::Null,
                number => match number.parse::<i32>() {
                    Ok(number) => input[member] = number.into(),
                    Err(_) => problems.add(member, "Write a whole number, or leave it empty for no limit."),
                },
            }
        }
    }

    /// Puts the end of the last day in; none if there is none, or if it was left as it was shown.
    pub fn put_end(self, page: &Page<'_>, shown: &str, input: &mut Value, problems: &mut Problems) {
        match (self.until.trim(), page.end_of(self.until.trim())) {
            (same, _) if same == shown => {}
            ("", _) => input["until"] = Value::Null,
            (_, Some(until)) => input["until"] = until.to_rfc3339().into(),
            (_, None) => problems.add("until", "Choose a day, or leave it empty for no end."),
        }
    }

    /// The numbers, to try a rule with: 0 for none. What is no number that a rule can have is left out.
    pub fn to_try(self) -> Map<String, Value> {
        let number = |typed: &str, most: i32| match typed.trim() {
            "" => Some(0),
            number => number.parse().ok().filter(|number| (1..=most).contains(number)),
        };
        let numbers =
            [("items_per_call", number(self.per_call, 500)), ("items_per_day", number(self.per_day, 100_000))];
        numbers.into_iter().filter_map(|(name, number)| Some((name.to_string(), number?.into()))).collect()
    }

    /// Its fields; `many` is what is counted.
    pub fn fields(self, page: &Page<'_>, many: &str, problems: &Problems) -> Vec<Control> {
        let tomorrow = (page.today() + Days::new(1)).to_string();
        let field = |id: &str, name: &str, label: String, hint: &str, value: &str| Control {
            keys: "numeric",
            hint: hint.into(),
            ..Control::line(id, name, label, value, problems)
        };
        let call = field(
            "per-call",
            "items_per_call",
            format!("At most so many {many} at once"),
            "Empty: no number, but then more than 5 at once wait again.",
            self.per_call,
        );
        let day = field(
            "per-day",
            "items_per_day",
            format!("At most so many {many} a day"),
            "Empty: no number, but then many within minutes wait again.",
            self.per_day,
        );
        let until = Control {
            kind: "date",
            keys: "",
            least: tomorrow,
            ..field(
                "until",
                "until",
                "Until the end of this day".into(),
                "Empty: until somebody revokes it.",
                self.until,
            )
        };
        Control::focused([call, day, until].into())
    }
}
