//! Several questions about one moment: what a page shows, read in one transaction.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use crate::answer::Answer;
use crate::callers::Caller;
use crate::error::Result;
use crate::office::Office;
use crate::office::reading::{Read, find};
use crate::office::telemetry::Watch;
use crate::queue::surroundings::{Surroundings, Wanted, surroundings};
use crate::queue::{self, Waiting, summary};
use crate::tx::{Access, Tx};

/// Whoever reads, and the moment that it is about, from the first question on.
pub struct Reading<'o> {
    office: &'o Office,
    caller: Caller,
    tx: Option<Tx<'o>>,
}

impl Office {
    /// Answers one question after the other about one moment.
    #[must_use]
    pub fn reading(&self, caller: &Caller) -> Reading<'_> {
        Reading { office: self, caller: caller.clone(), tx: None }
    }
}

impl<'o> Reading<'o> {
    /// The transaction, for one question. Whoever answered puts it back: one in which something failed answers nothing more,
    /// so the next question begins anew.
    async fn take(&mut self) -> Result<Tx<'o>> {
        match self.tx.take() {
            Some(tx) => Ok(tx),
            None => self.office.begin(&self.caller, Access::Snapshot).await,
        }
    }

    /// Answers a question.
    pub async fn read(&mut self, read: Read) -> Answer {
        let meta = self.office.fresh_meta();
        let known = self.office.registry().data_type(&read.selection.data_type).ok().map(|entry| entry.name);
        let watch = Watch::begin(meta.request_id, &self.caller, known, read.door);
        let asked = async {
            let mut meta = meta.clone();
            let asked = self.office.understand(&self.caller, &read.selection)?;
            let mut tx = self.take().await?;
            let found = find(&asked, read.counted, &mut tx, &mut meta).await?;
            self.tx = Some(tx);
            asked.answer(&self.caller, found, &read, meta)
        };
        let answered = asked.await;
        watch.read(answered.as_ref().err());
        let answer = answered.unwrap_or_else(|error| Answer::refused(&error, meta));
        self.office.with_news(&self.caller, answer).await
    }

    /// What waits for people by now, for one of those who decide.
    pub async fn waiting(&mut self) -> Result<Waiting> {
        self.office.only_deciders(&self.caller)?;
        let mut tx = self.take().await?;
        let waiting = queue::waiting(&mut tx).await?;
        self.tx = Some(tx);
        Ok(waiting)
    }

    /// What stands around every page, as far as the caller may read it.
    pub async fn surroundings(&mut self) -> Result<Surroundings> {
        let registry = self.office.registry();
        let reads = |data_type| registry.data_type(data_type).is_ok_and(|entry| entry.permit(&self.caller).is_ok());
        let wanted = Wanted {
            organization: reads("org"),
            alerts: reads("alerts"),
            waiting: self.office.only_deciders(&self.caller).is_ok(),
        };
        let mut tx = self.take().await?;
        let surroundings = surroundings(wanted, &mut tx).await?;
        self.tx = Some(tx);
        Ok(surroundings)
    }

    /// The preview of a request that one of those who decide looked at before it was renewed, known by its plan: `preview`,
    /// and `rehearsed_at`.
    pub async fn earlier_preview(&mut self, id: Uuid, plan: &str) -> Result<Option<Value>> {
        self.office.only_deciders(&self.caller)?;
        let mut tx = self.take().await?;
        let preview = queue::earlier_preview(id, plan, &mut tx).await?;
        self.tx = Some(tx);
        Ok(preview)
    }

    /// What records are called, by data type. Those without a name, that are not there any more or that the caller may not
    /// read are left out.
    pub async fn names(&mut self, wanted: &BTreeMap<&str, Vec<Uuid>>) -> Result<BTreeMap<Uuid, String>> {
        let mut tx = self.take().await?;
        let mut names = BTreeMap::new();
        for (data_type, ids) in wanted {
            let entry = self.office.registry().data_type(data_type)?;
            if entry.permit(&self.caller).is_ok() {
                names.extend(summary::named(&mut tx, entry, ids.clone()).await?);
            }
        }
        self.tx = Some(tx);
        Ok(names)
    }
}
