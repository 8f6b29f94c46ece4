//! What a Parquet column means, and its values as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::record::Field;
use parquet::schema::types::Type;

use super::kinds::Kind;
use crate::moments::{date_text, time_text, timestamp_text};
use crate::source::quoted_json;

/// What a column of single values means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Boolean,
    Integer,
    /// The bits of an unsigned integer.
    Unsigned,
    Float,
    Half,
    Decimal(u8, u8),
    Date,
    /// So many units a second.
    Time(i64),
    /// This many units per second, in UTC or without a time zone.
    Timestamp(i64, bool),
    Text,
    Json,
    Uuid,
    Binary,
}

/// A value as the file has it.
pub(super) enum Primitive<'v> {
    Boolean(bool),
    /// Of 32 and 64 bits; an INT96 as its nanoseconds.
    Integer(i64),
    Single(f32),
    Double(f64),
    Bytes(&'v [u8]),
}

impl Meaning {
    /// The meaning of a primitive type.
    pub(super) fn of(of: &Type) -> Self {
        let info = of.get_basic_info();
        let physical = of.get_physical_type();
        let decimal = |precision: i32, scale: i32| {
            Self::Decimal(
                u8::try_from(precision).unwrap_or(0),
                u8::try_from(scale).unwrap_or(0),
            )
        };
        let per_second = |unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => 1_000,
            TimeUnit::MICROS => 1_000_000,
            TimeUnit::NANOS => 1_000_000_000,
        };
        match info.logical_type_ref() {
            Some(LogicalType::String | LogicalType::Enum) => return Self::Text,
            Some(LogicalType::Json) => return Self::Json,
            Some(LogicalType::Uuid) => return Self::Uuid,
            Some(LogicalType::Date) => return Self::Date,
            Some(LogicalType::Float16) => return Self::Half,
            Some(LogicalType::Integer(int)) if !int.is_signed => return Self::Unsigned,
            Some(LogicalType::Decimal(d)) => return decimal(d.precision, d.scale),
            Some(LogicalType::Time(time)) => return Self::Time(per_second(&time.unit)),
            Some(LogicalType::Timestamp(at)) => {
                return Self::Timestamp(per_second(&at.unit), at.is_adjusted_to_u_t_c);
            }
            _ => {}
        }
        match (info.converted_type(), physical) {
            (ConvertedType::UTF8 | ConvertedType::ENUM, _) => Self::Text,
            (ConvertedType::JSON, _) => Self::Json,
            (ConvertedType::DATE, _) => Self::Date,
            (ConvertedType::TIME_MILLIS, _) => Self::Time(1_000),
            (ConvertedType::TIME_MICROS, _) => Self::Time(1_000_000),
            (ConvertedType::TIMESTAMP_MILLIS, _) => Self::Timestamp(1_000, true),
            (ConvertedType::TIMESTAMP_MICROS, _) => Self::Timestamp(1_000_000, true),
            (
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64,
                _,
            ) => Self::Unsigned,
            (ConvertedType::DECIMAL, _) => decimal(of.get_precision(), of.get_scale()),
            (_, PhysicalType::BOOLEAN) => Self::Boolean,
            (_, PhysicalType::INT32 | PhysicalType::INT64) => Self::Integer,
            // What wrote such columns meant moments in UTC.
            (_, PhysicalType::INT96) => Self::Timestamp(1_000_000_000, true),
            (_, PhysicalType::FLOAT | PhysicalType::DOUBLE) => Self::Float,
            (_, PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY) => Self::Binary,
        }
    }

    /// The kind of a column with that meaning; unsigned integers of 64 bits take more than ours.
    pub(super) fn kind(self, wide: bool) -> Kind {
        match self {
            Self::Boolean => Kind::Boolean,
            Self::Unsigned if wide => Kind::BigInteger,
            Self::Integer | Self::Unsigned => Kind::Integer,
            Self::Float | Self::Half => Kind::Number,
            Self::Decimal(precision, 0) if precision <= 18 => Kind::Integer,
            Self::Decimal(_, 0) => Kind::BigInteger,
            Self::Decimal(precision, scale) => Kind::Decimal(precision, scale),
            Self::Date => Kind::Date,
            Self::Time(_) => Kind::Time,
            Self::Timestamp(_, true) => Kind::TimestampWithZone,
            Self::Timestamp(_, false) => Kind::Timestamp,
            Self::Text | Self::Uuid => Kind::Text,
            Self::Json => Kind::Any,
            Self::Binary => Kind::Binary,
        }
    }

    /// Appends the value as JSON; false when JSON has no such value.
    pub(super) fn write(self, value: Primitive<'_>, wide: bool, out: &mut Vec<u8>) -> bool {
        let text = match (self, value) {
            (_, Primitive::Boolean(value)) => Some(value.to_string()),
            (Self::Unsigned, Primitive::Integer(value)) if wide => {
                Some(format!("\"{}\"", value.cast_unsigned()))
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is 32 bits"
            )]
            (Self::Unsigned, Primitive::Integer(value)) => Some((value as u32).to_string()),
            (Self::Decimal(precision, scale), Primitive::Integer(value)) => {
                Some(decimal_text(&value.to_be_bytes(), precision, scale))
            }
            (Self::Decimal(precision, scale), Primitive::Bytes(bytes)) => {
                Some(decimal_text(bytes, precision, scale))
            }
            (Self::Date, Primitive::Integer(days)) => quoted(date_text(days)),
            (Self::Time(per_second), Primitive::Integer(units)) => {
                quoted(time_text(units, per_second))
            }
            (Self::Timestamp(per_second, utc), Primitive::Integer(units)) => {
                let text = timestamp_text(units, per_second);
                quoted(text.map(|text| if utc { text + "Z" } else { text }))
            }
            (_, Primitive::Integer(value)) => Some(value.to_string()),
            (_, Primitive::Single(value)) => float(value),
            (_, Primitive::Double(value)) => float(value),
            (Self::Half, Primitive::Bytes(&[low, high])) => {
                float(half(u16::from_le_bytes([low, high])))
            }
            (Self::Uuid, Primitive::Bytes(bytes)) => {
                quoted(uuid::Uuid::from_slice(bytes).ok().map(|id| id.to_string()))
            }
            (Self::Text, Primitive::Bytes(bytes)) => match std::str::from_utf8(bytes) {
                Ok(text) => {
                    quoted_json(out, text);
                    return true;
                }
                Err(_) => None,
            },
            (Self::Json, Primitive::Bytes(bytes)) => {
                // The line ends where a record does.
                let json: Option<&serde_json::value::RawValue> = serde_json::from_slice(bytes).ok();
                json.map(|json| json.get().replace(['\n', '\r'], " "))
            }
            (_, Primitive::Bytes(bytes)) => quoted(Some(STANDARD.encode(bytes))),
        };
        match text {
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                true
            }
            None => false,
        }
    }
}

fn quoted(text: Option<String>) -> Option<String> {
    text.map(|text| format!("\"{text}\""))
}

/// The shortest text that reads as the same number; nothing for those that JSON does not have.
fn float(value: impl std::fmt::Debug) -> Option<String> {
    let text = format!("{value:?}");
    let finite = text.ends_with(|last: char| last.is_ascii_digit());
    finite.then_some(text)
}

/// A number of 16 bits.
fn half(bits: u16) -> f32 {
    let fraction = f32::from(bits & 0x3ff);
    let size = match bits >> 10 & 0x1f {
        0 => fraction * 2_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        exponent => (1024.0 + fraction) * 2_f32.powi(i32::from(exponent) - 25),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

/// A decimal's digits; without a fraction and beyond 64 bits they are text.
fn decimal_text(big_endian: &[u8], precision: u8, scale: u8) -> String {
    let negative = big_endian.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut digits = magnitude(big_endian, negative);
    let scale = usize::from(scale);
    if digits.len() <= scale {
        digits = format!("{}{digits}", "0".repeat(scale + 1 - digits.len()));
    }
    if scale > 0 {
        digits.insert(digits.len() - scale, '.');
    }
    let sign = if negative { "-" } else { "" };
    if scale == 0 && precision > 18 {
        format!("\"{sign}{digits}\"")
    } else {
        format!("{sign}{digits}")
    }
}

/// The digits of a two's complement number of any length, without its sign.
fn magnitude(big_endian: &[u8], negative: bool) -> String {
    let mut bytes = big_endian.to_vec();
    if negative {
        let mut carry = true;
        for byte in bytes.iter_mut().rev() {
            let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
            *byte = sum;
            carry = over;
        }
    }
    // Nine digits at a time.
    let mut groups = Vec::new();
    while bytes.iter().any(|byte| *byte != 0) {
        let mut rest = 0_u64;
        for byte in &mut bytes {
            let value = rest << 8 | u64::from(*byte);
            *byte = u8::try_from(value / 1_000_000_000).unwrap_or(u8::MAX);
            rest = value % 1_000_000_000;
        }
        groups.push(rest);
    }
    let Some(first) = groups.pop() else {
        return "0".to_owned();
    };
    let mut text = first.to_string();
    for group in groups.iter().rev() {
        text.push_str(&format!("{group:09}"));
    }
    text
}

/// Appends a value of a nested column.
pub(super) fn nested(field: &Field, out: &mut Vec<u8>) {
    let quoted_or_null = |text: Option<String>, out: &mut Vec<u8>| match text {
        Some(text) => quoted_json(out, &text),
        None => out.extend_from_slice(b"null"),
    };
    match field {
        Field::Group(row) => {
            out.push(b'{');
            for (at, (name, value)) in row.get_column_iter().enumerate() {
                member(at, name, out);
                nested(value, out);
            }
            out.push(b'}');
        }
        Field::ListInternal(list) => {
            out.push(b'[');
            for (at, value) in list.elements().iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                nested(value, out);
            }
            out.push(b']');
        }
        Field::MapInternal(map) => {
            out.push(b'{');
            for (at, (key, value)) in map.entries().iter().enumerate() {
                let name = match key {
                    Field::Str(name) => name.clone(),
                    other => other.to_string(),
                };
                member(at, &name, out);
                nested(value, out);
            }
            out.push(b'}');
        }
        Field::Null => out.extend_from_slice(b"null"),
        Field::Str(text) => quoted_json(out, text),
        Field::Bytes(bytes) => quoted_json(out, &STANDARD.encode(bytes.data())),
        Field::Date(days) => quoted_or_null(date_text(i64::from(*days)), out),
        Field::TimeMillis(units) => quoted_or_null(time_text(i64::from(*units), 1_000), out),
        Field::TimeMicros(units) => quoted_or_null(time_text(*units, 1_000_000), out),
        Field::TimestampMillis(units) => {
            quoted_or_null(timestamp_text(*units, 1_000).map(|text| text + "Z"), out);
        }
        Field::TimestampMicros(units) => {
            quoted_or_null(
                timestamp_text(*units, 1_000_000).map(|text| text + "Z"),
                out,
            );
        }
        Field::Float(value) => {
            out.extend_from_slice(float(*value).unwrap_or("null".into()).as_bytes())
        }
        Field::Double(value) => {
            out.extend_from_slice(float(*value).unwrap_or("null".into()).as_bytes())
        }
        Field::Float16(value) => {
            let text = float(f32::from(*value)).unwrap_or("null".into());
            out.extend_from_slice(text.as_bytes());
        }
        // Booleans, integers and decimals.
        other => out.extend_from_slice(other.to_string().as_bytes()),
    }
}

fn member(at: usize, name: &str, out: &mut Vec<u8>) {
    if at > 0 {
        out.push(b',');
    }
    quoted_json(out, name);
    out.push(b':');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_their_digits() {
        let of =
            |value: i128, precision, scale| decimal_text(&value.to_be_bytes(), precision, scale);
        assert_eq!(of(12_345, 10, 2), "123.45");
        assert_eq!(of(-5, 10, 2), "-0.05");
        assert_eq!(of(0, 10, 2), "0.00");
        assert_eq!(of(-7, 10, 0), "-7");
        assert_eq!(
            of(12_345_678_901_234_567_890_123_456_789_012_345_678, 38, 0),
            "\"12345678901234567890123456789012345678\""
        );
        assert_eq!(
            of(i128::MIN, 38, 1),
            "-17014118346046923173168730371588410572.8"
        );
    }

    #[test]
    fn halves_are_read_exactly() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x0001, 5.960_464_5e-8),
            (0x7bff, 65504.0),
        ] {
            assert_eq!(half(bits), value);
        }
        assert_eq!(float(half(0x7c00)), None);
        assert_eq!(float(1e300).as_deref(), Some("1e300"));
    }
}
