//! What has an id, and ids that know of what.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::values::marks::REFERS_TO;

/// Something with an id: what `Id<T>` points to.
pub trait Entity: Send + Sync + 'static {
    /// The singular a person says: `contact`.
    const NAME: &'static str;
    /// Its table, which is also its data type: `contacts`.
    const TABLE: &'static str;
}

/// The id of a `T`, a UUID.
pub struct Id<T>(Uuid, PhantomData<fn() -> T>);

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> From<Uuid> for Id<T> {
    fn from(id: Uuid) -> Self {
        Self(id, PhantomData)
    }
}
impl<T> From<Id<T>> for Uuid {
    fn from(id: Id<T>) -> Self {
        id.0
    }
}
impl<T> Id<T> {
    /// The plain UUID, for SQL.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        self.0
    }
}
impl<T> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
impl<'de, T> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::from)
    }
}
impl<T: Entity> JsonSchema for Id<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("{}_id", T::NAME).into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "uuid", REFERS_TO: T::TABLE})
    }
}

/// One id or several: in a query string separated by commas, in JSON a string or a list.
#[derive(Debug, Clone)]
pub struct Ids<T>(Vec<Uuid>, PhantomData<fn() -> T>);

impl<T> Ids<T> {
    /// The plain UUIDs, for `= any($n)`.
    #[must_use]
    pub fn uuids(&self) -> &[Uuid] {
        &self.0
    }
}

impl<T> From<Vec<Uuid>> for Ids<T> {
    fn from(ids: Vec<Uuid>) -> Self {
        Self(ids, PhantomData)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<Uuid>),
}

impl<'de, T> Deserialize<'de> for Ids<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ids = match OneOrMany::deserialize(deserializer)? {
            OneOrMany::Many(ids) => ids,
            OneOrMany::One(text) => text
                .split(',')
                .map(|id| Uuid::from_str(id.trim()).map_err(|_| D::Error::custom("is not a UUID or a list of them")))
                .collect::<Result<_, _>>()?,
        };
        Ok(ids.into())
    }
}
impl<T: Entity> JsonSchema for Ids<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}_ids", T::NAME).into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "array"], "items": {"type": "string", "format": "uuid"}})
    }
}
