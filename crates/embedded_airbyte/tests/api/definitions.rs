//! Connector definitions that users add, and declarative sources.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Api, Engine, text};

async fn put(api: &Api, path: &str, body: Value) -> (reqwest::StatusCode, Value) {
    api.send(Method::PUT, &format!("/api/public/v1{path}"), Some(body))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_definition_belongs_to_its_workspace_and_runs_a_known_image() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    let all = format!("/workspaces/{workspace}/definitions/sources");
    let body = json!({"name": "My Salesforce", "dockerRepository": "airbyte/source-salesforce",
        "dockerImageTag": "9.9.9", "documentationUrl": "https://example.org/docs"});
    let (status, made) = api.post(&all, body.clone()).await;
    assert_eq!(status, 200, "{made}");
    let mut expected = body;
    expected["id"] = made["id"].clone();
    assert_eq!(made, expected);
    let path = format!("{all}/{}", text(&made["id"]));
    assert_eq!(api.get(&path).await.1, made);

    let (_, other) = api.post("/workspaces", json!({"name": "other"})).await;
    let foreign = format!(
        "/workspaces/{}/definitions/sources",
        text(&other["workspaceId"])
    );
    let (_, list) = api.get(&foreign).await;
    assert!(!list["data"].as_array().unwrap().contains(&made), "{list}");
    assert_eq!(
        api.get(&format!("{foreign}/{}", text(&made["id"]))).await.0,
        404
    );

    let source = json!({"name": "s", "workspaceId": workspace, "definitionId": made["id"],
        "configuration": Api::salesforce()});
    let (status, source) = api.post("/sources", source).await;
    assert_eq!(status, 200, "{source}");
    assert_eq!(
        (&source["sourceType"], &source["definitionId"]),
        (&json!(""), &made["id"])
    );
    let check = json!({"sourceId": source["sourceId"]});
    assert_eq!(
        api.config_ok("/sources/check_connection", check).await["status"],
        "succeeded"
    );

    let (status, changed) = put(
        api,
        &path,
        json!({"name": "Renamed", "dockerImageTag": "9.9.10"}),
    )
    .await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(changed["dockerImageTag"], "9.9.10");
    let listed = api
        .config_ok(
            "/source_definitions/list_for_workspace",
            json!({"workspaceId": workspace}),
        )
        .await;
    let listed = listed["sourceDefinitions"].as_array().unwrap();
    let own = listed
        .iter()
        .find(|one| one["sourceDefinitionId"] == made["id"])
        .unwrap();
    assert_eq!(
        (&own["custom"], &own["name"]),
        (&json!(true), &json!("Renamed"))
    );

    let engine = engine.restart().await;
    let api = &engine.api;
    assert_eq!(api.get(&path).await.1, changed);
    assert_eq!(api.delete(&path).await, (reqwest::StatusCode::OK, changed));
    assert_eq!(api.get(&path).await.0, 404);
    let source = format!("/sources/{}", text(&source["sourceId"]));
    let (_, deleted) = api.get(&source).await;
    assert_eq!(
        deleted["configuration"],
        json!({}),
        "its sources go with it"
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_here_or_is_not_the_users_is_refused() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    let all = format!("/workspaces/{workspace}/definitions/destinations");
    let body = json!({"name": "Nobody's", "dockerRepository": "nobody/destination-nothing",
        "dockerImageTag": "1"});
    let (status, problem) = api.post(&all, body).await;
    assert_eq!(status, 409, "{problem}");
    assert!(text(&problem["data"]["message"]).contains("nobody/destination-nothing:1"));
    let built_in = format!("{all}/{}", crate::harness::RECORDER);
    let change = json!({"name": "x", "dockerImageTag": "2"});
    for (status, problem) in [
        put(api, &built_in, change).await,
        api.delete(&built_in).await,
    ] {
        assert_eq!(status, 403, "{problem}");
    }
    assert_eq!(api.get(&built_in).await.0, 200);
    assert_eq!(api.post(&all, json!({"name": "x"})).await.0, 422);
    let strange = format!("/workspaces/{workspace}/definitions/sinks");
    assert_eq!(api.get(&strange).await.0, 404);
    let unknown = format!("/workspaces/{}/definitions/sources", Uuid::new_v4());
    assert_eq!(api.get(&unknown).await.0, 404);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connector_definitions_lists_what_a_workspace_can_use() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    let path = format!("/connector_definitions?type=destination&workspaceId={workspace}");
    let (status, list) = api.get(&path).await;
    assert_eq!(status, 200, "{list}");
    let data = list["data"].as_array().unwrap();
    let one = data.iter().find(|one| one["name"] == "Recorder").unwrap();
    assert_eq!(
        *one,
        json!({"id": crate::harness::RECORDER, "name": "Recorder",
            "connectorDefinitionType": "destination", "version": "1.0.0"})
    );
    assert_eq!(api.get("/connector_definitions?type=sink").await.0, 400);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn declarative_sources_have_manifests_with_versions_and_the_manifests_own_spec() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    let all = format!("/workspaces/{workspace}/definitions/declarative_sources");
    let manifest = json!({"version": "6.0.0", "type": "DeclarativeSource", "streams": [],
        "spec": {"type": "Spec", "connection_specification": {"type": "object",
            "required": ["api_key"],
            "properties": {"api_key": {"type": "string", "airbyte_secret": true}}}}});
    let (status, made) = api
        .post(&all, json!({"name": "Weather", "manifest": manifest}))
        .await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(
        made,
        json!({"id": made["id"], "name": "Weather", "manifest": manifest, "version": 1})
    );
    assert_eq!(api.get(&all).await.1, json!({"data": [made]}));
    let path = format!("{all}/{}", text(&made["id"]));
    assert_eq!(api.get(&path).await.1, made);
    let (_, sources) = api
        .get(&format!("/workspaces/{workspace}/definitions/sources"))
        .await;
    let listed = sources["data"].as_array().unwrap();
    assert!(
        listed.iter().all(|one| one["id"] != made["id"]),
        "{sources}"
    );

    let source = |configuration: Value| {
        json!({"name": "s", "workspaceId": workspace, "definitionId": made["id"],
            "configuration": configuration})
    };
    assert_eq!(api.post("/sources", source(json!({}))).await.0, 422);
    let (status, read) = api
        .post("/sources", source(json!({"api_key": "hush-hush"})))
        .await;
    assert_eq!(status, 200, "{read}");
    assert_eq!(read["configuration"], json!({"api_key": "**********"}));

    let mut second = manifest;
    second["description"] = json!("better");
    let (status, changed) = put(api, &path, json!({"manifest": second})).await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(
        (&changed["version"], &changed["manifest"]),
        (&json!(2), &second)
    );
    assert_eq!(
        api.post(&all, json!({"name": "x", "manifest": "text"}))
            .await
            .0,
        422
    );
    let builtin = format!("{all}/{}", crate::harness::SALESFORCE);
    assert_eq!(api.get(&builtin).await.0, 404);
    assert_eq!(api.delete(&path).await, (reqwest::StatusCode::OK, changed));
    assert_eq!(api.get(&all).await.1, json!({"data": []}));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_reaches_only_the_runner_inside_the_configuration() {
    let engine = Engine::start_with(|options| {
        let mut runner = options.local_connectors[0].clone();
        runner.definition_id = Uuid::new_v4();
        runner.name = "Runner".to_owned();
        runner.docker_repository = "airbyte/source-declarative-manifest".to_owned();
        options.local_connectors.push(runner);
    })
    .await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    let manifest = json!({"version": "6.0.0", "type": "DeclarativeSource", "streams": [],
        "spec": {"connection_specification": {"type": "object"}}});
    let path = format!("/workspaces/{workspace}/definitions/declarative_sources");
    let (_, made) = api
        .post(&path, json!({"name": "m", "manifest": manifest}))
        .await;
    let body = json!({"name": "s", "workspaceId": workspace, "definitionId": made["id"],
        "configuration": {"city": "Bern", "refresh_token": "old"}});
    let (status, source) = api.post("/sources", body).await;
    assert_eq!(status, 200, "{source}");
    // The connector sends its whole configuration back to be stored.
    engine.place.set("rotate", "new");
    let discover = json!({"sourceId": source["sourceId"], "disable_cache": true});
    let found = api.config_ok("/sources/discover_schema", discover).await;
    assert_eq!(found["jobInfo"]["succeeded"], true, "{found}");
    let given = engine.place.recorded().pop().unwrap();
    assert_eq!(given["city"], "Bern");
    assert_eq!(given["__injected_declarative_manifest"], manifest);
    let (_, read) = api
        .get(&format!("/sources/{}", text(&source["sourceId"])))
        .await;
    assert_eq!(
        read["configuration"],
        json!({"city": "Bern", "refresh_token": "new"})
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_connector_replaces_the_native_one_with_its_id() {
    let id = embedded_airbyte::DESTINATION_DEV_NULL;
    let engine = Engine::start_with(|options| options.local_connectors[1].definition_id = id).await;
    let workspace = engine.api.workspace().await;
    let path = format!("/workspaces/{workspace}/definitions/destinations");
    let (_, list) = engine.api.get(&path).await;
    let all = list["data"].as_array().unwrap();
    let named: Vec<_> = all
        .iter()
        .filter(|definition| definition["id"] == json!(id))
        .map(|definition| definition["name"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["Recorder"]);
    engine.stop().await;
}
