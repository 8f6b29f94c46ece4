//! Declared column types as JSON schemas. SQLite accepts any declaration; an unknown one means a
//! column of any scalar.

use serde_json::{Value, json};

/// What a column is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    Number,
    Text,
    Date,
    Time,
    Timestamp,
    TimestampWithZone,
    Binary,
    Any,
}

impl Kind {
    /// The kind of a declared type: `VARCHAR(20)`, `TIMESTAMP WITH TIME ZONE`, nothing.
    pub(super) fn of(declared: &str) -> Self {
        let name = declared.to_ascii_uppercase();
        let base = name.split('(').next().unwrap_or_default().trim();
        let has = |part: &str| name.contains(part);
        if has("BOOL") {
            Self::Boolean
        } else if has("TIMESTAMP") || has("DATETIME") {
            let zone = has("TIMESTAMPTZ") || (has("TIME ZONE") && !has("WITHOUT"));
            if zone {
                Self::TimestampWithZone
            } else {
                Self::Timestamp
            }
        } else if base == "DATE" {
            Self::Date
        } else if base == "TIME" {
            Self::Time
        } else if base == "POINT" {
            Self::Any
        } else if has("INT") {
            Self::Integer
        } else if ["CHAR", "CLOB", "TEXT", "STRING", "UUID", "JSON"]
            .iter()
            .any(|part| has(part))
        {
            Self::Text
        } else if has("BLOB") || has("BINARY") {
            Self::Binary
        } else if ["REAL", "FLOA", "DOUB", "DECIMAL", "NUMERIC", "NUMBER"]
            .iter()
            .any(|p| has(p))
        {
            Self::Number
        } else {
            Self::Any
        }
    }

    /// The JSON schema of a column.
    pub(super) fn schema(self, nullable: bool) -> Value {
        let typed = |name: &str| {
            if nullable {
                json!(["null", name])
            } else {
                json!(name)
            }
        };
        let text = |format: &str, airbyte_type: Option<&str>| {
            let mut schema = json!({ "type": typed("string"), "format": format });
            if let Some(airbyte_type) = airbyte_type {
                schema["airbyte_type"] = json!(airbyte_type);
            }
            schema
        };
        match self {
            Self::Boolean => json!({ "type": typed("boolean") }),
            Self::Integer => json!({ "type": typed("integer") }),
            Self::Number => json!({ "type": typed("number") }),
            Self::Text => json!({ "type": typed("string") }),
            Self::Date => text("date", None),
            Self::Time => text("time", Some("time_without_timezone")),
            Self::Timestamp => text("date-time", Some("timestamp_without_timezone")),
            Self::TimestampWithZone => text("date-time", Some("timestamp_with_timezone")),
            Self::Binary => json!({ "type": typed("string"), "contentEncoding": "base64" }),
            Self::Any if nullable => json!({ "type": ["null", "integer", "number", "string"] }),
            Self::Any => json!({ "type": ["integer", "number", "string"] }),
        }
    }

    /// Whether rows can be read in the order of such a column.
    pub(super) fn orders(self) -> bool {
        !matches!(self, Self::Binary | Self::Boolean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_are_read_as_people_mean_them() {
        let cases = [
            ("INTEGER", Kind::Integer),
            ("bigint", Kind::Integer),
            ("TINYINT(1)", Kind::Integer),
            ("VARCHAR(255)", Kind::Text),
            ("string", Kind::Text),
            ("JSON", Kind::Text),
            ("DOUBLE PRECISION", Kind::Number),
            ("DECIMAL(10, 2)", Kind::Number),
            ("BOOLEAN", Kind::Boolean),
            ("DATE", Kind::Date),
            ("TIME", Kind::Time),
            ("DATETIME", Kind::Timestamp),
            ("TIMESTAMP WITHOUT TIME ZONE", Kind::Timestamp),
            ("timestamp with time zone", Kind::TimestampWithZone),
            ("TIMESTAMPTZ", Kind::TimestampWithZone),
            ("VARBINARY(16)", Kind::Binary),
            ("BLOB", Kind::Binary),
            ("POINT", Kind::Any),
            ("", Kind::Any),
            ("MOOD", Kind::Any),
        ];
        for (declared, kind) in cases {
            assert_eq!(Kind::of(declared), kind, "{declared}");
        }
    }
}
