//! Flattens a schema like Airbyte: path → node, with its treatment of nodes without a type and of
//! duplicate paths.

use std::collections::BTreeSet;
use std::ops::Bound;

use indexmap::IndexMap;
use serde_json::Value;

use crate::node::Node;

/// The fields of a schema by path.
pub(super) type Fields<'a> = IndexMap<Vec<&'a str>, Field<'a>>;

/// The content of a path.
#[derive(PartialEq)]
pub(super) enum Field<'a> {
    /// One schema.
    Schema(&'a Node<'a>),
    /// Several: Airbyte ignores their content, so that any two are equal.
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
    visit(root, false, &mut Vec::new(), &mut visited);
    let mut untyped = Prefixes::default();
    let mut fields = Fields::with_capacity(visited.len());
    // The root itself comes first and is not a field.
    for (path, node) in visited.into_iter().skip(1) {
        let typed = node.members().iter().any(|(key, _)| key.contains("type"));
        if !typed {
            untyped.insert(path.join("."));
        } else if untyped.covers(&path) {
            continue;
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

/// Texts of which none is a prefix of another, so that one lookup finds whether any of them is a
/// prefix of a text.
#[derive(Default)]
struct Prefixes(BTreeSet<String>);

impl Prefixes {
    fn insert(&mut self, text: String) {
        if self.begins(&text) {
            return;
        }
        let longer = self.0.range(text.clone()..);
        let longer: Vec<String> = longer
            .take_while(|other| other.starts_with(&text))
            .cloned()
            .collect();
        for other in longer {
            self.0.remove(&other);
        }
        self.0.insert(text);
    }

    fn covers(&self, path: &[&str]) -> bool {
        !self.0.is_empty() && self.begins(&path.join("."))
    }

    fn begins(&self, text: &str) -> bool {
        let upto = (Bound::Unbounded, Bound::Included(text));
        let last = self.0.range::<str, _>(upto).next_back();
        last.is_some_and(|prefix| text.starts_with(prefix.as_str()))
    }
}

/// Visits a node and its descendants. A type that is listed repeatedly yields its descendants once
/// more each time; from the third time on that changes nothing, so `again` marks the second visit
/// and nested repetitions do not multiply.
fn visit<'a>(
    node: &'a Node<'a>,
    again: bool,
    path: &mut Vec<&'a str>,
    visited: &mut Vec<(Vec<&'a str>, &'a Node<'a>)>,
) {
    if !node.is_object() {
        return;
    }
    visited.push((path.clone(), node));
    let types = types(node);
    for (index, kind) in types.iter().enumerate() {
        let again = match types[..index].iter().filter(|seen| *seen == kind).count() {
            0 if again && types[index + 1..].contains(kind) => continue,
            0 => again,
            1 if !again => true,
            _ => continue,
        };
        match *kind {
            "array" => {
                if let Some(items) = node.get("items") {
                    path.push("items");
                    visit(items, again, path, visited);
                    path.pop();
                }
            }
            "object" => {
                if let Some(properties) = node.get("properties") {
                    for (name, property) in properties.members() {
                        path.push(name.as_ref());
                        visit(property, again, path, visited);
                        path.pop();
                    }
                } else if let Some(branches) = branches(node) {
                    for branch in branches {
                        visit(branch, again, path, visited);
                    }
                }
            }
            _ => {}
        }
    }
}

fn types<'a>(node: &'a Node<'a>) -> Vec<&'a str> {
    match node.get("type") {
        // Other types have no descendants, and a list may be long.
        Some(Node::List(types)) => {
            let texts = types.iter().filter_map(Node::text);
            let mut kinds = Vec::new();
            for kind in texts.filter(|kind| matches!(*kind, "array" | "object")) {
                if kinds.iter().filter(|seen| **seen == kind).count() < 2 {
                    kinds.push(kind);
                }
            }
            kinds
        }
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
