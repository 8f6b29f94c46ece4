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
    let told = diff::airbyte(&old, &new, &configured);
    assert_eq!(
        told.is_breaking(),
        told.schema_change() == diff::SchemaChange::Breaking
    );
    if old.fingerprint() != new.fingerprint() {
        assert_ne!(old, new);
    }
    assert!(diff::airbyte(&new, &new, &configured).is_empty());
    propagated(&configured, &new, &told);
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

fn propagated(configured: &SyncCatalog, new: &SyncCatalog, told: &CatalogDiff) {
    for preference in [Preference::Columns, Preference::Fully] {
        if let Some(done) = propagate(configured, new, told, preference, &[]) {
            assert!(done.applied.transforms.len() <= told.transforms.len());
            assert_eq!(
                SyncCatalog::parse(&done.catalog.to_document()).unwrap(),
                done.catalog
            );
        }
    }
}

/// The plan; what it holds is checked by its own tests.
fn planned(current: &SyncCatalog, discovered: &SyncCatalog) {
    use catalog::plan::{Capabilities, plan};
    let plan = plan(current, discovered, &Capabilities::default());
    assert_eq!(
        plan.is_empty(),
        current.fingerprint() == discovered.fingerprint()
    );
    let _ = plan.to_text();
}
