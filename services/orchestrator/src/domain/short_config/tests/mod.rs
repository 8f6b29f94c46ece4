//! Tests of short configurations: expansion, faults, masking.

mod anything;
mod expansion;
mod faults;
mod masking;
mod page;
mod round_trips;
mod specifications;
mod variants;

use contracts::FieldError;
use serde_json::{Map, Value};

use super::faults::Expanded;
use super::{ActorKind, expand};

fn map(config: &Value) -> &Map<String, Value> {
    config.as_object().unwrap()
}

fn expanded(
    (role, type_name): (ActorKind, &str),
    specification: Option<&Value>,
    config: &Value,
) -> Expanded {
    expand(role, type_name, specification, map(config))
        .unwrap_or_else(|faults| panic!("{type_name} {config}: {faults:?}"))
}

/// All faults, of the short fields and of the specification.
fn faults(of: (ActorKind, &str), specification: &Value, config: &Value) -> Vec<(String, String)> {
    let found = match expand(of.0, of.1, Some(specification), map(config)) {
        Ok(expanded) => expanded.faults(specification),
        Err(faults) => faults,
    };
    let assert_faults = |fault: FieldError| (fault.field, fault.message);
    found.into_iter().map(assert_faults).collect()
}

/// Asserts that exactly these faults are reported.
#[track_caller]
fn assert_faults(
    of: (ActorKind, &str),
    specification: &Value,
    config: Value,
    expected: &[(&str, &str)],
) {
    let mut found = faults(of, specification, &config);
    found.sort();
    let mut wanted: Vec<(String, String)> = (expected.iter())
        .map(|(field, message)| ((*field).to_owned(), (*message).to_owned()))
        .collect();
    wanted.sort();
    assert_eq!(found, wanted, "{config}");
}
