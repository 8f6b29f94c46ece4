//! The attributes of a stream apart from its columns: key, cursor, read modes, metadata.

use airbyte_protocol::SyncMode;
use serde_json::json;

use super::change::{Change, ChangeKind, RefreshMode, Remedy, Severity};
use super::fields::without;
use super::identity::{Identities, KEYWORD};
use super::severity::Judgement;
use super::stream::{Renames, Stream};
use super::streams::read_word;
use crate::destinations::Follows;
use crate::diff;
use crate::fingerprint::canonical;
use crate::model::StreamDef;
use crate::modes;
use crate::node::Node;
use crate::select::word;

fn update(reason: &str) -> Judgement {
    Judgement::new(Severity::Info, Remedy::SchemaUpdate, reason)
}

impl Stream<'_> {
    pub(super) fn key(&self, renames: &Renames) -> Option<Change> {
        let (old, new) = (
            &self.entry.stream.source_defined_primary_key,
            &self.now.source_defined_primary_key,
        );
        let followed: Vec<Vec<String>> = old.iter().map(|part| renames.follow(part)).collect();
        if old == new || followed == *new {
            return None;
        }
        let config = &self.entry.config;
        let judgement = if !config.selected {
            Judgement::nothing("the stream is not synced")
        } else if !config.needs_key() {
            update("the stream is written without a key")
        } else if new.is_empty() {
            let reason = "the source no longer defines what identifies a row; accepting keeps the \
                          current key as the connection's own";
            Judgement::choice(Severity::Warning, reason)
        } else if diff::same_key(&config.primary_key, new) {
            update("the connection already uses this key")
        } else {
            let verdict = self.copying.destination.change_key();
            let how = match verdict.follows {
                Follows::Refuses => format!("; the destination rejects it: {}", verdict.reason),
                Follows::InPlace | Follows::Refresh => String::new(),
            };
            let reason = format!(
                "rows are identified by a different key; accepting drops the rows written under \
                 the old one after a refresh{how}"
            );
            Judgement::choice(Severity::Breaking, reason)
                .refreshed(self.copying.refresh(RefreshMode::Truncate))
        };
        let found = self.found(ChangeKind::PrimaryKeyChanged);
        Some(
            found
                .values(json!(old), json!(new))
                .judged(self.own_roles(), judgement),
        )
    }

    pub(super) fn cursor(&self, renames: &Renames) -> Option<Change> {
        let (old, new) = (&self.entry.stream, self.now);
        let defined = |stream: &StreamDef| stream.source_defined_cursor.unwrap_or(false);
        let followed = renames.follow(&old.default_cursor_field);
        let same = old.default_cursor_field == new.default_cursor_field
            || followed == new.default_cursor_field;
        if defined(old) == defined(new) && same {
            return None;
        }
        let config = &self.entry.config;
        let used = self.copying.cursor.clone();
        let next = if defined(new) {
            new.default_cursor_field.clone()
        } else {
            used.clone()
        };
        let judgement = if !config.selected {
            Judgement::nothing("the stream is not synced")
        } else if !config.is_incremental() {
            update("the stream is read as a whole")
        } else if next == used && !used.is_empty() {
            update("the connection keeps its own cursor")
        } else {
            let reason = "the source uses a different cursor: the saved state of the old one is \
                          useless, so all rows are read again";
            Judgement::choice(Severity::Breaking, reason)
                .refreshed(self.copying.refresh(RefreshMode::Truncate))
        };
        let value = |stream: &StreamDef| {
            json!({
                "source_defined": defined(stream),
                "field": stream.default_cursor_field,
            })
        };
        let found = self.found(ChangeKind::CursorChanged);
        Some(
            found
                .values(value(old), value(new))
                .judged(self.own_roles(), judgement),
        )
    }

    pub(super) fn modes(&self) -> Option<Change> {
        let listed = |stream: &StreamDef| {
            let modes = stream.supported_sync_modes.iter();
            let mut modes: Vec<&str> = modes.map(|mode| read_word(*mode)).collect();
            modes.sort_unstable();
            modes.dedup();
            modes
        };
        let (old, new) = (listed(&self.entry.stream), listed(self.now));
        if old == new {
            return None;
        }
        let config = &self.entry.config;
        let possible = match config.sync_mode {
            SyncMode::FullRefresh => self.now.supports_full_refresh(),
            SyncMode::Incremental => new.is_empty() || self.now.supports_incremental(),
        };
        let judgement = if !config.selected {
            Judgement::nothing("the stream is not synced")
        } else if possible {
            update("the stream can still be read as before")
        } else {
            let modes = modes::choose_modes(self.now, &self.capabilities.destination_sync_modes);
            let reason = format!(
                "the source can no longer read it by {}; accepting switches to {} with {}",
                read_word(config.sync_mode),
                read_word(modes.sync_mode),
                word(modes.destination_sync_mode),
            );
            Judgement::choice(Severity::Breaking, reason)
        };
        let found = self.found(ChangeKind::ModesChanged);
        Some(
            found
                .values(json!(old), json!(new))
                .judged(self.own_roles(), judgement),
        )
    }

    pub(super) fn resumability(&self) -> Option<Change> {
        let value = |stream: &StreamDef| stream.is_resumable.unwrap_or(false);
        let (before, after) = (value(&self.entry.stream), value(self.now));
        if before == after {
            return None;
        }
        let reason = if after {
            "an interrupted full refresh now resumes where it stopped"
        } else {
            "an interrupted full refresh now restarts from the beginning"
        };
        let found = self.found(ChangeKind::ResumabilityChanged);
        Some(
            found
                .values(before.into(), after.into())
                .judged(self.own_roles(), update(reason)),
        )
    }

    pub(super) fn metadata(&self) -> Option<Change> {
        let files = |stream: &StreamDef| stream.is_file_based.unwrap_or(false);
        let roots = self.own_roots();
        if files(&self.entry.stream) == files(self.now)
            && canonical(&roots.0) == canonical(&roots.1)
        {
            return None;
        }
        let value = |stream: &StreamDef, root: &Node<'_>| {
            json!({
                "is_file_based": files(stream),
                "schema": without(root, "properties").to_value(),
            })
        };
        let (before, after) = (
            value(&self.entry.stream, self.roots.0),
            value(self.now, self.roots.1),
        );
        let found = self.found(ChangeKind::Metadata);
        Some(
            found
                .values(before, after)
                .judged(self.own_roles(), update("does not affect records")),
        )
    }

    /// The roots without their columns, and without the ids of columns whose changes are reported
    /// separately.
    fn own_roots(&self) -> (Node<'_>, Node<'_>) {
        let (before, after) = (Identities::of(self.roots.0), Identities::of(self.roots.1));
        let comparable = before.are_comparable(&after);
        let has = |root: &Node<'_>, name: &str| {
            root.get("properties")
                .is_some_and(|columns| columns.get(name).is_some())
        };
        let is_changed_column =
            |name: &str| match (has(self.roots.0, name), has(self.roots.1, name)) {
                (true, true) => {
                    comparable && before.column(name).is_some() && after.column(name).is_some()
                }
                (false, false) => false,
                _ => true,
            };
        (
            own_root(self.roots.0, &is_changed_column),
            own_root(self.roots.1, &is_changed_column),
        )
    }
}

fn own_root<'a>(root: &Node<'a>, is_changed_column: &impl Fn(&str) -> bool) -> Node<'a> {
    let mut own = without(root, "properties");
    let Node::Object(members) = &mut own else {
        return own;
    };
    for (name, ids) in members {
        let Node::Object(ids) = ids else { continue };
        if name != KEYWORD {
            continue;
        }
        for (name, columns) in ids {
            if let Node::Object(columns) = columns
                && name == "columns"
            {
                columns.retain(|(name, _)| !is_changed_column(name));
            }
        }
    }
    own
}
