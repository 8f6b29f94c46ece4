//! A stream's JSON schema as Parquet columns: one per top-level property, and the destination's own.

use std::collections::HashSet;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::schema::types::{Type, TypePtr};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::failure::Failure;

/// Digits of the widest decimal that readers agree on.
const DIGITS_MAX: u8 = 38;

/// Digits that 64 bits hold.
const DIGITS_OF_INT64: u8 = 18;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Integer,
    Double,
    /// So many digits, so many of them behind the point.
    Decimal(u8, u8),
    Text,
    /// Bytes, which travel as base64.
    Binary,
    Date,
    Timestamp,
    TimestampWithZone,
    /// Objects, arrays, and values without a more specific type, as JSON text.
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
            ["number"] | ["integer", "number"] => decimal(schema).unwrap_or(Self::Double),
            ["string"] => match (member("airbyte_type"), member("format")) {
                ("big_integer", _) => Self::Decimal(DIGITS_MAX, 0),
                ("timestamp_without_timezone", "date-time") => Self::Timestamp,
                (_, "date-time") => Self::TimestampWithZone,
                (_, "date") => Self::Date,
                // A time of day is text: Spark refuses every table with a column of type TIME.
                _ if member("contentEncoding") == "base64" => Self::Binary,
                _ => Self::Text,
            },
            _ => Self::Json,
        }
    }

    /// The physical and the logical type.
    pub(super) fn types(self) -> (PhysicalType, Option<LogicalType>) {
        let timestamp = |utc| LogicalType::timestamp(utc, TimeUnit::MICROS);
        match self {
            Self::Boolean => (PhysicalType::BOOLEAN, None),
            Self::Integer => (PhysicalType::INT64, None),
            Self::Double => (PhysicalType::DOUBLE, None),
            Self::Decimal(precision, scale) => {
                let logical = LogicalType::decimal(i32::from(scale), i32::from(precision));
                let physical = if precision <= DIGITS_OF_INT64 {
                    PhysicalType::INT64
                } else {
                    PhysicalType::FIXED_LEN_BYTE_ARRAY
                };
                (physical, Some(logical))
            }
            Self::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
            Self::Binary => (PhysicalType::BYTE_ARRAY, None),
            Self::Date => (PhysicalType::INT32, Some(LogicalType::Date)),
            Self::Timestamp => (PhysicalType::INT64, Some(timestamp(false))),
            Self::TimestampWithZone => (PhysicalType::INT64, Some(timestamp(true))),
            Self::Json => (PhysicalType::BYTE_ARRAY, Some(LogicalType::Json)),
        }
    }
}

/// A number whose digits the schema counts.
fn decimal(schema: &Value) -> Option<Kind> {
    let decimal = schema.get("x-decimal")?;
    let part = |name: &str| u8::try_from(decimal.get(name)?.as_u64()?).ok();
    let (precision, scale) = (part("precision")?, part("scale")?);
    let sound = (1..=DIGITS_MAX).contains(&precision) && scale <= precision;
    sound.then_some(Kind::Decimal(precision, scale))
}

/// A column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// Name of the property.
    pub(crate) property: String,
    /// Name of the column: the property's, unless another column has it already.
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// Names of the columns that the destination itself fills, with their kinds.
pub(crate) const OWN: [(&str, Kind); 4] = [
    ("_airbyte_raw_id", Kind::Text),
    ("_airbyte_extracted_at", Kind::TimestampWithZone),
    ("_airbyte_meta", Kind::Json),
    ("_airbyte_generation_id", Kind::Integer),
];

/// The destination's own columns; the last is left out where the platform counts no generations.
pub(super) fn own(generations: bool) -> &'static [(&'static str, Kind)] {
    &OWN[..OWN.len() - usize::from(!generations)]
}

/// The columns of a schema, in document order. Readers ignore case in names, so a second `id`
/// beside `Id` is `id_1`.
pub(crate) fn columns(schema: &RawValue) -> Result<Vec<Column>, Failure> {
    #[derive(serde::Deserialize)]
    struct Schema {
        #[serde(default)]
        properties: Map<String, Value>,
    }
    let schema: Schema = serde_json::from_str(schema.get())
        .map_err(|e| Failure::config("the schema of a stream cannot be understood").because(e))?;
    let own = OWN.iter().map(|(name, _)| (*name).to_owned());
    let mut taken: HashSet<String> = own.collect();
    let mut columns = Vec::with_capacity(schema.properties.len());
    for (property, schema) in schema.properties {
        let wanted = if property.is_empty() { "_" } else { &property };
        let mut name = wanted.to_owned();
        let mut number = 0;
        while !taken.insert(name.to_lowercase()) {
            number += 1;
            name = format!("{wanted}_{number}");
        }
        columns.push(Column {
            name,
            kind: Kind::of(&schema),
            property,
        });
    }
    Ok(columns)
}

/// The schema of a stream's files: the destination's own columns, then the stream's.
pub(crate) fn schema(columns: &[Column], generations: bool) -> Result<TypePtr, ParquetError> {
    let mut fields = Vec::with_capacity(columns.len() + OWN.len());
    for (name, kind) in own(generations) {
        fields.push(field(name, *kind, Repetition::REQUIRED)?);
    }
    for column in columns {
        fields.push(field(&column.name, column.kind, Repetition::OPTIONAL)?);
    }
    let schema = Type::group_type_builder("schema").with_fields(fields);
    Ok(Arc::new(schema.build()?))
}

fn field(name: &str, kind: Kind, repetition: Repetition) -> Result<TypePtr, ParquetError> {
    let (physical, logical) = kind.types();
    let mut field = Type::primitive_type_builder(name, physical)
        .with_repetition(repetition)
        .with_logical_type(logical);
    if let Kind::Decimal(precision, scale) = kind {
        field = field
            .with_precision(i32::from(precision))
            .with_scale(i32::from(scale));
        if physical == PhysicalType::FIXED_LEN_BYTE_ARRAY {
            field = field.with_length(16);
        }
    }
    Ok(Arc::new(field.build()?))
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
            "exact": { "type": "number", "x-decimal": { "precision": 10, "scale": 2 } },
            "odd": { "type": "number", "x-decimal": { "precision": 99, "scale": 2 } },
            "big": { "type": "string", "airbyte_type": "big_integer" },
            "at": { "type": "string", "format": "date-time" },
            "clock": { "type": "string", "format": "time", "airbyte_type": "time_without_timezone" },
            "mixed": { "type": ["null", "integer", "string"] },
            "open": {},
        }});
        let raw = serde_json::value::to_raw_value(&schema).unwrap();
        let columns = columns(&raw).unwrap();
        let made: Vec<(&str, Kind)> = columns.iter().map(|c| (c.name.as_str(), c.kind)).collect();
        let expected = [
            ("id", Kind::Integer),
            ("ID_1", Kind::Text),
            ("_airbyte_meta_1", Kind::Json),
            ("price", Kind::Double),
            ("exact", Kind::Decimal(10, 2)),
            ("odd", Kind::Double),
            ("big", Kind::Decimal(38, 0)),
            ("at", Kind::TimestampWithZone),
            ("clock", Kind::Text),
            ("mixed", Kind::Json),
            ("open", Kind::Json),
        ];
        assert_eq!(made, expected);
        assert_eq!(
            super::schema(&columns, true).unwrap().get_fields().len(),
            15
        );
    }
}
