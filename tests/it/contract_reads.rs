//! What holds for every data type when it is read, whoever declared it: asked domain by domain, like the actions.

use std::collections::BTreeSet;

use capabilities::{DataEntry, Form, QueryRequest, Registry, Selection};
use serde_json::{Value, json};

use crate::contract::registry;
use crate::contract_calls::{asked_of, asked_of_each, domain_in, must_show, not_told_of, people, strays};
use crate::desk::{Desk, object};
use crate::layers::none;
use crate::samples::{self, Standing, for_each_domain};

for_each_domain!(asked_of_each [
    who_may_read_a_type_is_answered_and_nobody_else_in_any_way
    every_filter_is_understood_and_rows_are_as_advertised
]);

/// The data types that can bring rows of `entry` along, and by which include.
fn ways_to<'r>(
    entry: &'r DataEntry,
    registry: &'r Registry,
) -> impl Iterator<Item = (&'r DataEntry, Vec<String>)> + use<'r> {
    registry.data_types().filter(|of| of.name != entry.name).flat_map(|of| {
        let children = entry.parents.iter().filter(|link| link.of == of.name || link.of == "*");
        let parents = of.parents.iter().filter(|link| link.of == entry.name).filter_map(|link| link.parent);
        let names = children.map(|link| link.children).chain(parents);
        names.map(move |name| (of, vec![name.to_string()]))
    })
}

/// Filters that a data type demands, and with `one` that one besides.
async fn filters(desk: &Desk, standing: &mut Standing, entry: &DataEntry, one: Option<&str>) -> Value {
    let schema = entry.filters_schema();
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let names: BTreeSet<&str> = required.chain(one).collect();
    let mut filters = serde_json::Map::new();
    for name in names {
        let property = &schema["properties"][name];
        let kind = property["type"].as_str().or_else(|| property["type"][0].as_str());
        let value = match (property["enum"].get(0), property["format"].as_str(), kind) {
            (Some(first), ..) => first.clone(),
            (_, Some("date-time"), _) => json!("2030-01-07T09:00:00Z"),
            (_, Some("date"), _) => json!("2030-01-07"),
            (_, Some("email"), _) => json!("jane@example.com"),
            (_, _, Some("boolean")) => json!(true),
            (_, _, Some("integer" | "number")) => json!(1),
            _ if ["from", "to", "last_service_before", "last_service_after"].contains(&name) => json!("2030-01-07"),
            _ if name.ends_with("_id") => {
                standing.need(desk, if samples::have(name) { name } else { "contact_id" }).await.into()
            }
            _ => json!("jane"),
        };
        filters.insert(name.to_string(), value);
    }
    filters.into()
}

async fn who_may_read_a_type_is_answered_and_nobody_else_in_any_way(domain: &str) {
    let registry = registry();
    if domain_in(&registry, domain).data.is_empty() {
        return;
    }
    let desk = Desk::open().await;
    let mut standing = desk.sample_of(&["contact_id"]).await;
    let mut refused = BTreeSet::new();
    for entry in &domain_in(desk.office.registry(), domain).data {
        if entry.people_only {
            refused.extend(agents_may_not_read(&desk, &mut standing, domain, entry).await);
        }
        for (role, person) in people(&desk).await {
            let own = filters(&desk, &mut standing, entry, None).await;
            let reply = person.read(entry.name, own).await;
            let expected = (!entry.who.includes(role)).then_some("FORBIDDEN");
            assert_eq!(reply.0.error_code(), expected, "{} by a {role:?}: {:?}", entry.name, reply.0);
            for (of, include) in ways_to(entry, desk.office.registry()).filter(|(of, _)| of.who.includes(role)) {
                let Some(expected) = expected else { continue };
                let filters = object(filters(&desk, &mut standing, of, None).await);
                let selection = Selection { data_type: of.name.into(), filters, include, ..Selection::default() };
                person.select(selection).await.refused(expected);
                refused.insert(format!("{} of {}", entry.name, of.name));
            }
        }
        let agent = Some(desk.agent().await).filter(|_| !entry.people_only);
        for actor in agent.into_iter().chain([desk.system().await]) {
            actor.read(entry.name, filters(&desk, &mut standing, entry, None).await).await.ok();
        }
    }
    must_show(domain, &refused, &[("audit", "audit of contacts"), ("rule", "rules to agents")]);
}

async fn agents_may_not_read(
    desk: &Desk,
    standing: &mut Standing,
    domain: &str,
    entry: &DataEntry,
) -> BTreeSet<String> {
    let agent = desk.agent().await;
    agent.read(entry.name, filters(desk, standing, entry, None).await).await.refused("FORBIDDEN");
    agent.get(entry.name, standing.id("contact_id")).await.refused("FORBIDDEN");
    for (of, include) in ways_to(entry, desk.office.registry()) {
        let filters = object(filters(desk, standing, of, None).await);
        let selection = Selection { data_type: of.name.into(), filters, include, ..Selection::default() };
        agent.select(selection).await.refused("FORBIDDEN");
    }
    not_told_of(&agent, domain_in(desk.office.registry(), domain), entry.name).await;
    BTreeSet::from([format!("{} to agents", entry.name)])
}

async fn every_filter_is_understood_and_rows_are_as_advertised(domain: &str) {
    let registry = registry();
    if domain_in(&registry, domain).data.is_empty() {
        return;
    }
    let desk = Desk::open().await;
    let mut standing = desk.sample(domain).await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let form = Form::<QueryRequest>::new().unwrap();
    for entry in &domain_in(desk.office.registry(), domain).data {
        let schema = entry.filters_schema();
        let names = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| Some(name.as_str()));
        for name in names.chain([None]) {
            let filters = filters(&desk, &mut standing, entry, name).await;
            let request = json!({"type": entry.name, "filters": filters, "limit": 3});
            let selection = Selection::try_from(form.parse(request).unwrap()).unwrap();
            assert_eq!(selection.data_type, entry.name);
            let reader = if entry.people_only { &owner } else { &agent };
            let reply = reader.select(selection).await;
            assert!(reply.0.success(), "{} by {name:?}: {:?}", entry.name, reply.0);
        }
        let rows = owner.read(entry.name, filters(&desk, &mut standing, entry, None).await).await.ok();
        assert!(rows.as_array().is_some_and(|rows| !rows.is_empty()), "no {} to look at", entry.name);
        none(&strays(&rows, &json!({"items": entry.row_schema()}), entry.name));
    }
}
