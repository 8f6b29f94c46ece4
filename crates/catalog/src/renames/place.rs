//! The position of a column among the unchanged columns.

use std::collections::HashMap;

use crate::node::Node;

/// The unchanged neighbors on either side, and the index of the column among the removed or added
/// ones between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'n> {
    before: Option<&'n str>,
    after: Option<&'n str>,
    ordinal: usize,
}

impl Place<'_> {
    /// Whether the two have the same neighbors; 1 for the same position between them, a fraction
    /// for one neighbor.
    pub(super) fn likeness(&self, other: &Place<'_>) -> f64 {
        let (before, after) = (self.before == other.before, self.after == other.after);
        match (before, after) {
            (true, true) if self.ordinal == other.ordinal => 1.0,
            (true, true) => 0.8,
            (true, false) | (false, true) => 0.4,
            (false, false) => 0.0,
        }
    }
}

/// The positions of the columns of `mine` that `others` lacks, by name.
pub(super) fn places<'n>(mine: &'n Node<'_>, others: &Node<'_>) -> HashMap<&'n str, Place<'n>> {
    let members = |node: &'n Node<'_>| node.get("properties").map_or(&[][..], Node::members);
    let stays: std::collections::HashSet<&str> = others
        .get("properties")
        .map_or(&[][..], Node::members)
        .iter()
        .map(|(name, _)| name.as_ref())
        .collect();
    let mut places: HashMap<&str, Place<'_>> = HashMap::new();
    let mut gap: Vec<&str> = Vec::new();
    let mut before = None;
    let mut close = |gap: &mut Vec<&'n str>, before: Option<&'n str>, after: Option<&'n str>| {
        for (ordinal, name) in gap.drain(..).enumerate() {
            places.insert(
                name,
                Place {
                    before,
                    after,
                    ordinal,
                },
            );
        }
    };
    for (name, _) in members(mine) {
        if stays.contains(name.as_ref()) {
            close(&mut gap, before, Some(name.as_ref()));
            before = Some(name.as_ref());
        } else {
            gap.push(name.as_ref());
        }
    }
    close(&mut gap, before, None);
    places
}
