//! Assigns at most one partner to each: of several candidates the best wins, and one that is hardly
//! better than another has a lower confidence.

use std::collections::HashMap;

use super::evidence::{Evidence, Fact};

/// Pairs below this confidence are not renames.
pub(super) const THRESHOLD: f64 = 0.6;
/// Candidates that are closer than this compete.
const MARGIN: f64 = 0.08;
/// The reduction of confidence by competition.
const DOUBT: f64 = 0.15;

/// Pairs of the two sides, each in at most one pair. `name` returns the name of the second of a
/// pair.
pub(crate) fn one_to_one(
    mut scored: Vec<(usize, usize, Evidence)>,
    name: impl Fn(usize) -> String,
) -> Vec<(usize, usize, Evidence)> {
    // Ties are resolved by position, so that the result is deterministic.
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
                        // A candidate that has a better partner itself is not a competitor.
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

/// The best partner that each could have.
struct Best {
    /// For each of the second side, its best partner.
    for_second: HashMap<usize, usize>,
    /// For each of the first side, its two best partners with their confidence.
    for_first: HashMap<usize, Vec<(usize, f64)>>,
}

impl Best {
    /// From sorted pairs, highest confidence first.
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

    /// The confidence of the first in its best partner other than `j`; 0 if it has none.
    fn without(&self, i: usize, j: usize) -> f64 {
        let two = self.for_first.get(&i).into_iter().flatten();
        let mut others = two.filter(|(other, _)| *other != j);
        others.next().map_or(0.0, |(_, confidence)| *confidence)
    }
}
