//! The columns that say what happened to a row, as Airbyte's connector of this name has them.

use super::Position;
use crate::source_mysql::columns::Column;
use crate::source_mysql::sql::literal;
use crate::source_mysql::types::{Comparison, Kind};

pub(in crate::source_mysql) const CURSOR: &str = "_ab_cdc_cursor";
pub(super) const LOG_FILE: &str = "_ab_cdc_log_file";
pub(super) const LOG_POS: &str = "_ab_cdc_log_pos";
pub(super) const UPDATED_AT: &str = "_ab_cdc_updated_at";
pub(super) const DELETED_AT: &str = "_ab_cdc_deleted_at";

/// The columns, with what is selected for them in a snapshot.
pub(in crate::source_mysql) fn columns(position: &Position) -> [Column; 5] {
    let column = |name: &str, kind: Kind, expression: String| Column {
        name: name.to_owned(),
        kind,
        comparison: Comparison::Literal,
        nullable: true,
        sql_type: String::new(),
        full_type: String::new(),
        charset: None,
        orders: false,
        expression: Some(expression),
    };
    [
        column(CURSOR, Kind::Integer, position.cursor().to_string()),
        column(LOG_FILE, Kind::Text, literal(&position.log_file)),
        column(LOG_POS, Kind::Integer, position.log_pos.to_string()),
        column(UPDATED_AT, Kind::Timestamp, "UTC_TIMESTAMP(6)".to_owned()),
        column(DELETED_AT, Kind::Timestamp, "NULL".to_owned()),
    ]
}

impl Position {
    /// Before any log: what a catalog is made with.
    pub(in crate::source_mysql) fn none() -> Self {
        Self {
            log_file: String::new(),
            log_pos: 0,
        }
    }
}
