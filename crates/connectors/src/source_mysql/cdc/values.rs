//! Values of the log as the texts that the server would write for them, so that a changed row looks
//! like a row of a table.

use chrono::DateTime;
use mysql_async::Value;
use mysql_async::binlog::value::BinlogValue;

use super::layout::LoggedColumn;

/// Character sets in which the bytes of ASCII stand for something else.
const OWN_ASCII: [&str; 5] = ["ucs2", "utf16", "utf16le", "utf32", "swe7"];

/// What became of a value.
#[derive(Debug, PartialEq)]
pub(super) enum Text {
    Null,
    Bytes(Vec<u8>),
    /// Bytes in a character set that the server has to convert.
    Encoded(Vec<u8>, String),
    /// The log has it in a form that is not known.
    Unknown,
}

/// The text of a value.
pub(super) fn text(column: &LoggedColumn, value: BinlogValue<'_>) -> Text {
    let value = match value {
        BinlogValue::Value(value) => value,
        json @ BinlogValue::Jsonb(_) => match Value::try_from(json) {
            Ok(value) => value,
            Err(_) => return Text::Unknown,
        },
        BinlogValue::JsonDiff(_) => return Text::Unknown,
    };
    let kind = column.name_of_type();
    match (kind, value) {
        (_, Value::NULL) => Text::Null,
        ("enum", Value::Int(number)) => {
            let index = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
            let members = column.members();
            let member = index.and_then(|index| members.get(index).cloned());
            Text::Bytes(member.unwrap_or_default().into_bytes())
        }
        ("set", Value::Bytes(bits)) => {
            let is_set = |at: &usize| {
                bits.get(at / 8)
                    .is_some_and(|byte| byte >> (at % 8) & 1 == 1)
            };
            let members = column.members().into_iter().enumerate();
            let chosen = members
                .filter(|(at, _)| is_set(at))
                .map(|(_, member)| member);
            Text::Bytes(chosen.collect::<Vec<_>>().join(",").into_bytes())
        }
        ("timestamp", Value::Bytes(seconds)) => timestamp(&seconds, column.fraction()),
        ("timestamp", Value::Int(seconds)) => {
            timestamp(seconds.to_string().as_bytes(), column.fraction())
        }
        ("year", Value::Bytes(year)) if year == b"1900" => Text::Bytes(b"0".to_vec()),
        ("date", Value::Date(year, month, day, ..)) => {
            Text::Bytes(format!("{year:04}-{month:02}-{day:02}").into_bytes())
        }
        (_, Value::Date(year, month, day, hour, minute, second, micros)) => {
            let fraction = fraction(micros, column.fraction());
            Text::Bytes(
                format!(
                    "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction}"
                )
                .into_bytes(),
            )
        }
        (_, Value::Time(negative, days, hours, minutes, seconds, micros)) => {
            let sign = if negative { "-" } else { "" };
            let hours = days * 24 + u32::from(hours);
            let fraction = fraction(micros, column.fraction());
            Text::Bytes(
                format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{fraction}").into_bytes(),
            )
        }
        (_, Value::Int(number)) => Text::Bytes(column.signed(number).to_string().into_bytes()),
        (_, Value::UInt(number)) => Text::Bytes(number.to_string().into_bytes()),
        (_, Value::Float(number)) => Text::Bytes(format!("{:?}", f64::from(number)).into_bytes()),
        (_, Value::Double(number)) => {
            let text = format!("{number:?}");
            Text::Bytes(text.strip_suffix(".0").unwrap_or(&text).as_bytes().to_vec())
        }
        ("binary", Value::Bytes(mut bytes)) => {
            // The zeros at the end are not in the log.
            let length = column.length().max(bytes.len());
            bytes.resize(length, 0);
            Text::Bytes(bytes)
        }
        (_, Value::Bytes(bytes)) => match column.foreign_charset() {
            // The server is asked only where it matters.
            Some(charset) if !bytes.is_ascii() || OWN_ASCII.contains(&charset) => {
                Text::Encoded(bytes, charset.to_owned())
            }
            Some(_) => Text::Bytes(bytes),
            None => Text::Bytes(bytes),
        },
    }
}

/// As many digits of the microseconds as the column has.
fn fraction(micros: u32, digits: usize) -> String {
    match digits {
        0 => String::new(),
        digits => format!(".{}", &format!("{micros:06}")[..digits.min(6)]),
    }
}

/// Seconds since the epoch, with a fraction, as a moment in UTC. Zero stands for the date that is
/// none.
fn timestamp(seconds: &[u8], digits: usize) -> Text {
    let text = String::from_utf8_lossy(seconds);
    let (whole, micros) = text.split_once('.').unwrap_or((&text, "0"));
    let (Ok(whole), Ok(micros)) = (whole.parse::<i64>(), micros.parse::<u32>()) else {
        return Text::Unknown;
    };
    // The driver reads 32 bits with a sign, newer servers write them without.
    let whole = if whole < 0 { whole + (1 << 32) } else { whole };
    if whole == 0 {
        return Text::Bytes(b"0000-00-00 00:00:00".to_vec());
    }
    let Some(moment) = DateTime::from_timestamp(whole, 0) else {
        return Text::Unknown;
    };
    let fraction = fraction(micros, digits);
    Text::Bytes(format!("{}{fraction}", moment.format("%Y-%m-%d %H:%M:%S")).into_bytes())
}
