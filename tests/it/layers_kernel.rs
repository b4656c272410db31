//! The rooms of the kernel: one walks through them in one direction. Read from the tree: what each file imports, and which
//! methods each room adds to the types of an earlier one, which no import shows.

use std::collections::{BTreeMap, BTreeSet};

use crate::layers::{File, files, none};

/// In order: each imports only from those before it.
const ROOMS: [&str; 15] = [
    "values", "policy", "error", "answer", "schema", "callers", "world", "tx", "declare", "judge", "record", "queue",
    "office", "work", "people",
];
const KERNEL: &str = "capabilities/src/";

/// A file of the kernel as a module.
struct Module {
    /// `record::undo::later`.
    path: String,
    code: String,
}

impl Module {
    fn of(file: &File) -> Self {
        let path = file.path.trim_start_matches(KERNEL).trim_end_matches(".rs").trim_end_matches("/mod");
        Self { path: path.replace('/', "::"), code: file.product_parts().code }
    }

    fn room(&self) -> &str {
        self.path.split("::").next().unwrap_or_default()
    }

    /// The modules that this one names, itself left out.
    fn imports<'m>(&self, modules: &'m [Module]) -> BTreeSet<&'m str> {
        let parent = self.path.rsplit_once("::").map_or("", |(parent, _)| parent);
        let children = modules.iter().filter_map(|module| module.path.strip_prefix(&format!("{}::", self.path)));
        let children =
            children.filter(|name| !name.contains("::")).map(|name| (name, format!("{}::{name}", self.path)));
        let heads = [("crate", String::new()), ("super", parent.to_string()), ("self", self.path.clone())];
        let mut found = BTreeSet::new();
        for (head, stands_for) in heads.into_iter().chain(children) {
            for path in paths(&self.code, head) {
                let full = format!("{stands_for}::{path}");
                found.extend(nearest(full.trim_matches(':'), modules));
            }
        }
        found.remove(self.path.as_str());
        found
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The kernel's modules but the one list of public names.
fn kernel() -> Vec<Module> {
    let modules: Vec<Module> =
        files(KERNEL, "rs").iter().map(Module::of).filter(|module| module.path != "lib").collect();
    assert!(modules.len() > 40, "the kernel has files");
    modules
}

/// What stands behind `head::` in code, one path each: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(code: &str, head: &str) -> Vec<String> {
    let lead = format!("{head}::");
    let starts = code.match_indices(&lead).filter(|(at, _)| !code[..*at].ends_with(|c| is_word(c) || c == ':'));
    starts.flat_map(|(at, lead)| branches(&code[at + lead.len()..]).0).collect()
}

/// The paths that begin a text, and what follows them.
fn branches(text: &str) -> (Vec<String>, &str) {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        let mut all = Vec::new();
        while let Some(first) = rest.trim_start().chars().next().filter(|first| *first != '}') {
            if first == ',' {
                rest = &rest.trim_start()[1..];
                continue;
            }
            let (found, after) = branches(rest);
            assert!(after.len() < rest.len(), "a list of imports: {rest:.60}");
            all.extend(found);
            rest = after;
        }
        return (all, rest.trim_start().strip_prefix('}').unwrap_or_default());
    }
    let length = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(length);
    match rest.strip_prefix("::") {
        Some(deeper) if !deeper.starts_with('<') => {
            let (found, after) = branches(deeper);
            (found.into_iter().map(|path| format!("{name}::{path}")).collect(), after)
        }
        _ => (vec![name.to_string()], rest),
    }
}

/// The module that a path leads into: the longest one that it begins with.
fn nearest<'m>(path: &str, modules: &'m [Module]) -> Option<&'m str> {
    let leads_into = |module: &&Module| path == module.path || path.starts_with(&format!("{}::", module.path));
    modules.iter().filter(leads_into).map(|module| module.path.as_str()).max_by_key(|found| found.len())
}

fn place(room: &str) -> usize {
    ROOMS.iter().position(|known| *known == room).unwrap_or_else(|| panic!("{room} is no room of ROOMS above"))
}

#[test]
fn imports_are_read_whatever_they_look_like() {
    let code = "use crate::a::{B, c::{D, e}};\nuse crate::f;\nlet x = crate::g::h::<T>(); $crate::i::j; super::k";
    assert_eq!(paths(code, "crate"), ["a::B", "a::c::D", "a::c::e", "f", "g::h", "i::j"]);
    assert_eq!(paths(code, "super"), ["k"]);
}

#[test]
fn the_kernel_has_these_rooms_and_no_others() {
    let modules = kernel();
    let rooms: BTreeSet<&str> = modules.iter().map(Module::room).collect();
    assert_eq!(rooms, BTreeSet::from(ROOMS));
    let contents = files(KERNEL, "rs").into_iter().find(|file| file.path == format!("{KERNEL}lib.rs")).unwrap();
    let declared: BTreeSet<String> = contents
        .parts()
        .code
        .lines()
        .filter_map(|line| line.trim_end_matches(';').split_once("mod "))
        .map(|m| m.1.into())
        .collect();
    assert_eq!(declared, ROOMS.map(String::from).into(), "lib.rs lists them");
}

#[test]
fn a_room_imports_only_rooms_before_it() {
    let modules = kernel();
    let mut wrong = Vec::new();
    for module in &modules {
        let room = |path: &&str| path.split("::").next().map(place);
        let later = module.imports(&modules).into_iter().filter(|path| room(path) > Some(place(module.room())));
        wrong.extend(later.map(|path| format!("{} → {path}", module.path)));
    }
    none(&wrong);
}

#[test]
fn no_files_of_the_kernel_import_each_other_in_a_circle() {
    let modules = kernel();
    let mut imports: BTreeMap<&str, BTreeSet<&str>> =
        modules.iter().map(|module| (module.path.as_str(), module.imports(&modules))).collect();
    assert!(imports.values().map(BTreeSet::len).sum::<usize>() > 100, "the kernel's files import each other");
    // Whoever imports nobody that is left is in no circle.
    while let Some(free) = imports.iter().find(|(_, others)| others.is_empty()).map(|(path, _)| *path) {
        imports.remove(free);
        imports.values_mut().for_each(|others| {
            others.remove(free);
        });
    }
    none(&imports.iter().map(|(path, others)| format!("{path} → {others:?}")).collect::<Vec<_>>());
}

/// What follows `impl` without the parameters that stand first.
fn without_generics(head: &str) -> &str {
    let mut open = 0;
    let end = head.find(|c| {
        open += match c {
            '<' => 1,
            '>' => -1,
            _ => 0,
        };
        c == ' ' && open == 0
    });
    head[end.unwrap_or_default()..].trim()
}

/// The methods that a room adds to a type, as far as others can call them: type, method, room.
fn methods(modules: &[Module]) -> BTreeSet<(String, String, String)> {
    let mut found = BTreeSet::new();
    for module in modules {
        for block in module.code.split("\nimpl").skip(1) {
            let body = block.split("\n}").next().unwrap_or_default();
            let (head, body) = body.split_once('{').unwrap_or((body, ""));
            if head.contains(" for ") {
                continue;
            }
            let name: String = without_generics(head).chars().take_while(|c| is_word(*c)).collect();
            let named = body.split("pub").skip(1).filter_map(|rest| rest.split_once("fn "));
            let named = named.filter(|(between, _)| !between.contains(['{', ';']));
            let method = |rest: &str| rest.chars().take_while(|c| is_word(*c)).collect::<String>();
            found.extend(named.map(|(_, rest)| (name.clone(), method(rest), module.room().to_string())));
        }
    }
    found
}

/// The rooms in which a type of this name is declared.
fn homes<'m>(name: &str, modules: &'m [Module]) -> BTreeSet<&'m str> {
    let declares = |module: &&Module| {
        ["struct ", "enum "].iter().any(|kind| {
            let lead = format!("{kind}{name}");
            module.code.match_indices(&lead).any(|(at, _)| !module.code[at + lead.len()..].starts_with(is_word))
        })
    };
    modules.iter().filter(declares).map(Module::room).collect()
}

#[test]
fn a_room_calls_no_method_that_a_later_room_adds_to_a_type() {
    let modules = kernel();
    let is_added = |(name, _, room): &(String, String, String)| {
        let homes = homes(name, &modules);
        !homes.is_empty() && !homes.contains(room.as_str())
    };
    let added: Vec<_> = methods(&modules).into_iter().filter(is_added).collect();
    let to = |name: &str| added.iter().filter(|(of, _, _)| of == name).count();
    assert!(to("Tx") > 20 && to("Office") > 10 && to("Delivery") > 0, "later rooms add methods: {added:?}");
    let mut wrong = Vec::new();
    for module in &modules {
        for (name, method, room) in added.iter().filter(|(_, _, room)| place(room) > place(module.room())) {
            let calls = [format!(".{method}("), format!("{name}::{method}("), format!(".{method}::<")];
            if calls.iter().any(|call| module.code.contains(call.as_str())) {
                wrong.push(format!("{} calls {name}::{method} of {room}", module.path));
            }
        }
    }
    none(&wrong);
}
