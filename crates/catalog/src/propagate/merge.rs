//! The catalog that Airbyte shows for editing: everything discovered, with the connection's
//! settings as far as they still apply.

use std::collections::HashSet;

use crate::model::{StreamDef, SyncCatalog, SyncStream};

/// Merges a connection's settings into a newly discovered catalog. `accepted` is the discovered
/// catalog on which the settings are based. Streams without settings have `selected: false`;
/// streams that no longer exist are dropped.
pub fn merge(
    configured: &SyncCatalog,
    accepted: &SyncCatalog,
    discovered: &SyncCatalog,
) -> SyncCatalog {
    let streams = discovered.streams.iter().map(|new| {
        let descriptor = new.descriptor();
        let known = configured
            .selected()
            .find(|known| known.stream.is(&descriptor));
        match known {
            Some(known) => merged(known, accepted.stream(&descriptor), new),
            None => {
                let mut new = new.clone();
                new.config.selected = false;
                new
            }
        }
    });
    SyncCatalog::new(streams.collect())
}

fn merged(known: &SyncStream, accepted: Option<&SyncStream>, new: &SyncStream) -> SyncStream {
    let stream = new.stream.clone();
    let mut config = known.config.clone();
    config.suggested = new.config.suggested;
    let supported = &stream.supported_sync_modes;
    if !supported.is_empty() && !supported.contains(&config.sync_mode) {
        config.sync_mode = new.config.sync_mode;
    }
    if config.cursor_field.is_empty() {
        config.cursor_field.clone_from(&new.config.cursor_field);
    }
    if !stream.source_defined_primary_key.is_empty() {
        let own = &stream.source_defined_primary_key;
        config.primary_key.clone_from(own);
    }
    if let Some(fields) = &mut config.selected_fields {
        let before = columns(accepted.map_or(&known.stream, |accepted| &accepted.stream));
        let now = stream.columns();
        let present: HashSet<&String> = now.iter().collect();
        fields.retain(|path| path.first().is_some_and(|column| present.contains(column)));
        let added = now.iter().filter(|column| !before.contains(*column));
        let added: Vec<Vec<String>> = added.map(|column| vec![column.clone()]).collect();
        fields.extend(added);
    }
    SyncStream { stream, config }
}

fn columns(stream: &StreamDef) -> HashSet<String> {
    stream.columns().into_iter().collect()
}
