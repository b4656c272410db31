//! One request: what it would do and why it waits, and the forms to decide it; or what was decided.

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::response::Response;
use capabilities::{Error, Selection};
use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::deciding::Typed;
use crate::fields::Vocabulary;
use crate::preview::{self, Teller};
use crate::words::{self, Moment};
use crate::{Asked, Door, Shared, Shown, Visitor, Who, waiting};

/// So much of the model's own words is shown.
const REASONING: usize = 500;
/// So many lines of what the agent was told.
const TOLD: usize = 12;

/// What a page of a request says first.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Notice {
    /// Whether nothing was done although a person wanted it.
    pub warns: bool,
    pub text: String,
}

/// A request to be shown, and how.
pub(crate) struct View<'v> {
    pub row: &'v Value,
    /// The preview that was shown until now, if it is another one.
    pub before: Option<&'v Value>,
    /// When the preview was made, if just now.
    pub rehearsed: Option<DateTime<Utc>>,
    /// The group of changes that the page begins with.
    pub from: usize,
    pub notice: Option<Notice>,
    pub typed: Typed,
}

impl<'v> View<'v> {
    pub fn of(row: &'v Value) -> Self {
        Self { row, before: None, rehearsed: None, from: 0, notice: None, typed: Typed::as_narrow_as(row) }
    }
}

/// What was done on the page before, and where the list of changes begins.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Place {
    told: Option<String>,
    from: Option<usize>,
}

pub(crate) type Named = Result<Path<Uuid>, PathRejection>;

pub(crate) async fn show(State(door): Shared, Extension(visitor): Who, id: Named, asked: Asked<Place>) -> Response {
    let Query(place) = asked.unwrap_or_default();
    let shown = async {
        let row = door.request(&visitor, id).await?;
        let notice = notice(&row, place.told.as_deref(), &visitor);
        let view = View { notice, from: place.from.unwrap_or_default(), ..View::of(&row) };
        door.request_page(&visitor, view).await
    };
    door.answered(&visitor, shown.await).await
}

/// What came of the form that led here, told by how the request stands.
fn notice(row: &Value, told: Option<&str>, visitor: &Visitor) -> Option<Notice> {
    let (warns, text) = match (told?, row["status"].as_str()?) {
        (_, "pending") => return None,
        ("done", "executed") => (false, "Allowed, and carried out just as shown.".to_string()),
        ("done", "denied") => (false, "Denied. Nothing was changed, and the agent is told.".into()),
        ("done", "failed") => (true, "You allowed it, but it could not be carried out: nothing was changed.".into()),
        ("late", "expired") => (true, "Too late: it ran out before you decided. Nothing was changed.".into()),
        ("late", "withdrawn") => (true, "The agent has taken it back meanwhile. Nothing was changed.".into()),
        ("late", _) if row["decided_by"].as_str() == Some(visitor.caller.name()) => {
            (true, "You had decided this already. Nothing more was done.".into())
        }
        ("late", _) => (true, "Somebody else had decided this already. Nothing more was done.".into()),
        _ => return None,
    };
    Some(Notice { warns, text })
}

/// How many items a request works on.
pub(crate) fn items(row: &Value) -> usize {
    row["input"].as_array().map_or(1, Vec::len)
}

/// The forms that a person may use.
#[derive(Serialize)]
struct Forms {
    seen: String,
    may_allow: bool,
    who_may: &'static str,
    may_always: bool,
    each_time: bool,
    one: String,
    many: String,
    tomorrow: String,
}

/// What was decided.
#[derive(Serialize)]
struct Outcome {
    is_me: bool,
    who: String,
    at: Option<Moment>,
    note: String,
    error: String,
    told: Vec<String>,
    made_rule: bool,
}

impl Door {
    pub(crate) async fn request(&self, visitor: &Visitor, id: Named) -> Result<Value, Box<capabilities::Answer>> {
        let nothing = |_| self.refused(&Error::NotFound { what: "such request".into() });
        let Path(id) = id.map_err(nothing)?;
        let selection =
            Selection { data_type: "authorizations".into(), id: Some(id.to_string()), ..Selection::default() };
        self.read(visitor, selection).await.map(|answer| answer.data.unwrap_or_default()).map_err(|refused| {
            match refused.error_code() {
                Some("NOT_FOUND") => self.refused(&Error::NotFound { what: "such request".into() }),
                _ => refused,
            }
        })
    }

    pub(crate) async fn request_page(&self, visitor: &Visitor, view: View<'_>) -> Shown {
        let row = view.row;
        let card = self.card(visitor, row);
        let changes = self.told(visitor, &view).await?;
        let reasoning = words::cut(&words::text(&row["reasoning"]), REASONING);
        let (reasons, stake) = (waiting::reasons(row), self.stake(row));
        let recipients = row["stake"]["recipients"].as_array().into_iter().flatten();
        let recipients = words::listed(&recipients.map(words::text).collect::<Vec<_>>());
        let expires = self.moment_of(visitor, &row["expires_at"]);
        let forms = card.waits.then(|| self.forms(visitor, row));
        let outcome = (!card.waits).then(|| self.outcome(visitor, row));
        let (notice, typed, id) = (view.notice, view.typed, words::text(&row["id"]));
        let house = self.house(visitor).await?;
        let section = if card.waits { "waiting" } else { "history" };
        let values = context! {
            id, card, changes, reasoning, reasons, stake, recipients, expires, forms, outcome, notice, typed,
        };
        Ok(self.show(visitor, &house, section, "request.html", values))
    }

    async fn told(&self, visitor: &Visitor, view: &View<'_>) -> Result<preview::Shown, Box<capabilities::Answer>> {
        let (registry, row) = (self.office.registry(), view.row);
        let mut wanted = preview::referred(registry, &row["preview"]);
        for (data_type, ids) in view.before.map(|before| preview::referred(registry, before)).into_iter().flatten() {
            wanted.entry(data_type).or_default().extend(ids);
        }
        let names = self.office.names(&visitor.caller, &wanted).await.map_err(|error| self.refused(&error))?;
        let (zone, now) = (visitor.caller.org().timezone, self.office.clock().now());
        let moment = match (row["status"].as_str(), words::time(&row["decided_at"])) {
            (Some("executed"), Some(at)) => words::clock(at, now, zone),
            (Some("pending"), _) => "now".into(),
            _ => "the time of doing".into(),
        };
        let asked = words::time(&row["created_at"]);
        let vocabulary = |rehearsed: Option<DateTime<Utc>>| Vocabulary {
            zone,
            org: *visitor.caller.org(),
            now,
            rehearsed: asked.into_iter().chain(rehearsed).collect(),
            moment: moment.clone(),
            names: names.clone(),
        };
        let action = row["action"].as_str().unwrap_or_default();
        let teller = Teller { registry, action, vocabulary: vocabulary(view.rehearsed) };
        let before = vocabulary(None);
        Ok(teller.tell(&row["preview"], view.before.map(|preview| (preview, &before)), view.from))
    }

    fn forms(&self, visitor: &Visitor, row: &Value) -> Forms {
        let action = row["action"].as_str().unwrap_or_default();
        let declared = self.office.registry().action(action).ok();
        let may_allow = declared.is_some_and(|entry| visitor.caller.is_among(entry.who));
        let may_decide = self.may(visitor, "authorization.allow_once");
        let each_time = declared.is_some_and(|entry| entry.each_time);
        let tomorrow =
            self.office.clock().now().with_timezone(&visitor.caller.org().timezone).date_naive() + Days::new(1);
        let domain = action.split('.').next().unwrap_or_default();
        let known = self.office.registry().data_types().find(|entry| entry.one == domain);
        let (one, many) = words::kind(self.office.registry(), known.map_or(domain, |entry| entry.name));
        Forms {
            seen: words::text(&row["plan"]).to_string(),
            may_allow: may_allow && may_decide,
            who_may: declared.map_or("nobody", |entry| entry.who.in_words()),
            may_always: may_allow && !each_time && self.may(visitor, "authorization.allow_always"),
            each_time,
            one,
            many,
            tomorrow: tomorrow.to_string(),
        }
    }

    fn outcome(&self, visitor: &Visitor, row: &Value) -> Outcome {
        let who = words::text(&row["decided_by"]);
        Outcome {
            is_me: !who.is_empty() && row["decided_by"].as_str() == Some(visitor.caller.name()),
            who,
            at: self.moment_of(visitor, &row["decided_at"]),
            note: words::text(&row["note"]),
            error: words::text(&row["error"]["message"]),
            told: told_to_agent(row),
            made_rule: row["rule_id"].is_string(),
        }
    }

    /// The end of a day of the organization, as it is written in a form.
    pub(crate) fn end_of(&self, visitor: &Visitor, day: &str) -> Option<DateTime<Utc>> {
        let next = day.parse::<chrono::NaiveDate>().ok()?.checked_add_days(Days::new(1))?;
        let zone = visitor.caller.org().timezone;
        // Where a clock change leaves midnight out, the day ends an hour later.
        let midnight = next.and_time(NaiveTime::MIN);
        let mut hours = (0..24).map(|hour| midnight + TimeDelta::hours(hour));
        hours.find_map(|time| time.and_local_timezone(zone).earliest()).map(|time| time.with_timezone(&Utc))
    }
}

/// The result in lines: names and numbers, no ids.
fn told_to_agent(row: &Value) -> Vec<String> {
    let results = row["result"].as_array().into_iter().flatten();
    let name = |result: &Value| {
        let named = ["display_name", "name", "title", "number"].iter().find_map(|member| result[*member].as_str());
        named.map(|name| words::cut(&capabilities::visible(name), 100))
    };
    let mut lines: Vec<String> = results.filter_map(name).collect();
    let more = lines.split_off(TOLD.min(lines.len())).len();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}
