//! A long text before and after, word by word: what stays, what goes and what comes.

use std::time::Duration;

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

/// Shorter ones are read side by side.
const LONG: usize = 80;
/// Of texts that have less than so many hundredths in common, each is read for itself.
const ALIKE: usize = 40;
/// What takes longer to compare is compared more coarsely.
const PATIENCE: Duration = Duration::from_millis(50);

/// Words that stay, go or come together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Piece {
    /// `stays`, `goes` or `comes`.
    pub kind: &'static str,
    pub text: String,
}

/// The pieces of two versions of a long text; none where telling them apart word by word helps nobody.
pub(crate) fn by_word(before: &str, after: &str) -> Vec<Piece> {
    if before.len().max(after.len()) < LONG || before == after {
        return Vec::new();
    }
    let difference = TextDiff::configure().timeout(PATIENCE).diff_words(before, after);
    let mut pieces = Pieces::default();
    difference.iter_all_changes().for_each(|change| pieces.add(change.tag(), change.value()));
    let pieces = pieces.done();
    let stays: usize = pieces.iter().filter(|piece| piece.kind == "stays").map(|piece| piece.text.len()).sum();
    let is_alike = 100 * 2 * stays >= ALIKE * (before.len() + after.len());
    if is_alike { pieces } else { Vec::new() }
}

/// Pieces as they come together. A space between words that change does not stay: it goes with one and comes with the other.
#[derive(Default)]
struct Pieces {
    done: Vec<Piece>,
    goes: String,
    comes: String,
    space: String,
}

impl Pieces {
    fn add(&mut self, tag: ChangeTag, text: &str) {
        let is_open = !(self.goes.is_empty() && self.comes.is_empty());
        match tag {
            ChangeTag::Equal if is_open && text.trim().is_empty() => self.space.push_str(text),
            ChangeTag::Equal => {
                self.close();
                match self.done.last_mut().filter(|piece| piece.kind == "stays") {
                    Some(piece) => piece.text.push_str(text),
                    None => self.push("stays", text.into()),
                }
            }
            changes => {
                let space = std::mem::take(&mut self.space);
                for side in [&mut self.goes, &mut self.comes].into_iter().filter(|side| !side.is_empty()) {
                    side.push_str(&space);
                }
                if changes == ChangeTag::Delete { self.goes.push_str(text) } else { self.comes.push_str(text) }
            }
        }
    }

    fn close(&mut self) {
        let [goes, comes, space] = [&mut self.goes, &mut self.comes, &mut self.space].map(std::mem::take);
        self.push("goes", goes);
        self.push("comes", comes);
        self.push("stays", space);
    }

    fn push(&mut self, kind: &'static str, text: String) {
        if !text.is_empty() {
            self.done.push(Piece { kind, text });
        }
    }

    fn done(mut self) -> Vec<Piece> {
        self.close();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &str, after: &str) -> Vec<String> {
        let signs = |kind| match kind {
            "goes" => "-",
            "comes" => "+",
            _ => " ",
        };
        by_word(before, after).iter().map(|piece| format!("{}{}", signs(piece.kind), piece.text)).collect()
    }

    #[test]
    fn of_a_long_text_only_the_words_that_differ_come_and_go() {
        let before = "The key is under the pot. Call before noon, and mind the dog in the yard behind the garage.";
        let after = before.replace("before noon", "after two");
        let pieces = told(before, &after);
        let rest = " and mind the dog in the yard behind the garage.";
        assert_eq!(pieces, [" The key is under the pot. Call ", "-before noon,", "+after two,", &format!(" {rest}")]);
    }

    #[test]
    fn short_texts_and_texts_with_nothing_in_common_are_left_whole() {
        assert_eq!(told("Jane", "Janet"), Vec::<String>::new());
        assert_eq!(told(&"old words ".repeat(20), &"something else ".repeat(20)), Vec::<String>::new());
    }
}
