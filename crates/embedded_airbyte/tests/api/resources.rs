//! Workspaces, definitions, sources and destinations of the public API.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Api, Engine, SALESFORCE, text};

const MASK: &str = "**********";

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_has_one_workspace_and_one_local_destination() {
    let engine = Engine::start().await;
    let (_, workspaces) = engine.api.get("/workspaces").await;
    assert_eq!(workspaces["data"][0]["name"], "default");
    assert_eq!(workspaces["data"][0]["dataResidency"], "auto");
    assert!(workspaces["data"][0]["notifications"]["failure"].is_object());
    let (_, destinations) = engine.api.get("/destinations").await;
    let local = &destinations["data"][0];
    assert_eq!(local["name"], "local");
    assert_eq!(local["destinationType"], "sqlite");
    assert!(
        local["configuration"]["path"]
            .as_str()
            .unwrap()
            .ends_with("home/warehouse.db")
    );
    let engine = engine.restart().await;
    let (_, again) = engine.api.get("/destinations").await;
    assert_eq!(again["data"], destinations["data"]);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workspaces_are_made_changed_and_deleted_with_what_is_in_them() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let (status, made) = api.post("/workspaces", json!({"name": "second"})).await;
    assert_eq!(status, 200);
    let path = format!("/workspaces/{}", text(&made["workspaceId"]));
    let (_, changed) = api.patch(&path, json!({"name": "renamed"})).await;
    assert_eq!(changed["name"], "renamed");
    let body = json!({"name": "s", "workspaceId": made["workspaceId"],
        "configuration": Api::salesforce()});
    let (_, source) = api.post("/sources", body).await;
    assert_eq!(api.delete(&path).await.0, 204);
    assert_eq!(api.get(&path).await.0, 404);
    let source = format!("/sources/{}", text(&source["sourceId"]));
    let (status, deleted) = api.get(&source).await;
    assert_eq!(
        (status.as_u16(), &deleted["configuration"]),
        (200, &json!({}))
    );
    let oauth = format!("/api/public/v1{path}/oauthCredentials");
    assert_eq!(api.send(Method::PUT, &oauth, Some(json!({}))).await.0, 501);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_show_native_packaged_and_local_connectors() {
    let engine = Engine::start().await;
    let workspace = engine.api.workspace().await;
    let path = format!("/workspaces/{workspace}/definitions/sources");
    let (_, list) = engine.api.get(&path).await;
    let names: Vec<&str> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|definition| definition["name"].as_str().unwrap())
        .collect();
    // The local one has the id of a Python package and takes its place.
    assert_eq!(names[..2], ["SQLite", "Postgres"]);
    assert_eq!(names.last(), Some(&"Salesforce"));
    assert_eq!(
        names.iter().filter(|name| **name == "Salesforce").count(),
        1
    );
    assert!(names.contains(&"GitHub"), "{names:?}");
    assert!(list.get("next").is_none());
    let (status, one) = engine.api.get(&format!("{path}/{SALESFORCE}")).await;
    assert_eq!(
        (status.as_u16(), &one["dockerImageTag"]),
        (200, &json!("1.0.0"))
    );
    assert_eq!(
        engine.api.get(&format!("{path}/{}", Uuid::nil())).await.0,
        404
    );
    let wrong = path.replace("sources", "destinations");
    assert_eq!(
        engine.api.get(&format!("{wrong}/{SALESFORCE}")).await.0,
        404
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_masked_in_answers_encrypted_at_rest_and_kept_by_the_mask() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let source = api.source().await;
    let path = format!("/sources/{source}");
    let (_, read) = api.get(&path).await;
    assert_eq!(read["sourceType"], "salesforce");
    assert!(read["createdAt"].is_i64());
    let configuration = &read["configuration"];
    assert!(configuration.get("sourceType").is_none());
    assert_eq!(configuration["client_id"], "id-of-client");
    assert_eq!(configuration["client_secret"], MASK);
    assert_eq!(configuration["refresh_token"], MASK);

    let change = json!({"configuration": {"client_secret": MASK, "refresh_token": "new-token"}});
    let (status, patched) = api.patch(&path, change).await;
    assert_eq!(status, 200, "{patched}");
    assert_eq!(
        patched["configuration"]["start_date"],
        "2024-01-01T00:00:00Z"
    );
    let body = json!({"sourceId": source});
    let checked = api.config_ok("/sources/check_connection", body).await;
    assert_eq!(checked["status"], "succeeded");
    let used = engine.place.recorded().pop().unwrap();
    assert_eq!(used["client_secret"], "secret-of-client");
    assert_eq!(used["refresh_token"], "new-token");
    assert!(used.get("sourceType").is_none());

    let replacement = json!({"name": "renamed", "configuration": {"client_id": "c",
        "client_secret": MASK, "refresh_token": MASK}});
    let put = format!("/api/public/v1{path}");
    let (status, replaced) = api.send(Method::PUT, &put, Some(replacement)).await;
    assert_eq!(status, 200, "{replaced}");
    assert_eq!(replaced["name"], "renamed");
    assert!(replaced["configuration"].get("start_date").is_none());

    let place = engine.stop().await;
    let entries = std::fs::read_dir(place.home()).unwrap();
    for entry in entries
        .map(Result::unwrap)
        .filter(|e| e.file_type().unwrap().is_file())
    {
        let bytes = std::fs::read(entry.path()).unwrap();
        for secret in ["secret-of-client", "token-to-refresh", "new-token"] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is readable in {:?}", entry.file_name());
        }
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&entry.metadata().unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{:?} is open to others", entry.file_name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_source_cannot_be_made_of_is_refused_by_kind() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = json!({"name": "s", "workspaceId": workspace,
            "configuration": Api::salesforce()});
        change(&mut body);
        body
    };
    let cases = [
        (
            with(&|b| b["configuration"]["sourceType"] = json!("slack")),
            400,
            "value-not-found",
        ),
        (
            with(&|b| b["configuration"]["sourceType"] = Value::Null),
            422,
            "unprocessable-entity",
        ),
        (
            with(&|b| b["definitionId"] = json!(Uuid::nil())),
            404,
            "resource-not-found",
        ),
        (
            with(&|b| b["workspaceId"] = json!(Uuid::nil())),
            404,
            "resource-not-found",
        ),
        (
            with(&|b| b["configuration"]["client_secret"] = json!(12345)),
            422,
            "unprocessable-entity",
        ),
        (
            with(&|b| {
                b["configuration"]
                    .as_object_mut()
                    .unwrap()
                    .remove("refresh_token");
            }),
            422,
            "unprocessable-entity",
        ),
    ];
    for (body, expected, kind) in cases {
        let (status, problem) = api.post("/sources", body.clone()).await;
        assert_eq!(status, expected, "{body} gave {problem}");
        assert_eq!(problem["status"], expected);
        assert!(text(&problem["type"]).ends_with(kind), "{problem}");
        assert!(!problem.to_string().contains("12345"), "{problem}");
    }
    let (_, missing) = api
        .post(
            "/sources",
            with(&|b| {
                b["configuration"]
                    .as_object_mut()
                    .unwrap()
                    .remove("refresh_token");
            }),
        )
        .await;
    assert!(
        text(&missing["data"]["message"]).contains("refresh_token"),
        "{missing}"
    );
    assert_eq!(api.get("/sources").await.1["data"], json!([]));
    assert_eq!(api.get("/sources/not-a-uuid").await.0, 400);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_string_links_and_a_next_link_on_the_last_one() {
    let engine = Engine::start().await;
    let api = &engine.api;
    for _ in 0..3 {
        api.source().await;
    }
    let (_, first) = api.get("/sources?limit=2").await;
    assert_eq!(first["data"].as_array().unwrap().len(), 2);
    assert_eq!(first["previous"], "");
    let (_, second) = api.get("/sources?limit=2&offset=2").await;
    assert_eq!(second["data"].as_array().unwrap().len(), 1);
    assert!(text(&second["next"]).contains("offset=4"));
    assert!(text(&second["previous"]).contains("offset=0"));
    let (_, empty) = api.get("/sources?limit=2&offset=4").await;
    assert_eq!((&empty["data"], &empty["next"]), (&json!([]), &json!("")));
    for bad in ["limit=0", "limit=101", "limit=x", "offset=-1"] {
        let (status, answer) = api.get(&format!("/sources?{bad}")).await;
        assert_eq!(status, 400, "{bad}");
        assert!(answer["errorId"].is_string(), "{bad}: {answer}");
    }
    let other = Uuid::new_v4();
    let (_, none) = api
        .get(&format!("/sources?workspaceIds={other},{other}"))
        .await;
    assert_eq!(none["data"], json!([]));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_source_deletes_its_connections_and_is_listed_on_request() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    let (_, read) = api.get(&format!("/connections/{connection}")).await;
    let source = format!("/sources/{}", text(&read["sourceId"]));
    assert_eq!(api.delete(&source).await.0, 204);
    assert_eq!(api.delete(&source).await.0, 404);
    assert_eq!(api.get("/sources").await.1["data"], json!([]));
    let (_, deleted) = api.get("/sources?includeDeleted=true").await;
    assert_eq!(deleted["data"].as_array().unwrap().len(), 1);
    assert_eq!(api.get("/connections").await.1["data"], json!([]));
    let (_, gone) = api.get("/connections?includeDeleted=true").await;
    assert_eq!(gone["data"][0]["status"], "deprecated");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn specifications_are_read_once_per_version_of_the_connector() {
    let engine = Engine::start().await;
    let workspace = engine.api.workspace().await;
    let body = json!({"sourceDefinitionId": SALESFORCE, "workspaceId": workspace});
    let read = engine
        .api
        .config_ok("/source_definition_specifications/get", body)
        .await;
    assert_eq!(read["sourceDefinitionId"], json!(SALESFORCE));
    let schema = &read["connectionSpecification"];
    assert_eq!(
        schema["required"],
        json!(["client_id", "client_secret", "refresh_token"])
    );
    assert_eq!(read["jobInfo"]["succeeded"], true);
    let body = json!({"workspaceId": workspace});
    let list = engine
        .api
        .config_ok("/destination_definitions/list_for_workspace", body)
        .await;
    let list = list["destinationDefinitions"].as_array().unwrap();
    assert_eq!(list.len(), 7);
    let names: Vec<&str> = list
        .iter()
        .map(|definition| definition["name"].as_str().unwrap())
        .collect();
    for name in ["SQLite", "Postgres", "Recorder", "Refreshing"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(
        list.iter()
            .all(|definition| definition["destinationDefinitionId"].is_string())
    );
    let refreshing = engine.api.destination("refreshing").await;
    let version = engine
        .api
        .config_ok(
            "/actor_definition_versions/get_for_destination",
            json!({"destinationId": refreshing}),
        )
        .await;
    assert_eq!(version["supportsRefreshes"], true);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_config_api_makes_lists_changes_and_deletes_sources_and_destinations() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    let made = api.source().await;
    let (_, public) = api.get(&format!("/sources/{made}")).await;
    let definition = public["definitionId"].clone();
    for kind in ["source", "destination"] {
        let (id, of_kind) = (format!("{kind}Id"), format!("{kind}s"));
        let asked = json!({"workspaceId": workspace});
        let list = api.config_ok(&format!("/{of_kind}/list"), asked).await;
        assert!(list[&of_kind][0][&id].is_string(), "{list}");
        let asked = json!({(id.clone()): list[&of_kind][0][&id]});
        let one = api.config_ok(&format!("/{of_kind}/get"), asked).await;
        assert_eq!(one, list[&of_kind][0]);
        let all = api
            .config_ok(&format!("/{kind}_definitions/list"), json!({}))
            .await;
        let first = &all[format!("{kind}Definitions")][0];
        let definition_id = format!("{kind}DefinitionId");
        let asked = json!({(definition_id.clone()): first[&definition_id]});
        let one = api
            .config_ok(&format!("/{kind}_definitions/get"), asked)
            .await;
        assert_eq!(one, *first);
    }
    let body = json!({"name": "by hand", "workspaceId": workspace,
        "sourceDefinitionId": definition, "connectionConfiguration": Api::salesforce()});
    let new = api.config_ok("/sources/create", body).await;
    let body = json!({"sourceId": new["sourceId"], "name": "renamed",
        "connectionConfiguration": Api::salesforce()});
    let changed = api.config_ok("/sources/update", body).await;
    assert_eq!(changed["name"], "renamed");
    let asked = json!({"sourceId": new["sourceId"]});
    let (status, answer) = api.config("/sources/delete", asked.clone()).await;
    assert_eq!(status, 204, "{answer}");
    // A deleted one stays, without its configuration, and is in no list.
    let shown = api.config_ok("/sources/get", asked).await;
    assert_eq!(shown["connectionConfiguration"], json!({}));
    let path = format!("/sources/{}", new["sourceId"].as_str().unwrap());
    let (status, shown) = api.get(&path).await;
    assert_eq!(
        (status.as_u16(), &shown["configuration"]),
        (200, &json!({}))
    );
    let (_, list) = api.get("/sources").await;
    assert!(!list.to_string().contains("renamed"), "{list}");
    engine.stop().await;
}
