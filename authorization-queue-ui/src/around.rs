//! What stands around every page for those who decide: how much waits, what the office could not do, and whether agents
//! may work.

use ui_kit::{Badge, Frame, Line, Link, Live, Page, Place, Surrounding, words};

use crate::EVENTS;

pub(crate) fn surround<'a>(page: &'a mut Page<'_>, frame: &'a mut Frame) -> Surrounding<'a> {
    Box::pin(async move {
        if !reads(page, "authorizations") {
            return Ok(());
        }
        let around = page.surroundings().await?;
        let (alerts, waiting) = (around.alerts.map(in_words).unwrap_or_default(), around.waiting.clone());
        let count = waiting.as_ref().map(|waiting| words::how_many(waiting.count)).unwrap_or_default();
        frame.live = waiting.map(|waiting| Live { events: EVENTS, mark: waiting.mark });
        let alerts =
            Some(Badge { text: alerts, of_what: " open", is_live: false }).filter(|alerts| !alerts.text.is_empty());
        let row = vec![
            Place::new("/queue", "Waiting", "waiting"),
            Place::new("/queue/history", "History", "history"),
            Place::new("/queue/rules", "Rules", "rules"),
            Place::new("/queue/agents", "Agents", "agents"),
            Place::new("/alerts", "Alerts", "alerts").with(alerts.clone()),
        ];
        let waiting = Badge { text: count, of_what: "", is_live: true };
        frame
            .places
            .push(Place::new("/queue", "Waiting", "waiting").with(Some(waiting)).over("What agents ask for", row));
        if alerts.is_some() {
            frame.places.push(Place::new("/alerts", "Alerts", "alerts").with(alerts));
        }
        match frame.frozen_since {
            None => frame.all_well = Some(Link::to("/queue", "Agents may work")),
            Some(_) => frame.lines.push(Line {
                link: Link::to("/queue", "Agents are frozen: every change they ask for waits."),
                warns: true,
                section: "waiting".into(),
            }),
        }
        Ok(())
    })
}

fn reads(page: &Page<'_>, data_type: &str) -> bool {
    page.registry().data_type(data_type).is_ok_and(|entry| page.visitor().caller.is_among(entry.who))
}

/// How many need somebody; counted to 1,001.
fn in_words(open: i64) -> String {
    match open {
        0 => String::new(),
        1..=1_000 => open.to_string(),
        _ => "1000+".into(),
    }
}
