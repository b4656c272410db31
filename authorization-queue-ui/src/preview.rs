//! What a request would do, told so that a person can decide: rows that change alike are one group, what goes along with a
//! record stands with it, and of many the first are shown whole and the others in a line each.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use capabilities::{Registry, visible};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use ui_kit::words;
use uuid::Uuid;

use crate::difference;
use crate::fields::{Field, UNTOLD, Vocabulary};
use crate::letters::Letter;

/// So many groups are shown whole.
const WHOLE: usize = 6;
/// So many names of a group stand in the open.
const NAMED: usize = 10;
/// So many groups are told on one page, in all,
const GROUPS: usize = 200;
/// each in so many characters once the first are through.
const LINE: usize = 140;
/// So many bytes of texts a page takes; of what does not fit, the rest stands on a page of its record.
const ROOM: usize = 32_000;
/// So many rows that change along with a record stand in the open.
const FEW: usize = 3;
/// A text that is no longer is never cut.
const OPEN: usize = 300;
/// What a line of a list takes besides its text.
const LINE_TAKES: usize = 120;
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

/// Which part of a preview a page shows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PreviewPart {
    /// The group it begins with.
    pub from: usize,
    /// The one record that it shows instead of all,
    pub of: Option<Uuid>,
    /// and of what goes along with it, the row it begins with.
    pub along: usize,
    /// The mail it begins with.
    pub letter: usize,
}

/// A group that is told in a line, and where it is told whole.
#[derive(Debug, Serialize)]
struct Folded {
    text: String,
    of: Option<Uuid>,
}

/// The whole of a preview.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    groups: Vec<Group>,
    /// Groups after the first ones, in a line each.
    lines: Vec<Folded>,
    /// "490 more contacts".
    folded: String,
    /// Where the next page of them begins.
    next: Option<usize>,
    is_first: bool,
    /// What was part of it before and is not any more.
    gone: Vec<String>,
    letters: Vec<Letter>,
    /// Where the next page of them begins.
    next_letter: Option<usize>,
    warnings: Vec<String>,
}

impl Shown {
    pub fn has_html(&self) -> bool {
        self.letters.iter().any(Letter::has_html)
    }
}

/// Records that change alike.
#[derive(Debug, Serialize)]
struct Group {
    kind: ChangeKind,
    title: String,
    name: String,
    names: Vec<String>,
    more_names: Vec<String>,
    more: String,
    fields: Vec<Field>,
    /// Whether a text among them is cut.
    is_cut: bool,
    parts: Vec<Part>,
    /// The record, for a page of its own.
    record: Uuid,
    /// Where the rows go on that go along with it and found no room.
    rest_from: Option<usize>,
    rest: String,
    /// Whether it came to this since the person looked before.
    is_new: bool,
}

/// Rows that go along with a record.
#[derive(Debug, Serialize)]
struct Part {
    kind: ChangeKind,
    title: String,
    lines: Vec<Line>,
    /// Whether it is so little that it need not be opened.
    is_open: bool,
    is_new: bool,
}

/// A row in a line, and all of it if that leaves something out.
#[derive(Debug, Serialize)]
struct Line {
    short: String,
    whole: String,
}

impl Line {
    fn of(fields: &[Field]) -> Self {
        let is_long = fields.iter().any(Field::is_long);
        let whole = || fields.iter().map(Field::whole).collect::<Vec<_>>().join("\n");
        Self { short: line(fields, 3 * LINE), whole: if is_long { whole() } else { String::new() } }
    }

    fn takes(&self) -> usize {
        LINE_TAKES + weight(&self.short) + weight(&self.whole)
    }
}

/// Whether rows come, change or go: a word, and a class for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
struct ChangeKind {
    class: &'static str,
    word: &'static str,
    sign: &'static str,
}

impl ChangeKind {
    fn of(change: &str) -> Self {
        match change {
            "created" => Self { class: "created", word: "New", sign: "+" },
            "deleted" => Self { class: "deleted", word: "Deleted", sign: "−" },
            _ => Self { class: "changed", word: "Changed", sign: "↻" },
        }
    }
}

/// What a preview is told with.
pub(crate) struct Teller<'r> {
    pub registry: &'r Registry,
    /// The action whose preview it is.
    pub action: &'r str,
    pub vocabulary: Vocabulary,
    pub room: Room,
}

/// How many bytes of texts a page still takes. What comes first is always taken, so that each page shows something.
pub(crate) struct Room(Cell<usize>);

impl Default for Room {
    fn default() -> Self {
        Self(Cell::new(ROOM))
    }
}

impl Room {
    fn takes(&self, bytes: usize) -> bool {
        let left = self.0.get();
        let taken = bytes <= left || left == ROOM;
        if taken {
            self.0.set(left.saturating_sub(bytes));
        }
        taken
    }
}

/// How many bytes a text is on a page, where a few signs are written as several.
fn weight(text: &str) -> usize {
    text.len() + 5 * text.bytes().filter(|byte| b"<>&\"'/".contains(byte)).count()
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
    kind: ChangeKind,
    fields: Vec<Field>,
    name: String,
    parts: Vec<Change>,
    is_new: bool,
}

/// What a person saw before: rows by what identifies them, with their fields.
type Before = HashMap<String, Vec<Field>>;

impl Teller<'_> {
    /// Tells the part of a preview that stands at `place`; `before` is what was shown until now, if something else was.
    pub fn tell(&self, preview: &Value, before: Option<(&Value, &Vocabulary)>, place: PreviewPart) -> Shown {
        let now = changes(preview);
        let seen: Option<Before> = before.map(|(preview, vocabulary)| {
            changes(preview).iter().map(|change| (key(change, vocabulary), told_fields(change, vocabulary))).collect()
        });
        let gone = before.map_or_else(Vec::new, |(preview, vocabulary)| self.gone(preview, vocabulary, &now));
        let mut told = self.group(now, seen.as_ref());
        // What differs from before is what a person must see now.
        told.sort_by_key(|rows| !rows[0].is_new);
        let known = before.map(|(preview, _)| errands(preview));
        let (letters, next_letter) = letters(errands(preview), known, place.letter);
        let warnings = preview["warnings"].as_array().into_iter().flatten();
        let shown = Shown {
            groups: Vec::new(),
            lines: Vec::new(),
            folded: String::new(),
            next: None,
            is_first: false,
            gone,
            letters,
            next_letter,
            warnings: warnings.map(|warning| words::text(&warning["message"])).collect(),
        };
        match place.of.filter(|of| told.iter().flatten().any(|row| row.id == *of)) {
            Some(of) => {
                let record = told.into_iter().flatten().filter(|row| row.id == of);
                let groups = record.map(|row| self.shown(vec![row], seen.as_ref(), Some(place.along))).collect();
                Shown { groups, ..shown }
            }
            None => self.from(told, seen.as_ref(), place.from, shown),
        }
    }

    /// The groups from a place on: the first ones whole, the others in a line each.
    fn from(&self, told: Vec<Vec<Told>>, seen: Option<&Before>, from: usize, shown: Shown) -> Shown {
        let count = told.len();
        let mut rest = told.into_iter().skip(from).take(GROUPS);
        let groups: Vec<Group> = rest.by_ref().take(WHOLE).map(|rows| self.shown(rows, seen, Some(0))).collect();
        let lines: Vec<Folded> = rest.map(|rows| self.shown(rows, seen, None).folded()).collect();
        let next = Some(from + groups.len() + lines.len()).filter(|next| *next < count);
        Shown { folded: format!("{} more", lines.len()), groups, lines, next, is_first: from == 0, ..shown }
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
            let parts = std::mem::take(&mut parts);
            records = if seen.is_none() { replaced(parts) } else { parts };
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
            kind: ChangeKind::of(&change.change),
            id: change.id,
            table: change.data_type,
            fields,
            parts: Vec::new(),
            is_new,
        }
    }

    /// A group; told whole, it shows what goes along with its record from the row `along` on.
    fn shown(&self, mut rows: Vec<Told>, seen: Option<&Before>, along: Option<usize>) -> Group {
        let (one, many) = words::kind(self.registry, &rows[0].table);
        let count = rows.len();
        let (mut fields, parts) = (std::mem::take(&mut rows[0].fields), std::mem::take(&mut rows[0].parts));
        let title = if count == 1 { words::capitalized(&one) } else { counted(count, &one, &many) };
        let mut names: Vec<String> =
            if count == 1 { Vec::new() } else { rows.iter().map(|row| row.name.clone()).collect() };
        let more_names = names.split_off(NAMED.min(names.len()));
        let told_whole = fields.iter_mut().filter(|_| along.is_some());
        let is_cut = told_whole.filter_map(|field| self.fit(field).then_some(())).count() > 0;
        // Beside what was shown before, a new row is known again by what it holds: it stays one of its own.
        let parts = if seen.is_none() { replaced(parts) } else { parts };
        let all = parts.len();
        let (parts, rest) = self.parts(parts, rows[0].id, seen, along);
        Group {
            kind: rows[0].kind,
            title,
            name: if count == 1 { rows[0].name.clone() } else { String::new() },
            more: format!("{} more", more_names.len()),
            names,
            more_names,
            fields,
            is_cut,
            record: rows[0].id,
            rest_from: Some(all - rest).filter(|_| rest > 0 && along.is_some()),
            rest: format!("{} more", words::grouped(i64::try_from(rest).unwrap_or(i64::MAX))),
            is_new: rows[0].is_new || parts.iter().any(|part| part.is_new),
            parts,
        }
    }

    /// Tells a long text word by word where that helps, and cuts what finds no room; whether it did.
    fn fit(&self, field: &mut Field) -> bool {
        let sides: Vec<&String> = [&field.before, &field.after].into_iter().flatten().collect();
        let takes = sides.iter().map(|text| weight(text)).sum();
        let is_long = sides.iter().any(|text| text.len() > OPEN);
        if !self.room.takes(takes) && is_long {
            for side in [&mut field.before, &mut field.after].into_iter().flatten() {
                *side = words::cut(side, OPEN);
            }
            return true;
        }
        if let (Some(before), Some(after)) = (&field.before, &field.after) {
            field.pieces = difference::by_word(before, after);
        }
        false
    }

    /// What goes along with a record, by kind: "3 notes", "1 address". Of the rows from `along` on as many as find room, and
    /// how many do not.
    fn parts(
        &self,
        parts: Vec<Change>,
        record: Uuid,
        seen: Option<&Before>,
        along: Option<usize>,
    ) -> (Vec<Part>, usize) {
        let mut kinds: Vec<((String, String), Vec<Change>)> = Vec::new();
        for part in parts {
            let kind = (part.data_type.clone(), part.change.clone());
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, rows)) => rows.push(part),
                None => kinds.push((kind, vec![part])),
            }
        }
        let (mut before, mut rest) = (along.unwrap_or(usize::MAX), 0);
        let mut part = |((table, change), rows): ((String, String), Vec<Change>)| {
            let (one, many) = words::kind(self.registry, &table);
            let told: Vec<Told> = rows.into_iter().map(|row| self.told(without(row, record), seen)).collect();
            let skipped = before.min(told.len());
            before -= skipped;
            let lines = told[skipped..].iter().map(|row| Line::of(&row.fields));
            let lines: Vec<Line> =
                lines.map_while(|line| (rest == 0 && self.room.takes(line.takes())).then_some(line)).collect();
            rest += told.len() - skipped - lines.len();
            Part {
                kind: ChangeKind::of(&change),
                title: counted(told.len(), &one, &many),
                is_open: change == "updated" && told.len() <= FEW || along.is_some_and(|along| along > 0),
                is_new: told.iter().any(|row| row.is_new),
                lines: lines.into_iter().filter(|line| !line.short.is_empty()).collect(),
            }
        };
        let parts = kinds.into_iter().map(&mut part).collect();
        (parts, rest)
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
    /// In a line, with a page of its own if that leaves something out.
    fn folded(&self) -> Folded {
        let is_whole = self.parts.is_empty() && !self.fields.iter().any(Field::is_long);
        Folded { text: self.line(), of: Some(self.record).filter(|_| !is_whole && self.names.is_empty()) }
    }

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
    let mut places: HashMap<(String, ChangeKind, bool, Vec<Field>), usize> = HashMap::new();
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

/// Where one row of a kind goes and one comes that belongs to the same record, it was replaced: people read what changed,
/// "256-555-0100 → 256-555-0199".
fn replaced(mut parts: Vec<Change>) -> Vec<Change> {
    let mut kinds: BTreeMap<&str, [Vec<usize>; 2]> = BTreeMap::new();
    for (place, part) in parts.iter().enumerate() {
        let ways = kinds.entry(&part.data_type).or_default();
        match part.change.as_str() {
            "deleted" => ways[0].push(place),
            "created" => ways[1].push(place),
            _ => {}
        }
    }
    let is_of = |place: usize, side: &str| -> Vec<(String, Value)> {
        let fields = parts[place].fields.iter().filter(|(name, _)| name.ends_with("_id"));
        fields.map(|(name, sides)| (name.clone(), sides[side].clone())).collect()
    };
    let pair = |ways: [Vec<usize>; 2]| match (&ways[0][..], &ways[1][..]) {
        ([gone], [new]) if is_of(*gone, "from") == is_of(*new, "to") => Some((*gone, *new)),
        _ => None,
    };
    let pairs: Vec<(usize, usize)> = kinds.into_values().filter_map(pair).collect();
    for (gone, new) in &pairs {
        let mut came = std::mem::take(&mut parts[*new].fields);
        let went = std::mem::take(&mut parts[*gone].fields);
        let names: BTreeSet<String> = went.keys().chain(came.keys()).cloned().collect();
        let both = names.into_iter().filter(|name| !UNTOLD.contains(&name.as_str())).filter_map(|name| {
            let from = went.get(&name).map(|sides| sides["from"].clone()).unwrap_or_default();
            let to = came.remove(&name).map(|mut sides| sides["to"].take()).unwrap_or_default();
            (from != to).then(|| (name, serde_json::json!({"from": from, "to": to})))
        });
        parts[*new].fields = both.collect();
        parts[*new].change = "updated".into();
    }
    let gone: HashSet<usize> = pairs.into_iter().map(|(gone, _)| gone).collect();
    parts.into_iter().enumerate().filter(|(place, _)| !gone.contains(place)).map(|(_, part)| part).collect()
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

fn errands(preview: &Value) -> &[Value] {
    preview["errands"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The mails from a place on, as many as find room, and where the others begin; marked if they are not among the `known`.
fn letters(errands: &[Value], known: Option<&[Value]>, from: usize) -> (Vec<Letter>, Option<usize>) {
    let room = Room::default();
    let rest = errands.get(from..).unwrap_or_default().iter();
    let taken = |errand: &&Value| room.takes(LINE_TAKES + weight(&errand["letter"].to_string()));
    let is_new = |errand: &Value| known.is_some_and(|known| !known.contains(errand));
    let letters: Vec<Letter> = rest.take_while(taken).map(|errand| Letter::of(errand, is_new(errand))).collect();
    let next = Some(from + letters.len()).filter(|next| *next < errands.len());
    (letters, next)
}
