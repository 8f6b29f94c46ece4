//! The state of an incremental stream: the cursor, and a digest of the rows that had it. A row
//! changed again under the same cursor value changes the digest, so that it is read again; rows
//! without a cursor have a digest of their own.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::rows::Stored;

/// A cursor's value. As text in the state, since JSON readers round numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "cursor_type", content = "cursor", rename_all = "snake_case")]
pub(super) enum CursorValue {
    /// An integer.
    Integer(#[serde(with = "as_text")] i64),
    /// A real.
    Real(#[serde(with = "as_text")] f64),
    /// A text.
    Text(String),
}

mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<T: std::fmt::Debug, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{value:?}"))
    }

    pub(super) fn deserialize<'de, T: std::str::FromStr, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| serde::de::Error::custom("the cursor is no number"))
    }
}

impl CursorValue {
    /// The cursor of a row; nothing for null.
    ///
    /// # Errors
    /// For values that have no order worth the name: blobs and broken texts.
    pub(super) fn of(value: Stored<'_>) -> Result<Option<Self>, &'static str> {
        match value {
            Stored::Null => Ok(None),
            Stored::Integer(value) => Ok(Some(Self::Integer(value))),
            Stored::Real(value) => Ok(Some(Self::Real(value))),
            Stored::Text(value) => Ok(Some(Self::Text(value.to_owned()))),
            Stored::Blob(_) => Err("a cursor value is binary"),
            Stored::Broken => Err("a cursor value is not UTF-8"),
        }
    }

    fn is(&self, value: Stored<'_>) -> bool {
        match (self, value) {
            (Self::Integer(mine), Stored::Integer(value)) => *mine == value,
            (Self::Real(mine), Stored::Real(value)) => *mine == value,
            (Self::Text(mine), Stored::Text(value)) => mine == value,
            _ => false,
        }
    }
}

/// How many rows there were and what they said, in whatever order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digest {
    /// How many.
    pub(super) rows: u64,
    /// Sum of the hashes of the rows' JSON; as text in the state, see [`CursorValue`].
    #[serde(with = "as_text")]
    sum: u64,
}

impl Digest {
    pub(super) fn add(&mut self, row: &[u8]) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(hash(row));
    }
}

/// FNV-1a over eight bytes at a time, mixed at the end: the same in every build, unlike the
/// standard library's.
fn hash(bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut state = 0xcbf2_9ce4_8422_2325_u64 ^ (bytes.len() as u64);
    for chunk in bytes.chunks(8) {
        let mut word = [0_u8; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = (state ^ u64::from_le_bytes(word)).wrapping_mul(PRIME);
        state ^= state >> 29;
    }
    state = (state ^ (state >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    state ^ (state >> 32)
}

/// The state of an incremental stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// The column that the rest is about.
    pub(super) cursor_field: String,
    /// The highest value read; absent before the first row that has one.
    #[serde(flatten)]
    pub(super) cursor: Option<CursorValue>,
    /// The rows with that value.
    #[serde(default)]
    pub(super) at_cursor: Digest,
    /// The rows without a cursor.
    #[serde(default)]
    pub(super) without_cursor: Digest,
}

impl Checkpoint {
    pub(super) fn new(cursor_field: &str) -> Self {
        Self {
            cursor_field: cursor_field.to_owned(),
            cursor: None,
            at_cursor: Digest::default(),
            without_cursor: Digest::default(),
        }
    }

    /// The saved checkpoint, if it is about that column.
    pub(super) fn saved(state: &RawValue, cursor_field: &str) -> Option<Self> {
        let saved: Self = serde_json::from_str(state.get()).ok()?;
        (saved.cursor_field == cursor_field).then_some(saved)
    }

    /// Takes a row into account; rows come in the cursor's order, those without one first.
    ///
    /// # Errors
    /// As [`CursorValue::of`].
    pub(super) fn advance(&mut self, cursor: Stored<'_>, row: &[u8]) -> Result<(), &'static str> {
        if cursor == Stored::Null {
            self.without_cursor.add(row);
            return Ok(());
        }
        if !self.cursor.as_ref().is_some_and(|mine| mine.is(cursor)) {
            self.cursor = CursorValue::of(cursor)?;
            self.at_cursor = Digest::default();
        }
        self.at_cursor.add(row);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_the_state_exactly() {
        let awkward = 0.1_f64 + 0.2;
        for cursor in [
            Some(CursorValue::Integer(i64::MAX)),
            Some(CursorValue::Real(awkward)),
            Some(CursorValue::Real(-1e-300)),
            Some(CursorValue::Text("é\"".to_owned())),
            None,
        ] {
            let mut checkpoint = Checkpoint::new("c");
            checkpoint.cursor = cursor;
            checkpoint.at_cursor.add(b"row");
            let json = serde_json::to_string(&checkpoint).unwrap();
            let raw = RawValue::from_string(json).unwrap();
            assert_eq!(Checkpoint::saved(&raw, "c"), Some(checkpoint), "{raw}");
            assert_eq!(Checkpoint::saved(&raw, "other"), None);
        }
        let empty = RawValue::from_string("{}".to_owned()).unwrap();
        assert_eq!(Checkpoint::saved(&empty, "c"), None);
    }

    #[test]
    fn a_digest_sees_any_row_and_no_order() {
        let digest = |rows: &[&str]| {
            let mut digest = Digest::default();
            rows.iter().for_each(|row| digest.add(row.as_bytes()));
            digest
        };
        assert_eq!(digest(&["a", "b"]), digest(&["b", "a"]));
        assert_ne!(digest(&["a", "b"]), digest(&["a", "c"]));
        assert_ne!(digest(&["a"]), digest(&["a", "a"]));
        assert_ne!(digest(&["a"]), digest(&["a\0"]));
    }
}
