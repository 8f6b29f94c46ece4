//! MySQL's types as JSON schemas, and what rows are ordered and compared by.

use serde_json::{Value, json};

/// What a column is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `tinyint(1)`.
    Boolean,
    /// `bit(1)`.
    Bit,
    Integer,
    /// `bigint unsigned`, of which half is more than an integer is elsewhere.
    BigInteger,
    /// `decimal` and `double`: every digit travels.
    Number,
    /// `float`, which the server writes with too few digits unless it is asked for a double.
    Float,
    Text,
    Date,
    Time,
    /// A moment by some clock.
    DateTime,
    /// A moment.
    Timestamp,
    /// Bytes, which travel as base64: binary columns, geometries, longer bit fields.
    Binary,
}

/// How values of a column are passed to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// As an exact number.
    Number,
    /// As a double.
    Double,
    /// By the number behind a value: the members of `enum` and `set`, bits, years.
    Position,
    /// As a text that stands for one value.
    Literal,
    /// As a text in the column's collation, in which texts can be equal that are not the same.
    Collated,
    /// As bytes.
    Bytes,
}

/// A type: its name, and how it is written in full.
#[derive(Debug, Clone, Copy)]
pub(super) struct Declared<'a> {
    /// `bigint`.
    pub(super) name: &'a str,
    /// `bigint(20) unsigned`.
    pub(super) full: &'a str,
}

impl Declared<'_> {
    fn is_unsigned(&self) -> bool {
        self.full.contains("unsigned")
    }

    pub(super) fn kind(&self, tiny_is_boolean: bool) -> Kind {
        match self.name {
            "tinyint" if tiny_is_boolean && self.full == "tinyint(1)" => Kind::Boolean,
            "bit" if self.full == "bit(1)" => Kind::Bit,
            "bigint" if self.is_unsigned() => Kind::BigInteger,
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => Kind::Integer,
            "decimal" | "double" => Kind::Number,
            "float" => Kind::Float,
            "date" => Kind::Date,
            "time" => Kind::Time,
            "datetime" => Kind::DateTime,
            "timestamp" => Kind::Timestamp,
            "bit" | "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob"
            | "vector" | "geometry" | "point" | "linestring" | "polygon" | "multipoint"
            | "multilinestring" | "multipolygon" | "geometrycollection" | "geomcollection" => {
                Kind::Binary
            }
            _ => Kind::Text,
        }
    }

    pub(super) fn comparison(&self) -> Comparison {
        match self.name {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" => {
                Comparison::Number
            }
            "float" | "double" => Comparison::Double,
            "year" | "bit" | "enum" | "set" => Comparison::Position,
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => {
                Comparison::Collated
            }
            _ if self.kind(false) == Kind::Binary => Comparison::Bytes,
            _ => Comparison::Literal,
        }
    }

    /// Whether rows can be read in the order of such a column, and its values be compared with
    /// those of a state. The server sorts long texts by their beginnings only.
    pub(super) fn orders(&self, tiny_is_boolean: bool) -> bool {
        match self.name {
            "year" | "date" | "time" | "datetime" | "timestamp" => true,
            "char" | "varchar" | "tinytext" | "text" => true,
            _ if self.kind(tiny_is_boolean) == Kind::Boolean => false,
            _ => matches!(self.comparison(), Comparison::Number | Comparison::Double),
        }
    }
}

impl Kind {
    /// The JSON schema of a column. Dates and times can always be null: the server has some that
    /// are none.
    pub(super) fn schema(self, nullable: bool) -> Value {
        let typed = |name: &str| {
            if nullable {
                json!(["null", name])
            } else {
                json!(name)
            }
        };
        let moment = |format: &str, airbyte_type: &str| json!({ "type": ["null", "string"], "format": format, "airbyte_type": airbyte_type });
        match self {
            Self::Boolean | Self::Bit => json!({ "type": typed("boolean") }),
            Self::Integer => json!({ "type": typed("integer") }),
            Self::BigInteger => json!({ "type": typed("string"), "airbyte_type": "big_integer" }),
            Self::Number | Self::Float => json!({ "type": typed("number") }),
            Self::Text => json!({ "type": typed("string") }),
            Self::Date => json!({ "type": ["null", "string"], "format": "date" }),
            Self::Time => moment("time", "time_without_timezone"),
            Self::DateTime => moment("date-time", "timestamp_without_timezone"),
            Self::Timestamp => moment("date-time", "timestamp_with_timezone"),
            Self::Binary => json!({ "type": typed("string"), "contentEncoding": "base64" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_are_read_as_the_server_means_them() {
        let cases = [
            ("tinyint", "tinyint(1)", Kind::Boolean),
            ("tinyint", "tinyint(1) unsigned", Kind::Integer),
            ("tinyint", "tinyint(4)", Kind::Integer),
            ("bit", "bit(1)", Kind::Bit),
            ("bit", "bit(8)", Kind::Binary),
            ("bigint", "bigint(20)", Kind::Integer),
            ("bigint", "bigint unsigned", Kind::BigInteger),
            ("int", "int(10) unsigned zerofill", Kind::Integer),
            ("decimal", "decimal(65,30)", Kind::Number),
            ("year", "year(4)", Kind::Integer),
            ("json", "json", Kind::Text),
            ("point", "point", Kind::Binary),
            ("uuid", "uuid", Kind::Text),
        ];
        for (name, full, kind) in cases {
            assert_eq!(Declared { name, full }.kind(true), kind, "{full}");
        }
        let tiny = Declared {
            name: "tinyint",
            full: "tinyint(1)",
        };
        assert_eq!(tiny.kind(false), Kind::Integer);
        assert!(tiny.orders(false) && !tiny.orders(true));
    }
}
