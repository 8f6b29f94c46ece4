//! JSON values as cells of `COPY … FROM STDIN` in its text format. A value that the column's type
//! cannot hold becomes null, which the row records.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use super::columns::Kind;
use super::{json_text, moments};

/// Result of converting a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Its text was appended.
    Value,
    Null,
    /// The type does not hold it; nothing was appended.
    Unfit,
}

/// Appends the value's text.
pub(super) fn write(kind: Kind, value: &RawValue, out: &mut Vec<u8>) -> Fit {
    let json = value.get();
    let fits = match json.as_bytes().first() {
        None | Some(b'n') => return Fit::Null,
        _ if kind == Kind::Json => json_text::fits(json).then(|| escaped(json, out)),
        Some(b't') => truth(kind, true, out),
        Some(b'f') => truth(kind, false, out),
        Some(b'"') => unescaped(json).and_then(|text| string(kind, &text, out)),
        Some(b'{' | b'[') => (kind == Kind::Text).then(|| escaped(json, out)),
        Some(_) => number(kind, json, out),
    };
    match fits {
        Some(()) => Fit::Value,
        None => Fit::Unfit,
    }
}

/// Appends a text as a cell.
pub(super) fn escaped(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let letter = match byte {
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => continue,
        };
        out.extend_from_slice(&bytes[start..at]);
        out.extend_from_slice(&[b'\\', letter]);
        start = at + 1;
    }
    out.extend_from_slice(&bytes[start..]);
}

fn unescaped(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.get(1..json.len() - 1)?;
    if !inner.as_bytes().contains(&b'\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(json).ok().map(Cow::Owned)
}

fn truth(kind: Kind, value: bool, out: &mut Vec<u8>) -> Option<()> {
    let fits = matches!(kind, Kind::Boolean | Kind::Text);
    fits.then(|| out.extend_from_slice(if value { b"true" } else { b"false" }))
}

fn string(kind: Kind, text: &str, out: &mut Vec<u8>) -> Option<()> {
    let fits = match kind {
        // The one character that a text of the server cannot have.
        Kind::Text => !text.as_bytes().contains(&0),
        Kind::Date => moments::is_date(text),
        Kind::Time => moments::is_time(text),
        Kind::TimeWithZone => moments::is_time_with_zone(text),
        Kind::Timestamp | Kind::TimestampWithZone => moments::is_timestamp(text),
        Kind::Boolean => text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"),
        Kind::Integer | Kind::Number => {
            return json_text::is_number(text)
                .then(|| number(kind, text, out))
                .flatten();
        }
        Kind::Binary => return binary(text, out),
        Kind::Json => false,
    };
    fits.then(|| escaped(text, out))
}

fn binary(text: &str, out: &mut Vec<u8>) -> Option<()> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes = STANDARD.decode(text).ok()?;
    out.extend_from_slice(b"\\\\x");
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
    Some(())
}

fn number(kind: Kind, text: &str, out: &mut Vec<u8>) -> Option<()> {
    let fits = match kind {
        Kind::Number => json_text::is_number(text),
        Kind::Text => true,
        Kind::Boolean => matches!(text, "0" | "1"),
        Kind::Integer if text.parse::<i64>().is_ok() => true,
        Kind::Integer => {
            let whole = whole(text)?;
            out.extend_from_slice(whole.to_string().as_bytes());
            return Some(());
        }
        _ => false,
    };
    fits.then(|| out.extend_from_slice(text.as_bytes()))
}

/// The integer that a number with a fraction or an exponent is, if it is one.
fn whole(text: &str) -> Option<i64> {
    if let Some((whole, zeros)) = text.split_once('.')
        && zeros.bytes().all(|byte| byte == b'0')
    {
        return whole.parse().ok();
    }
    let value: f64 = text.parse().ok()?;
    // Beyond 2^53, a double does not identify one integer.
    let exact = value.abs() <= 9_007_199_254_740_992.0 && value.fract() == 0.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be whole and in range"
    )]
    (exact && text.contains(['e', 'E'])).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cast_where_nothing_is_lost() {
        let cases: [(Kind, &str, Option<&str>); 31] = [
            (
                Kind::Integer,
                "9223372036854775807",
                Some("9223372036854775807"),
            ),
            (Kind::Integer, "5.0", Some("5")),
            (Kind::Integer, "1e3", Some("1000")),
            (Kind::Integer, "\"7\"", Some("7")),
            (Kind::Integer, "9223372036854775808", None),
            (Kind::Integer, "5.5", None),
            (Kind::Integer, "true", None),
            (
                Kind::Number,
                "123456789012345678901234567890.10",
                Some("123456789012345678901234567890.10"),
            ),
            (Kind::Number, "\"1.50\"", Some("1.50")),
            (Kind::Number, "\"NaN\"", None),
            (Kind::Number, "1e99999", None),
            (Kind::Text, r#""a\tb\\\n""#, Some(r"a\tb\\\n")),
            (Kind::Text, "12.50", Some("12.50")),
            (Kind::Text, r#"{"a":"\n"}"#, Some(r#"{"a":"\\n"}"#)),
            (Kind::Text, r#""\u0000""#, None),
            (Kind::Json, r#"{"a":"\n"}"#, Some(r#"{"a":"\\n"}"#)),
            (Kind::Json, "\"x\"", Some("\"x\"")),
            (Kind::Json, r#""\u0000""#, None),
            (Kind::Binary, "\"/w==\"", Some(r"\\xff")),
            (Kind::Binary, "\"!\"", None),
            (Kind::Boolean, "true", Some("true")),
            (Kind::Boolean, "\"False\"", Some("False")),
            (Kind::Boolean, "2", None),
            (Kind::Date, "\"2024-02-29\"", Some("2024-02-29")),
            (Kind::Date, "\"2023-02-29\"", None),
            (
                Kind::Timestamp,
                "\"2024-02-29T10:00:00\"",
                Some("2024-02-29T10:00:00"),
            ),
            (
                Kind::TimestampWithZone,
                "\"2024-02-29T10:00:00Z\"",
                Some("2024-02-29T10:00:00Z"),
            ),
            (Kind::TimestampWithZone, "\"soon\"", None),
            (Kind::TimestampWithZone, "1700000000", None),
            (Kind::Time, "\"24:00:00\"", Some("24:00:00")),
            (Kind::Date, "{}", None),
        ];
        for (kind, json, expected) in cases {
            let mut out = Vec::new();
            let value = RawValue::from_string(json.to_owned()).unwrap();
            let fit = write(kind, &value, &mut out);
            let written = (fit == Fit::Value).then(|| String::from_utf8(out).unwrap());
            assert_eq!(written.as_deref(), expected, "{kind:?} {json}");
        }
    }
}
