//! The tree itself: which crate may use which, and the rules a program can check. How domains meet stands in `departments`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use capabilities::Registry;

/// Where HTTP statuses may stand: the one table of codes, the envelope that carries its status, and the two HTTP doors.
const KNOW_STATUSES: &[&str] = &[
    "capabilities/src/error/mod.rs",
    "capabilities/src/answer/envelope.rs",
    "capabilities/src/world/http.rs",
    "src/http/etag.rs",
    "src/doors/mcp_http.rs",
    "src/http/rest.rs",
    "src/http/stack.rs",
];
/// Numbers that are hardly ever anything but a status.
const STATUSES: &[&str] =
    &["201", "202", "204", "400", "401", "403", "404", "405", "409", "410", "413", "415", "422", "429", "502", "503"];

const LINES_AT_MOST: usize = 600;

/// A file of the tree.
pub struct File {
    /// From the root of the tree.
    pub path: String,
    pub text: String,
}

/// A Rust source taken apart, so that a word in a comment or a text is not taken for code.
#[derive(Default)]
pub struct Parts {
    /// The code; literals are empty in it.
    pub code: String,
    /// What stands in string literals.
    pub texts: Vec<String>,
    pub comments: Vec<String>,
}

impl File {
    /// The file without the tests at its end.
    pub fn product(&self) -> &str {
        self.text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default()
    }

    pub fn parts(&self) -> Parts {
        take_apart(&self.text)
    }

    pub fn product_parts(&self) -> Parts {
        take_apart(self.product())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files below `folder` with this extension, in order.
pub fn files(folder: &str, extension: &str) -> Vec<File> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|is| is == extension) {
                let relative = path.strip_prefix(root()).unwrap().to_str().unwrap().to_string();
                found.push(File { text: read(&relative), path: relative });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The members of the workspace beside the program itself.
fn members() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let list = manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
    list.split(',').map(|name| name.trim().trim_matches('"').to_string()).filter(|name| !name.is_empty()).collect()
}

/// Every Rust source of the product.
pub fn product() -> Vec<File> {
    let folders = members().into_iter().map(|member| format!("{member}/src")).chain(["src".to_string()]);
    folders.flat_map(|folder| files(&folder, "rs")).collect()
}

/// Every Rust source there is.
fn everything() -> Vec<File> {
    product().into_iter().chain(files("tests", "rs")).collect()
}

pub fn take_apart(source: &str) -> Parts {
    let mut parts = Parts::default();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("//") {
            let end = comment.find('\n').unwrap_or(comment.len());
            parts.comments.push(comment[..end].to_string());
            rest = &comment[end..];
        } else if let Some(comment) = rest.strip_prefix("/*") {
            let end = comment.find("*/").unwrap_or(comment.len());
            parts.comments.push(comment[..end].to_string());
            rest = comment.get(end + 2..).unwrap_or_default();
        } else if let Some((text, after)) = raw_string(rest).or_else(|| string(rest)) {
            parts.texts.push(text.to_string());
            parts.code.push_str("\"\"");
            rest = after;
        } else if let Some(after) = character(rest) {
            parts.code.push_str("' '");
            rest = after;
        } else {
            parts.code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    parts
}

fn raw_string(source: &str) -> Option<(&str, &str)> {
    let after = source.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end)?;
    Some((&body[..length], &body[length + end.len()..]))
}

fn string(source: &str) -> Option<(&str, &str)> {
    let body = source.strip_prefix('"')?;
    let mut escaped = false;
    let end = body.find(|c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    Some((&body[..end], &body[end + 1..]))
}

/// What follows a character literal; a lifetime is none.
fn character(source: &str) -> Option<&str> {
    let body = source.strip_prefix('\'')?;
    let length = match body.strip_prefix('\\') {
        Some(escaped) => 2 + escaped.get(1..)?.find('\'')?,
        None => body.chars().next()?.len_utf8(),
    };
    body.get(length..)?.strip_prefix('\'')
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_word(c)).filter(|word| !word.is_empty())
}

/// The names after `lead` in code: the types after `impl Action for `, say.
pub fn names_after<'c>(code: &'c str, lead: &'c str) -> impl Iterator<Item = &'c str> {
    code.split(lead).skip(1).filter_map(|rest| words(rest).next())
}

#[track_caller]
pub fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_source_is_taken_apart_into_code_texts_and_comments() {
    let source = r###"a('"', 'x', b'\''); // "c"
let d: &'static str = r#"e "f" // g"#; /* h */ i("j\"k", "l");"###;
    let parts = take_apart(source);
    assert_eq!(parts.texts, [r#"e "f" // g"#, r#"j\"k"#, "l"]);
    assert_eq!(parts.comments, [r#" "c""#, " h "]);
    assert_eq!(words(&parts.code).collect::<String>(), "abletdstaticstri");
}

/// The crates a manifest depends on, in whatever way.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut listing = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            listing = section.ends_with("dependencies") && section != "workspace.dependencies";
            if let Some((_, name)) = section.split_once("dependencies.").filter(|_| !section.starts_with("workspace")) {
                names.insert(name.to_string());
            }
        } else if listing && !line.is_empty() && !line.starts_with('#') {
            names.extend(line.split(['.', '=', ' ']).next().map(str::to_string));
        }
    }
    names
}

#[test]
fn imports_run_one_way() {
    let members: BTreeSet<String> = members().into_iter().collect();
    let mut wrong = Vec::new();
    for member in &members {
        let allowed = match member.as_str() {
            "capabilities" => &[][..],
            // Pages of one look stand on the kit, and never on each other.
            "authorization-queue-ui" | "office-ui" => &["capabilities", "ui-kit"],
            _ => &["capabilities"],
        };
        let used = dependencies(&read(&format!("{member}/Cargo.toml")));
        assert!(!used.is_empty(), "{member} depends on something");
        let of_ours = used.iter().filter(|name| members.contains(*name) || *name == "frontdesk");
        wrong.extend(of_ours.filter(|name| !allowed.contains(&name.as_str())).map(|name| format!("{member} → {name}")));
    }
    none(&wrong);
}

#[test]
fn the_kernel_knows_no_protocol_and_the_doors_no_database() {
    let forbidden = [
        ("capabilities", &["axum", "http", "rmcp", "tower"][..]),
        ("handlers", &["axum", "http", "rmcp", "tower"]),
        ("mcp", &["sqlx", "axum"]),
        ("ui-kit", &["sqlx", "rmcp"]),
        ("authorization-queue-ui", &["sqlx", "rmcp"]),
        ("office-ui", &["sqlx", "rmcp"]),
    ];
    let mut wrong = Vec::new();
    for (member, names) in forbidden {
        let used = dependencies(&read(&format!("{member}/Cargo.toml")));
        wrong.extend(names.iter().filter(|name| used.contains(**name)).map(|name| format!("{member} → {name}")));
    }
    none(&wrong);
}

#[test]
fn what_is_declared_is_registered() {
    let registry = Registry::new(handlers::domains()).unwrap();
    let sources: Vec<String> = product().iter().map(|file| file.product_parts().code).collect();
    let declared = |what: &str| {
        let lead = format!(" {what} for ");
        let lines = sources.iter().flat_map(|code| code.lines()).filter(|line| line.trim_start().starts_with("impl"));
        lines.filter(|line| line.contains(&lead)).count()
    };
    assert_eq!(declared("Action"), registry.actions().count(), "`impl Action for` against registered actions");
    assert_eq!(declared("Data"), registry.data_types().count(), "`impl Data for` against registered data types");
}

#[test]
fn http_statuses_are_known_in_one_place_and_at_the_http_doors() {
    let mut wrong = Vec::new();
    for file in product().iter().filter(|file| !KNOW_STATUSES.contains(&file.path.as_str())) {
        for (number, line) in file.product_parts().code.lines().enumerate() {
            let status = words(line).any(|word| word == "StatusCode" || STATUSES.contains(&word))
                || words(line).any(|word| word == "status") && words(line).any(|word| ["200", "500"].contains(&word));
            if status {
                wrong.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    none(&wrong);
}

#[test]
fn the_pool_is_asked_by_the_kernel_only() {
    let allowed = |path: &str| {
        ["people", "tx", "work", "world"].iter().any(|room| path.starts_with(&format!("capabilities/src/{room}/")))
    };
    let sources = everything();
    let users: Vec<&File> = sources.iter().filter(|file| file.parts().code.contains(".pool()")).collect();
    assert!(!users.is_empty(), "somebody asks the pool, or this test looks for the wrong name");
    none(&users.iter().filter(|file| !allowed(&file.path)).map(|file| file.path.clone()).collect::<Vec<_>>());
}

#[test]
fn no_file_is_longer_than_six_hundred_lines() {
    let long = product().into_iter().filter_map(|file| {
        let lines = file.product().lines().count();
        (lines > LINES_AT_MOST).then(|| format!("{}: {lines} lines", file.path))
    });
    none(&long.collect::<Vec<_>>());
}

#[test]
fn no_file_has_a_name_that_could_mean_anything() {
    let vague = ["utils", "util", "common", "helpers", "helper", "misc"];
    let named = |file: &File| file.path.trim_end_matches(".rs").split('/').any(|part| vague.contains(&part));
    none(&everything().into_iter().filter(named).map(|file| file.path).collect::<Vec<_>>());
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    let silent = everything().into_iter().filter(|file| !file.text.starts_with("//! "));
    none(&silent.map(|file| file.path).collect::<Vec<_>>());
}

#[test]
fn the_architecture_fits_into_three_hundred_lines() {
    let lines = fs::read_to_string(root().join("ARCHITECTURE.md")).map_or(0, |text| text.lines().count());
    assert!(lines <= 300, "ARCHITECTURE.md has {lines} lines");
}

#[test]
fn nothing_is_left_for_later() {
    let marks = ["TODO", "FIXME"];
    let mut wrong = Vec::new();
    for file in everything() {
        let parts = file.parts();
        let marked = parts.comments.iter().any(|comment| words(comment).any(|word| marks.contains(&word)));
        let unwritten = ["todo!", "unimplemented!"].iter().any(|call| parts.code.contains(call));
        if marked || unwritten {
            wrong.push(file.path);
        }
    }
    let others = files("migrations", "sql").into_iter().chain(files("handlers/src", "sql"));
    wrong.extend(others.filter(|f| words(&f.text).any(|word| marks.contains(&word))).map(|file| file.path));
    none(&wrong);
}

#[test]
fn no_test_is_ignored_or_waits_by_the_clock() {
    let mut wrong = Vec::new();
    for file in everything() {
        let tests = if file.path.starts_with("tests/") { &file.text } else { &file.text[file.product().len()..] };
        let code = take_apart(tests).code;
        let found = ["#[ignore", "sleep("].into_iter().filter(|word| code.contains(word));
        wrong.extend(found.map(|word| format!("{}: {word}", file.path)));
    }
    none(&wrong);
}
