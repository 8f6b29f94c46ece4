//! Change data capture by the binary log. A table is first read as a snapshot; then the changes
//! since the state's place in the log are read, up to where the log ended when that began.

mod changes;
mod columns;
mod layout;
mod log;
mod position;
mod statements;
mod values;

use airbyte_protocol::{ConfiguredStream, LogLevel, StreamDescriptor, StreamState, StreamStatus};
use serde::{Deserialize, Serialize};
use sqlx::MySqlConnection;

use super::connect::connect;
use super::read::find;
use super::settings::{Cdc, SourceSettings};
use super::sql::execute;
use super::stream::StreamReader;
use super::tables::Table;
use crate::failure::Failure;
use crate::output::Output;
use crate::source::{Emission, GlobalStates, Outcomes, Progress, States, TableReader as _, pages};
use layout::Layout;

pub(super) use columns::{CURSOR, columns};
pub(super) use position::{Position, end_of_log};

/// A stream's own part of the state.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Part {
    /// Whether the snapshot was read to its end.
    snapshot_complete: bool,
    /// How far it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    /// What rows in the log consist of at the state's place.
    layout: Layout,
}

/// A stream that is read by its changes.
struct Captured {
    stream: StreamDescriptor,
    configured: ConfiguredStream,
    table: Table,
    /// What rows consist of at the place from which changes are read.
    before: Layout,
    /// What they consist of now.
    after: Layout,
    /// Whether the snapshot was taken in this read: it includes all older changes of the log.
    fresh: bool,
}

/// Reads the streams.
pub(super) async fn read(
    settings: &SourceSettings,
    cdc: Cdc,
    configured: &[&ConfiguredStream],
    states: &States,
    outcomes: &mut Outcomes,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut connection = connect(settings).await?;
    let now = end_of_log(&mut connection).await?;
    let saved = shared(states);
    let start = match saved {
        Some(place) if !position::is_kept(&mut connection, &place).await? => {
            let text = format!(
                "the server's log no longer has what comes after {}:{}: changes are lost",
                place.log_file, place.log_pos
            );
            if !cdc.resyncs {
                return Err(Failure::config(format!(
                    "\"replication_method\": {text}; clear the streams to read them again"
                )));
            }
            output.log(LogLevel::Warn, format!("{text}; all rows are read"))?;
            None
        }
        other => other,
    };
    let parts = match (&start, &states.global) {
        (Some(_), Some(global)) => global.stream_states.clone(),
        _ => Vec::new(),
    };
    let place = start.unwrap_or(now);
    let mut captured = Vec::new();
    for configured in configured {
        let stream = configured.stream.descriptor();
        output.status(&stream, StreamStatus::Started)?;
        let part = parts.iter().find(|part| part.stream_descriptor == stream);
        let part = part.and_then(|part| part.stream_state.as_ref());
        let part = part.and_then(|state| serde_json::from_str::<Part>(state.get()).ok());
        match captured_table(&mut connection, settings, &stream).await {
            Ok(table) => captured.push((
                Captured {
                    stream,
                    configured: (*configured).clone(),
                    before: part
                        .as_ref()
                        .map_or_else(|| Layout::of(&table), |part| part.layout.clone()),
                    after: Layout::of(&table),
                    fresh: part.as_ref().is_none_or(|part| !part.snapshot_complete),
                    table,
                },
                part,
            )),
            Err(failure) => outcomes.add(&stream, Err(failure), output)?,
        }
    }
    // A stream that is not read now misses changes: if it returns, it starts again.
    let kept = |part: &StreamState| {
        captured
            .iter()
            .any(|(c, _)| c.stream == part.stream_descriptor)
    };
    let parts: Vec<StreamState> = parts.into_iter().filter(kept).collect();
    let mut global = GlobalStates::new(&place, parts)?;
    let mut streams = Vec::new();
    for (stream, part) in captured {
        snapshot(&mut connection, &stream, part, &place, &mut global, output).await?;
        streams.push(stream);
    }
    let until = end_of_log(&mut connection).await?;
    // Read after the end was determined: later changes of a table are not read.
    for stream in &mut streams {
        let table = captured_table(&mut connection, settings, &stream.stream).await?;
        stream.after = Layout::of(&table);
    }
    let encrypted = log::is_encrypted(&mut connection).await?;
    let stream = log::open(settings, encrypted, &place).await?;
    let mut capture = changes::Capture::new(settings, &streams, connection, output);
    capture.read(stream, &place, &until, &mut global).await?;
    for stream in &streams {
        outcomes.add(&stream.stream, Ok(()), output)?;
    }
    Ok(())
}

fn shared(states: &States) -> Option<Position> {
    let shared = states.global.as_ref()?.shared_state.as_ref()?;
    serde_json::from_str(shared.get()).ok()
}

async fn captured_table(
    connection: &mut MySqlConnection,
    settings: &SourceSettings,
    stream: &StreamDescriptor,
) -> Result<Table, Failure> {
    let table = find(connection, settings, stream).await?;
    if table.key.is_empty() {
        return Err(Failure::config(format!(
            "table {stream} has no primary key to identify its rows"
        )));
    }
    Ok(table)
}

/// Reads the rows that are there, unless an earlier read did so. Their place in the log is the one
/// from which changes are read afterwards, so that any change is newer.
async fn snapshot(
    connection: &mut MySqlConnection,
    captured: &Captured,
    part: Option<Part>,
    place: &Position,
    global: &mut GlobalStates,
    output: &mut Output,
) -> Result<(), Failure> {
    if part.as_ref().is_some_and(|part| part.snapshot_complete) {
        return Ok(());
    }
    let mut table = captured.table.clone();
    table.columns.extend(columns(place));
    execute(
        connection,
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    )
    .await?;
    let resumed = part.and_then(|part| part.progress);
    let mut progress = resumed
        .filter(|progress| progress.key == table.key)
        .unwrap_or_else(|| Progress::new(&table));
    let mut reader = StreamReader::new(&table, &captured.configured, output).within(global);
    let layout = &captured.before;
    if table.is_resumable() {
        let state = |progress: &Progress| Part {
            snapshot_complete: false,
            progress: Some(progress.clone()),
            layout: layout.clone(),
        };
        pages(
            connection,
            &table,
            &mut reader,
            "TRUE",
            &mut progress,
            state,
        )
        .await?;
    } else {
        let whole = table.whole();
        reader
            .pass(connection, &[], &whole, Emission::Rows, |_, _| Ok(()))
            .await?;
    }
    reader.state(&Part {
        snapshot_complete: true,
        progress: None,
        layout: layout.clone(),
    })?;
    execute(connection, "COMMIT").await
}
