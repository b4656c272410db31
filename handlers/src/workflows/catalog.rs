//! Which service is meant by a few words.

use capabilities::{Data, Error, Id, Name, Result, Tx};
use serde_json::{Value, json};

use super::either;
use crate::entities::Service;
use crate::house::service::Services;

type Offered = <Services as Data>::Row;

/// So many services are looked at,
const LOOKED_AT: i64 = 1_000;
/// and told.
const TOLD: usize = 10;

/// The service with this id, or the only one that the words mean: its name or code, or all of them in its name.
pub(super) async fn find(
    id: Option<Id<Service>>,
    words: Option<&Name>,
    tx: &mut Tx<'_>,
) -> Result<Option<Id<Service>>> {
    if let Some(id) = id {
        tx.one::<Services>(id).await?;
        return Ok(Some(id));
    }
    let Some(words) = words else { return Ok(None) };
    let words = words.as_str().to_lowercase();
    let offered = tx.first_of(Services::default(), LOOKED_AT).await?;
    let just = |service: &&Offered| [&service.name, &service.code].iter().any(|text| text.to_lowercase() == words);
    let mut meant: Vec<&Offered> = offered.iter().filter(just).collect();
    if meant.is_empty() {
        let has_all = |text: String| words.split_whitespace().all(|word| text.contains(word));
        meant = offered.iter().filter(|service| has_all(service.name.to_lowercase())).collect();
    }
    match meant.as_slice() {
        [only] => Ok(Some(only.id.into())),
        [] => Err(unknown(&offered)),
        several => Err(ambiguous(several)),
    }
}

fn unknown(offered: &[Offered]) -> Error {
    let names: Vec<&str> = offered.iter().take(TOLD).map(|service| service.name.as_str()).collect();
    let some: Vec<&Offered> = offered.iter().collect();
    Error::conflict(
        "UNKNOWN_SERVICE",
        format!("No service of the catalog is called that. There are: {}.", names.join("; ")),
        "Repeat with `service_id`, or with words of a service's name; the data type services lists all.",
    )
    .about(to_words(&some))
}

fn ambiguous(several: &[&Offered]) -> Error {
    let names: Vec<String> =
        several.iter().take(TOLD).map(|service| format!("{} ({})", service.name, service.code)).collect();
    Error::conflict(
        "AMBIGUOUS_SERVICE",
        format!("More than one service may be meant: {}.", either(&names)),
        "Ask which one it is, and repeat with `service_id`.",
    )
    .about(to_words(several))
}

fn to_words(services: &[&Offered]) -> Value {
    let tell = |service: &&Offered| {
        json!({
            "service_id": service.id, "name": service.name, "code": service.code, "pricing": service.pricing,
            "duration_minutes": service.duration_minutes,
        })
    };
    services.iter().take(TOLD).map(tell).collect()
}
