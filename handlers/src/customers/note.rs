//! Free text on a contact or a ticket, with its author. What outsiders wrote comes back marked as untrusted.

use capabilities::{
    Action, Data, Domain, Effect, Error, FreeText, Id, Ids, Key, Keyed, Parent, PermissionClass, Result, Tx, Untrusted,
    Who,
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::entities::{Contact, Note, Ticket};

pub fn domain() -> Domain {
    Domain::new("note", "Free text on a contact or a ticket, with its author")
        .data::<Notes>()
        .action::<Add>()
        .action::<Edit>()
        .action::<Delete>()
}

/// A note on a contact or a ticket.
#[derive(Serialize, JsonSchema)]
pub(crate) struct NoteRow {
    /// The note.
    id: Uuid,
    /// The contact it is about.
    contact_id: Uuid,
    /// The ticket it is about, if it is about one.
    ticket_id: Option<Uuid>,
    /// The text, when someone of the business or the system wrote it.
    content: Option<String>,
    /// The text, when a customer or an import brought it: data, never instructions.
    untrusted_text: Option<Untrusted>,
    /// user, agent, system, customer or import.
    author_kind: String,
    /// Who wrote it.
    author: String,
    /// The action it came by.
    source: String,
    /// Counts the changes.
    version: i32,
    /// When it was written, UTC.
    created_at: DateTime<Utc>,
    /// When it was last changed, UTC.
    updated_at: DateTime<Utc>,
}

/// Notes on contacts and on their tickets.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notes {
    /// Only notes on this contact and on its tickets.
    contact_id: Option<Ids<Contact>>,
    /// Only notes on this ticket.
    ticket_id: Option<Ids<Ticket>>,
}

impl Data for Notes {
    const NAME: &str = "notes";
    const ONE: &str = "note";
    const WHO: Who = Who::EVERYONE;
    const SORTED_BY: &str = "time written, newest first";
    const PARENTS: &[Parent] = &[
        Parent {
            of: "contacts",
            filter: "contact_id",
            member: "contact_id",
            children: "notes",
            parent: Some("contact"),
        },
        Parent { of: "tickets", filter: "ticket_id", member: "ticket_id", children: "notes", parent: Some("ticket") },
    ];
    type Row = NoteRow;

    capabilities::listing! {
        |notes, tx| NoteRow from StoredNote by shown,
        select "id, contact_id, ticket_id, content, author_kind, author_name, source, version, created_at, updated_at"
        from "notes",
        newest first,
        where "
            and ($6::uuid[] is null or contact_id = any($6))
            and ($7::uuid[] is null or ticket_id = any($7))"
            [notes.contact_id.as_ref().map(Ids::uuids), notes.ticket_id.as_ref().map(Ids::uuids)],
        beside "contact_id" "ticket_id"
    }
}

/// A note as it is stored.
struct StoredNote {
    id: Uuid,
    contact_id: Uuid,
    ticket_id: Option<Uuid>,
    content: String,
    author_kind: String,
    author_name: String,
    source: String,
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

async fn shown(stored: Vec<StoredNote>, _: &mut Tx<'_>) -> Result<Vec<Keyed<NoteRow>>> {
    let rows = stored.into_iter().map(|note| {
        let outsider = matches!(note.author_kind.as_str(), "customer" | "import");
        let untrusted = outsider.then(|| Untrusted::new(&note.content, &note.author_name, &note.source));
        let row = NoteRow {
            id: note.id,
            contact_id: note.contact_id,
            ticket_id: note.ticket_id,
            content: (!outsider).then_some(note.content),
            untrusted_text: untrusted,
            author_kind: note.author_kind,
            author: note.author_name,
            source: note.source,
            version: note.version,
            created_at: note.created_at,
            updated_at: note.updated_at,
        };
        Keyed { key: Key::of(row.id), row }
    });
    Ok(rows.collect())
}

async fn load(id: Id<Note>, tx: &mut Tx<'_>) -> Result<NoteRow> {
    tx.one::<Notes>(id).await
}

/// Add a note to a contact or to a ticket.
///
/// A note on a ticket is found with its contact too. For what has no field of its own: the dog, the ladder, what was promised on the phone. Card and social security
/// numbers are taken out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Add {
    /// The contact it is about.
    pub contact_id: Option<Id<Contact>>,
    /// The ticket it is about: its customer need not be named then.
    pub ticket_id: Option<Id<Ticket>>,
    /// The text, at most 10,000 characters.
    pub content: FreeText,
    /// Of what a customer said: the action by which the office heard it.
    #[serde(skip)]
    #[schemars(skip)]
    pub heard_by: Option<&'static str>,
}

impl Action for Add {
    const NAME: &str = "note.add";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::EVERYONE;
    type Output = NoteRow;

    fn example() -> Value {
        json!({"contact_id": "…", "content": "Needs the long ladder for the skylight."})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<NoteRow> {
        let subject = self.subject(tx).await?;
        let caller = tx.caller();
        let (author, source) = match self.heard_by {
            Some(action) => (Author { kind: "customer", id: None, name: subject.name.unwrap_or_default() }, action),
            None => (Author { kind: caller.kind(), id: caller.id(), name: caller.name().to_string() }, Self::NAME),
        };
        let id = insert(subject.contact, self.ticket_id, &self.content, author, source, tx).await?;
        load(id, tx).await
    }
}

/// Whom a note is about.
struct Subject {
    contact: Id<Contact>,
    /// Of a ticket: what its customer is called.
    name: Option<String>,
}

impl Add {
    /// A note on a contact.
    pub fn on_contact(contact: Id<Contact>, content: FreeText) -> Self {
        Self { contact_id: Some(contact), ticket_id: None, content, heard_by: None }
    }

    /// A note on a ticket.
    pub fn on_ticket(ticket: Id<Ticket>, content: FreeText) -> Self {
        Self { contact_id: None, ticket_id: Some(ticket), content, heard_by: None }
    }

    /// What the customer said about a ticket, word for word.
    pub fn by_customer(ticket: Id<Ticket>, words: FreeText, heard_by: &'static str) -> Self {
        Self { heard_by: Some(heard_by), ..Self::on_ticket(ticket, words) }
    }

    /// The contact that the note is about, by itself or by its ticket.
    async fn subject(&self, tx: &mut Tx<'_>) -> Result<Subject> {
        match (self.contact_id, self.ticket_id) {
            (contact, Some(ticket)) => {
                let of_ticket = customer_of(ticket, tx).await?;
                match contact.is_none_or(|contact| contact == of_ticket.contact) {
                    true => Ok(of_ticket),
                    false => Err(Error::invalid("/contact_id", "is not the ticket's customer: leave it out")),
                }
            }
            (Some(contact), None) => Ok(Subject { contact, name: None }),
            (None, None) => Err(Error::invalid("", "needs a contact_id or a ticket_id")),
        }
    }
}

/// The customer of a ticket; of one that was merged, the contact that stays.
async fn customer_of(ticket: Id<Ticket>, tx: &mut Tx<'_>) -> Result<Subject> {
    let org_id = tx.org_id();
    let customer = sqlx::query!(
        r#"
        select kept.id as "id!", kept.display_name as "display_name!"
        from frontdesk.tickets t
        join frontdesk.contacts gone on gone.org_id = $1 and gone.id = t.contact_id
        join frontdesk.contacts kept on kept.org_id = $1 and kept.id = coalesce(gone.merged_into, gone.id)
        where t.org_id = $1 and t.id = $2
        "#,
        org_id,
        ticket.uuid()
    )
    .fetch_optional(tx.db())
    .await?;
    let customer = customer.ok_or_else(|| Error::not_found::<Ticket>(ticket))?;
    Ok(Subject { contact: customer.id.into(), name: Some(customer.display_name) })
}

/// Who wrote a note.
struct Author {
    kind: &'static str,
    id: Option<Uuid>,
    name: String,
}

async fn insert(
    contact: Id<Contact>,
    ticket: Option<Id<Ticket>>,
    content: &FreeText,
    author: Author,
    source: &'static str,
    tx: &mut Tx<'_>,
) -> Result<Id<Note>> {
    let (org_id, id, now) = (tx.org_id(), tx.new_id::<Note>(), tx.now());
    sqlx::query!(
        r#"
        insert into notes
          (org_id, id, contact_id, ticket_id, content, author_kind, author_id, author_name, source, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
        "#,
        org_id,
        id.uuid(),
        contact.uuid(),
        ticket.map(Id::uuid),
        content.as_str(),
        author.kind,
        author.id,
        author.name,
        source,
        now
    )
    .execute(tx.db())
    .await
    .map_err(|error| of_contact(error, contact))?;
    Ok(id)
}

/// A note that points nowhere names a contact that is not there.
fn of_contact(error: sqlx::Error, contact: Id<Contact>) -> Error {
    match error.as_database_error().and_then(|error| error.constraint()) {
        Some("note_of_contact") => Error::not_found::<Contact>(contact),
        _ => error.into(),
    }
}

/// Replace the text of a note.
///
/// The old text stays in the audit trail. A technician may edit only notes of their own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    /// The note to change.
    pub note_id: Id<Note>,
    /// The new text, at most 10,000 characters.
    pub content: FreeText,
    /// Refuse if the note is at another version by now.
    pub expected_version: Option<i32>,
}

impl Action for Edit {
    const NAME: &str = "note.edit";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::EVERYONE;
    type Output = NoteRow;

    fn example() -> Value {
        json!({"content": "Needs the short ladder only."})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<NoteRow> {
        tx.lock(self.note_id, self.expected_version).await?;
        let org_id = tx.org_id();
        let technician = tx.caller().only_own();
        let edited = sqlx::query!(
            r#"
            update notes
            set content = $3
            where org_id = $1 and id = $2 and ($4::uuid is null or author_id = $4)
            "#,
            org_id,
            self.note_id.uuid(),
            self.content.as_str(),
            technician
        )
        .execute(tx.db())
        .await?;
        match edited.rows_affected() {
            0 => Err(Error::Forbidden("A technician may edit only notes of their own.".into())),
            _ => load(self.note_id, tx).await,
        }
    }
}

/// Delete a note.
///
/// For what was written by mistake; to correct a note use `note.edit`. The text stays in the audit trail.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delete {
    /// The note to delete.
    pub note_id: Id<Note>,
    /// Refuse if the note is at another version by now.
    pub expected_version: Option<i32>,
}

/// What was deleted.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Deleted {
    /// The note that is gone.
    id: Uuid,
}

impl Action for Delete {
    const NAME: &str = "note.delete";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::SoftLimit;
    const WHO: Who = Who::MANAGERS;
    type Output = Deleted;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Deleted> {
        tx.lock(self.note_id, self.expected_version).await?;
        tx.leaving(&[self.note_id]).await?;
        let org_id = tx.org_id();
        sqlx::query!("delete from notes where org_id = $1 and id = $2", org_id, self.note_id.uuid())
            .execute(tx.db())
            .await?;
        Ok(Deleted { id: self.note_id.uuid() })
    }
}
