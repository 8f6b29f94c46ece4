//! What applying a plan does, step by step, as a person could do it manually.

use airbyte_protocol::{DestinationSyncMode, StreamDescriptor, SyncMode};
use serde::{Deserialize, Serialize};

use super::{Choice, Decided, Plan};
use crate::drift::RefreshMode;
use crate::model::{SyncCatalog, SyncStream};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// A stream is synced from now on.
    AddStream {
        /// The stream.
        stream: StreamDescriptor,
    },
    /// A stream is no longer synced.
    RemoveStream {
        /// The stream.
        stream: StreamDescriptor,
    },
    /// A stream is synced under its new name, with its current settings.
    RenameStream {
        /// The stream.
        stream: StreamDescriptor,
        /// Its new name.
        to: StreamDescriptor,
    },
    /// A stream's definition is replaced by what the source offers.
    UpdateStream {
        /// The stream.
        stream: StreamDescriptor,
        /// The changes that are applied.
        changes: Vec<String>,
    },
    /// A stream's modes change.
    SetModes {
        /// The stream.
        stream: StreamDescriptor,
        /// The read mode.
        sync_mode: SyncMode,
        /// The write mode.
        destination_sync_mode: DestinationSyncMode,
    },
    /// A stream's cursor changes.
    SetCursor {
        /// The stream.
        stream: StreamDescriptor,
        /// The cursor.
        cursor_field: Vec<String>,
    },
    /// A stream's key changes.
    SetPrimaryKey {
        /// The stream.
        stream: StreamDescriptor,
        /// The key.
        primary_key: Vec<Vec<String>>,
    },
    /// A stream's synced columns change; absent means all.
    SelectFields {
        /// The stream.
        stream: StreamDescriptor,
        /// The columns.
        selected_fields: Option<Vec<Vec<String>>>,
    },
    /// A stream's mappers change: a renamed column keeps its name downstream.
    SetMappers {
        /// The stream.
        stream: StreamDescriptor,
        /// The number of mappers.
        mappers: usize,
    },
    /// A stream is refreshed.
    Refresh {
        /// The stream.
        stream: StreamDescriptor,
        /// What happens to its rows.
        mode: RefreshMode,
    },
}

/// The step as text.
impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dotted = |paths: &[Vec<String>]| {
            let paths: Vec<String> = paths.iter().map(|path| path.join(".")).collect();
            paths.join(", ")
        };
        match self {
            Self::AddStream { stream } => write!(f, "sync {stream} from now on"),
            Self::RemoveStream { stream } => write!(f, "stop syncing {stream}"),
            Self::RenameStream { stream, to } => write!(f, "continue {stream} as {to}"),
            Self::UpdateStream { stream, changes } => {
                write!(
                    f,
                    "update the definition of {stream} ({})",
                    changes.join(", ")
                )
            }
            Self::SetModes {
                stream,
                sync_mode,
                destination_sync_mode,
            } => {
                let read = crate::drift::read_word(*sync_mode);
                let write = crate::select::word(*destination_sync_mode);
                write!(f, "read {stream} by {read}, write it with {write}")
            }
            Self::SetCursor {
                stream,
                cursor_field,
            } => write!(f, "read {stream} by cursor {}", cursor_field.join(".")),
            Self::SetPrimaryKey {
                stream,
                primary_key,
            } => write!(f, "key {stream} by {}", dotted(primary_key)),
            Self::SelectFields {
                stream,
                selected_fields,
            } => match selected_fields {
                Some(fields) => {
                    write!(f, "sync only these columns of {stream}: {}", dotted(fields))
                }
                None => write!(f, "sync all columns of {stream}"),
            },
            Self::SetMappers { stream, mappers } => {
                let plural = if *mappers == 1 { "" } else { "s" };
                write!(f, "give {stream} {mappers} mapper{plural}")
            }
            Self::Refresh { stream, mode } => match mode {
                RefreshMode::Merge => write!(f, "read {stream} again and keep its rows"),
                RefreshMode::Truncate => write!(f, "read {stream} again and drop older rows"),
            },
        }
    }
}

pub(super) fn actions(
    current: &SyncCatalog,
    next: &SyncCatalog,
    plan: &Plan,
    decided: &Decided,
    refresh: &[(StreamDescriptor, RefreshMode)],
) -> Vec<Action> {
    let mut actions = Vec::new();
    let followed: Vec<_> = plan
        .changes
        .iter()
        .filter(|change| decided.of(change) != Choice::Defer)
        .collect();
    let mut streams: Vec<&StreamDescriptor> = Vec::new();
    for change in &followed {
        if !streams.contains(&&change.stream) {
            streams.push(&change.stream);
        }
    }
    for stream in streams {
        let mine: Vec<_> = followed
            .iter()
            .filter(|change| change.stream == *stream)
            .collect();
        let to = mine
            .iter()
            .find(|change| decided.of(change) == Choice::Accept)
            .and_then(|change| change.to_stream.as_ref());
        let before = current.stream(stream);
        let after = next.stream(to.unwrap_or(stream));
        match (before, after, to) {
            (Some(before), Some(after), to) => {
                actions.push(match to {
                    Some(to) => Action::RenameStream {
                        stream: stream.clone(),
                        to: to.clone(),
                    },
                    None => Action::UpdateStream {
                        stream: stream.clone(),
                        changes: mine.iter().map(|change| change.id.clone()).collect(),
                    },
                });
                settings(before, after, &mut actions);
            }
            (Some(before), None, _) if before.config.selected => {
                actions.push(Action::RemoveStream {
                    stream: stream.clone(),
                });
            }
            (None, Some(after), _) if after.config.selected => {
                actions.push(Action::AddStream {
                    stream: stream.clone(),
                });
            }
            _ => {}
        }
    }
    actions.extend(refresh.iter().map(|(stream, mode)| Action::Refresh {
        stream: stream.clone(),
        mode: *mode,
    }));
    actions
}

pub(super) fn settings(before: &SyncStream, after: &SyncStream, actions: &mut Vec<Action>) {
    let stream = after.descriptor();
    let (old, new) = (&before.config, &after.config);
    let modes = |config: &crate::StreamConfig| (config.sync_mode, config.destination_sync_mode);
    if modes(old) != modes(new) {
        actions.push(Action::SetModes {
            stream: stream.clone(),
            sync_mode: new.sync_mode,
            destination_sync_mode: new.destination_sync_mode,
        });
    }
    if old.cursor_field != new.cursor_field {
        actions.push(Action::SetCursor {
            stream: stream.clone(),
            cursor_field: new.cursor_field.clone(),
        });
    }
    if old.primary_key != new.primary_key {
        actions.push(Action::SetPrimaryKey {
            stream: stream.clone(),
            primary_key: new.primary_key.clone(),
        });
    }
    if old.selected_fields != new.selected_fields {
        actions.push(Action::SelectFields {
            stream: stream.clone(),
            selected_fields: new.selected_fields.clone(),
        });
    }
    if old.mappers != new.mappers {
        actions.push(Action::SetMappers {
            stream,
            mappers: new.mappers.0.len(),
        });
    }
}
