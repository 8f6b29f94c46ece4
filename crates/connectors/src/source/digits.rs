//! The precision and scale of a decimal column, which its schema passes to destinations with
//! decimal types.

use serde_json::{Value, json};

/// Digits of the widest decimal that destinations agree on.
const PRECISION_MAX: u8 = 38;

/// So many digits, so many of them behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digits {
    precision: u8,
    scale: u8,
}

impl Digits {
    /// Nothing where destinations have no such column: more than 38 digits, or none before the
    /// point of one that begins further behind it.
    pub(crate) fn new(precision: i64, scale: i64) -> Option<Self> {
        let digits = Self {
            precision: u8::try_from(precision).ok()?,
            scale: u8::try_from(scale).ok()?,
        };
        let sound =
            (1..=PRECISION_MAX).contains(&digits.precision) && digits.scale <= digits.precision;
        sound.then_some(digits)
    }

    /// Adds `x-decimal` to the schema of a number.
    pub(crate) fn add_to(self, schema: &mut Value) {
        schema["x-decimal"] = json!({ "precision": self.precision, "scale": self.scale });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_existing_streams_of_a_destination_are_reported() {
        assert!(Digits::new(38, 0).is_some() && Digits::new(5, 5).is_some());
        for (precision, scale) in [(39, 0), (0, 0), (3, 5), (5, -2), (-1, 0), (1000, 1000)] {
            assert_eq!(
                Digits::new(precision, scale),
                None,
                "{precision} and {scale}"
            );
        }
        let mut schema = json!({ "type": "number" });
        Digits::new(12, 2).unwrap().add_to(&mut schema);
        assert_eq!(
            schema,
            json!({ "type": "number", "x-decimal": { "precision": 12, "scale": 2 } })
        );
    }
}
