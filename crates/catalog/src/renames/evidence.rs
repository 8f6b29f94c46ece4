//! What speaks for a rename.

use serde::{Deserialize, Serialize};

/// How good evidence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Names, types and neighbours are alike. A person has to look.
    Weak,
    /// Place and type are the same, and so are the values. A person has to agree.
    Strong,
    /// The source's own identity of the column or table is the same.
    Exact,
}

/// One thing that speaks for or against a rename.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// The source knows both by this identity (`x-column-ids`).
    SameIdentity {
        /// The number of the column, or the id of the table.
        id: String,
    },
    /// It stands between the same neighbours.
    SamePosition,
    /// It is of the same type.
    SameType,
    /// So much of the values of either is found in the other, 0 to 1.
    Values {
        /// Share of the smaller set of values that both have.
        overlap: f64,
    },
    /// So alike are the names, 0 to 1.
    Names {
        /// The likeness.
        likeness: f64,
    },
    /// So many of the columns are the same, 0 to 1.
    Columns {
        /// Share of all columns of either.
        overlap: f64,
    },
    /// Others could be meant too; the next best is this one.
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

/// Why a removal and an addition are taken for a rename.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// How good it is.
    pub grade: Grade,
    /// How sure, 0 to 1; exact evidence is 1.
    pub confidence: f64,
    /// What speaks for it, the weightiest first.
    pub facts: Vec<Fact>,
}

impl Evidence {
    /// The evidence of an identity that the source itself keeps.
    pub(crate) fn exact(id: impl Into<String>) -> Self {
        Self {
            grade: Grade::Exact,
            confidence: 1.0,
            facts: vec![Fact::SameIdentity { id: id.into() }],
        }
    }

    /// Whether it may apply without a person.
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
