//! The order of types: a type is below another if each of its values is a value of the other.

use serde::{Deserialize, Serialize};

use super::{Set, Type, ValueType};

/// How a type relates to the one that it replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// The same values.
    Identical,
    /// Every old value is a new one, but not the reverse.
    Widening,
    /// Every new value was possible before, but some old values no longer are.
    Narrowing,
    /// Neither, but every old value can be converted to a new one that keeps a part of it: the
    /// instant without its offset, a structure as its text.
    Lossy,
    /// None of the above.
    Incomparable,
}

impl Relation {
    /// Combines two relations that hold together, for example of values and of items.
    fn and(self, other: Self) -> Self {
        use Relation::{Identical, Lossy, Narrowing, Widening};
        match (self, other) {
            (Identical, one) | (one, Identical) => one,
            (Widening, Widening) => Widening,
            (Narrowing, Narrowing) => Narrowing,
            (Lossy, Lossy | Widening) | (Widening, Lossy) => Lossy,
            _ => Self::Incomparable,
        }
    }
}

impl Type {
    /// How `new` relates to this type, including null.
    pub fn relation(&self, new: &Self) -> Relation {
        let nulls = match (self.nullable, new.nullable) {
            (false, true) => Relation::Widening,
            (true, false) => Relation::Narrowing,
            _ => Relation::Identical,
        };
        self.values_relation(new).and(nulls)
    }

    /// How `new` relates to this type, without null.
    pub(crate) fn values_relation(&self, new: &Self) -> Relation {
        sets(self.values, new.values).and(self.items_relation(new))
    }

    fn items_relation(&self, new: &Self) -> Relation {
        let array = ValueType::Array;
        if !self.values.contains(array) || !new.values.contains(array) {
            return Relation::Identical;
        }
        match (&self.items, &new.items) {
            (Some(old), Some(new)) => old.relation(new),
            (Some(_), None) => Relation::Widening,
            (None, Some(_)) => Relation::Narrowing,
            (None, None) => Relation::Identical,
        }
    }
}

fn sets(old: Set, new: Set) -> Relation {
    if old == new {
        return Relation::Identical;
    }
    match (all_below(old, new), all_below(new, old)) {
        (true, false) => Relation::Widening,
        (false, true) => Relation::Narrowing,
        // One contains types that another of its members covers: text alone, or number or text.
        (true, true) if old.is_subset(new) => Relation::Widening,
        (true, true) if new.is_subset(old) => Relation::Narrowing,
        (true, true) => Relation::Incomparable,
        (false, false) if old.iter().all(|one| becomes_part(one, new)) => Relation::Lossy,
        (false, false) => Relation::Incomparable,
    }
}

fn all_below(lower: Set, upper: Set) -> bool {
    lower
        .iter()
        .all(|one| upper.iter().any(|other| below(one, other)))
}

/// Whether each value of one type is, unchanged, a value of another. Texts include every type with
/// a canonical spelling.
fn below(one: ValueType, other: ValueType) -> bool {
    use ValueType::{
        Binary, Boolean, Date, Integer, Number, String, TimeWithTimezone, TimeWithoutTimezone,
        TimestampWithTimezone, TimestampWithoutTimezone, Unknown,
    };
    one == other
        || matches!(
            (one, other),
            (_, Unknown)
                | (Integer, Number)
                | (Date, TimestampWithoutTimezone | TimestampWithTimezone)
                | (
                    Boolean
                        | Integer
                        | Number
                        | Date
                        | TimeWithoutTimezone
                        | TimeWithTimezone
                        | TimestampWithoutTimezone
                        | TimestampWithTimezone
                        | Binary,
                    String
                )
        )
}

fn becomes_part(one: ValueType, new: Set) -> bool {
    use ValueType::{
        Array, Object, String, TimeWithTimezone, TimeWithoutTimezone, TimestampWithTimezone,
        TimestampWithoutTimezone,
    };
    new.iter().any(|other| {
        below(one, other)
            || matches!(
                (one, other),
                (TimestampWithTimezone, TimestampWithoutTimezone)
                    | (TimestampWithoutTimezone, TimestampWithTimezone)
                    | (TimeWithTimezone, TimeWithoutTimezone)
                    | (TimeWithoutTimezone, TimeWithTimezone)
                    | (Object | Array, String)
            )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn types() -> impl Strategy<Value = Type> {
        let values = prop::sample::subsequence(
            ValueType::ALL
                .into_iter()
                .filter(|one| *one != ValueType::Union)
                .collect::<Vec<_>>(),
            0..4,
        );
        let plain = (values.clone(), any::<bool>()).prop_map(|(values, nullable)| Type {
            values: Set::of(values),
            nullable,
            items: None,
        });
        (values, any::<bool>(), prop::option::of(plain)).prop_map(|(values, nullable, items)| {
            Type {
                values: Set::of(values),
                nullable,
                items: items.map(Box::new),
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn a_type_is_identical_to_itself(a in types()) {
            prop_assert_eq!(a.relation(&a), Relation::Identical);
        }

        #[test]
        fn widening_is_the_inverse_of_narrowing(a in types(), b in types()) {
            prop_assert_eq!(a.relation(&b) == Relation::Widening, b.relation(&a) == Relation::Narrowing);
            prop_assert_eq!(a.relation(&b) == Relation::Identical, b.relation(&a) == Relation::Identical);
        }

        #[test]
        fn widening_is_transitive(a in types(), b in types(), c in types()) {
            if a.relation(&b) == Relation::Widening && b.relation(&c) == Relation::Widening {
                prop_assert_eq!(a.relation(&c), Relation::Widening, "{:?} {:?} {:?}", a, b, c);
            }
        }
    }

    #[test]
    fn named_pairs() {
        use serde_json::json;
        let text = json!({"type": "string"});
        let tz = json!({"type": "string", "format": "date-time"});
        let local = json!({"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"});
        let cases = [
            (
                json!({"type": "integer"}),
                json!({"type": "number"}),
                Relation::Widening,
            ),
            (
                json!({"type": "number"}),
                json!({"type": "integer"}),
                Relation::Narrowing,
            ),
            (
                json!({"type": ["null", "string"]}),
                text.clone(),
                Relation::Narrowing,
            ),
            (
                text.clone(),
                json!({"type": ["string", "null"]}),
                Relation::Widening,
            ),
            (tz.clone(), local.clone(), Relation::Lossy),
            (local, tz.clone(), Relation::Lossy),
            (
                tz,
                json!({"type": "string", "format": "date"}),
                Relation::Narrowing,
            ),
            (json!({"type": "object"}), text.clone(), Relation::Lossy),
            (
                text.clone(),
                json!({"type": "object"}),
                Relation::Incomparable,
            ),
            (
                json!({"type": "boolean"}),
                json!({"type": "integer"}),
                Relation::Incomparable,
            ),
            (
                json!({"type": "string", "airbyte_type": "big_integer"}),
                json!({"type": "integer"}),
                Relation::Identical,
            ),
            (
                json!({"type": "array", "items": {"type": "integer"}}),
                json!({"type": "array", "items": {"type": "string"}}),
                Relation::Widening,
            ),
            (
                json!({"type": "array"}),
                json!({"type": "array", "items": {"type": "string"}}),
                Relation::Narrowing,
            ),
            (
                json!({"oneOf": [{"type": "integer"}, {"type": "null"}]}),
                json!({"type": ["null", "integer"]}),
                Relation::Identical,
            ),
        ];
        for (old, new, expected) in cases {
            assert_eq!(
                Type::of(&old).relation(&Type::of(&new)),
                expected,
                "{old} {new}"
            );
        }
    }
}
