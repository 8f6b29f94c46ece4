//! A cursor's value in the state of an incremental stream.

use serde::{Deserialize, Serialize};

use super::rows::Stored;
use crate::source::{as_text, differ_in_any_collation};

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

impl CursorValue {
    /// The cursor of a row.
    ///
    /// # Errors
    /// For values that have no order worth the name: nulls, blobs and broken texts.
    pub(super) fn of(value: Stored<'_>) -> Result<Self, &'static str> {
        match value {
            Stored::Null => Err("a cursor value is null"),
            Stored::Integer(value) => Ok(Self::Integer(value)),
            Stored::Real(value) => Ok(Self::Real(value)),
            Stored::Text(value) => Ok(Self::Text(value.to_owned())),
            Stored::Blob(_) => Err("a cursor value is binary"),
            Stored::Broken => Err("a cursor value is not UTF-8"),
        }
    }

    /// Whether the database treats two values as equal under any collation.
    pub(super) fn differs(&self, value: Stored<'_>) -> bool {
        #[expect(
            clippy::cast_precision_loss,
            reason = "what is the same after rounding counts as the same"
        )]
        match (self, value) {
            (Self::Text(mine), Stored::Text(value)) => differ_in_any_collation(mine, value),
            (Self::Integer(mine), Stored::Real(value)) => *mine as f64 != value,
            (Self::Real(mine), Stored::Integer(value)) => *mine != value as f64,
            (mine, value) => !mine.is(value),
        }
    }

    /// Whether that is this value.
    pub(super) fn is(&self, value: Stored<'_>) -> bool {
        match (self, value) {
            (Self::Integer(mine), Stored::Integer(value)) => *mine == value,
            (Self::Real(mine), Stored::Real(value)) => *mine == value,
            (Self::Text(mine), Stored::Text(value)) => mine == value,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::source::Checkpoint;

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
            assert_eq!(Checkpoint::<CursorValue>::saved(&raw, "other"), None);
        }
        let empty = RawValue::from_string("{}".to_owned()).unwrap();
        assert_eq!(Checkpoint::<CursorValue>::saved(&empty, "c"), None);
    }
}
