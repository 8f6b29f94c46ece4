//! The facts about destinations, in their file format and as lookup tables.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::{Confidence, DestinationKind, Follows, Source, Values, Verdict};
use crate::types::ValueType;

/// The behavior of each kind of destination.
pub(super) struct Matrix {
    sources: BTreeMap<&'static str, Source>,
    rows: [Row; DestinationKind::ALL.len()],
}

/// The behavior of one kind of destination.
pub(super) struct Row {
    columns: [&'static str; ValueType::ALL.len()],
    retype: Vec<(Columns<'static>, Columns<'static>, Verdict)>,
    unchanged: Verdict,
    pub(super) add_column: Verdict,
    pub(super) remove_column: Verdict,
    pub(super) rename_column: Verdict,
    pub(super) change_key: Verdict,
    pub(super) nullable_columns: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    #[serde(borrow)]
    sources: BTreeMap<&'a str, WrittenSource<'a>>,
    #[serde(borrow)]
    destinations: HashMap<DestinationKind, Written<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSource<'a> {
    title: &'a str,
    address: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    #[serde(borrow)]
    columns: HashMap<ValueType, &'a str>,
    columns_source: &'a str,
    #[serde(borrow)]
    nullable_columns: Nullable<'a>,
    #[serde(borrow)]
    add_column: Fact<'a>,
    #[serde(borrow)]
    remove_column: Fact<'a>,
    #[serde(borrow)]
    rename_column: Fact<'a>,
    #[serde(borrow)]
    change_key: Fact<'a>,
    #[serde(borrow)]
    retype: Vec<Rule<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nullable<'a> {
    all: bool,
    source: &'a str,
    confidence: Confidence,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fact<'a> {
    follows: Follows,
    values: Values,
    reason: &'a str,
    source: &'a str,
    confidence: Confidence,
}

impl From<Fact<'static>> for Verdict {
    fn from(fact: Fact<'static>) -> Self {
        Self {
            follows: fact.follows,
            values: fact.values,
            reason: fact.reason,
            source: fact.source,
            confidence: fact.confidence,
        }
    }
}

/// What happens when a column of one of those types changes to one of these; the first matching
/// rule decides.
#[derive(Deserialize)]
struct Rule<'a> {
    #[serde(borrow)]
    from: Columns<'a>,
    #[serde(borrow)]
    to: Columns<'a>,
    #[serde(flatten, borrow)]
    fact: Fact<'a>,
}

/// Column types: some, or `"*"`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Columns<'a> {
    Some(#[serde(borrow)] Vec<&'a str>),
    All(Star),
}

#[derive(Deserialize)]
enum Star {
    #[serde(rename = "*")]
    Star,
}

impl<'a> Columns<'a> {
    fn has(&self, column: &str) -> bool {
        match self {
            Self::Some(columns) => columns.contains(&column),
            Self::All(Star::Star) => true,
        }
    }

    fn named(&self) -> &[&'a str] {
        match self {
            Self::Some(columns) => columns,
            Self::All(Star::Star) => &[],
        }
    }
}

impl Matrix {
    /// Parses the facts and checks that every question has an answer.
    pub(super) fn parse(text: &'static str) -> Result<Self, String> {
        let Document {
            sources,
            mut destinations,
        } = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut rows = Vec::with_capacity(DestinationKind::ALL.len());
        for kind in DestinationKind::ALL {
            let written = destinations
                .remove(&kind)
                .ok_or_else(|| format!("{kind} is missing"))?;
            rows.push(Row::of(written, &sources).map_err(|fault| format!("{kind}: {fault}"))?);
        }
        let rows = rows
            .try_into()
            .map_err(|_| "kinds are missing".to_owned())?;
        let sources = sources
            .into_iter()
            .map(|(id, WrittenSource { title, address })| (id, Source { title, address }))
            .collect();
        Ok(Self { sources, rows })
    }

    pub(super) fn row(&self, kind: DestinationKind) -> &Row {
        &self.rows[kind as usize]
    }

    pub(super) fn source(&self, id: &str) -> Option<&Source> {
        self.sources.get(id)
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = &'static str> {
        self.sources.keys().copied()
    }
}

impl Row {
    fn of(
        written: Written<'static>,
        sources: &BTreeMap<&'static str, WrittenSource<'static>>,
    ) -> Result<Self, String> {
        let mut columns = [""; ValueType::ALL.len()];
        for value in ValueType::ALL {
            columns[value as usize] = written
                .columns
                .get(&value)
                .ok_or_else(|| format!("{value:?} has no column type"))?;
        }
        let mut named = vec![
            written.columns_source,
            written.nullable_columns.source,
            written.add_column.source,
            written.remove_column.source,
            written.rename_column.source,
            written.change_key.source,
        ];
        named.extend(written.retype.iter().map(|rule| rule.fact.source));
        if let Some(id) = named.into_iter().find(|id| !sources.contains_key(id)) {
            return Err(format!("{id:?} is not a source"));
        }
        for rule in &written.retype {
            let mut types = rule.from.named().iter().chain(rule.to.named());
            if let Some(column) = types.find(|column| !columns.contains(column)) {
                return Err(format!("{column:?} is not a column type"));
            }
        }
        let last = written.retype.last().map(|rule| (&rule.from, &rule.to));
        if !matches!(last, Some((Columns::All(_), Columns::All(_)))) {
            return Err("the last rule must cover every type change".to_owned());
        }
        Ok(Self {
            columns,
            unchanged: Verdict {
                follows: Follows::InPlace,
                values: Values::Kept,
                reason: "the column has the same type there",
                source: written.columns_source,
                confidence: written.nullable_columns.confidence,
            },
            retype: written
                .retype
                .into_iter()
                .map(|rule| (rule.from, rule.to, rule.fact.into()))
                .collect(),
            add_column: written.add_column.into(),
            remove_column: written.remove_column.into(),
            rename_column: written.rename_column.into(),
            change_key: written.change_key.into(),
            nullable_columns: written.nullable_columns.all,
        })
    }

    pub(super) fn column(&self, value: ValueType) -> &'static str {
        self.columns[value as usize]
    }

    pub(super) fn retype(&self, from: ValueType, to: ValueType) -> Verdict {
        let (from, to) = (self.column(from), self.column(to));
        if from == to {
            return self.unchanged;
        }
        let rule = self
            .retype
            .iter()
            .find(|(of, into, _)| of.has(from) && into.has(to));
        // The last rule covers everything, so there is always one.
        rule.map_or(self.unchanged, |(_, _, verdict)| *verdict)
    }
}
