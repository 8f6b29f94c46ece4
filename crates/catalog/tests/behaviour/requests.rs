//! Selecting streams for onboarding, and completing partial catalogs.

use airbyte_protocol::{DestinationSyncMode, SyncMode};
use catalog::modes::choose_modes;
use catalog::request::{CatalogRequest, complete};
use catalog::select::{StreamRequest, select};
use catalog::{Faults, SyncCatalog};
use serde_json::{Value, json};

use crate::given::{catalog, keyed, onboarded, only, path, stream, with};

use DestinationSyncMode::{Append, AppendDedup, Overwrite};

fn asked(discovered: &SyncCatalog, requests: Value) -> Result<SyncCatalog, Faults> {
    let requests: Vec<StreamRequest> = serde_json::from_value(requests).unwrap();
    select(
        discovered,
        Some(&requests),
        &[Append, Overwrite, AppendDedup],
    )
}

fn fault_places(result: Result<SyncCatalog, Faults>) -> Vec<String> {
    result
        .unwrap_err()
        .0
        .into_iter()
        .map(|fault| fault.path)
        .collect()
}

fn text() -> Value {
    json!({ "type": "string" })
}

#[test]
fn default_modes_follow_cursor_key_and_destination() {
    let chosen = |value: Value, destination: &[DestinationSyncMode]| {
        let modes = choose_modes(&only(&catalog(vec![value])).stream, destination);
        (modes.sync_mode, modes.destination_sync_mode)
    };
    let all = [Append, Overwrite, AppendDedup];
    let (full, incremental) = (SyncMode::FullRefresh, SyncMode::Incremental);
    assert_eq!(
        chosen(keyed("s", json!({})), &all),
        (incremental, AppendDedup)
    );
    assert_eq!(
        chosen(keyed("s", json!({})), &[]),
        (incremental, AppendDedup)
    );
    assert_eq!(
        chosen(keyed("s", json!({})), &[Append, Overwrite]),
        (full, Overwrite)
    );
    assert_eq!(
        chosen(keyed("s", json!({})), &[Append]),
        (incremental, Append)
    );
    assert_eq!(chosen(stream("s", json!({})), &all), (full, Overwrite));
    assert_eq!(chosen(stream("s", json!({})), &[Append]), (full, Append));
    let only_incremental = with(
        keyed("s", json!({})),
        json!({ "supported_sync_modes": ["incremental"], "source_defined_primary_key": [] }),
    );
    assert_eq!(chosen(only_incremental, &all), (incremental, Append));
    let no_incremental = with(
        keyed("s", json!({})),
        json!({ "supported_sync_modes": ["full_refresh"] }),
    );
    assert_eq!(chosen(no_incremental, &all), (full, Overwrite));
    let own = json!({ "source_defined_cursor": true, "default_cursor_field": [] });
    assert_eq!(
        chosen(with(keyed("s", json!({})), own), &all),
        (incremental, AppendDedup)
    );
}

#[test]
fn a_selection_selects_and_configures() {
    let discovered = catalog(vec![
        keyed("a", json!({ "note": text() })),
        stream("b", json!({ "x": text() })),
    ]);
    let all = onboarded(&discovered);
    assert!(all.streams.iter().all(|s| s.config.selected));
    let chosen = asked(
        &discovered,
        json!(["b", {
            "name": "a", "sync_mode": "incremental", "destination_sync_mode": "append",
            "cursor_field": "note", "selected_fields": ["id", "note"],
        }]),
    )
    .unwrap();
    let a = &chosen.streams[0].config;
    assert_eq!(
        (a.sync_mode, a.destination_sync_mode),
        (SyncMode::Incremental, Append)
    );
    assert_eq!(a.cursor_field, path(&["note"]));
    assert_eq!(
        a.selected_fields,
        Some(vec![path(&["id"]), path(&["note"])])
    );
    let one = asked(&discovered, json!(["b"])).unwrap();
    assert_eq!(
        one.streams
            .iter()
            .map(|s| s.config.selected)
            .collect::<Vec<_>>(),
        [false, true]
    );
}

#[test]
fn a_faulty_selection_names_stream_and_field() {
    let discovered = catalog(vec![
        keyed("a", json!({})),
        stream("b", json!({ "x": text() })),
        with(stream("twin", json!({})), json!({ "namespace": "m" })),
        with(stream("twin", json!({})), json!({ "namespace": "n" })),
    ]);
    let places = fault_places(asked(
        &discovered,
        json!([
            "missing",
            "twin",
            { "name": "b", "sync_mode": "incremental" },
            { "name": "a", "destination_sync_mode": "update", "cursor_field": ["nope"], "selected_fields": ["id", "zzz"] },
            "a",
        ]),
    ));
    assert_eq!(
        places,
        [
            "streams[0].name",
            "streams[1].name",
            "streams[2].cursor_field",
            "streams[3].destination_sync_mode",
            "streams[3].selected_fields",
            "streams[3].cursor_field",
            "streams[4].name",
        ]
    );
    let faults = asked(
        &discovered,
        json!([{ "name": "b", "destination_sync_mode": "append_dedup" }]),
    )
    .unwrap_err();
    assert!(faults.to_string().contains("stream b") && faults.to_string().contains("primary_key"));
    assert!(asked(&discovered, json!([{ "name": "twin", "namespace": "n" }])).is_ok());
    assert!(serde_json::from_value::<StreamRequest>(json!({ "name": "a", "typo": 1 })).is_err());
}

fn completed(
    body: &Value,
    discovered: &SyncCatalog,
    current: Option<&SyncCatalog>,
) -> Result<SyncCatalog, Faults> {
    let request = CatalogRequest::parse(&body.to_string()).unwrap();
    complete(&request, discovered, current, None)
}

fn account(json_schema: Value) -> Value {
    json!({ "streams": [{
        "stream": { "name": "Account", "json_schema": json_schema, "supported_sync_modes": ["full_refresh", "incremental"] },
        "sync_mode": "incremental", "destination_sync_mode": "append_dedup",
    }]})
}

#[test]
fn a_partial_stream_takes_the_rest_from_the_source() {
    let discovered = catalog(vec![
        keyed("Account", json!({ "note": text() })),
        keyed("Contact", json!({})),
    ]);
    let result = completed(&account(json!({})), &discovered, None).unwrap();
    assert_eq!(result.streams[0].stream, discovered.streams[0].stream);
    let config = &result.streams[0].config;
    assert!(config.selected && config.selected_fields.is_none());
    assert_eq!(config.cursor_field, path(&["updated_at"]));
    assert_eq!(config.primary_key, [path(&["id"])]);
    assert!(!result.streams[1].config.selected);
    assert_eq!(result.streams[1].stream, discovered.streams[1].stream);
    // Sending the same catalog back unchanged is not a change.
    let again: Value = serde_json::from_str(&result.to_document()).unwrap();
    let same = completed(&again, &discovered, Some(&result)).unwrap();
    assert_eq!(
        same.configured_fingerprint(),
        result.configured_fingerprint()
    );
}

#[test]
fn a_written_schema_selects_its_columns_with_the_sources_types() {
    let discovered = catalog(vec![keyed(
        "Account",
        json!({ "note": text(), "age": { "type": "integer" } }),
    )]);
    let written = json!({ "type": "object", "properties": { "id": {}, "updated_at": {}, "age": { "type": "string" } } });
    let result = completed(&account(written), &discovered, None).unwrap();
    assert_eq!(only(&result).stream, only(&discovered).stream);
    let fields = only(&result).config.selected_fields.clone().unwrap();
    assert_eq!(
        fields,
        [path(&["id"]), path(&["updated_at"]), path(&["age"])]
    );
    let lacking = json!({ "properties": { "id": {}, "updated_at": {}, "zzz": {} } });
    let faults = completed(&account(lacking), &discovered, None).unwrap_err();
    assert!(
        faults
            .0
            .iter()
            .any(|f| f.message.contains("Account") && f.message.contains("zzz"))
    );
    let without_key = json!({ "properties": { "note": {}, "updated_at": {} } });
    let faults = completed(&account(without_key), &discovered, None).unwrap_err();
    assert_eq!(faults.0.len(), 1);
    assert!(faults.0[0].message.contains("id"), "{faults}");
    let whole: Value = serde_json::from_str(only(&discovered).stream.json_schema.get()).unwrap();
    let result = completed(&account(whole), &discovered, None).unwrap();
    assert_eq!(only(&result).config.selected_fields, None);
}

#[test]
fn faults_name_the_stream_of_unknown_streams_and_missing_cursors_and_keys() {
    let discovered = catalog(vec![stream("Account", json!({ "x": text() }))]);
    let faults = completed(&account(json!({})), &discovered, None).unwrap_err();
    assert_eq!(faults.0.len(), 2);
    assert!(
        faults
            .0
            .iter()
            .all(|fault| fault.message.contains("stream Account"))
    );
    let other = catalog(vec![keyed("Contact", json!({}))]);
    let faults = completed(&account(json!({})), &other, None).unwrap_err();
    assert_eq!(faults.0[0].stream.as_ref().unwrap().name, "Account");
    let mut twice = account(json!({}));
    let entry = twice["streams"][0].clone();
    twice["streams"].as_array_mut().unwrap().push(entry);
    let known = catalog(vec![keyed("Account", json!({}))]);
    assert!(
        completed(&twice, &known, None)
            .unwrap_err()
            .to_string()
            .contains("twice")
    );
    let request = CatalogRequest::parse(&account(json!({})).to_string()).unwrap();
    let faults = complete(&request, &known, None, Some(&[Append])).unwrap_err();
    assert!(faults.to_string().contains("append_dedup"), "{faults}");
}

#[test]
fn keeps_settings_that_the_request_omits() {
    let discovered = catalog(vec![keyed("Account", json!({ "note": text() }))]);
    let mut current = onboarded(&discovered);
    current.streams[0]
        .config
        .mappers
        .0
        .push(json!({ "type": "hashing", "mapperConfiguration": {} }));
    current.streams[0].config.sync_mode = SyncMode::FullRefresh;
    current.streams[0].config.destination_sync_mode = Overwrite;
    let bare = json!({ "streams": [{ "stream": { "name": "Account" } }] });
    let result = completed(&bare, &discovered, Some(&current)).unwrap();
    assert_eq!(only(&result).config, only(&current).config);
    let off = json!({ "streams": [{ "stream": { "name": "Account" }, "config": { "selected": false } }] });
    assert!(
        !only(&completed(&off, &discovered, Some(&current)).unwrap())
            .config
            .selected
    );
}
