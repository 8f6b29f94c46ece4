//! Rows as JSON objects. SQLite types values, not columns, so each value is compared with its
//! column's declared type: it is coerced if nothing is lost, otherwise it becomes null, which the
//! record states.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sqlx::sqlite::{SqliteRow, SqliteValueRef};
use sqlx::{Decode, Row, Sqlite, TypeInfo, ValueRef};

use super::moments;
use super::tables::Column;
use super::types::Kind;
use crate::failure::Failure;
use crate::source::quoted_json as text;

/// A value as SQLite stores it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stored<'r> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'r str),
    /// A text that is not UTF-8.
    Broken,
    Blob(&'r [u8]),
}

impl<'r> Stored<'r> {
    fn of(value: SqliteValueRef<'r>) -> Result<Self, Failure> {
        let undecodable = |e| Failure::system("a value of the database cannot be read").because(e);
        let kind = value.type_info();
        if value.is_null() {
            return Ok(Self::Null);
        }
        match kind.name() {
            "INTEGER" => <i64 as Decode<Sqlite>>::decode(value)
                .map(Self::Integer)
                .map_err(undecodable),
            "REAL" => <f64 as Decode<Sqlite>>::decode(value)
                .map(Self::Real)
                .map_err(undecodable),
            "TEXT" => Ok(<&str as Decode<Sqlite>>::decode(value).map_or(Self::Broken, Self::Text)),
            _ => <&[u8] as Decode<Sqlite>>::decode(value)
                .map(Self::Blob)
                .map_err(undecodable),
        }
    }
}

/// The value in column `index` of a row.
pub(super) fn stored(row: &SqliteRow, index: usize) -> Result<Stored<'_>, Failure> {
    Stored::of(row.try_get_raw(index)?)
}

/// Writes rows of one table as JSON objects.
pub(super) struct RowWriter {
    columns: Vec<(Vec<u8>, Column)>,
    /// Columns of the last row whose value did not fit.
    pub(super) nulled: Vec<usize>,
}

impl RowWriter {
    pub(super) fn new(columns: &[Column]) -> Self {
        let prefixed = |(index, column): (usize, &Column)| {
            let mut prefix = if index == 0 {
                b"{".to_vec()
            } else {
                b",".to_vec()
            };
            text(&mut prefix, &column.name);
            prefix.push(b':');
            (prefix, column.clone())
        };
        Self {
            columns: columns.iter().enumerate().map(prefixed).collect(),
            nulled: Vec::new(),
        }
    }

    pub(super) fn column(&self, index: usize) -> &str {
        &self.columns[index].1.name
    }

    /// Appends the row's object.
    pub(super) fn write(&mut self, row: &SqliteRow, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.nulled.clear();
        if self.columns.is_empty() {
            out.push(b'{');
        }
        for (index, (prefix, column)) in self.columns.iter().enumerate() {
            out.extend_from_slice(prefix);
            let value = stored(row, index)?;
            if !write_value(column.kind, value, out) {
                out.extend_from_slice(b"null");
                self.nulled.push(index);
            }
        }
        out.push(b'}');
        Ok(())
    }
}

/// Appends the value as JSON; `false`, and nothing appended, where it does not fit.
fn write_value(kind: Kind, value: Stored<'_>, out: &mut Vec<u8>) -> bool {
    match (kind, value) {
        (_, Stored::Null) => out.extend_from_slice(b"null"),
        (Kind::Integer | Kind::Number | Kind::Any, Stored::Integer(value)) => integer(out, value),
        (Kind::Number | Kind::Any, Stored::Real(value)) => return real(out, value),
        (Kind::Integer, Stored::Real(value)) => match whole(value) {
            Some(value) => integer(out, value),
            None => return false,
        },
        (Kind::Text | Kind::Any, Stored::Text(value)) => text(out, value),
        (Kind::Text, Stored::Integer(value)) => text(out, &value.to_string()),
        (Kind::Text, Stored::Real(value)) if value.is_finite() => text(out, &format!("{value:?}")),
        (Kind::Text, Stored::Blob(value)) => match std::str::from_utf8(value) {
            Ok(value) => text(out, value),
            Err(_) => return false,
        },
        (Kind::Any | Kind::Binary, Stored::Blob(value)) => text(out, &STANDARD.encode(value)),
        (Kind::Binary, Stored::Text(value)) => text(out, &STANDARD.encode(value)),
        (Kind::Boolean, value) => match boolean(value) {
            Some(true) => out.extend_from_slice(b"true"),
            Some(false) => out.extend_from_slice(b"false"),
            None => return false,
        },
        (Kind::Date, Stored::Text(value)) if moments::is_date(value) => text(out, value),
        (Kind::Time, Stored::Text(value)) if moments::is_time(value) => text(out, value),
        (Kind::Timestamp | Kind::TimestampWithZone, value) => return moment(kind, value, out),
        _ => return false,
    }
    true
}

fn moment(kind: Kind, value: Stored<'_>, out: &mut Vec<u8>) -> bool {
    let made = match value {
        Stored::Text(value) if moments::is_timestamp(value) => {
            text(out, value);
            return true;
        }
        Stored::Text(value) if moments::is_date(value) => Some(format!("{value}T00:00:00")),
        Stored::Integer(value) => moments::from_unix(value),
        Stored::Real(value) => moments::from_julian_day(value),
        _ => None,
    };
    let Some(mut made) = made else { return false };
    if kind == Kind::TimestampWithZone {
        // SQLite's own moments are in UTC.
        made.push('Z');
    }
    text(out, &made);
    true
}

fn boolean(value: Stored<'_>) -> Option<bool> {
    match value {
        Stored::Integer(1) => Some(true),
        Stored::Integer(0) => Some(false),
        Stored::Text(value) => {
            let is = |words: [&str; 3]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
            if is(["true", "t", "yes"]) {
                Some(true)
            } else if is(["false", "f", "no"]) {
                Some(false)
            } else {
                None
            }
        }
        _ => None,
    }
}

/// The integer that a real is, if it is one.
fn whole(value: f64) -> Option<i64> {
    // The bounds are powers of two, which doubles hold exactly.
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be whole and in range"
    )]
    (fits && value.fract() == 0.0).then_some(value as i64)
}

fn integer(out: &mut Vec<u8>, value: i64) {
    serde_json::to_writer(out, &value).expect("writing a number to memory cannot fail");
}

fn real(out: &mut Vec<u8>, value: f64) -> bool {
    if !value.is_finite() {
        return false;
    }
    serde_json::to_writer(out, &value).expect("writing a number to memory cannot fail");
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_held_against_their_columns_type() {
        let written = |kind, value| {
            let mut out = Vec::new();
            write_value(kind, value, &mut out).then(|| String::from_utf8(out).unwrap())
        };
        let fits = [
            (Kind::Integer, Stored::Real(5.0), "5"),
            (
                Kind::Integer,
                Stored::Integer(i64::MIN),
                "-9223372036854775808",
            ),
            (Kind::Number, Stored::Real(0.1), "0.1"),
            (Kind::Number, Stored::Integer(7), "7"),
            (Kind::Text, Stored::Integer(7), "\"7\""),
            (Kind::Text, Stored::Real(1.0), "\"1.0\""),
            (Kind::Text, Stored::Blob(b"ok"), "\"ok\""),
            (
                Kind::Text,
                Stored::Text("a\"\u{1}\0"),
                r#""a\"\u0001\u0000""#,
            ),
            (Kind::Binary, Stored::Blob(&[0xff]), "\"/w==\""),
            (Kind::Boolean, Stored::Integer(1), "true"),
            (Kind::Boolean, Stored::Text("No"), "false"),
            (Kind::Date, Stored::Text("2024-01-01"), "\"2024-01-01\""),
            (
                Kind::Timestamp,
                Stored::Text("2024-01-01 10:00:00"),
                "\"2024-01-01 10:00:00\"",
            ),
            (
                Kind::Timestamp,
                Stored::Text("2024-01-01"),
                "\"2024-01-01T00:00:00\"",
            ),
            (
                Kind::TimestampWithZone,
                Stored::Integer(0),
                "\"1970-01-01T00:00:00Z\"",
            ),
            (Kind::Any, Stored::Text("x"), "\"x\""),
            (Kind::Any, Stored::Null, "null"),
        ];
        for (kind, value, expected) in fits {
            assert_eq!(
                written(kind, value).as_deref(),
                Some(expected),
                "{kind:?} {value:?}"
            );
        }
        let unfit = [
            (Kind::Integer, Stored::Real(5.5)),
            (Kind::Integer, Stored::Real(1e300)),
            (Kind::Integer, Stored::Text("n/a")),
            (Kind::Number, Stored::Real(f64::INFINITY)),
            (Kind::Number, Stored::Text("n/a")),
            (Kind::Text, Stored::Blob(&[0xff])),
            (Kind::Text, Stored::Broken),
            (Kind::Boolean, Stored::Integer(2)),
            (Kind::Date, Stored::Text("yesterday")),
            (Kind::Timestamp, Stored::Text("")),
            (Kind::Timestamp, Stored::Integer(i64::MAX)),
        ];
        for (kind, value) in unfit {
            assert_eq!(written(kind, value), None, "{kind:?} {value:?}");
        }
    }
}
