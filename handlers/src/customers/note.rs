//! Free text on a contact or a ticket, with its author. What outsiders wrote comes back marked as untrusted.

use crate::entities::{Contact, Note, Ticket};
use capabilities::{
    Action, Data, Domain, Effect, Error, FreeText, Id, Ids, Key, Keyed, Listing, Parent, PermissionClass, Query,
    Result, Tx, Untrusted, Who,
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::calendar::ticket::Tickets;
use crate::customers::contact::Contacts;

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

    async fn list(self, query: Query, tx: &mut Tx<'_>) -> Result<Listing<NoteRow>> {
        let org_id = tx.org_id();
        let contacts = self.contact_id.as_ref().map(Ids::uuids);
        let tickets = self.ticket_id.as_ref().map(Ids::uuids);
        let (_, after) = query.after();
        let rows = sqlx::query!(
            r#"
            with matching as not materialized (
              select *
              from notes
              where org_id = $1
                and ($2::uuid[] is null or id = any($2))
                and ($3::uuid[] is null or contact_id = any($3))
                and ($6::uuid[] is null or ticket_id = any($6))
            )
            select id as "id!", contact_id as "contact_id!", ticket_id, content as "content!", author_kind as "author_kind!",
                   author_name as "author_name!", source as "source!", version as "version!",
                   created_at as "created_at!", updated_at as "updated_at!",
                   (select count(*) from (select 1 from matching limit 1001) counted) as "total!"
            from matching
            where $4::uuid is null or id < $4
            order by id desc
            limit $5
            "#,
            org_id,
            query.ids.as_deref(),
            contacts.as_deref(),
            after,
            query.limit,
            tickets.as_deref()
        )
        .fetch_all(tx.db())
        .await?;
        let total = rows.first().map_or(0, |row| row.total);
        let rows = rows.into_iter().map(|row| {
            let outsider = matches!(row.author_kind.as_str(), "customer" | "import");
            let untrusted = outsider.then(|| Untrusted::new(&row.content, &row.author_name, &row.source));
            let row = NoteRow {
                id: row.id,
                contact_id: row.contact_id,
                ticket_id: row.ticket_id,
                content: (!outsider).then_some(row.content),
                untrusted_text: untrusted,
                author_kind: row.author_kind,
                author: row.author_name,
                source: row.source,
                version: row.version,
                created_at: row.created_at,
                updated_at: row.updated_at,
            };
            Keyed { key: Key(String::new(), row.id), row }
        });
        Ok(Listing { rows: rows.collect(), total })
    }
}

async fn load(id: Id<Note>, tx: &mut Tx<'_>) -> Result<NoteRow> {
    tx.one(Notes::default(), id).await
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
}

impl Action for Add {
    const NAME: &str = "note.add";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::EVERYONE;
    type Output = NoteRow;

    fn example() -> Value {
        json!({"contact_id": "01970000-0000-7000-8000-000000000001", "content": "Needs the long ladder for the skylight."})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<NoteRow> {
        let contact = self.subject(tx).await?;
        let caller = tx.caller();
        let author = Author { kind: caller.kind(), id: caller.id(), name: caller.name().to_string() };
        let id = insert(contact, self.ticket_id, &self.content, author, Self::NAME, tx).await?;
        load(id, tx).await
    }
}

impl Add {
    /// The contact that the note is about, by itself or by its ticket.
    async fn subject(&self, tx: &mut Tx<'_>) -> Result<Id<Contact>> {
        let of_ticket = match self.ticket_id {
            Some(ticket) => Some(tx.one(Tickets::default(), ticket).await?.contact_id.into()),
            None => None,
        };
        match (self.contact_id, of_ticket) {
            (Some(contact), Some(of_ticket)) if contact != of_ticket => {
                Err(Error::invalid("/contact_id", "is not the ticket's customer: leave it out"))
            }
            (Some(contact), _) | (None, Some(contact)) => Ok(contact),
            (None, None) => Err(Error::invalid("", "needs a contact_id or a ticket_id")),
        }
    }
}

/// Who wrote a note.
struct Author {
    kind: &'static str,
    id: Option<Uuid>,
    name: String,
}

impl Notes {
    /// What a customer said about a ticket, in the customer's words. `source` is the action that it came by.
    pub async fn by_customer(
        ticket: Id<Ticket>,
        words: &FreeText,
        source: &'static str,
        tx: &mut Tx<'_>,
    ) -> Result<()> {
        let contact = tx.one(Tickets::default(), ticket).await?.contact_id;
        let name = Contacts::names(&[contact], tx).await?.remove(&contact).map(|contact| contact.display_name);
        let author = Author { kind: "customer", id: None, name: name.unwrap_or_default() };
        insert(contact.into(), Some(ticket), words, author, source, tx).await?;
        Ok(())
    }
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
        json!({"note_id": "01970000-0000-7000-8000-000000000001", "content": "Needs the short ladder only."})
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

    fn example() -> Value {
        json!({"note_id": "01970000-0000-7000-8000-000000000001"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<Deleted> {
        tx.lock(self.note_id, self.expected_version).await?;
        let org_id = tx.org_id();
        sqlx::query!("delete from notes where org_id = $1 and id = $2", org_id, self.note_id.uuid())
            .execute(tx.db())
            .await?;
        Ok(Deleted { id: self.note_id.uuid() })
    }
}
