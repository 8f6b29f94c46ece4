//! The state of an incremental stream: the cursor, and a digest of the rows that have it. A row
//! that changes under the same cursor value changes the digest, so it is read again; rows without a
//! cursor have a separate digest.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Numbers as text in the state, since JSON readers round them.
pub(crate) mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<T: std::fmt::Debug, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{value:?}"))
    }

    pub(crate) fn deserialize<'de, T: std::str::FromStr, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| serde::de::Error::custom("the cursor is not a number"))
    }
}

/// The number and the content of rows, independent of their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Digest {
    /// How many.
    pub(crate) rows: u64,
    /// Sum of the hashes of the rows' JSON; as text in the state, see [`as_text`].
    #[serde(with = "as_text")]
    sum: u64,
}

impl Digest {
    pub(crate) fn add(&mut self, row: &[u8]) {
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

/// The state of an incremental stream; `C` is a cursor's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checkpoint<C> {
    /// The column that the rest is about.
    pub(crate) cursor_field: String,
    /// The highest value read; absent before the first row that has one.
    #[serde(flatten)]
    pub(crate) cursor: Option<C>,
    /// The rows with that value.
    #[serde(default)]
    pub(crate) at_cursor: Digest,
    /// The rows without a cursor.
    #[serde(default)]
    pub(crate) without_cursor: Digest,
}

impl<C> Checkpoint<C> {
    pub(crate) fn new(cursor_field: &str) -> Self {
        Self {
            cursor_field: cursor_field.to_owned(),
            cursor: None,
            at_cursor: Digest::default(),
            without_cursor: Digest::default(),
        }
    }

    /// The saved checkpoint, if it is about that column.
    pub(crate) fn saved(state: &RawValue, cursor_field: &str) -> Option<Self>
    where
        C: DeserializeOwned,
    {
        let saved: Self = serde_json::from_str(state.get()).ok()?;
        (saved.cursor_field == cursor_field).then_some(saved)
    }

    /// Takes a row without a cursor into account.
    pub(crate) fn take_without_cursor(&mut self, row: &[u8]) {
        self.without_cursor.add(row);
    }

    /// Adds a row; rows arrive in the cursor's order. `make` creates its cursor's value and is
    /// called only if it differs from the previous row's, according to `same`.
    pub(crate) fn take<E>(
        &mut self,
        row: &[u8],
        same: impl FnOnce(&C) -> bool,
        make: impl FnOnce() -> Result<C, E>,
    ) -> Result<(), E> {
        if !self.cursor.as_ref().is_some_and(same) {
            self.cursor = Some(make()?);
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
