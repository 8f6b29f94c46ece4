//! Rules of Airbyte's propagation that show only with connectors and a store, each a test by its
//! name. The others are tests of the crate `catalog`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::drift::{both, discover, get, names};
use crate::harness::{Api, Engine, Place};
use crate::sqlite::{execute, onboard, rows};

fn always_discover(options: &mut embedded_airbyte::Options) {
    options.timing.discover_window = Duration::ZERO;
}

async fn wish(api: &Api, connection: &str, wishes: Value) {
    let mut update = json!({"connectionId": connection});
    for (name, value) in wishes.as_object().unwrap() {
        update[name] = value.clone();
    }
    api.config_ok("/connections/update", update).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p06_the_new_catalog_is_accepted_even_where_parts_of_it_were_not_applied() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let (connection, source) = both(api, "propagate_columns").await;
    for control in ["extra_stream", "lost_stream"] {
        engine.place.set(control, "");
    }
    let found = discover(api, &source).await;
    let body = json!({"connectionId": connection, "catalogId": found["catalogId"]});
    let call = "/connections/postprocess_discovered_catalog";
    let applied = api.config_ok(call, body).await;
    assert_eq!(applied["appliedDiff"]["transforms"], json!([]));
    let after = get(api, &connection).await;
    assert_eq!(after["sourceCatalogId"], found["catalogId"]);
    assert_eq!(names(&after["syncCatalog"]), ["Account", "Contact"]);
    // Neither stream is ever reported again.
    let body = json!({"sourceId": source, "connectionId": connection, "disable_cache": true});
    let again = api.config_ok("/sources/discover_schema", body).await;
    assert_eq!(again["catalogDiff"]["transforms"], json!([]));
    engine.stop().await;
}

fn records_of(place: &Place, stream: &str) -> Vec<Value> {
    let written = place.written().into_iter();
    written
        .filter(|line| line["record"]["stream"] == stream)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn p08_a_stream_that_the_source_lost_is_still_asked_for() {
    let engine = Engine::start_with(always_discover).await;
    let api = &engine.api;
    let (connection, _) = both(api, "propagate_columns").await;
    engine.place.set("lost_stream", "");
    api.sync(&connection).await;
    let after = get(api, &connection).await;
    assert_eq!(names(&after["syncCatalog"]), ["Account", "Contact"]);
    // This source does not mind; others end with an error.
    assert_eq!(records_of(&engine.place, "Contact").len(), 3);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p09_tables_and_columns_that_the_source_lost_are_not_dropped() {
    let engine = Engine::start_with(always_discover).await;
    let (api, place) = (&engine.api, &engine.place);
    let (source, warehouse) = (place.path("source.db"), place.warehouse());
    let tables = "CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, note TEXT);
        INSERT INTO orders VALUES (1, 'tea', 'hot');
        CREATE TABLE refunds (id INTEGER PRIMARY KEY, item TEXT);
        INSERT INTO refunds VALUES (7, 'cup');";
    execute(&source, tables).await;
    let streams = json!([{"name": "orders", "syncMode": "full_refresh_append"},
        {"name": "refunds", "syncMode": "full_refresh_append"}]);
    let connection = onboard(api, place, streams).await;
    let fully = json!({"nonBreakingChangesPreference": "propagate_fully"});
    wish(api, &connection, fully).await;
    api.sync(&connection).await;

    let lost = "DROP TABLE refunds; ALTER TABLE orders DROP COLUMN note;
        DELETE FROM orders; INSERT INTO orders VALUES (2, 'pot');";
    execute(&source, lost).await;
    api.sync(&connection).await;
    let after = get(api, &connection).await;
    assert_eq!(names(&after["syncCatalog"]), ["orders"]);
    let orders = "SELECT id || item || coalesce(note, '-') FROM orders ORDER BY id";
    assert_eq!(rows(&warehouse, orders).await, ["1teahot", "2pot-"]);
    let refunds = "SELECT id || item FROM refunds";
    assert_eq!(rows(&warehouse, refunds).await, ["7cup"]);
    engine.stop().await;
}

/// The state that the source was given last.
fn state_given(place: &Place) -> Value {
    serde_json::from_str(&place.left("state_given").unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn p10_with_backfill_a_changed_incremental_stream_is_read_from_its_beginning() {
    for (backfill, expected) in [("enabled", 3), ("disabled", 0)] {
        let engine = Engine::start_with(always_discover).await;
        let api = &engine.api;
        let (connection, _) = both(api, "propagate_columns").await;
        wish(api, &connection, json!({"backfillPreference": backfill})).await;
        api.sync(&connection).await;
        let first = records_of(&engine.place, "Account").len();
        engine.place.set("extra_column", "");
        api.sync(&connection).await;
        let second = records_of(&engine.place, "Account").split_off(first);
        assert_eq!(second.len(), expected, "{backfill}");
        let filled = |line: &Value| line["record"]["data"]["Region__c"] == "north";
        assert!(second.iter().all(filled), "{second:?}");
        let given = state_given(&engine.place);
        assert_eq!(given == json!([]), backfill == "enabled", "{given}");
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p10_a_global_state_is_not_taken_apart_by_a_backfill() {
    let engine = Engine::start_with(always_discover).await;
    let api = &engine.api;
    let (connection, _) = both(api, "propagate_columns").await;
    wish(api, &connection, json!({"backfillPreference": "enabled"})).await;
    engine.place.set("no_state", "");
    let state = json!({"connectionId": connection, "connectionState": {
        "connectionId": connection, "stateType": "global",
        "globalState": {"shared_state": {"lsn": 7}, "streamStates": [
            {"streamDescriptor": {"name": "Account"}, "streamState": {"index": 2}}]}}});
    api.config_ok("/state/create_or_update", state).await;
    engine.place.set("extra_column", "");
    // The sync fails in the end, for this source has no state of that kind to send.
    api.ended(api.start_sync(&connection).await).await;
    let given = state_given(&engine.place);
    assert_eq!(given[0]["type"], "GLOBAL", "{given}");
    let states = &given[0]["global"]["stream_states"];
    assert_eq!(states[0]["stream_state"], json!({"index": 2}), "{given}");
    engine.stop().await;
}
