//! What stands around every page for those who decide: how much waits, what the office could not do, and whether agents
//! may work.

use capabilities::{Answer, Selection};
use ui_kit::{Badge, Frame, Line, Link, Live, Page, Place, Surrounding, total_of, words};

use crate::EVENTS;

pub(crate) fn surround<'a>(page: &'a mut Page<'_>, frame: &'a mut Frame) -> Surrounding<'a> {
    Box::pin(async move {
        if !reads(page, "authorizations") {
            return Ok(());
        }
        let alerts = open_alerts(page).await?;
        let waiting = page.waiting().await.ok();
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

/// How many need somebody, in words; nothing to whom they are not told.
async fn open_alerts(page: &mut Page<'_>) -> Result<String, Box<Answer>> {
    if !reads(page, "alerts") {
        return Ok(String::new());
    }
    let filters = [("acknowledged".to_string(), false.into())].into_iter().collect();
    let selection = Selection { data_type: "alerts".into(), filters, limit: Some(1), ..Selection::default() };
    let total = total_of(&page.read(selection).await?);
    Ok(Some(total).filter(|total| total != "0").unwrap_or_default())
}
