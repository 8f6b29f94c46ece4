//! PostgreSQL's types as JSON schemas. Types without a JSON counterpart are strings, as the server
//! formats them.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::source::Digits;

/// A type's number in the server's catalog.
pub(super) type Oid = u32;

/// What a column is read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    /// `numeric` and the floats: every digit travels.
    Number,
    Text,
    Date,
    Time,
    TimeWithZone,
    Timestamp,
    TimestampWithZone,
    /// `bytea`, which travels as base64.
    Binary,
    Json,
    /// An array of any number of dimensions.
    Array(Box<Kind>),
}

/// A type's entry in the system catalog.
#[derive(Debug, Clone)]
pub(super) struct TypeRow {
    /// Its name; only that of the server's own types is looked at.
    pub(super) name: String,
    /// Whether the server brought it along.
    pub(super) built_in: bool,
    /// The type that a domain is of.
    pub(super) base: Option<Oid>,
    /// The type of an array's elements.
    pub(super) element: Option<Oid>,
    /// The modifier that a domain gives the type it is of; -1 where it gives none.
    pub(super) modifier: i32,
}

/// The types of a database.
pub(super) type Types = HashMap<Oid, TypeRow>;

/// What the base of a domain, or the type itself, is.
fn resolved(types: &Types, oid: Oid) -> Option<&TypeRow> {
    let mut row = types.get(&oid)?;
    while let Some(base) = row.base {
        row = types.get(&base)?;
    }
    Some(row)
}

impl Kind {
    pub(super) fn of(types: &Types, oid: Oid) -> Self {
        let Some(row) = resolved(types, oid) else {
            return Self::Text;
        };
        if let Some(element) = row.element {
            return Self::Array(Box::new(Self::of(types, element)));
        }
        if !row.built_in {
            return Self::Text;
        }
        match row.name.as_str() {
            "bool" => Self::Boolean,
            "int2" | "int4" | "int8" | "oid" => Self::Integer,
            "numeric" | "float4" | "float8" | "money" => Self::Number,
            "date" => Self::Date,
            "time" => Self::Time,
            "timetz" => Self::TimeWithZone,
            "timestamp" => Self::Timestamp,
            "timestamptz" => Self::TimestampWithZone,
            "bytea" => Self::Binary,
            "json" | "jsonb" => Self::Json,
            _ => Self::Text,
        }
    }

    /// The JSON schema of a column.
    pub(super) fn schema(&self, nullable: bool) -> Value {
        let typed = |name: &str| {
            if nullable {
                json!(["null", name])
            } else {
                json!(name)
            }
        };
        let text = |format: &str, airbyte_type: &str| json!({ "type": typed("string"), "format": format, "airbyte_type": airbyte_type });
        match self {
            Self::Boolean => json!({ "type": typed("boolean") }),
            Self::Integer => json!({ "type": typed("integer") }),
            Self::Number => json!({ "type": typed("number") }),
            Self::Text => json!({ "type": typed("string") }),
            Self::Date => json!({ "type": typed("string"), "format": "date" }),
            Self::Time => text("time", "time_without_timezone"),
            Self::TimeWithZone => text("time", "time_with_timezone"),
            Self::Timestamp => text("date-time", "timestamp_without_timezone"),
            Self::TimestampWithZone => text("date-time", "timestamp_with_timezone"),
            Self::Binary => json!({ "type": typed("string"), "contentEncoding": "base64" }),
            Self::Json => json!({
                "type": typed("object"),
                "oneOf": [
                    { "type": "array" }, { "type": "object" }, { "type": "string" },
                    { "type": "number" }, { "type": "boolean" },
                ],
            }),
            Self::Array(element) => {
                json!({ "type": typed("array"), "items": element.schema(true) })
            }
        }
    }
}

/// Whether rows can be read in the order of such a column, and its values be compared with those
/// of a state.
pub(super) fn orders(types: &Types, oid: Oid) -> bool {
    const ORDERED: [&str; 16] = [
        "int2",
        "int4",
        "int8",
        "oid",
        "numeric",
        "float4",
        "float8",
        "text",
        "varchar",
        "bpchar",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "uuid",
        "name",
    ];
    resolved(types, oid).is_some_and(|row| {
        row.element.is_none() && row.built_in && ORDERED.contains(&row.name.as_str())
    })
}

/// The digits of a `numeric` that is declared with them, by the column or by a domain.
pub(super) fn digits(types: &Types, oid: Oid, modifier: i32) -> Option<Digits> {
    let mut row = types.get(&oid)?;
    let mut modifier = modifier;
    while let Some(base) = row.base {
        modifier = if modifier < 0 { row.modifier } else { modifier };
        row = types.get(&base)?;
    }
    if !row.built_in || row.name != "numeric" {
        return None;
    }
    // As `numerictypmodin` packs them; a negative scale in eleven bits.
    let packed = i64::from(modifier.checked_sub(4).filter(|packed| *packed >= 0)?);
    let scale = ((packed & 0x7ff) ^ 1024) - 1024;
    Digits::new((packed >> 16) & 0xffff, scale)
}

/// Whether the type is money or holds it: its text depends on the server's locale.
pub(super) fn is_money(types: &Types, oid: Oid) -> bool {
    resolved(types, oid).is_some_and(|row| match row.element {
        Some(element) => is_money(types, element),
        None => row.built_in && row.name == "money",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> Types {
        let row = |name: &str, base, element| TypeRow {
            name: name.to_owned(),
            built_in: true,
            base,
            element,
            modifier: -1,
        };
        Types::from([
            (20, row("int8", None, None)),
            (1016, row("_int8", None, Some(20))),
            (790, row("money", None, None)),
            (50_000, row("positive", Some(20), None)),
            (50_001, row("_positive", None, Some(50_000))),
            (50_002, row("amount", Some(790), None)),
        ])
    }

    #[test]
    fn domains_and_arrays_are_what_they_are_made_of() {
        let types = types();
        let array = Kind::Array(Box::new(Kind::Integer));
        assert_eq!(Kind::of(&types, 50_000), Kind::Integer);
        assert_eq!(Kind::of(&types, 50_001), array);
        assert_eq!(Kind::of(&types, 1), Kind::Text);
        assert!(is_money(&types, 50_002) && !is_money(&types, 1016));
        assert!(orders(&types, 50_000) && !orders(&types, 1016));
    }
}
