//! The differences between two schemas of a stream, as a person sees them: a changed nested field
//! is one difference, and the columns around it are none.

use std::collections::HashMap;

use serde_json::Value;

use super::types::{Comparison, compare_types, is_list_with_items, is_object_with_properties};
use crate::fingerprint::canonical;
use crate::node::Node;

/// What happened to a field.
pub(super) enum FieldChange {
    Added {
        path: Vec<String>,
        after: Value,
    },
    Removed {
        path: Vec<String>,
        before: Value,
    },
    Retyped {
        path: Vec<String>,
        before: Value,
        after: Value,
        comparison: Comparison,
    },
}

/// The differences between two schemas.
#[derive(Default)]
pub(super) struct Differences {
    pub(super) fields: Vec<FieldChange>,
    /// Whether members of the root other than its columns differ.
    pub(super) root: bool,
}

pub(super) fn compare(old: &Node<'_>, new: &Node<'_>) -> Differences {
    let mut differences = Differences::default();
    if old == new {
        return differences;
    }
    properties(old, new, &mut Vec::new(), &mut differences.fields);
    differences.root = canonical(&own(old, "properties")) != canonical(&own(new, "properties"));
    differences
}

fn properties(old: &Node<'_>, new: &Node<'_>, path: &mut Vec<String>, out: &mut Vec<FieldChange>) {
    let none = Node::Object(Vec::new());
    let (old, new) = (
        old.get("properties").unwrap_or(&none),
        new.get("properties").unwrap_or(&none),
    );
    let at = |path: &[String], name: &str| {
        let mut path = path.to_vec();
        path.push(name.to_owned());
        path
    };
    let (old_index, new_index) = (Index::of(old), Index::of(new));
    for (name, before) in old.members() {
        if new_index.get(name).is_none() {
            out.push(FieldChange::Removed {
                path: at(path, name),
                before: before.to_value(),
            });
        }
    }
    for (name, after) in new.members() {
        match old_index.get(name) {
            None => {
                out.push(FieldChange::Added {
                    path: at(path, name),
                    after: after.to_value(),
                });
            }
            Some(before) => {
                path.push(name.to_string());
                field(before, after, path, out);
                path.pop();
            }
        }
    }
}

/// Members by name. Looking through the list is quadratic over two schemas; for the few members of
/// most nested objects it is still the faster way.
enum Index<'n, 'a> {
    Few(&'n Node<'a>),
    Many(HashMap<&'n str, &'n Node<'a>>),
}

impl<'n, 'a> Index<'n, 'a> {
    fn of(node: &'n Node<'a>) -> Self {
        let members = node.members();
        if members.len() <= 16 {
            return Self::Few(node);
        }
        Self::Many(
            members
                .iter()
                .map(|(name, value)| (name.as_ref(), value))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<&'n Node<'a>> {
        match self {
            Self::Few(node) => node.get(name),
            Self::Many(members) => members.get(name).copied(),
        }
    }
}

fn field(old: &Node<'_>, new: &Node<'_>, path: &mut Vec<String>, out: &mut Vec<FieldChange>) {
    if old == new || canonical(old) == canonical(new) {
        return;
    }
    let objects = is_object_with_properties(old) && is_object_with_properties(new);
    let lists = is_list_with_items(old) && is_list_with_items(new);
    if !objects && !lists {
        out.push(FieldChange::Retyped {
            path: path.clone(),
            before: old.to_value(),
            after: new.to_value(),
            comparison: compare_types(old, new),
        });
        return;
    }
    let inner = if objects { "properties" } else { "items" };
    let (own_old, own_new) = (own(old, inner), own(new, inner));
    if canonical(&own_old) != canonical(&own_new) {
        out.push(FieldChange::Retyped {
            path: path.clone(),
            before: own_old.to_value(),
            after: own_new.to_value(),
            comparison: Comparison::Restated,
        });
    }
    if objects {
        properties(old, new, path, out);
    } else if let (Some(old), Some(new)) = (old.get("items"), new.get("items")) {
        path.push("items".to_owned());
        field(old, new, path, out);
        path.pop();
    }
}

/// The node without the member that is compared field by field.
fn own<'a>(node: &Node<'a>, inner: &str) -> Node<'a> {
    let members = node.members().iter().filter(|(name, _)| name != inner);
    Node::Object(members.cloned().collect())
}
