//! Two catalogs, or the schemas of one stream in two, a line each: Airbyte's diff, what it
//! propagates, and the plan. No panic, no exponential time.

#![no_main]
#![expect(clippy::unwrap_used, reason = "a finding is a panic")]

use catalog::diff::{self, CatalogDiff};
use catalog::propagate::{Preference, merge, propagate};
use catalog::{Interner, SyncCatalog};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Some((old, new)) = text.split_once('\n') else {
        return;
    };
    let mut interner = Interner::default();
    let (Some(old), Some(new)) = (read(old, &mut interner), read(new, &mut interner)) else {
        return;
    };
    let configured = old.clone().with_all_selected();
    let airbyte_diff = diff::airbyte(&old, &new, &configured);
    assert_eq!(
        airbyte_diff.is_breaking(),
        airbyte_diff.schema_change() == diff::SchemaChange::Breaking
    );
    if old.fingerprint() != new.fingerprint() {
        assert_ne!(old, new);
    }
    assert!(diff::airbyte(&new, &new, &configured).is_empty());
    propagated(&configured, &new, &airbyte_diff);
    let _ = merge(&configured, &old, &new);
    planned(&configured, &new);
});

/// A catalog, or the schema of a stream.
fn read(text: &str, interner: &mut Interner) -> Option<SyncCatalog> {
    if let Ok(catalog) = SyncCatalog::parse_with(text, interner) {
        return Some(catalog);
    }
    let stream = format!(
        r#"{{"streams":[{{"name":"s","json_schema":{text},"supported_sync_modes":["full_refresh","incremental"],"default_cursor_field":["a"],"source_defined_primary_key":[["id"],["b","c"]]}}]}}"#
    );
    SyncCatalog::parse_with(&stream, interner).ok()
}

fn propagated(configured: &SyncCatalog, new: &SyncCatalog, airbyte_diff: &CatalogDiff) {
    for preference in [Preference::Columns, Preference::Fully] {
        if let Some(done) = propagate(configured, new, airbyte_diff, preference, &[]) {
            assert!(done.applied.transforms.len() <= airbyte_diff.transforms.len());
            assert_eq!(
                SyncCatalog::parse(&done.catalog.to_document()).unwrap(),
                done.catalog
            );
        }
    }
}

/// The plan, followed wholly and not at all: Airbyte accepts the result, the inverse leads
/// back, and what was deferred is seen again.
fn planned(current: &SyncCatalog, discovered: &SyncCatalog) {
    use catalog::plan::{Capabilities, Change, Decisions, apply, plan};
    // Members beside `streams` are not part of a plan.
    let current = &SyncCatalog::new(current.streams.clone());
    let capabilities = Capabilities::default();
    let first = plan(current, discovered, &capabilities);
    assert_eq!(
        first.is_empty(),
        current.fingerprint() == discovered.fingerprint()
    );
    let usable = current.check(&[]).is_ok();
    for decisions in [Decisions::all(), Decisions::none()] {
        let decided = first.decide(&decisions).unwrap();
        let applied = apply(current, discovered, &first, &decided, &capabilities);
        assert_eq!(&applied.inverse.apply(&applied.catalog), current);
        let _ = first.clone().wholly(&decided, &applied).to_text();
        if usable {
            assert_eq!(applied.catalog.check(&[]), Ok(()));
        }
        // A guess depends on the columns around it, which following the plan changes.
        let guesses = |change: &Change| change.evidence.as_ref().is_some_and(|e| !e.is_exact());
        let again = plan(&applied.catalog, discovered, &capabilities);
        if first.changes.iter().chain(&again.changes).any(guesses) {
            continue;
        }
        let mut pending: Vec<_> = applied.pending.iter().map(|change| &change.id).collect();
        let mut seen: Vec<_> = again.changes.iter().map(|change| &change.id).collect();
        pending.sort();
        seen.sort();
        assert_eq!(seen, pending);
    }
}
