//! A stream's definition in the next version: what the source offers now, with the old definition
//! of deferred changes, so that they are detected again.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::drift::identity::KEYWORD;
use crate::drift::{Change, ChangeKind};
use crate::model::{Schema, StreamDef};
use crate::node::Node;
use crate::schema;

/// The definition with the `deferred` changes reverted.
pub(super) fn definition(old: &StreamDef, now: &StreamDef, deferred: &[&Change]) -> StreamDef {
    let mut stream = now.clone();
    for change in deferred {
        match change.kind {
            ChangeKind::PrimaryKeyChanged => {
                let key = &old.source_defined_primary_key;
                stream.source_defined_primary_key.clone_from(key);
            }
            ChangeKind::CursorChanged => {
                stream.source_defined_cursor = old.source_defined_cursor;
                let cursor = &old.default_cursor_field;
                stream.default_cursor_field.clone_from(cursor);
            }
            ChangeKind::ModesChanged => {
                let modes = &old.supported_sync_modes;
                stream.supported_sync_modes.clone_from(modes);
            }
            ChangeKind::ResumabilityChanged => stream.is_resumable = old.is_resumable,
            ChangeKind::Metadata => stream.is_file_based = old.is_file_based,
            _ => {}
        }
    }
    // A key and cursor that followed a rename are deferred with it.
    for change in deferred {
        if let Some(to) = &change.to_path {
            let key = stream.source_defined_primary_key.iter_mut();
            for path in key.chain([&mut stream.default_cursor_field]) {
                if path.starts_with(to) {
                    *path = [&change.path, &path[to.len()..]].concat();
                }
            }
        }
    }
    stream.json_schema = restored(&old.json_schema, &now.json_schema, deferred);
    stream
}

fn restored(old: &Schema, now: &Schema, deferred: &[&Change]) -> Schema {
    let touches = |change: &&Change| !change.path.is_empty() || change.kind == ChangeKind::Metadata;
    if !deferred.iter().any(touches) {
        return Arc::clone(now);
    }
    let (before, mut root) = (Node::of(old).to_value(), Node::of(now).to_value());
    let ids = (before.get(KEYWORD).cloned(), root.get(KEYWORD).cloned());
    let metadata = deferred
        .iter()
        .any(|change| change.kind == ChangeKind::Metadata);
    if metadata {
        root = with_columns_of(&before, &root);
    }
    // Remove additions first: a field may have moved into what is restored.
    for change in deferred {
        match change.kind {
            ChangeKind::FieldAdded => remove(&mut root, &change.path),
            ChangeKind::FieldRenamed => restore_name(&mut root, change),
            ChangeKind::FieldMoved => {
                remove(&mut root, change.to_path.as_deref().unwrap_or_default());
            }
            _ => {}
        }
    }
    for change in deferred {
        if change.kind != ChangeKind::FieldRecreated
            && !change.path.is_empty()
            && let Some(own) = &change.before
        {
            put(&mut root, &before, change, own);
        }
    }
    restore_ids(&mut root, ids, deferred, metadata);
    schema::raw(&root).map_or_else(|| Arc::clone(now), Schema::from)
}

/// The old root's own members with the new root's columns.
fn with_columns_of(before: &Value, now: &Value) -> Value {
    let mut members = Map::new();
    let own = before.as_object().into_iter().flatten();
    for (name, value) in own.filter(|(name, _)| *name != "properties") {
        members.insert(name.clone(), value.clone());
    }
    if let Some(columns) = now.get("properties") {
        members.insert("properties".to_owned(), columns.clone());
    }
    Value::Object(members)
}

/// The ids of the definition's columns: the old ones for deferred changes.
fn restore_ids(
    root: &mut Value,
    (before, now): (Option<Value>, Option<Value>),
    deferred: &[&Change],
    metadata: bool,
) {
    let rest = if metadata { &before } else { &now };
    let Some(mut ids) = rest.clone() else {
        return;
    };
    // An id is only meaningful within its table.
    let table = |ids: &Option<Value>| ids.as_ref().and_then(|ids| ids.get("table").cloned());
    let same_table = table(&before) == table(&Some(ids.clone()));
    let of = |ids: &Option<Value>, name: &str| ids.as_ref()?.get("columns")?.get(name).cloned();
    let Some(columns) = ids.get_mut("columns").and_then(Value::as_object_mut) else {
        return;
    };
    let names: Vec<String> = root
        .get("properties")
        .and_then(Value::as_object)
        .map(|columns| columns.keys().cloned().collect())
        .unwrap_or_default();
    let was = |name: &str| {
        deferred.iter().any(|change| {
            change.path.len() == 1
                && change.path[0] == name
                && matches!(
                    change.kind,
                    ChangeKind::FieldRemoved
                        | ChangeKind::FieldRenamed
                        | ChangeKind::FieldMoved
                        | ChangeKind::FieldRecreated
                )
        })
    };
    for name in &names {
        let (old, new) = (of(&before, name), of(&now, name));
        // An id that only one side knows belongs to the root, not to the column.
        let id = match (old, new) {
            (old, _) if was(name) => old.filter(|_| same_table),
            (Some(_), None) | (None, Some(_)) | (None, None) => columns.get(name).cloned(),
            (Some(_), Some(new)) => Some(new),
        };
        match id {
            Some(id) => {
                columns.insert(name.clone(), id);
            }
            None => {
                columns.remove(name);
            }
        }
    }
    for change in deferred {
        let gone = match change.kind {
            ChangeKind::FieldAdded => Some(&change.path),
            ChangeKind::FieldRenamed | ChangeKind::FieldMoved => change.to_path.as_ref(),
            _ => None,
        };
        if let Some([name]) = gone.map(Vec::as_slice)
            && !names.contains(name)
        {
            columns.remove(name);
        }
    }
    if let Some(members) = root.as_object_mut() {
        members.insert(KEYWORD.to_owned(), ids);
    }
}

/// The node that contains the field at the path, and the field's name in it.
fn holder<'v, 'p>(
    node: &'v mut Value,
    path: &'p [String],
) -> Option<(&'v mut Map<String, Value>, &'p String)> {
    let [name, rest @ ..] = path else {
        return None;
    };
    let members = node.as_object_mut()?;
    let is_list = !members.contains_key("properties") && members.contains_key("items");
    if is_list && name == "items" {
        if rest.is_empty() {
            return Some((members, name));
        }
        return holder(members.get_mut("items")?, rest);
    }
    let properties = members.entry("properties").or_insert(Value::Null);
    if !properties.is_object() {
        *properties = Value::Object(Map::new());
    }
    let properties = properties.as_object_mut()?;
    if rest.is_empty() {
        return Some((properties, name));
    }
    holder(properties.get_mut(name)?, rest)
}

/// Writes a field's old schema at its path. Its parents exist: a field that was removed with its
/// parent is part of the parent's change. Fields of an object and items of a list that were
/// compared separately stay unchanged.
fn put(root: &mut Value, old: &Value, change: &Change, before: &Value) {
    let Some((holder, name)) = holder(root, &change.path) else {
        return;
    };
    let mut schema = before.clone();
    let here = holder.get(name).and_then(Value::as_object);
    let restated = change.to_path.is_none() && change.after.is_some();
    if let (true, Some(here), Some(own)) = (restated, here, schema.as_object_mut()) {
        for inner in ["properties", "items"] {
            let value_of = |schema: &Option<Value>| {
                schema
                    .as_ref()
                    .is_some_and(|schema| schema.get(inner).is_some())
            };
            if let (false, false, Some(fields)) = (
                value_of(&change.before),
                value_of(&change.after),
                here.get(inner),
            ) {
                own.insert(inner.to_owned(), fields.clone());
            }
        }
    }
    if holder.contains_key(name) {
        holder.insert(name.clone(), schema);
        return;
    }
    // At its old position: positions are evidence for renames.
    let siblings = siblings(old, &change.path);
    let here = siblings.iter().position(|sibling| *sibling == name);
    let earlier = &siblings[..here.unwrap_or_default()];
    let place = earlier
        .iter()
        .rev()
        .find_map(|sibling| holder.keys().position(|key| key == *sibling));
    holder.shift_insert(place.map_or(0, |place| place + 1), name.clone(), schema);
}

/// The names next to a field in the old schema, in document order.
fn siblings<'v>(old: &'v Value, path: &[String]) -> Vec<&'v String> {
    let Some((_, parent)) = path.split_last() else {
        return Vec::new();
    };
    let holder = parent.iter().try_fold(old, |here, part| {
        let field = here.get("properties").and_then(|fields| fields.get(part));
        field.or_else(|| (part == "items").then(|| here.get("items")).flatten())
    });
    let fields = holder.and_then(|holder| holder.get("properties"));
    fields
        .and_then(Value::as_object)
        .map(|fields| fields.keys().collect())
        .unwrap_or_default()
}

/// Restores a renamed field's old name at its new position: the position is evidence for the
/// rename, which must be detected again.
fn restore_name(root: &mut Value, change: &Change) {
    let to = change.to_path.as_deref().unwrap_or_default();
    let (Some((holder, new)), Some(old)) = (holder(root, to), change.path.last()) else {
        return;
    };
    if let Some(place) = holder.keys().position(|name| name == new)
        && let Some(schema) = holder.shift_remove(new)
    {
        holder.shift_insert(place, old.clone(), schema);
    }
}

fn remove(root: &mut Value, path: &[String]) {
    if let Some((holder, name)) = holder(root, path) {
        holder.shift_remove(name);
    }
}
