//! Values as cells of a record. A value that does not fit its column's type becomes null, which the
//! record states.

use super::kinds::{Kind, is_number, is_whole, truth};
use crate::moments;
use crate::source::quoted_json;

/// Appends a CSV field as JSON; false when it is not of the kind.
pub(super) fn field(kind: Kind, text: &str, out: &mut Vec<u8>) -> bool {
    let plain = |fits: bool, out: &mut Vec<u8>| {
        if fits {
            out.extend_from_slice(text.as_bytes());
        }
        fits
    };
    match kind {
        Kind::Text => {
            quoted_json(out, text);
            true
        }
        Kind::Integer => plain(text.parse::<i64>().is_ok() && is_whole(text), out),
        Kind::Number | Kind::Decimal(..) => plain(is_number(text), out),
        Kind::BigInteger => quoted(is_whole(text), text, out),
        Kind::Boolean => match truth(text) {
            Some(value) => {
                out.extend_from_slice(if value { b"true" } else { b"false" });
                true
            }
            None => false,
        },
        Kind::Date => quoted(moments::is_date(text), text, out),
        Kind::Time => quoted(moments::time(text).is_some(), text, out),
        Kind::Timestamp | Kind::TimestampWithZone => {
            let zone = moments::timestamp_zone(text);
            let fits = zone == Some(kind == Kind::TimestampWithZone);
            let from = out.len();
            quoted(fits, text, out);
            if fits {
                // Between date and time, behind the quote and ten characters of the date.
                out[from + 11] = b'T';
            }
            fits
        }
        Kind::Any => {
            quoted_json(out, text);
            true
        }
        Kind::Binary | Kind::Object | Kind::Array => false,
    }
}

/// Appends a JSON value; false when it is not of the kind.
pub(super) fn json(kind: Kind, text: &str, out: &mut Vec<u8>) -> bool {
    let first = text.as_bytes().first().copied().unwrap_or(b'n');
    let is_digits = matches!(first, b'-' | b'0'..=b'9');
    let fits = match kind {
        Kind::Any => true,
        _ if first == b'n' => true,
        Kind::Text if first == b'"' => true,
        Kind::Text => {
            quoted_json(out, text);
            return true;
        }
        Kind::Boolean => matches!(first, b't' | b'f'),
        Kind::Integer => text.parse::<i64>().is_ok() || (is_digits && is_zero_fraction(text)),
        Kind::Number | Kind::Decimal(..) => is_digits,
        Kind::BigInteger if is_digits => return quoted(is_whole(text), text, out),
        Kind::Object => first == b'{',
        Kind::Array => first == b'[',
        Kind::BigInteger | Kind::Date | Kind::Time | Kind::Timestamp | Kind::TimestampWithZone => {
            return match text
                .strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'))
            {
                Some(text) => field(kind, text, out),
                None => false,
            };
        }
        Kind::Binary => first == b'"',
    };
    if fits {
        out.extend_from_slice(text.as_bytes());
    }
    fits
}

/// `5.0` is a whole number too.
fn is_zero_fraction(text: &str) -> bool {
    let parts = text.split_once('.');
    parts.is_some_and(|(whole, zeros)| {
        whole.parse::<i64>().is_ok() && zeros.bytes().all(|digit| digit == b'0')
    })
}

/// Appends a text that needs no escapes.
fn quoted(fits: bool, text: &str, out: &mut Vec<u8>) -> bool {
    if fits {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(
        write: fn(Kind, &str, &mut Vec<u8>) -> bool,
        kind: Kind,
        text: &str,
    ) -> Option<String> {
        let mut out = Vec::new();
        write(kind, text, &mut out).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn fields_are_written_as_their_kind_or_not_at_all() {
        let cases = [
            (Kind::Integer, "5", Some("5")),
            (Kind::Integer, "5.0", None),
            (Kind::Integer, "9223372036854775808", None),
            (
                Kind::BigInteger,
                "9223372036854775808",
                Some("\"9223372036854775808\""),
            ),
            (Kind::Number, "0.10", Some("0.10")),
            (Kind::Number, "NaN", None),
            (Kind::Boolean, "TRUE", Some("true")),
            (Kind::Boolean, "1", None),
            (Kind::Date, "2024-02-30", None),
            (
                Kind::Timestamp,
                "2024-02-29 10:00",
                Some("\"2024-02-29T10:00\""),
            ),
            (Kind::Timestamp, "2024-02-29T10:00Z", None),
            (
                Kind::TimestampWithZone,
                "2024-02-29 10:00Z",
                Some("\"2024-02-29T10:00Z\""),
            ),
            (Kind::Text, "a\"b", Some(r#""a\"b""#)),
        ];
        for (kind, text, expected) in cases {
            assert_eq!(
                written(field, kind, text).as_deref(),
                expected,
                "{kind:?} {text}"
            );
        }
        let cases = [
            (Kind::Integer, "5", Some("5")),
            (Kind::Integer, "5.0", Some("5.0")),
            (Kind::Integer, "\"5\"", None),
            (Kind::BigInteger, "5", Some("\"5\"")),
            (
                Kind::Number,
                "12345678901234567890.10",
                Some("12345678901234567890.10"),
            ),
            (Kind::Text, "{\"a\":1}", Some(r#""{\"a\":1}""#)),
            (Kind::Text, "null", Some("null")),
            (Kind::Any, "[1]", Some("[1]")),
            (Kind::Object, "[1]", None),
            (Kind::Boolean, "0", None),
        ];
        for (kind, text, expected) in cases {
            assert_eq!(
                written(json, kind, text).as_deref(),
                expected,
                "{kind:?} {text}"
            );
        }
    }
}
