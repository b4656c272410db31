//! Takes payment card and social security numbers out of what people write, before it is stored anywhere.
//!
//! The page, this module and the database's trigger follow the same rules and share `redact_vectors.json`.
//! The hard part is not the Luhn check, which one number in ten passes, but to leave everything else alone:
//! - Digits are looked at in *groups*, and groups joined by up to three spaces or dashes as a *chain*. A number is
//!   always made of whole groups, so digits inside a longer run are never taken for a card.
//! - One group of 13 to 19 digits is a card if it passes Luhn. So are neighbouring groups in a usual card shape
//!   (`4-4-4-4`, `4-6-5`, …), wherever in the chain they stand. Any other grouping counts only for what is left
//!   of the chain without its phone numbers, dates and ZIP codes.
//! - `+` before at most 15 digits, all that E.164 allows, is a phone number whatever its check digit: rather keep
//!   the rare card written with a plus than lose a customer's number. Without a plus, a space or a leading `00`,
//!   13 digits of a phone number cannot be told from a card, and Luhn decides.
//! - UUIDs and words of 24 or more hexadecimal digits are ids. Account numbers of other kinds are not protected.

use std::borrow::Cow;
use std::iter::once;
use std::ops::Range;

/// What stands in the place of a number that was taken out.
pub const REDACTED: &str = "[REDACTED]";

/// A kind of number that is never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// A payment card number.
    Card,
    /// A social security number of the United States.
    Ssn,
}

impl Finding {
    /// The name used in warnings, security events and the test vectors.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Finding::Card => "card",
            Finding::Ssn => "ssn",
        }
    }
}

/// A text without card and social security numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted<'a> {
    /// The text, borrowed when nothing had to be taken out.
    pub text: Cow<'a, str>,
    /// One entry for each number taken out, cards first.
    pub found: Vec<Finding>,
}

/// Replaces every card and social security number in `text` by `[REDACTED]`.
///
/// Redacting twice changes nothing more.
#[must_use]
pub fn redact(text: &str) -> Redacted<'_> {
    let mut text = Cow::Borrowed(text);
    let mut found = Vec::new();
    // What a removed number leaves behind is a chain of its own, in which the next look may see more.
    while text.chars().filter_map(digit).take(9).count() == 9 {
        let spans: Vec<Span> = chains(&text).iter().flat_map(Chain::numbers).collect();
        if spans.is_empty() {
            break;
        }
        found.extend(spans.iter().map(|span| span.kind));
        text = Cow::Owned(without(&text, &spans));
    }
    found.sort_unstable();
    Redacted { text, found }
}

struct Span {
    kind: Finding,
    bytes: Range<usize>,
}

fn without(text: &str, spans: &[Span]) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    for span in spans {
        kept.push_str(&text[at..span.bytes.start]);
        kept.push_str(REDACTED);
        at = span.bytes.end;
    }
    kept + &text[at..]
}

/// The value of a digit, those of full width included.
fn digit(c: char) -> Option<u32> {
    match c {
        '0'..='9' => Some(c as u32 - '0' as u32),
        '０'..='９' => Some(c as u32 - '０' as u32),
        _ => None,
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{3000}')
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{ad}' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ff0d}')
}

fn is_in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || digit(c).is_some()
}

/// Digits in a row.
struct Group {
    bytes: Range<usize>,
    len: usize,
}

/// Groups joined by spaces or dashes.
struct Chain<'t> {
    text: &'t str,
    groups: Vec<Group>,
}

/// The most spaces and dashes between two groups of a chain: enough for `4111 - 1111`.
const WIDEST_GAP: usize = 3;

const LONGEST_CARD: usize = 19;

/// E.164: country code and number together.
const LONGEST_PHONE: usize = 15;

fn chains(text: &str) -> Vec<Chain<'_>> {
    let mut chains: Vec<Chain<'_>> = Vec::new();
    let mut gap = usize::MAX;
    let mut at = 0;
    let mut in_word = false;
    while let Some(c) = text[at..].chars().next() {
        if !in_word && let Some(end) = id_end(text, at) {
            at = end;
            gap = usize::MAX;
            in_word = true;
            continue;
        }
        if digit(c).is_some() {
            let group = group_at(text, at);
            at = group.bytes.end;
            match chains.last_mut().filter(|_| gap <= WIDEST_GAP) {
                Some(chain) => chain.groups.push(group),
                None => chains.push(Chain { text, groups: vec![group] }),
            }
            gap = 0;
        } else {
            at += c.len_utf8();
            gap = if is_space(c) || is_dash(c) { gap.saturating_add(1) } else { usize::MAX };
        }
        in_word = is_in_word(c);
    }
    chains
}

fn group_at(text: &str, start: usize) -> Group {
    let mut end = start;
    let mut len = 0;
    for c in text[start..].chars().take_while(|&c| digit(c).is_some()) {
        end += c.len_utf8();
        len += 1;
    }
    Group { bytes: start..end, len }
}

/// Where the UUID or other hexadecimal id ends that begins with the word at `start`.
fn id_end(text: &str, start: usize) -> Option<usize> {
    let word = |from: usize| {
        let rest = &text[from..];
        rest.find(|c| !is_in_word(c)).unwrap_or(rest.len())
    };
    let is_hex = |word: Range<usize>| text.as_bytes()[word].iter().all(u8::is_ascii_hexdigit);
    let first = word(start);
    if first >= 24 {
        return is_hex(start..start + first).then_some(start + first);
    }
    let mut end = start;
    for (nth, len) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if nth > 0 {
            if !text[end..].starts_with('-') {
                return None;
            }
            end += 1;
        }
        if word(end) != len || !is_hex(end..end + len) {
            return None;
        }
        end += len;
    }
    Some(end)
}

/// The groupings that cards are printed and read out in, the longest number first.
const CARD_SHAPES: [&[usize]; 9] = [
    &[4, 4, 4, 4, 3],
    &[4, 4, 4, 4, 2],
    &[4, 4, 4, 4, 1],
    &[4, 4, 4, 4],
    &[4, 6, 5],
    &[4, 4, 4, 3],
    &[4, 6, 4],
    &[4, 4, 4, 2],
    &[4, 4, 4, 1],
];

/// A number dialled to another country.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialled {
    Plus,
    Zeros,
}

impl Chain<'_> {
    fn numbers(&self) -> Vec<Span> {
        let dialled = self.dialled();
        if dialled == Some(Dialled::Plus) {
            return Vec::new();
        }
        let mut cards = Vec::new();
        if dialled.is_none() {
            cards = self.cards_in_usual_shape();
            if cards.is_empty() {
                cards = self.cards_in_other_shape();
            }
        }
        let mut numbers = Vec::new();
        let mut at = 0;
        for card in cards {
            self.ssns(at..card.start, dialled, &mut numbers);
            numbers.push(self.span(Finding::Card, &card));
            at = card.end;
        }
        self.ssns(at..self.groups.len(), dialled, &mut numbers);
        numbers
    }

    /// Whether the whole chain is a phone number, by its `+`, `00` or `011`.
    fn dialled(&self) -> Option<Dialled> {
        let (dialled, longest) = self.dialling()?;
        let len = self.len(0..self.groups.len());
        // Shorter ones with zeros may be social security numbers of the areas 001 to 009 and 011.
        let shortest = if dialled == Dialled::Plus { 0 } else { 11 };
        (shortest..=longest).contains(&len).then_some(dialled)
    }

    /// How the chain begins if it begins like a number dialled to another country, and the most digits of that.
    fn dialling(&self) -> Option<(Dialled, usize)> {
        if self.before().ends_with('+') {
            return Some((Dialled::Plus, LONGEST_PHONE));
        }
        match self.digits(0..self.groups.len()).take(4).collect::<Vec<_>>()[..] {
            [0, 0, country, ..] if country != 0 => Some((Dialled::Zeros, LONGEST_PHONE + 2)),
            [0, 1, 1, country] if country != 0 => Some((Dialled::Zeros, LONGEST_PHONE + 3)),
            _ => None,
        }
    }

    fn cards_in_usual_shape(&self) -> Vec<Range<usize>> {
        let candidates: Vec<Range<usize>> = (0..self.groups.len()).filter_map(|at| self.card_at(at)).collect();
        let mut card_of = vec![None; self.groups.len()];
        let mut free = 0;
        for card in &candidates {
            if card.start >= free {
                card_of[card.clone()].fill(Some(card.start));
                free = card.end;
            }
        }
        // Of two cards that share a group only one is real. Nobody can tell which, so the rest of the other goes too.
        for group in candidates.into_iter().flatten() {
            card_of[group] = card_of[group].or_else(|| card_of[group - 1]);
        }
        let mut end = 0;
        let mut cards = Vec::new();
        for card in card_of.chunk_by(|one, next| one == next) {
            end += card.len();
            cards.extend(card[0].map(|_| end - card.len()..end));
        }
        cards
    }

    fn card_at(&self, at: usize) -> Option<Range<usize>> {
        let shapes = CARD_SHAPES.iter().filter(|shape| self.has_shape(at, shape));
        let counts = shapes.map(|shape| shape.len()).chain(once(1));
        counts.map(|count| at..at + count).find(|card| self.is_card(card))
    }

    fn cards_in_other_shape(&self) -> Vec<Range<usize>> {
        let familiar = self.familiar();
        let mut cards = Vec::new();
        let mut start = 0;
        while start < familiar.len() {
            let end = start + familiar[start..].iter().take_while(|&&known| !known).count();
            cards.extend(self.card_among(start..end));
            start = end + 1;
        }
        cards
    }

    /// A card made of these groups, or of all but a short one at either end: a house number, a security code.
    fn card_among(&self, groups: Range<usize>) -> Option<Range<usize>> {
        if groups.len() < 2 {
            return None;
        }
        let starts = groups.start..=groups.start + usize::from(self.groups[groups.start].len <= 4);
        let shortest = groups.end - usize::from(self.groups[groups.end - 1].len <= 4);
        starts
            .flat_map(|start| (shortest..=groups.end).rev().map(move |end| start..end))
            .filter(|card| card.len() >= 2)
            .find(|card| self.is_card(card))
    }

    fn is_card(&self, groups: &Range<usize>) -> bool {
        let len = self.len(groups.clone());
        if !(13..=LONGEST_CARD).contains(&len) {
            return false;
        }
        let two_digits = self.digits(groups.clone()).take(2).fold(0, |value, digit| value * 10 + digit);
        let excluded = if groups.len() == 1 {
            self.is_timestamp(groups.start) || groups.start == 0 && (self.is_fraction() || self.dialled_groups() > 0)
        } else {
            // No card starts so, but phone numbers and years do.
            matches!(two_digits, 0..=9 | 19 | 20)
        };
        !excluded && self.passes_luhn(groups.clone())
    }

    fn passes_luhn(&self, groups: Range<usize>) -> bool {
        let digits: Vec<u32> = self.digits(groups).collect();
        let sum: u32 = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(nth, digit)| if nth % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
            .sum();
        sum.is_multiple_of(10)
    }

    /// For each group, whether it belongs to something that is never taken out.
    fn familiar(&self) -> Vec<bool> {
        let mut familiar = vec![false; self.groups.len()];
        let mut at = self.dialled_groups();
        familiar[..at].fill(true);
        while at < familiar.len() {
            let count = self.familiar_at(at);
            familiar[at..at + count].fill(true);
            at += count.max(1);
        }
        let last = familiar.len() - 1;
        familiar[0] |= self.is_fraction() || self.before().ends_with(['/', ':']) && self.groups[0].len <= 4;
        familiar[last] |= self.after().starts_with(['/', ':']) && self.groups[last].len <= 2;
        familiar
    }

    /// How many groups at the start may be a number dialled to another country.
    fn dialled_groups(&self) -> usize {
        let Some((_, longest)) = self.dialling() else { return 0 };
        let ends = self.groups.iter().scan(0, |len, group| {
            *len += group.len;
            Some(*len)
        });
        ends.take_while(|&len| len <= longest).count()
    }

    /// How many groups from here on are a phone number, a date or a ZIP code.
    fn familiar_at(&self, at: usize) -> usize {
        let lens: Vec<usize> = self.groups[at..].iter().take(4).map(|group| group.len).collect();
        match lens[..] {
            [1, 3, 3, 4] if self.value(at..at + 1) == 1 => 4,
            [3, 3, 4, ..] => 3,
            [4, 1..=2, 1..=2, ..] if self.is_date([at, at + 1, at + 2]) => 3,
            [1..=2, 1..=2, 4, ..] if self.is_date([at + 2, at + 1, at]) => 3,
            [5, 4, ..] if self.dash_before(at + 1) && !self.dash_before(at) && !self.dash_before(at + 2) => 2,
            [len, ..] if len > LONGEST_CARD => 1,
            // What a dash joins is one number, except for the above.
            _ if self.dash_before(at) || self.dash_before(at + 1) => 0,
            [5 | 9 | 10, ..] => 1,
            [11, ..] if self.value(at..at + 1) / 10_000_000_000 == 1 => 1,
            [8, ..] if is_compact_date(self.value(at..at + 1)) => 1,
            _ => 0,
        }
    }

    fn is_date(&self, [year, month, day]: [usize; 3]) -> bool {
        let value = |group: usize| self.value(group..group + 1);
        is_day(value(year), value(month), value(day)) || is_day(value(year), value(day), value(month))
    }

    /// Whether the group is written like `20261120143000`, with or without milliseconds.
    fn is_timestamp(&self, group: usize) -> bool {
        let value = self.value(group..group + 1);
        let seconds = match self.groups[group].len {
            14 => value,
            17 => value / 1000,
            _ => return false,
        };
        let [hour, minute, second] = [seconds / 10_000 % 100, seconds / 100 % 100, seconds % 100];
        is_compact_date(seconds / 1_000_000) && hour < 24 && minute < 60 && second < 60
    }

    /// Whether the first group stands behind a decimal point, as in a latitude.
    fn is_fraction(&self) -> bool {
        self.before().strip_suffix('.').is_some_and(|whole| whole.ends_with(|c: char| c.is_ascii_digit()))
    }

    fn ssns(&self, groups: Range<usize>, dialled: Option<Dialled>, found: &mut Vec<Span>) {
        let mut at = groups.start;
        while at < groups.end {
            let dashed = || self.dash_before(at + 1) && self.dash_before(at + 2);
            let shaped = at + 3 <= groups.end && self.has_shape(at, &[3, 2, 4]);
            let end = at + if shaped { 3 } else { 1 };
            let expected = if shaped {
                dialled.is_none() || dashed()
            } else {
                self.groups[at].len == 9 && names_ssn(&self.text[..self.groups[at].bytes.start])
            };
            if expected && is_ssn(self.value(at..end)) {
                found.push(self.span(Finding::Ssn, &(at..end)));
            }
            at = end;
        }
    }

    fn span(&self, kind: Finding, groups: &Range<usize>) -> Span {
        Span { kind, bytes: self.groups[groups.start].bytes.start..self.groups[groups.end - 1].bytes.end }
    }

    fn before(&self) -> &str {
        &self.text[..self.groups[0].bytes.start]
    }

    fn after(&self) -> &str {
        &self.text[self.groups[self.groups.len() - 1].bytes.end..]
    }

    fn len(&self, groups: Range<usize>) -> usize {
        self.groups[groups].iter().map(|group| group.len).sum()
    }

    fn digits(&self, groups: Range<usize>) -> impl Iterator<Item = u32> {
        self.groups[groups].iter().flat_map(|group| self.text[group.bytes.clone()].chars().filter_map(digit))
    }

    /// The number that the groups spell; they must not be longer than 19 digits.
    fn value(&self, groups: Range<usize>) -> u64 {
        self.digits(groups).fold(0, |value, digit| value * 10 + u64::from(digit))
    }

    fn has_shape(&self, at: usize, shape: &[usize]) -> bool {
        let groups = self.groups.get(at..at + shape.len());
        groups.is_some_and(|groups| groups.iter().zip(shape).all(|(group, &len)| group.len == len))
    }

    /// Whether nothing but a dash joins the group to the one before it.
    fn dash_before(&self, group: usize) -> bool {
        group > 0 && group < self.groups.len() && {
            let gap = self.groups[group - 1].bytes.end..self.groups[group].bytes.start;
            self.text[gap].chars().all(is_dash)
        }
    }
}

fn is_day(year: u64, month: u64, day: u64) -> bool {
    (1900..2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
}

fn is_compact_date(value: u64) -> bool {
    is_day(value / 10_000, value / 100 % 100, value % 100)
}

fn is_ssn(value: u64) -> bool {
    let [area, group, serial] = [value / 1_000_000, value / 10_000 % 100, value % 10_000];
    !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0
}

/// Whether `ssn` or `social security` ends within 20 characters of the end of the text.
fn names_ssn(before: &str) -> bool {
    let (nearest, longest_name) = (20, 20);
    let mut tail: Vec<char> = before.chars().rev().take(nearest + longest_name).collect();
    tail.reverse();
    let tail: String = tail.iter().map(char::to_ascii_lowercase).collect();
    let ends_with_name = |text: &str| {
        let social = |rest: &str| rest.trim_end_matches(|c| is_space(c) || is_dash(c) || c == '_').ends_with("social");
        text.ends_with("ssn") || text.strip_suffix("security").is_some_and(social)
    };
    let ends = tail.char_indices().map(|(at, _)| at).chain([tail.len()]);
    ends.rev().take(nearest + 1).any(|end| ends_with_name(&tail[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    struct Vector {
        input: String,
        output: String,
        found: Vec<String>,
        why: String,
    }

    fn vectors() -> Vec<Vector> {
        let all: Vec<Value> = serde_json::from_str(include_str!("redact_vectors.json")).unwrap();
        let text = |vector: &Value, member: &str| vector[member].as_str().unwrap().to_owned();
        let found = |vector: &Value| serde_json::from_value(vector["found"].clone()).unwrap();
        let read = |it: &Value| Vector {
            input: text(it, "input"),
            output: text(it, "output"),
            found: found(it),
            why: text(it, "why"),
        };
        all.iter().map(read).collect()
    }

    #[test]
    fn every_vector_is_redacted_as_it_says() {
        for vector in vectors() {
            let redacted = redact(&vector.input);
            let found: Vec<&str> = redacted.found.iter().map(|kind| kind.name()).collect();
            assert_eq!(redacted.text, vector.output, "{}", vector.why);
            assert_eq!(found, vector.found, "{}", vector.why);
        }
    }

    #[test]
    fn redacting_again_changes_nothing() {
        let all: String = vectors().into_iter().map(|vector| vector.input + " ").collect();
        let inputs = vectors().into_iter().map(|vector| vector.input).chain([all]);
        for input in inputs {
            let once = redact(&input).text;
            assert_eq!(redact(&once), Redacted { text: Cow::Borrowed(&once), found: vec![] }, "{input}");
        }
    }

    #[test]
    fn a_card_is_found_beside_whatever_is_left_alone() {
        for other in vectors().into_iter().filter(|vector| vector.found.is_empty()) {
            let text = format!("{}; to be paid with 4111 1111 1111 1111; {}", other.input, other.input);
            assert_eq!(redact(&text).text, text.replace("4111 1111 1111 1111", REDACTED), "{}", other.why);
        }
    }

    #[test]
    fn text_without_digits_is_borrowed_as_it_is() {
        let alphabet: Vec<char> = "abc XYZ -–+./:_\n[]éß中🙂\u{a0}ssn".chars().collect();
        let mut state = 1_u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for _ in 0..2_000 {
            let len = next(60);
            let text: String = (0..len).map(|_| alphabet[next(alphabet.len())]).collect();
            assert!(matches!(redact(&text).text, Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn long_texts_of_digits_take_linear_time() {
        for (unit, found) in [("4", 0), ("4 ", 0), ("4112 ", 0), ("4111-1111-1111-1111 ", 1), ("ssn 123456789 ", 1)] {
            let count = 250_000 / unit.len();
            assert_eq!(redact(&unit.repeat(count)).found.len(), found * count, "{unit}");
        }
    }
}
