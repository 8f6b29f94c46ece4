//! The columns that say what happened to a row: `_ab_cdc_lsn`, `_ab_cdc_updated_at`,
//! `_ab_cdc_deleted_at`.

use chrono::{DateTime, SecondsFormat};

use super::lsn::Lsn;
use crate::source_postgres::tables::Column;
use crate::source_postgres::types::Kind;

pub(super) const LSN: &str = "_ab_cdc_lsn";
pub(super) const UPDATED_AT: &str = "_ab_cdc_updated_at";
pub(super) const DELETED_AT: &str = "_ab_cdc_deleted_at";

/// The columns, with what is selected for them in a snapshot.
pub(in crate::source_postgres) fn columns(lsn: Lsn) -> [Column; 3] {
    let column = |name: &str, kind: Kind, expression: String| Column {
        name: name.to_owned(),
        number: 0,
        kind,
        digits: None,
        nullable: true,
        sql_type: String::new(),
        orders: false,
        money: false,
        expression: Some(expression),
    };
    [
        column(LSN, Kind::Integer, format!("{}", lsn.0)),
        column(UPDATED_AT, Kind::TimestampWithZone, "now()".to_owned()),
        column(DELETED_AT, Kind::TimestampWithZone, "NULL".to_owned()),
    ]
}

/// A moment of the log as JSON text: it counts microseconds since the year 2000.
pub(super) fn moment(at: i64) -> String {
    const SECONDS_TO_2000: i64 = 946_684_800;
    let at = at.saturating_add(SECONDS_TO_2000 * 1_000_000);
    let moment = DateTime::from_timestamp_micros(at).unwrap_or_default();
    moment.to_rfc3339_opts(SecondsFormat::Micros, true)
}
