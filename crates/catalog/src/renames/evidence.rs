//! The evidence for a rename.

use serde::{Deserialize, Serialize};

/// The quality of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Names, types and neighbors are similar. A person has to check.
    Weak,
    /// Position and type are equal, and so are the values. A person has to agree.
    Strong,
    /// The source's own id of the column or table is equal.
    Exact,
}

/// A fact for or against a rename.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// The source has the same id for both (`x-column-ids`).
    SameIdentity {
        /// The number of the column, or the id of the table.
        id: String,
    },
    /// It has the same neighbors.
    SamePosition,
    /// It has the same type.
    SameType,
    /// The share of values that both have, 0 to 1.
    Values {
        /// Share of the smaller set of values that both have.
        overlap: f64,
    },
    /// The similarity of the names, 0 to 1.
    Names {
        /// The likeness.
        likeness: f64,
    },
    /// The share of columns that both have, 0 to 1.
    Columns {
        /// Share of all columns of either.
        overlap: f64,
    },
    /// There are other candidates; this is the next best.
    Competition {
        /// The other's name.
        with: String,
    },
}

impl std::fmt::Display for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = |share: &f64| (share * 100.0).round();
        match self {
            Self::SameIdentity { id } => write!(f, "the source's own identity ({id})"),
            Self::SamePosition => f.write_str("same position"),
            Self::SameType => f.write_str("same type"),
            Self::Values { overlap } => write!(f, "{} % of the values", percent(overlap)),
            Self::Names { likeness } => write!(f, "names {} % alike", percent(likeness)),
            Self::Columns { overlap } => write!(f, "{} % of the columns", percent(overlap)),
            Self::Competition { with } => write!(f, "{with} could be meant too"),
        }
    }
}

/// Why a removal and an addition are treated as a rename.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Its quality.
    pub grade: Grade,
    /// The confidence, 0 to 1; exact evidence has 1.
    pub confidence: f64,
    /// The facts, in descending order of weight.
    pub facts: Vec<Fact>,
}

impl Evidence {
    /// The evidence of an id that the source itself maintains.
    pub(crate) fn exact(id: impl Into<String>) -> Self {
        Self {
            grade: Grade::Exact,
            confidence: 1.0,
            facts: vec![Fact::SameIdentity { id: id.into() }],
        }
    }

    /// Whether it may apply without approval.
    pub fn is_exact(&self) -> bool {
        self.grade == Grade::Exact
    }
}

impl std::fmt::Display for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let grade = match self.grade {
            Grade::Exact => "exact",
            Grade::Strong => "strong",
            Grade::Weak => "weak",
        };
        write!(f, "{grade} evidence, {:.2}: ", self.confidence)?;
        for (index, fact) in self.facts.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{fact}")?;
        }
        Ok(())
    }
}
