//! Change data capture by logical replication. A table is first read as a snapshot; then the
//! changes since the slot's position are read, up to where the log ended when that began. The slot
//! itself moves on only at the next read, for the state that the platform has stored by then.

mod changes;
mod columns;
mod lsn;
mod messages;
mod slot;

use airbyte_protocol::{ConfiguredStream, LogLevel, StreamDescriptor, StreamState, StreamStatus};
use serde::{Deserialize, Serialize};
use sqlx::{Executor as _, PgConnection};

use super::read::find;
use super::settings::{Cdc, SourceSettings};
use super::stream::StreamReader;
use super::tables::Table;
use crate::failure::Failure;
use crate::output::Output;
use crate::source::{GlobalStates, Outcomes, Progress, States, pages};

pub(super) use columns::columns;
pub(super) use lsn::Lsn;
pub(super) use slot::{inspect, published};

/// What all streams share.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Shared {
    /// Every change before it was read.
    lsn: Lsn,
}

/// A stream's own part of the state.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Part {
    /// Whether the snapshot was read to its end.
    snapshot_complete: bool,
    /// How far it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
}

/// A stream that is read by its changes.
pub(super) struct Captured {
    stream: StreamDescriptor,
    configured: ConfiguredStream,
    table: Table,
}

/// Reads the streams.
pub(super) async fn read(
    settings: &SourceSettings,
    cdc: &Cdc,
    configured: &[&ConfiguredStream],
    states: &States,
    outcomes: &mut Outcomes,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut connection = settings.connect().await?;
    let confirmed = inspect(&mut connection, cdc).await?;
    let saved = shared(states);
    let start = match saved {
        Some(lsn) if lsn < confirmed => {
            let text = format!(
                "slot {} was moved on to {confirmed}, behind the state's {lsn}: changes between them are lost",
                cdc.slot
            );
            if !cdc.resyncs {
                return Err(Failure::config(format!(
                    "\"replication_method.replication_slot\": {text}; clear the streams to read them again"
                )));
            }
            output.log(LogLevel::Warn, format!("{text}; all rows are read"))?;
            None
        }
        other => other,
    };
    if let Some(stored) = start
        && stored > confirmed
    {
        let mut session = settings.connect_writing().await?;
        slot::advance(&mut session, cdc, stored).await?;
    }
    let published = published(&mut connection, cdc).await?;
    let mut captured = Vec::new();
    for configured in configured {
        let stream = configured.stream.descriptor();
        output.status(&stream, StreamStatus::Started)?;
        match captured_table(&mut connection, &stream, cdc, &published).await {
            Ok(table) => captured.push(Captured {
                stream,
                configured: (*configured).clone(),
                table,
            }),
            Err(failure) => outcomes.add(&stream, Err(failure), output)?,
        }
    }
    let parts = match (&start, &states.global) {
        (Some(_), Some(global)) => global.stream_states.clone(),
        _ => Vec::new(),
    };
    // A stream that is not read now misses changes: if it returns, it starts again.
    let parts: Vec<StreamState> = parts
        .into_iter()
        .filter(|part| captured.iter().any(|c| c.stream == part.stream_descriptor))
        .collect();
    let position = start.unwrap_or(confirmed);
    let mut global = GlobalStates::new(&Shared { lsn: position }, parts.clone())?;
    for stream in &captured {
        let part = parts
            .iter()
            .find(|part| part.stream_descriptor == stream.stream);
        let part = part.and_then(|part| part.stream_state.as_ref());
        let part = part.and_then(|state| serde_json::from_str::<Part>(state.get()).ok());
        snapshot(&mut connection, stream, part, position, &mut global, output).await?;
    }
    let until = slot::end_of_log(&mut connection).await?;
    changes::read(
        settings,
        cdc,
        &captured,
        (position, until),
        &mut global,
        output,
    )
    .await?;
    for stream in &captured {
        outcomes.add(&stream.stream, Ok(()), output)?;
    }
    Ok(())
}

fn shared(states: &States) -> Option<Lsn> {
    let shared = states.global.as_ref()?.shared_state.as_ref()?;
    let shared: Shared = serde_json::from_str(shared.get()).ok()?;
    Some(shared.lsn)
}

async fn captured_table(
    connection: &mut PgConnection,
    stream: &StreamDescriptor,
    cdc: &Cdc,
    published: &[(i64, i64)],
) -> Result<Table, Failure> {
    let table = find(connection, stream).await?;
    let oid = i64::from(table.oid);
    if !published
        .iter()
        .any(|(table, root)| *table == oid || *root == oid)
    {
        return Err(Failure::config(format!(
            "publication {} does not have table {stream}",
            cdc.publication
        )));
    }
    if table.key.is_empty() {
        return Err(Failure::config(format!(
            "table {stream} has no primary key to identify its rows"
        )));
    }
    Ok(table)
}

/// Reads the rows that are there, unless an earlier read did so. Their position in the log is the
/// one from which changes are read afterwards, so that any change is newer.
async fn snapshot(
    connection: &mut PgConnection,
    captured: &Captured,
    part: Option<Part>,
    position: Lsn,
    global: &mut GlobalStates,
    output: &mut Output,
) -> Result<(), Failure> {
    if part.as_ref().is_some_and(|part| part.snapshot_complete) {
        return Ok(());
    }
    connection
        .execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let mut table = captured.table.clone();
    table.columns.extend(columns(position));
    let resumed = part.and_then(|part| part.progress);
    let mut progress = resumed
        .filter(|p| p.key == table.key)
        .unwrap_or_else(|| Progress::new(&table));
    let mut reader = StreamReader::new(&table, &captured.configured, output).within(global);
    let state = |progress: &Progress| Part {
        snapshot_complete: false,
        progress: Some(progress.clone()),
    };
    pages(
        connection,
        &table,
        &mut reader,
        "true",
        &mut progress,
        state,
    )
    .await?;
    reader.records.state(&Part {
        snapshot_complete: true,
        progress: None,
    })?;
    connection.execute("COMMIT").await?;
    Ok(())
}
