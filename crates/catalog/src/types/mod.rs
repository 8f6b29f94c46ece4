//! Value types as Airbyte's schemas declare them, and how two of them relate.

mod read;
mod relation;
mod words;

use serde::{Deserialize, Serialize};

pub use relation::Relation;
pub use words::describe;

/// The type of a value, from Airbyte's own set of types: `type`, `format` and `airbyte_type` of a
/// schema combined, without null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// `boolean`.
    Boolean,
    /// `integer`, and texts or numbers whose `airbyte_type` declares it.
    Integer,
    /// `number`, and texts whose `airbyte_type` is `big_number`.
    Number,
    /// A text of format `date`.
    Date,
    /// A text of format `time` without an offset.
    TimeWithoutTimezone,
    /// A text of format `time` with an offset.
    TimeWithTimezone,
    /// A text of format `date-time` without an offset.
    TimestampWithoutTimezone,
    /// A text of format `date-time` with an offset.
    TimestampWithTimezone,
    /// Any other text.
    String,
    /// A text that contains bytes in base64.
    Binary,
    /// `object`.
    Object,
    /// `array`.
    Array,
    /// One of several of the above.
    Union,
    /// Anything: the schema does not declare it.
    Unknown,
}

impl ValueType {
    /// Every type.
    pub const ALL: [Self; 14] = [
        Self::Boolean,
        Self::Integer,
        Self::Number,
        Self::Date,
        Self::TimeWithoutTimezone,
        Self::TimeWithTimezone,
        Self::TimestampWithoutTimezone,
        Self::TimestampWithTimezone,
        Self::String,
        Self::Binary,
        Self::Object,
        Self::Array,
        Self::Union,
        Self::Unknown,
    ];
}

/// A set of types; small enough to copy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Set(u16);

impl Set {
    pub(crate) fn of(types: impl IntoIterator<Item = ValueType>) -> Self {
        types.into_iter().fold(Self(0), Self::with)
    }

    fn with(self, one: ValueType) -> Self {
        Self(self.0 | (1 << one as u16))
    }

    pub(crate) fn contains(self, one: ValueType) -> bool {
        self.0 & (1 << one as u16) != 0
    }

    fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = ValueType> {
        ValueType::ALL
            .into_iter()
            .filter(move |one| self.contains(*one))
    }
}

/// The type of a field: what its values can be, whether they can be null, what the items of a list
/// are. `Union` is never in the set: it means several of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    pub(crate) values: Set,
    pub(crate) nullable: bool,
    pub(crate) items: Option<Box<Type>>,
}

impl Type {
    /// The one type that a destination sees: for several types a union, for none `Unknown`.
    pub fn value_type(&self) -> ValueType {
        let mut types = self.values.iter();
        match (types.next(), types.next()) {
            (Some(one), None) => one,
            (Some(_), Some(_)) => ValueType::Union,
            (None, _) => ValueType::Unknown,
        }
    }

    /// Whether values can be null.
    pub fn is_nullable(&self) -> bool {
        self.nullable
    }
}
