//! Places in the binary log.

use serde::{Deserialize, Serialize};
use sqlx::MySqlConnection;

use crate::failure::Failure;
use crate::source_mysql::sql::texts;

/// A place in the binary log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::source_mysql) struct Position {
    pub(super) log_file: String,
    pub(super) log_pos: u64,
}

impl Position {
    /// The log's number: files are `name.000001` and so on.
    fn number(&self) -> u64 {
        let number = self.log_file.rsplit('.').next();
        number.and_then(|n| n.parse().ok()).unwrap_or_default()
    }

    /// Whether it is at or behind the other.
    pub(super) fn reaches(&self, other: &Self) -> bool {
        (self.number(), self.log_pos) >= (other.number(), other.log_pos)
    }

    /// One number that grows along the log.
    pub(super) fn cursor(&self) -> u64 {
        (self.number() << 32) | (self.log_pos & 0xffff_ffff)
    }
}

/// Where the log ends now.
///
/// # Errors
/// When there is no log, or not one that has whole rows, or the user may not read it.
pub(in crate::source_mysql) async fn end_of_log(
    connection: &mut MySqlConnection,
) -> Result<Position, Failure> {
    let variables = texts(
        connection,
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
         ('log_bin', 'binlog_format', 'binlog_row_image', 'binlog_transaction_compression', 'log_bin_compress', 'binlog_row_value_options')"
            .to_owned(),
    )
    .await?;
    for variable in variables {
        let [Some(name), value] = variable.as_slice() else {
            continue;
        };
        let value = value.as_deref().unwrap_or_default().to_ascii_uppercase();
        let wanted = match name.to_ascii_lowercase().as_str() {
            "log_bin" => "ON",
            "binlog_format" => "ROW",
            "binlog_row_image" => "FULL",
            "binlog_transaction_compression" | "log_bin_compress" => "OFF",
            _ => "",
        };
        if value != wanted {
            return Err(Failure::config(format!(
                "\"replication_method.method\": CDC needs a server with {name} = {wanted:?}, not {value:?}"
            )));
        }
    }
    // The newer servers know only the second.
    let status = match texts(connection, "SHOW MASTER STATUS".to_owned()).await {
        Err(sqlx::Error::Database(error)) if error.message().contains("syntax") => {
            texts(connection, "SHOW BINARY LOG STATUS".to_owned()).await
        }
        other => other,
    };
    let status = status.map_err(lacking)?;
    let Some([Some(file), Some(position), ..]) = status.first().map(Vec::as_slice) else {
        return Err(Failure::config(
            "\"replication_method.method\": CDC needs a server that keeps a binary log",
        ));
    };
    Ok(Position {
        log_file: file.clone(),
        log_pos: position.parse().unwrap_or_default(),
    })
}

/// Whether the log still has what comes after a place.
pub(super) async fn is_kept(
    connection: &mut MySqlConnection,
    position: &Position,
) -> Result<bool, Failure> {
    let logs = texts(connection, "SHOW BINARY LOGS".to_owned()).await;
    let logs = logs.map_err(lacking)?;
    Ok(logs.iter().any(|row| {
        let size = row.get(1).cloned().flatten();
        let size = size.and_then(|size| size.parse::<u64>().ok());
        row.first().cloned().flatten().as_ref() == Some(&position.log_file)
            && size.is_none_or(|size| size >= position.log_pos)
    }))
}

fn lacking(error: sqlx::Error) -> Failure {
    match &error {
        sqlx::Error::Database(database) if database.message().contains("denied") => {
            Failure::config(format!(
                "\"username\": CDC needs the rights REPLICATION SLAVE and REPLICATION CLIENT: {}",
                database.message()
            ))
        }
        _ => error.into(),
    }
}
