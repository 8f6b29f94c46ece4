//! A line that a connector printed: no panic, and narrowing a record's data keeps the named members
//! and no others.

#![no_main]
#![expect(clippy::unwrap_used, reason = "a finding is a panic")]

use std::collections::{BTreeMap, HashSet};

use airbyte_protocol::{Line, narrow};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

type Members<'a> = BTreeMap<String, &'a RawValue>;

fuzz_target!(|data: &[u8]| {
    let Some(line) = Line::parse(data) else {
        return;
    };
    let Some(data) = line.record.and_then(|record| record.data) else {
        return;
    };
    let Ok(members) = serde_json::from_str::<Members>(data.get()) else {
        return;
    };
    let mut output = Vec::new();
    let Ok(whole) = narrow(data.get(), None, &[], &mut output) else {
        return;
    };
    assert_eq!((whole.any, whole.dropped), (!members.is_empty(), false));
    assert_same(&members, &output, |_| true);
    let columns: HashSet<String> = members.keys().step_by(2).cloned().collect();
    let narrowed = narrow(data.get(), Some(&columns), &[], &mut output).unwrap();
    assert_eq!(narrowed.dropped, columns.len() < members.len());
    assert_same(&members, &output, |name| columns.contains(name));
});

fn assert_same(members: &Members, output: &[u8], keeps: impl Fn(&String) -> bool) {
    let kept: Members = serde_json::from_slice(output).unwrap();
    let kept = kept.iter().map(|(name, value)| (name, value.get()));
    let wanted = members.iter().filter(|(name, _)| keeps(name));
    assert!(kept.eq(wanted.map(|(name, value)| (name, value.get()))));
}
