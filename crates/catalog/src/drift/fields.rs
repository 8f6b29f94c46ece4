//! The differences between two schemas of a stream as a person sees them: a changed nested field is
//! one difference, and does not change the columns around it.

use std::collections::HashMap;

use super::change::ChangeKind;
use crate::fingerprint::canonical;
use crate::node::Node;
use crate::types::{Relation, Type, ValueType};

/// A field that exists on one side only.
pub(crate) struct OneSided<'n, 'a> {
    pub(crate) path: Vec<String>,
    pub(crate) schema: &'n Node<'a>,
}

/// A field that exists on both sides with different schemas.
pub(super) struct Restated {
    pub(super) kind: ChangeKind,
    pub(super) path: Vec<String>,
    pub(super) before: serde_json::Value,
    pub(super) after: serde_json::Value,
    pub(super) relation: Relation,
    /// As `relation`, without null: what remains when nullability is considered separately.
    pub(super) values: Relation,
    pub(super) types: (Type, Type),
}

/// The differences between two schemas, each list in document order.
#[derive(Default)]
pub(super) struct Differences<'n, 'a> {
    pub(super) removed: Vec<OneSided<'n, 'a>>,
    pub(super) added: Vec<OneSided<'n, 'a>>,
    pub(super) restated: Vec<Restated>,
}

pub(super) fn compare<'n, 'a>(old: &'n Node<'a>, new: &'n Node<'a>) -> Differences<'n, 'a> {
    let mut differences = Differences::default();
    if old != new {
        properties(old, new, &mut Vec::new(), &mut differences);
    }
    differences
}

fn properties<'n, 'a>(
    old: &'n Node<'a>,
    new: &'n Node<'a>,
    path: &mut Vec<String>,
    out: &mut Differences<'n, 'a>,
) {
    let members = |node: &'n Node<'a>| node.get("properties").map_or(&[][..], Node::members);
    let (old, new) = (members(old), members(new));
    let at = |path: &[String], name: &str| {
        let mut path = path.to_vec();
        path.push(name.to_owned());
        path
    };
    let (old_index, new_index) = (Index::of(old), Index::of(new));
    for (name, schema) in old {
        if new_index.get(name).is_none() {
            let path = at(path, name);
            out.removed.push(OneSided { path, schema });
        }
    }
    for (name, schema) in new {
        match old_index.get(name) {
            None => {
                let path = at(path, name);
                out.added.push(OneSided { path, schema });
            }
            Some(before) => {
                path.push(name.to_string());
                field(before, schema, path, out);
                path.pop();
            }
        }
    }
}

/// Members by name. A linear search is quadratic over two schemas; for the few members of most
/// nested objects it is still faster.
enum Index<'n, 'a> {
    Few(&'n [(std::borrow::Cow<'a, str>, Node<'a>)]),
    Many(HashMap<&'n str, &'n Node<'a>>),
}

impl<'n, 'a> Index<'n, 'a> {
    fn of(members: &'n [(std::borrow::Cow<'a, str>, Node<'a>)]) -> Self {
        if members.len() <= 16 {
            return Self::Few(members);
        }
        let named = members.iter().map(|(name, value)| (name.as_ref(), value));
        Self::Many(named.collect())
    }

    fn get(&self, name: &str) -> Option<&'n Node<'a>> {
        match self {
            Self::Few(members) => members
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value),
            Self::Many(members) => members.get(name).copied(),
        }
    }
}

fn field<'n, 'a>(
    old: &'n Node<'a>,
    new: &'n Node<'a>,
    path: &mut Vec<String>,
    out: &mut Differences<'n, 'a>,
) {
    if old == new || canonical(old) == canonical(new) {
        return;
    }
    let objects = is_object_with_properties(old) && is_object_with_properties(new);
    let lists = is_list_with_items(old) && is_list_with_items(new);
    if !objects && !lists {
        out.restated.push(restated(path, old, new));
        return;
    }
    let inner = if objects { "properties" } else { "items" };
    let (own_old, own_new) = (without(old, inner), without(new, inner));
    if canonical(&own_old) != canonical(&own_new) {
        out.restated.push(restated(path, &own_old, &own_new));
    }
    if objects {
        properties(old, new, path, out);
    } else if let (Some(old), Some(new)) = (old.get("items"), new.get("items")) {
        path.push("items".to_owned());
        field(old, new, path, out);
        path.pop();
    }
}

/// The node without one of its members.
pub(super) fn without<'a>(node: &Node<'a>, member: &str) -> Node<'a> {
    let members = node.members().iter().filter(|(name, _)| name != member);
    Node::Object(members.cloned().collect())
}

fn restated(path: &[String], old: &Node<'_>, new: &Node<'_>) -> Restated {
    let types = (Type::of_node(old), Type::of_node(new));
    let values = types.0.values_relation(&types.1);
    Restated {
        kind: kind(old, new, &types, values),
        path: path.to_vec(),
        before: old.to_value(),
        after: new.to_value(),
        relation: types.0.relation(&types.1),
        values,
        types,
    }
}

/// The kind of the difference: the most severe of what changed.
fn kind(old: &Node<'_>, new: &Node<'_>, types: &(Type, Type), values: Relation) -> ChangeKind {
    let differs = |member: &str| old.get(member) != new.get(member);
    if names(old) != names(new) {
        ChangeKind::FieldTypeChanged
    } else if differs("format") {
        ChangeKind::FieldFormatChanged
    } else if differs("airbyte_type") {
        ChangeKind::FieldAirbyteTypeChanged
    } else if values != Relation::Identical {
        ChangeKind::FieldTypeChanged
    } else if types.0.is_nullable() != types.1.is_nullable() {
        ChangeKind::FieldNullabilityChanged
    } else if differs("enum") {
        ChangeKind::FieldEnumChanged
    } else {
        ChangeKind::FieldTypeChanged
    }
}

/// The names in `type` except null; empty if the schema has no `type`.
fn names<'n>(node: &'n Node<'_>) -> Vec<&'n str> {
    let mut names: Vec<&str> = match node.get("type") {
        Some(Node::List(types)) => types.iter().filter_map(Node::text).collect(),
        Some(one) => one.text().into_iter().collect(),
        None => Vec::new(),
    };
    names.retain(|name| *name != "null");
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether the node is an object, possibly nullable, with declared fields.
fn is_object_with_properties(node: &Node<'_>) -> bool {
    node.get("properties").is_some_and(Node::is_object)
        && Type::of_node(node).value_type() == ValueType::Object
}

/// Whether the node is a list, possibly nullable, with declared items.
fn is_list_with_items(node: &Node<'_>) -> bool {
    node.get("items").is_some_and(Node::is_object)
        && Type::of_node(node).value_type() == ValueType::Array
}
