//! Pairs removed with added fields.

use std::collections::{HashMap, HashSet};

use super::assign::one_to_one;
use super::evidence::Evidence;
use super::likeness::{self, Seen};
use super::names::Name;
use super::place::{Place, places};
use crate::drift::fields::OneSided;
use crate::drift::identity::Identities;
use crate::node::Node;
use crate::types::{Relation, Type};

/// Maximum number of sibling pairs compared by similarity; beyond it, only ids and spelling
/// variants pair fields.
const COMPARED_MAX: usize = 2_500;

/// What is known about the values of two columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Values {
    /// Share of the smaller set that the other has too.
    pub(crate) overlap: f64,
    /// Number of distinct values of the smaller side; few values overlap by chance.
    pub(crate) distinct: usize,
}

/// The removed and added fields of one stream.
pub(crate) struct Question<'q, 'n, 'a> {
    pub(crate) roots: (&'n Node<'a>, &'n Node<'a>),
    pub(crate) removed: &'q [OneSided<'n, 'a>],
    pub(crate) added: &'q [OneSided<'n, 'a>],
    /// Whether a removed field is synced: others have nothing to carry over.
    pub(crate) copied: &'q dyn Fn(&[String]) -> bool,
    /// What is known about the values of a removed and an added field.
    pub(crate) values: &'q dyn Fn(&OneSided<'_, '_>, &OneSided<'_, '_>) -> Option<Values>,
    /// The stream's name, which columns often repeat.
    pub(crate) stream: &'q str,
}

/// Pairs of a removed and an added field, by positions in the question's lists.
pub(crate) fn fields(question: &Question<'_, '_, '_>) -> Vec<(usize, usize, Evidence)> {
    let mut open = Open {
        removed: (0..question.removed.len())
            .filter(|i| (question.copied)(&question.removed[*i].path))
            .collect(),
        added: (0..question.added.len()).collect(),
        pairs: Vec::new(),
    };
    exact(question, &mut open);
    let mut groups: HashMap<&[String], (Vec<usize>, Vec<usize>)> = HashMap::new();
    for i in &open.removed {
        groups
            .entry(parent(&question.removed[*i].path))
            .or_default()
            .0
            .push(*i);
    }
    for j in &open.added {
        groups
            .entry(parent(&question.added[*j].path))
            .or_default()
            .1
            .push(*j);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_unstable();
    for (parent, (removed, added)) in groups {
        if !removed.is_empty() && !added.is_empty() {
            let found = siblings(question, parent, &removed, &added);
            open.take(found);
        }
    }
    moved(question, &mut open);
    open.pairs
}

struct Open {
    removed: Vec<usize>,
    added: Vec<usize>,
    pairs: Vec<(usize, usize, Evidence)>,
}

impl Open {
    fn take(&mut self, found: Vec<(usize, usize, Evidence)>) {
        for (i, j, evidence) in found {
            self.removed.retain(|one| *one != i);
            self.added.retain(|one| *one != j);
            self.pairs.push((i, j, evidence));
        }
    }
}

fn parent(path: &[String]) -> &[String] {
    path.split_last().map_or(&[], |(_, parent)| parent)
}

fn name(path: &[String]) -> &str {
    path.last().map_or("", String::as_str)
}

/// Columns with the same id in one table.
fn exact(question: &Question<'_, '_, '_>, open: &mut Open) {
    let ids = (
        Identities::of(question.roots.0),
        Identities::of(question.roots.1),
    );
    if !ids.0.are_comparable(&ids.1) {
        return;
    }
    let by_id: HashMap<String, usize> = open
        .added
        .iter()
        .filter(|j| question.added[**j].path.len() == 1)
        .filter_map(|j| Some((ids.1.column(name(&question.added[*j].path))?, *j)))
        .collect();
    let mut found = Vec::new();
    for i in &open.removed {
        let path = &question.removed[*i].path;
        let Some(id) = ids.0.column(name(path)).filter(|_| path.len() == 1) else {
            continue;
        };
        if let Some(j) = by_id.get(&id) {
            found.push((*i, *j, Evidence::exact(id)));
        }
    }
    open.take(found);
}

fn siblings(
    question: &Question<'_, '_, '_>,
    parent: &[String],
    removed: &[usize],
    added: &[usize],
) -> Vec<(usize, usize, Evidence)> {
    let none = Node::Object(Vec::new());
    let roots = (
        at(question.roots.0, parent).unwrap_or(&none),
        at(question.roots.1, parent).unwrap_or(&none),
    );
    let (before, after) = (places(roots.0, roots.1), places(roots.1, roots.0));
    let stream = Name::of(question.stream);
    let identities = (
        Identities::of(question.roots.0),
        Identities::of(question.roots.1),
    );
    let numbered = parent.is_empty() && identities.0.are_comparable(&identities.1);
    let left: Vec<Seen<'_>> = removed
        .iter()
        .map(|i| seen(&question.removed[*i], &before))
        .collect();
    let right: Vec<Seen<'_>> = added
        .iter()
        .map(|j| seen(&question.added[*j], &after))
        .collect();
    let few = left.len() * right.len() <= COMPARED_MAX;
    let mut scored = Vec::new();
    for (i, one) in removed.iter().zip(&left) {
        // Columns of one table that both have ids are either the same or not.
        if numbered && identities.0.column(one.name.text()).is_some() {
            continue;
        }
        for (j, other) in added.iter().zip(&right) {
            if !few && !one.name.is_spelling_of(&other.name) {
                continue;
            }
            let values = (question.values)(&question.removed[*i], &question.added[*j]);
            if let Some(evidence) = likeness::columns(one, other, values, &stream) {
                scored.push((*i, *j, evidence));
            }
        }
    }
    one_to_one(scored, |j| name(&question.added[j].path).to_owned())
}

fn seen<'n>(field: &'n OneSided<'_, '_>, places: &HashMap<&'n str, Place<'n>>) -> Seen<'n> {
    let text = name(&field.path);
    Seen {
        name: Name::of(text),
        ty: Type::of_node(field.schema),
        place: places.get(text).copied(),
    }
}

/// The schema at a path.
fn at<'n, 'a>(root: &'n Node<'a>, path: &[String]) -> Option<&'n Node<'a>> {
    path.iter().try_fold(root, |here, part| {
        match here.get("properties").and_then(|fields| fields.get(part)) {
            Some(next) => Some(next),
            None if part == "items" => here.get("items"),
            None => None,
        }
    })
}

/// Fields with the same name and type that only changed their parent, if the name is unique.
fn moved(question: &Question<'_, '_, '_>, open: &mut Open) {
    let only = |indices: &[usize], fields: &[OneSided<'_, '_>]| -> HashMap<String, Option<usize>> {
        let mut named = HashMap::new();
        for index in indices {
            named
                .entry(name(&fields[*index].path).to_owned())
                .and_modify(|known| *known = None)
                .or_insert(Some(*index));
        }
        named
    };
    let (left, right) = (
        only(&open.removed, question.removed),
        only(&open.added, question.added),
    );
    let mut names: Vec<&String> = left.keys().collect();
    names.sort_unstable();
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for name in names {
        let (Some(Some(i)), Some(Some(j))) = (left.get(name), right.get(name)) else {
            continue;
        };
        let (from, to) = (&question.removed[*i], &question.added[*j]);
        let types = (Type::of_node(from.schema), Type::of_node(to.schema));
        let same = types.0.values_relation(&types.1) == Relation::Identical;
        if same && parent(&from.path) != parent(&to.path) && seen.insert((*i, *j)) {
            found.push((*i, *j, likeness::moved()));
        }
    }
    open.take(found);
}
