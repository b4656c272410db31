//! The people and businesses a visitor finds in the demo: a window cleaner's customers around
//! Huntsville and Madison, Alabama.
//!
//! Nothing here is random: which customer gets which street, note or second phone follows from the
//! position in the lists, so reordering a list moves everything that comes after it. The phone
//! numbers are from the range reserved for fiction (555-0100 to 555-0199).

#[path = "customers.rs"]
mod customers;
#[path = "places.rs"]
mod places;
#[path = "remarks.rs"]
mod remarks;

use customers::{PEOPLE, TRADES, Trade};
use places::{AREAS, BUILDINGS, BUSINESS_ACCESS, BUSY_AREAS, HOME_ACCESS, SCATTER, SECOND_HOMES};
use remarks::{HABIT_NOTES, HOME_NOTES};
use serde_json::{Value, json};

const AREA_CODES: [(&str, usize); 4] = [("256", 100), ("938", 100), ("205", 25), ("931", 25)];

/// What is said in a note and should be found by its tag as well.
const TAGGED_WORDS: [(&str, &str); 4] =
    [("screens", "screens"), ("gutter", "gutter"), ("storm windows", "storm-windows"), ("skylight", "skylights")];

/// The 200 contacts of the demo, each the input of `contact.create`; the same at every call.
#[must_use]
pub fn contacts() -> Vec<Value> {
    let people: Vec<&str> = PEOPLE.split(',').map(str::trim).collect();
    let organizations: Vec<(&Trade, usize, &str)> = TRADES
        .iter()
        .flat_map(|trade| trade.names.split(", ").enumerate().map(move |(place, name)| (trade, place, name)))
        .collect();
    // Seven has no factor in common with fifty: each comes once, and neighbors differ in trade.
    let mixed = organizations.iter().cycle().step_by(7).take(organizations.len());

    let mut directory = Directory::default();
    let mut contacts = Vec::new();
    for (turn, (three, organization)) in people.chunks(3).zip(mixed).enumerate() {
        for (seat, name) in three.iter().enumerate() {
            contacts.push(person(turn * 3 + seat, name, &mut directory));
        }
        contacts.push(business(turn, organization, &mut directory));
    }
    contacts
}

/// Hands out what no two contacts may share.
#[derive(Default)]
struct Directory {
    phones: usize,
    addresses: usize,
    home_notes: usize,
    home_access: usize,
    business_access: usize,
    buildings: usize,
}

impl Directory {
    fn phone(&mut self, kind: &str) -> Value {
        let total: usize = AREA_CODES.iter().map(|(_, size)| size).sum();
        let spelling = self.phones % 4;
        // 149 is prime to the total, so no number comes twice before all are used.
        let mut line = self.phones * 149 % total;
        self.phones += 1;
        let mut area_code = "";
        for (code, size) in AREA_CODES {
            area_code = code;
            if line < size {
                break;
            }
            line -= size;
        }
        let phone = match spelling {
            0 => format!("({area_code}) 555-01{line:02}"),
            1 => format!("{area_code}-555-01{line:02}"),
            2 => format!("+1 {area_code} 555 01{line:02}"),
            _ => format!("{area_code}.555.01{line:02}"),
        };
        json!({ "phone": phone, "type": kind })
    }

    fn address(&mut self, on_a_main_road: bool) -> Value {
        let count = self.addresses;
        self.addresses += 1;
        let round = AREAS.len() + BUSY_AREAS;
        let area = &AREAS[count % round % AREAS.len()];
        let streets = if on_a_main_road { area.roads } else { area.lanes };
        let number = area.lowest_number + count * 137 % (area.highest_number - area.lowest_number);
        let street = pick(streets, count / 5);
        let mut address = json!({
            "street": format!("{number} {street}"),
            "city": area.city,
            "region": "AL",
            "postal_code": area.postal_code,
            "country": "US",
        });
        if count % 9 < 4 {
            let north = SCATTER[count % SCATTER.len()];
            let east = SCATTER[(count / 3 + 4) % SCATTER.len()];
            address["latitude"] = json!(f64::from(area.latitude + north) / 10_000.0);
            address["longitude"] = json!(f64::from(area.longitude + east) / 10_000.0);
        }
        address
    }
}

fn person(index: usize, name: &str, directory: &mut Directory) -> Value {
    let (given_name, family_name) = name.split_once(' ').unwrap_or((name, ""));
    let has_notes = matches!(index % 10, 1 | 4 | 7);
    let notes = if has_notes { home_notes(directory) } else { Vec::new() };
    let frequency = ["twice-a-year", "quarterly", "twice-a-year", "monthly", "once-a-year"][index % 5];
    let preferred_time = ["any", "morning", "any", "afternoon", "morning"][index / 2 % 5];
    let mut tags = vec!["residential", frequency];
    if index % 19 == 4 {
        tags.push("vip");
    }
    if index % 10 == 8 {
        tags.push("screens");
    }
    let mut contact = json!({
        "kind": "person",
        "given_name": given_name,
        "family_name": family_name,
        "preferred_time": preferred_time,
    });
    put_list(&mut contact, "emails", home_emails(index, given_name, family_name));
    put_list(&mut contact, "phones", home_phones(index, has_notes, directory));
    put_list(&mut contact, "addresses", home_addresses(index, directory));
    put_words(&mut contact, tags, &notes);
    contact
}

fn home_notes(directory: &mut Directory) -> Vec<&'static str> {
    let count = directory.home_notes;
    directory.home_notes += 1;
    let mut notes = vec![HOME_NOTES[count % HOME_NOTES.len()]];
    if count % 3 == 1 {
        notes.push(HABIT_NOTES[count / 3 % HABIT_NOTES.len()]);
    }
    notes
}

fn home_emails(index: usize, given_name: &str, family_name: &str) -> Vec<Value> {
    if index % 6 == 3 {
        return Vec::new();
    }
    let (given, family) = (plain_letters(given_name), plain_letters(family_name));
    let initial: String = given.chars().take(1).collect();
    let mailbox = match index % 4 {
        0 => format!("{given}.{family}"),
        1 => format!("{initial}{family}"),
        2 => format!("{family}.{given}"),
        _ => format!("{given}{family}"),
    };
    let domain = ["example.com", "example.net", "example.com", "example.org", "example.com"][index % 5];
    let mut emails = vec![json!({ "email": format!("{mailbox}@{domain}"), "type": "home" })];
    if index % 14 == 8 {
        emails.push(json!({ "email": format!("{initial}.{family}.work@example.org"), "type": "work" }));
    }
    emails
}

fn home_phones(index: usize, may_be_texted: bool, directory: &mut Directory) -> Vec<Value> {
    if index % 50 == 28 {
        return Vec::new();
    }
    if index % 12 == 9 && !may_be_texted {
        return vec![directory.phone("home")];
    }
    let mut phones = vec![directory.phone("mobile")];
    match index % 16 {
        3 => phones.push(directory.phone("home")),
        11 => phones.push(directory.phone("work")),
        _ => {}
    }
    phones
}

fn home_addresses(index: usize, directory: &mut Directory) -> Vec<Value> {
    let mut home = directory.address(false);
    if index % 25 == 20 {
        home["street2"] = json!(format!("Apt {}", index % 8 + 101));
    }
    if index % 7 == 2 {
        home["access_notes"] = json!(HOME_ACCESS[directory.home_access % HOME_ACCESS.len()]);
        directory.home_access += 1;
    }
    if index % 13 != 6 {
        return vec![home];
    }
    home["label"] = json!("Home");
    let mut second = directory.address(false);
    second["label"] = json!(pick(SECOND_HOMES, index / 13));
    vec![home, second]
}

fn business(index: usize, organization: &(&Trade, usize, &'static str), directory: &mut Directory) -> Value {
    let &(trade, place, name) = organization;
    let notes: Vec<&str> = trade.notes.get(place).copied().into_iter().collect();
    let mut tags = vec!["commercial"];
    tags.extend(trade.tags);
    if index % 16 == 5 {
        tags.push("vip");
    }
    let mut contact = json!({
        "kind": "organization",
        "organization_name": name,
        "preferred_time": trade.preferred_time,
    });
    let mut phones = vec![directory.phone("work")];
    if index % 5 == 1 {
        phones.push(directory.phone("mobile"));
    }
    put_list(&mut contact, "emails", business_emails(index, name));
    put_list(&mut contact, "phones", phones);
    put_list(&mut contact, "addresses", business_addresses(index, trade, place, directory));
    put_words(&mut contact, tags, &notes);
    contact
}

fn business_emails(index: usize, name: &str) -> Vec<Value> {
    if index % 10 == 6 {
        return Vec::new();
    }
    let mailbox = plain_letters(name);
    let domain = ["example.com", "example.org", "example.com", "example.net"][index % 4];
    let mut emails = vec![json!({ "email": format!("{mailbox}@{domain}"), "type": "work" })];
    if index % 4 == 3 {
        emails.push(json!({ "email": format!("billing.{mailbox}@{domain}"), "type": "other" }));
    }
    emails
}

fn business_addresses(index: usize, trade: &Trade, place: usize, directory: &mut Directory) -> Vec<Value> {
    let manages_buildings = trade.sites.len() > 1;
    let sites = if !manages_buildings && index % 15 == 8 { 2 } else { trade.sites.start + place % trade.sites.len() };
    let mut addresses: Vec<Value> = (0..sites).map(|_| directory.address(true)).collect();
    if sites > 1 {
        label_sites(&mut addresses, manages_buildings, directory);
    }
    if let Some(first) = addresses.first_mut() {
        if trade.in_suites && index.is_multiple_of(3) {
            first["street2"] = json!(format!("Suite {}", 100 + index * 10 % 290));
        }
        if index % 5 == 2 {
            first["access_notes"] = json!(BUSINESS_ACCESS[directory.business_access % BUSINESS_ACCESS.len()]);
            directory.business_access += 1;
        }
    }
    addresses
}

fn label_sites(addresses: &mut [Value], manages_buildings: bool, directory: &mut Directory) {
    for (site, address) in addresses.iter_mut().enumerate() {
        let label = match (site, manages_buildings) {
            (0, true) => "Office",
            (0, false) => "Main location",
            (_, false) => "Second location",
            (_, true) => {
                directory.buildings += 1;
                pick(BUILDINGS, directory.buildings - 1)
            }
        };
        address["label"] = json!(label);
    }
}

/// Tags and notes, with a tag for what a note mentions.
fn put_words(contact: &mut Value, mut tags: Vec<&str>, notes: &[&str]) {
    let said = notes.join(" ").to_lowercase();
    let mentioned = TAGGED_WORDS.iter().filter(|(word, _)| said.contains(word));
    for (_, tag) in mentioned {
        if !tags.contains(tag) {
            tags.push(tag);
        }
    }
    contact["tags"] = json!(tags);
    if !notes.is_empty() {
        contact["notes"] = json!(notes);
    }
}

/// Leaves the member out when there is nothing to say, and marks the first of several.
fn put_list(contact: &mut Value, member: &str, mut entries: Vec<Value>) {
    if entries.is_empty() {
        return;
    }
    mark_first_of_several(&mut entries);
    contact[member] = json!(entries);
}

fn mark_first_of_several(entries: &mut [Value]) {
    if entries.len() < 2 {
        return;
    }
    for (place, entry) in entries.iter_mut().enumerate() {
        entry["is_primary"] = json!(place == 0);
    }
}

/// One of the comma-separated words, beginning again after the last.
fn pick(words: &'static str, turn: usize) -> &'static str {
    let count = words.split(", ").count();
    words.split(", ").nth(turn % count).unwrap_or(words)
}

/// A name as it can stand before the @ of an address: lower case, without accents and signs.
fn plain_letters(name: &str) -> String {
    let plain = |letter| match letter {
        'á' | 'à' | 'â' | 'ä' | 'ã' | 'ạ' | 'ầ' | 'ấ' | 'ă' | 'ặ' => 'a',
        'é' | 'è' | 'ê' | 'ễ' | 'ë' => 'e',
        'í' | 'ï' => 'i',
        'ó' | 'ô' | 'ö' | 'ø' | 'ờ' | 'ở' => 'o',
        'ú' | 'ü' => 'u',
        'ñ' => 'n',
        'đ' => 'd',
        other => other,
    };
    name.to_lowercase().chars().map(plain).filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn list<'a>(contact: &'a Value, member: &str) -> &'a [Value] {
        contact[member].as_array().map_or(&[], Vec::as_slice)
    }

    fn all_of(member: &str, key: &str) -> Vec<String> {
        let text = |entry: &Value| entry[key].as_str().unwrap().to_owned();
        contacts().iter().flat_map(|contact| list(contact, member).iter().map(text).collect::<Vec<_>>()).collect()
    }

    fn assert_distinct(values: &[String]) {
        let mut seen = HashSet::new();
        for value in values {
            assert!(seen.insert(value), "{value} comes twice");
        }
    }

    fn has_mobile(contact: &Value) -> bool {
        list(contact, "phones").iter().any(|phone| phone["type"] == "mobile")
    }

    #[test]
    fn the_demo_has_150_people_and_50_organizations() {
        let contacts = contacts();
        let people = contacts.iter().filter(|contact| contact["kind"] == "person").count();
        assert_eq!((contacts.len(), people), (200, 150));
    }

    #[test]
    fn two_calls_give_the_same_contacts() {
        assert_eq!(contacts(), contacts());
    }

    #[test]
    fn no_two_contacts_share_a_name() {
        let name = |contact: &Value| {
            let parts = ["given_name", "family_name", "organization_name"];
            parts.map(|part| contact[part].as_str().unwrap_or("")).join(" ")
        };
        assert_distinct(&contacts().iter().map(name).collect::<Vec<_>>());
    }

    #[test]
    fn no_two_contacts_share_a_phone_and_all_are_fictional() {
        let digits = |phone: &String| phone.chars().filter(char::is_ascii_digit).collect::<String>();
        let numbers: Vec<String> =
            all_of("phones", "phone").iter().map(|phone| digits(phone).chars().rev().take(10).collect()).collect();
        assert_distinct(&numbers);
        let fictional = |number: &String| number.len() == 10 && number[2..].starts_with("10555");
        assert!(numbers.iter().all(fictional));
    }

    #[test]
    fn no_two_contacts_share_an_email_and_none_can_be_delivered() {
        let emails = all_of("emails", "email");
        assert_distinct(&emails);
        for email in emails {
            let (mailbox, domain) = email.split_once('@').unwrap();
            assert!(["example.com", "example.org", "example.net"].contains(&domain), "{email}");
            assert!(mailbox.len() > 3 && mailbox.is_ascii(), "{email}");
        }
    }

    #[test]
    fn no_two_contacts_share_a_street_address() {
        assert_distinct(&all_of("addresses", "street"));
    }

    #[test]
    fn everyone_can_be_reached_and_most_by_email() {
        let contacts = contacts();
        let with = |member| contacts.iter().filter(|contact| !list(contact, member).is_empty()).count();
        assert!((165..=175).contains(&with("emails")), "{}", with("emails"));
        assert!(with("phones") >= 195);
        assert!((65..=75).contains(&with("notes")), "{}", with("notes"));
        for contact in &contacts {
            assert!(!list(contact, "emails").is_empty() || !list(contact, "phones").is_empty(), "{contact}");
        }
    }

    #[test]
    fn who_wants_a_text_has_a_mobile_phone() {
        for contact in contacts() {
            let wants_text = list(&contact, "notes").iter().any(|note| note.as_str().unwrap().contains(" text"));
            assert!(!wants_text || has_mobile(&contact), "{contact}");
        }
    }

    #[test]
    fn only_one_of_several_is_primary_and_a_single_one_says_nothing() {
        for contact in contacts() {
            for member in ["emails", "phones", "addresses"] {
                let entries = list(&contact, member);
                let marked = entries.iter().filter(|entry| entry.get("is_primary").is_some()).count();
                let primary = entries.iter().filter(|entry| entry["is_primary"] == true).count();
                let expected = if entries.len() > 1 { (entries.len(), 1) } else { (0, 0) };
                assert_eq!((marked, primary), expected, "{contact}");
            }
        }
    }
}
