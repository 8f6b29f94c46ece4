//! Selects streams from a request: turns a short list into a complete catalog, or into faults that
//! name stream and field.

use airbyte_protocol::{DestinationSyncMode, StreamDescriptor, SyncMode};
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, Faults};
use crate::model::{StreamConfig, StreamDef, SyncCatalog};
use crate::modes::{self, Modes};
use crate::validate::{validate, validate_unused};

/// A requested stream: only its name, or with settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct StreamRequest {
    /// The stream's name.
    pub name: String,
    /// Its namespace; optional if the name is unique.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The read mode; default: AAM's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_mode: Option<SyncMode>,
    /// The write mode; default: AAM's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_sync_mode: Option<DestinationSyncMode>,
    /// The cursor; default: the source's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor_field: Option<Vec<String>>,
    /// The key; default: the source's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_key: Option<Vec<Vec<String>>>,
    /// The columns to sync; default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selected_fields: Option<Vec<Vec<String>>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Name(String),
    Whole(Whole),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    name: String,
    namespace: Option<String>,
    sync_mode: Option<SyncMode>,
    destination_sync_mode: Option<DestinationSyncMode>,
    cursor_field: Option<Path>,
    primary_key: Option<Vec<Path>>,
    selected_fields: Option<Vec<Path>>,
}

/// A path, or the name of a top-level column.
#[derive(Deserialize)]
#[serde(untagged)]
enum Path {
    Name(String),
    Parts(Vec<String>),
}

impl From<Path> for Vec<String> {
    fn from(path: Path) -> Self {
        match path {
            Path::Name(name) => vec![name],
            Path::Parts(parts) => parts,
        }
    }
}

impl From<Written> for StreamRequest {
    fn from(written: Written) -> Self {
        let paths = |paths: Vec<Path>| paths.into_iter().map(Vec::from).collect();
        match written {
            Written::Name(name) => Self {
                name,
                ..Self::default()
            },
            Written::Whole(whole) => Self {
                name: whole.name,
                namespace: whole.namespace,
                sync_mode: whole.sync_mode,
                destination_sync_mode: whole.destination_sync_mode,
                cursor_field: whole.cursor_field.map(Vec::from),
                primary_key: whole.primary_key.map(paths),
                selected_fields: whole.selected_fields.map(paths),
            },
        }
    }
}

/// The discovered catalog with the requested streams selected and configured; `None` requests all.
/// `destination` lists the destination's modes; empty means unknown.
///
/// # Errors
/// Returns every fault, with a path that starts with `streams[i]`: an unknown or ambiguous stream,
/// a duplicate, modes that source or destination do not support, a missing or unknown cursor, key
/// or column.
pub fn select(
    discovered: &SyncCatalog,
    requests: Option<&[StreamRequest]>,
    destination: &[DestinationSyncMode],
) -> Result<SyncCatalog, Faults> {
    let mut catalog = discovered.clone();
    for entry in &mut catalog.streams {
        modes::choose_modes(&entry.stream, destination).write_to(&mut entry.config);
        entry.config.selected = requests.is_none();
        entry.config.selected_fields = None;
    }
    let mut faults = Vec::new();
    for (index, request) in requests.unwrap_or_default().iter().enumerate() {
        let path = format!("streams[{index}]");
        let position = match find(discovered, &request.name, request.namespace.as_deref()) {
            Ok(position) => position,
            Err(message) => {
                let asked = StreamDescriptor {
                    name: request.name.clone(),
                    namespace: request.namespace.clone(),
                };
                faults.push(Fault::of(format!("{path}.name"), asked, message));
                continue;
            }
        };
        let entry = &mut catalog.streams[position];
        if entry.config.selected {
            let descriptor = entry.descriptor();
            let message = format!("stream {descriptor} is listed twice");
            faults.push(Fault::of(format!("{path}.name"), descriptor, message));
            continue;
        }
        entry.config.selected = true;
        configure(&entry.stream, &mut entry.config, request, destination);
        validate(
            &path,
            &entry.stream,
            &entry.config,
            destination,
            &mut faults,
        );
        let (cursor, key) = (
            request.cursor_field.as_deref(),
            request.primary_key.as_deref(),
        );
        validate_unused(
            &path,
            &entry.stream,
            &entry.config,
            (cursor, key),
            &mut faults,
        );
    }
    Faults::unless_any(faults, catalog)
}

/// The position of the stream: by name and namespace, or by a unique name.
pub(crate) fn find(
    discovered: &SyncCatalog,
    name: &str,
    namespace: Option<&str>,
) -> Result<usize, String> {
    let exact =
        |s: &crate::SyncStream| s.stream.name == name && s.stream.namespace.as_deref() == namespace;
    if let Some(position) = discovered.streams.iter().position(exact) {
        return Ok(position);
    }
    let shown = namespace.map_or_else(
        || name.to_owned(),
        |namespace| format!("{namespace}.{name}"),
    );
    let mut same = discovered
        .streams
        .iter()
        .enumerate()
        .filter(|(_, s)| s.stream.name == name);
    match (same.next(), same.next(), namespace) {
        (Some((position, _)), None, None) => Ok(position),
        (Some(_), Some(_), None) => Err(format!(
            "stream {shown} exists in several namespaces: name one"
        )),
        _ => Err(format!("the source has no stream {shown}")),
    }
}

fn configure(
    stream: &StreamDef,
    config: &mut StreamConfig,
    request: &StreamRequest,
    destination: &[DestinationSyncMode],
) {
    let mut as_asked = stream.clone();
    if let Some(cursor) = &request.cursor_field {
        as_asked.default_cursor_field.clone_from(cursor);
    }
    if let Some(key) = &request.primary_key {
        as_asked.source_defined_primary_key.clone_from(key);
    }
    choose(
        &as_asked,
        request.sync_mode,
        request.destination_sync_mode,
        destination,
    )
    .write_to(config);
    config.selected_fields.clone_from(&request.selected_fields);
}

/// Applies AAM's default modes where the request has none.
pub(crate) fn choose(
    stream: &StreamDef,
    read: Option<SyncMode>,
    write: Option<DestinationSyncMode>,
    destination: &[DestinationSyncMode],
) -> Modes {
    use DestinationSyncMode as D;
    let chosen = modes::choose_modes(stream, destination);
    let with = |sync_mode, destination_sync_mode| Modes {
        sync_mode,
        destination_sync_mode,
        ..chosen.clone()
    };
    let can = |mode| modes::offers(destination, mode);
    let incremental = stream.supports_incremental() && modes::has_cursor(stream);
    match (read, write) {
        (None, None) => chosen,
        (Some(read), Some(write)) => with(read, write),
        (Some(SyncMode::Incremental), None) => {
            let dedup = modes::has_key(stream) && can(D::AppendDedup);
            with(
                SyncMode::Incremental,
                if dedup { D::AppendDedup } else { D::Append },
            )
        }
        (Some(SyncMode::FullRefresh), None) => with(
            SyncMode::FullRefresh,
            if can(D::Overwrite) {
                D::Overwrite
            } else {
                D::Append
            },
        ),
        (None, Some(write @ (D::Overwrite | D::OverwriteDedup))) => {
            with(SyncMode::FullRefresh, write)
        }
        (None, Some(write)) => with(
            if incremental {
                SyncMode::Incremental
            } else {
                SyncMode::FullRefresh
            },
            write,
        ),
    }
}

/// The mode's name in the protocol.
pub(crate) fn word(mode: DestinationSyncMode) -> &'static str {
    match mode {
        DestinationSyncMode::Append => "append",
        DestinationSyncMode::Overwrite => "overwrite",
        DestinationSyncMode::AppendDedup => "append_dedup",
        DestinationSyncMode::OverwriteDedup => "overwrite_dedup",
        DestinationSyncMode::Update => "update",
        DestinationSyncMode::SoftDelete => "soft_delete",
    }
}
