//! The catalog: what the business does and sells, and for how much. Tickets copy what they use from it, so a change here
//! never changes what was agreed.

use capabilities::{
    Action, Data, Domain, Effect, Error, FreeText, Id, Key, Keyed, Money, Name, Patch, Percent, PermissionClass,
    Result, Text, Tx, Who,
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::entities::Service;
use crate::house::org::Orgs;

pub fn domain() -> Domain {
    Domain::new("service", "The catalog: what the business does and sells, and for how much")
        .data::<Services>()
        .action::<Create>()
        .action::<Update>()
        .action::<Archive>()
        .action::<Restore>()
}

/// Whether a service is done or handed over.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ServiceKind {
    /// Something that is done.
    Work,
    /// Something that is handed over.
    Product,
}

impl ServiceKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Product => "product",
        }
    }
}

/// How the price of a service comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Strategy {
    /// The service's `price`.
    Fixed,
    /// A price of its own on each ticket, set by the time it is closed.
    Flexible,
    /// The `unit_price` times the quantity.
    PerUnit,
}

impl Strategy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Flexible => "flexible",
            Self::PerUnit => "per_unit",
        }
    }

    fn named(name: &str) -> Self {
        match name {
            "fixed" => Self::Fixed,
            "per_unit" => Self::PerUnit,
            _ => Self::Flexible,
        }
    }
}

/// How a service is priced: fixed with `price`, flexible with or without `suggested_price`, or per_unit with `unit_price`
/// and `unit_name`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Given {
    /// How the price comes about.
    strategy: Strategy,
    /// With fixed: the price.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Money>,
    /// With flexible: what is usually asked for it, for orientation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    suggested_price: Option<Money>,
    /// With per_unit: the price of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_price: Option<Money>,
    /// With per_unit: of one what, such as window or hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_name: Option<Text<40>>,
}

/// How a service is priced: fixed with `price`, flexible with or without `suggested_price`, or per_unit with `unit_price`
/// and `unit_name`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Given", into = "Given")]
pub(crate) struct Pricing {
    pub strategy: Strategy,
    pub price: Option<Money>,
    pub unit_name: Option<String>,
}

impl Pricing {
    /// The member that holds the price.
    fn member(&self) -> &'static str {
        match self.strategy {
            Strategy::Fixed => "price",
            Strategy::Flexible => "suggested_price",
            Strategy::PerUnit => "unit_price",
        }
    }

    /// The price in minor units; it must be of the business's currency and no less than nothing.
    async fn amount(&self, tx: &mut Tx<'_>) -> Result<Option<i64>> {
        let Some(price) = &self.price else { return Ok(None) };
        let pointer = format!("/pricing/{}", self.member());
        match tx.minor_units(price, &pointer).await? {
            amount if amount < 0 => Err(Error::invalid(format!("{pointer}/amount"), "must be at least 0")),
            amount => Ok(Some(amount)),
        }
    }
}

impl TryFrom<Given> for Pricing {
    type Error = &'static str;

    fn try_from(given: Given) -> Result<Self, &'static str> {
        let Given { strategy, price, suggested_price, unit_price, unit_name } = given;
        let unit_name = unit_name.map(|name| name.as_str().to_string());
        match (strategy, price, suggested_price, unit_price, unit_name) {
            (Strategy::Fixed, price @ Some(_), None, None, None) => Ok(Self { strategy, price, unit_name: None }),
            (Strategy::Flexible, None, price, None, None) => Ok(Self { strategy, price, unit_name: None }),
            (Strategy::PerUnit, None, None, price @ Some(_), unit_name @ Some(_)) => {
                Ok(Self { strategy, price, unit_name })
            }
            (Strategy::Fixed, ..) => Err("fixed takes `price` and nothing else"),
            (Strategy::Flexible, ..) => Err("flexible takes `suggested_price` or nothing"),
            (Strategy::PerUnit, ..) => Err("per_unit takes `unit_price` and `unit_name` and nothing else"),
        }
    }
}

impl From<Pricing> for Given {
    fn from(pricing: Pricing) -> Self {
        let Pricing { strategy, price, unit_name } = pricing;
        let when = |wanted: Strategy| price.clone().filter(|_| strategy == wanted);
        Self {
            strategy,
            price: when(Strategy::Fixed),
            suggested_price: when(Strategy::Flexible),
            unit_price: when(Strategy::PerUnit),
            unit_name: unit_name.and_then(|name| name.parse().ok()),
        }
    }
}

/// A service of the catalog.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ServiceRow {
    /// The service.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// Short and unique, for lists and imports.
    pub code: String,
    /// work or product.
    kind: String,
    /// More about it.
    description: Option<String>,
    /// Percent, as exact decimal text.
    pub tax_rate: String,
    /// How it is priced.
    pub pricing: Pricing,
    /// Minutes it typically takes.
    pub duration_minutes: Option<i32>,
    /// Whether it is offered.
    pub active: bool,
    /// Since when it is out of the catalog, UTC.
    archived_at: Option<DateTime<Utc>>,
    /// Counts the changes.
    version: i32,
    /// When it was made, UTC.
    created_at: DateTime<Utc>,
    /// When it was last changed, UTC.
    updated_at: DateTime<Utc>,
}

/// The catalog of services: work and products with their prices and typical durations.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Services {
    /// Only those that are offered (true, as if left out), or only those that no longer are (false).
    active: Option<bool>,
    /// Only work, or only products.
    kind: Option<ServiceKind>,
    /// Only the service with this code, whatever its capitals.
    code: Option<Text<40>>,
}

impl Data for Services {
    const NAME: &str = "services";
    const ONE: &str = "service";
    const WHO: Who = Who::EVERYONE;
    const SORTED_BY: &str = "name, whatever its capitals";
    type Row = ServiceRow;

    capabilities::listing! {
        |services, tx| ServiceRow from StoredService by shown,
        select r#"id, name, sort_name as "sort_name!", code, kind, description, trim_scale(tax_rate)::text as "tax_rate!",
            pricing, price_amount, unit_name, duration_minutes, archived_at, version, created_at, updated_at"#
        from "services",
        order "sort_name, id" after "$3::text is null or (sort_name, id) > ($3, $4)",
        where "
            and ($2 is not null or (archived_at is null) = coalesce($6::bool, true))
            and ($7::text is null or kind = $7)
            and ($8::text is null or code_key = lower($8))"
            [services.active, services.kind.map(ServiceKind::as_str), services.code.as_ref().map(Text::as_str)]
    }
}

/// A service as it is stored.
struct StoredService {
    id: Uuid,
    name: String,
    sort_name: String,
    code: String,
    kind: String,
    description: Option<String>,
    tax_rate: String,
    pricing: String,
    price_amount: Option<i64>,
    unit_name: Option<String>,
    duration_minutes: Option<i32>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

async fn shown(stored: Vec<StoredService>, tx: &mut Tx<'_>) -> Result<Vec<Keyed<ServiceRow>>> {
    let rows = stored.into_iter().map(|service| Keyed {
        key: Key(service.sort_name, service.id),
        row: ServiceRow {
            id: service.id,
            name: service.name,
            code: service.code,
            kind: service.kind,
            description: service.description,
            tax_rate: service.tax_rate,
            pricing: Pricing {
                strategy: Strategy::named(&service.pricing),
                price: service.price_amount.map(|amount| tx.money(amount)),
                unit_name: service.unit_name,
            },
            duration_minutes: service.duration_minutes,
            active: service.archived_at.is_none(),
            archived_at: service.archived_at,
            version: service.version,
            created_at: service.created_at,
            updated_at: service.updated_at,
        },
    });
    Ok(rows.collect())
}

async fn load(id: Id<Service>, tx: &mut Tx<'_>) -> Result<ServiceRow> {
    tx.one::<Services>(id).await
}

/// Add a service to the catalog: work or a product, with its price.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Create {
    /// What it is called.
    pub name: Name,
    /// Short and unique, for lists and imports.
    pub code: Text<40>,
    /// work or product.
    pub kind: ServiceKind,
    /// More about it, at most 10,000 characters.
    pub description: Option<FreeText>,
    /// Percent as exact decimal text such as `9.25`; the business's own if left out.
    pub tax_rate: Option<Percent>,
    /// How it is priced: fixed with `price`, flexible with or without `suggested_price`, or per_unit with `unit_price` and
    /// `unit_name`.
    pub pricing: Pricing,
    /// Minutes it typically takes: tickets without an end go by it.
    #[schemars(range(min = 1, max = 10_080))]
    pub duration_minutes: Option<i32>,
}

impl Action for Create {
    const NAME: &str = "service.create";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = ServiceRow;

    fn example() -> Value {
        json!({
            "name": "Window cleaning, inside and out", "code": "WIN-IO", "kind": "work", "tax_rate": "9.25",
            "pricing": {"strategy": "per_unit", "unit_price": {"amount": 850, "currency": "USD"}, "unit_name": "window"},
            "duration_minutes": 90
        })
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<ServiceRow> {
        let price = self.pricing.amount(tx).await?;
        let tax_rate = match &self.tax_rate {
            Some(rate) => rate.as_str().to_string(),
            None => Orgs::own(tx).await?.default_tax_rate,
        };
        let (org_id, id, now) = (tx.org_id(), tx.new_id::<Service>(), tx.now());
        sqlx::query!(
            r#"
            insert into services
              (org_id, id, name, code, kind, description, tax_rate, pricing, price_amount, unit_name, duration_minutes,
               created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7::text::numeric, $8, $9, $10, $11, $12, $12)
            "#,
            org_id,
            id.uuid(),
            self.name.as_str(),
            self.code.as_str(),
            self.kind.as_str(),
            self.description.as_ref().map(FreeText::as_str),
            tax_rate,
            self.pricing.strategy.as_str(),
            price,
            self.pricing.unit_name,
            self.duration_minutes,
            now
        )
        .execute(tx.db())
        .await?;
        load(id, tx).await
    }
}

/// Change a service: what is left out stays, null clears.
///
/// It holds for what is put on tickets from now on. Tickets keep the prices and names they were made with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Update {
    /// The service to change.
    pub service_id: Id<Service>,
    /// Refuse if the service is at another version by now.
    pub expected_version: Option<i32>,
    /// What it is called.
    pub name: Option<Name>,
    /// Short and unique, for lists and imports.
    pub code: Option<Text<40>>,
    /// work or product.
    pub kind: Option<ServiceKind>,
    /// More about it, at most 10,000 characters.
    #[serde(default)]
    pub description: Patch<FreeText>,
    /// Percent as exact decimal text such as `9.25`.
    pub tax_rate: Option<Percent>,
    /// How it is priced from now on, as a whole.
    pub pricing: Option<Pricing>,
    /// Minutes it typically takes.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_080))]
    pub duration_minutes: Patch<i32>,
}

impl Action for Update {
    const NAME: &str = "service.update";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = ServiceRow;

    fn example() -> Value {
        json!({
            "expected_version": 1,
            "pricing": {"strategy": "fixed", "price": {"amount": 14_900, "currency": "USD"}}, "duration_minutes": 120
        })
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<ServiceRow> {
        tx.lock(self.service_id, self.expected_version).await?;
        let price = match &self.pricing {
            Some(pricing) => pricing.amount(tx).await?,
            None => None,
        };
        let org_id = tx.org_id();
        let (description, duration) = (self.description.parts(), self.duration_minutes.parts());
        sqlx::query!(
            r#"
            update services
            set name = coalesce($3, name),
                code = coalesce($4, code),
                kind = coalesce($5, kind),
                description = case when $6 then $7 else description end,
                tax_rate = coalesce($8::text::numeric, tax_rate),
                pricing = coalesce($9, pricing),
                price_amount = case when $9 is null then price_amount else $10 end,
                unit_name = case when $9 is null then unit_name else $11 end,
                duration_minutes = case when $12 then $13 else duration_minutes end
            where org_id = $1 and id = $2
            "#,
            org_id,
            self.service_id.uuid(),
            self.name.as_ref().map(Text::as_str),
            self.code.as_ref().map(Text::as_str),
            self.kind.map(ServiceKind::as_str),
            description.0,
            description.1.map(FreeText::as_str),
            self.tax_rate.as_ref().map(Percent::as_str),
            self.pricing.as_ref().map(|pricing| pricing.strategy.as_str()),
            price,
            self.pricing.as_ref().and_then(|pricing| pricing.unit_name.as_deref()),
            duration.0,
            duration.1
        )
        .execute(tx.db())
        .await?;
        load(self.service_id, tx).await
    }
}

/// Take a service out of the catalog: it is offered no more, and tickets that have it keep it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Archive {
    /// The service to take out.
    pub service_id: Id<Service>,
    /// Refuse if the service is at another version by now.
    pub expected_version: Option<i32>,
}

impl Action for Archive {
    const NAME: &str = "service.archive";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::SoftLimit;
    const WHO: Who = Who::MANAGERS;
    type Output = ServiceRow;

    async fn run(self, tx: &mut Tx<'_>) -> Result<ServiceRow> {
        tx.lock(self.service_id, self.expected_version).await?;
        tx.leaving(&[self.service_id]).await?;
        let (org_id, now) = (tx.org_id(), tx.now());
        sqlx::query!(
            "update services set archived_at = coalesce(archived_at, $3) where org_id = $1 and id = $2",
            org_id,
            self.service_id.uuid(),
            now
        )
        .execute(tx.db())
        .await?;
        load(self.service_id, tx).await
    }
}

/// Offer an archived service again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restore {
    /// The service to offer again.
    pub service_id: Id<Service>,
    /// Refuse if the service is at another version by now.
    pub expected_version: Option<i32>,
}

impl Action for Restore {
    const NAME: &str = "service.restore";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = ServiceRow;

    async fn run(self, tx: &mut Tx<'_>) -> Result<ServiceRow> {
        tx.lock(self.service_id, self.expected_version).await?;
        let org_id = tx.org_id();
        sqlx::query!(
            "update services set archived_at = null where org_id = $1 and id = $2",
            org_id,
            self.service_id.uuid()
        )
        .execute(tx.db())
        .await?;
        load(self.service_id, tx).await
    }
}
