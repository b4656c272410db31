//! What stands around every page: the business, who is signed in, the ways to other pages, and what matters wherever one is.
//! The doors hand it in; nothing here knows what they are about.

use std::future::Future;
use std::pin::Pin;

use capabilities::{Answer, Caller, visible};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::page::Page;

/// What a door does to the frame of a page, by what the visitor may see.
pub type Surround = for<'a, 'p> fn(&'a mut Page<'p>, &'a mut Frame) -> Surrounding<'a>;
/// It is asked for in the page's own reading, so it may have to wait.
pub type Surrounding<'a> = Pin<Box<dyn Future<Output = Result<(), Box<Answer>>> + Send + 'a>>;

/// A way to a page.
#[derive(Debug, Clone, Serialize)]
pub struct Link {
    /// Where it leads.
    pub path: String,
    /// What it is called.
    pub words: String,
}

impl Link {
    /// A way with its words.
    pub fn to(path: impl Into<String>, words: impl Into<String>) -> Self {
        Self { path: path.into(), words: words.into() }
    }
}

/// How many there are of something, beside a place.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Badge {
    /// The number, as it is shown.
    pub text: String,
    /// What is said besides to those who only hear it: " open".
    pub of_what: &'static str,
    /// Whether open pages change it by themselves; it stands in the title, too, and is there though it is empty.
    pub is_live: bool,
}

/// A place in the navigation.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    #[serde(flatten)]
    link: Link,
    /// The pages on which it is marked.
    #[serde(skip)]
    section: &'static str,
    badge: Option<Badge>,
    /// "page" on the place one is at, "true" on the one that leads to its row.
    current: &'static str,
    #[serde(skip)]
    row: Option<Row>,
}

impl Place {
    /// A place with the section of pages on which it is marked.
    pub fn new(path: impl Into<String>, words: impl Into<String>, section: &'static str) -> Self {
        Self { link: Link::to(path, words), section, badge: None, current: "", row: None }
    }

    /// The same with a number.
    #[must_use]
    pub fn with(self, badge: Option<Badge>) -> Self {
        Self { badge, ..self }
    }

    /// The same with a row of places of its own, which stands below on the pages of each of their sections.
    #[must_use]
    pub fn over(self, label: &'static str, places: Vec<Self>) -> Self {
        Self { row: Some(Row { label, places }), ..self }
    }

    fn leads(&self, section: &str) -> bool {
        self.row.as_ref().is_some_and(|row| row.places.iter().any(|place| place.section == section))
    }

    fn at(mut self, section: &str) -> Self {
        self.current = match self.section == section {
            true => "page",
            false if self.leads(section) => "true",
            false => "",
        };
        self
    }
}

/// Places below the first row.
#[derive(Debug, Clone, Serialize)]
struct Row {
    label: &'static str,
    places: Vec<Place>,
}

/// Something that matters on every page but those of one section.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// What it says, and where it leads.
    #[serde(flatten)]
    pub link: Link,
    /// Whether it is a warning.
    pub warns: bool,
    /// The section on whose pages it need not be said.
    #[serde(skip)]
    pub section: String,
}

/// What open pages look after.
#[derive(Debug, Clone, Serialize)]
pub struct Live {
    /// The address of the stream that tells them what is new.
    pub events: &'static str,
    /// What is shown is out of date when this is another one.
    pub mark: String,
}

/// What stands around a page. A door adds its part.
#[derive(Debug, Default, Clone)]
pub struct Frame {
    /// What the business is called.
    pub organization: String,
    /// Since when no agent may work without a person's yes.
    pub frozen_since: Option<DateTime<Utc>>,
    /// The first row of the navigation.
    pub places: Vec<Place>,
    /// What is said under the navigation.
    pub lines: Vec<Line>,
    /// That all is well, beside the name of the business.
    pub all_well: Option<Link>,
    /// Of pages that stay open.
    pub live: Option<Live>,
}

/// The frame as the layout takes it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Shown {
    name: String,
    csrf: String,
    organization: String,
    places: Vec<Place>,
    row: Option<Row>,
    lines: Vec<Line>,
    all_well: Option<Link>,
    live: Option<Live>,
    /// The number that stands in the title.
    count: String,
    now: String,
}

impl Shown {
    /// Who is signed in, and nothing else.
    pub fn of(caller: &Caller, csrf: &str) -> Self {
        Self { name: visible(caller.name()), csrf: csrf.into(), ..Self::default() }
    }

    /// The same with what the doors handed in, on a page of this section.
    pub fn around(self, frame: &Frame, section: &str, now: DateTime<Utc>) -> Self {
        let places: Vec<Place> = frame.places.iter().cloned().map(|place| place.at(section)).collect();
        let leading = places.iter().find(|place| place.leads(section));
        let row = leading.and_then(|place| place.row.clone());
        let row = row.map(|row| Row { places: row.places.into_iter().map(|place| place.at(section)).collect(), ..row });
        let in_row = |place: &Place| {
            let others = row.iter().flat_map(|row| &row.places);
            !place.leads(section) && others.into_iter().any(|other| other.link.path == place.link.path)
        };
        let live = places.iter().filter_map(|place| place.badge.as_ref()).find(|badge| badge.is_live);
        Self {
            organization: frame.organization.clone(),
            count: live.map(|badge| badge.text.clone()).unwrap_or_default(),
            lines: frame.lines.iter().filter(|line| line.section != section).cloned().collect(),
            all_well: frame.all_well.clone(),
            live: frame.live.clone(),
            now: now.to_rfc3339(),
            places: places.iter().filter(|place| !in_row(place)).cloned().collect(),
            row,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        let badge = Badge { text: "2".into(), of_what: " open", is_live: false };
        let waiting = Badge { text: "3".into(), is_live: true, ..Badge::default() };
        let row = vec![Place::new("/queue", "Waiting", "waiting"), Place::new("/alerts", "Alerts", "alerts")];
        let places = vec![
            Place::new("/today", "Today", "today"),
            Place::new("/queue", "Waiting", "waiting").with(Some(waiting)).over("What agents ask for", row),
            Place::new("/alerts", "Alerts", "alerts").with(Some(badge)),
        ];
        let line = Line { link: Link::to("/tickets/1", "Now"), warns: false, section: "now".into() };
        Frame { places, lines: vec![line], ..Frame::default() }
    }

    fn told(section: &str) -> (Vec<String>, Vec<String>) {
        let shown = Shown::default().around(&frame(), section, DateTime::UNIX_EPOCH);
        let told = |place: &Place| format!("{} {}", place.link.words, place.current).trim().to_string();
        let row = shown.row.iter().flat_map(|row| &row.places);
        (shown.places.iter().map(told).collect(), row.map(told).collect())
    }

    #[test]
    fn a_place_is_marked_on_its_pages_and_stands_in_one_row() {
        assert_eq!(told("today").0, ["Today page", "Waiting", "Alerts"]);
        assert_eq!(told("today").1, [""; 0]);
        assert_eq!(told("waiting").0, ["Today", "Waiting page"]);
        assert_eq!(told("alerts").0, ["Today", "Waiting true"]);
        assert_eq!(told("alerts").1, ["Waiting", "Alerts page"]);
    }

    #[test]
    fn a_line_is_said_everywhere_but_where_it_leads() {
        let lines = |section| Shown::default().around(&frame(), section, DateTime::UNIX_EPOCH).lines.len();
        assert_eq!([lines("today"), lines("now")], [1, 0]);
        assert_eq!(Shown::default().around(&frame(), "today", DateTime::UNIX_EPOCH).count, "3");
    }
}
