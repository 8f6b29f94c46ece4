//! What rows of a table in the log consist of. The log has no names: they are remembered with the
//! state, since the table may have other columns by the time that its rows are read.

use mysql_async::binlog::events::TableMapEvent;
use mysql_async::consts::ColumnType;
use serde::{Deserialize, Serialize};

use crate::source_mysql::tables::Table;
use crate::source_mysql::types::{Declared, Kind};

/// The columns of a table in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layout(pub(super) Vec<LoggedColumn>);

/// A column, by its declaration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LoggedColumn {
    pub(super) name: String,
    /// `enum('a','B')`, as it was declared.
    declared: String,
    charset: Option<String>,
}

impl Layout {
    pub(super) fn of(table: &Table) -> Self {
        let column = |column: &crate::source_mysql::columns::Column| LoggedColumn {
            name: column.name.clone(),
            declared: column.full_type.clone(),
            charset: column.charset.clone(),
        };
        Self(table.columns.iter().map(column).collect())
    }

    /// Whether rows that the log describes so can be of this layout.
    pub(super) fn fits(&self, map: &TableMapEvent<'_>) -> bool {
        let count = u64::try_from(self.0.len()).unwrap_or_default();
        count == map.columns_count()
            && self.0.iter().enumerate().all(|(at, column)| {
                let logged = map.get_column_type(at).ok().flatten();
                logged.is_some_and(|logged| column.is_logged_as(logged))
            })
    }
}

impl LoggedColumn {
    /// `enum`.
    pub(super) fn name_of_type(&self) -> &str {
        let end = self.declared.find(|c: char| !c.is_ascii_alphanumeric());
        &self.declared[..end.unwrap_or(self.declared.len())]
    }

    pub(super) fn kind(&self, tiny_is_boolean: bool) -> Kind {
        let full = self.declared.to_ascii_lowercase();
        let declared = Declared {
            name: self.name_of_type(),
            full: &full,
        };
        declared.kind(tiny_is_boolean)
    }

    fn is_logged_as(&self, logged: ColumnType) -> bool {
        use ColumnType::*;
        let possible: &[ColumnType] = match self.name_of_type() {
            "tinyint" => &[MYSQL_TYPE_TINY],
            "smallint" => &[MYSQL_TYPE_SHORT],
            "mediumint" => &[MYSQL_TYPE_INT24],
            "int" => &[MYSQL_TYPE_LONG],
            "bigint" => &[MYSQL_TYPE_LONGLONG],
            "decimal" => &[MYSQL_TYPE_NEWDECIMAL],
            "float" => &[MYSQL_TYPE_FLOAT],
            "double" => &[MYSQL_TYPE_DOUBLE],
            "bit" => &[MYSQL_TYPE_BIT],
            "date" => &[MYSQL_TYPE_DATE, MYSQL_TYPE_NEWDATE],
            "time" => &[MYSQL_TYPE_TIME, MYSQL_TYPE_TIME2],
            "datetime" => &[MYSQL_TYPE_DATETIME, MYSQL_TYPE_DATETIME2],
            "timestamp" => &[MYSQL_TYPE_TIMESTAMP, MYSQL_TYPE_TIMESTAMP2],
            "year" => &[MYSQL_TYPE_YEAR],
            "enum" => &[MYSQL_TYPE_ENUM],
            "set" => &[MYSQL_TYPE_SET],
            "json" => &[MYSQL_TYPE_JSON],
            "varchar" | "varbinary" => &[MYSQL_TYPE_VARCHAR, MYSQL_TYPE_VAR_STRING],
            "char" | "binary" => &[MYSQL_TYPE_STRING],
            "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
            | "multipolygon" | "geometry" | "geomcollection" | "geometrycollection" => {
                &[MYSQL_TYPE_GEOMETRY]
            }
            "vector" => &[MYSQL_TYPE_VECTOR],
            name if name.ends_with("blob") || name.ends_with("text") => &[
                MYSQL_TYPE_BLOB,
                MYSQL_TYPE_TINY_BLOB,
                MYSQL_TYPE_MEDIUM_BLOB,
                MYSQL_TYPE_LONG_BLOB,
            ],
            _ => return true,
        };
        possible.contains(&logged)
    }

    /// Whether the log has its values in a form that is known here.
    pub(super) fn is_readable(&self) -> bool {
        !matches!(self.name_of_type(), "uuid" | "inet4" | "inet6")
    }

    /// A number of the log, which does not say whether it has a sign.
    pub(super) fn signed(&self, number: i64) -> i128 {
        let bits = match self.name_of_type() {
            "tinyint" => 8,
            "smallint" => 16,
            "mediumint" => 24,
            "int" => 32,
            _ => 64,
        };
        // The driver takes the least number of three bytes for the greatest.
        let number = i128::from(number) & ((1 << bits) - 1);
        match number >> (bits - 1) == 1 && !self.declared.contains("unsigned") {
            true => number - (1 << bits),
            false => number,
        }
    }

    /// The number in parentheses.
    fn parenthesised(&self) -> Option<usize> {
        let (_, rest) = self.declared.split_once('(')?;
        rest.split(')').next()?.parse().ok()
    }

    /// Digits of a second that the column keeps.
    pub(super) fn fraction(&self) -> usize {
        self.parenthesised().unwrap_or(0)
    }

    /// Bytes of a `binary`.
    pub(super) fn length(&self) -> usize {
        self.parenthesised().unwrap_or(1)
    }

    /// The members of an `enum` or `set`.
    pub(super) fn members(&self) -> Vec<String> {
        let list = self.declared.split_once('(');
        let list = list.and_then(|(_, rest)| rest.strip_suffix(')'));
        let mut members = Vec::new();
        let mut rest = list.unwrap_or_default();
        while let Some(text) = rest.strip_prefix('\'') {
            let mut member = String::new();
            let mut characters = text.char_indices().peekable();
            let mut end = text.len();
            while let Some((at, character)) = characters.next() {
                if character != '\'' {
                    member.push(character);
                } else if characters.next_if(|(_, next)| *next == '\'').is_some() {
                    member.push('\'');
                } else {
                    end = at + 1;
                    break;
                }
            }
            members.push(member);
            rest = text[end..].strip_prefix(',').unwrap_or_default();
        }
        members
    }

    /// The character set of its texts, where it is not UTF-8 or part of it.
    pub(super) fn foreign_charset(&self) -> Option<&str> {
        let charset = self.charset.as_deref()?;
        let is_utf8 = charset.starts_with("utf8") || matches!(charset, "ascii" | "binary");
        (!is_utf8).then_some(charset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_parsed() {
        let column = |declared: &str| LoggedColumn {
            name: "c".to_owned(),
            declared: declared.to_owned(),
            charset: None,
        };
        let members = column("enum('a','it''s','B,c','')").members();
        assert_eq!(members, ["a", "it's", "B,c", ""]);
        assert_eq!(column("datetime(3)").fraction(), 3);
        assert_eq!(column("datetime").fraction(), 0);
        assert_eq!(column("tinyint(3) unsigned").signed(-1), 255);
        assert_eq!(column("bigint unsigned").signed(-1), i128::from(u64::MAX));
        assert_eq!(column("bigint").signed(-1), -1);
        assert_eq!(column("mediumint").signed(8_388_608), -8_388_608);
        assert_eq!(column("int(10) unsigned").name_of_type(), "int");
    }
}
