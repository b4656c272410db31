//! How a contact is reached: e-mail addresses and phone numbers, set as whole lists. What stays in the list keeps its
//! row, and with it an e-mail's bounced status.

use crate::entities::Contact;
use capabilities::{EmailAddress, Id, PhoneNumber, Result, Tx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What an e-mail address is for.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EmailType {
    /// At home.
    Home,
    /// At work.
    Work,
    /// Anything else.
    #[default]
    Other,
}

/// What a phone number is for.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PhoneType {
    /// Carried along; takes texts.
    Mobile,
    /// At home.
    Home,
    /// At work.
    Work,
    /// Anything else.
    #[default]
    Other,
}

/// An e-mail address to keep.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewEmail {
    /// The address.
    pub email: EmailAddress,
    /// What it is for.
    #[serde(rename = "type")]
    pub kind: Option<EmailType>,
    /// Use it when none is named. The first one is, unless another says so.
    #[serde(default)]
    pub is_primary: bool,
}

impl NewEmail {
    /// The only one that is known.
    pub fn only(email: EmailAddress) -> Self {
        Self { email, kind: None, is_primary: false }
    }
}

/// A phone number to keep.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPhone {
    /// The number in any spelling; without a country code it is read as one of the business's country.
    pub phone: PhoneNumber,
    /// What it is for.
    #[serde(rename = "type")]
    pub kind: Option<PhoneType>,
    /// Use it when none is named. The first one is, unless another says so.
    #[serde(default)]
    pub is_primary: bool,
}

impl NewPhone {
    /// The only one that is known.
    pub fn only(phone: PhoneNumber) -> Self {
        Self { phone, kind: None, is_primary: false }
    }
}

/// An e-mail address of a contact.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct EmailRow {
    /// The address as typed.
    pub email: String,
    /// home, work or other.
    #[serde(rename = "type")]
    kind: String,
    /// Whether it is used when none is named.
    is_primary: bool,
    /// ok, or bounced: nothing is sent to it.
    status: String,
}

/// A phone number of a contact.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PhoneRow {
    /// The number as typed.
    pub phone: String,
    /// The number to dial (E.164), if it is one.
    pub e164: Option<String>,
    /// mobile, home, work or other.
    #[serde(rename = "type")]
    kind: String,
    /// Whether it is used when none is named.
    is_primary: bool,
}

/// A list of e-mails or phones as columns, ready for one statement.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    ids: Vec<Uuid>,
    positions: Vec<i32>,
    texts: Vec<String>,
    /// What makes two the same: the address in lower case, the number in E.164.
    pub keys: Vec<String>,
    e164s: Vec<Option<String>>,
    kinds: Vec<String>,
    primaries: Vec<bool>,
}

impl Columns {
    /// E-mails in their order, one of them primary.
    pub fn of_emails(emails: &[NewEmail], tx: &Tx<'_>) -> Self {
        let mut columns = Self::default();
        for email in emails {
            let kind = match email.kind.unwrap_or_default() {
                EmailType::Home => "home",
                EmailType::Work => "work",
                EmailType::Other => "other",
            };
            columns.push(email.email.as_str(), email.email.as_str().to_lowercase(), None, kind, email.is_primary, tx);
        }
        columns.with_one_primary()
    }

    /// Phones in their order, one of them primary.
    pub fn of_phones(phones: &[NewPhone], tx: &Tx<'_>) -> Self {
        let mut columns = Self::default();
        for phone in phones {
            let kind = match phone.kind.unwrap_or_default() {
                PhoneType::Mobile => "mobile",
                PhoneType::Home => "home",
                PhoneType::Work => "work",
                PhoneType::Other => "other",
            };
            let e164 = phone.phone.e164(tx.org().country);
            let typed = || phone.phone.as_str().chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
            let key = e164.clone().unwrap_or_else(typed);
            columns.push(phone.phone.as_str(), key, e164, kind, phone.is_primary, tx);
        }
        columns.with_one_primary()
    }

    fn push(&mut self, text: &str, key: String, e164: Option<String>, kind: &str, primary: bool, tx: &Tx<'_>) {
        // Named twice is meant once.
        if let Some(known) = self.keys.iter().position(|known| *known == key) {
            self.primaries[known] |= primary;
            return;
        }
        self.ids.push(tx.new_id::<Contact>().uuid());
        self.positions.push(i32::try_from(self.positions.len()).unwrap_or(i32::MAX));
        self.texts.push(text.to_string());
        self.keys.push(key);
        self.e164s.push(e164);
        self.kinds.push(kind.to_string());
        self.primaries.push(primary);
    }

    /// The first one marked is primary; if none is, the first of all.
    fn with_one_primary(mut self) -> Self {
        let chosen = self.primaries.iter().position(|primary| *primary).unwrap_or(0);
        self.primaries.iter_mut().enumerate().for_each(|(index, primary)| *primary = index == chosen);
        self
    }

    /// The numbers that cannot be dialled as they are.
    pub fn undialable(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().zip(&self.e164s).filter(|(_, e164)| e164.is_none()).map(|(text, _)| text.as_str())
    }

    /// What escalates a change when it differs: the addresses or numbers themselves and which one is primary.
    pub fn essence(&self) -> Vec<(String, bool)> {
        let mut essence: Vec<_> = self.keys.iter().cloned().zip(self.primaries.iter().copied()).collect();
        essence.sort();
        essence
    }
}

/// Makes these the contact's e-mails: what is not among them goes, what is stays with its status.
pub(crate) async fn set_emails(contact: Id<Contact>, emails: &Columns, tx: &mut Tx<'_>) -> Result<()> {
    let (org_id, now) = (tx.org_id(), tx.now());
    sqlx::query!(
        r#"
        delete from contact_emails
        where org_id = $1 and contact_id = $2 and not email_key = any($3)
        "#,
        org_id,
        contact.uuid(),
        &emails.keys
    )
    .execute(tx.db())
    .await?;
    // The old primary steps down first: one statement may not hold two for a moment.
    sqlx::query!(
        r#"
        update contact_emails
        set is_primary = false
        where org_id = $1 and contact_id = $2 and is_primary
          and not exists (select 1 from unnest($3::text[], $4::bool[]) as t (key, chosen) where t.chosen and t.key = email_key)
        "#,
        org_id,
        contact.uuid(),
        &emails.keys,
        &emails.primaries
    )
    .execute(tx.db())
    .await?;
    insert_emails(contact, emails, now, tx).await
}

/// Adds these e-mails; one that is there already takes the new spelling, type and place.
pub(crate) async fn insert_emails(
    contact: Id<Contact>,
    emails: &Columns,
    now: chrono::DateTime<chrono::Utc>,
    tx: &mut Tx<'_>,
) -> Result<()> {
    if emails.ids.is_empty() {
        return Ok(());
    }
    let org_id = tx.org_id();
    sqlx::query!(
        r#"
        insert into contact_emails as e
          (org_id, id, contact_id, position, email, type, is_primary, created_at, updated_at)
        select $1, t.id, $2, t.position, t.email, t.type, t.is_primary, $3, $3
        from unnest($4::uuid[], $5::int[], $6::text[], $7::text[], $8::bool[]) as t (id, position, email, type, is_primary)
        on conflict (org_id, contact_id, email_key) do update
          set email = excluded.email, position = excluded.position, type = excluded.type,
              is_primary = excluded.is_primary
        "#,
        org_id,
        contact.uuid(),
        now,
        &emails.ids,
        &emails.positions,
        &emails.texts,
        &emails.kinds,
        &emails.primaries
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// Makes these the contact's phones.
pub(crate) async fn set_phones(contact: Id<Contact>, phones: &Columns, tx: &mut Tx<'_>) -> Result<()> {
    let (org_id, now) = (tx.org_id(), tx.now());
    sqlx::query!(
        r#"
        delete from contact_phones
        where org_id = $1 and contact_id = $2 and not phone_key = any($3)
        "#,
        org_id,
        contact.uuid(),
        &phones.keys
    )
    .execute(tx.db())
    .await?;
    sqlx::query!(
        r#"
        update contact_phones
        set is_primary = false
        where org_id = $1 and contact_id = $2 and is_primary
          and not exists (select 1 from unnest($3::text[], $4::bool[]) as t (key, chosen) where t.chosen and t.key = phone_key)
        "#,
        org_id,
        contact.uuid(),
        &phones.keys,
        &phones.primaries
    )
    .execute(tx.db())
    .await?;
    insert_phones(contact, phones, now, tx).await
}

/// Adds these phones; one that is there already takes the new spelling, type and place.
pub(crate) async fn insert_phones(
    contact: Id<Contact>,
    phones: &Columns,
    now: chrono::DateTime<chrono::Utc>,
    tx: &mut Tx<'_>,
) -> Result<()> {
    if phones.ids.is_empty() {
        return Ok(());
    }
    let org_id = tx.org_id();
    sqlx::query!(
        r#"
        insert into contact_phones as p
          (org_id, id, contact_id, position, phone, e164, type, is_primary, created_at, updated_at)
        select $1, t.id, $2, t.position, t.phone, t.e164, t.type, t.is_primary, $3, $3
        from unnest($4::uuid[], $5::int[], $6::text[], $7::text[], $8::text[], $9::bool[])
          as t (id, position, phone, e164, type, is_primary)
        on conflict (org_id, contact_id, phone_key) do update
          set phone = excluded.phone, e164 = excluded.e164, position = excluded.position, type = excluded.type,
              is_primary = excluded.is_primary
        "#,
        org_id,
        contact.uuid(),
        now,
        &phones.ids,
        &phones.positions,
        &phones.texts,
        &phones.e164s as &[Option<String>],
        &phones.kinds,
        &phones.primaries
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// The keys the contact has now and which one is primary, e-mails and phones.
pub(crate) async fn essence_of(contact: Id<Contact>, tx: &mut Tx<'_>) -> Result<[Vec<(String, bool)>; 2]> {
    let org_id = tx.org_id();
    let rows = sqlx::query!(
        r#"
        select true as "is_email!", email_key as "key!", is_primary as "is_primary!"
        from contact_emails
        where org_id = $1 and contact_id = $2
        union all
        select false, phone_key, is_primary
        from contact_phones
        where org_id = $1 and contact_id = $2
        "#,
        org_id,
        contact.uuid()
    )
    .fetch_all(tx.db())
    .await?;
    let mut essence = [Vec::new(), Vec::new()];
    for row in rows {
        essence[usize::from(!row.is_email)].push((row.key, row.is_primary));
    }
    essence.iter_mut().for_each(|list| list.sort());
    Ok(essence)
}
