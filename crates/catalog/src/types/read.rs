//! Reads a type from a schema node.

use super::{Set, Type, ValueType};
use crate::node::Node;

impl Type {
    /// The type that a schema declares.
    pub fn of(schema: &serde_json::Value) -> Self {
        let text = schema.to_string();
        serde_json::from_str::<Node<'_>>(&text)
            .map_or_else(|_| Self::anything(), |node| Self::of_node(&node))
    }

    fn anything() -> Self {
        Self {
            values: Set::of([ValueType::Unknown]),
            nullable: true,
            items: None,
        }
    }

    pub(crate) fn of_node(node: &Node<'_>) -> Self {
        let types: Vec<&str> = match node.get("type") {
            Some(Node::List(types)) => types.iter().filter_map(Node::text).collect(),
            Some(one) => one.text().into_iter().collect(),
            None => return Self::untyped(node),
        };
        let values = types.iter().filter(|name| **name != "null");
        Self {
            values: Set::of(values.map(|name| value_type(name, node))),
            nullable: types.contains(&"null"),
            items: items(node),
        }
    }

    fn untyped(node: &Node<'_>) -> Self {
        for keyword in ["oneOf", "anyOf", "allOf"] {
            if let Some(Node::List(branches)) = node.get(keyword) {
                let branches: Vec<Self> = branches.iter().map(Self::of_node).collect();
                return Self {
                    values: branches
                        .iter()
                        .fold(Set::default(), |all, branch| all.union(branch.values)),
                    nullable: branches.iter().any(|branch| branch.nullable),
                    items: branches.into_iter().find_map(|branch| branch.items),
                };
            }
        }
        let value = if node.get("enum").is_some() {
            ValueType::String
        } else if node.get("properties").is_some() {
            ValueType::Object
        } else if node.get("items").is_some() {
            ValueType::Array
        } else {
            return Self::anything();
        };
        Self {
            values: Set::of([value]),
            nullable: false,
            items: items(node),
        }
    }
}

fn items(node: &Node<'_>) -> Option<Box<Type>> {
    node.get("items")
        .filter(|items| items.is_object())
        .map(|items| Box::new(Type::of_node(items)))
}

fn value_type(name: &str, node: &Node<'_>) -> ValueType {
    let member = |name: &str| node.get(name).and_then(Node::text).unwrap_or_default();
    let airbyte_type = member("airbyte_type");
    match name {
        "boolean" => ValueType::Boolean,
        "integer" => ValueType::Integer,
        "number" if airbyte_type == "integer" => ValueType::Integer,
        "number" => ValueType::Number,
        "object" => ValueType::Object,
        "array" => ValueType::Array,
        "string" => match (member("format"), airbyte_type) {
            ("date", _) => ValueType::Date,
            ("time", "time_without_timezone") => ValueType::TimeWithoutTimezone,
            ("time", _) => ValueType::TimeWithTimezone,
            ("date-time", "timestamp_without_timezone") => ValueType::TimestampWithoutTimezone,
            ("date-time", _) => ValueType::TimestampWithTimezone,
            (_, "big_integer" | "integer") => ValueType::Integer,
            (_, "big_number") => ValueType::Number,
            _ if member("contentEncoding") == "base64" => ValueType::Binary,
            _ => ValueType::String,
        },
        _ => ValueType::Unknown,
    }
}
