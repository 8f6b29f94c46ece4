//! JSON values as cells of Parquet columns. A value that cannot be cast to its column's type
//! without loss becomes null, which the row records.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::columns::Kind;
use crate::moments;

/// A value as a column holds it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'v> {
    Null,
    Boolean(bool),
    Int32(i32),
    Int64(i64),
    Double(f64),
    Bytes(Cow<'v, [u8]>),
    /// Big-endian.
    Fixed([u8; 16]),
}

impl<'v> Cell<'v> {
    /// The JSON value as the kind holds it; nothing where it cannot.
    pub(super) fn of(kind: Kind, json: &'v str) -> Option<Self> {
        let first = *json.as_bytes().first()?;
        if first == b'n' {
            return Some(Self::Null);
        }
        if kind == Kind::Json {
            return Some(text(json));
        }
        match first {
            b't' | b'f' => match kind {
                Kind::Boolean => Some(Self::Boolean(first == b't')),
                Kind::Text => Some(text(json)),
                _ => None,
            },
            b'"' => match unescaped(json)? {
                Cow::Borrowed(inner) => string(kind, inner),
                Cow::Owned(inner) => owned(kind, inner),
            },
            b'{' | b'[' => (kind == Kind::Text).then(|| text(json)),
            _ => number(kind, json),
        }
    }
}

fn text(text: &str) -> Cell<'_> {
    Cell::Bytes(Cow::Borrowed(text.as_bytes()))
}

fn unescaped(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.get(1..json.len() - 1)?;
    if !inner.as_bytes().contains(&b'\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(json).ok().map(Cow::Owned)
}

/// A text that had escapes: only texts are likely to.
fn owned(kind: Kind, inner: String) -> Option<Cell<'static>> {
    if kind == Kind::Text {
        return Some(Cell::Bytes(Cow::Owned(inner.into_bytes())));
    }
    Some(match string(kind, &inner)? {
        Cell::Bytes(bytes) => Cell::Bytes(Cow::Owned(bytes.into_owned())),
        Cell::Null => Cell::Null,
        Cell::Boolean(value) => Cell::Boolean(value),
        Cell::Int32(value) => Cell::Int32(value),
        Cell::Int64(value) => Cell::Int64(value),
        Cell::Double(value) => Cell::Double(value),
        Cell::Fixed(value) => Cell::Fixed(value),
    })
}

fn string(kind: Kind, inner: &str) -> Option<Cell<'_>> {
    match kind {
        Kind::Text => Some(text(inner)),
        Kind::Binary => STANDARD
            .decode(inner)
            .ok()
            .map(|bytes| Cell::Bytes(Cow::Owned(bytes))),
        Kind::Date => moments::date(inner).map(Cell::Int32),
        Kind::Timestamp => match moments::timestamp(inner)? {
            (clock, None | Some(0)) => Some(Cell::Int64(clock)),
            // The column has no room for the zone.
            (_, Some(_)) => None,
        },
        Kind::TimestampWithZone => {
            let (clock, zone) = moments::timestamp(inner)?;
            Some(Cell::Int64(clock - zone.unwrap_or(0) * 1_000_000))
        }
        Kind::Boolean if inner.eq_ignore_ascii_case("true") => Some(Cell::Boolean(true)),
        Kind::Boolean if inner.eq_ignore_ascii_case("false") => Some(Cell::Boolean(false)),
        // Rust's parser accepts more than JSON's: `inf`, `+1` and `1_000` are not numbers here.
        Kind::Integer | Kind::Double | Kind::Decimal(..) if is_number(inner) => number(kind, inner),
        Kind::Boolean | Kind::Integer | Kind::Double | Kind::Decimal(..) | Kind::Json => None,
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
}

fn number(kind: Kind, digits: &str) -> Option<Cell<'_>> {
    match kind {
        Kind::Integer => match digits.parse() {
            Ok(value) => Some(Cell::Int64(value)),
            Err(_) => unscaled(digits, 18, 0)
                .and_then(|value| i64::try_from(value).ok())
                .map(Cell::Int64),
        },
        Kind::Double => double(digits).map(Cell::Double),
        Kind::Decimal(precision, scale) => {
            let value = unscaled(digits, precision, scale)?;
            if precision <= 18 {
                i64::try_from(value).ok().map(Cell::Int64)
            } else {
                Some(Cell::Fixed(value.to_be_bytes()))
            }
        }
        Kind::Boolean => match digits {
            "0" => Some(Cell::Boolean(false)),
            "1" => Some(Cell::Boolean(true)),
            _ => None,
        },
        Kind::Text => Some(text(digits)),
        _ => None,
    }
}

/// The double nearest to a number with a fraction; an integer only if a double holds it.
fn double(digits: &str) -> Option<f64> {
    let value = digits
        .parse::<f64>()
        .ok()
        .filter(|value| value.is_finite())?;
    // Every integer of 15 digits is a double.
    if digits.len() <= 15 || digits.contains(['.', 'e', 'E']) {
        return Some(value);
    }
    let whole = digits.parse::<i128>().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "it is only compared")]
    (value as i128 == whole).then_some(value)
}

/// The number without its point, if it has so many digits at most, so many of them behind it.
fn unscaled(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let (negative, whole) = match whole.strip_prefix('-') {
        Some(whole) => (true, whole),
        None => (false, whole),
    };
    let mut value: i128 = 0;
    let mut digits = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        if !digit.is_ascii_digit() {
            return None;
        }
        if digits > 0 || digit != b'0' {
            digits += 1;
        }
        value = value
            .checked_mul(10)?
            .checked_add(i128::from(digit - b'0'))?;
    }
    let behind = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    let missing = i32::from(scale).checked_sub(behind)?;
    if value == 0 {
        return Some(0);
    }
    if missing >= 0 {
        value = value.checked_mul(10_i128.checked_pow(u32::try_from(missing).ok()?)?)?;
        digits += missing;
    } else {
        let cut = 10_i128.checked_pow(missing.unsigned_abs())?;
        if value % cut != 0 {
            return None;
        }
        value /= cut;
        digits += missing;
    }
    let value = if negative { -value } else { value };
    (digits <= i32::from(precision)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cast_where_nothing_is_lost() {
        let bytes = |text: &'static str| Cell::Bytes(Cow::Borrowed(text.as_bytes()));
        let cases = [
            (Kind::Integer, "5", Some(Cell::Int64(5))),
            (Kind::Integer, "5.0", Some(Cell::Int64(5))),
            (Kind::Integer, "1e3", Some(Cell::Int64(1000))),
            (Kind::Integer, "\"7\"", Some(Cell::Int64(7))),
            (Kind::Integer, "5.5", None),
            (Kind::Integer, "9223372036854775808", None),
            (Kind::Double, "0.1", Some(Cell::Double(0.1))),
            (
                Kind::Double,
                "9007199254740992",
                Some(Cell::Double(9_007_199_254_740_992.0)),
            ),
            (Kind::Double, "9007199254740993", None),
            (Kind::Double, "1e999", None),
            (Kind::Double, "\"inf\"", None),
            (Kind::Decimal(10, 2), "123.40", Some(Cell::Int64(12_340))),
            (Kind::Decimal(10, 2), "-0.05", Some(Cell::Int64(-5))),
            (Kind::Decimal(10, 2), "1.5e1", Some(Cell::Int64(1_500))),
            (Kind::Decimal(10, 2), "0.001", None),
            (Kind::Decimal(4, 2), "100", None),
            (Kind::Decimal(4, 2), "99.99", Some(Cell::Int64(9_999))),
            (
                Kind::Decimal(38, 0),
                "\"99999999999999999999999999999999999999\"",
                Some(Cell::Fixed(
                    99_999_999_999_999_999_999_999_999_999_999_999_999_i128.to_be_bytes(),
                )),
            ),
            (
                Kind::Decimal(38, 0),
                "\"100000000000000000000000000000000000000\"",
                None,
            ),
            (Kind::Boolean, "\"False\"", Some(Cell::Boolean(false))),
            (Kind::Boolean, "2", None),
            (Kind::Text, "12.50", Some(bytes("12.50"))),
            (Kind::Text, r#""a\n""#, Some(bytes("a\n"))),
            (Kind::Text, r#"{"a":1}"#, Some(bytes(r#"{"a":1}"#))),
            (Kind::Json, r#""x""#, Some(bytes(r#""x""#))),
            (Kind::Binary, "\"YQ==\"", Some(bytes("a"))),
            (Kind::Binary, "\"!\"", None),
            (Kind::Date, "\"1970-01-02\"", Some(Cell::Int32(1))),
            (Kind::Date, "\"2023-02-29\"", None),
            (
                Kind::Timestamp,
                "\"1970-01-01T00:00:01Z\"",
                Some(Cell::Int64(1_000_000)),
            ),
            (Kind::Timestamp, "\"1970-01-01T00:00:01+01:00\"", None),
            (
                Kind::TimestampWithZone,
                "\"1970-01-01T01:00:01+01:00\"",
                Some(Cell::Int64(1_000_000)),
            ),
            (Kind::TimestampWithZone, "1700000000", None),
            (Kind::Date, "null", Some(Cell::Null)),
        ];
        for (kind, json, expected) in cases {
            assert_eq!(Cell::of(kind, json), expected, "{kind:?} {json}");
        }
    }
}
