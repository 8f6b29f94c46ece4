//! Deciding about each difference: what is harmless applies by itself; what stops being copied,
//! breaks the stream or may lose values is proposed.

use airbyte_protocol::SyncMode;
use serde_json::{Value, json};

use super::Capabilities;
use super::change::{Change, ChangeKind, RefreshMode, Severity, Verdict};
use super::compare::{FieldChange, compare};
use super::types::{Comparison, describe};
use crate::diff;
use crate::model::{StreamConfig, StreamDef, SyncStream};
use crate::modes;
use crate::node::Node;
use crate::select::word;

pub(super) fn stream_removed(entry: &SyncStream) -> Change {
    let verdict = if entry.config.selected {
        let reason = "the source no longer has this stream; accepting stops copying it, its rows \
                      in the destination stay";
        Verdict::proposed(Severity::Warning, reason)
    } else {
        Verdict::harmless("the source no longer has this stream; it was not copied")
    };
    let before = Some(json!({ "columns": entry.stream.columns() }));
    Change::new(
        ChangeKind::StreamRemoved,
        entry.descriptor(),
        Vec::new(),
        before,
        None,
        verdict,
    )
}

pub(super) fn stream_added(stream: &StreamDef, capabilities: &Capabilities) -> Change {
    let modes = modes::choose_modes(stream, &capabilities.destination_sync_modes);
    let reason = format!(
        "the source has a new stream; accepting starts copying it ({}, {})",
        read_word(modes.sync_mode),
        word(modes.destination_sync_mode),
    );
    let verdict = Verdict::proposed(Severity::Info, reason);
    let after = Some(json!({ "columns": stream.columns() }));
    Change::new(
        ChangeKind::StreamAdded,
        stream.descriptor(),
        Vec::new(),
        None,
        after,
        verdict,
    )
}

/// The differences of a stream that both sides have; `roots` are its schemas, before and after.
pub(super) fn stream_changes(
    entry: &SyncStream,
    now: &StreamDef,
    roots: (&Node<'_>, &Node<'_>),
    capabilities: &Capabilities,
) -> Vec<Change> {
    let stream = Stream {
        entry,
        now,
        config: &entry.config,
        capabilities,
    };
    let mut changes = Vec::new();
    let mut root = false;
    if !entry.stream.same_schema_text(now) {
        let differences = compare(roots.0, roots.1);
        root = differences.root;
        changes.extend(
            differences
                .fields
                .into_iter()
                .map(|field| stream.field(field)),
        );
    }
    changes.extend(stream.key());
    changes.extend(stream.cursor());
    changes.extend(stream.modes());
    changes.extend(stream.metadata(root));
    stream.ask_airbyte(&mut changes);
    changes
}

/// A stream that both sides have, on its way to decisions.
pub(super) struct Stream<'a> {
    pub(super) entry: &'a SyncStream,
    pub(super) now: &'a StreamDef,
    pub(super) config: &'a StreamConfig,
    pub(super) capabilities: &'a Capabilities,
}

impl Stream<'_> {
    pub(super) fn change(
        &self,
        kind: ChangeKind,
        path: Vec<String>,
        before: Option<Value>,
        after: Option<Value>,
        verdict: Verdict,
    ) -> Change {
        Change::new(kind, self.entry.descriptor(), path, before, after, verdict)
    }

    /// Truncating is offered for incremental streams with deduplication alone.
    pub(super) fn refresh(&self, wanted: RefreshMode) -> Option<RefreshMode> {
        if !self.config.selected || !self.config.is_incremental() {
            return None;
        }
        Some(if self.config.is_deduped() {
            wanted
        } else {
            RefreshMode::Merge
        })
    }

    /// The role of the field for the stream, if it is part of its key or cursor.
    fn role(&self, path: &[String]) -> Option<&'static str> {
        let touches = |other: &[String]| {
            !other.is_empty() && (other.starts_with(path) || path.starts_with(other))
        };
        if !self.config.selected {
            return None;
        }
        if self.config.needs_key() && self.config.primary_key.iter().any(|part| touches(part)) {
            return Some("key");
        }
        (self.config.is_incremental() && touches(&self.cursor_path())).then_some("cursor")
    }

    pub(super) fn cursor_path(&self) -> Vec<String> {
        if self.config.cursor_field.is_empty() {
            self.entry.stream.default_cursor_field.clone()
        } else {
            self.config.cursor_field.clone()
        }
    }

    /// Why a change of the column cannot matter, if it is not copied.
    fn not_copied(&self, path: &[String]) -> Option<&'static str> {
        if !self.config.selected {
            return Some("the stream is not copied");
        }
        let copied = path.first().is_none_or(|column| self.config.copies(column));
        (!copied).then_some("the column is not among the stream's chosen columns")
    }

    fn field(&self, field: FieldChange) -> Change {
        match field {
            FieldChange::Added { path, after } => {
                let verdict = match self.not_copied(&path) {
                    Some(reason) => Verdict::harmless(reason),
                    None => {
                        let refresh = self.refresh(RefreshMode::Merge);
                        let tail = if refresh.is_some() {
                            "; older rows get their values by a refresh"
                        } else {
                            ""
                        };
                        let reason = format!("it is copied from the next sync on{tail}");
                        Verdict::harmless(reason).with_refresh(refresh)
                    }
                };
                self.change(ChangeKind::FieldAdded, path, None, Some(after), verdict)
            }
            FieldChange::Removed { path, before } => {
                let verdict = self.removed(&path);
                self.change(ChangeKind::FieldRemoved, path, Some(before), None, verdict)
            }
            FieldChange::Retyped {
                path,
                before,
                after,
                comparison,
            } => {
                let verdict = self.retyped(&path, &before, &after, comparison);
                self.change(
                    ChangeKind::FieldTypeChanged,
                    path,
                    Some(before),
                    Some(after),
                    verdict,
                )
            }
        }
    }

    fn removed(&self, path: &[String]) -> Verdict {
        if let Some(reason) = self.not_copied(path) {
            return Verdict::harmless(reason);
        }
        match self.role(path) {
            Some(role) => {
                let reason = format!(
                    "it is the stream's {role}; accepting takes the {role} that the source \
                     offers now, or goes over to a full refresh"
                );
                Verdict::proposed(Severity::Breaking, reason)
                    .with_refresh(self.refresh(RefreshMode::Truncate))
            }
            None => {
                let reason = "the source no longer has it; accepting stops copying it, its values \
                              in the destination stay";
                Verdict::proposed(Severity::Warning, reason)
            }
        }
    }

    fn retyped(
        &self,
        path: &[String],
        before: &Value,
        after: &Value,
        comparison: Comparison,
    ) -> Verdict {
        if let Some(reason) = self.not_copied(path) {
            return Verdict::harmless(reason);
        }
        let (was, is) = (describe(before), describe(after));
        match (comparison, self.role(path)) {
            (Comparison::Restated, _) => Verdict::harmless("its values stay of the same type"),
            (_, Some(role)) => {
                let reason = format!(
                    "it is the stream's {role} and was {was}, now {is}: values saved before \
                     cannot be compared with new ones"
                );
                Verdict::proposed(Severity::Breaking, reason)
                    .with_refresh(self.refresh(RefreshMode::Truncate))
            }
            (Comparison::Widened, None) => {
                Verdict::harmless(format!("every {was} is a valid {is}"))
                    .with_refresh(self.refresh(RefreshMode::Merge))
            }
            (Comparison::Incompatible, None) => {
                let reason =
                    format!("not every {was} is a valid {is}: values that are not become null");
                Verdict::proposed(Severity::DataLoss, reason)
                    .with_refresh(self.refresh(RefreshMode::Merge))
            }
        }
    }

    /// Marks the changes for which Airbyte's own diff disables the connection.
    fn ask_airbyte(&self, changes: &mut [Change]) {
        // Only what touches a key or cursor can be breaking, and flattening schemas costs.
        let grave = |change: &Change| change.severity == Severity::Breaking;
        if !self.config.selected || !changes.iter().any(grave) {
            return;
        }
        let Some(update) = diff::stream(&self.entry.stream, self.now, self.config) else {
            return;
        };
        let breaking: Vec<&[String]> = update
            .field_transforms
            .iter()
            .filter(|transform| transform.breaking)
            .map(|transform| transform.field_name.as_slice())
            .collect();
        let key = update
            .stream_attribute_transforms
            .iter()
            .any(|transform| transform.breaking);
        for change in changes {
            change.breaking_for_airbyte = match change.kind {
                ChangeKind::FieldRemoved | ChangeKind::FieldTypeChanged => {
                    breaking.iter().any(|path| path.starts_with(&change.path))
                }
                ChangeKind::PrimaryKeyChanged => key,
                _ => false,
            };
        }
    }
}

pub(super) fn read_word(mode: SyncMode) -> &'static str {
    match mode {
        SyncMode::FullRefresh => "full_refresh",
        SyncMode::Incremental => "incremental",
    }
}
