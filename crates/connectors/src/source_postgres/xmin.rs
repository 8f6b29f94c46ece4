//! Reading by `xmin`, the number of the transaction that wrote a row: what was written by
//! transactions that the last read could not see. For tables without a cursor; every row of the
//! table is looked at, and deletions are not seen.

use airbyte_protocol::{ConfiguredStream, LogLevel};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::PgConnection;

use super::stream::StreamReader;
use super::tables::Table;
use crate::failure::Failure;
use crate::output::Output;
use crate::source::{Emission, KeyedTable as _, Progress, TableReader as _, as_text, pages};

/// Transactions after which their numbers are used again, halved: further apart they cannot be
/// compared.
const HORIZON: u64 = 1 << 31;

/// The state of a stream read by `xmin`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Seen {
    /// Every transaction before this one was over when the last whole read began.
    #[serde(default, with = "number", skip_serializing_if = "Option::is_none")]
    xmin: Option<u64>,
    /// A read that was interrupted: the same for when it began, and how far it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unfinished: Option<Unfinished>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Unfinished {
    #[serde(with = "as_text")]
    xmin: u64,
    progress: Progress,
}

/// An optional number as text.
mod number {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        value: &Option<u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u64>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        Ok(text.and_then(|text| text.parse().ok()))
    }
}

/// Reads what is new since the state.
pub(super) async fn read(
    connection: &mut PgConnection,
    table: &Table,
    configured: &ConfiguredStream,
    saved: Option<&RawValue>,
    output: &mut Output,
) -> Result<(), Failure> {
    if !table.has_xmin() {
        let name = table.descriptor();
        return Err(Failure::config(format!(
            "{name} is not stored on this server: its rows have no xmin"
        )));
    }
    let (oldest, next): (String, String) = sqlx::query_as(
        "SELECT pg_snapshot_xmin(s)::text, pg_snapshot_xmax(s)::text FROM pg_current_snapshot() AS s",
    )
    .fetch_one(&mut *connection)
    .await?;
    let parsed = |text: String| {
        text.parse::<u64>()
            .map_err(|e| Failure::system("the server's snapshot cannot be read").because(e))
    };
    let (oldest, next) = (parsed(oldest)?, parsed(next)?);
    let seen = saved.and_then(|state| serde_json::from_str::<Seen>(state.get()).ok());
    let mut seen = seen.unwrap_or(Seen {
        xmin: None,
        unfinished: None,
    });
    let since = seen
        .xmin
        .filter(|since| next.saturating_sub(*since) < HORIZON && *since <= next);
    if seen.xmin.is_some() && since.is_none() {
        let text = format!(
            "the state of {} is too old for xmin: all rows are read",
            table.name
        );
        output.log(LogLevel::Warn, text)?;
        seen.unfinished = None;
    }
    let condition = match since {
        None => "true".to_owned(),
        // Ages are compared, not numbers, since those wrap around.
        Some(since) => format!("age(xmin) <= age('{}'::xid)", since & 0xffff_ffff),
    };
    let mut reader = StreamReader::new(table, configured, output);
    if table.key.is_empty() {
        let rest = format!("{} WHERE {condition}", table.from());
        reader
            .pass(connection, &[], &rest, Emission::Rows, |_, _| Ok(()))
            .await?;
    } else {
        let resumed = seen.unfinished.take();
        let resumed = resumed.filter(|u| u.progress.key == table.key && u.xmin <= oldest);
        let mut unfinished = resumed.unwrap_or_else(|| Unfinished {
            xmin: oldest,
            progress: Progress::new(table),
        });
        let began = unfinished.xmin;
        let state = |progress: &Progress| Seen {
            xmin: since,
            unfinished: Some(Unfinished {
                xmin: began,
                progress: progress.clone(),
            }),
        };
        pages(
            connection,
            table,
            &mut reader,
            &condition,
            &mut unfinished.progress,
            state,
        )
        .await?;
        return reader.records.state(&Seen {
            xmin: Some(began),
            unfinished: None,
        });
    }
    reader.records.state(&Seen {
        xmin: Some(oldest),
        unfinished: None,
    })
}
