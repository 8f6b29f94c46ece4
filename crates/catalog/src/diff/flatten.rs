//! A schema as Airbyte flattens it: path → node, with the way it treats nodes without a type and
//! paths that occur more than once.

use indexmap::IndexMap;
use serde_json::Value;

use crate::node::Node;

/// The fields of a schema by path.
pub(super) type Fields<'a> = IndexMap<Vec<&'a str>, Field<'a>>;

/// What stands at a path.
#[derive(PartialEq)]
pub(super) enum Field<'a> {
    /// One schema.
    Schema(&'a Node<'a>),
    /// Several: Airbyte no longer looks at them, so that any two are equal.
    Duplicated,
}

impl Field<'_> {
    pub(super) fn to_value(&self) -> Value {
        match self {
            Field::Schema(node) => node.to_value(),
            Field::Duplicated => Value::from("Duplicated Schema"),
        }
    }
}

pub(super) fn flatten<'a>(root: &'a Node<'a>) -> Fields<'a> {
    let mut visited = Vec::new();
    visit(root, &mut Vec::new(), &mut visited);
    let mut untyped: Vec<String> = Vec::new();
    let mut fields = Fields::with_capacity(visited.len());
    // The root itself comes first and is no field.
    for (path, node) in visited.into_iter().skip(1) {
        let typed = node.members().iter().any(|(key, _)| key.contains("type"));
        if !typed {
            untyped.push(path.join("."));
        } else if !untyped.is_empty() {
            let joined = path.join(".");
            if untyped
                .iter()
                .any(|prefix| joined.starts_with(prefix.as_str()))
            {
                continue;
            }
        }
        match fields.entry(path) {
            indexmap::map::Entry::Vacant(free) => {
                free.insert(Field::Schema(node));
            }
            indexmap::map::Entry::Occupied(mut taken) => {
                taken.insert(Field::Duplicated);
            }
        }
    }
    fields
}

fn visit<'a>(
    node: &'a Node<'a>,
    path: &mut Vec<&'a str>,
    visited: &mut Vec<(Vec<&'a str>, &'a Node<'a>)>,
) {
    if !node.is_object() {
        return;
    }
    visited.push((path.clone(), node));
    for kind in types(node) {
        match kind {
            "array" => {
                if let Some(items) = node.get("items") {
                    path.push("items");
                    visit(items, path, visited);
                    path.pop();
                }
            }
            "object" => {
                if let Some(properties) = node.get("properties") {
                    for (name, property) in properties.members() {
                        path.push(name.as_ref());
                        visit(property, path, visited);
                        path.pop();
                    }
                } else if let Some(branches) = branches(node) {
                    for branch in branches {
                        visit(branch, path, visited);
                    }
                }
            }
            _ => {}
        }
    }
}

fn types<'a>(node: &'a Node<'a>) -> Vec<&'a str> {
    match node.get("type") {
        Some(Node::List(types)) => types.iter().filter_map(Node::text).collect(),
        Some(kind) => kind.text().into_iter().collect(),
        None if node.get("enum").is_some() => vec!["string"],
        None => vec!["object"],
    }
}

fn branches<'a>(node: &'a Node<'a>) -> Option<&'a [Node<'a>]> {
    match ["oneOf", "allOf", "anyOf"]
        .into_iter()
        .find_map(|keyword| node.get(keyword))?
    {
        Node::List(branches) => Some(branches),
        _ => None,
    }
}
