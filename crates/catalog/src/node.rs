//! A JSON document as a borrowed tree. Cheaper than `serde_json::Value`: member names and most
//! texts borrow from the document, and objects are lists.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

/// One JSON value.
#[derive(Debug, Clone)]
pub(crate) enum Node<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    /// Members in document order, each name once.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl<'a> Node<'a> {
    /// The tree of a document that is known to be valid JSON. Parsing a catalog rejects what no
    /// tree can hold (nesting, numbers, texts: `intern::flaw`); in a catalog built in code this
    /// becomes one opaque text, equal only to itself.
    pub(crate) fn of(raw: &'a RawValue) -> Self {
        serde_json::from_str(raw.get()).unwrap_or_else(|_| Node::Text(Cow::Borrowed(raw.get())))
    }

    /// The member with that name, of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Node<'a>> {
        self.members()
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// The members of an object; none for other values.
    pub(crate) fn members(&self) -> &[(Cow<'a, str>, Node<'a>)] {
        match self {
            Node::Object(members) => members,
            _ => &[],
        }
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self, Node::Object(_))
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match self {
            Node::Null => Value::Null,
            Node::Bool(value) => Value::Bool(*value),
            Node::Number(number) => Value::Number(number.clone()),
            Node::Text(text) => Value::String(text.to_string()),
            Node::List(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            Node::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|(key, value)| (key.to_string(), value.to_value()))
                    .collect(),
            ),
        }
    }
}

/// JSON equality: the order of members does not matter, the order of list items does.
impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Node::Null, Node::Null) => true,
            (Node::Bool(a), Node::Bool(b)) => a == b,
            (Node::Number(a), Node::Number(b)) => a == b,
            (Node::Text(a), Node::Text(b)) => a == b,
            (Node::List(a), Node::List(b)) => a == b,
            (Node::Object(a), Node::Object(b)) => same_members(a, b),
            _ => false,
        }
    }
}

fn same_members(a: &[(Cow<'_, str>, Node<'_>)], b: &[(Cow<'_, str>, Node<'_>)]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // Usually both documents have the same order.
    let ordered = a
        .iter()
        .zip(b)
        .take_while(|((a, _), (b, _))| a == b)
        .count();
    let (same, rest) = (a[..ordered].iter().zip(b), &a[ordered..]);
    if !same.clone().all(|((_, a), (_, b))| a == b) {
        return false;
    }
    let others: HashMap<&str, &Node<'_>> = b[ordered..]
        .iter()
        .map(|(key, value)| (key.as_ref(), value))
        .collect();
    rest.iter().all(|(key, value)| {
        others
            .get(key.as_ref())
            .is_some_and(|other| value == *other)
    })
}

/// A member's name, borrowed from the document if it has no escapes.
pub(crate) struct Key<'a>(pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Number::from_f64(value).map_or(Node::Null, Node::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Ok(Node::Object(last_wins(collect(map)?)))
    }
}

/// The members of an object, each value as raw text.
#[derive(Default)]
pub(crate) struct Members<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Members::collect(map)
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

impl<'a> Members<'a> {
    /// Collects the remaining members.
    pub(crate) fn collect<A: MapAccess<'a>>(map: A) -> Result<Self, A::Error> {
        Ok(Self(last_wins(collect(map)?)))
    }

    /// Keeps each name once.
    pub(crate) fn last_wins(members: Vec<(Cow<'a, str>, &'a RawValue)>) -> Self {
        Self(last_wins(members))
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

fn collect<'de, A, T>(mut map: A) -> Result<Vec<(Cow<'de, str>, T)>, A::Error>
where
    A: MapAccess<'de>,
    T: Deserialize<'de>,
{
    let mut members = Vec::with_capacity(map.size_hint().unwrap_or(4));
    while let Some((Key(key), value)) = map.next_entry::<Key<'de>, T>()? {
        members.push((key, value));
    }
    Ok(members)
}

/// A repeated name keeps its first position and takes its last value, as in common JSON libraries.
fn last_wins<'a, T>(members: Vec<(Cow<'a, str>, T)>) -> Vec<(Cow<'a, str>, T)> {
    let repeated = if members.len() <= 16 {
        let names = members.iter().map(|(key, _)| key);
        names
            .enumerate()
            .any(|(i, key)| members.iter().take(i).any(|(other, _)| other == key))
    } else {
        let mut seen = std::collections::HashSet::with_capacity(members.len());
        members.iter().any(|(key, _)| !seen.insert(key.as_ref()))
    };
    if !repeated {
        return members;
    }
    members
        .into_iter()
        .collect::<indexmap::IndexMap<_, _>>()
        .into_iter()
        .collect()
}
