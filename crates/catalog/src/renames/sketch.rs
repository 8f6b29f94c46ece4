//! Sketches of a column's values: enough to determine whether two columns hold the same values,
//! without disclosing the values.

use std::collections::{BTreeSet, HashMap};

use airbyte_protocol::StreamDescriptor;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The smallest salted hashes of a column's distinct values (a bottom-k sketch). Two sketches are
/// comparable only if they have the same salt, which their creator generates for each run and does
/// not disclose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sketch(BTreeSet<u64>);

impl Sketch {
    /// Maximum number of hashes in a sketch.
    pub const SIZE: usize = 256;

    /// A sketch of values in their canonical text form. The caller omits nulls.
    pub fn of<'a>(salt: &[u8], values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut smallest = BTreeSet::new();
        for value in values {
            let mut hash = Sha256::new();
            hash.update((salt.len() as u64).to_be_bytes());
            hash.update(salt);
            hash.update(value);
            let digest: [u8; 32] = hash.finalize().into();
            let [a, b, c, d, e, f, g, h, ..] = digest;
            smallest.insert(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
            if smallest.len() > Self::SIZE {
                smallest.pop_last();
            }
        }
        Self(smallest)
    }

    /// The number of distinct values in it.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Share of the smaller set of values that the other has too, 0 to 1; absent if a side has no
    /// values. Estimated over the range of hashes that both sketches cover.
    pub fn overlap(&self, other: &Self) -> Option<f64> {
        let range = |sketch: &Self| {
            let full = sketch.len() >= Self::SIZE;
            sketch
                .0
                .last()
                .copied()
                .filter(|_| full)
                .unwrap_or(u64::MAX)
        };
        let limit = range(self).min(range(other));
        let (mine, theirs) = (self.0.range(..=limit), other.0.range(..=limit));
        let smaller = mine.clone().count().min(theirs.count());
        if smaller == 0 {
            return None;
        }
        let both = mine.filter(|hash| other.0.contains(hash)).count();
        Some(both as f64 / smaller as f64)
    }
}

/// Sketches of the removed and the added columns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sketches {
    /// Of the destination's columns, or of the source's before it drifted.
    #[serde(default)]
    pub before: Vec<ColumnSketch>,
    /// Of the source's columns now.
    #[serde(default)]
    pub after: Vec<ColumnSketch>,
}

/// The sketch of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnSketch {
    /// The stream.
    pub stream: StreamDescriptor,
    /// The top-level column.
    pub column: String,
    /// Its values.
    pub sketch: Sketch,
}

/// Sketches of one side, by stream and column.
pub(crate) type Index<'a> = HashMap<(&'a StreamDescriptor, &'a str), &'a Sketch>;

impl Sketches {
    pub(crate) fn indexed(&self) -> (Index<'_>, Index<'_>) {
        fn index(side: &[ColumnSketch]) -> Index<'_> {
            side.iter()
                .map(|one| ((&one.stream, one.column.as_str()), &one.sketch))
                .collect()
        }
        (index(&self.before), index(&self.after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(range: std::ops::Range<u32>) -> Sketch {
        let values: Vec<String> = range.map(|n| n.to_string()).collect();
        Sketch::of(b"salt", values.iter().map(String::as_str))
    }

    #[test]
    fn overlap_is_the_share_of_the_smaller_side() {
        assert_eq!(sketch(0..100).overlap(&sketch(0..100)), Some(1.0));
        assert_eq!(sketch(0..100).overlap(&sketch(50..250)), Some(0.5));
        assert_eq!(sketch(0..100).overlap(&sketch(100..200)), Some(0.0));
        assert_eq!(sketch(0..0).overlap(&sketch(0..5)), None);
    }

    #[test]
    fn estimates_large_columns() {
        let half = sketch(0..20_000).overlap(&sketch(10_000..30_000)).unwrap();
        assert!((half - 0.5).abs() < 0.15, "{half}");
        assert_eq!(sketch(0..20_000).overlap(&sketch(0..20_000)), Some(1.0));
        assert_eq!(sketch(0..20_000).len(), Sketch::SIZE);
    }

    #[test]
    fn a_different_salt_shares_nothing() {
        let other = Sketch::of(b"pepper", ["1", "2", "3"]);
        assert_eq!(sketch(1..4).overlap(&other), Some(0.0));
    }
}
