//! Connections created and listed by the Config API.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Engine, text};
use crate::schedules::ended;

#[tokio::test(flavor = "multi_thread")]
async fn the_config_api_creates_a_connection_from_a_catalog() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let (source, target) = (api.source().await, api.destination("refreshing").await);
    let found = json!({"sourceId": source, "disable_cache": true});
    let found = api.config_ok("/sources/discover_schema", found).await;
    let mut catalog = found["catalog"].clone();
    catalog["streams"][0]["config"]["selected"] = json!(true);
    let tag = json!({"name": "nightly", "color": "FF5733", "workspaceId": api.workspace().await});
    let (_, tag) = api.post("/tags", tag).await;
    let body = json!({
        "sourceId": source, "destinationId": target, "status": "active",
        "syncCatalog": catalog, "sourceCatalogId": found["catalogId"],
        "schedule": {"units": 6, "timeUnit": "hours"},
        "nonBreakingChangesPreference": "propagate_columns",
        "backfillPreference": "enabled", "notifySchemaChanges": true,
        "resourceRequirements": {"cpu_limit": "1"}, "tags": [tag], "geography": "auto",
    });
    let made = api.config_ok("/connections/create", body.clone()).await;
    assert_eq!(made["name"], "Salesforce Production <> target");
    assert_eq!(made["namespaceDefinition"], "source", "Airbyte's default");
    assert_eq!(made["scheduleType"], "basic");
    assert_eq!(
        made["scheduleData"],
        json!({"basicSchedule": {"units": 6, "timeUnit": "hours"}})
    );
    for (member, value) in [
        ("sourceCatalogId", found["catalogId"].clone()),
        ("nonBreakingChangesPreference", json!("propagate_columns")),
        ("backfillPreference", json!("enabled")),
        ("notifySchemaChanges", json!(true)),
        ("resourceRequirements", json!({"cpu_limit": "1"})),
        ("status", json!("active")),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    assert_eq!(made["tags"][0]["tagId"], tag["tagId"]);
    let streams = made["syncCatalog"]["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 1, "only the selected stream is kept");
    // A basic schedule is due at once.
    ended(api, &text(&made["connectionId"]), 1).await;

    let empty = json!({"sourceId": source, "destinationId": target, "status": "inactive"});
    let empty = api.config_ok("/connections/create", empty).await;
    assert_eq!(empty["syncCatalog"], json!({"streams": []}));
    assert_eq!(empty["scheduleType"], "manual");

    let refused = async |change: Value| {
        let mut body = body.clone();
        for (member, value) in change.as_object().unwrap() {
            body[member] = value.clone();
        }
        api.config("/connections/create", body).await.0.as_u16()
    };
    assert_eq!(refused(json!({"status": null})).await, 422);
    assert_eq!(refused(json!({"status": "asleep"})).await, 422);
    assert_eq!(
        refused(json!({"scheduleType": "manual"})).await,
        422,
        "two schedules"
    );
    assert_eq!(refused(json!({"schedule": {"units": 0}})).await, 422);
    assert_eq!(refused(json!({"sourceId": Uuid::new_v4()})).await, 404);
    assert_eq!(refused(json!({"destinationId": Uuid::new_v4()})).await, 404);
    assert_eq!(
        refused(json!({"sourceCatalogId": Uuid::new_v4()})).await,
        404
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_web_backend_lists_connections_by_filters_and_pages() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    let (source, target) = (api.source().await, api.destination("recorder").await);
    let mut ids = Vec::new();
    for (name, status) in [
        ("beta", "active"),
        ("Alpha", "active"),
        ("gamma", "inactive"),
    ] {
        let streams =
            json!({"streams": [{"name": "Account", "syncMode": "full_refresh_overwrite"}]});
        let body = json!({"name": name, "sourceId": source, "destinationId": target,
            "status": status, "configurations": streams});
        let (status, made) = api.post("/connections", body).await;
        assert_eq!(status, 200, "{made}");
        ids.push(text(&made["connectionId"]));
    }
    api.sync(&ids[0]).await;
    let list = async |extra: Value| {
        let mut body = json!({"workspaceId": workspace});
        for (member, value) in extra.as_object().unwrap() {
            body[member] = value.clone();
        }
        api.config_ok("/web_backend/connections/list", body).await
    };
    let names = |listed: &Value| -> Vec<String> {
        let all = listed["connections"].as_array().unwrap();
        all.iter().map(|item| text(&item["name"])).collect()
    };
    let all = list(json!({})).await;
    assert_eq!(names(&all), ["Alpha", "beta", "gamma"]);
    assert_eq!(
        (&all["num_connections"], &all["page_size"]),
        (&json!(3), &json!(1000))
    );
    let item = &all["connections"][1];
    assert_eq!(item["latestSyncJobStatus"], "succeeded");
    assert_eq!(item["isSyncing"], false);
    assert_eq!(item["source"]["sourceId"], json!(source));
    assert_eq!(item["source"]["sourceName"], "Salesforce");
    assert_eq!(item["destination"]["name"], "target");
    assert!(item["sourceActorDefinitionVersion"]["dockerRepository"].is_string());
    assert!(item.get("syncCatalog").is_none(), "a list has no catalogs");

    let first = list(json!({"pageSize": 2, "sortKey": "connectionName_desc"})).await;
    assert_eq!(names(&first), ["gamma", "beta"]);
    let rest = json!({"pageSize": 2, "sortKey": "connectionName_desc",
        "cursor": first["connections"][1]["connectionId"]});
    let rest = list(rest).await;
    assert_eq!(
        (names(&rest), &rest["num_connections"]),
        (vec!["Alpha".to_owned()], &json!(3))
    );
    assert_eq!(
        names(&list(json!({"sortKey": "lastSync_desc"})).await)[0],
        "beta"
    );
    for (filters, wanted) in [
        (json!({"searchTerm": "ALPH"}), vec!["Alpha"]),
        (
            json!({"searchTerm": "salesforce prod"}),
            vec!["Alpha", "beta", "gamma"],
        ),
        (json!({"states": ["inactive"]}), vec!["gamma"]),
        (json!({"statuses": ["paused"]}), vec!["gamma"]),
        (
            json!({"statuses": ["healthy"], "states": []}),
            vec!["Alpha", "beta"],
        ),
        (json!({"statuses": ["failed", "running"]}), vec![]),
        (json!({"sourceDefinitionIds": [Uuid::new_v4()]}), vec![]),
        (json!({"tagIds": [Uuid::new_v4()]}), vec![]),
    ] {
        let listed = list(json!({ "filters": filters })).await;
        assert_eq!(names(&listed), wanted, "{filters}");
    }
    let other = list(json!({"sourceId": [Uuid::new_v4()]})).await;
    assert_eq!(names(&other), Vec::<String>::new());
    let path = "/web_backend/connections/list";
    let asked = json!({"workspaceId": workspace, "sortKey": "luck"});
    assert_eq!(api.config(path, asked).await.0, 422);
    assert_eq!(
        api.config(path, json!({"workspaceId": Uuid::new_v4()}))
            .await
            .0,
        404
    );
    engine.stop().await;
}
