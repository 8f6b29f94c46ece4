//! A cell's text, as the server writes it, as JSON. What JSON has no value for (NaN, infinite
//! numbers and moments) does not fit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::arrays;
use super::types::Kind;
use crate::source::quoted_json;

/// Appends the value as JSON; `false`, and nothing appended, where it does not fit.
pub(super) fn write(kind: &Kind, raw: &[u8], out: &mut Vec<u8>) -> bool {
    match kind {
        Kind::Boolean => out.extend_from_slice(if raw == b"t" { b"true" } else { b"false" }),
        Kind::Integer => out.extend_from_slice(raw),
        Kind::Number => return number(raw, out),
        Kind::Text | Kind::Time => return text(raw, out),
        Kind::Date => return moment(raw, out, |_, _| {}),
        Kind::Timestamp => return moment(raw, out, |raw, out| separated(raw, out)),
        Kind::TimestampWithZone => {
            return moment(raw, out, |raw, out| {
                // Sessions are in UTC.
                separated(raw, out);
                if let Some(zone) = out.windows(3).rposition(|w| w == b"+00") {
                    out.splice(zone..zone + 3, *b"Z");
                }
            });
        }
        Kind::TimeWithZone => return time_with_zone(raw, out),
        Kind::Binary => return binary(raw, out),
        // Line breaks outside of strings are all that JSON has unescaped.
        Kind::Json => out.extend(raw.iter().map(|byte| match byte {
            b'\n' | b'\r' => b' ',
            other => *other,
        })),
        Kind::Array(element) => return arrays::write(element, raw, out),
    }
    true
}

fn number(raw: &[u8], out: &mut Vec<u8>) -> bool {
    let is_number = raw.last().is_some_and(u8::is_ascii_digit);
    if is_number {
        out.extend_from_slice(raw);
    }
    is_number
}

fn text(raw: &[u8], out: &mut Vec<u8>) -> bool {
    // Servers without an encoding send what they have.
    match std::str::from_utf8(raw) {
        Ok(text) => {
            quoted_json(out, text);
            true
        }
        Err(_) => false,
    }
}

/// A date or timestamp: `infinity` is none.
fn moment(raw: &[u8], out: &mut Vec<u8>, finish: impl FnOnce(&[u8], &mut Vec<u8>)) -> bool {
    if !raw.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let mut made = raw.to_vec();
    finish(raw, &mut made);
    out.push(b'"');
    out.extend_from_slice(&made);
    out.push(b'"');
    true
}

/// `T` between date and time; the `BC` of early years keeps its space.
fn separated(raw: &[u8], out: &mut [u8]) {
    if let Some(space) = raw.iter().position(|byte| *byte == b' ') {
        out[space] = b'T';
    }
}

fn time_with_zone(raw: &[u8], out: &mut Vec<u8>) -> bool {
    let zone = raw.iter().rposition(|byte| matches!(byte, b'+' | b'-'));
    let Some(zone) = zone else {
        return text(raw, out);
    };
    out.push(b'"');
    out.extend_from_slice(raw);
    if raw.len() == zone + 3 {
        out.extend_from_slice(b":00");
    }
    out.push(b'"');
    true
}

fn binary(raw: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(digits) = raw.strip_prefix(b"\\x") else {
        return false;
    };
    let value = |digit: u8| char::from(digit).to_digit(16);
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    for pair in digits.chunks(2) {
        let [high, low] = pair else { return false };
        let (Some(high), Some(low)) = (value(*high), value(*low)) else {
            return false;
        };
        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    out.push(b'"');
    out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
    out.push(b'"');
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_server_become_json() {
        let cases: [(Kind, &str, Option<&str>); 25] = [
            (Kind::Boolean, "t", Some("true")),
            (
                Kind::Integer,
                "-9223372036854775808",
                Some("-9223372036854775808"),
            ),
            (
                Kind::Number,
                "123456789012345678901234567890.10",
                Some("123456789012345678901234567890.10"),
            ),
            (Kind::Number, "1e-05", Some("1e-05")),
            (Kind::Number, "NaN", None),
            (Kind::Number, "-Infinity", None),
            (Kind::Text, "a\"b\\\n", Some(r#""a\"b\\\n""#)),
            (Kind::Date, "2024-02-29", Some("\"2024-02-29\"")),
            (Kind::Date, "0044-03-15 BC", Some("\"0044-03-15 BC\"")),
            (Kind::Date, "infinity", None),
            (Kind::Date, "-infinity", None),
            (
                Kind::Timestamp,
                "2024-02-29 10:00:00.5",
                Some("\"2024-02-29T10:00:00.5\""),
            ),
            (
                Kind::Timestamp,
                "0044-03-15 10:00:00 BC",
                Some("\"0044-03-15T10:00:00 BC\""),
            ),
            (
                Kind::TimestampWithZone,
                "2024-02-29 10:00:00+00",
                Some("\"2024-02-29T10:00:00Z\""),
            ),
            (
                Kind::TimestampWithZone,
                "0044-03-15 10:00:00+00 BC",
                Some("\"0044-03-15T10:00:00Z BC\""),
            ),
            (Kind::TimestampWithZone, "infinity", None),
            (Kind::Time, "24:00:00", Some("\"24:00:00\"")),
            (
                Kind::TimeWithZone,
                "10:00:00.25-07",
                Some("\"10:00:00.25-07:00\""),
            ),
            (
                Kind::TimeWithZone,
                "10:00:00+05:30",
                Some("\"10:00:00+05:30\""),
            ),
            (Kind::Binary, "\\xDEadbeef", Some("\"3q2+7w==\"")),
            (Kind::Binary, "\\x", Some("\"\"")),
            (Kind::Json, "{\"a\":\n 1.10}", Some("{\"a\":  1.10}")),
            (
                Kind::Array(Box::new(Kind::Integer)),
                "{1,NULL,3}",
                Some("[1,null,3]"),
            ),
            (
                Kind::Array(Box::new(Kind::Text)),
                r#"[0:1]={"a,\"b",NULL}"#,
                Some(r#"["a,\"b",null]"#),
            ),
            (
                Kind::Array(Box::new(Kind::Number)),
                "{{1,2.50},{NaN,4}}",
                None,
            ),
        ];
        for (kind, raw, expected) in cases {
            let mut out = Vec::new();
            let fits = write(&kind, raw.as_bytes(), &mut out);
            let written = fits.then(|| String::from_utf8(out).unwrap());
            assert_eq!(written.as_deref(), expected, "{kind:?} {raw}");
        }
    }
}
