//! Syncs end to end: what the destination gets, what is counted, what is kept.

use serde_json::{Value, json};

use crate::harness::{Api, Engine, text};

async fn state(api: &Api, connection: &str) -> Value {
    api.config_ok("/state/get", json!({"connectionId": connection}))
        .await
}

fn messages<'a>(written: &'a [Value], kind: &str) -> Vec<&'a Value> {
    written.iter().filter(|line| line["type"] == kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incremental_sync_moves_narrowed_records_and_resumes_from_its_state() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    assert_eq!(state(api, &connection).await["stateType"], "not_set");
    let info = api.sync(&connection).await;
    let stats = &info["job"]["aggregatedStats"];
    assert_eq!(
        (&stats["recordsEmitted"], &stats["recordsCommitted"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(stats["bytesEmitted"], stats["bytesCommitted"]);
    let written = engine.place.written();
    let records = messages(&written, "RECORD");
    assert_eq!(records.len(), 3);
    let data = records[0]["record"]["data"].as_object().unwrap();
    assert!(
        !data.contains_key("attributes") && !data.contains_key("Region__c"),
        "{data:?}"
    );
    assert_eq!(data["AnnualRevenue"], 1.5);
    let states = messages(&written, "STATE");
    assert_eq!(states[0]["state"]["sourceStats"]["recordCount"], 2.0);
    assert!(states[1]["state"]["id"].as_i64() > states[0]["state"]["id"].as_i64());
    assert!(
        messages(&written, "TRACE").is_empty(),
        "it does not know generations"
    );
    let configured = &written[0]["catalog"]["streams"][0];
    assert_eq!(configured["destination_sync_mode"], "append_dedup");
    assert!(configured.get("generation_id").is_none());

    let saved = state(api, &connection).await;
    assert_eq!(saved["stateType"], "stream");
    assert_eq!(
        saved["streamState"][0]["streamDescriptor"]["name"],
        "Account"
    );
    assert_eq!(saved["streamState"][0]["streamState"]["index"], 3);
    engine.place.set("records", "5");
    let info = api.sync(&connection).await;
    assert_eq!(info["job"]["aggregatedStats"]["recordsCommitted"], 2);
    let given: Value = serde_json::from_str(&engine.place.left("state_given").unwrap()).unwrap();
    assert_eq!(given[0]["stream"]["stream_state"]["index"], 3);
    assert_eq!(engine.place.written_ids().len(), 5);
    let (_, jobs) = api
        .get(&format!(
            "/jobs?connectionId={connection}&orderBy=createdAt%7CDESC"
        ))
        .await;
    assert_eq!(jobs["data"][0]["rowsSynced"], 2);
    assert_eq!(jobs["data"][1]["rowsSynced"], 3);
    assert_eq!(jobs["data"][0]["jobType"], "sync");
    assert!(text(&jobs["data"][0]["duration"]).starts_with("PT"));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn generations_determine_what_a_refreshing_destination_replaces() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let streams = json!([
        {"name": "Account", "syncMode": "full_refresh_overwrite"},
        {"name": "Contact", "syncMode": "incremental_deduped_history"},
    ]);
    let connection = api.connection("refreshing", streams).await;
    api.sync(&connection).await;
    api.sync(&connection).await;
    let refresh = json!({"connectionId": connection, "refreshMode": "Truncate",
        "streams": [{"streamName": "Contact"}]});
    let started = api.config_ok("/connections/refresh", refresh).await;
    assert_eq!(started["job"]["configType"], "refresh");
    let job = started["job"]["id"].as_i64().unwrap();
    let ended = api.ended(job).await;
    assert_eq!(ended["job"]["status"], "succeeded", "{ended:#}");
    assert_eq!(
        ended["job"]["refreshConfig"]["streamsToRefresh"],
        json!([{"name": "Contact"}])
    );
    let written = engine.place.written();
    let catalogs: Vec<&Value> = written
        .iter()
        .filter_map(|line| line.get("catalog"))
        .collect();
    let seen: Vec<_> = catalogs
        .iter()
        .map(|catalog| {
            let of = |index: usize| {
                let stream = &catalog["streams"][index];
                assert!(stream["sync_id"].is_i64());
                (
                    text(&stream["destination_sync_mode"]),
                    stream["generation_id"].as_i64().unwrap(),
                    stream["minimum_generation_id"].as_i64().unwrap(),
                )
            };
            (of(0), of(1))
        })
        .collect();
    let append = |generation, minimum| ("append".to_owned(), generation, minimum);
    let dedup = |generation, minimum| ("append_dedup".to_owned(), generation, minimum);
    assert_eq!(
        seen,
        [
            (append(1, 1), dedup(0, 0)),
            (append(2, 2), dedup(0, 0)),
            (append(3, 3), dedup(1, 1)),
        ]
    );
    let contacts = engine.place.written_ids();
    let contacts = contacts
        .iter()
        .filter(|id| id.starts_with("Contact"))
        .count();
    assert_eq!(contacts, 6, "three by the first sync, three by the refresh");
    let complete = messages(&written, "TRACE");
    assert_eq!(complete.len(), 6);
    assert_eq!(complete[0]["trace"]["stream_status"]["status"], "COMPLETE");
    let last_state = messages(&written, "STATE").pop().unwrap().clone();
    assert_eq!(
        last_state["state"]["stream"]["stream_descriptor"]["name"],
        "Account"
    );
    assert_eq!(
        last_state["state"]["stream"]["stream_state"],
        json!({}),
        "made up for the source"
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_without_generations_cannot_be_refreshed_and_overwrites() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api
        .connection("recorder", json!([{"name": "Account"}]))
        .await;
    let refresh = json!({"connectionId": connection, "refreshMode": "Merge"});
    assert_eq!(
        api.config_ok("/connections/refresh", refresh).await,
        json!({})
    );
    let info = api.sync(&connection).await;
    assert_eq!(info["job"]["aggregatedStats"]["recordsCommitted"], 3);
    let catalog = &engine.place.written()[0]["catalog"]["streams"][0];
    assert_eq!(catalog["destination_sync_mode"], "overwrite");
    let body = json!({"connectionId": connection, "jobType": "refresh"});
    assert_eq!(api.post("/jobs", body).await.0, 422);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn namespace_and_prefix_name_the_destinations_streams_and_states_keep_the_sources_names() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("refreshing").await;
    let change = json!({"namespaceDefinition": "custom_format",
        "namespaceFormat": "lake_${SOURCE_NAMESPACE}", "prefix": "raw_"});
    let (status, answer) = api
        .patch(&format!("/connections/{connection}"), change)
        .await;
    assert_eq!(status, 200, "{answer}");
    api.sync(&connection).await;
    let written = engine.place.written();
    for record in messages(&written, "RECORD") {
        assert_eq!(record["record"]["stream"], "raw_Account");
        assert_eq!(record["record"]["namespace"], "lake_");
        assert!(record["record"]["emitted_at"].is_i64());
    }
    let named = json!({"name": "raw_Account", "namespace": "lake_"});
    for state in messages(&written, "STATE") {
        assert_eq!(state["state"]["stream"]["stream_descriptor"], named);
    }
    let complete = &messages(&written, "TRACE")[0]["trace"]["stream_status"];
    assert_eq!(complete["stream_descriptor"], named);
    assert_eq!(
        written[0]["catalog"]["streams"][0]["stream"]["name"],
        "raw_Account"
    );
    let saved = state(api, &connection).await;
    assert_eq!(
        saved["streamState"][0]["streamDescriptor"],
        json!({"name": "Account"})
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_source_mode_forgets_the_state_and_a_clear_empties_the_streams() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("refreshing").await;
    api.sync(&connection).await;
    let clear = json!({"connectionId": connection, "jobType": "clear"});
    let (status, job) = api.post("/jobs", clear).await;
    assert_eq!((status.as_u16(), &job["jobType"]), (200, &json!("reset")));
    let ended = api.ended(job["jobId"].as_i64().unwrap()).await;
    assert_eq!(ended["job"]["status"], "succeeded", "{ended:#}");
    assert_eq!(ended["job"]["configType"], "reset_connection");
    assert_eq!(state(api, &connection).await["stateType"], "not_set");
    let written = engine.place.written();
    let catalog = &written
        .iter()
        .rfind(|line| line["catalog"].is_object())
        .unwrap()["catalog"];
    assert_eq!(catalog["streams"][0]["minimum_generation_id"], 1);
    assert_eq!(
        written.last().unwrap()["trace"]["stream_status"]["status"],
        "COMPLETE"
    );
    let (_, none) = api
        .get(&format!("/jobs?connectionId={connection}&jobType=clear"))
        .await;
    assert_eq!(none["data"], json!([]));
    let (_, resets) = api
        .get(&format!("/jobs?connectionId={connection}&jobType=reset"))
        .await;
    assert_eq!(resets["data"].as_array().unwrap().len(), 1);

    api.sync(&connection).await;
    assert_eq!(state(api, &connection).await["stateType"], "stream");
    let streams = json!([{"name": "Account", "syncMode": "full_refresh_append"}]);
    let change = json!({"configurations": {"streams": streams}});
    api.patch(&format!("/connections/{connection}"), change)
        .await;
    assert_eq!(state(api, &connection).await["stateType"], "not_set");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_configuration_is_stored_at_once_and_used_next() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    engine.place.set("rotate", "rotated-token");
    engine.place.set("gate", "");
    let job = api.start_sync(&connection).await;
    crate::harness::left(&engine.place, "waiting").await;
    let read = api
        .config_ok("/connections/get", json!({"connectionId": connection}))
        .await;
    let check = json!({"sourceId": read["sourceId"]});
    api.config_ok("/sources/check_connection", check).await;
    let used = engine.place.recorded().pop().unwrap();
    assert_eq!(
        used["refresh_token"], "rotated-token",
        "while the sync still runs"
    );
    engine.place.set("open", "");
    assert_eq!(api.ended(job).await["job"]["status"], "succeeded");
    let (_, shown) = api
        .get(&format!("/sources/{}", text(&read["sourceId"])))
        .await;
    assert_eq!(shown["configuration"]["refresh_token"], "**********");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_lists_filter_and_order_as_each_api_does() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    for _ in 0..3 {
        api.sync(&connection).await;
    }
    let ids = |list: &Value| -> Vec<i64> {
        let data = list["data"].as_array().unwrap();
        data.iter()
            .map(|job| job["jobId"].as_i64().unwrap())
            .collect()
    };
    let (_, oldest) = api.get(&format!("/jobs?connectionId={connection}")).await;
    let mut expected = ids(&oldest);
    assert!(expected.is_sorted() && expected.len() == 3);
    let (_, newest) = api.get("/jobs?orderBy=createdAt%7CDESC&limit=1").await;
    assert_eq!(ids(&newest), [expected[2]]);
    let (_, failed) = api.get("/jobs?status=failed").await;
    assert_eq!(ids(&failed), [0_i64; 0]);
    let (_, none) = api.get("/jobs?createdAtEnd=2020-01-01T00:00:00Z").await;
    assert_eq!(ids(&none), [0_i64; 0]);
    assert_eq!(api.get("/jobs?orderBy=size%7CASC").await.0, 400);
    assert_eq!(api.get("/jobs?status=unheard").await.0, 400);
    assert_eq!(api.get("/jobs/99999").await.0, 409);
    let list = json!({"configTypes": ["sync"], "configId": connection,
        "pagination": {"pageSize": 2}});
    let list = api.config_ok("/jobs/list", list).await;
    assert_eq!(list["totalJobCount"], 3);
    let config: Vec<i64> = list["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["job"]["id"].as_i64().unwrap())
        .collect();
    expected.reverse();
    assert_eq!(config, expected[..2]);
    assert_eq!(list["jobs"][0]["attempts"][0]["id"], 0);
    engine.stop().await;
}
