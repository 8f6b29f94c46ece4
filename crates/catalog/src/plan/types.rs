//! Types as people and destinations know them, and whether every value of one fits another.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::node::Node;

/// What a value can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Boolean,
    Integer,
    Number,
    Date,
    Time,
    Timestamp,
    TimestampWithZone,
    Text,
    Binary,
    Object,
    List,
    Anything,
}

/// How two types relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// The same values; only nullability or fine print differs.
    Restated,
    /// Every old value fits the new type.
    Widened,
    /// Old values may not fit the new type.
    Incompatible,
}

pub(super) fn compare_types(old: &Node<'_>, new: &Node<'_>) -> Comparison {
    let (before, after) = (kinds(old), kinds(new));
    let items = items_comparison(old, new, &before, &after);
    if before == after {
        return items;
    }
    if before.iter().all(|kind| fits(*kind, &after)) && items != Comparison::Incompatible {
        return Comparison::Widened;
    }
    Comparison::Incompatible
}

fn items_comparison(
    old: &Node<'_>,
    new: &Node<'_>,
    before: &BTreeSet<Kind>,
    after: &BTreeSet<Kind>,
) -> Comparison {
    if !before.contains(&Kind::List) || !after.contains(&Kind::List) {
        return Comparison::Restated;
    }
    match (old.get("items"), new.get("items")) {
        (Some(old), Some(new)) => compare_types(old, new),
        (Some(_), None) => Comparison::Widened,
        (None, Some(_)) => Comparison::Incompatible,
        (None, None) => Comparison::Restated,
    }
}

fn fits(kind: Kind, into: &BTreeSet<Kind>) -> bool {
    into.iter().any(|wider| {
        *wider == kind
            || matches!(
                (kind, wider),
                (_, Kind::Anything)
                    | (Kind::Integer, Kind::Number)
                    | (Kind::Date, Kind::Timestamp | Kind::TimestampWithZone)
                    | (
                        Kind::Boolean
                            | Kind::Integer
                            | Kind::Number
                            | Kind::Date
                            | Kind::Time
                            | Kind::Timestamp
                            | Kind::TimestampWithZone
                            | Kind::Binary,
                        Kind::Text
                    )
            )
    })
}

/// Whether the node is an object, or null, and says which fields it has.
pub(super) fn is_object_with_properties(node: &Node<'_>) -> bool {
    kinds(node) == BTreeSet::from([Kind::Object])
        && node.get("properties").is_some_and(Node::is_object)
}

/// Whether the node is a list, or null, and says what its items are.
pub(super) fn is_list_with_items(node: &Node<'_>) -> bool {
    kinds(node) == BTreeSet::from([Kind::List]) && node.get("items").is_some_and(Node::is_object)
}

/// What a value of the schema can be, null aside.
fn kinds(node: &Node<'_>) -> BTreeSet<Kind> {
    let types: Vec<&str> = match node.get("type") {
        Some(Node::List(types)) => types.iter().filter_map(Node::text).collect(),
        Some(kind) => kind.text().into_iter().collect(),
        None => return untyped(node),
    };
    types
        .into_iter()
        .filter_map(|name| kind(name, node))
        .collect()
}

fn untyped(node: &Node<'_>) -> BTreeSet<Kind> {
    for keyword in ["oneOf", "anyOf", "allOf"] {
        if let Some(Node::List(branches)) = node.get(keyword) {
            return branches.iter().flat_map(kinds).collect();
        }
    }
    let kind = if node.get("enum").is_some() {
        Kind::Text
    } else if node.get("properties").is_some() {
        Kind::Object
    } else if node.get("items").is_some() {
        Kind::List
    } else {
        Kind::Anything
    };
    BTreeSet::from([kind])
}

fn kind(name: &str, node: &Node<'_>) -> Option<Kind> {
    let member = |name: &str| node.get(name).and_then(Node::text).unwrap_or_default();
    let airbyte_type = member("airbyte_type");
    Some(match name {
        "null" => return None,
        "boolean" => Kind::Boolean,
        "integer" => Kind::Integer,
        "number" if airbyte_type == "integer" => Kind::Integer,
        "number" => Kind::Number,
        "object" => Kind::Object,
        "array" => Kind::List,
        "string" => match (member("format"), airbyte_type) {
            ("date", _) => Kind::Date,
            ("time", _) => Kind::Time,
            ("date-time", "timestamp_without_timezone") => Kind::Timestamp,
            ("date-time", _) => Kind::TimestampWithZone,
            (_, "big_integer" | "integer") => Kind::Integer,
            (_, "big_number") => Kind::Number,
            _ if member("contentEncoding") == "base64" => Kind::Binary,
            _ => Kind::Text,
        },
        _ => Kind::Anything,
    })
}

/// A schema in words: `whole number`, `text or list of numbers`.
pub fn describe(schema: &Value) -> String {
    let text = schema.to_string();
    serde_json::from_str::<Node<'_>>(&text)
        .map_or_else(|_| "anything".to_owned(), |node| words(&node))
}

fn words(node: &Node<'_>) -> String {
    let named: Vec<String> = kinds(node)
        .into_iter()
        .map(|kind| word(kind, node))
        .collect();
    if named.is_empty() {
        "nothing but null".to_owned()
    } else {
        named.join(" or ")
    }
}

fn word(kind: Kind, node: &Node<'_>) -> String {
    match kind {
        Kind::Boolean => "yes/no",
        Kind::Integer => "whole number",
        Kind::Number => "number",
        Kind::Date => "date",
        Kind::Time => "time",
        Kind::Timestamp => "date and time",
        Kind::TimestampWithZone => "date and time with zone",
        Kind::Text => "text",
        Kind::Binary => "binary",
        Kind::Object => "object",
        Kind::Anything => "anything",
        Kind::List => match node.get("items") {
            Some(items) if items.is_object() => return format!("list of {}", words(items)),
            _ => "list",
        },
    }
    .to_owned()
}
