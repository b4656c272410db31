//! How domains meet, asked of the tree: each imports only what stands above it, writes its own tables, and reads besides only
//! what others publish. Nothing of that is listed here: the order is that of the `mod` lines, a table is its writer's.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::AssertSqlSafe;

use crate::desk::Desk;
use crate::layers::{File, files, is_word, names_after, none, read, take_apart, words};

/// The root of the domains.
const ROOT: &str = "handlers/src";

/// A domain, in the order in which they may use each other.
struct Domain {
    /// As others import it: `customers::address`.
    module: String,
    sources: Vec<File>,
}

/// The modules a file names, in order.
fn modules(path: &str) -> Vec<String> {
    let lines = read(path);
    let named = lines.lines().filter_map(|line| line.trim_start_matches("pub(crate) ").strip_prefix("mod "));
    named.map(|name| name.trim_end_matches(';').to_string()).collect()
}

/// All domains, each with its files. A module that declares what can be done in it is one, any other is a department of
/// them. Their order is that of the `mod` lines, which formatting keeps as long as each stands by itself.
fn domains() -> Vec<Domain> {
    let all = || ["rs", "sql"].into_iter().flat_map(|extension| files(ROOT, extension));
    let is_domain = |path: &str| read(path).contains("\npub fn domain() -> Domain {");
    let mut found = Vec::new();
    for department in modules(&format!("{ROOT}/lib.rs")).into_iter().filter(|name| name != "entities") {
        let own = format!("{ROOT}/{department}/mod.rs");
        let names = match is_domain(&own) {
            true => vec![department],
            false => modules(&own).into_iter().map(|domain| format!("{department}::{domain}")).collect(),
        };
        for module in names {
            let place = format!("{ROOT}/{}", module.replace("::", "/"));
            let within =
                |file: &File| file.path == format!("{place}.rs") || file.path.starts_with(&format!("{place}/"));
            found.push(Domain { sources: all().filter(within).collect(), module });
        }
    }
    found
}

impl Domain {
    fn name(&self) -> &str {
        self.module.rsplit("::").next().unwrap_or_default()
    }

    /// The code of all its files.
    fn code(&self) -> String {
        let sources = self.sources.iter().filter(|file| file.path.ends_with(".rs"));
        sources.map(|file| file.product_parts().code).collect::<Vec<_>>().join("\n")
    }

    /// The code of its first file, to which `super` is the department.
    fn root(&self) -> String {
        let place = format!("{ROOT}/{}", self.module.replace("::", "/"));
        let names = [format!("{place}.rs"), format!("{place}/mod.rs")];
        let root = self.sources.iter().find(|file| names.contains(&file.path));
        root.unwrap_or_else(|| panic!("{place} has no first file")).product_parts().code
    }

    /// What others may use of it: its actions and data types, and what these are made of.
    fn open(&self) -> BTreeSet<String> {
        let code = self.code();
        let leads = ["impl Action for ", "impl Data for "];
        let declared: Vec<&str> = leads.iter().flat_map(|lead| names_after(&code, lead)).collect();
        let fields = declared.iter().filter_map(|name| {
            let body = code.split(&format!("struct {name} {{")).nth(1)?;
            body.split("\n}").next()
        });
        let parts = fields.flat_map(words).filter(|word| code.contains(&format!("pub(crate) struct {word} {{")));
        declared.iter().copied().chain(parts).map(str::to_string).collect()
    }
}

#[test]
fn every_domain_stands_in_the_order() {
    let (domains, all) = (domains(), files(ROOT, "rs"));
    let declared = all.iter().filter(|file| file.text.contains("\npub fn domain() -> Domain {")).count();
    assert_eq!(domains.len(), declared, "each is named by a `mod` line of its department");
    let modules: Vec<&str> = domains.iter().map(|domain| domain.module.as_str()).collect();
    assert!(modules.contains(&"customers::address") && modules.last() == Some(&"workflows"), "{modules:?}");
    let of_domains: usize =
        domains.iter().flat_map(|domain| &domain.sources).filter(|file| file.path.ends_with(".rs")).count();
    let others = all.len() - of_domains;
    let departments = domains.iter().filter_map(|domain| domain.module.split_once("::")).map(|(room, _)| room);
    // lib.rs, entities.rs and what says what each department is.
    assert_eq!(others, 2 + departments.collect::<BTreeSet<_>>().len(), "every file belongs to a domain");
}

/// What a path such as `crate::customers::note::{Add, Edit}` reaches: the names behind `head`, module by module.
fn reached<'c>(code: &'c str, head: &str) -> Vec<&'c str> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(head) {
        if code[..at].ends_with(|c| is_word(c) || c == ':') {
            continue;
        }
        let mut rest = &code[at + head.len()..];
        while let Some(tail) = rest.strip_prefix("::") {
            if let Some(list) = tail.strip_prefix('{') {
                names.extend(words(list.split('}').next().unwrap_or_default()));
                break;
            }
            let name = words(tail).next().unwrap_or("*");
            rest = &tail[name.len()..];
            let is_module = name.starts_with(char::is_lowercase) && rest.starts_with("::");
            if !is_module {
                names.push(name);
                break;
            }
        }
    }
    names
}

#[test]
fn a_domain_imports_only_those_above_it_and_of_them_only_what_is_declared() {
    let domains = domains();
    let departments = domains.iter().filter_map(|domain| domain.module.split_once("::")).map(|(room, _)| room);
    let mut roundabout: Vec<String> = departments.map(|room| format!("crate::{room};")).collect();
    roundabout.extend(["super::super::".into(), "crate::{".into()]);
    let mut wrong = Vec::new();
    for (place, domain) in domains.iter().enumerate() {
        let code = domain.code();
        if roundabout.iter().any(|way| code.contains(way)) || domain.root().contains("super::") {
            wrong.push(format!("{}: write `use crate::department::domain::…`", domain.module));
        }
        for (other_place, other) in domains.iter().enumerate().filter(|(other, _)| *other != place) {
            let mut used = reached(&code, &format!("crate::{}", other.module));
            // `use crate::customers::note;` makes `note::Add` a path.
            if code.contains(&format!("\nuse crate::{};", other.module)) {
                used.extend(reached(&code, other.name()));
            }
            let named = code.contains(&format!("crate::{};", other.module)) || !used.is_empty();
            if named && other_place > place {
                wrong.push(format!("{} imports {}, which stands below it", domain.module, other.module));
            }
            let open = other.open();
            let inside = used.into_iter().filter(|name| !open.contains(*name));
            wrong.extend(inside.map(|name| format!("{}: {}::{name} is not declared", domain.module, other.module)));
        }
    }
    none(&wrong);
}

#[test]
fn what_domains_may_use_of_each_other_is_found_and_nothing_hangs_on_a_marker() {
    let domains = domains();
    let open = |name: &str| domains.iter().find(|domain| domain.name() == name).unwrap().open();
    assert!(["Add", "Notes"].iter().all(|name| open("note").contains(*name)), "{:?}", open("note"));
    assert!(["Add", "Addresses", "NewAddress"].iter().all(|name| open("address").contains(*name)));
    assert!(!open("ticket").contains("Locked"), "{:?}", open("ticket"));
    // A function on a marker would be everybody's, whoever imports whom.
    let entities = read(&format!("{ROOT}/entities.rs"));
    let markers: Vec<&str> =
        entities.lines().filter_map(|line| line.trim().split_once(": \"")).map(|(n, _)| n).collect();
    assert!(markers.contains(&"Contact"), "{markers:?}");
    let codes = files(ROOT, "rs").into_iter().map(|file| (file.product_parts().code, file.path));
    let hangs = |code: &str| markers.iter().any(|marker| code.contains(&format!("\nimpl {marker} {{")));
    none(&codes.filter(|(code, _)| hangs(code)).map(|(_, path)| path).collect::<Vec<_>>());
}

/// What the migrations make of this, in their order: tables, and views with the table whose rows they publish. The views by
/// which words are found run as their owner and publish nothing.
struct Schema {
    tables: BTreeSet<String>,
    published: BTreeMap<String, String>,
}

fn schema() -> Schema {
    let (mut tables, mut published) = (BTreeSet::new(), BTreeMap::new());
    for file in files("migrations", "sql") {
        for statement in file.text.split(";\n").map(str::trim_start) {
            let statement: String =
                statement.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
            let statement = statement.trim_start();
            if let Some(table) = statement
                .strip_prefix("create table ")
                .and_then(|rest| words(rest.trim_start_matches("frontdesk.")).next())
            {
                tables.insert(table.to_string());
            }
            let dropped = statement.strip_prefix("drop view frontdesk.").and_then(|rest| words(rest).next());
            dropped.map(|view| published.remove(view));
            if let Some((view, rest)) = statement.strip_prefix("create view frontdesk.").and_then(|v| v.split_once(' '))
                && rest.starts_with("with (security_invoker = true) as")
            {
                let table = rest.rsplit_once("from public.").and_then(|(_, table)| words(table).next());
                published.insert(view.to_string(), table.unwrap_or_default().to_string());
            }
        }
    }
    assert!(tables.contains("contacts") && published["contacts"] == "contacts", "{tables:?}");
    Schema { tables, published }
}

/// The SQL of a file: what begins like a statement.
fn statements(file: &File) -> Vec<String> {
    let starts = |text: &String| {
        ["select", "insert", "update", "delete", "with", "merge"].contains(&words(text).next().unwrap_or_default())
    };
    match file.path.ends_with(".sql") {
        true => {
            vec![file.text.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n")]
        }
        false => file.product_parts().texts.into_iter().filter(starts).chain(lists(file)).collect(),
    }
}

/// The SQL of the lists in a file, each of which is written in pieces.
fn lists(file: &File) -> Vec<String> {
    let written = file.product().split("listing! {").skip(1).filter_map(|rest| rest.split("\n    }\n").next());
    written.map(|pieces| whole(&take_apart(pieces).texts)).collect()
}

/// The pieces of a list with what it adds to them: its own table is asked for rows of the organization.
fn whole(pieces: &[String]) -> String {
    let aliases = pieces.iter().filter(|piece| piece.chars().all(is_word));
    let own: String = aliases.map(|alias| format!(" {alias}.org_id = $1")).collect();
    pieces.join(" ") + &own
}

/// A table or view that a statement names.
#[derive(PartialEq)]
enum Named<'s> {
    Table(&'s str),
    Written(&'s str),
    Published(&'s str),
}

impl Schema {
    /// What an SQL text names. A word that is a member (`e.email`), a column in an insert's list or an alias names nothing.
    fn named<'t>(&self, text: &'t str) -> Vec<Named<'t>> {
        let mut found = Vec::new();
        let mut at = 0;
        for word in text.split_inclusive(|c: char| !is_word(c)) {
            let before = text[..at].trim_end_matches('"');
            at += word.len();
            let name = word.trim_end_matches(|c: char| !is_word(c));
            let published = before.ends_with("frontdesk.") && self.published.contains_key(name);
            let of_schema = before.ends_with("frontdesk.") || before.ends_with("public.");
            let is_other = (before.ends_with('.') && !of_schema) || before.trim_end().ends_with(" as");
            if published {
                found.push(Named::Published(name));
            } else if self.tables.contains(name) && !is_other {
                let lead = before.trim_end_matches("public.").trim_end();
                found.push(if is_written(lead) { Named::Written(name) } else { Named::Table(name) });
            }
        }
        found
    }
}

/// Whether what follows these words is written to.
fn is_written(before: &str) -> bool {
    let mut last = before.rsplit(|c: char| !is_word(c));
    match last.next().unwrap_or_default() {
        "into" => last.next() == Some("insert"),
        "from" => last.next() == Some("delete"),
        // Not `for update` and not `on conflict … do update`.
        "update" => !matches!(last.next(), Some("for" | "key" | "do")),
        _ => false,
    }
}

/// Which tables somebody's SQL writes, and which it only reads.
fn written_and_read(sources: &[File], schema: &Schema) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut written, mut read) = (BTreeSet::new(), BTreeSet::new());
    for statement in sources.iter().flat_map(statements) {
        for named in schema.named(&statement) {
            match named {
                Named::Written(table) => written.insert(table.to_string()),
                Named::Table(table) => read.insert(table.to_string()),
                Named::Published(_) => true,
            };
        }
    }
    (written, read)
}

#[test]
fn a_table_is_of_the_domain_that_writes_it_and_read_by_no_other() {
    let (domains, schema) = (domains(), schema());
    let (of_kernel, read_by_kernel) = written_and_read(&files("capabilities/src", "rs"), &schema);
    let mut owners: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut readers: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for domain in &domains {
        let (written, read) = written_and_read(&domain.sources, &schema);
        for (tables, of) in [(written, &mut owners), (read, &mut readers)] {
            for table in tables {
                of.entry(table).or_default().insert(&domain.module);
            }
        }
    }
    assert_eq!(owners["addresses"], BTreeSet::from(["customers::address"]));
    let functions: String = files("migrations/functions", "sql").into_iter().map(|file| file.text).collect();
    let mut wrong = Vec::new();
    for table in &schema.tables {
        let mut asks = readers.get(table).cloned().unwrap_or_default();
        if of_kernel.contains(table) || read_by_kernel.contains(table) {
            asks.insert("the kernel");
        }
        match owners.get(table) {
            Some(own) if own.len() > 1 => wrong.push(format!("{table} is written by {own:?}")),
            Some(own) => {
                // Some tables the kernel shares with one domain: it makes their rows, or knows its people by them.
                asks.retain(|who| !(own.contains(who) || *who == "the kernel" && of_kernel.contains(table)));
                wrong.extend(asks.iter().map(|other| format!("{table} is of {own:?} and read by {other}")));
            }
            // What the kernel or triggers alone write is of whoever alone asks for it, or of functions that ask for it, too.
            None if asks.len() > 1 || asks.is_empty() && !functions.contains(&format!(" {table} ")) => {
                wrong.push(format!("{table} is written by no domain and read by {asks:?}"));
            }
            None => {}
        }
    }
    none(&wrong);
}

/// The published views of a statement by the names that it gives them.
fn aliases<'t>(statement: &'t str, schema: &Schema) -> Vec<(&'t str, &'t str)> {
    let mut found = Vec::new();
    for (at, lead) in statement.match_indices("frontdesk.") {
        let rest = &statement[at + lead.len()..];
        let mut said = rest.split_whitespace();
        let view = words(rest).next().unwrap_or_default();
        if schema.published.contains_key(view) {
            found.push((said.nth(1).unwrap_or_default(), view));
        }
    }
    found
}

#[test]
fn what_others_publish_is_joined_by_organization_and_neither_searched_nor_locked() {
    let (schema, mut asked, mut wrong) = (schema(), 0, Vec::new());
    for file in domains().iter().flat_map(|domain| &domain.sources) {
        for statement in statements(file) {
            for (alias, view) in aliases(&statement, &schema) {
                asked += 1;
                let mut say = |what: &str| wrong.push(format!("{}: {view} {alias}: {what}", file.path));
                if !statement.contains(&format!("{alias}.org_id = $1")) {
                    say("is not joined by organization");
                }
                let lead = format!("{alias}.");
                let columns = statement.match_indices(&lead).filter_map(|(at, _)| {
                    let (before, after) = statement.split_at(at);
                    let own = !before.ends_with(|c| is_word(c) || c == '.');
                    own.then(|| after.split_whitespace().nth(1).unwrap_or_default())
                });
                if columns.into_iter().any(|next| ["like", "ilike", "~", "~*", "%", "<%", "@@", "&&"].contains(&next)) {
                    say("is searched");
                }
                let locks = ["for update", "for share", "for no key update", "for key share"];
                let locked = locks.iter().filter_map(|lock| statement.split(lock).nth(1));
                if locked.into_iter().any(|of| words(of).next() != Some("of") || words(of).any(|word| word == alias)) {
                    say("is locked");
                }
            }
        }
    }
    assert!(asked > 10, "{asked}");
    none(&wrong);
}

/// What the catalog answers.
async fn names(question: &str) -> Vec<String> {
    let mut owner = Desk::open().await.sql().await;
    sqlx::query_scalar(AssertSqlSafe(question.to_string())).fetch_all(&mut owner).await.unwrap()
}

#[tokio::test]
async fn what_is_published_is_plain_columns_of_one_table_under_the_row_security_of_who_asks() {
    let views = "select c.*, r.ev_action::text as tree from pg_class c join pg_namespace n on n.oid = c.relnamespace \
         join pg_rewrite r on r.ev_class = c.oid and r.rulename = '_RETURN' \
         where n.nspname = 'frontdesk' and c.relkind = 'v' and c.reloptions @> '{security_invoker=true}'";
    let known = schema().published;
    let found = names(&format!("select v.relname::text from ({views}) v order by 1")).await;
    assert_eq!(found, known.keys().cloned().collect::<Vec<_>>());
    // Each of them hides rows or makes the planner stop at the view.
    let plain = [
        "hasAggs false",
        "hasWindowFuncs false",
        "hasTargetSRFs false",
        "hasSubLinks false",
        "hasDistinctOn false",
        "groupClause <>",
        "groupingSets <>",
        "havingQual <>",
        "windowClause <>",
        "distinctClause <>",
        "sortClause <>",
        "limitOffset <>",
        "limitCount <>",
        "setOperations <>",
        "cteList <>",
        "rowMarks <>",
    ];
    let wrong = plain.map(|member| format!("when v.tree not like '% :{member} %' then '{member}'"));
    let wrong = format!(
        "select v.relname || ': ' || case {} end from ({views}) v where case {} end is not null",
        wrong.join(" "),
        wrong.join(" ")
    );
    none(&names(&wrong).await);
    let computed = "select v.relname::text from (VIEWS) v \
         where (select count(*) from regexp_matches(v.tree, '\\{TARGETENTRY', 'g')) \
            <> (select count(*) from regexp_matches(v.tree, '\\{TARGETENTRY :expr \\{VAR', 'g')) \
            or v.tree like '%{JOINEXPR%'";
    none(&names(&computed.replace("VIEWS", views)).await);
    let without = "select v.relname::text from (VIEWS) v where (select count(*) from pg_attribute a \
         where a.attrelid = v.oid and a.attname in ('org_id', 'id')) <> 2";
    none(&names(&without.replace("VIEWS", views)).await);
    let readers = "select v.relname || ': ' || a.grantee::regrole || ' ' || lower(a.privilege_type) \
         from (VIEWS) v, aclexplode(v.relacl) a \
         where a.grantee <> v.relowner and (a.grantee::regrole::text, a.privilege_type) <> ('frontdesk_app', 'SELECT')";
    none(&names(&readers.replace("VIEWS", views)).await);
}

#[tokio::test]
async fn what_a_query_says_is_always_there_is_so_in_the_table_behind_the_view() {
    // What is computed of others is there by the constraints on those, which `not null` would answer before.
    let always = names(
        "select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 \
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') \
           and (a.attnotnull or a.attgenerated <> '')",
    )
    .await;
    let renamed = "select v.relname || '.' || a.attname from pg_class v \
         join pg_namespace n on n.oid = v.relnamespace and n.nspname = 'frontdesk' \
         join pg_attribute a on a.attrelid = v.oid and a.attnum > 0 \
         where v.relkind = 'v' and v.reloptions @> '{security_invoker=true}' and not exists ( \
           select 1 from pg_rewrite r join pg_depend d on d.objid = r.oid and d.refobjsubid > 0 \
             join pg_attribute b on b.attrelid = d.refobjid and b.attnum = d.refobjsubid \
            where r.ev_class = v.oid and b.attname = a.attname)";
    none(&names(renamed).await);
    let (schema, mut asked, mut wrong) = (schema(), 0, Vec::new());
    for file in domains().iter().flat_map(|domain| &domain.sources) {
        for statement in statements(file) {
            for (alias, view) in aliases(&statement, &schema) {
                // What is matched first and shown afterwards is shown by the name of the matches.
                let shown =
                    if statement.contains(&format!("select {alias}.*")) { vec![alias, "m"] } else { vec![alias] };
                for column in shown.into_iter().flat_map(|alias| said_to_be_there(&statement, alias)) {
                    asked += 1;
                    let behind = format!("{}.{column}", schema.published[view]);
                    if !always.contains(&behind) {
                        wrong.push(format!("{}: {behind} may be null", file.path));
                    }
                }
            }
        }
    }
    assert!(asked > 10, "{asked}");
    none(&wrong);
}

/// The columns of an alias that a query says are never null: `u.name as "name!"`.
fn said_to_be_there<'t>(statement: &'t str, alias: &str) -> Vec<&'t str> {
    let lead = format!("{alias}.");
    let columns = statement.match_indices(&lead).filter(|(at, _)| !statement[..*at].ends_with(is_word));
    let columns = columns.filter_map(|(at, _)| {
        let (column, said) = statement[at + lead.len()..].split_once(" as \"")?;
        let name = said.split('"').next()?;
        (column.chars().all(is_word) && name.contains('!')).then_some(column)
    });
    columns.collect()
}
