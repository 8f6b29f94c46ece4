//! Computes the outcome of a plan: the next version, what is pending, and which streams need a
//! refresh.

use std::collections::{BTreeSet, HashMap};

use airbyte_protocol::StreamDescriptor;

use super::carry::carry;
use super::definition::definition;
use super::{Action, Capabilities, Choice, Decided, Inverse, Irreversible, Plan, actions, inverse};
use crate::drift::{self, Change, ChangeKind, RefreshMode};
use crate::model::{StreamConfig, StreamDef, SyncCatalog, SyncStream};
use crate::validate::validate;
use crate::{modes, schema};

/// The outcome of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The next version.
    pub catalog: SyncCatalog,
    /// Incremental streams that need a refresh, with its mode; in the version's order.
    pub refresh: Vec<(StreamDescriptor, RefreshMode)>,
    /// The changes that are deferred, by the policy or by a person.
    pub pending: Vec<Change>,
    /// The steps.
    pub actions: Vec<Action>,
    /// The way back.
    pub inverse: Inverse,
    /// What the way back cannot restore.
    pub irreversible: Vec<Irreversible>,
    /// What had to be done to keep streams working, as text that names the stream.
    pub notes: Vec<String>,
}

/// Applies the decisions about the plan that was computed for these two catalogs.
pub fn apply(
    current: &SyncCatalog,
    discovered: &SyncCatalog,
    plan: &Plan,
    decided: &Decided,
    capabilities: &Capabilities,
) -> Applied {
    let mut by_stream: HashMap<&StreamDescriptor, Vec<&Change>> = HashMap::new();
    let mut renamed: HashMap<&StreamDescriptor, &Change> = HashMap::new();
    for change in &plan.changes {
        by_stream.entry(&change.stream).or_default().push(change);
        if let Some(to) = &change.to_stream {
            renamed.insert(to, change);
        }
    }
    let changes = |descriptor: &StreamDescriptor| {
        by_stream
            .get(descriptor)
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
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
        if let Some(entry) = known.get(&descriptor) {
            streams.push(outcome.carried(entry, &now.stream, changes(&descriptor), decided));
            continue;
        }
        let change = renamed
            .get(&descriptor)
            .copied()
            .or_else(|| changes(&descriptor).first().copied());
        let Some(change) = change else { continue };
        let from = known.get(&change.stream);
        match (decided.of(change), &change.to_stream, from) {
            (Choice::Defer, _, _) => {}
            (Choice::Accept, Some(_), Some(entry)) => {
                streams.push(outcome.renamed(entry, &now.stream));
            }
            (Choice::Accept, _, _) => streams.push(fresh(now, true, capabilities)),
            (Choice::Reject, _, _) => streams.push(fresh(now, false, capabilities)),
        }
    }
    for entry in &current.streams {
        let descriptor = entry.descriptor();
        let stays = |change: &&Change| decided.of(change) == Choice::Defer;
        if !offered.contains(&descriptor) && changes(&descriptor).iter().any(stays) {
            streams.push(entry.clone());
        }
    }
    let pending = plan
        .changes
        .iter()
        .filter(|change| decided.of(change) == Choice::Defer)
        .cloned()
        .collect();
    let catalog = SyncCatalog {
        streams,
        extra: current.extra.clone(),
    };
    let actions = actions::actions(current, &catalog, plan, decided, &outcome.refresh);
    Applied {
        inverse: inverse::inverse(current, &catalog, plan),
        irreversible: inverse::irreversible(current, &catalog, plan, decided, &outcome.refresh),
        catalog,
        refresh: outcome.refresh,
        pending,
        actions,
        notes: outcome.notes,
    }
}

/// A stream that is not in the version.
fn fresh(now: &SyncStream, selected: bool, capabilities: &Capabilities) -> SyncStream {
    let mut added = now.clone();
    modes::choose_modes(&now.stream, &capabilities.destination_sync_modes)
        .write_to(&mut added.config);
    added.config.selected = selected;
    added.config.selected_fields = None;
    added
}

struct Outcome<'a> {
    capabilities: &'a Capabilities,
    refresh: Vec<(StreamDescriptor, RefreshMode)>,
    notes: Vec<String>,
}

impl Outcome<'_> {
    /// A renamed stream, together with the changes within it.
    fn renamed(&mut self, entry: &SyncStream, now: &StreamDef) -> SyncStream {
        let within = drift::within(entry, now, self.capabilities);
        let changes: Vec<&Change> = within.iter().collect();
        let mut carried = self.following(entry, now, &changes, &[], &[]);
        // Airbyte stores a stream's state by its name: it is read from the start anyway.
        self.refresh
            .retain(|(stream, _)| *stream != now.descriptor());
        carried.config.alias_name = None;
        carried
    }

    /// A stream that exists on both sides.
    fn carried(
        &mut self,
        entry: &SyncStream,
        now: &StreamDef,
        changes: &[&Change],
        decided: &Decided,
    ) -> SyncStream {
        let chosen = |choice: Choice| -> Vec<&Change> {
            let mut chosen = changes.to_vec();
            chosen.retain(|change| decided.of(change) == choice);
            chosen
        };
        self.following(
            entry,
            now,
            &chosen(Choice::Accept),
            &chosen(Choice::Defer),
            &chosen(Choice::Reject),
        )
    }

    fn following(
        &mut self,
        entry: &SyncStream,
        now: &StreamDef,
        accepted: &[&Change],
        deferred: &[&Change],
        rejected: &[&Change],
    ) -> SyncStream {
        let stream = definition(&entry.stream, now, deferred);
        let mut config = entry.config.clone();
        if !config.selected {
            return SyncStream { stream, config };
        }
        for change in accepted {
            carry(&mut config, change, self.capabilities.mappers);
        }
        // The old settings, with the new names.
        let before = config.clone();
        self.select(&stream, &mut config, accepted, rejected);
        let taken = |kind| accepted.iter().any(|change| change.kind == kind);
        if taken(ChangeKind::PrimaryKeyChanged)
            && config.needs_key()
            && !stream.source_defined_primary_key.is_empty()
        {
            let key = &stream.source_defined_primary_key;
            config.primary_key.clone_from(key);
        }
        if config.is_incremental() && stream.source_defined_cursor == Some(true) {
            config.cursor_field.clone_from(&stream.default_cursor_field);
        }
        if !still_readable(&stream, &config) {
            let modes = modes::choose_modes(&stream, &self.capabilities.destination_sync_modes);
            modes.write_to(&mut config);
            self.note(
                &stream,
                &config,
                "the source can no longer read it as before",
            );
        }
        self.keep_going(&stream, &mut config);
        widen_selection(&stream, &mut config);
        self.make_valid(&stream, &mut config);
        let followed: Vec<&Change> = accepted.iter().chain(rejected).copied().collect();
        self.refresh_needed(&stream, &before, &config, &followed);
        SyncStream { stream, config }
    }

    /// Removes removed columns from the selection, and leaves out rejected ones.
    fn select(
        &self,
        stream: &StreamDef,
        config: &mut StreamConfig,
        accepted: &[&Change],
        rejected: &[&Change],
    ) {
        let kept_out: Vec<&Vec<String>> = rejected
            .iter()
            .filter(|change| change.kind == ChangeKind::FieldAdded)
            .map(|change| &change.path)
            .collect();
        if !kept_out.is_empty() && config.selected_fields.is_none() {
            let columns = stream.columns().into_iter().map(|column| vec![column]);
            config.selected_fields = Some(columns.collect());
        }
        let Some(fields) = &mut config.selected_fields else {
            return;
        };
        fields.retain(|field| !kept_out.contains(&field));
        let left = accepted
            .iter()
            .filter(|change| change.kind == ChangeKind::FieldRemoved)
            .chain(rejected.iter().filter(|change| change.to_path.is_some()));
        for change in left {
            fields.retain(|field| *field != change.path);
        }
        // A rejected rename adds a column that is synced like the old one.
        for to in rejected.iter().filter_map(|change| change.to_path.as_ref()) {
            if to.len() == 1 && !fields.contains(to) {
                fields.push(to.clone());
            }
        }
    }

    /// Replaces a cursor or key that no longer exists; if there is none, switches to a full
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
            if modes::has_key(stream) {
                let key = &stream.source_defined_primary_key;
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

    /// Some combinations of decisions leave a stream that Airbyte would reject: it then gets AAM's
    /// default modes and its whole selection.
    fn make_valid(&mut self, stream: &StreamDef, config: &mut StreamConfig) {
        let offered = &self.capabilities.destination_sync_modes;
        let is_valid = |config: &StreamConfig| {
            let mut faults = Vec::new();
            validate("", stream, config, offered, &mut faults);
            faults.is_empty()
        };
        if is_valid(config) {
            return;
        }
        let mut modes = modes::choose_modes(stream, offered);
        if !modes::has_key(stream) {
            modes.primary_key.clear();
        }
        modes.write_to(config);
        widen_selection(stream, config);
        if !is_valid(config) {
            config.selected_fields = None;
        }
        self.note(
            stream,
            config,
            "the decisions left it without what its modes require",
        );
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
            format!("it is now fully read and written with {write}")
        };
        self.notes.push(format!("{name}: {why}; {how}"));
    }

    fn refresh_needed(
        &mut self,
        stream: &StreamDef,
        before: &StreamConfig,
        after: &StreamConfig,
        followed: &[&Change],
    ) {
        if !after.is_incremental() {
            return;
        }
        let moved = before.is_incremental()
            && (before.cursor_field != after.cursor_field
                || !crate::diff::same_key(&before.primary_key, &after.primary_key));
        let asked = followed.iter().filter_map(|change| change.refresh).max();
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
        stream.supported_sync_modes.is_empty() || stream.supports_incremental()
    } else {
        stream.supports_full_refresh()
    }
}

/// A selection must include the key and the cursor; a new one may be missing.
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
        // No selected column is left; an empty selection would sync rows without columns.
        config.selected_fields = None;
    }
}
