//! Tables of what is taken over and what is not, with the reasons in the names.

use serde_json::{Value, json};

use super::*;
use crate::diff;

fn schema(columns: &[&str]) -> Value {
    let columns = columns
        .iter()
        .map(|name| ((*name).to_owned(), json!({"type": "string"})));
    json!({"type": "object", "properties": columns.collect::<serde_json::Map<_, _>>()})
}

fn offered(name: &str, columns: &[&str]) -> Value {
    json!({"name": name, "json_schema": schema(columns),
        "supported_sync_modes": ["full_refresh", "incremental"]})
}

fn discovered(streams: &[Value]) -> SyncCatalog {
    SyncCatalog::parse(&json!({"streams": streams}).to_string()).unwrap()
}

/// A catalog that copies `orders`, deduplicated by `id`, read by `updated`.
fn configured(columns: &[&str], selected: Option<&[&str]>) -> SyncCatalog {
    let mut config = json!({"syncMode": "incremental", "destinationSyncMode": "append_dedup",
        "cursorField": ["updated"], "primaryKey": [["id"]], "selected": true});
    if let Some(selected) = selected {
        config["fieldSelectionEnabled"] = json!(true);
        let fields = selected.iter().map(|name| json!({"fieldPath": [name]}));
        config["selectedFields"] = fields.collect();
    }
    let stream = json!({"name": "orders", "jsonSchema": schema(columns),
        "supportedSyncModes": ["full_refresh", "incremental"]});
    let catalog = json!({"streams": [{"stream": stream, "config": config}]});
    SyncCatalog::parse(&catalog.to_string()).unwrap()
}

const ALL: [DestinationSyncMode; 3] = [
    DestinationSyncMode::Append,
    DestinationSyncMode::Overwrite,
    DestinationSyncMode::AppendDedup,
];
const OLD: [&str; 3] = ["id", "updated", "name"];

fn names(catalog: &SyncCatalog) -> Vec<&str> {
    let streams = catalog.streams.iter();
    streams.map(|stream| stream.stream.name.as_str()).collect()
}

#[test]
fn a_new_column_of_a_copied_stream_flows_and_joins_a_selection() {
    let old = discovered(&[offered("orders", &OLD)]);
    let new = discovered(&[offered("orders", &["id", "updated", "name", "phone"])]);
    for selection in [None, Some(&["id", "updated", "name"][..])] {
        let configured = configured(&OLD, selection);
        let diff = diff::airbyte(&old, &new, &configured);
        let done = propagate(&configured, &new, &diff, Preference::Columns, &ALL).unwrap();
        assert_eq!(done.applied, diff);
        let stream = &done.catalog.streams[0];
        assert_eq!(stream.stream.columns(), ["id", "updated", "name", "phone"]);
        assert_eq!(stream.config.cursor_field, ["updated"]);
        let fields = stream.config.selected_fields.as_ref();
        assert_eq!(
            fields.map(Vec::len),
            selection.map(|fields| fields.len() + 1)
        );
    }
}

#[test]
fn a_vanished_column_stays_in_the_selection_and_a_nested_one_does_not_join() {
    let mut with_address = offered("orders", &["id", "updated", "name"]);
    with_address["json_schema"]["properties"]["address"] =
        json!({"type": "object", "properties": {"zip": {"type": "string"}}});
    let old = discovered(&[with_address.clone()]);
    let mut changed = with_address;
    changed["json_schema"]["properties"]["address"]["properties"]["city"] =
        json!({"type": "string"});
    changed["json_schema"]["properties"]
        .as_object_mut()
        .unwrap()
        .shift_remove("name");
    let new = discovered(&[changed]);
    let configured = configured(&OLD, Some(&["id", "updated", "name"]));
    let diff = diff::airbyte(&old, &new, &configured);
    let done = propagate(&configured, &new, &diff, Preference::Columns, &ALL).unwrap();
    let fields = done.catalog.streams[0]
        .config
        .selected_fields
        .clone()
        .unwrap();
    assert_eq!(fields, [["id"], ["updated"], ["name"]]);
}

#[test]
fn streams_come_and_go_only_under_full_propagation() {
    let old = discovered(&[offered("orders", &OLD)]);
    let new = discovered(&[offered("refunds", &["id"])]);
    let configured = configured(&OLD, None);
    let diff = diff::airbyte(&old, &new, &configured);
    assert_eq!(diff.transforms.len(), 2);
    let columns = propagate(&configured, &new, &diff, Preference::Columns, &ALL).unwrap();
    assert!(columns.applied.is_empty());
    assert_eq!(names(&columns.catalog), ["orders"]);
    let fully = propagate(&configured, &new, &diff, Preference::Fully, &ALL).unwrap();
    assert_eq!(fully.applied, diff);
    assert_eq!(names(&fully.catalog), ["refunds"]);
    let added = &fully.catalog.streams[0].config;
    assert!(added.selected);
    assert_eq!(
        (added.sync_mode, added.destination_sync_mode),
        (SyncMode::FullRefresh, DestinationSyncMode::Overwrite)
    );
}

#[test]
fn an_added_stream_gets_modes_that_the_destination_has() {
    let mut keyed = offered("refunds", &["id", "at"]);
    keyed["source_defined_cursor"] = json!(true);
    keyed["source_defined_primary_key"] = json!([["id"]]);
    let stream = &discovered(&[keyed.clone()]).streams[0].stream;
    use DestinationSyncMode::{Append, AppendDedup, Overwrite, SoftDelete};
    for (destination, expected) in [
        (
            vec![Append, Overwrite, AppendDedup],
            (SyncMode::Incremental, AppendDedup),
        ),
        (vec![Append, Overwrite], (SyncMode::FullRefresh, Overwrite)),
        (vec![SoftDelete], (SyncMode::FullRefresh, SoftDelete)),
    ] {
        assert_eq!(added_modes(stream, &destination), expected);
    }
}

#[test]
fn who_ignores_takes_over_nothing_but_an_empty_diff() {
    let old = discovered(&[offered("orders", &OLD)]);
    let new = discovered(&[offered("orders", &["id", "updated"])]);
    let configured = configured(&OLD, None);
    let diff = diff::airbyte(&old, &new, &configured);
    for preference in [Preference::Ignore, Preference::Disable] {
        assert_eq!(propagate(&configured, &new, &diff, preference, &ALL), None);
        let nothing = CatalogDiff::default();
        let done = propagate(&configured, &new, &nothing, preference, &ALL).unwrap();
        assert_eq!(
            (done.catalog, done.applied.is_empty()),
            (configured.clone(), true)
        );
    }
    assert!(!disables(&diff, Preference::Ignore));
    assert!(!disables(&diff, Preference::Fully));
    assert!(disables(&diff, Preference::Disable));
    assert!(!disables(&CatalogDiff::default(), Preference::Disable));
}

#[test]
fn a_breaking_diff_takes_over_nothing_and_switches_off_whatever_is_wished() {
    let old = discovered(&[offered("orders", &OLD)]);
    let new = discovered(&[offered("orders", &["id", "name", "phone"])]);
    let configured = configured(&OLD, None);
    let diff = diff::airbyte(&old, &new, &configured);
    assert!(diff.is_breaking());
    for word in ["ignore", "disable", "propagate_columns", "propagate_fully"] {
        let preference = Preference::parse(word).unwrap();
        assert!(disables(&diff, preference), "{word}");
        assert_eq!(
            propagate(&configured, &new, &diff, preference, &ALL),
            None,
            "{word}"
        );
    }
}

#[test]
fn a_merged_catalog_keeps_what_still_holds() {
    let old = discovered(&[offered("orders", &["id", "updated", "name", "unwanted"])]);
    let mut changed = offered("orders", &["id", "updated", "unwanted", "phone"]);
    changed["supported_sync_modes"] = json!(["full_refresh"]);
    changed["source_defined_primary_key"] = json!([["id"], ["updated"]]);
    let new = discovered(&[changed, offered("refunds", &["id"])]);
    let configured = configured(&OLD, Some(&["id", "updated", "name"]));
    let merged = merge(&configured, &old, &new);
    assert_eq!(names(&merged), ["orders", "refunds"]);
    let (orders, refunds) = (&merged.streams[0], &merged.streams[1]);
    assert!(orders.config.selected && !refunds.config.selected);
    assert_eq!(
        (orders.config.sync_mode, orders.config.destination_sync_mode),
        (SyncMode::FullRefresh, DestinationSyncMode::AppendDedup)
    );
    assert_eq!(orders.config.cursor_field, ["updated"]);
    assert_eq!(orders.config.primary_key, [["id"], ["updated"]]);
    let fields = orders.config.selected_fields.clone().unwrap();
    assert_eq!(fields, [["id"], ["updated"], ["phone"]]);
    assert_eq!(orders.stream.columns().len(), 4);
}
