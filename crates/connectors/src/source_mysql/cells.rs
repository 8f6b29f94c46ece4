//! A cell's text, as the server writes it, as JSON. Dates that are none and times of more than a
//! day do not fit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::NaiveDate;

use super::types::Kind;
use crate::source::quoted_json;

/// Appends the value as JSON; `false`, and nothing that is to stay appended, where it does not fit.
pub(super) fn write(kind: &Kind, raw: &[u8], out: &mut Vec<u8>) -> bool {
    match kind {
        Kind::Boolean | Kind::Bit => {
            let is_zero = raw.iter().all(|byte| matches!(byte, 0 | b'0'));
            out.extend_from_slice(if is_zero { b"false" } else { b"true" });
            true
        }
        Kind::Integer | Kind::Number => number(raw, out),
        Kind::BigInteger => {
            out.push(b'"');
            let fits = number(raw, out);
            out.push(b'"');
            fits
        }
        Kind::Float => float(raw, out),
        Kind::Text => match std::str::from_utf8(raw) {
            Ok(text) => {
                quoted_json(out, text);
                true
            }
            Err(_) => false,
        },
        Kind::Date => {
            let fits = is_date(raw);
            between_quotes(raw, out);
            fits
        }
        Kind::DateTime | Kind::Timestamp => moment(*kind, raw, out),
        Kind::Time => {
            between_quotes(raw, out);
            raw.get(2) == Some(&b':') && raw < b"24".as_slice()
        }
        Kind::Binary => {
            out.push(b'"');
            out.extend_from_slice(STANDARD.encode(raw).as_bytes());
            out.push(b'"');
            true
        }
    }
}

/// A number without the zeros that `ZEROFILL` puts before it.
fn number(raw: &[u8], out: &mut Vec<u8>) -> bool {
    let (sign, digits) = match raw {
        [b'-', digits @ ..] => (&b"-"[..], digits),
        digits => (&b""[..], digits),
    };
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    let follows = digits.get(zeros).is_some_and(u8::is_ascii_digit);
    let start = if follows {
        zeros
    } else {
        zeros.saturating_sub(1)
    };
    out.extend_from_slice(sign);
    out.extend_from_slice(&digits[start..]);
    digits.first().is_some_and(u8::is_ascii_digit)
}

/// The shortest digits that mean this float, of a double's digits.
fn float(raw: &[u8], out: &mut Vec<u8>) -> bool {
    let parsed = std::str::from_utf8(raw)
        .ok()
        .and_then(|text| text.parse::<f64>().ok());
    #[expect(clippy::cast_possible_truncation, reason = "it was a float")]
    let Some(value) = parsed.map(|double| double as f32) else {
        return false;
    };
    let text = format!("{value:?}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    out.extend_from_slice(text.as_bytes());
    value.is_finite()
}

fn between_quotes(raw: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(raw);
    out.push(b'"');
}

/// Whether the date exists: servers store zeros for years, months and days, and can be configured
/// to store February 31.
fn is_date(raw: &[u8]) -> bool {
    let number = |digits: &[u8]| {
        let text = std::str::from_utf8(digits).ok()?;
        text.parse::<u32>().ok()
    };
    let [year @ .., b'-', m1, m2, b'-', d1, d2] = raw else {
        return false;
    };
    let date = || {
        let year = i32::try_from(number(year)?).ok()?;
        NaiveDate::from_ymd_opt(year, number(&[*m1, *m2])?, number(&[*d1, *d2])?)
    };
    date().is_some()
}

fn moment(kind: Kind, raw: &[u8], out: &mut Vec<u8>) -> bool {
    let Some((date, time)) = raw.split_at_checked(10) else {
        return false;
    };
    out.push(b'"');
    out.extend_from_slice(date);
    out.push(b'T');
    out.extend_from_slice(time.get(1..).unwrap_or_default());
    // Sessions are in UTC.
    out.extend_from_slice(if kind == Kind::Timestamp {
        b"Z\""
    } else {
        b"\""
    });
    is_date(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_server_become_json() {
        let cases: [(Kind, &[u8], Option<&str>); 30] = [
            (Kind::Boolean, b"0", Some("false")),
            (Kind::Boolean, b"-1", Some("true")),
            (Kind::Bit, b"\0", Some("false")),
            (Kind::Bit, b"\x01", Some("true")),
            (Kind::Integer, b"-128", Some("-128")),
            (Kind::Integer, b"00042", Some("42")),
            (Kind::Integer, b"0000", Some("0")),
            (
                Kind::BigInteger,
                b"18446744073709551615",
                Some("\"18446744073709551615\""),
            ),
            (Kind::Number, b"-0.50", Some("-0.50")),
            (Kind::Number, b"00000000.10", Some("0.10")),
            (Kind::Number, b"00012.10", Some("12.10")),
            (Kind::Number, b"1e-300", Some("1e-300")),
            (Kind::Float, b"0.10000000149011612", Some("0.1")),
            (Kind::Float, b"3.4028234663852886e38", Some("3.4028235e38")),
            (Kind::Float, b"-7", Some("-7")),
            (Kind::Text, b"a\"\\\n\0", Some(r#""a\"\\\n\u0000""#)),
            (Kind::Text, b"\xff", None),
            (Kind::Date, b"2024-02-29", Some("\"2024-02-29\"")),
            (Kind::Date, b"2023-02-29", None),
            (Kind::Date, b"0000-00-00", None),
            (Kind::Date, b"2024-01-00", None),
            (
                Kind::DateTime,
                b"9999-12-31 23:59:59.999999",
                Some("\"9999-12-31T23:59:59.999999\""),
            ),
            (Kind::DateTime, b"0000-00-00 00:00:00", None),
            (
                Kind::Timestamp,
                b"2024-02-29 10:00:00",
                Some("\"2024-02-29T10:00:00Z\""),
            ),
            (Kind::Time, b"23:59:59.5", Some("\"23:59:59.5\"")),
            (Kind::Time, b"24:00:00", None),
            (Kind::Time, b"838:59:59", None),
            (Kind::Time, b"-01:00:00", None),
            (Kind::Binary, b"\0\xff", Some("\"AP8=\"")),
            (Kind::Binary, b"", Some("\"\"")),
        ];
        for (kind, raw, expected) in cases {
            let mut out = Vec::new();
            let fits = write(&kind, raw, &mut out);
            let written = fits.then(|| String::from_utf8(out).unwrap());
            assert_eq!(written.as_deref(), expected, "{kind:?} {raw:?}");
        }
    }
}
