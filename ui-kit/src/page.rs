//! A page that is being made: all it shows is asked through it, in one reading of one moment, and what stands around it is
//! asked once.

use std::collections::BTreeMap;

use capabilities::{Answer, Error, OrgFacts, Read, Reading, Registry, Selection, Surroundings, Tz};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use minijinja::context;
use serde_json::Value;
use uuid::Uuid;

use crate::frame::{Frame, Shown as Around};
use crate::routes::Shown;
use crate::ui::{Ui, Visitor};
use crate::words::{self, Moment};

/// A page for a visitor.
pub struct Page<'u> {
    ui: &'u Ui,
    visitor: &'u Visitor,
    reading: Reading<'u>,
    surroundings: Option<Surroundings>,
    frame: Option<Frame>,
    once: Uuid,
}

impl<'u> Page<'u> {
    pub(crate) fn new(ui: &'u Ui, visitor: &'u Visitor) -> Self {
        let once = ui.office().state(Value::Null).meta.request_id;
        let reading = ui.office().reading(&visitor.caller);
        Self { ui, visitor, reading, surroundings: None, frame: None, once }
    }

    /// The way into the office.
    #[must_use]
    pub fn ui(&self) -> &'u Ui {
        self.ui
    }

    /// Whose page it is.
    #[must_use]
    pub fn visitor(&self) -> &'u Visitor {
        self.visitor
    }

    /// Something that no other page has: what is sent twice from it is done once.
    #[must_use]
    pub fn once(&self) -> String {
        self.once.to_string()
    }

    /// What every call of the visitor's business needs.
    #[must_use]
    pub fn org(&self) -> &'u OrgFacts {
        self.visitor.caller.org()
    }

    /// Whether the visitor's role is among those for whom an action is.
    #[must_use]
    pub fn may(&self, action: &str) -> bool {
        self.ui.may(self.visitor, action)
    }

    /// Everything the office can do and show.
    #[must_use]
    pub fn registry(&self) -> &'u Registry {
        self.ui.office().registry()
    }

    /// The time of the page.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.ui.office().clock().now()
    }

    /// The day on which it is looked at, where the business is.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        self.now().with_timezone(&self.org().timezone).date_naive()
    }

    /// A time as it is said where the business is.
    #[must_use]
    pub fn moment(&self, at: DateTime<Utc>) -> Moment {
        words::moment(at, self.now(), self.org().timezone)
    }

    /// The same of a time in JSON.
    #[must_use]
    pub fn moment_of(&self, time: &Value) -> Option<Moment> {
        words::time(time).map(|at| self.moment(at))
    }

    /// The beginning of a day of the business, as it is written in a form.
    #[must_use]
    pub fn beginning_of(&self, day: &str) -> Option<DateTime<Utc>> {
        beginning(form_day(day)?, self.org().timezone)
    }

    /// Its end.
    #[must_use]
    pub fn end_of(&self, day: &str) -> Option<DateTime<Utc>> {
        beginning(form_day(day)?.checked_add_days(Days::new(1))?, self.org().timezone)
    }

    /// What the visitor asks for, or the refusal.
    pub async fn read(&mut self, selection: Selection) -> Result<Answer, Box<Answer>> {
        self.read_with(selection, false).await
    }

    /// The same with how many there are in all.
    pub async fn read_counted(&mut self, selection: Selection) -> Result<Answer, Box<Answer>> {
        self.read_with(selection, true).await
    }

    async fn read_with(&mut self, selection: Selection, counted: bool) -> Result<Answer, Box<Answer>> {
        let read = Read { selection, room: None, door: capabilities::Door::Page, counted };
        let answer = self.reading.read(read).await;
        if answer.success() { Ok(answer) } else { Err(Box::new(answer)) }
    }

    /// The business, what waits and what needs somebody, as far as the visitor may know: asked once, in one question.
    pub async fn surroundings(&mut self) -> Result<&Surroundings, Box<Answer>> {
        if self.surroundings.is_none() {
            let surroundings = self.reading.surroundings().await;
            self.surroundings = Some(surroundings.map_err(|error| self.refused(&error))?);
        }
        Ok(self.surroundings.get_or_insert_default())
    }

    /// What records are called, by data type.
    pub async fn names(&mut self, wanted: &BTreeMap<&str, Vec<Uuid>>) -> Result<BTreeMap<Uuid, String>, Box<Answer>> {
        let names = self.reading.names(wanted).await;
        names.map_err(|error| self.refused(&error))
    }

    /// The preview of a request that somebody looked at before it was renewed, by its plan.
    pub async fn earlier_preview(&mut self, request: Uuid, plan: &str) -> Result<Option<Value>, Box<Answer>> {
        let earlier = self.reading.earlier_preview(request, plan).await;
        earlier.map_err(|error| self.refused(&error))
    }

    /// Ends the reading, so that a call does not have to wait for a second connection. What is asked afterwards is of
    /// another moment.
    pub fn let_go(&mut self) {
        self.reading = self.ui.office().reading(&self.visitor.caller);
    }

    /// A refusal of something that never became a call.
    #[must_use]
    pub fn refused(&self, error: &Error) -> Box<Answer> {
        self.ui.refused(error)
    }

    /// What stands around it: asked of the office and of every door, once.
    pub async fn frame(&mut self) -> Result<&Frame, Box<Answer>> {
        if self.frame.is_none() {
            let around = self.surroundings().await?;
            let (organization, frozen_since) = (around.organization.clone(), around.frozen_since);
            let mut frame = Frame { organization, frozen_since, ..Frame::default() };
            for surround in self.ui.surrounds() {
                surround(self, &mut frame).await?;
            }
            self.frame = Some(frame);
        }
        Ok(self.frame.get_or_insert_default())
    }

    /// The page in its frame. `section` is where it stands in the navigation.
    pub async fn show(&mut self, section: &str, template: &str, values: minijinja::Value) -> Shown {
        let frozen = self.frame().await?.frozen_since.map(|at| self.moment(at));
        let did = self.visitor.did.as_deref().and_then(|action| self.ui.done(action));
        Ok(self.ui.respond(template, context! { frozen, did, ..self.values(section, values) }))
    }

    /// The same as far as there is a frame, for what is shown instead of a page.
    pub(crate) async fn instead(&mut self, values: minijinja::Value) -> minijinja::Value {
        if let Ok(frame) = self.frame().await {
            // Nothing on it gets out of date.
            let frame = Frame { live: None, ..frame.clone() };
            self.frame = Some(frame);
        }
        self.values("", values)
    }

    fn values(&self, section: &str, values: minijinja::Value) -> minijinja::Value {
        let around = Around::of(&self.visitor.caller, &self.visitor.csrf);
        let frame = match &self.frame {
            Some(frame) => around.around(frame, section, self.now()),
            None => around,
        };
        context! { frame, once => self.once(), ..values }
    }
}

fn form_day(day: &str) -> Option<NaiveDate> {
    day.parse().ok().filter(|_| day.len() == 10)
}

fn beginning(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    // Where a clock change leaves midnight out, the day begins an hour later.
    let midnight = day.and_time(NaiveTime::MIN);
    let mut hours = (0..24).map(|hour| midnight + TimeDelta::hours(hour));
    hours.find_map(|time| time.and_local_timezone(zone).earliest()).map(|time| time.with_timezone(&Utc))
}
