//! A stream's JSON schema as columns: one per top-level property.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::failure::Failure;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Real,
    Boolean,
    Text,
    /// Bytes, which travel as base64.
    Blob,
    /// Objects and lists, as JSON text.
    Json,
    /// Any value, unchanged.
    Any,
}

impl Kind {
    fn of(schema: &Value) -> Self {
        let is =
            |member: &str, value: &str| schema.get(member).and_then(Value::as_str) == Some(value);
        let mut types: Vec<&str> = match schema.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ if schema.get("enum").is_some() => vec!["string"],
            _ if schema.get("properties").is_some() => vec!["object"],
            _ => Vec::new(),
        };
        types.retain(|name| *name != "null");
        match types.as_slice() {
            ["integer"] => Self::Integer,
            ["integer", "number"] | ["number", "integer"] => Self::Real,
            ["number"] if is("airbyte_type", "integer") => Self::Integer,
            ["number"] => Self::Real,
            ["boolean"] => Self::Boolean,
            ["string"] if is("airbyte_type", "big_integer") => Self::Any,
            ["string"] if is("contentEncoding", "base64") => Self::Blob,
            ["string"] => Self::Text,
            ["object" | "array"] | ["object", "array"] | ["array", "object"] => Self::Json,
            _ => Self::Any,
        }
    }

    /// The declared type. A column of anything has none: any declaration would make SQLite convert
    /// what it holds.
    pub(super) fn declared(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Boolean => "BOOLEAN",
            Self::Text | Self::Json => "TEXT",
            Self::Blob => "BLOB",
            Self::Any => "",
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
pub(super) const META: [(&str, &str); 4] = [
    ("_airbyte_raw_id", "TEXT"),
    ("_airbyte_extracted_at", "TEXT"),
    ("_airbyte_meta", "TEXT"),
    ("_airbyte_generation_id", "INTEGER"),
];

/// How many of [`META`] there are where the platform does not count generations.
const META_WITHOUT_GENERATION: usize = 3;

/// The columns that the destination itself fills.
pub(super) fn meta(generations: bool) -> &'static [(&'static str, &'static str)] {
    if generations {
        &META
    } else {
        &META[..META_WITHOUT_GENERATION]
    }
}

/// The columns of a schema, in document order. SQLite ignores case in column names, so a second
/// `id` beside `Id` is `id_1`.
pub(super) fn columns(schema: &RawValue) -> Result<Vec<Column>, Failure> {
    #[derive(serde::Deserialize)]
    struct Schema {
        #[serde(default)]
        properties: Map<String, Value>,
    }
    let schema: Schema = serde_json::from_str(schema.get())
        .map_err(|e| Failure::config("the schema of a stream cannot be understood").because(e))?;
    let mut taken: std::collections::HashSet<String> =
        META.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut columns = Vec::with_capacity(schema.properties.len());
    for (property, schema) in schema.properties {
        let mut name = property.clone();
        let mut number = 0;
        while !taken.insert(name.to_lowercase()) {
            number += 1;
            name = format!("{property}_{number}");
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
        let schema = serde_json::json!({ "properties": {
            "id": { "type": "integer" },
            "ID": { "type": ["null", "string"] },
            "_airbyte_meta": { "type": "object" },
            "price": { "type": ["null", "number"] },
            "count": { "type": "number", "airbyte_type": "integer" },
            "flag": { "type": ["boolean", "null"] },
            "tags": { "type": "array" },
            "bytes": { "type": "string", "contentEncoding": "base64" },
            "mixed": { "type": ["null", "integer", "number", "string"] },
            "open": {},
            "choice": { "enum": ["a"] },
        }});
        let raw = serde_json::value::to_raw_value(&schema).unwrap();
        let made: Vec<(String, &str)> = columns(&raw)
            .unwrap()
            .into_iter()
            .map(|c| (c.name, c.kind.declared()))
            .collect();
        let expected = [
            ("id", "INTEGER"),
            ("ID_1", "TEXT"),
            ("_airbyte_meta_1", "TEXT"),
            ("price", "REAL"),
            ("count", "INTEGER"),
            ("flag", "BOOLEAN"),
            ("tags", "TEXT"),
            ("bytes", "BLOB"),
            ("mixed", ""),
            ("open", ""),
            ("choice", "TEXT"),
        ];
        assert_eq!(made, expected.map(|(name, kind)| (name.to_owned(), kind)));
    }
}
