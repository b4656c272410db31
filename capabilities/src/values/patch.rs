//! A change to one member of a record.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use crate::values::marks::NULLABLE;

/// A change to one member: left out it stays, null clears it, a value sets it.
#[derive(Debug, Clone, Default)]
pub enum Patch<T> {
    /// Not mentioned.
    #[default]
    Keep,
    /// Set to nothing.
    Clear,
    /// Set.
    Set(T),
}

impl<T> Patch<T> {
    /// Whether it is mentioned, and the new value: for `case when $1 then $2 else … end`.
    pub fn parts(&self) -> (bool, Option<&T>) {
        match self {
            Self::Keep => (false, None),
            Self::Clear => (true, None),
            Self::Set(value) => (true, Some(value)),
        }
    }
}
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}
impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        format!("patch of {}", T::schema_id()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = generator.subschema_for::<T>();
        schema.insert(NULLABLE.into(), true.into());
        schema
    }
}
