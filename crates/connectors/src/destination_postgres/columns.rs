//! A stream's JSON schema as columns: one per top-level property.

use std::collections::HashSet;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::names::shortened;
use crate::failure::Failure;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    Number,
    Text,
    Date,
    Time,
    TimeWithZone,
    Timestamp,
    TimestampWithZone,
    /// Bytes, which travel as base64.
    Binary,
    /// Objects, arrays, and values without a more specific type.
    Json,
}

impl Kind {
    fn of(schema: &Value) -> Self {
        let member = |name: &str| schema.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut types: Vec<&str> = match schema.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ if schema.get("enum").is_some() => vec!["string"],
            _ => Vec::new(),
        };
        types.retain(|name| *name != "null");
        types.sort_unstable();
        match types.as_slice() {
            ["boolean"] => Self::Boolean,
            ["integer"] => Self::Integer,
            ["number"] if member("airbyte_type") == "integer" => Self::Integer,
            ["number"] | ["integer", "number"] => Self::Number,
            ["string"] => match (member("airbyte_type"), member("format")) {
                ("big_integer" | "big_number", _) => Self::Number,
                ("timestamp_without_timezone", "date-time") => Self::Timestamp,
                (_, "date-time") => Self::TimestampWithZone,
                ("time_with_timezone", "time") => Self::TimeWithZone,
                (_, "time") => Self::Time,
                (_, "date") => Self::Date,
                _ if member("contentEncoding") == "base64" => Self::Binary,
                _ => Self::Text,
            },
            _ => Self::Json,
        }
    }

    /// The type as the server names it.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "bigint",
            Self::Number => "numeric",
            Self::Text => "text",
            Self::Date => "date",
            Self::Time => "time without time zone",
            Self::TimeWithZone => "time with time zone",
            Self::Timestamp => "timestamp without time zone",
            Self::TimestampWithZone => "timestamp with time zone",
            Self::Binary => "bytea",
            Self::Json => "jsonb",
        }
    }
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Name of the property.
    pub(super) property: String,
    /// Name of the column: the property's, unless another column has it already.
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// Names of the columns that the destination itself fills, with their types.
const META: [(&str, &str); 4] = [
    ("_airbyte_raw_id", "character varying"),
    ("_airbyte_extracted_at", "timestamp with time zone"),
    ("_airbyte_meta", "jsonb"),
    ("_airbyte_generation_id", "bigint"),
];

/// Columns that every table has without saying so.
const SYSTEM: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// The columns that the destination itself fills; the last is left out where the platform does
/// not count generations.
pub(super) fn meta(generations: bool) -> &'static [(&'static str, &'static str)] {
    &META[..META.len() - usize::from(!generations)]
}

/// The columns of a schema, in document order.
pub(super) fn columns(schema: &RawValue) -> Result<Vec<Column>, Failure> {
    #[derive(serde::Deserialize)]
    struct Schema {
        #[serde(default)]
        properties: Map<String, Value>,
    }
    let schema: Schema = serde_json::from_str(schema.get())
        .map_err(|e| Failure::config("the schema of a stream cannot be understood").because(e))?;
    let own = META.iter().map(|(name, _)| *name);
    let mut taken: HashSet<String> = own.chain(SYSTEM).map(str::to_owned).collect();
    let mut columns = Vec::with_capacity(schema.properties.len());
    for (property, schema) in schema.properties {
        let mut name = shortened(&property);
        let mut number = 0;
        while !taken.insert(name.clone()) {
            number += 1;
            name = shortened(&format!("{property}_{number}"));
        }
        columns.push(Column {
            property,
            name,
            kind: Kind::of(&schema),
        });
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_become_columns() {
        let long = "n".repeat(80);
        let schema = serde_json::json!({ "properties": {
            "id": { "type": "integer" },
            "ID": { "type": ["null", "string"] },
            "xmin": { "type": "object" },
            "price": { "type": ["null", "number"] },
            "count": { "type": "number", "airbyte_type": "integer" },
            "at": { "type": ["null", "string"], "format": "date-time" },
            "local": { "type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone" },
            "tags": { "type": "array" },
            "bytes": { "type": "string", "contentEncoding": "base64" },
            "mixed": { "type": ["null", "integer", "string"] },
            "open": {},
            (long.clone() + "a"): { "type": "string" },
            (long + "b"): { "type": "string" },
        }});
        let raw = serde_json::value::to_raw_value(&schema).unwrap();
        let made = columns(&raw).unwrap();
        let named: Vec<(&str, &str)> = made
            .iter()
            .take(11)
            .map(|c| (c.name.as_str(), c.kind.sql()))
            .collect();
        let expected = [
            ("id", "bigint"),
            ("ID", "text"),
            ("xmin_1", "jsonb"),
            ("price", "numeric"),
            ("count", "bigint"),
            ("at", "timestamp with time zone"),
            ("local", "timestamp without time zone"),
            ("tags", "jsonb"),
            ("bytes", "bytea"),
            ("mixed", "jsonb"),
            ("open", "jsonb"),
        ];
        assert_eq!(named, expected);
        assert!(made.iter().all(|column| column.name.len() <= 63));
        assert_ne!(made[11].name, made[12].name);
    }
}
