//! What a diff does to a connection automatically: P1 to P9 as far as the catalog is concerned.
//! `p06`, `p10` and the rest of `p08` are tests of the embedded Airbyte.

use airbyte_protocol::{DestinationSyncMode, SyncMode};
use catalog::SyncCatalog;
use catalog::diff::{CatalogDiff, airbyte};
use catalog::propagate::{Preference, Propagated, disables, propagate};
use serde_json::{Value, json};

use super::{object, text, whole};
use crate::given::{catalog, stream, with};

use DestinationSyncMode::{Append, AppendDedup, Overwrite, OverwriteDedup, SoftDelete};

const ALL: [DestinationSyncMode; 3] = [Append, Overwrite, AppendDedup];
const OLD: [&str; 3] = ["id", "updated", "name"];

pub(super) fn offered(name: &str, columns: &[&str]) -> Value {
    let columns = columns.iter().map(|name| ((*name).to_owned(), text()));
    stream(name, Value::Object(columns.collect()))
}

/// A catalog that syncs `orders`, deduplicated by `id`, read by `updated`.
pub(super) fn configured(columns: &[&str], selected: Option<&[&str]>) -> SyncCatalog {
    let mut config = json!({ "syncMode": "incremental", "destinationSyncMode": "append_dedup",
        "cursorField": ["updated"], "primaryKey": [["id"]], "selected": true });
    if let Some(selected) = selected {
        config["fieldSelectionEnabled"] = json!(true);
        let fields = selected.iter().map(|name| json!({ "fieldPath": [name] }));
        config["selectedFields"] = fields.collect();
    }
    catalog(vec![
        json!({ "stream": offered("orders", columns), "config": config }),
    ])
}

pub(super) fn names(catalog: &SyncCatalog) -> Vec<&str> {
    let streams = catalog.streams.iter();
    streams.map(|stream| stream.stream.name.as_str()).collect()
}

/// Propagates from `old` to `new`, with the diff.
fn propagated(
    configured: &SyncCatalog,
    old: Vec<Value>,
    new: Vec<Value>,
    preference: Preference,
) -> (CatalogDiff, Option<Propagated>) {
    let (old, new) = (catalog(old), catalog(new));
    let diff = airbyte(&old, &new, configured);
    let done = propagate(configured, &new, &diff, preference, &ALL);
    (diff, done)
}

#[test]
fn p01_an_update_replaces_the_whole_stream_object() {
    let configured = configured(&OLD, None);
    let mut new = offered("orders", &["id", "updated", "phone"]);
    new["json_schema"]["required"] = json!(["id"]);
    new["supported_sync_modes"] = json!(["full_refresh"]);
    new["source_defined_cursor"] = json!(true);
    new["source_defined_primary_key"] = json!([["id"]]);
    new["is_resumable"] = json!(true);
    for preference in [Preference::Columns, Preference::Fully] {
        let old = vec![offered("orders", &OLD)];
        let (diff, done) = propagated(&configured, old, vec![new.clone()], preference);
        let done = done.unwrap();
        assert_eq!(done.applied, diff);
        let taken = &catalog(vec![new.clone()]).streams[0].stream;
        assert_eq!(done.catalog.streams[0].stream, *taken);
    }
}

#[test]
fn p02_the_configuration_stays_even_when_the_source_key_changed() {
    let configured = configured(&OLD, None);
    let new = with(
        offered("orders", &["id", "updated", "phone"]),
        json!({ "source_defined_primary_key": [["phone"]], "default_cursor_field": ["phone"] }),
    );
    // A key that differs from the configured one would be breaking; without deduplication it is
    // not.
    let mut unkeyed = configured.clone();
    unkeyed.streams[0].config.destination_sync_mode = Append;
    let old = vec![offered("orders", &OLD)];
    let (_, done) = propagated(&unkeyed, old, vec![new], Preference::Columns);
    let done = done.unwrap();
    assert_eq!(done.catalog.streams[0].config, unkeyed.streams[0].config);
    assert_eq!(
        done.catalog.streams[0].stream.source_defined_primary_key,
        [["phone"]]
    );
}

#[test]
fn p03_a_selection_grows_by_new_top_level_columns_and_never_shrinks() {
    let zip = object(json!({ "zip": text() }));
    let both = object(json!({ "zip": text(), "city": text() }));
    let with_address = |columns: &[&str], address: Value| {
        let mut stream = offered("orders", columns);
        stream["json_schema"]["properties"]["address"] = address;
        stream
    };
    let old = with_address(&["id", "updated", "name"], zip);
    let new = with_address(&["id", "updated", "phone"], both);
    for (selection, expected) in [
        (None, None),
        (
            Some(&["id", "updated", "name"][..]),
            // `name` is gone but stays listed; `address.city` is new but is not listed.
            Some(vec![["id"], ["updated"], ["name"], ["phone"]]),
        ),
        (
            Some(&["id", "updated", "phone"][..]),
            Some(vec![["id"], ["updated"], ["phone"]]),
        ),
    ] {
        let configured = configured(&OLD, selection);
        let (_, done) = propagated(
            &configured,
            vec![old.clone()],
            vec![new.clone()],
            Preference::Columns,
        );
        let fields = &done.unwrap().catalog.streams[0].config.selected_fields;
        let expected: Option<Vec<Vec<String>>> = expected.map(|fields| {
            fields
                .iter()
                .map(|path| path.map(str::to_owned).to_vec())
                .collect()
        });
        assert_eq!(*fields, expected);
    }
}

#[test]
fn p04_an_update_of_a_stream_that_is_not_copied_is_skipped() {
    let copied = configured(&OLD, None);
    let old = catalog(vec![offered("orders", &OLD)]);
    let new = catalog(vec![offered("orders", &["id", "updated", "name", "phone"])]);
    let diff = airbyte(&old, &new, &copied);
    let mut off = copied.clone();
    off.streams[0].config.selected = false;
    for configured in [SyncCatalog::default(), off] {
        let done = propagate(&configured, &new, &diff, Preference::Fully, &ALL).unwrap();
        assert_eq!(done.catalog, configured);
        assert!(done.applied.is_empty());
    }
}

#[test]
fn p05_an_added_stream_gets_default_modes_that_the_destination_has() {
    let plain = offered("refunds", &["id", "at"]);
    let own = with(plain.clone(), json!({ "source_defined_cursor": true }));
    let keyed = with(
        own.clone(),
        json!({ "source_defined_primary_key": [["id"]], "supported_sync_modes": ["full_refresh"] }),
    );
    let growing = with(
        own.clone(),
        json!({ "supported_sync_modes": ["incremental"] }),
    );
    let (full, incremental) = (SyncMode::FullRefresh, SyncMode::Incremental);
    for (stream, destination, expected) in [
        (&plain, &ALL[..], (full, Overwrite)),
        (&own, &ALL[..], (full, Overwrite)),
        // The list of modes is not consulted for a source with its own cursor and key.
        (&keyed, &ALL[..], (incremental, AppendDedup)),
        (&growing, &ALL[..], (incremental, Append)),
        // What the destination lacks becomes full refresh and overwrite, or otherwise the first
        // modes.
        (&keyed, &[Append, Overwrite][..], (full, Overwrite)),
        (&keyed, &[SoftDelete][..], (full, SoftDelete)),
        (
            &growing,
            &[OverwriteDedup, Overwrite][..],
            (incremental, OverwriteDedup),
        ),
    ] {
        let configured = configured(&OLD, None);
        let old = catalog(vec![offered("orders", &OLD)]);
        let new = catalog(vec![offered("orders", &OLD), stream.clone()]);
        let diff = airbyte(&old, &new, &configured);
        let done = propagate(&configured, &new, &diff, Preference::Fully, destination).unwrap();
        assert_eq!(names(&done.catalog), ["orders", "refunds"]);
        let added = &done.catalog.streams[1];
        assert!(added.config.selected);
        assert_eq!(
            (added.config.sync_mode, added.config.destination_sync_mode),
            expected
        );
        assert_eq!(
            added.config.primary_key,
            added.stream.source_defined_primary_key
        );
    }
}

#[test]
fn p07_only_what_was_applied_is_answered() {
    let configured = configured(&OLD, None);
    let old = || vec![offered("orders", &OLD), offered("gone", &["id"])];
    let new = || {
        let grown = offered("orders", &["id", "updated", "name", "phone"]);
        vec![grown, offered("new", &["id"])]
    };
    let (diff, done) = propagated(&configured, old(), new(), Preference::Columns);
    let kinds = |diff: &CatalogDiff| {
        let diff = serde_json::to_value(diff).unwrap();
        let transforms = diff["transforms"].as_array().unwrap().clone();
        let mut kinds: Vec<Value> = transforms
            .into_iter()
            .map(|t| t["transformType"].clone())
            .collect();
        kinds.sort_by_key(Value::to_string);
        kinds
    };
    assert_eq!(
        kinds(&diff),
        ["add_stream", "remove_stream", "update_stream"]
    );
    assert_eq!(kinds(&done.unwrap().applied), ["update_stream"]);
    // `gone` was never synced, so that even full propagation has nothing to remove.
    let (_, done) = propagated(&configured, old(), new(), Preference::Fully);
    assert_eq!(
        kinds(&done.unwrap().applied),
        ["add_stream", "update_stream"]
    );
}

#[test]
fn p08_a_removed_stream_stays_configured_unless_everything_is_propagated() {
    let configured = configured(&OLD, None);
    let old = || vec![offered("orders", &OLD)];
    let (diff, done) = propagated(&configured, old(), vec![], Preference::Columns);
    assert!(!diff.is_breaking());
    let done = done.unwrap();
    assert_eq!(done.catalog, configured);
    assert!(done.applied.is_empty());
    let (diff, done) = propagated(&configured, old(), vec![], Preference::Fully);
    let done = done.unwrap();
    assert_eq!(names(&done.catalog), [""; 0]);
    assert_eq!(done.applied, diff);
}

#[test]
fn p09_a_removed_column_leaves_the_schema_that_is_written() {
    let configured = configured(&OLD, Some(&["id", "updated", "name"]));
    let new = offered("orders", &["id", "updated"]);
    let old = vec![offered("orders", &OLD)];
    let (_, done) = propagated(&configured, old, vec![new], Preference::Columns);
    let done = done.unwrap();
    let written: Value = serde_json::from_str(&done.catalog.to_protocol_configured()).unwrap();
    let schema = &written["streams"][0]["stream"]["json_schema"]["properties"];
    let columns: Vec<&String> = schema.as_object().unwrap().keys().collect();
    assert_eq!(columns, ["id", "updated"]);
}

const WORDS: [&str; 4] = ["ignore", "disable", "propagate_columns", "propagate_fully"];

#[test]
fn the_disable_step_considers_the_verdict_before_the_preference() {
    let configured = configured(&OLD, None);
    let old = || vec![offered("orders", &OLD)];
    let broken = || vec![offered("orders", &["id", "name", "phone"])];
    let harmless = || {
        vec![with(
            offered("orders", &["id", "updated"]),
            json!({ "x": whole() }),
        )]
    };
    for word in WORDS {
        let preference = Preference::parse(word).unwrap();
        let (diff, done) = propagated(&configured, old(), broken(), preference);
        assert!(diff.is_breaking() && disables(&diff, preference), "{word}");
        assert_eq!(done, None, "{word}: not even the harmless parts");
        let (diff, done) = propagated(&configured, old(), harmless(), preference);
        assert!(!diff.is_breaking() && !diff.is_empty());
        assert_eq!(disables(&diff, preference), word == "disable");
        assert_eq!(done.is_some(), word.starts_with("propagate"), "{word}");
        let (diff, done) = propagated(&configured, old(), old(), preference);
        assert!(!disables(&diff, preference), "{word}");
        let done = done.unwrap();
        assert_eq!(
            (&done.catalog, done.applied.is_empty()),
            (&configured, true)
        );
    }
    assert_eq!(Preference::parse("disable_connection"), None);
}
