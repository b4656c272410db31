//! Service locations of contacts. A contact has many, one of them primary.

mod of_contacts;
mod removing;

use capabilities::{
    Action, CountryCode, Data, Domain, Effect, Error, FreeText, Id, Ids, Name, Parent, Patch, PermissionClass, Result,
    Text, TimeZone, Tx, Who,
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::entities::{Address, Contact};

pub fn domain() -> Domain {
    Domain::new("address", "Service locations of contacts")
        .data::<Addresses>()
        .action::<Add>()
        .action::<Update>()
        .action::<SetPrimary>()
        .action::<removing::Remove>()
}

/// A service location of a contact.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AddressRow {
    /// The address.
    pub id: Uuid,
    /// Whose it is.
    pub contact_id: Uuid,
    /// What the contact calls it: "Lake house".
    label: Option<String>,
    /// Street and number.
    street: String,
    /// Unit, floor or building.
    street2: Option<String>,
    /// City.
    city: String,
    /// State or province, as it is written on letters: "AL".
    region: Option<String>,
    /// ZIP or postal code.
    pub postal_code: Option<String>,
    /// ISO 3166-1 country.
    country: String,
    /// How to get in: gate code, key, dog.
    access_notes: Option<String>,
    /// Degrees north (WGS 84).
    latitude: Option<f64>,
    /// Degrees east (WGS 84).
    longitude: Option<f64>,
    /// IANA time zone, when it is not the business's.
    pub timezone: Option<String>,
    /// Whether it is the one to use when none is named.
    is_primary: bool,
    /// Since when it is the contact's no more, UTC: visits took place there.
    pub removed_at: Option<DateTime<Utc>>,
    /// Counts the changes.
    version: i32,
    /// When it was added, UTC.
    created_at: DateTime<Utc>,
    /// When it was last changed, UTC.
    updated_at: DateTime<Utc>,
}

/// Service locations of contacts.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Addresses {
    /// Only addresses of this contact.
    contact_id: Option<Ids<Contact>>,
    /// Only addresses in this city, whatever its capitals.
    city: Option<Name>,
    /// Only addresses with this ZIP or postal code.
    postal_code: Option<Text<20>>,
}

impl Data for Addresses {
    const NAME: &str = "addresses";
    const ONE: &str = "address";
    const WHO: Who = Who::EVERYONE;
    const SORTED_BY: &str = "time added, oldest first";
    const PARENTS: &[Parent] = &[Parent {
        of: "contacts",
        filter: "contact_id",
        member: "contact_id",
        children: "addresses",
        parent: Some("contact"),
    }];
    type Row = AddressRow;

    capabilities::listing! {
        |addresses, tx| AddressRow,
        select "id, contact_id, label, street, street2, city, region, postal_code, country, access_notes, latitude, longitude,
                timezone, is_primary, removed_at, version, created_at, updated_at"
        from "addresses",
        oldest first,
        only "removed_at is null",
        where "
            and ($6::uuid[] is null or contact_id = any($6))
            and ($7::text is null or city_key = lower($7))
            and ($8::text is null or postal_code = $8)"
            [
                addresses.contact_id.as_ref().map(Ids::uuids),
                addresses.city.as_ref().map(Text::as_str),
                addresses.postal_code.as_ref().map(Text::as_str),
            ],
        beside "contact_id"
    }
}

/// An address that the contact has; one that was removed is not there any more.
async fn load(id: Id<Address>, tx: &mut Tx<'_>) -> Result<AddressRow> {
    let address = tx.one::<Addresses>(id).await?;
    match address.removed_at {
        None => Ok(address),
        Some(_) => Err(Error::not_found::<Address>(id)),
    }
}

/// A new service location.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAddress {
    /// What the contact calls it: "Lake house".
    pub label: Option<Name>,
    /// Street and number.
    pub street: Name,
    /// Unit, floor or building.
    pub street2: Option<Name>,
    /// City.
    pub city: Name,
    /// State or province, as it is written on letters: "AL".
    pub region: Option<Text<60>>,
    /// ZIP or postal code.
    pub postal_code: Option<Text<20>>,
    /// ISO 3166-1 country; the business's own if left out.
    pub country: Option<CountryCode>,
    /// How to get in: gate code, key, dog.
    pub access_notes: Option<FreeText>,
    /// Degrees north (WGS 84); together with longitude.
    #[schemars(range(min = -90, max = 90))]
    pub latitude: Option<f64>,
    /// Degrees east (WGS 84); together with latitude.
    #[schemars(range(min = -180, max = 180))]
    pub longitude: Option<f64>,
    /// IANA time zone, when it is not the business's.
    pub timezone: Option<TimeZone>,
    /// Make it the contact's primary address. The first one is, unless another says so.
    #[serde(default)]
    pub is_primary: bool,
}

impl NewAddress {
    /// An address of which no more than this is known.
    pub fn at(street: Name, city: Name, postal_code: Option<Text<20>>) -> Self {
        Self {
            label: None,
            street,
            street2: None,
            city,
            region: None,
            postal_code,
            country: None,
            access_notes: None,
            latitude: None,
            longitude: None,
            timezone: None,
            is_primary: true,
        }
    }
}

/// Add a service location to a contact.
///
/// The contact's first address becomes its primary one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Add {
    /// Whose it is.
    pub contact_id: Id<Contact>,
    /// Where it is.
    pub address: NewAddress,
}

impl Action for Add {
    const NAME: &str = "address.add";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = AddressRow;

    fn example() -> Value {
        json!({"address": {"street": "123 Main Street", "city": "Madison", "region": "AL", "postal_code": "35758"}})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<AddressRow> {
        tx.lock(self.contact_id, None).await?;
        let (org_id, id, now) = (tx.org_id(), tx.new_id::<Address>(), tx.now());
        let contact = self.contact_id.uuid();
        let own_country = String::from_utf8_lossy(&tx.org().country).into_owned();
        let address = self.address;
        if address.is_primary {
            make_others_secondary(contact, id.uuid(), tx).await?;
        }
        sqlx::query!(
            r#"
            insert into addresses
              (org_id, id, contact_id, label, street, street2, city, region, postal_code, country, access_notes, latitude,
               longitude, timezone, created_at, updated_at, is_primary)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15,
              $16 or not exists (select 1 from addresses a where a.org_id = $1 and a.contact_id = $3 and a.is_primary))
            "#,
            org_id,
            id.uuid(),
            contact,
            address.label.as_ref().map(Text::as_str),
            address.street.as_str(),
            address.street2.as_ref().map(Text::as_str),
            address.city.as_str(),
            address.region.as_ref().map(Text::as_str),
            address.postal_code.as_ref().map(Text::as_str),
            address.country.as_ref().map_or(own_country.as_str(), CountryCode::as_str),
            address.access_notes.as_ref().map(FreeText::as_str),
            address.latitude,
            address.longitude,
            address.timezone.as_ref().map(TimeZone::as_str),
            now,
            address.is_primary
        )
        .execute(tx.db())
        .await?;
        load(id, tx).await
    }
}

async fn make_others_secondary(contact: Uuid, primary: Uuid, tx: &mut Tx<'_>) -> Result<()> {
    let org_id = tx.org_id();
    sqlx::query!(
        "update addresses set is_primary = false where org_id = $1 and contact_id = $2 and is_primary and id <> $3",
        org_id,
        contact,
        primary
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// Change a service location: what is left out stays, null clears.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Update {
    /// The address to change.
    pub address_id: Id<Address>,
    /// Refuse if the address is at another version by now.
    pub expected_version: Option<i32>,
    /// What the contact calls it.
    #[serde(default)]
    pub label: Patch<Name>,
    /// Street and number.
    pub street: Option<Name>,
    /// Unit, floor or building.
    #[serde(default)]
    pub street2: Patch<Name>,
    /// City.
    pub city: Option<Name>,
    /// State or province.
    #[serde(default)]
    pub region: Patch<Text<60>>,
    /// ZIP or postal code.
    #[serde(default)]
    pub postal_code: Patch<Text<20>>,
    /// ISO 3166-1 country.
    pub country: Option<CountryCode>,
    /// How to get in.
    #[serde(default)]
    pub access_notes: Patch<FreeText>,
    /// Degrees north (WGS 84); together with longitude.
    #[serde(default)]
    pub latitude: Patch<f64>,
    /// Degrees east (WGS 84); together with latitude.
    #[serde(default)]
    pub longitude: Patch<f64>,
    /// IANA time zone, when it is not the business's.
    #[serde(default)]
    pub timezone: Patch<TimeZone>,
}

impl Action for Update {
    const NAME: &str = "address.update";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = AddressRow;

    fn example() -> Value {
        json!({"access_notes": "Gate code 4711", "label": null})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<AddressRow> {
        tx.lock(self.address_id, self.expected_version).await?;
        load(self.address_id, tx).await?;
        let org_id = tx.org_id();
        let (label, street2, region) = (self.label.parts(), self.street2.parts(), self.region.parts());
        let (postal_code, access_notes, timezone) =
            (self.postal_code.parts(), self.access_notes.parts(), self.timezone.parts());
        let (latitude, longitude) = (self.latitude.parts(), self.longitude.parts());
        sqlx::query!(
            r#"
            update addresses
            set label = case when $3 then $4 else label end,
                street = coalesce($5, street),
                street2 = case when $6 then $7 else street2 end,
                city = coalesce($8, city),
                region = case when $9 then $10 else region end,
                postal_code = case when $11 then $12 else postal_code end,
                country = coalesce($13, country),
                access_notes = case when $14 then $15 else access_notes end,
                latitude = case when $16 then $17 else latitude end,
                longitude = case when $18 then $19 else longitude end,
                timezone = case when $20 then $21 else timezone end
            where org_id = $1 and id = $2
            "#,
            org_id,
            self.address_id.uuid(),
            label.0,
            label.1.map(Text::as_str),
            self.street.as_ref().map(Text::as_str),
            street2.0,
            street2.1.map(Text::as_str),
            self.city.as_ref().map(Text::as_str),
            region.0,
            region.1.map(Text::as_str),
            postal_code.0,
            postal_code.1.map(Text::as_str),
            self.country.as_ref().map(CountryCode::as_str),
            access_notes.0,
            access_notes.1.map(FreeText::as_str),
            latitude.0,
            latitude.1,
            longitude.0,
            longitude.1,
            timezone.0,
            timezone.1.map(TimeZone::as_str)
        )
        .execute(tx.db())
        .await?;
        load(self.address_id, tx).await
    }
}

/// Make an address its contact's primary one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetPrimary {
    /// The address to use when none is named.
    pub address_id: Id<Address>,
}

impl Action for SetPrimary {
    const NAME: &str = "address.set_primary";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = AddressRow;

    async fn run(self, tx: &mut Tx<'_>) -> Result<AddressRow> {
        let address = load(self.address_id, tx).await?;
        tx.lock(Id::<Contact>::from(address.contact_id), None).await?;
        make_others_secondary(address.contact_id, address.id, tx).await?;
        let org_id = tx.org_id();
        sqlx::query!("update addresses set is_primary = true where org_id = $1 and id = $2", org_id, address.id)
            .execute(tx.db())
            .await?;
        load(self.address_id, tx).await
    }
}
