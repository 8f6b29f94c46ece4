//! How destinations behave on drift: the column type for each value type, and what happens to an
//! existing table when a column is added, removed or changes its type. The facts are in
//! `data/destinations.json`, each with its source.

mod kind;
mod matrix;

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::types::ValueType;
use matrix::{Matrix, Row};

pub use kind::{DestinationKind, UnknownKind};

/// What a destination does with an existing table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Follows {
    /// The table is changed in place.
    InPlace,
    /// The table is or can be changed, but older rows are only correct after a refresh.
    Refresh,
    /// The table keeps its shape: the sync fails, or new values are converted to the old type.
    Refuses,
}

/// What happens to the values: those in the table and, if it keeps its shape, new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// They are kept, except for digits beyond a double's precision.
    Kept,
    /// Some can be truncated or become null, or the sources disagree.
    AtRisk,
    /// They are lost.
    Lost,
}

/// How certain a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// One of AAM's connectors behaves like this; tests verify it.
    Observed,
    /// The source states it.
    Documented,
    /// The source does not mention this, or was not consulted; it follows from the rest.
    Assumed,
}

/// What a destination does about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// What it does with the table.
    pub follows: Follows,
    /// What happens to the values.
    pub values: Values,
    /// The verdict as text, without a subject.
    pub reason: &'static str,
    /// Id of the source, for [`source`].
    pub source: &'static str,
    /// How certain it is.
    pub confidence: Confidence,
}

/// The source of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The page's title.
    pub title: &'static str,
    /// Its address; empty for an assumption.
    pub address: &'static str,
}

static MATRIX: LazyLock<Matrix> = LazyLock::new(|| {
    Matrix::parse(include_str!("../../data/destinations.json"))
        .expect("the data is a part of the program, and a test parses it")
});

/// Returns the source with that id.
pub fn source(id: &str) -> Option<&'static Source> {
    MATRIX.source(id)
}

/// The ids of all sources, in alphabetical order.
pub fn sources() -> impl Iterator<Item = &'static str> {
    MATRIX.sources()
}

impl DestinationKind {
    fn row(self) -> &'static Row {
        MATRIX.row(self)
    }

    /// The column type for values of this type; empty if a column has none.
    pub fn column_type(self, value: ValueType) -> &'static str {
        self.row().column(value)
    }

    /// What happens to an existing table when a column's type changes like this.
    pub fn retype(self, from: ValueType, to: ValueType) -> Verdict {
        self.row().retype(from, to)
    }

    /// What happens when a stream has a new column.
    pub fn add_column(self) -> Verdict {
        self.row().add_column
    }

    /// What happens when a stream loses a column.
    pub fn remove_column(self) -> Verdict {
        self.row().remove_column
    }

    /// What happens when a stream's key changes.
    pub fn change_key(self) -> Verdict {
        self.row().change_key
    }

    /// What happens when a column is renamed and no mapper restores the old name.
    pub fn rename_column(self) -> Verdict {
        self.row().rename_column
    }

    /// Whether all columns of the stream are nullable there, so that the source's nullability does
    /// not matter.
    pub fn nullable_columns(self) -> bool {
        self.row().nullable_columns
    }
}

#[cfg(test)]
mod tests;
