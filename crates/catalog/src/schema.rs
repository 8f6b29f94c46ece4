//! Examines a stream's JSON schema without keeping it parsed.

use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};

use crate::model::Schema;
use crate::node::Members;

/// Names of the top-level columns, in document order.
pub fn columns(schema: &RawValue) -> Vec<String> {
    let Some(properties) = member(schema, "properties") else {
        return Vec::new();
    };
    let members = serde_json::from_str::<Members<'_>>(properties.get());
    members.map_or_else(
        |_| Vec::new(),
        |Members(members)| {
            members
                .into_iter()
                .map(|(name, _)| name.into_owned())
                .collect()
        },
    )
}

/// Whether the path leads to a column: a top-level one, or one within nested `properties`.
pub fn has_path(schema: &RawValue, path: &[String]) -> bool {
    let mut here = schema;
    for name in path {
        match member(here, "properties").and_then(|properties| member(properties, name)) {
            Some(next) => here = next,
            None => return false,
        }
    }
    !path.is_empty()
}

/// Whether a record can contain the path: as [`has_path`], and always if the schema declares no
/// columns at all.
pub fn may_have(schema: &RawValue, path: &[String]) -> bool {
    has_path(schema, path) || columns(schema).is_empty()
}

/// The schema with only those top-level columns, in the schema's order; everything else is
/// unchanged.
pub fn narrowed(schema: &Schema, selected: &[Vec<String>]) -> Schema {
    let chosen: std::collections::HashSet<&str> = selected
        .iter()
        .filter_map(|path| path.first())
        .map(String::as_str)
        .collect();
    let narrowed = without(schema, |column| !chosen.contains(column));
    narrowed.map_or_else(|| Arc::clone(schema), Arc::from)
}

/// The schema without the unwanted columns; absent if there are none.
fn without(schema: &RawValue, unwanted: impl Fn(&str) -> bool) -> Option<Box<RawValue>> {
    let Members(mut members) = serde_json::from_str(schema.get()).ok()?;
    let properties = members.iter_mut().find(|(name, _)| name == "properties")?;
    let Members(mut columns) = serde_json::from_str(properties.1.get()).ok()?;
    let all = columns.len();
    columns.retain(|(column, _)| !unwanted(column));
    if columns.len() == all {
        return None;
    }
    let columns = to_raw_value(&Members(columns)).ok()?;
    properties.1 = &columns;
    to_raw_value(&Members(members)).ok()
}

/// The empty schema.
pub(crate) fn empty() -> Schema {
    let text = RawValue::from_string("{}".to_owned());
    Arc::from(text.expect("{} is JSON"))
}

/// The value as raw JSON text; absent only if serialization fails, which it never does for values.
pub(crate) fn raw(value: &serde_json::Value) -> Option<Box<RawValue>> {
    to_raw_value(value).ok()
}

/// Whether the schema is empty: `{}`.
pub(crate) fn is_empty(schema: &RawValue) -> bool {
    serde_json::from_str::<Members<'_>>(schema.get()).is_ok_and(|members| members.0.is_empty())
}

fn member<'a>(object: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    let Members(members) = serde_json::from_str(object.get()).ok()?;
    members
        .into_iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}
