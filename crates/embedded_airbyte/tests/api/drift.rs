//! What Airbyte itself does when a source's schema changes: diffs, switching connections off,
//! taking changes over, and the step before a sync.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Api, Engine, left, text};

/// A connection of both streams, and its source.
pub(crate) async fn both(api: &Api, preference: &str) -> (String, String) {
    let streams = json!([
        {"name": "Account", "syncMode": "incremental_deduped_history"},
        {"name": "Contact", "syncMode": "full_refresh_append"}]);
    let connection = api.connection("refreshing", streams).await;
    let update = json!({"connectionId": connection, "nonBreakingChangesPreference": preference});
    let read = api.config_ok("/connections/update", update).await;
    (connection, text(&read["sourceId"]))
}

pub(crate) async fn get(api: &Api, connection: &str) -> Value {
    api.config_ok("/connections/get", json!({"connectionId": connection}))
        .await
}

pub(crate) async fn discover(api: &Api, source: &str) -> Value {
    let body = json!({"sourceId": source, "disable_cache": true});
    api.config_ok("/sources/discover_schema", body).await
}

pub(crate) fn names(catalog: &Value) -> Vec<&str> {
    let streams = catalog["streams"].as_array().unwrap();
    streams
        .iter()
        .map(|entry| entry["stream"]["name"].as_str().unwrap())
        .collect()
}

fn columns(catalog: &Value) -> usize {
    let schema = &catalog["streams"][0]["stream"]["jsonSchema"];
    schema["properties"].as_object().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn discover_for_a_connection_returns_the_diff_and_stores_the_verdict() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let (connection, source) = both(api, "ignore").await;
    let before = get(api, &connection).await;
    let ask = async |fresh: bool| {
        let body = json!({"sourceId": source, "connectionId": connection, "disable_cache": fresh});
        api.config_ok("/sources/discover_schema", body).await
    };
    engine.place.set("extra_column", "");
    let cached = ask(false).await;
    assert!(
        cached["jobInfo"].is_object() && cached.get("catalogDiff").is_none(),
        "{cached}"
    );

    let harmless = ask(true).await;
    assert!(
        harmless.get("jobInfo").is_none(),
        "left out by a real run for a connection"
    );
    let diff = &harmless["catalogDiff"]["transforms"];
    assert_eq!(diff.as_array().unwrap().len(), 1);
    assert_eq!(diff[0]["transformType"], "update_stream");
    assert_eq!(diff[0]["streamDescriptor"], json!({"name": "Account"}));
    let field = &diff[0]["updateStream"]["fieldTransforms"][0];
    assert_eq!(
        *field,
        json!({"transformType": "add_field", "fieldName": ["Region__c"], "breaking": false,
            "addField": {"schema": {"type": ["null", "string"]}}})
    );
    assert_eq!(
        (&harmless["breakingChange"], &harmless["connectionStatus"]),
        (&json!(false), &json!("active"))
    );

    engine.place.set("lost_cursor", "");
    let broken = ask(true).await;
    assert_eq!(
        (&broken["breakingChange"], &broken["connectionStatus"]),
        (&json!(true), &json!("inactive"))
    );
    let after = get(api, &connection).await;
    assert_eq!(
        (&after["breakingChange"], &after["status"]),
        (&json!(true), &json!("inactive"))
    );
    assert_eq!(
        after["sourceCatalogId"], before["sourceCatalogId"],
        "nothing is accepted"
    );
    assert_eq!(after["syncCatalog"], before["syncCatalog"]);

    engine.place.unset("lost_cursor");
    let healed = ask(true).await;
    assert_eq!(
        (&healed["breakingChange"], &healed["connectionStatus"]),
        (&json!(false), &json!("inactive")),
        "the flag goes, the connection stays off"
    );
    engine.place.set("fail_discover", "no access");
    let failed = ask(true).await;
    assert_eq!(failed["jobInfo"]["succeeded"], false);
    assert!(failed.get("catalogDiff").is_none());
    engine.place.unset("fail_discover");
    let body = json!({"sourceId": source, "connectionId": Uuid::new_v4(), "disable_cache": true});
    assert_eq!(api.config("/sources/discover_schema", body).await.0, 404);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn catalogs_are_compared_with_and_without_a_connection() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let (connection, source) = both(api, "ignore").await;
    let old = get(api, &connection).await["sourceCatalogId"].clone();
    for control in ["lost_cursor", "extra_stream", "lost_stream"] {
        engine.place.set(control, "");
    }
    let new = discover(api, &source).await["catalogId"].clone();
    let body = json!({"current_catalog_id": old, "new_catalog_id": new});
    let bare = api.config_ok("/catalogs/diff", body.clone()).await;
    assert_eq!(
        bare["schema_change"], "non_breaking",
        "never breaking without a connection"
    );
    let kinds: Vec<&str> = bare["catalog_diff"]["transforms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|transform| transform["transformType"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["remove_stream", "add_stream"]);
    assert!(bare.get("merged_catalog").is_none());

    let mut body = body;
    body["connection_id"] = json!(connection);
    let full = api.config_ok("/catalogs/diff", body.clone()).await;
    assert_eq!(full["schema_change"], "breaking");
    assert_eq!(names(&full["merged_catalog"]), ["Account", "Lead"]);
    let merged = &full["merged_catalog"]["streams"];
    assert_eq!(merged[0]["config"]["selected"], true);
    assert_eq!(merged[0]["config"]["destinationSyncMode"], "append_dedup");
    assert_eq!(merged[1]["config"]["selected"], false);
    assert_eq!(
        get(api, &connection).await["status"],
        "active",
        "looking changes nothing"
    );

    body["persist_changes"] = json!(true);
    api.config_ok("/catalogs/diff", body.clone()).await;
    let after = get(api, &connection).await;
    assert_eq!(
        (&after["breakingChange"], &after["status"]),
        (&json!(true), &json!("inactive"))
    );
    assert_eq!(after["sourceCatalogId"], old);
    body["new_catalog_id"] = json!(Uuid::new_v4());
    assert_eq!(api.config("/catalogs/diff", body).await.0, 404);
    let same = json!({"current_catalog_id": old, "new_catalog_id": old});
    let same = api.config_ok("/catalogs/diff", same).await;
    assert_eq!(
        same,
        json!({"catalog_diff": {"transforms": []}, "schema_change": "no_change"})
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn applying_adopts_the_connections_preferences_in_both_spellings() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    for control in ["extra_column", "extra_stream", "lost_stream"] {
        engine.place.unset(control);
    }
    for (preference, spelling, applied, streams) in [
        (
            "ignore",
            "apply_schema_change",
            vec![],
            vec!["Account", "Contact"],
        ),
        (
            "disable",
            "apply_schema_change",
            vec![],
            vec!["Account", "Contact"],
        ),
        (
            "propagate_columns",
            "apply_schema_changes",
            vec!["update_stream"],
            vec!["Account", "Contact"],
        ),
        (
            "propagate_fully",
            "apply_schema_change",
            vec!["remove_stream", "add_stream", "update_stream"],
            vec!["Account", "Lead"],
        ),
    ] {
        for control in ["extra_column", "extra_stream", "lost_stream"] {
            engine.place.unset(control);
        }
        let (connection, source) = both(api, preference).await;
        let before = get(api, &connection).await;
        for control in ["extra_column", "extra_stream", "lost_stream"] {
            engine.place.set(control, "");
        }
        let found = discover(api, &source).await;
        let body = json!({"catalog": found["catalog"], "catalogId": found["catalogId"],
            "connectionId": connection, "workspaceId": workspace});
        let answer = api
            .config_ok(&format!("/connections/{spelling}"), body)
            .await;
        let kinds: Vec<&str> = answer["propagatedDiff"]["transforms"]
            .as_array()
            .unwrap()
            .iter()
            .map(|transform| transform["transformType"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, applied, "{preference}");
        let after = get(api, &connection).await;
        assert_eq!(names(&after["syncCatalog"]), streams, "{preference}");
        let took = preference.starts_with("propagate");
        let accepted = if took {
            &found["catalogId"]
        } else {
            &before["sourceCatalogId"]
        };
        assert_eq!(after["sourceCatalogId"], *accepted, "{preference}");
        let grown = columns(&after["syncCatalog"]) - columns(&before["syncCatalog"]);
        assert_eq!(grown, usize::from(took), "{preference}");
        let status = if preference == "disable" {
            "inactive"
        } else {
            "active"
        };
        assert_eq!(
            (&after["status"], &after["breakingChange"]),
            (&json!(status), &json!(false))
        );
        api.delete(&format!("/connections/{connection}")).await;
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_applies_to_all_its_connections_and_postprocessing_uses_the_latest_catalog() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let (connection, source) = both(api, "propagate_columns").await;
    let first = discover(api, &source).await;
    engine.place.set("extra_column", "");
    let found = discover(api, &source).await;
    let body = json!({"catalog": found["catalog"], "catalogId": found["catalogId"],
        "sourceId": source, "workspaceId": api.workspace().await});
    let (status, nothing) = api.config("/sources/apply_schema_changes", body).await;
    assert_eq!((status.as_u16(), nothing), (204, Value::Null));
    let after = get(api, &connection).await;
    assert_eq!(after["sourceCatalogId"], found["catalogId"]);

    engine.place.unset("extra_column");
    let back = discover(api, &source).await;
    assert_eq!(back["catalogId"], first["catalogId"]);
    // An old id is named, the latest fetch is what counts.
    let body = json!({"connectionId": connection, "catalogId": found["catalogId"]});
    let answer = api
        .config_ok("/connections/postprocess_discovered_catalog", body)
        .await;
    let field = &answer["appliedDiff"]["transforms"][0]["updateStream"]["fieldTransforms"][0];
    assert_eq!(field["transformType"], "remove_field");
    assert_eq!(
        get(api, &connection).await["sourceCatalogId"],
        first["catalogId"]
    );
    let latest = api
        .config_ok(
            "/sources/most_recent_source_actor_catalog",
            json!({"sourceId": source}),
        )
        .await;
    assert!(latest["updatedAt"].as_i64().unwrap() > 1_600_000_000);
    assert_eq!(latest["catalog"]["streams"][0]["name"], "Account");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaking_change_seen_before_a_sync_cancels_it() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let (connection, source) = both(api, "ignore").await;
    api.sync(&connection).await;
    let written = engine.place.written().len();
    engine.place.set("lost_cursor", "");
    // The catalog is recent, so the source is not asked and the sync continues.
    api.sync(&connection).await;
    assert!(engine.place.written().len() > written);

    discover(api, &source).await;
    let written = engine.place.written().len();
    let job = api.start_sync(&connection).await;
    let info = api.ended(job).await;
    assert_eq!(info["job"]["status"], "cancelled", "{info:#}");
    let attempt = &info["attempts"][0]["attempt"];
    assert_eq!(attempt["status"], "failed");
    let reason = &attempt["failureSummary"]["failures"][0];
    assert_eq!(reason["failureType"], "manual_cancellation");
    let log = info["attempts"][0]["logs"]["logLines"].to_string();
    assert!(log.contains("not active any more"), "{log}");
    let after = get(api, &connection).await;
    assert_eq!(
        (&after["breakingChange"], &after["status"]),
        (&json!(true), &json!("inactive"))
    );
    assert_eq!(engine.place.written().len(), written, "no connector ran");
    let (status, problem) = api
        .post(
            "/jobs",
            json!({"connectionId": connection, "jobType": "sync"}),
        )
        .await;
    assert_eq!(status, 409);
    assert!(text(&problem["type"]).ends_with("state-conflict"));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_fails_if_its_source_cannot_be_discovered() {
    let engine =
        Engine::start_with(|options| options.timing.discover_window = Duration::ZERO).await;
    let api = &engine.api;
    let (connection, _) = both(api, "propagate_columns").await;
    engine.place.set("fail_discover", "no access");
    let job = api.start_sync(&connection).await;
    let info = api.ended(job).await;
    assert_eq!(info["job"]["status"], "failed");
    let attempts = info["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 5);
    let reason = &attempts[0]["attempt"]["failureSummary"]["failures"][0];
    assert_eq!(
        (&reason["failureOrigin"], &reason["failureType"]),
        (&json!("airbyte_platform"), &json!("refresh_schema"))
    );
    assert!(text(&reason["internalMessage"]).contains("no access"));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_is_cancelled_or_outlives_the_engine_during_discovery() {
    let old = |options: &mut embedded_airbyte::Options| {
        options.timing.discover_window = Duration::ZERO;
    };
    let engine = Engine::start_with(old).await;
    let connection = engine.api.accounts("recorder").await;
    engine.place.set("hang_discover", "");
    let job = engine.api.start_sync(&connection).await;
    left(&engine.place, "discovering").await;
    assert_eq!(engine.api.job_status(job).await, "running");
    let (_, cancelled) = engine.api.delete(&format!("/jobs/{job}")).await;
    assert_eq!(cancelled["status"], "cancelled", "{cancelled}");

    engine.place.unset("discovering");
    let job = engine.api.start_sync(&connection).await;
    left(&engine.place, "discovering").await;
    let place = engine.stop().await;
    place.unset("hang_discover");
    let engine = Engine::start_at(place, old).await;
    let info = engine.api.ended(job).await;
    assert_eq!(info["job"]["status"], "succeeded", "{info:#}");
    assert_eq!(
        info["attempts"].as_array().unwrap().len(),
        1,
        "none was lost"
    );
    engine.stop().await;
}
