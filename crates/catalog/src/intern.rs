//! Interns schemas by their text: equal ones are stored once, and each is checked once for defects
//! that make it unusable.

use std::borrow::Borrow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::model::Schema;
use crate::node::Node;

/// Maximum nesting of objects and lists in a schema. JSON parsers fail at about 127 levels, and a
/// schema is embedded in other documents.
pub(crate) const DEPTH_MAX: usize = 100;

/// Previously parsed schemas. Shared by several parses, it makes equal schemas identical: they take
/// no extra memory, and comparing them means comparing two addresses.
#[derive(Debug, Default)]
pub struct Interner {
    known: HashMap<Sample, Alike>,
    len: usize,
}

/// A text's length and some of its bytes. Hashing whole schemas would cost more than parsing them.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Sample(usize, [u8; Self::BYTES]);

impl Sample {
    const BYTES: usize = 64;

    fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut sample = [0; Self::BYTES];
        for (index, byte) in sample.iter_mut().enumerate() {
            *byte = *bytes.get(index * bytes.len() / Self::BYTES).unwrap_or(&0);
        }
        Self(bytes.len(), sample)
    }
}

/// The schemas with the same sample: hashed completely only if there are several, so that schemas
/// crafted to look alike cost no more than their length.
#[derive(Debug)]
enum Alike {
    One(Schema),
    Several(HashSet<Known>),
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

impl Alike {
    fn get(&self, text: &str) -> Option<&Schema> {
        match self {
            Self::One(schema) => Some(schema).filter(|schema| schema.get() == text),
            Self::Several(known) => known.get(text).map(|Known(schema)| schema),
        }
    }

    fn insert(&mut self, schema: Schema) {
        match self {
            Self::One(first) => {
                let both = [Arc::clone(first), schema];
                *self = Self::Several(both.map(Known).into());
            }
            Self::Several(known) => {
                known.insert(Known(schema));
            }
        }
    }
}

impl Interner {
    /// The number of different schemas.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it contains no schema.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the schema with that text, or its defect.
    pub(crate) fn schema(&mut self, raw: &RawValue) -> Result<Schema, String> {
        let place = self.known.entry(Sample::of(raw.get()));
        if let Entry::Occupied(alike) = &place
            && let Some(schema) = alike.get().get(raw.get())
        {
            return Ok(Arc::clone(schema));
        }
        if let Some(flaw) = flaw(raw.get()) {
            return Err(flaw);
        }
        let schema: Schema = Arc::from(raw.to_owned());
        self.len += 1;
        let kept = Arc::clone(&schema);
        match place {
            Entry::Occupied(mut alike) => alike.get_mut().insert(kept),
            Entry::Vacant(free) => {
                free.insert(Alike::One(kept));
            }
        }
        Ok(schema)
    }
}

/// The defect that makes a JSON text unusable: excessive nesting, a number beyond a double, a text
/// that is not Unicode.
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
                            // Half of a surrogate pair, perhaps without the other.
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
        return Some(
            "contains a number beyond all doubles or a text that is not Unicode".to_owned(),
        );
    }
    None
}

/// Parses a value that is stored apart from its text, or returns its defect.
pub(crate) fn value(raw: &RawValue) -> Result<serde_json::Value, String> {
    match flaw(raw.get()) {
        Some(flaw) => Err(flaw),
        None => {
            serde_json::from_str(raw.get()).map_err(|error| format!("cannot be parsed: {error}"))
        }
    }
}
