//! Schemas by their text: equal ones are kept once, and each is looked through once for what
//! makes a schema unusable.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::model::Schema;
use crate::node::Node;

/// How deep objects and lists may nest in a schema. JSON parsers give up at 127 or so, and a
/// schema travels inside other documents.
pub(crate) const DEPTH_MAX: usize = 100;

/// Schemas that were read before. Given to several parses, it makes equal schemas one: they take
/// no memory of their own, and comparing them is comparing two addresses.
#[derive(Debug, Default)]
pub struct Interner {
    known: HashSet<Known>,
}

#[derive(Debug)]
struct Known(Schema);

impl Borrow<str> for Known {
    fn borrow(&self) -> &str {
        self.0.get()
    }
}

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.get().hash(state);
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl Eq for Known {}

impl Interner {
    /// How many different schemas it holds.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The schema of that text, or what is wrong with it.
    pub(crate) fn schema(&mut self, raw: &RawValue) -> Result<Schema, String> {
        if let Some(Known(schema)) = self.known.get(raw.get()) {
            return Ok(Arc::clone(schema));
        }
        if let Some(flaw) = flaw(raw.get()) {
            return Err(flaw);
        }
        let schema: Schema = Arc::from(raw.to_owned());
        self.known.insert(Known(Arc::clone(&schema)));
        Ok(schema)
    }
}

/// What keeps a JSON text from being understood: too much nesting, a number beyond a double, a
/// text that is not Unicode.
pub(crate) fn flaw(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut doubtful) = (0, 0_usize, false);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => {
                while let Some(&inside) = bytes.get(at) {
                    at += 1;
                    match inside {
                        b'"' => break,
                        b'\\' => {
                            // Half of a pair of escapes, perhaps without the other.
                            doubtful |= matches!(bytes.get(at..at + 2), Some(b"ud" | b"uD"));
                            at += 1;
                        }
                        _ => {}
                    }
                }
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Some(format!("is nested deeper than {DEPTH_MAX} levels"));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'0'..=b'9' => {
                let rest = &bytes[at..];
                let digits = rest
                    .iter()
                    .take_while(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
                let length = digits.count();
                let exponent = rest[..length].iter().any(|b| matches!(b, b'e' | b'E'));
                doubtful |= exponent || length > 300;
                at += length;
            }
            _ => {}
        }
    }
    if doubtful && serde_json::from_str::<Node<'_>>(text).is_err() {
        return Some("holds a number beyond all doubles or a text that is not Unicode".to_owned());
    }
    None
}

/// A member that nobody here knows, or what is wrong with it.
pub(crate) fn value(raw: &RawValue) -> Result<serde_json::Value, String> {
    match flaw(raw.get()) {
        Some(flaw) => Err(flaw),
        None => serde_json::from_str(raw.get()).map_err(|error| format!("cannot be read: {error}")),
    }
}
