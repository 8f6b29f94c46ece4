//! What destinations do about drift: the column that a type becomes there, and what happens to a
//! table that exists already when a column comes, goes or changes its type. The facts stand in
//! `data/destinations.json`, each with its source.

mod kind;
mod matrix;

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::types::ValueType;
use matrix::{Matrix, Row};

pub use kind::{DestinationKind, UnknownKind};

/// What a destination does with a table that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Follows {
    /// The table is changed where it stands.
    InPlace,
    /// The table is changed, or can be, but older rows are right only after they are read again.
    Refresh,
    /// The table keeps its shape: the sync ends over it, or forces new values into the old type.
    Refuses,
}

/// What becomes of the values: those that the table holds, and where it keeps its shape, those that
/// come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// They stay, digits beyond a double's precision aside.
    Kept,
    /// Some can be shortened or become null, or the sources disagree.
    AtRisk,
    /// They are gone.
    Lost,
}

/// How well a fact is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// A connector of AAM's does so; tests see it.
    Observed,
    /// The source says so.
    Documented,
    /// The source is silent about exactly this, or was not read there; it follows from the rest.
    Assumed,
}

/// What a destination does about one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// What it does with the table.
    pub follows: Follows,
    /// What becomes of the values.
    pub values: Values,
    /// The same in words, without a subject.
    pub reason: &'static str,
    /// Id of the source, for [`source`].
    pub source: &'static str,
    /// How well it is known.
    pub confidence: Confidence,
}

/// Where a fact is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The page's title.
    pub title: &'static str,
    /// Its address; empty for what is assumed.
    pub address: &'static str,
}

static MATRIX: LazyLock<Matrix> = LazyLock::new(|| {
    Matrix::parse(include_str!("../../data/destinations.json"))
        .expect("the data is a part of the program, and a test parses it")
});

/// The source of that id.
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

    /// The column type that values of the type get there; empty where a column has none.
    pub fn column_type(self, value: ValueType) -> &'static str {
        self.row().column(value)
    }

    /// What happens to an existing table when a column's type changes so.
    pub fn retype(self, from: ValueType, to: ValueType) -> Verdict {
        self.row().retype(from, to)
    }

    /// What happens when a stream has a new column.
    pub fn add_column(self) -> Verdict {
        self.row().add_column
    }

    /// What happens when a stream has lost a column.
    pub fn remove_column(self) -> Verdict {
        self.row().remove_column
    }

    /// What happens when a stream's key is another one.
    pub fn change_key(self) -> Verdict {
        self.row().change_key
    }

    /// What happens when a column has another name and nothing maps it back.
    pub fn rename_column(self) -> Verdict {
        self.row().rename_column
    }

    /// Whether all columns of the stream can be null there, so that it does not matter whether the
    /// source says that they can.
    pub fn nullable_columns(self) -> bool {
        self.row().nullable_columns
    }
}

#[cfg(test)]
mod tests;
