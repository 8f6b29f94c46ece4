//! Calls of the Config API about states, jobs and how connections are doing.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Api, Engine, left, text};

async fn status(api: &Api, connection: &str) -> Value {
    let body = json!({"connectionIds": [connection]});
    let mut list = api.config_ok("/connections/status", body).await;
    assert_eq!(list.as_array().unwrap().len(), 1);
    list[0].take()
}

async fn read_of(api: &Api, connection: &str) -> Value {
    api.config_ok("/connections/get", json!({"connectionId": connection}))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connections_status_follows_its_jobs() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    assert_eq!(
        status(api, &connection).await,
        json!({"connectionId": connection, "connectionSyncStatus": "pending"})
    );
    let info = api.sync(&connection).await;
    let synced = status(api, &connection).await;
    assert_eq!(synced["connectionSyncStatus"], "synced");
    assert_eq!(synced["lastSyncJobId"], info["job"]["id"]);
    assert_eq!(synced["lastSyncAttemptNumber"], 0);
    assert_eq!(synced["lastSyncJobCreatedAt"], info["job"]["createdAt"]);
    assert_eq!(synced["lastSuccessfulSync"], info["job"]["updatedAt"]);

    engine.place.set("records", "9");
    engine.place.set("gate", "");
    let job = api.start_sync(&connection).await;
    left(&engine.place, "waiting").await;
    let running = status(api, &connection).await;
    assert_eq!(running["connectionSyncStatus"], "running");
    assert_eq!(
        (&running["activeJob"]["id"], &running["activeJob"]["status"]),
        (&json!(job), &json!("running"))
    );
    let body = json!({"id": job});
    let debug = api.config_ok("/jobs/get_debug_info", body).await;
    assert_eq!(debug["workflowState"], json!({"running": true}));
    api.config_ok("/jobs/cancel", json!({"id": job})).await;
    assert_eq!(
        status(api, &connection).await["connectionSyncStatus"],
        "incomplete"
    );
    engine.place.unset("gate");

    engine.place.set("fail_read", "config_error");
    let job = api.start_sync(&connection).await;
    api.ended(job).await;
    let failed = status(api, &connection).await;
    assert_eq!(failed["connectionSyncStatus"], "failed");
    assert_eq!(failed["failureReason"]["failureType"], "config_error");
    engine.place.unset("fail_read");
    api.sync(&connection).await;
    let change = json!({"connectionId": connection, "status": "inactive", "scheduleType": "basic",
        "scheduleData": {"basicSchedule": {"timeUnit": "hours", "units": 6}}});
    api.config_ok("/connections/update", change).await;
    let paused = status(api, &connection).await;
    assert_eq!(paused["connectionSyncStatus"], "paused");
    assert_eq!(paused["scheduleData"]["basicSchedule"]["units"], 6);
    let change = json!({"connectionId": connection, "breakingChange": true});
    api.config_ok("/connections/update", change).await;
    assert_eq!(
        status(api, &connection).await["connectionSyncStatus"],
        "failed"
    );
    let unknown = json!({"connectionIds": [Uuid::new_v4()]});
    assert_eq!(api.config("/connections/status", unknown).await.0, 404);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn states_are_written_laid_over_and_removed() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    let write = async |call: &str, state: Value| {
        let mut state = state;
        state["connectionId"] = json!(connection);
        let body = json!({"connectionId": connection, "connectionState": state});
        api.config(&format!("/state/{call}"), body).await
    };
    let stream = |name: &str, state: Value| json!({"streamDescriptor": {"name": name}, "streamState": state});
    let both = json!({"stateType": "stream", "streamState": [
        stream("Account", json!({"index": 2, "SystemModstamp": "2024-01-01T00:00:02Z"})),
        stream("Contact", json!({"index": 1}))]});
    let (code, written) = write("create_or_update", both).await;
    assert_eq!(code, 200, "{written}");
    assert_eq!(written["streamState"].as_array().unwrap().len(), 2);
    let read = api
        .config_ok("/state/get", json!({"connectionId": connection}))
        .await;
    assert_eq!(read, written);
    let info = api.sync(&connection).await;
    assert_eq!(
        info["job"]["aggregatedStats"]["recordsCommitted"], 1,
        "it goes on after the second"
    );

    let removal = json!({"stateType": "stream", "streamState": [stream("Contact", Value::Null)]});
    let (_, left_over) = write("create_or_update_safe", removal).await;
    assert_eq!(left_over["streamState"].as_array().unwrap().len(), 1);
    let global = json!({"stateType": "global", "globalState": {"shared_state": {"lsn": 1},
        "streamStates": [stream("Account", json!({"x": 1}))]}});
    assert_eq!(
        write("create_or_update", global.clone()).await.0,
        422,
        "not from stream to global"
    );
    assert_eq!(
        write("create_or_update", json!({"stateType": "stream"}))
            .await
            .0,
        422
    );
    let (_, none) = write("create_or_update", json!({"stateType": "not_set"})).await;
    assert_eq!(
        none,
        json!({"stateType": "not_set", "connectionId": connection})
    );
    let (_, legacy) = write(
        "create_or_update",
        json!({"stateType": "legacy", "state": {"a": 1}}),
    )
    .await;
    assert_eq!(legacy["state"], json!({"a": 1}));
    let (code, as_global) = write("create_or_update", global).await;
    assert_eq!(code, 200, "{as_global}");
    assert_eq!(as_global["globalState"]["shared_state"], json!({"lsn": 1}));
    assert_eq!(
        as_global["globalState"]["streamStates"][0]["streamState"],
        json!({"x": 1})
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_safe_write_of_state_is_refused_while_a_sync_runs() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    engine.place.set("gate", "");
    let job = api.start_sync(&connection).await;
    left(&engine.place, "waiting").await;
    let body = json!({"connectionId": connection, "connectionState": {"stateType": "not_set",
        "connectionId": connection}});
    let (code, refused) = api
        .config("/state/create_or_update_safe", body.clone())
        .await;
    assert_eq!(code, 423, "{refused}");
    assert!(text(&refused["message"]).contains("running"));
    engine.place.set("open", "");
    api.ended(job).await;
    assert_eq!(
        api.config("/state/create_or_update_safe", body).await.0,
        200
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_lists_widen_to_hold_a_job_and_debug_info_names_the_connectors() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(api.sync(&connection).await["job"]["id"].as_i64().unwrap());
    }
    let list = async |more: Value| {
        let mut body = json!({"configTypes": ["sync"], "configId": connection});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        api.config_ok("/jobs/list", body).await
    };
    let found = |answer: &Value| -> Vec<i64> {
        let jobs = answer["jobs"].as_array().unwrap();
        jobs.iter()
            .map(|one| one["job"]["id"].as_i64().unwrap())
            .collect()
    };
    let pages = json!({"pageSize": 2, "rowOffset": 0});
    let newest = list(json!({"pagination": pages})).await;
    assert_eq!(
        (found(&newest), &newest["totalJobCount"]),
        (vec![ids[4], ids[3]], &json!(5))
    );
    let wide = list(json!({"pagination": pages, "includingJobId": ids[2]})).await;
    assert_eq!(found(&wide), [ids[4], ids[3], ids[2], ids[1]]);
    let none = list(json!({"pagination": pages, "includingJobId": 4711})).await;
    assert!(found(&none).is_empty());
    let oldest = list(json!({"orderByField": "createdAt", "orderByMethod": "ASC"})).await;
    assert_eq!(found(&oldest), ids);

    let debug = api
        .config_ok("/jobs/get_debug_info", json!({"id": ids[0]}))
        .await;
    let job = &debug["job"];
    assert_eq!(
        (&job["configType"], &job["configId"], &job["status"]),
        (&json!("sync"), &json!(connection), &json!("succeeded"))
    );
    assert!(job["airbyteVersion"].is_string());
    assert_eq!(job["sourceDefinition"]["name"], "Salesforce");
    assert_eq!(job["destinationDefinition"]["name"], "Recorder");
    assert!(
        !debug["attempts"][0]["logs"]["logLines"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert_eq!(debug["workflowState"], json!({"running": false}));
    assert_eq!(
        api.config("/jobs/get_debug_info", json!({"id": 4711}))
            .await
            .0,
        404
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_specifications_and_updates_with_a_reason_answer_in_full() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    let connection = api.accounts("refreshing").await;
    let update = json!({"connectionUpdate": {"connectionId": connection, "name": "renamed"},
        "updateReason": "a test", "autoUpdate": true});
    let read = api
        .config_ok("/connections/update_with_reason", update)
        .await;
    assert_eq!(read["name"], "renamed");
    let kept = json!({"resourceRequirements": {"cpu_limit": "2"}, "operationIds": [Uuid::nil()],
        "onDemandEnabled": true});
    let mut update = kept.clone();
    update["connectionId"] = json!(connection);
    api.config_ok("/connections/update", update).await;
    let shown = read_of(api, &connection).await;
    for (name, value) in kept.as_object().unwrap() {
        assert_eq!(shown[name], *value);
    }
    let source = api
        .config_ok("/sources/get", json!({"sourceId": read["sourceId"]}))
        .await;
    assert_eq!(
        (
            &source["sourceName"],
            &source["name"],
            &source["workspaceId"]
        ),
        (
            &json!("Salesforce"),
            &json!("Salesforce Production"),
            &json!(workspace)
        )
    );
    assert_eq!(
        source["connectionConfiguration"]["client_secret"],
        "**********"
    );
    assert_eq!(
        api.config("/sources/get", json!({"sourceId": Uuid::new_v4()}))
            .await
            .0,
        404
    );

    let body = json!({"destinationDefinitionId": crate::harness::REFRESHING,
        "workspaceId": workspace});
    let spec = api
        .config_ok("/destination_definition_specifications/get", body)
        .await;
    assert_eq!(
        spec["supportedDestinationSyncModes"],
        json!(["append", "overwrite", "append_dedup", "overwrite_dedup"])
    );
    let check = json!({"destinationId": read["destinationId"]});
    let checked = api.config_ok("/destinations/check_connection", check).await;
    assert_eq!(checked["status"], "succeeded");
    assert_eq!(
        checked["jobInfo"]["configType"],
        "check_connection_destination"
    );

    let consent = json!({"sourceDefinitionId": crate::harness::SALESFORCE,
        "workspaceId": workspace, "redirectUrl": "https://example.org"});
    for call in ["get_consent_url", "complete_oauth"] {
        let (code, answer) = api
            .config(&format!("/source_oauths/{call}"), consent.clone())
            .await;
        assert_eq!(code, 404, "no operator's credentials are kept here");
        assert!(answer["errorId"].is_string(), "{answer}");
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_filter_and_stream_calls_require_streams() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    let connection = api.accounts("refreshing").await;
    let body = json!({"workspaceId": workspace, "filterByUsed": true});
    let used = api
        .config_ok("/destination_definitions/list_for_workspace", body.clone())
        .await;
    let names: Vec<&str> = used["destinationDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["SQLite", "Refreshing"], "the recorder is not used");
    let used = api
        .config_ok("/source_definitions/list_for_workspace", body)
        .await;
    assert_eq!(used["sourceDefinitions"].as_array().unwrap().len(), 1);

    for call in ["clear", "reset"] {
        let path = format!("/connections/{call}/stream");
        let bare = json!({"connectionId": connection});
        assert_eq!(api.config(&path, bare.clone()).await.0, 422, "{path}");
        let unknown = json!({"connectionId": connection, "streams": [{"streamName": "Nobody"}]});
        assert_eq!(api.config(&path, unknown).await.0, 422, "{path}");
        let info = api.config_ok(&format!("/connections/{call}"), bare).await;
        assert_eq!(info["job"]["configType"], "reset_connection");
        assert_eq!(
            info["job"]["resetConfig"],
            json!({"streamsToReset": [{"name": "Account"}]})
        );
        api.ended(info["job"]["id"].as_i64().unwrap()).await;
    }
    api.delete(&format!("/connections/{connection}")).await;
    let count = async |tombstones: bool| {
        let body = json!({"workspaceId": workspace, "includeTombstone": tombstones});
        let list = api.config_ok("/connections/list", body).await;
        list["connections"].as_array().unwrap().len()
    };
    assert_eq!((count(false).await, count(true).await), (0, 1));
    engine.stop().await;
}
