//! A column: what is selected to read it, and how its values are compared.

use serde_json::Value;

use super::sql::{literal, quoted};
use super::types::{Comparison, Kind};
use crate::source::{CursorColumn, Digits};

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) comparison: Comparison,
    pub(super) nullable: bool,
    /// Its type as the server names it, without a length.
    pub(super) sql_type: String,
    /// As it was declared: `enum('a','B')`.
    pub(super) full_type: String,
    /// The character set of its texts.
    pub(super) charset: Option<String>,
    pub(super) orders: bool,
    /// What is selected instead of a column of that name.
    pub(super) expression: Option<String>,
}

impl Column {
    /// Its JSON schema.
    pub(super) fn schema(&self) -> Value {
        let mut schema = self.kind.schema(self.nullable);
        if let Some(digits) = self.digits() {
            digits.add_to(&mut schema);
        }
        schema
    }

    /// Those of `decimal(12,2) unsigned`.
    fn digits(&self) -> Option<Digits> {
        if self.sql_type != "decimal" {
            return None;
        }
        let (_, declared) = self.full_type.split_once('(')?;
        let (declared, _) = declared.split_once(')')?;
        let (precision, scale) = declared.split_once(',')?;
        Digits::new(precision.trim().parse().ok()?, scale.trim().parse().ok()?)
    }

    /// What is selected to read it.
    pub(super) fn selected(&self) -> String {
        if let Some(expression) = &self.expression {
            return expression.clone();
        }
        match self.kind {
            Kind::Float => self.as_double(),
            _ => quoted(&self.name),
        }
    }

    fn as_double(&self) -> String {
        format!("({} + 0e0)", quoted(&self.name))
    }
}

impl CursorColumn for Column {
    fn name(&self) -> &str {
        &self.name
    }

    fn by(&self) -> String {
        match self.comparison {
            Comparison::Position => format!("({} + 0)", quoted(&self.name)),
            _ => quoted(&self.name),
        }
    }

    fn cell(&self) -> String {
        match self.comparison {
            Comparison::Double => self.as_double(),
            Comparison::Bytes => format!("HEX({})", quoted(&self.name)),
            _ => self.by(),
        }
    }

    fn sql_type(&self) -> &str {
        &self.sql_type
    }

    fn nullable(&self) -> bool {
        self.nullable
    }

    fn literal(&self, value: &str) -> String {
        let is_number = !value.is_empty()
            && value
                .bytes()
                .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
        match self.comparison {
            Comparison::Number | Comparison::Position if is_number => value.to_owned(),
            // Without an exponent it would be a decimal, which is compared otherwise.
            Comparison::Double if is_number && value.contains(['e', 'E']) => value.to_owned(),
            Comparison::Double if is_number => format!("{value}e0"),
            Comparison::Bytes if value.bytes().all(|b| b.is_ascii_hexdigit()) => {
                format!("X'{value}'")
            }
            _ => literal(value),
        }
    }

    fn only_server_compares(&self) -> bool {
        self.comparison == Comparison::Collated
    }
}
