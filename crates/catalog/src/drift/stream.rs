//! The changes of a stream that exists on both sides.

use super::Capabilities;
use super::change::{Change, ChangeKind, Found, Role};
use super::fields::{self, OneSided, Restated};
use super::identity::Identities;
use super::severity::{Copying, Judgement};
use crate::diff;
use crate::model::{StreamDef, SyncStream};
use crate::node::Node;
use crate::renames::{self, Evidence, sketch};

/// A stream whose changes are being computed.
pub(super) struct Stream<'a> {
    pub(super) entry: &'a SyncStream,
    pub(super) now: &'a StreamDef,
    pub(super) roots: (&'a Node<'a>, &'a Node<'a>),
    pub(super) copying: Copying<'a>,
    pub(super) capabilities: &'a Capabilities,
}

/// The changes of a stream; `roots` are its schemas, old and new.
pub(super) fn changes(
    entry: &SyncStream,
    now: &StreamDef,
    roots: (&Node<'_>, &Node<'_>),
    capabilities: &Capabilities,
    sketches: (&sketch::Index<'_>, &sketch::Index<'_>),
) -> Vec<Change> {
    let config = &entry.config;
    let cursor = if config.cursor_field.is_empty() {
        entry.stream.default_cursor_field.clone()
    } else {
        config.cursor_field.clone()
    };
    let stream = Stream {
        entry,
        now,
        roots,
        copying: Copying {
            config,
            cursor,
            destination: capabilities.destination,
            mappers: capabilities.mappers,
        },
        capabilities,
    };
    let mut changes = stream.fields(sketches);
    let renames = Renames::among(&changes);
    changes.extend(stream.recreated());
    changes.extend(stream.key(&renames));
    changes.extend(stream.cursor(&renames));
    changes.extend(stream.modes());
    changes.extend(stream.resumability());
    changes.extend(stream.metadata());
    stream.mark_breaking(&mut changes);
    changes
}

/// Renamed fields. A key or cursor that only follows them is not a separate change: it is applied
/// or deferred with the rename.
pub(super) struct Renames(Vec<(Vec<String>, Vec<String>)>);

impl Renames {
    fn among(changes: &[Change]) -> Self {
        let renamed = changes
            .iter()
            .filter_map(|change| Some((change.path.clone(), change.to_path.clone()?)));
        Self(renamed.collect())
    }

    /// The field's new path.
    pub(super) fn follow(&self, path: &[String]) -> Vec<String> {
        for (from, to) in &self.0 {
            if path.starts_with(from) {
                return [to, &path[from.len()..]].concat();
            }
        }
        path.to_vec()
    }
}

impl Stream<'_> {
    pub(super) fn found(&self, kind: ChangeKind) -> Found {
        Found::new(kind, self.entry.descriptor())
    }

    /// The roles of the stream itself.
    pub(super) fn own_roles(&self) -> Vec<Role> {
        if self.entry.config.selected {
            vec![Role::Selected]
        } else {
            Vec::new()
        }
    }

    fn fields(&self, sketches: (&sketch::Index<'_>, &sketch::Index<'_>)) -> Vec<Change> {
        let differences = fields::compare(self.roots.0, self.roots.1);
        let pairs = self.pairs(&differences, sketches);
        let mut changes = Vec::new();
        for (index, removed) in differences.removed.iter().enumerate() {
            let pair = pairs.iter().find(|(from, _, _)| *from == index);
            changes.push(match pair {
                Some((_, to, evidence)) => {
                    self.renamed(removed, &differences.added[*to], evidence.clone())
                }
                None => self.removed(removed),
            });
        }
        changes.extend(
            differences
                .restated
                .into_iter()
                .map(|field| self.restated(field)),
        );
        for (index, added) in differences.added.iter().enumerate() {
            if !pairs.iter().any(|(_, to, _)| *to == index) {
                changes.push(self.added(added));
            }
        }
        changes
    }

    /// Pairs removed with added fields, by their positions in the two lists.
    fn pairs(
        &self,
        differences: &fields::Differences<'_, '_>,
        sketches: (&sketch::Index<'_>, &sketch::Index<'_>),
    ) -> Vec<(usize, usize, Evidence)> {
        if !self.entry.config.selected
            || differences.removed.is_empty()
            || differences.added.is_empty()
        {
            return Vec::new();
        }
        let (descriptor, now) = (self.entry.descriptor(), self.now.descriptor());
        let question = renames::Question {
            roots: self.roots,
            removed: &differences.removed,
            added: &differences.added,
            copied: &|path| !self.copying.roles(path).is_empty(),
            values: &|removed, added| {
                let ([before], [after]) = (removed.path.as_slice(), added.path.as_slice()) else {
                    return None;
                };
                let before = sketches.0.get(&(&descriptor, before.as_str()))?;
                let after = sketches.1.get(&(&now, after.as_str()))?;
                Some(renames::Values {
                    overlap: before.overlap(after)?,
                    distinct: before.len().min(after.len()),
                })
            },
            stream: &descriptor.name,
        };
        renames::fields(&question)
    }

    fn added(&self, field: &OneSided<'_, '_>) -> Change {
        let judgement = self.copying.added(&field.path);
        let roles = self.copying.roles(&field.path);
        let found = Found {
            path: field.path.clone(),
            after: Some(field.schema.to_value()),
            ..self.found(ChangeKind::FieldAdded)
        };
        found.judged(roles, judgement)
    }

    fn removed(&self, field: &OneSided<'_, '_>) -> Change {
        let judgement = self.copying.removed(&field.path);
        let roles = self.copying.roles(&field.path);
        let found = Found {
            path: field.path.clone(),
            before: Some(field.schema.to_value()),
            ..self.found(ChangeKind::FieldRemoved)
        };
        found.judged(roles, judgement)
    }

    fn renamed(
        &self,
        from: &OneSided<'_, '_>,
        to: &OneSided<'_, '_>,
        evidence: Evidence,
    ) -> Change {
        let siblings = from.path.split_last().map(|(_, parent)| parent)
            == to.path.split_last().map(|(_, parent)| parent);
        let kind = if siblings {
            ChangeKind::FieldRenamed
        } else {
            ChangeKind::FieldMoved
        };
        let judgement = self.copying.renamed(&from.path, &to.path, &evidence);
        let types = (
            crate::types::Type::of_node(from.schema),
            crate::types::Type::of_node(to.schema),
        );
        let found = Found {
            path: from.path.clone(),
            to_path: Some(to.path.clone()),
            relation: Some(types.0.relation(&types.1)),
            evidence: Some(evidence),
            ..self.found(kind)
        };
        found
            .values(from.schema.to_value(), to.schema.to_value())
            .judged(self.copying.roles(&from.path), judgement)
    }

    fn restated(&self, field: Restated) -> Change {
        let judgement = self.copying.restated(&field);
        let roles = self.copying.roles(&field.path);
        let found = Found {
            path: field.path,
            relation: Some(field.relation),
            ..self.found(field.kind)
        };
        found
            .values(field.before, field.after)
            .judged(roles, judgement)
    }

    /// Columns with the same name and a different id: recreated, or names that were swapped.
    fn recreated(&self) -> Vec<Change> {
        let (before, after) = (Identities::of(self.roots.0), Identities::of(self.roots.1));
        if !before.are_comparable(&after) {
            return Vec::new();
        }
        let has = |root: &Node<'_>, name: &str| {
            root.get("properties")
                .is_some_and(|columns| columns.get(name).is_some())
        };
        let mut changes = Vec::new();
        for name in before.columns() {
            let (Some(was), Some(is)) = (before.column(name), after.column(name)) else {
                continue;
            };
            if was == is || !has(self.roots.0, name) || !has(self.roots.1, name) {
                continue;
            }
            let path = vec![name.to_owned()];
            let judgement: Judgement = self.copying.recreated(&path, before.named(&is));
            let found = Found {
                path: path.clone(),
                ..self.found(ChangeKind::FieldRecreated)
            };
            changes.push(
                found
                    .values(was.into(), is.into())
                    .judged(self.copying.roles(&path), judgement),
            );
        }
        changes
    }

    /// Marks the changes for which Airbyte's own diff disables the connection.
    fn mark_breaking(&self, changes: &mut [Change]) {
        // Only a change of a key or cursor can be breaking, and flattening schemas is expensive.
        let used = |change: &Change| {
            change.kind == ChangeKind::PrimaryKeyChanged || change.roles.len() > 1
        };
        if !self.entry.config.selected || !changes.iter().any(used) {
            return;
        }
        let Some(update) = diff::stream(&self.entry.stream, self.now, &self.entry.config) else {
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
                ChangeKind::FieldRemoved
                | ChangeKind::FieldRenamed
                | ChangeKind::FieldMoved
                | ChangeKind::FieldTypeChanged => {
                    breaking.iter().any(|path| path.starts_with(&change.path))
                }
                ChangeKind::PrimaryKeyChanged => key,
                _ => false,
            };
        }
    }
}
