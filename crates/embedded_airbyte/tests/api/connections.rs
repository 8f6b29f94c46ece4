//! Connections and streams of both APIs: quirks, validation, updates.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Api, Engine, text};

async fn id(api: &Api, connection: &str) -> Value {
    api.config_ok("/connections/get", json!({"connectionId": connection}))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_list_modes_paths_and_the_lower_case_namespace() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let (source, target) = (api.source().await, api.destination("refreshing").await);
    let (status, streams) = api
        .get(&format!(
            "/streams?sourceId={source}&destinationId={target}"
        ))
        .await;
    assert_eq!(status, 200, "{streams}");
    let account = &streams[0];
    assert_eq!(account["streamName"], "Account");
    assert!(account.get("streamnamespace").is_none());
    let modes = json!([
        "full_refresh_append",
        "full_refresh_overwrite",
        "incremental_append",
        "incremental_deduped_history"
    ]);
    assert_eq!(account["syncModes"], modes);
    assert_eq!(account["defaultCursorField"], json!(["SystemModstamp"]));
    assert_eq!(account["sourceDefinedCursorField"], true);
    assert_eq!(account["sourceDefinedPrimaryKey"], json!([["Id"]]));
    assert_eq!(account["propertyFields"][0], json!(["Id"]));
    let (_, without) = api.get(&format!("/streams?sourceId={source}")).await;
    assert!(without[0].get("syncModes").is_none());
    engine.place.set("extra_column", "");
    let (_, cached) = api.get(&format!("/streams?sourceId={source}")).await;
    assert_eq!(cached, without);
    let (_, fresh) = api
        .get(&format!("/streams?sourceId={source}&ignoreCache=true"))
        .await;
    let fields = fresh[0]["propertyFields"].as_array().unwrap();
    assert!(fields.contains(&json!(["Region__c"])));
    engine.place.set("fail_discover", "no access");
    let (status, problem) = api
        .get(&format!("/streams?sourceId={source}&ignoreCache=true"))
        .await;
    assert_eq!(status, 500);
    assert!(text(&problem["type"]).ends_with("unexpected-problem"));
    assert!(
        text(&problem["data"]["message"]).contains("no access"),
        "{problem}"
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn discover_caches_suggests_and_returns_failures_inside_a_200() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let source = api.source().await;
    let discover = async |fresh: bool| {
        let body = json!({"sourceId": source, "disable_cache": fresh});
        api.config_ok("/sources/discover_schema", body).await
    };
    let first = discover(true).await;
    assert_eq!(first["jobInfo"]["succeeded"], true);
    let config = &first["catalog"]["streams"][0]["config"];
    assert_eq!(config["syncMode"], "incremental");
    assert_eq!(config["destinationSyncMode"], "append_dedup");
    assert_eq!(config["selected"], false);
    let schema = &first["catalog"]["streams"][0]["stream"]["jsonSchema"];
    let columns: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(
        columns[..3],
        ["Id", "Name", "Industry"],
        "document order is kept"
    );

    let cached = discover(false).await;
    assert_eq!(cached["catalogId"], first["catalogId"]);
    assert_eq!(cached["jobInfo"]["createdAt"], 0);
    assert_eq!(cached["jobInfo"]["configId"], "NoConfiguration");
    assert_eq!(
        discover(true).await["catalogId"],
        first["catalogId"],
        "same content, same id"
    );
    engine.place.set("extra_column", "");
    assert_eq!(discover(false).await["catalogId"], first["catalogId"]);
    assert_ne!(discover(true).await["catalogId"], first["catalogId"]);
    engine.place.unset("extra_column");
    assert_eq!(discover(true).await["catalogId"], first["catalogId"]);
    assert_eq!(
        discover(false).await["catalogId"],
        first["catalogId"],
        "the latest fetch counts"
    );

    for (misbehaviour, text, kind) in [
        ("fail_discover", "password expired", "config_error"),
        ("crash_discover", "exited with code 3", "system_error"),
        ("garbage_discover", "malformed", "system_error"),
    ] {
        engine.place.set(misbehaviour, text);
        let failed = discover(true).await;
        engine.place.unset(misbehaviour);
        assert_eq!(failed["jobInfo"]["succeeded"], false, "{misbehaviour}");
        assert!(failed.get("catalog").is_none() && failed.get("catalogId").is_none());
        let reason = &failed["jobInfo"]["failureReason"];
        assert_eq!(reason["failureOrigin"], "source");
        assert_eq!(reason["failureType"], kind);
        assert!(
            reason["externalMessage"].as_str().unwrap().contains(text),
            "{reason}"
        );
        assert!(reason["timestamp"].as_i64().unwrap() > 1_700_000_000_000);
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_answers_a_verdict_or_none_when_the_connector_crashed() {
    let engine = Engine::start().await;
    let source = engine.api.source().await;
    let check = async || {
        let body = json!({"sourceId": source});
        engine
            .api
            .config_ok("/sources/check_connection", body)
            .await
    };
    assert_eq!(check().await["status"], "succeeded");
    engine
        .place
        .set("fail_check", "wrong token token-to-refresh");
    let failed = check().await;
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["message"], "wrong token **********");
    assert_eq!(failed["jobInfo"]["succeeded"], true);
    engine.place.set("crash_check", "");
    let crashed = check().await;
    assert!(crashed.get("status").is_none());
    assert_eq!(crashed["jobInfo"]["succeeded"], false);
    let body = json!({"sourceId": Uuid::nil()});
    let (status, answer) = engine.api.config("/sources/check_connection", body).await;
    assert_eq!(status, 404);
    assert!(answer["errorId"].is_string());
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_connection_has_airbytes_defaults() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let (source, target) = (api.source().await, api.destination("recorder").await);
    let body = json!({"sourceId": source, "destinationId": target});
    let (status, made) = api.post("/connections", body).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(made["name"], "Salesforce Production <> target");
    assert_eq!(made["namespaceDefinition"], "destination");
    assert_eq!(made["nonBreakingSchemaUpdatesBehavior"], "ignore");
    assert_eq!(made["schedule"], json!({"scheduleType": "manual"}));
    assert_eq!(
        (&made["prefix"], &made["status"]),
        (&json!(""), &json!("active"))
    );
    let streams = made["configurations"]["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 2);
    for stream in streams {
        assert_eq!(stream["syncMode"], "full_refresh_overwrite");
        assert_eq!(
            stream["selectedFields"],
            json!([]),
            "all columns read as an empty list"
        );
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_cannot_be_synced_as_asked_are_refused() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let (source, target) = (api.source().await, api.destination("recorder").await);
    let fields = |names: &[&str]| {
        let fields: Vec<Value> = names
            .iter()
            .map(|name| json!({"fieldPath": [name]}))
            .collect();
        json!({"name": "Account", "syncMode": "incremental_deduped_history",
            "selectedFields": fields})
    };
    let cases = [
        (json!([{"name": "Missing"}]), "Missing"),
        (json!([{"name": "Account"}, {"name": "Account"}]), "twice"),
        (
            json!([{"name": "Account", "syncMode": "incremental_update"}]),
            "incremental_update",
        ),
        (
            json!([{"name": "Account", "syncMode": "sideways"}]),
            "sideways",
        ),
        (
            json!([{"name": "Account", "syncMode": "full_refresh_overwrite_deduped"}]),
            "full_refresh_overwrite_deduped",
        ),
        (
            json!([{"name": "Account", "syncMode": "incremental_append",
                "cursorField": ["Name"]}]),
            "cursor",
        ),
        (
            json!([{"name": "Account", "syncMode": "incremental_deduped_history",
                "primaryKey": [["Name"]]}]),
            "primary key",
        ),
        (json!([fields(&[])]), "empty"),
        (json!([fields(&["Id", "Name"])]), "SystemModstamp"),
        (json!([fields(&["SystemModstamp", "Name"])]), "Id"),
        (json!([fields(&["Id", "SystemModstamp", "Nope"])]), "Nope"),
        (json!([fields(&["Id", "Id", "SystemModstamp"])]), "twice"),
        (
            json!([{"name": "Account", "selectedFields": [{"fieldPath": ["Id", "x"]}]}]),
            "top-level",
        ),
        (
            json!([{"name": "Account", "mappers": [{"type": "hashing"}]}]),
            "mapperConfiguration",
        ),
    ];
    for (streams, word) in cases {
        let body = json!({"sourceId": source, "destinationId": target,
            "configurations": {"streams": streams}});
        let (status, problem) = api.post("/connections", body).await;
        assert_eq!(status, 400, "{streams} gave {problem}");
        assert!(
            problem.to_string().contains(word),
            "{streams} gave {problem}"
        );
    }
    assert_eq!(api.get("/connections").await.1["data"], json!([]));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crons_are_kept_in_utc_and_wrong_ones_have_their_problem() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    let path = format!("/connections/{connection}");
    let cron = |text: &str| json!({"schedule": {"scheduleType": "cron", "cronExpression": text}});
    let (status, set) = api.patch(&path, cron("0 0 6 * * ?")).await;
    assert_eq!(status, 200, "{set}");
    assert_eq!(set["schedule"]["cronExpression"], "0 0 6 * * ? UTC");
    let (status, again) = api.patch(&path, json!({"schedule": set["schedule"]})).await;
    assert_eq!(
        (status.as_u16(), &again["schedule"]),
        (200, &set["schedule"])
    );
    let read = id(api, &connection).await;
    assert_eq!(read["scheduleData"]["cron"]["cronTimeZone"], "UTC");
    for bad in ["*/5 * * * *", "0 0 0 * * *", "x"] {
        let (status, problem) = api.patch(&path, cron(bad)).await;
        assert_eq!(status, 400, "{bad}");
        assert_eq!(
            problem["type"], "error:cron-validation/invalid-expression",
            "{bad}"
        );
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_keeps_what_it_leaves_out_and_replaces_the_list_of_streams_whole() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let streams = json!([{"name": "Account", "selectedFields": [{"fieldPath": ["Id"]}]},
        {"name": "Contact"}]);
    let connection = api.connection("recorder", streams).await;
    let path = format!("/connections/{connection}");
    let (_, before) = api.get(&path).await;
    assert_eq!(
        before["configurations"]["streams"][0]["selectedFields"],
        json!([{"fieldPath": ["Id"]}])
    );
    let (_, renamed) = api
        .patch(
            &path,
            json!({"name": "new", "configurations": {"streams": []}}),
        )
        .await;
    assert_eq!(renamed["name"], "new");
    assert_eq!(renamed["configurations"], before["configurations"]);
    let echo = json!({"configurations": {"streams":
        [before["configurations"]["streams"][1].clone()]}});
    let (status, problem) = api.patch(&path, echo).await;
    assert_eq!(
        status, 400,
        "an empty selectedFields reads but does not write: {problem}"
    );
    let only = json!({"configurations": {"streams": [{"name": "Contact"}]}});
    let (_, one) = api.patch(&path, only).await;
    assert_eq!(
        one["configurations"]["streams"].as_array().unwrap().len(),
        1
    );
    let (_, locked) = api.patch(&path, json!({"status": "locked"})).await;
    assert_eq!(locked["status"], "locked");
    let (status, problem) = api.patch(&path, json!({"name": "x"})).await;
    assert_eq!(
        (status.as_u16(), &problem["type"]),
        (409, &json!("error:connection/locked"))
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_connections_may_write_one_stream_of_a_destination_as_airbyte_lets_them() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let (source, target) = (api.source().await, api.destination("recorder").await);
    let body = |prefix: &str| {
        json!({"sourceId": source, "destinationId": target, "prefix": prefix,
            "configurations": {"streams": [{"name": "Account"}]}})
    };
    for prefix in ["", "", "b_"] {
        let (status, made) = api.post("/connections", body(prefix)).await;
        assert_eq!(status, 200, "{made}");
        let update = json!({"connectionId": made["connectionId"], "prefix": ""});
        api.config_ok("/connections/update", update).await;
    }
    engine.stop().await;
}
