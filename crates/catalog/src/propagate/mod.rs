//! Airbyte's auto-propagation: what a diff does to a connection automatically. First it may disable
//! the connection, then it may apply harmless changes.
//!
//! AAM makes its own decisions about drift and sets `ignore`; this is what a server does.

mod merge;

use airbyte_protocol::{DestinationSyncMode, StreamDescriptor, SyncMode};

use crate::diff::{CatalogDiff, FieldTransformType, StreamTransform, StreamTransformType};
use crate::model::{StreamConfig, StreamDef, SyncCatalog, SyncStream};
use crate::modes;

pub use merge::merge;

/// A connection's preference for changes that are not breaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preference {
    /// Leave them to a person.
    Ignore,
    /// Disable the connection.
    Disable,
    /// Apply changes in the streams that it syncs.
    Columns,
    /// Apply new and removed streams too.
    Fully,
}

impl Preference {
    /// Parses the Config API's keyword.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "ignore" => Self::Ignore,
            "disable" => Self::Disable,
            "propagate_columns" => Self::Columns,
            "propagate_fully" => Self::Fully,
            _ => return None,
        })
    }
}

/// Whether a diff disables the connection: a breaking one always does, another one depending on the
/// preference. Nothing ever enables it again.
pub fn disables(diff: &CatalogDiff, preference: Preference) -> bool {
    diff.is_breaking() || (!diff.is_empty() && preference == Preference::Disable)
}

/// A connection's catalog after propagation.
#[derive(Debug, Clone, PartialEq)]
pub struct Propagated {
    /// The catalog; the discovered one becomes the accepted one.
    pub catalog: SyncCatalog,
    /// The part of the diff that was applied.
    pub applied: CatalogDiff,
}

/// Applies a diff to a connection's catalog. Returns `None` if nothing may be written, not even
/// that the discovered catalog is accepted: for breaking diffs, and for changes to be ignored.
/// `destination` lists the destination's modes.
pub fn propagate(
    configured: &SyncCatalog,
    discovered: &SyncCatalog,
    diff: &CatalogDiff,
    preference: Preference,
    destination: &[DestinationSyncMode],
) -> Option<Propagated> {
    let wanted = matches!(preference, Preference::Columns | Preference::Fully);
    if !(diff.is_empty() || (wanted && !diff.is_breaking())) {
        return None;
    }
    let mut catalog = configured.clone();
    let mut applied = CatalogDiff::default();
    for transform in &diff.transforms {
        let descriptor = &transform.stream_descriptor;
        let fully = preference == Preference::Fully;
        let done = match transform.transform_type {
            StreamTransformType::UpdateStream => update(&mut catalog, discovered, transform),
            StreamTransformType::AddStream => {
                fully && add(&mut catalog, discovered, descriptor, destination)
            }
            StreamTransformType::RemoveStream => fully && remove(&mut catalog, descriptor),
        };
        if done {
            applied.transforms.push(transform.clone());
        }
    }
    Some(Propagated { catalog, applied })
}

/// Replaces the whole stream object. Modes, cursor and key stay, even if the source's key changed;
/// a column selection gains new top-level columns and never loses any.
fn update(
    catalog: &mut SyncCatalog,
    discovered: &SyncCatalog,
    transform: &StreamTransform,
) -> bool {
    let descriptor = &transform.stream_descriptor;
    let Some(new) = discovered.stream(descriptor) else {
        return false;
    };
    let known = catalog
        .streams
        .iter_mut()
        .find(|known| known.config.selected && known.stream.is(descriptor));
    let Some(known) = known else {
        return false;
    };
    known.stream = new.stream.clone();
    let fields = transform.update_stream.iter();
    if let Some(selected) = &mut known.config.selected_fields {
        for field in fields.flat_map(|update| &update.field_transforms) {
            if field.transform_type == FieldTransformType::AddField
                && field.field_name.len() == 1
                && !selected.contains(&field.field_name)
            {
                selected.push(field.field_name.clone());
            }
        }
    }
    true
}

fn add(
    catalog: &mut SyncCatalog,
    discovered: &SyncCatalog,
    descriptor: &StreamDescriptor,
    destination: &[DestinationSyncMode],
) -> bool {
    let Some(new) = discovered.stream(descriptor) else {
        return false;
    };
    let (sync_mode, destination_sync_mode) = added_modes(&new.stream, destination);
    let entry = SyncStream {
        stream: new.stream.clone(),
        config: StreamConfig {
            sync_mode,
            destination_sync_mode,
            cursor_field: new.stream.default_cursor_field.clone(),
            primary_key: new.stream.source_defined_primary_key.clone(),
            selected: true,
            ..new.config.clone()
        },
    };
    let known = catalog
        .streams
        .iter_mut()
        .find(|known| known.stream.is(descriptor));
    match known {
        // A stream that was not selected.
        Some(known) => *known = entry,
        None => catalog.streams.push(entry),
    }
    true
}

/// Airbyte's suggestion, adapted to the destination; as a last resort the first mode of each side,
/// even if the combination makes no sense.
fn added_modes(
    stream: &StreamDef,
    destination: &[DestinationSyncMode],
) -> (SyncMode, DestinationSyncMode) {
    let suggested = modes::suggested(stream);
    if destination.contains(&suggested.1) {
        return suggested;
    }
    let source = &stream.supported_sync_modes;
    if source.contains(&SyncMode::FullRefresh)
        && destination.contains(&DestinationSyncMode::Overwrite)
    {
        return (SyncMode::FullRefresh, DestinationSyncMode::Overwrite);
    }
    (
        source.first().copied().unwrap_or(suggested.0),
        destination.first().copied().unwrap_or(suggested.1),
    )
}

fn remove(catalog: &mut SyncCatalog, descriptor: &StreamDescriptor) -> bool {
    let before = catalog.streams.len();
    catalog.streams.retain(|known| !known.stream.is(descriptor));
    catalog.streams.len() < before
}
