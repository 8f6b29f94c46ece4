//! One partner for each: of several candidates the best wins, and one that is hardly better than
//! another is less sure.

use std::collections::HashMap;

use super::evidence::{Evidence, Fact};

/// What is less sure than this is no rename.
pub(super) const THRESHOLD: f64 = 0.6;
/// Candidates that are closer than this compete.
const MARGIN: f64 = 0.08;
/// What competition takes from confidence.
const DOUBT: f64 = 0.15;

/// Pairs of the two sides, each of them in one pair at most. `name` says how the second of a pair
/// is called.
pub(crate) fn one_to_one(
    mut scored: Vec<(usize, usize, Evidence)>,
    name: impl Fn(usize) -> String,
) -> Vec<(usize, usize, Evidence)> {
    // Ties go by place, so that the same question has the same answer.
    scored.sort_by(|a, b| {
        let by_confidence = b.2.confidence.total_cmp(&a.2.confidence);
        by_confidence.then_with(|| (a.0, a.1).cmp(&(b.0, b.1)))
    });
    let best = Best::of(&scored);
    let mut pairs: Vec<(usize, usize, Evidence)> = Vec::new();
    for (i, j, evidence) in &scored {
        let taken = |pair: &(usize, usize, Evidence)| pair.0 == *i || pair.1 == *j;
        if pairs.iter().any(taken) {
            continue;
        }
        let mut evidence = evidence.clone();
        if !evidence.is_exact() {
            let rival = scored.iter().find(|(a, b, other)| {
                other.confidence > evidence.confidence - MARGIN
                    && match (a == i, b == j) {
                        // One that has a better partner of its own is no competitor.
                        (true, false) => best.for_second.get(b) == Some(i),
                        (false, true) => best.without(*a, *j) <= other.confidence,
                        _ => false,
                    }
            });
            if let Some((_, b, _)) = rival {
                evidence.confidence -= DOUBT;
                evidence.facts.push(Fact::Competition { with: name(*b) });
            }
        }
        if evidence.confidence >= THRESHOLD {
            pairs.push((*i, *j, evidence));
        }
    }
    pairs
}

/// The best that each could have.
struct Best {
    /// For each of the second side, its best partner.
    for_second: HashMap<usize, usize>,
    /// For each of the first side, its two best partners with their confidence.
    for_first: HashMap<usize, Vec<(usize, f64)>>,
}

impl Best {
    /// Of pairs that are sorted, the surest first.
    fn of(scored: &[(usize, usize, Evidence)]) -> Self {
        let mut best = Self {
            for_second: HashMap::new(),
            for_first: HashMap::new(),
        };
        for (i, j, evidence) in scored {
            best.for_second.entry(*j).or_insert(*i);
            let two = best.for_first.entry(*i).or_default();
            if two.len() < 2 {
                two.push((*j, evidence.confidence));
            }
        }
        best
    }

    /// How sure the first is of its best partner other than `j`; 0 without one.
    fn without(&self, i: usize, j: usize) -> f64 {
        let two = self.for_first.get(&i).into_iter().flatten();
        let mut others = two.filter(|(other, _)| *other != j);
        others.next().map_or(0.0, |(_, confidence)| *confidence)
    }
}
