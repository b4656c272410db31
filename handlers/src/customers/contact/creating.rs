//! Making contacts, with what is known of them at the first call.

use capabilities::{Action, Effect, EmailAddress, FreeText, Name, PermissionClass, PhoneNumber, Result, Text, Tx, Who};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::reach::{Columns, NewEmail, NewPhone, insert_emails, insert_phones};
use super::{ContactKind, ContactRow, PreferredTime, Tag, load, lower};
use crate::customers::address;
use crate::customers::note;
use crate::entities::Contact;

/// Create a contact, with e-mails, phones, addresses and notes in one go.
///
/// A person needs a given_name or a family_name, an organization an organization_name. If one with the same e-mail,
/// phone, or name and postal code is already known, the contact is made all the same and the warning
/// `possible_duplicates` names the others.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Create {
    /// person or organization.
    pub kind: ContactKind,
    /// A person's given name.
    pub given_name: Option<Name>,
    /// A person's family name.
    pub family_name: Option<Name>,
    /// An organization's name.
    pub organization_name: Option<Name>,
    /// E-mail addresses.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub emails: Vec<NewEmail>,
    /// Phone numbers.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub phones: Vec<NewPhone>,
    /// Service locations.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub addresses: Vec<address::NewAddress>,
    /// When the contact prefers visits; any if left out.
    pub preferred_time: Option<PreferredTime>,
    /// Words to group by; kept in lower case.
    #[serde(default)]
    #[schemars(length(max = 30))]
    pub tags: Vec<Tag>,
    /// Each becomes a note on the contact.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub notes: Vec<FreeText>,
}

impl Create {
    /// A person of whom no more than this is known; the last word of several is the family name. An address is its street,
    /// city and postal code.
    pub fn person(
        name: &Name,
        phone: Option<PhoneNumber>,
        email: Option<EmailAddress>,
        address: Option<(Name, Name, Option<Text<20>>)>,
    ) -> Self {
        let (given, family) = name.as_str().rsplit_once(' ').unwrap_or((name.as_str(), ""));
        Self {
            kind: ContactKind::Person,
            given_name: given.parse().ok(),
            family_name: family.parse().ok(),
            organization_name: None,
            emails: email.into_iter().map(NewEmail::only).collect(),
            phones: phone.into_iter().map(NewPhone::only).collect(),
            addresses: address
                .map(|(street, city, code)| address::NewAddress::at(street, city, code))
                .into_iter()
                .collect(),
            preferred_time: None,
            tags: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl Action for Create {
    const NAME: &str = "contact.create";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = ContactRow;

    fn example() -> Value {
        json!({
            "kind": "person", "given_name": "Jane", "family_name": "Smith",
            "emails": [{"email": "jane@example.com"}], "phones": [{"phone": "(256) 555-0100", "type": "mobile"}],
            "addresses": [{"street": "123 Main Street", "city": "Madison", "region": "AL", "postal_code": "35758"}]
        })
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<ContactRow> {
        let (org_id, id, now) = (tx.org_id(), tx.new_id::<Contact>(), tx.now());
        let emails = Columns::of_emails(&self.emails, tx);
        let phones = Columns::of_phones(&self.phones, tx);
        warn_of_duplicates(&self, &emails, &phones, tx).await?;
        warn_of_undialable(&phones, tx);
        sqlx::query!(
            r#"
            insert into contacts
              (org_id, id, kind, given_name, family_name, organization_name, preferred_time, tags, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
            "#,
            org_id,
            id.uuid(),
            self.kind.as_str(),
            self.given_name.as_ref().map(Text::as_str),
            self.family_name.as_ref().map(Text::as_str),
            self.organization_name.as_ref().map(Text::as_str),
            self.preferred_time.map_or("any", PreferredTime::as_str),
            &lower(&self.tags),
            now
        )
        .execute(tx.db())
        .await?;
        insert_emails(id, &emails, now, tx).await?;
        insert_phones(id, &phones, now, tx).await?;
        for address in self.addresses {
            tx.call(address::Add { contact_id: id, address }).await?;
        }
        for content in self.notes {
            tx.call(note::Add { contact_id: Some(id), ticket_id: None, content }).await?;
        }
        load(id, tx).await
    }
}

/// Phones that nobody can dial as they are stay as typed, and the caller hears of it.
pub(crate) fn warn_of_undialable(phones: &Columns, tx: &mut Tx<'_>) {
    let numbers: Vec<&str> = phones.undialable().collect();
    if !numbers.is_empty() {
        let message =
            format!("{} cannot be dialled as it stands: an area or country code may be missing.", numbers.join(", "));
        tx.warn("phone_not_dialable", message, None);
    }
}

async fn warn_of_duplicates(new: &Create, emails: &Columns, phones: &Columns, tx: &mut Tx<'_>) -> Result<()> {
    let org_id = tx.org_id();
    let names = match new.kind {
        ContactKind::Organization => vec![new.organization_name.as_ref()],
        ContactKind::Person => vec![new.given_name.as_ref(), new.family_name.as_ref()],
    };
    let name = names.into_iter().flatten().map(Text::as_str).collect::<Vec<_>>().join(" ").to_lowercase();
    let codes = new.addresses.iter().filter_map(|address| address.postal_code.as_ref());
    let codes: Vec<String> = codes.map(|code| code.as_str().to_string()).collect();
    let known = sqlx::query!(
        r#"
        with same as (
          select e.contact_id as id, 'e-mail' as shared
          from contact_emails e
          where e.org_id = $1 and e.email_key = any($2)
          union
          select p.contact_id, 'phone'
          from contact_phones p
          where p.org_id = $1 and p.phone_key = any($3)
          union
          select c.id, 'name and postal code'
          from contacts c
          where c.org_id = $1 and c.sort_name = $4
            and exists (
              select 1 from addresses a where a.org_id = $1 and a.contact_id = c.id and a.postal_code = any($5) and a.removed_at is null
            )
        )
        select c.id as "id!", c.display_name as "display_name!", string_agg(s.shared, ', ') as "shared!"
        from same s
        join contacts c on c.org_id = $1 and c.id = s.id and c.merged_into is null
        group by c.id, c.display_name
        order by c.id
        limit 5
        "#,
        org_id,
        &emails.keys,
        &phones.keys,
        name,
        &codes
    )
    .fetch_all(tx.db())
    .await?;
    if !known.is_empty() {
        let about = known.iter().map(|row| json!({"id": row.id, "display_name": row.display_name, "same": row.shared}));
        let message = "Contacts with the same e-mail, phone, or name and postal code exist already.";
        tx.warn("possible_duplicates", message, Some(about.collect()));
    }
    Ok(())
}
