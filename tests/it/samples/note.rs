//! A note on the standing contact.

use serde_json::json;

use super::{Named, Sample, Standing};
use crate::desk::Desk;

pub const SAMPLE: Sample =
    Sample { ids: &["note_id"], make: |standing, desk, _| Box::pin(note(standing, desk)), ..Sample::NONE };

async fn note(standing: &mut Standing, desk: &Desk) -> Vec<Named> {
    let contact = standing.need(desk, "contact_id").await;
    let note = json!({"contact_id": contact, "content": "Beware of the dog."});
    vec![("note_id", desk.owner().await.call("note.add", note).await.id())]
}
