//! From what was typed to the input of an action, and from values to what is typed: each the other's way back.

use capabilities::OrgFacts;
use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::{Map, Value, json};

use crate::form::asked::Asked;
use crate::form::kind::Kind;
use crate::form::typed::{Problems, Typed};
use crate::words::{self, amount, minor_units, money};

/// How browsers send a day and a time.
pub(crate) const LOCAL: &str = "%Y-%m-%dT%H:%M";
/// What a ticked box sends.
pub(crate) const TICKED: &str = "yes";
/// Fields of this lead say how something was when the page was made.
pub(crate) const WAS: &str = "was.";

/// Reads what was typed.
pub(crate) struct Reader<'t> {
    pub typed: &'t Typed,
    pub org: &'t OrgFacts,
    pub problems: Problems,
}

impl Reader<'_> {
    /// The members as an input has them. What was left as the page showed it is not among them, unless it is required.
    pub fn all(&mut self, asked: &[Asked]) -> Map<String, Value> {
        self.members(asked, false)
    }

    /// The same of something that stood on the page with its values, or not.
    fn members(&mut self, asked: &[Asked], was_shown: bool) -> Map<String, Value> {
        let mut input = Map::new();
        for member in asked {
            let was = self.typed.get(&format!("{WAS}{}", member.name)).to_string();
            let is_same = !was.is_empty() && was == self.typed.digest(&member.name);
            if is_same && !member.is_required {
                continue;
            }
            let was_shown = was_shown || !was.is_empty();
            let value = self.value(member, was_shown).or_else(|| self.nothing(member, was_shown));
            value.into_iter().for_each(|value| drop(input.insert(member.member().into(), value)));
        }
        input
    }

    /// What becomes of a field in which nothing stands.
    fn nothing(&mut self, asked: &Asked, was_shown: bool) -> Option<Value> {
        match &asked.kind {
            _ if !self.problems.get(&asked.name).is_empty() => None,
            Kind::Tick => was_shown.then_some(false.into()),
            _ if asked.is_required => {
                self.problems.add(&asked.name, &asked.missing);
                None
            }
            _ if !was_shown => None,
            _ if asked.may_be_null => Some(Value::Null),
            Kind::Several(_) | Kind::Parts(_) => Some(json!([])),
            _ => None,
        }
    }

    fn value(&mut self, asked: &Asked, was_shown: bool) -> Option<Value> {
        match &asked.kind {
            Kind::Part(members) => self.part(&asked.name, members, asked.is_required, was_shown).map(Value::Object),
            Kind::Parts(members) => {
                let each = (0..self.typed.count(&asked.name)).filter_map(|nth| {
                    let members: Vec<Asked> = members.iter().map(|member| nth_of(member, &asked.name, nth)).collect();
                    self.part(&format!("{}.{nth}", asked.name), &members, false, false).map(Value::Object)
                });
                Some(each.collect::<Vec<_>>()).filter(|each| !each.is_empty()).map(Value::from)
            }
            Kind::Several(one) => {
                let typed: Vec<String> = match **one {
                    Kind::OneOf(_) | Kind::Record(_) => self.typed.all(&asked.name).map(str::to_string).collect(),
                    _ => lines(self.typed.get(&asked.name)),
                };
                let each: Option<Vec<Value>> = typed.iter().map(|typed| self.one(asked, one, typed)).collect();
                each.filter(|each| !each.is_empty()).map(Value::from)
            }
            Kind::Pairs(one) => {
                let lines = lines(self.typed.get(&asked.name));
                let pair = |line: &String| {
                    let (name, typed) = line.split_once(':')?;
                    Some((name.trim().to_string(), self.one(asked, one, typed.trim())?))
                };
                let pairs: Option<Map<String, Value>> = lines.iter().map(pair).collect();
                if pairs.is_none() {
                    self.problems.add(&asked.name, "Write a line for each, with a colon after its name.");
                }
                pairs.filter(|pairs| !pairs.is_empty()).map(Value::Object)
            }
            kind => {
                let typed = self.typed.get(&asked.name).to_string();
                if typed.is_empty() { None } else { self.one(asked, kind, &typed) }
            }
        }
    }

    fn part(
        &mut self,
        name: &str,
        members: &[Asked],
        is_required: bool,
        was_shown: bool,
    ) -> Option<Map<String, Value>> {
        (is_required || self.typed.has(name)).then(|| self.members(members, was_shown))
    }

    /// A value from what was typed for it; what is none is told.
    fn one(&mut self, asked: &Asked, kind: &Kind, typed: &str) -> Option<Value> {
        let value = match kind {
            Kind::Count => typed.parse::<i64>().map(Value::from).map_err(|_| "Write a whole number.").ok(),
            Kind::Number { is_text: true } => Some(decimal(typed).into()),
            Kind::Number { is_text: false } => decimal(typed).parse::<f64>().ok().map(|number| json!(number)),
            Kind::Tick => return (typed == TICKED).then_some(true.into()),
            Kind::Moment => self.moment(typed),
            Kind::Money => minor_units(typed, self.org).map(|minor| json!(self.org.money(minor))),
            _ => Some(typed.replace("\r\n", "\n").into()),
        };
        if value.is_none() {
            self.problems.add(&asked.name, &asked.missing);
        }
        value
    }

    /// A time of the business, as browsers send it.
    fn moment(&self, typed: &str) -> Option<Value> {
        let local = NaiveDateTime::parse_from_str(typed.get(..16)?, LOCAL).ok()?;
        let time = local.and_local_timezone(self.org.timezone).earliest()?;
        Some(time.with_timezone(&Utc).to_rfc3339().into())
    }
}

/// A member of the nth of several things.
pub(crate) fn nth_of(member: &Asked, name: &str, nth: usize) -> Asked {
    let moved = |asked: &Asked| {
        let rest = asked.name.strip_prefix(name).unwrap_or_default();
        Asked { name: format!("{name}.{nth}{rest}"), ..asked.clone() }
    };
    let mut moved = moved(member);
    if let Kind::Part(members) = &mut moved.kind {
        *members = members.iter().map(|member| nth_of(member, name, nth)).collect();
    }
    moved
}

/// Thumbs type a comma where the country does.
#[must_use]
pub fn decimal(typed: &str) -> String {
    typed.trim().replace(',', ".")
}

fn lines(typed: &str) -> Vec<String> {
    typed.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_string).collect()
}

/// A value as one types it.
pub(crate) fn fill(asked: &Asked, value: &Value, org: &OrgFacts, into: &mut Typed) {
    match (&asked.kind, value) {
        (_, Value::Null) => {}
        (Kind::Part(members), value) => {
            members.iter().for_each(|member| fill(member, &value[member.member()], org, into));
        }
        (Kind::Parts(members), Value::Array(each)) => {
            for (nth, one) in each.iter().enumerate() {
                let members = members.iter().map(|member| nth_of(member, &asked.name, nth));
                members.for_each(|member| fill(&member, &one[member.member()], org, into));
            }
        }
        (Kind::Several(one), Value::Array(each)) if matches!(**one, Kind::OneOf(_) | Kind::Record(_)) => {
            each.iter().for_each(|value| into.push(&asked.name, as_typed(one, value, org)));
        }
        (Kind::Several(one), Value::Array(each)) => {
            let lines: Vec<String> = each.iter().map(|value| as_typed(one, value, org)).collect();
            into.push(&asked.name, lines.join("\n"));
        }
        (Kind::Pairs(one), Value::Object(pairs)) => {
            let line = |(name, value): (&String, &Value)| format!("{name}: {}", as_typed(one, value, org));
            into.push(&asked.name, pairs.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        (kind, value) => into.push(&asked.name, as_typed(kind, value, org)),
    }
}

fn as_typed(kind: &Kind, value: &Value, org: &OrgFacts) -> String {
    match (kind, value) {
        (Kind::Money, value) => {
            amount(value).map(|(minor, currency)| money_as_typed(minor, currency, org)).unwrap_or_default()
        }
        (Kind::Tick, Value::Bool(is_so)) => if *is_so { TICKED } else { "" }.into(),
        (Kind::Moment | Kind::LocalTime, value) => match words::time(value) {
            Some(at) => local(at, org),
            None => value.as_str().unwrap_or_default().into(),
        },
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}

fn local(at: DateTime<Utc>, org: &OrgFacts) -> String {
    at.with_timezone(&org.timezone).format(LOCAL).to_string()
}

/// An amount as one types it: without its unit.
#[must_use]
pub fn money_as_typed(minor: i64, currency: &str, org: &OrgFacts) -> String {
    let written = money(minor, currency, org).replace('−', "-");
    written.chars().filter(|c| c.is_ascii_digit() || ".,-".contains(*c)).collect()
}
