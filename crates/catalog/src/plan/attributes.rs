//! Deciding about what a stream is besides its columns: key, cursor, read modes, metadata.

use airbyte_protocol::SyncMode;
use serde_json::json;

use super::change::{Change, ChangeKind, RefreshMode, Severity, Verdict};
use super::decide::{Stream, read_word};
use crate::diff;
use crate::model::StreamDef;
use crate::modes;
use crate::select::word;

impl Stream<'_> {
    pub(super) fn key(&self) -> Option<Change> {
        let (old, new) = (
            &self.entry.stream.source_defined_primary_key,
            &self.now.source_defined_primary_key,
        );
        if old == new {
            return None;
        }
        let verdict = if !self.config.selected {
            Verdict::harmless("the stream is not copied")
        } else if !self.config.needs_key() {
            Verdict::harmless("the stream is written without a key")
        } else if new.is_empty() {
            let reason = "the source no longer says what identifies a row; accepting keeps the \
                          present key as the connection's own";
            Verdict::proposed(Severity::Warning, reason)
        } else if diff::same_key(&self.config.primary_key, new) {
            Verdict::harmless("the connection already uses this key")
        } else {
            let reason = "rows are identified by another key; accepting drops the rows written \
                          under the old one once all are read again";
            Verdict::proposed(Severity::Breaking, reason)
                .with_refresh(self.refresh(RefreshMode::Truncate))
        };
        let kind = ChangeKind::PrimaryKeyChanged;
        Some(self.change(
            kind,
            Vec::new(),
            Some(json!(old)),
            Some(json!(new)),
            verdict,
        ))
    }

    pub(super) fn cursor(&self) -> Option<Change> {
        let (old, new) = (&self.entry.stream, self.now);
        let defined = |stream: &StreamDef| stream.source_defined_cursor.unwrap_or(false);
        if defined(old) == defined(new) && old.default_cursor_field == new.default_cursor_field {
            return None;
        }
        let used = self.cursor_path();
        let next = if defined(new) {
            new.default_cursor_field.clone()
        } else {
            used.clone()
        };
        let verdict = if !self.config.selected {
            Verdict::harmless("the stream is not copied")
        } else if !self.config.is_incremental() {
            Verdict::harmless("the stream is read as a whole")
        } else if next == used && !used.is_empty() {
            Verdict::harmless("the connection's own cursor stays")
        } else {
            let reason = "the source reads by another cursor: what was saved for the old one is \
                          of no use, so all rows are read again";
            Verdict::proposed(Severity::Breaking, reason)
                .with_refresh(self.refresh(RefreshMode::Truncate))
        };
        let value = |stream: &StreamDef| {
            Some(json!({
                "source_defined": defined(stream),
                "field": stream.default_cursor_field,
            }))
        };
        Some(self.change(
            ChangeKind::CursorChanged,
            Vec::new(),
            value(old),
            value(new),
            verdict,
        ))
    }

    pub(super) fn modes(&self) -> Option<Change> {
        let listed = |stream: &StreamDef| {
            let mut modes: Vec<&str> = stream
                .supported_sync_modes
                .iter()
                .map(|mode| read_word(*mode))
                .collect();
            modes.sort_unstable();
            modes.dedup();
            modes
        };
        let (old, new) = (listed(&self.entry.stream), listed(self.now));
        if old == new {
            return None;
        }
        let possible = match self.config.sync_mode {
            SyncMode::FullRefresh => self.now.supports_full_refresh(),
            SyncMode::Incremental => new.is_empty() || self.now.supports_incremental(),
        };
        let verdict = if !self.config.selected {
            Verdict::harmless("the stream is not copied")
        } else if possible {
            Verdict::harmless("the way the stream is read stays possible")
        } else {
            let modes = modes::choose_modes(self.now, &self.capabilities.destination_sync_modes);
            let reason = format!(
                "the source can no longer read it by {}; accepting goes over to {} with {}",
                read_word(self.config.sync_mode),
                read_word(modes.sync_mode),
                word(modes.destination_sync_mode),
            );
            Verdict::proposed(Severity::Breaking, reason)
        };
        let kind = ChangeKind::ModesChanged;
        Some(self.change(
            kind,
            Vec::new(),
            Some(json!(old)),
            Some(json!(new)),
            verdict,
        ))
    }

    pub(super) fn metadata(&self, root: bool) -> Option<Change> {
        let value = |stream: &StreamDef| {
            json!({
                "is_resumable": stream.is_resumable.unwrap_or(false),
                "is_file_based": stream.is_file_based.unwrap_or(false),
            })
        };
        let (before, after) = (value(&self.entry.stream), value(self.now));
        if before == after && !root {
            return None;
        }
        let verdict = Verdict::harmless("no record shows it");
        let kind = ChangeKind::Metadata;
        Some(self.change(kind, Vec::new(), Some(before), Some(after), verdict))
    }
}
