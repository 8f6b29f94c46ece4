//! What a column holds: found out from values, written as a JSON schema, read back from one.

use serde_json::{Value, json};

use crate::moments;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    /// 64 bits.
    Integer,
    /// More digits than that; as text, since JSON readers round numbers.
    BigInteger,
    Number,
    /// A number with so many digits, so many of them behind the point.
    Decimal(u8, u8),
    Date,
    Time,
    Timestamp,
    TimestampWithZone,
    Text,
    /// Bytes, which travel as base64.
    Binary,
    Object,
    Array,
    /// Any value, unchanged.
    Any,
}

impl Kind {
    /// What a CSV field looks like.
    pub(super) fn of_text(text: &str) -> Self {
        let first = text.as_bytes().first();
        if first.is_some_and(|b| b.is_ascii_digit() || *b == b'-') {
            if let Some(kind) = of_number(text) {
                return kind;
            }
            return if moments::is_date(text) {
                Self::Date
            } else if let Some(zone) = moments::timestamp_zone(text) {
                if zone {
                    Self::TimestampWithZone
                } else {
                    Self::Timestamp
                }
            } else if text.len() >= 8 && moments::time(text).is_some() {
                Self::Time
            } else {
                Self::Text
            };
        }
        if truth(text).is_some() {
            Self::Boolean
        } else {
            Self::Text
        }
    }

    /// What a JSON value is; nothing for null.
    pub(super) fn of_json(text: &str) -> Option<Self> {
        Some(match text.as_bytes().first()? {
            b'n' => return None,
            b't' | b'f' => Self::Boolean,
            b'"' => Self::Text,
            b'{' => Self::Object,
            b'[' => Self::Array,
            _ => of_number(text).unwrap_or(Self::Number),
        })
    }

    /// What holds both; where only text would, `otherwise`.
    pub(super) fn or(self, other: Self, otherwise: Self) -> Self {
        use Kind::{BigInteger, Decimal, Integer, Number};
        match (self, other) {
            (a, b) if a == b => a,
            (Integer, BigInteger) | (BigInteger, Integer) => BigInteger,
            (
                Integer | BigInteger | Number | Decimal(..),
                Integer | BigInteger | Number | Decimal(..),
            ) => Number,
            _ => otherwise,
        }
    }

    /// The JSON schema of a column.
    pub(super) fn schema(self) -> Value {
        let text = |format: &str, airbyte_type: Option<&str>| {
            let mut schema = json!({ "type": ["null", "string"], "format": format });
            if let Some(airbyte_type) = airbyte_type {
                schema["airbyte_type"] = json!(airbyte_type);
            }
            schema
        };
        let plain = |name: &str| json!({ "type": ["null", name] });
        match self {
            Self::Boolean => plain("boolean"),
            Self::Integer => plain("integer"),
            Self::BigInteger => {
                json!({ "type": ["null", "string"], "airbyte_type": "big_integer" })
            }
            Self::Number => plain("number"),
            Self::Decimal(precision, scale) => json!({
                "type": ["null", "number"],
                "x-decimal": { "precision": precision, "scale": scale },
            }),
            Self::Date => text("date", None),
            Self::Time => text("time", Some("time_without_timezone")),
            Self::Timestamp => text("date-time", Some("timestamp_without_timezone")),
            Self::TimestampWithZone => text("date-time", Some("timestamp_with_timezone")),
            Self::Text => plain("string"),
            Self::Binary => json!({ "type": ["null", "string"], "contentEncoding": "base64" }),
            Self::Object => plain("object"),
            Self::Array => plain("array"),
            Self::Any => {
                json!({ "type": ["null", "string", "number", "boolean", "object", "array"] })
            }
        }
    }

    /// The kind that a schema is of: [`Kind::schema`], backwards.
    pub(super) fn of_schema(schema: &Value) -> Self {
        let member = |name: &str| schema.get(name).and_then(Value::as_str).unwrap_or_default();
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let mut types = types.into_iter().filter(|name| *name != "null");
        let (Some(only), None) = (types.next(), types.next()) else {
            return Self::Any;
        };
        match (only, member("format"), member("airbyte_type")) {
            ("boolean", ..) => Self::Boolean,
            ("integer", ..) => Self::Integer,
            ("number", ..) => decimal(schema).unwrap_or(Self::Number),
            ("object", ..) => Self::Object,
            ("array", ..) => Self::Array,
            ("string", "date", _) => Self::Date,
            ("string", "time", _) => Self::Time,
            ("string", "date-time", "timestamp_without_timezone") => Self::Timestamp,
            ("string", "date-time", _) => Self::TimestampWithZone,
            ("string", _, "big_integer") => Self::BigInteger,
            ("string", ..) if member("contentEncoding") == "base64" => Self::Binary,
            ("string", ..) => Self::Text,
            _ => Self::Any,
        }
    }
}

fn decimal(schema: &Value) -> Option<Kind> {
    let decimal = schema.get("x-decimal")?;
    let part = |name: &str| decimal.get(name)?.as_u64()?.try_into().ok();
    Some(Kind::Decimal(part("precision")?, part("scale")?))
}

/// The kind of a number as JSON writes it. What begins with a zero is a code, not a number.
fn of_number(text: &str) -> Option<Kind> {
    let bytes = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let whole = digits(0);
    if whole == 0 || (whole > 1 && bytes[0] == b'0') {
        return None;
    }
    if whole == bytes.len() {
        return Some(match text.parse::<i64>() {
            Ok(_) if text != "-0" => Kind::Integer,
            Ok(_) => Kind::Number,
            Err(_) => Kind::BigInteger,
        });
    }
    let mut at = whole;
    if bytes[at] == b'.' {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = bytes.get(at..).map_or(0, |_| digits(at));
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    (at == bytes.len()).then_some(Kind::Number)
}

/// Whether the text is a number as JSON writes it.
pub(super) fn is_number(text: &str) -> bool {
    of_number(text).is_some()
}

/// Whether the text is a whole number, of any size.
pub(super) fn is_whole(text: &str) -> bool {
    matches!(of_number(text), Some(Kind::Integer | Kind::BigInteger)) || text == "-0"
}

/// The boolean, if the text is `true` or `false` in any case.
pub(super) fn truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_show_what_they_are() {
        let cases = [
            ("5", Kind::Integer),
            ("-9223372036854775808", Kind::Integer),
            ("9223372036854775808", Kind::BigInteger),
            ("007", Kind::Text),
            ("+5", Kind::Text),
            ("1.50", Kind::Number),
            ("1e3", Kind::Number),
            ("1.", Kind::Text),
            ("1e", Kind::Text),
            ("-", Kind::Text),
            ("-0", Kind::Number),
            ("True", Kind::Boolean),
            ("yes", Kind::Text),
            ("2024-02-29", Kind::Date),
            ("2023-02-29", Kind::Text),
            ("2024-02-29 10:00:00", Kind::Timestamp),
            ("2024-02-29T10:00:00.5+02:00", Kind::TimestampWithZone),
            ("10:00:00", Kind::Time),
            ("10:00", Kind::Text),
            ("2024-02", Kind::Text),
            ("NaN", Kind::Text),
        ];
        for (text, kind) in cases {
            assert_eq!(Kind::of_text(text), kind, "{text}");
        }
    }

    #[test]
    fn kinds_widen_and_survive_their_schema() {
        use Kind::{Any, BigInteger, Boolean, Date, Decimal, Integer, Number, Text, Timestamp};
        for (a, b, both) in [
            (Integer, Number, Number),
            (Integer, BigInteger, BigInteger),
            (Date, Timestamp, Text),
            (Boolean, Integer, Text),
            (Decimal(4, 2), Integer, Number),
        ] {
            assert_eq!(a.or(b, Text), both);
            assert_eq!(b.or(a, Text), both);
        }
        for kind in [
            Boolean,
            Integer,
            BigInteger,
            Number,
            Decimal(20, 4),
            Date,
            Kind::Time,
            Timestamp,
            Kind::TimestampWithZone,
            Text,
            Kind::Binary,
            Kind::Object,
            Kind::Array,
            Any,
        ] {
            assert_eq!(Kind::of_schema(&kind.schema()), kind);
        }
    }
}
