//! The labeled set of renames: the scorer was tuned on one half, and is tested on the other.

use std::collections::BTreeMap;

use catalog::drift::{Capabilities, ChangeKind, drift};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::given::{catalog, onboarded};

const SET: &str = include_str!("../data/renames.jsonl");

/// The required precision on the half that was not used for tuning.
const PRECISION_MIN: f64 = 0.95;
const RECALL_MIN: f64 = 0.8;

#[derive(Deserialize)]
struct Pair {
    id: String,
    stream: String,
    before: Vec<(String, Value)>,
    after: Vec<(String, Value)>,
    removed: String,
    added: String,
    label: String,
}

#[derive(Default)]
struct Score {
    hits: Vec<String>,
    false_alarms: Vec<String>,
    missed: Vec<String>,
}

impl Score {
    fn precision(&self) -> f64 {
        self.hits.len() as f64 / (self.hits.len() + self.false_alarms.len()) as f64
    }

    fn recall(&self) -> f64 {
        self.hits.len() as f64 / (self.hits.len() + self.missed.len()) as f64
    }
}

/// Pairs that occur together stay in one half.
fn half(key: &str) -> usize {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    usize::from((hash >> 32) % 2 == 1)
}

fn stream(name: &str, columns: &[(String, Value)]) -> Value {
    let properties: serde_json::Map<String, Value> = columns.iter().cloned().collect();
    json!({
        "name": name,
        "json_schema": { "type": "object", "properties": properties },
        "supported_sync_modes": ["full_refresh"],
    })
}

fn scores() -> [Score; 2] {
    let mut groups: BTreeMap<String, Vec<Pair>> = BTreeMap::new();
    for line in SET.lines() {
        let pair: Pair = serde_json::from_str(line).unwrap();
        let key = json!([pair.stream, pair.before, pair.after]).to_string();
        groups.entry(key).or_default().push(pair);
    }
    let mut scores = [Score::default(), Score::default()];
    for (key, pairs) in &groups {
        let (first, score) = (&pairs[0], &mut scores[half(key)]);
        let base = onboarded(&catalog(vec![stream(&first.stream, &first.before)]));
        let now = catalog(vec![stream(&first.stream, &first.after)]);
        let found = drift(&base, &now, &Capabilities::default());
        let renames: Vec<(&str, &str, f64)> = found
            .changes
            .iter()
            .filter(|change| change.kind == ChangeKind::FieldRenamed)
            .map(|change| {
                let to = change.to_path.as_ref().unwrap();
                let confidence = change.evidence.as_ref().unwrap().confidence;
                (change.path[0].as_str(), to[0].as_str(), confidence)
            })
            .collect();
        for pair in pairs {
            let found = renames
                .iter()
                .find(|(from, to, _)| (*from, *to) == (&*pair.removed, &*pair.added));
            let label = format!("{} {} -> {}", pair.id, pair.removed, pair.added);
            match (pair.label.as_str(), found) {
                ("rename", Some(_)) => score.hits.push(label),
                ("rename", None) => score.missed.push(label),
                (_, Some((_, _, confidence))) => {
                    score.false_alarms.push(format!("{label} ({confidence})"));
                }
                (_, None) => {}
            }
        }
    }
    scores
}

#[test]
fn distinguishes_renames_from_look_alikes() {
    let [tuned, other] = scores();
    for (half, score) in [("tuned on", &tuned), ("not tuned on", &other)] {
        let (hits, missed) = (score.hits.len(), score.missed.len());
        println!(
            "{half}: precision {:.3}, recall {:.3}: {hits} of {} renames, {} false alarms",
            score.precision(),
            score.recall(),
            hits + missed,
            score.false_alarms.len(),
        );
    }
    if std::env::var_os("RENAMES_SHOW").is_some() {
        println!(
            "false alarms {:#?}\nmissed {:#?}",
            tuned.false_alarms, tuned.missed
        );
    }
    assert!(
        other.precision() >= PRECISION_MIN,
        "{:#?}",
        other.false_alarms
    );
    assert!(other.recall() >= RECALL_MIN, "{:#?}", other.missed.len());
}
