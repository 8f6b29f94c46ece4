//! JSON values as cells. A value that cannot be cast to its column's type becomes null, which the
//! row records.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use sqlx::Arguments as _;
use sqlx::sqlite::SqliteArguments;

use super::columns::Kind;
use crate::failure::Failure;

/// A value as SQLite stores it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    /// Shared only with SQLite's thread: one allocation, where a `String` would take two.
    Text(Arc<str>),
    Blob(Vec<u8>),
}

impl Cell {
    /// The value as the column's kind holds it; nothing where it cannot.
    pub(super) fn of(kind: Kind, value: &RawValue) -> Option<Self> {
        let text = value.get();
        match text.as_bytes().first()? {
            b'n' => Some(Self::Null),
            b't' => truth(kind, true),
            b'f' => truth(kind, false),
            b'"' => string(kind, &unescaped(text)?),
            b'{' | b'[' => match kind {
                Kind::Json | Kind::Text | Kind::Any => Some(Self::Text(text.into())),
                _ => None,
            },
            _ => number(kind, text),
        }
    }

    pub(super) fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// About how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        16 + match self {
            Self::Text(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
            _ => 0,
        }
    }

    pub(super) fn bind(self, arguments: &mut SqliteArguments) -> Result<(), Failure> {
        match self {
            Self::Null => arguments.add(None::<i64>),
            Self::Integer(value) => arguments.add(value),
            Self::Real(value) => arguments.add(value),
            Self::Text(value) => arguments.add(value),
            Self::Blob(value) => arguments.add(value),
        }
        .map_err(unbindable)
    }
}

/// An argument that SQLite does not take; none of ours.
pub(super) fn unbindable(error: impl std::fmt::Display) -> Failure {
    Failure::system("a value cannot be written").because(error)
}

fn unescaped(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.get(1..json.len() - 1)?;
    if !inner.as_bytes().contains(&b'\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(json).ok().map(Cow::Owned)
}

fn truth(kind: Kind, value: bool) -> Option<Cell> {
    match kind {
        Kind::Boolean | Kind::Any => Some(Cell::Integer(i64::from(value))),
        Kind::Text | Kind::Json => Some(Cell::Text(value.to_string().into())),
        Kind::Integer | Kind::Real | Kind::Blob => None,
    }
}

fn string(kind: Kind, value: &str) -> Option<Cell> {
    match kind {
        Kind::Text | Kind::Any => Some(Cell::Text(value.into())),
        // A JSON column holds JSON.
        Kind::Json => serde_json::to_string(value)
            .ok()
            .map(|json| Cell::Text(json.into())),
        Kind::Blob => STANDARD.decode(value).ok().map(Cell::Blob),
        Kind::Boolean if value.eq_ignore_ascii_case("true") => Some(Cell::Integer(1)),
        Kind::Boolean if value.eq_ignore_ascii_case("false") => Some(Cell::Integer(0)),
        Kind::Boolean => None,
        // Rust's parser accepts more than JSON's: `inf`, `+1` and `1_000` are not numbers here.
        Kind::Integer | Kind::Real if is_number(value) => number(kind, value),
        Kind::Integer | Kind::Real => None,
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
}

/// A number from its text: `serde_json` would round some doubles to a neighbour.
fn number(kind: Kind, text: &str) -> Option<Cell> {
    let integer = text.parse::<i64>().ok();
    let real = || text.parse::<f64>().ok().filter(|value| value.is_finite());
    match kind {
        Kind::Integer => integer
            .or_else(|| real().and_then(whole))
            .map(Cell::Integer),
        Kind::Real => match integer {
            Some(value) => exact(value).map(Cell::Real),
            None => real().map(Cell::Real),
        },
        Kind::Boolean => match integer {
            Some(value @ (0 | 1)) => Some(Cell::Integer(value)),
            _ => None,
        },
        Kind::Text | Kind::Json => Some(Cell::Text(text.into())),
        Kind::Any => match integer {
            Some(value) => Some(Cell::Integer(value)),
            // Digits that no integer holds are kept as they are, rather than rounded.
            None if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') => {
                Some(Cell::Text(text.into()))
            }
            None => real().map(Cell::Real),
        },
        Kind::Blob => None,
    }
}

fn whole(value: f64) -> Option<i64> {
    // Beyond 2^53, a double does not identify one integer.
    let exact = value.abs() <= 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be whole and in range"
    )]
    (exact && value.fract() == 0.0).then_some(value as i64)
}

/// The integer as a double, if a double holds it.
fn exact(value: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "checked right away")]
    let real = value as f64;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "i128 holds every double made of an i64"
    )]
    (real as i128 == i128::from(value)).then_some(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(kind: Kind, json: &str) -> Option<Cell> {
        Cell::of(kind, &RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn values_are_cast_where_nothing_is_lost() {
        let text = |text: &str| Cell::Text(text.into());
        let cases = [
            (Kind::Integer, "5", Cell::Integer(5)),
            (
                Kind::Integer,
                "-9223372036854775808",
                Cell::Integer(i64::MIN),
            ),
            (Kind::Integer, "5.0", Cell::Integer(5)),
            (Kind::Integer, "\"7\"", Cell::Integer(7)),
            (Kind::Real, "0.1", Cell::Real(0.1)),
            (Kind::Real, "5", Cell::Real(5.0)),
            (Kind::Real, "5e-324", Cell::Real(f64::from_bits(1))),
            (Kind::Boolean, "true", Cell::Integer(1)),
            (Kind::Boolean, "0", Cell::Integer(0)),
            (Kind::Text, r#""aé\n\u0000""#, text("aé\n\0")),
            (Kind::Text, "12.50", text("12.50")),
            (Kind::Text, r#"{"a":1}"#, text(r#"{"a":1}"#)),
            (Kind::Json, r#"[1, 2]"#, text("[1, 2]")),
            (Kind::Json, r#""x""#, text("\"x\"")),
            (Kind::Blob, "\"/w==\"", Cell::Blob(vec![0xff])),
            (
                Kind::Any,
                "9223372036854775808",
                text("9223372036854775808"),
            ),
            (Kind::Any, "\"x\"", text("x")),
            (Kind::Any, "1.5", Cell::Real(1.5)),
            (Kind::Integer, "null", Cell::Null),
        ];
        for (kind, json, expected) in cases {
            assert_eq!(cell(kind, json), Some(expected), "{kind:?} {json}");
        }
    }

    #[test]
    fn what_cannot_be_cast_is_none() {
        let cases = [
            (Kind::Integer, "9223372036854775808"),
            (Kind::Integer, "5.5"),
            (Kind::Integer, "1e300"),
            (Kind::Integer, "\"n/a\""),
            (Kind::Integer, "{}"),
            (Kind::Real, "1e999"),
            (Kind::Real, "\"inf\""),
            (Kind::Real, "\"NaN\""),
            (Kind::Real, "9007199254740993"),
            (Kind::Boolean, "2"),
            (Kind::Boolean, "\"yes\""),
            (Kind::Blob, "\"!\""),
            (Kind::Blob, "1"),
        ];
        for (kind, json) in cases {
            assert_eq!(cell(kind, json), None, "{kind:?} {json}");
        }
    }
}
