//! Reading a record's object straight into the cells of its columns.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A row that is being filled.
pub(crate) trait Cells {
    /// The property that the column at that position is of.
    fn property(&self, position: usize) -> Option<&str>;

    /// Takes the value of a column.
    fn put(&mut self, position: usize, value: &RawValue);
}

/// Fills the row.
///
/// # Errors
/// If the data is not a JSON object.
pub(crate) fn fill(row: &mut impl Cells, data: &RawValue) -> Result<(), serde_json::Error> {
    let mut data = serde_json::Deserializer::from_str(data.get());
    Fields(row).deserialize(&mut data)
}

struct Fields<'r, R>(&'r mut R);

impl<'de, R: Cells> DeserializeSeed<'de> for Fields<'_, R> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, R: Cells> Visitor<'de> for Fields<'_, R> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Records have their columns' order most of the time.
        let mut expected = 0;
        while let Some(position) = map.next_key_seed(Name {
            row: &*self.0,
            expected,
        })? {
            let value: &RawValue = map.next_value()?;
            let Some(position) = position else { continue };
            expected = position + 1;
            self.0.put(position, value);
        }
        Ok(())
    }
}

/// Finds the column of a property, the expected one first.
struct Name<'r, R> {
    row: &'r R,
    expected: usize,
}

impl<'de, R: Cells> DeserializeSeed<'de> for Name<'_, R> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<R: Cells> Visitor<'_> for Name<'_, R> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a property's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let expected = Some(self.expected).filter(|at| self.row.property(*at) == Some(name));
        Ok(expected.or_else(|| {
            (0..)
                .map_while(|at| self.row.property(at).map(|property| (at, property)))
                .find(|(_, property)| *property == name)
                .map(|(at, _)| at)
        }))
    }
}
