//! The evidence that two columns, or two streams, are the same.

use std::collections::BTreeSet;

use super::assign::THRESHOLD;
use super::evidence::{Evidence, Fact, Grade};
use super::fields::Values;
use super::names::{Name, likeness};
use super::place::Place;
use crate::types::{Relation, Type};

/// Fewer values than this overlap by chance.
const DISTINCT_MIN: usize = 16;
/// From this overlap on, values support a rename.
const OVERLAP_STRONG: f64 = 0.5;
/// Up to this overlap, values contradict one.
const OVERLAP_NONE: f64 = 0.1;
/// Streams that share fewer columns than this must have similar names.
const COLUMNS_MIN: usize = 4;
/// Maximum confidence of weak evidence.
const WEAK_MAX: f64 = 0.9;

/// A column under comparison.
pub(super) struct Seen<'n> {
    pub(super) name: Name,
    pub(super) ty: Type,
    pub(super) place: Option<Place<'n>>,
}

/// The evidence that a removed column is an added one; none if there is too little.
pub(super) fn columns(
    removed: &Seen<'_>,
    added: &Seen<'_>,
    values: Option<Values>,
    stream: &Name,
) -> Option<Evidence> {
    if removed.ty.values_relation(&added.ty) != Relation::Identical {
        return None;
    }
    let place = match (&removed.place, &added.place) {
        (Some(one), Some(other)) => one.likeness(other),
        _ => 0.0,
    };
    let names = likeness(&removed.name, &added.name, stream);
    let telling = values.filter(|values| values.distinct >= DISTINCT_MIN);
    let mut facts = Vec::new();
    if place >= 1.0 {
        facts.push(Fact::SamePosition);
    }
    facts.push(Fact::SameType);
    let round = |share: f64| (share * 100.0).round() / 100.0;
    if let Some(Values { overlap, .. }) = telling {
        if overlap <= OVERLAP_NONE {
            return None;
        }
        let overlap = round(overlap);
        facts.push(Fact::Values { overlap });
        if overlap >= OVERLAP_STRONG && place >= 1.0 {
            facts.push(Fact::Names {
                likeness: round(names),
            });
            return Some(Evidence {
                grade: Grade::Strong,
                confidence: round(0.8 + 0.15 * overlap + 0.04 * names),
                facts,
            });
        }
    }
    facts.push(Fact::Names {
        likeness: round(names),
    });
    let by_values = telling.map_or(0.0, |values| values.overlap * 0.2);
    let confidence = (0.85 * names + 0.12 * place + by_values).min(WEAK_MAX);
    (confidence >= THRESHOLD).then(|| Evidence {
        grade: Grade::Weak,
        confidence: round(confidence),
        facts,
    })
}

/// The evidence for a field with the same name and type in another parent.
pub(super) fn moved() -> Evidence {
    Evidence {
        grade: Grade::Weak,
        confidence: 0.7,
        facts: vec![Fact::SameType, Fact::Names { likeness: 1.0 }],
    }
}

/// Columns by name and type.
pub(crate) type Columns = BTreeSet<(String, String)>;

/// The evidence that a removed stream is an added one: by their columns (name and type), and by
/// their names.
pub(crate) fn streams(
    (old, new): (&str, &str),
    (before, after): (&Columns, &Columns),
) -> Option<Evidence> {
    let both = before.intersection(after).count();
    let all = before.len() + after.len() - both;
    if both == 0 {
        return None;
    }
    let overlap = both as f64 / all as f64;
    let names = likeness(&Name::of(old), &Name::of(new), &Name::of(""));
    // Two tables that only share a key and a date are not evidence.
    if both < COLUMNS_MIN && names < 0.5 {
        return None;
    }
    let confidence = (0.6 * overlap + 0.35 * names).min(WEAK_MAX);
    let round = |share: f64| (share * 100.0).round() / 100.0;
    (overlap >= 0.6 && confidence >= THRESHOLD).then(|| Evidence {
        grade: Grade::Weak,
        confidence: round(confidence),
        facts: vec![
            Fact::Columns {
                overlap: round(overlap),
            },
            Fact::Names {
                likeness: round(names),
            },
        ],
    })
}
