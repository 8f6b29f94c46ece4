//! Carrying out a plan on paper: the next version, what waits, and what the rows need afterwards.
//! A change that waits keeps its old definition in the version, so that it is seen again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use airbyte_protocol::StreamDescriptor;
use serde_json::Value;

use super::change::{Change, ChangeKind, RefreshMode};
use super::{Accepted, Capabilities, Plan};
use crate::model::{Schema, StreamConfig, StreamDef, SyncCatalog, SyncStream};
use crate::modes;
use crate::node::Node;
use crate::schema;

/// The outcome of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The next version.
    pub catalog: SyncCatalog,
    /// Incremental streams that must be read again, and how; in the version's order.
    pub refresh: Vec<(StreamDescriptor, RefreshMode)>,
    /// The changes that still wait.
    pub pending: Vec<Change>,
    /// What had to be done to keep streams going, in words that name the stream.
    pub notes: Vec<String>,
}

/// Applies the accepted changes of the plan that was made for these two catalogs.
pub fn apply(
    current: &SyncCatalog,
    discovered: &SyncCatalog,
    plan: &Plan,
    accepted: &Accepted,
    capabilities: &Capabilities,
) -> Applied {
    let mut by_stream: HashMap<&StreamDescriptor, Vec<&Change>> = HashMap::new();
    for change in &plan.changes {
        by_stream.entry(&change.stream).or_default().push(change);
    }
    let changes =
        |descriptor: &StreamDescriptor| by_stream.get(descriptor).cloned().unwrap_or_default();
    let known: HashMap<StreamDescriptor, &SyncStream> = current
        .streams
        .iter()
        .map(|entry| (entry.descriptor(), entry))
        .collect();
    let offered: BTreeSet<StreamDescriptor> = discovered
        .streams
        .iter()
        .map(SyncStream::descriptor)
        .collect();
    let mut outcome = Outcome {
        capabilities,
        refresh: Vec::new(),
        notes: Vec::new(),
    };
    let mut streams = Vec::with_capacity(discovered.streams.len());
    for now in &discovered.streams {
        let descriptor = now.descriptor();
        let changes = changes(&descriptor);
        match known.get(&descriptor) {
            Some(entry) => streams.push(outcome.carried(entry, &now.stream, &changes, accepted)),
            None if changes.iter().all(|change| accepted.contains(change)) => {
                let mut added = now.clone();
                modes::choose_modes(&now.stream, &capabilities.destination_sync_modes)
                    .write_to(&mut added.config);
                added.config.selected = true;
                added.config.selected_fields = None;
                streams.push(added);
            }
            None => {}
        }
    }
    for entry in current
        .streams
        .iter()
        .filter(|entry| !offered.contains(&entry.descriptor()))
    {
        let stays = changes(&entry.descriptor())
            .iter()
            .any(|change| !accepted.contains(change));
        if stays {
            streams.push(entry.clone());
        }
    }
    let pending = plan
        .changes
        .iter()
        .filter(|change| !accepted.contains(change))
        .cloned()
        .collect();
    Applied {
        catalog: SyncCatalog::new(streams),
        refresh: outcome.refresh,
        pending,
        notes: outcome.notes,
    }
}

struct Outcome<'a> {
    capabilities: &'a Capabilities,
    refresh: Vec<(StreamDescriptor, RefreshMode)>,
    notes: Vec<String>,
}

impl Outcome<'_> {
    /// A stream that both sides have.
    fn carried(
        &mut self,
        entry: &SyncStream,
        now: &StreamDef,
        changes: &[&Change],
        accepted: &Accepted,
    ) -> SyncStream {
        let (made, waiting): (Vec<&Change>, Vec<&Change>) =
            changes.iter().partition(|change| accepted.contains(change));
        let stream = definition(&entry.stream, now, &waiting);
        let mut config = entry.config.clone();
        if !config.selected {
            return SyncStream { stream, config };
        }
        let taken = |kind| made.iter().any(|change| change.kind == kind);
        if let Some(fields) = &mut config.selected_fields {
            let gone = |field: &Vec<String>| {
                made.iter()
                    .any(|c| c.kind == ChangeKind::FieldRemoved && c.path == *field)
            };
            fields.retain(|field| !gone(field));
        }
        if taken(ChangeKind::PrimaryKeyChanged)
            && config.needs_key()
            && !stream.source_defined_primary_key.is_empty()
        {
            config
                .primary_key
                .clone_from(&stream.source_defined_primary_key);
        }
        if config.is_incremental() && stream.source_defined_cursor == Some(true) {
            config.cursor_field.clone_from(&stream.default_cursor_field);
        }
        if taken(ChangeKind::ModesChanged) && !still_readable(&stream, &config) {
            let modes = modes::choose_modes(&stream, &self.capabilities.destination_sync_modes);
            modes.write_to(&mut config);
            self.note(&stream, &config, "the source no longer reads it as before");
        }
        self.keep_going(&stream, &mut config);
        widen_selection(&stream, &mut config);
        self.refresh_needed(&stream, &entry.config, &config, &made);
        SyncStream { stream, config }
    }

    /// Gives the stream another cursor or key where the old one is gone, or none and a full
    /// refresh.
    fn keep_going(&mut self, stream: &StreamDef, config: &mut StreamConfig) {
        let has = |path: &[String]| schema::may_have(&stream.json_schema, path);
        let own_cursor = config.is_incremental() && stream.source_defined_cursor != Some(true);
        if own_cursor && !has(&config.cursor_field) {
            if modes::has_cursor(stream) {
                config.cursor_field.clone_from(&stream.default_cursor_field);
                self.note(stream, config, "its cursor is gone");
            } else {
                self.full_refresh(
                    stream,
                    config,
                    "its cursor is gone and the source proposes none",
                );
            }
        }
        if config.needs_key() && !config.primary_key.iter().all(|part| has(part)) {
            let key = &stream.source_defined_primary_key;
            if modes::has_key(stream) {
                config.primary_key.clone_from(key);
                self.note(stream, config, "its key is gone");
            } else {
                config.primary_key.clear();
                self.full_refresh(
                    stream,
                    config,
                    "its key is gone and the source defines none",
                );
            }
        }
    }

    fn full_refresh(&mut self, stream: &StreamDef, config: &mut StreamConfig, why: &str) {
        let key = std::mem::take(&mut config.primary_key);
        modes::without_cursor(stream, &self.capabilities.destination_sync_modes).write_to(config);
        config.primary_key = key;
        self.note(stream, config, why);
    }

    fn note(&mut self, stream: &StreamDef, config: &StreamConfig, why: &str) {
        let name = stream.descriptor();
        let key: Vec<String> = config
            .primary_key
            .iter()
            .map(|part| part.join("."))
            .collect();
        let how = if config.is_incremental() {
            let cursor = config.cursor_field.join(".");
            format!(
                "it is now read by cursor {cursor:?} and key {:?}",
                key.join(", ")
            )
        } else {
            let write = crate::select::word(config.destination_sync_mode);
            format!("it is now read as a whole and written with {write}")
        };
        self.notes.push(format!("{name}: {why}; {how}"));
    }

    fn refresh_needed(
        &mut self,
        stream: &StreamDef,
        before: &StreamConfig,
        after: &StreamConfig,
        made: &[&Change],
    ) {
        if !after.is_incremental() {
            return;
        }
        let moved = before.is_incremental()
            && (before.cursor_field != after.cursor_field
                || !crate::diff::same_key(&before.primary_key, &after.primary_key));
        let asked = made.iter().filter_map(|change| change.refresh).max();
        let wanted = if moved {
            Some(RefreshMode::Truncate)
        } else {
            asked
        };
        if let Some(wanted) = wanted {
            let mode = if after.is_deduped() {
                wanted
            } else {
                RefreshMode::Merge
            };
            self.refresh.push((stream.descriptor(), mode));
        }
    }
}

fn still_readable(stream: &StreamDef, config: &StreamConfig) -> bool {
    if config.is_incremental() {
        stream.supports_incremental()
    } else {
        stream.supports_full_refresh()
    }
}

/// A selection has to hold the key and the cursor; a new one may not be in it.
fn widen_selection(stream: &StreamDef, config: &mut StreamConfig) {
    let cursor = config
        .is_incremental()
        .then(|| config.cursor_field.first().cloned())
        .flatten();
    let key: Vec<String> = if config.needs_key() {
        config
            .primary_key
            .iter()
            .filter_map(|part| part.first().cloned())
            .collect()
    } else {
        Vec::new()
    };
    let Some(fields) = &mut config.selected_fields else {
        return;
    };
    for column in key.into_iter().chain(cursor) {
        let missing = !fields.iter().any(|field| field.first() == Some(&column));
        if missing && schema::has_path(&stream.json_schema, std::slice::from_ref(&column)) {
            fields.push(vec![column]);
        }
    }
    if fields.is_empty() {
        // Every chosen column is gone; an empty selection would copy rows without a column.
        config.selected_fields = None;
    }
}

/// What the version says about the stream: what the source offers now, with the old definition
/// of whatever still waits.
fn definition(old: &StreamDef, now: &StreamDef, waiting: &[&Change]) -> StreamDef {
    let mut stream = now.clone();
    for change in waiting {
        match change.kind {
            ChangeKind::PrimaryKeyChanged => {
                stream
                    .source_defined_primary_key
                    .clone_from(&old.source_defined_primary_key);
            }
            ChangeKind::CursorChanged => {
                stream.source_defined_cursor = old.source_defined_cursor;
                stream
                    .default_cursor_field
                    .clone_from(&old.default_cursor_field);
            }
            ChangeKind::ModesChanged => {
                stream
                    .supported_sync_modes
                    .clone_from(&old.supported_sync_modes);
            }
            _ => {}
        }
    }
    stream.json_schema = restored(&now.json_schema, waiting);
    stream
}

fn restored(now: &Schema, waiting: &[&Change]) -> Schema {
    let fields: Vec<(&[String], &Value)> = waiting
        .iter()
        .filter(|c| {
            matches!(
                c.kind,
                ChangeKind::FieldRemoved | ChangeKind::FieldTypeChanged
            )
        })
        .filter_map(|change| Some((change.path.as_slice(), change.before.as_ref()?)))
        .collect();
    if fields.is_empty() {
        return Arc::clone(now);
    }
    let mut root = Node::of(now).to_value();
    for (path, before) in fields {
        put(&mut root, path, before);
    }
    schema::raw(&root).map_or_else(|| Arc::clone(now), Schema::from)
}

/// Writes a field's schema at its path. The parents exist: a field that vanished or changed with
/// its parent is part of the parent's change.
fn put(node: &mut Value, path: &[String], schema: &Value) {
    let [name, rest @ ..] = path else {
        *node = schema.clone();
        return;
    };
    let Some(members) = node.as_object_mut() else {
        return;
    };
    let is_list = !members.contains_key("properties") && members.contains_key("items");
    if is_list && name == "items" {
        if let Some(items) = members.get_mut("items") {
            put(items, rest, schema);
        }
        return;
    }
    let properties = members
        .entry("properties")
        .or_insert_with(|| Value::Object(Default::default()));
    let Some(properties) = properties.as_object_mut() else {
        return;
    };
    if rest.is_empty() {
        properties.insert(name.clone(), schema.clone());
    } else if let Some(child) = properties.get_mut(name) {
        put(child, rest, schema);
    }
}
