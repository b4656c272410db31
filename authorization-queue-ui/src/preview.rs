//! What a request would do, told so that a person can decide: rows that change alike are one group, what goes along with a
//! record stands with it, and of many the first are shown whole and the others in a line each.

use std::collections::{BTreeMap, HashMap, HashSet};

use capabilities::{Registry, visible};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::fields::{Field, Vocabulary};
use crate::words;

/// So many groups are shown whole.
const WHOLE: usize = 6;
/// So many names of a group stand in the open.
const NAMED: usize = 10;
/// So many groups are told on one page, in all,
const GROUPS: usize = 300;
/// each in so many characters once the first are through.
const LINE: usize = 140;
/// What a person is called when no list knows the record any more.
const PARTS_OF_NAME: [&str; 3] = ["given_name", "family_name", "organization_name"];
const NAMES: [&str; 4] = ["display_name", "name", "title", "number"];

/// A row of a preview, as the office stores it.
#[derive(Debug, Clone, Deserialize)]
struct Change {
    data_type: String,
    id: Uuid,
    change: String,
    fields: Map<String, Value>,
}

/// The whole of a preview.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    groups: Vec<Group>,
    /// Groups after the first ones, in a line each.
    lines: Vec<String>,
    /// "490 more contacts".
    folded: String,
    /// Where the next page of them begins.
    next: Option<usize>,
    is_first: bool,
    /// What was part of it before and is not any more.
    gone: Vec<String>,
    letters: Vec<Letter>,
    warnings: Vec<String>,
}

/// Records that change alike.
#[derive(Debug, Serialize)]
struct Group {
    kind: Kind,
    title: String,
    name: String,
    names: Vec<String>,
    more_names: Vec<String>,
    more: String,
    fields: Vec<Field>,
    parts: Vec<Part>,
    /// Whether it came to this since the person looked before.
    is_new: bool,
}

/// Rows that go along with a record.
#[derive(Debug, Serialize)]
struct Part {
    kind: Kind,
    title: String,
    lines: Vec<String>,
    is_new: bool,
}

/// Whether rows come, change or go: a word, and a class for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
struct Kind {
    class: &'static str,
    word: &'static str,
    sign: &'static str,
}

impl Kind {
    fn of(change: &str) -> Self {
        match change {
            "created" => Self { class: "created", word: "New", sign: "+" },
            "deleted" => Self { class: "deleted", word: "Deleted", sign: "−" },
            _ => Self { class: "changed", word: "Changed", sign: "↻" },
        }
    }
}

/// Something that would be sent, as who gets it would read it.
#[derive(Debug, Serialize)]
struct Letter {
    summary: String,
    to: String,
    subject: String,
    text: String,
}

/// What a preview is told with.
pub(crate) struct Teller<'r> {
    pub registry: &'r Registry,
    /// The action whose preview it is.
    pub action: &'r str,
    pub vocabulary: Vocabulary,
}

fn changes(preview: &Value) -> Vec<Change> {
    let rows = preview["changes"].as_array().into_iter().flatten();
    rows.filter_map(|row| Change::deserialize(row).ok()).collect()
}

/// The records that a preview is about and refers to, by the data types that know their names.
pub(crate) fn referred<'r>(registry: &'r Registry, preview: &Value) -> BTreeMap<&'r str, Vec<Uuid>> {
    let mut wanted: BTreeMap<&str, HashSet<Uuid>> = BTreeMap::new();
    let of_table = |table: &str| registry.data_types().find(|entry| words::is_table_of(entry.name, table));
    let of_field = |field: &str| {
        let one = field.strip_suffix("_id")?;
        let names = |entry: &&capabilities::DataEntry| {
            one.strip_suffix(entry.one).is_some_and(|role| role.is_empty() || role.ends_with('_'))
        };
        registry.data_types().find(names)
    };
    for change in changes(preview) {
        let own = of_table(&change.data_type);
        if let Some(entry) = own {
            wanted.entry(entry.name).or_default().insert(change.id);
        }
        for (field, sides) in &change.fields {
            let ids = ["from", "to"].iter().filter_map(|side| sides[*side].as_str()?.parse::<Uuid>().ok());
            if let Some(entry) = of_field(field).or(own) {
                wanted.entry(entry.name).or_default().extend(ids);
            }
        }
    }
    let wanted = wanted.into_iter().filter(|(_, ids)| !ids.is_empty());
    wanted.map(|(name, ids)| (name, ids.into_iter().collect())).collect()
}

/// A change in words.
struct Told {
    id: Uuid,
    table: String,
    kind: Kind,
    fields: Vec<Field>,
    name: String,
    parts: Vec<Change>,
    is_new: bool,
}

/// What a person saw before: rows by what identifies them, with their fields.
type Before = HashMap<String, Vec<Field>>;

impl Teller<'_> {
    /// Tells a preview from the group `from` on; `before` is what was shown until now, if something else was.
    pub fn tell(&self, preview: &Value, before: Option<(&Value, &Vocabulary)>, from: usize) -> Shown {
        let now = changes(preview);
        let seen: Option<Before> = before.map(|(preview, vocabulary)| {
            changes(preview).iter().map(|change| (key(change, vocabulary), told_fields(change, vocabulary))).collect()
        });
        let gone = before.map_or_else(Vec::new, |(preview, vocabulary)| self.gone(preview, vocabulary, &now));
        let mut told = self.group(now, seen.as_ref());
        // What differs from before is what a person must see now.
        told.sort_by_key(|rows| !rows[0].is_new);
        let count = told.len();
        let rest: Vec<Vec<Told>> = told.into_iter().skip(from).take(GROUPS).collect();
        let next = Some(from + rest.len()).filter(|next| *next < count);
        let mut groups: Vec<Group> = rest.into_iter().map(|rows| self.shown(rows, seen.as_ref())).collect();
        let lines: Vec<String> = groups.drain(WHOLE.min(groups.len())..).map(|group| group.line()).collect();
        let letters = preview["errands"].as_array().into_iter().flatten().map(letter);
        let warnings = preview["warnings"].as_array().into_iter().flatten();
        Shown {
            groups,
            folded: format!("{} more", lines.len()),
            lines,
            next,
            is_first: from == 0,
            gone,
            letters: letters.collect(),
            warnings: warnings.map(|warning| words::text(&warning["message"])).collect(),
        }
    }

    /// Puts what goes along with a record beside it, and records that change alike together.
    fn group(&self, changes: Vec<Change>, seen: Option<&Before>) -> Vec<Vec<Told>> {
        let domain = self.action.split('.').next().unwrap_or_default();
        let own = self.registry.domains().iter().find(|known| known.name == domain);
        let is_own = |table: &str| {
            own.is_some_and(|domain| domain.data.iter().any(|entry| words::is_table_of(entry.name, table)))
        };
        let (mut records, mut parts): (Vec<Change>, Vec<Change>) =
            changes.into_iter().partition(|change| is_own(&change.data_type));
        if records.is_empty() {
            records = std::mem::take(&mut parts);
        }
        let mut told: Vec<Told> = records.into_iter().map(|record| self.told(record, seen)).collect();
        let places: HashMap<Uuid, usize> = told.iter().enumerate().map(|(place, row)| (row.id, place)).collect();
        for part in parts {
            let side = |side: &'static str| {
                let ids = part.fields.values().filter_map(move |sides| sides[side].as_str()?.parse::<Uuid>().ok());
                ids.filter_map(|id| places.get(&id)).copied().next()
            };
            let only = (places.len() == 1).then_some(0);
            match side("to").or_else(|| side("from")).or(only) {
                Some(place) => told[place].parts.push(part),
                None => told.push(self.told(part, seen)),
            }
        }
        alike(told)
    }

    fn told(&self, change: Change, seen: Option<&Before>) -> Told {
        let mut fields = told_fields(&change, &self.vocabulary);
        let known = seen.map(|seen| seen.get(&key(&change, &self.vocabulary)));
        if let Some(Some(known)) = known {
            fields.iter_mut().for_each(|field| field.is_new = !known.contains(field));
        }
        let is_new = match known {
            None => false,
            Some(None) => true,
            Some(Some(_)) => fields.iter().any(|field| field.is_new),
        };
        Told {
            name: name(&change, &self.vocabulary),
            kind: Kind::of(&change.change),
            id: change.id,
            table: change.data_type,
            fields,
            parts: Vec::new(),
            is_new,
        }
    }

    fn shown(&self, mut rows: Vec<Told>, seen: Option<&Before>) -> Group {
        let (one, many) = words::kind(self.registry, &rows[0].table);
        let count = rows.len();
        let (fields, parts) = (std::mem::take(&mut rows[0].fields), std::mem::take(&mut rows[0].parts));
        let title = if count == 1 { words::capitalized(&one) } else { counted(count, &one, &many) };
        let mut names: Vec<String> =
            if count == 1 { Vec::new() } else { rows.iter().map(|row| row.name.clone()).collect() };
        let more_names = names.split_off(NAMED.min(names.len()));
        let parts = self.parts(parts, rows[0].id, seen);
        Group {
            kind: rows[0].kind,
            title,
            name: if count == 1 { rows[0].name.clone() } else { String::new() },
            more: format!("{} more", more_names.len()),
            names,
            more_names,
            fields,
            is_new: rows[0].is_new || parts.iter().any(|part| part.is_new),
            parts,
        }
    }

    /// What goes along with a record, by kind: "3 notes", "1 address".
    fn parts(&self, parts: Vec<Change>, record: Uuid, seen: Option<&Before>) -> Vec<Part> {
        let mut kinds: Vec<((String, String), Vec<Change>)> = Vec::new();
        for part in parts {
            let kind = (part.data_type.clone(), part.change.clone());
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, rows)) => rows.push(part),
                None => kinds.push((kind, vec![part])),
            }
        }
        let part = |((table, change), rows): ((String, String), Vec<Change>)| {
            let (one, many) = words::kind(self.registry, &table);
            let told: Vec<Told> = rows.into_iter().map(|row| self.told(without(row, record), seen)).collect();
            Part {
                kind: Kind::of(&change),
                title: counted(told.len(), &one, &many),
                is_new: told.iter().any(|row| row.is_new),
                lines: told.iter().map(|row| line(&row.fields, 3 * LINE)).filter(|line| !line.is_empty()).collect(),
            }
        };
        kinds.into_iter().map(part).collect()
    }

    fn gone(&self, before: &Value, vocabulary: &Vocabulary, now: &[Change]) -> Vec<String> {
        let kept: HashSet<String> = now.iter().map(|change| key(change, &self.vocabulary)).collect();
        let gone = changes(before).into_iter().filter(|change| !kept.contains(&key(change, vocabulary)));
        gone.map(|change| {
            let (one, _) = words::kind(self.registry, &change.data_type);
            words::capitalized(&format!("{one} {}", name(&change, &self.vocabulary)))
        })
        .collect()
    }
}

impl Group {
    fn line(&self) -> String {
        let what = [self.kind.word, &self.title, &self.name].join(" ");
        let parts = self.parts.iter().map(|part| format!("{} ({})", part.title, part.kind.word.to_lowercase()));
        let along: Vec<String> = parts.collect();
        let names = [self.names.as_slice(), self.more_names.as_slice()].concat().join(", ");
        let told = [names, line(&self.fields, LINE), along.join(", ")];
        let told: Vec<String> = told.into_iter().filter(|text| !text.is_empty()).collect();
        format!("{}: {}", what.trim(), told.join("; "))
    }
}

/// Records without anything beside them that come to the same are one group, in the order of the first.
fn alike(told: Vec<Told>) -> Vec<Vec<Told>> {
    let mut groups: Vec<Vec<Told>> = Vec::new();
    let mut places: HashMap<(String, Kind, bool, Vec<Field>), usize> = HashMap::new();
    for row in told {
        let comes = row.kind.class == "created" || !row.parts.is_empty();
        let alike = (row.table.clone(), row.kind, row.is_new, row.fields.clone());
        match places.get(&alike).filter(|_| !comes) {
            Some(place) => groups[*place].push(row),
            None => {
                if !comes {
                    places.insert(alike, groups.len());
                }
                groups.push(vec![row]);
            }
        }
    }
    groups
}

/// By what a row is known again in another run: a new one has another id each time, and is known by what it holds.
fn key(change: &Change, vocabulary: &Vocabulary) -> String {
    match change.change.as_str() {
        "created" => format!("{} {}", change.data_type, line(&told_fields(change, vocabulary), usize::MAX)),
        other => format!("{} {} {other}", change.data_type, change.id),
    }
}

fn told_fields(change: &Change, vocabulary: &Vocabulary) -> Vec<Field> {
    vocabulary.fields(&change.fields, change.change != "updated")
}

/// A row that comes or goes with a record need not say whose it is.
fn without(mut change: Change, record: Uuid) -> Change {
    if change.change != "updated" {
        let is_record = |sides: &Value| {
            ["from", "to"].iter().any(|side| sides[*side].as_str().is_some_and(|id| id == record.to_string()))
        };
        change.fields.retain(|_, sides| !is_record(sides));
    }
    change
}

fn name(change: &Change, vocabulary: &Vocabulary) -> String {
    let value = |field: &&str| {
        let sides = change.fields.get(*field)?;
        sides["to"].as_str().or(sides["from"].as_str()).map(visible)
    };
    let known = vocabulary.names.get(&change.id).map(|name| visible(name));
    let own = || match change.change.as_str() {
        "updated" => None,
        _ => NAMES.iter().find_map(value).or_else(|| {
            let parts: Vec<String> = PARTS_OF_NAME.iter().filter_map(value).collect();
            Some(parts.join(" ")).filter(|name| !name.is_empty())
        }),
    };
    known.or_else(own).map(|name| words::cut(&name, LINE)).unwrap_or_default()
}

fn line(fields: &[Field], most: usize) -> String {
    words::cut(&fields.iter().map(Field::line).collect::<Vec<_>>().join("; "), most)
}

fn counted(count: usize, one: &str, many: &str) -> String {
    words::counted(i64::try_from(count).unwrap_or(i64::MAX), one, many)
}

fn letter(errand: &Value) -> Letter {
    let payload = &errand["payload"];
    Letter {
        summary: words::text(&errand["summary"]),
        to: words::text(&payload["to"]),
        subject: words::text(&payload["subject"]),
        text: words::text(&payload["text"]),
    }
}
