//! One partner for each: of several candidates the best wins, and one that is hardly better than
//! another is less sure.

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
    let best_of = |j: usize| {
        scored
            .iter()
            .find(|(_, other, _)| *other == j)
            .map(|(i, _, _)| *i)
    };
    let mut pairs: Vec<(usize, usize, Evidence)> = Vec::new();
    for (i, j, evidence) in &scored {
        let taken = |pair: &(usize, usize, Evidence)| pair.0 == *i || pair.1 == *j;
        if pairs.iter().any(taken) {
            continue;
        }
        let mut evidence = evidence.clone();
        if !evidence.is_exact() {
            let close = |other: &Evidence| other.confidence > evidence.confidence - MARGIN;
            // One that has a better partner of its own is no competitor.
            let rival = scored.iter().find(|(a, b, other)| {
                close(other)
                    && ((a == i && b != j && best_of(*b) == Some(*i))
                        || (b == j
                            && a != i
                            && best_of(*j) == Some(*i)
                            && !scored.iter().any(|(c, d, better)| {
                                c == a && d != j && better.confidence > other.confidence
                            })))
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
