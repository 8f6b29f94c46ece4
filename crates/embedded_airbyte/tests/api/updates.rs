//! Reading and updating connections through the Config API.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Api, Engine};

async fn id(api: &Api, connection: &str) -> Value {
    api.config_ok("/connections/get", json!({"connectionId": connection}))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_narrow_to_what_is_selected_and_the_web_backend_shows_everything() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let fields = ["Id", "SystemModstamp", "Name"].map(|name| json!({"fieldPath": [name]}));
    let streams = json!([{"name": "Account", "syncMode": "incremental_deduped_history",
        "selectedFields": fields}]);
    let connection = api.connection("recorder", streams).await;
    let read = id(api, &connection).await;
    let selected = read["syncCatalog"]["streams"].as_array().unwrap();
    assert_eq!(selected.len(), 1);
    let columns = selected[0]["stream"]["jsonSchema"]["properties"]
        .as_object()
        .unwrap();
    assert_eq!(
        columns.keys().collect::<Vec<_>>(),
        ["Id", "Name", "SystemModstamp"]
    );
    assert_eq!(read["breakingChange"], false);
    assert!(read["created_at"].is_i64() && read["sourceCatalogId"].is_string());

    let body = json!({"connectionId": connection});
    let whole = api
        .config_ok("/web_backend/connections/get", body.clone())
        .await;
    let all = whole["syncCatalog"]["streams"].as_array().unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(
        (&all[0]["config"]["selected"], &all[1]["config"]["selected"]),
        (&json!(true), &json!(false))
    );
    assert!(
        all[0]["stream"]["jsonSchema"]["properties"]
            .as_object()
            .unwrap()
            .len()
            > 3
    );
    assert_eq!(all[0]["config"]["fieldSelectionEnabled"], true);
    assert_eq!(whole["schemaChange"], "no_change");
    assert_eq!(whole["isSyncing"], false);
    assert_eq!(
        whole["source"]["connectionConfiguration"]["client_secret"],
        "**********"
    );
    engine.place.set("extra_column", "");
    let discover = json!({"sourceId": read["sourceId"], "disable_cache": true});
    api.config_ok("/sources/discover_schema", discover).await;
    let whole = api.config_ok("/web_backend/connections/get", body).await;
    assert_eq!(whole["schemaChange"], "non_breaking");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_stores_the_catalog_as_sent_and_moves_the_accepted_one() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    let read = id(api, &connection).await;
    engine.place.set("extra_column", "");
    let discover = json!({"sourceId": read["sourceId"], "disable_cache": true});
    let found = api.config_ok("/sources/discover_schema", discover).await;
    let mut catalog = found["catalog"].clone();
    catalog["streams"][0]["config"]["selected"] = json!(true);
    let update = json!({"connectionId": connection, "syncCatalog": catalog,
        "sourceCatalogId": found["catalogId"], "breakingChange": true, "status": "inactive",
        "unknownMember": 1});
    let updated = api.config_ok("/connections/update", update).await;
    assert_eq!(updated["sourceCatalogId"], found["catalogId"]);
    assert_eq!(
        (&updated["breakingChange"], &updated["status"]),
        (&json!(true), &json!("inactive"))
    );
    let streams = updated["syncCatalog"]["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 1, "what is not selected is dropped");
    assert!(streams[0]["stream"]["jsonSchema"]["properties"]["Region__c"].is_object());
    let whole = api
        .config_ok(
            "/web_backend/connections/get",
            json!({"connectionId": connection}),
        )
        .await;
    assert_eq!(whole["schemaChange"], "breaking");
    let back = json!({"connectionId": connection, "breakingChange": false, "status": "active"});
    let back = api.config_ok("/connections/update", back).await;
    assert_eq!(
        (&back["breakingChange"], &back["status"]),
        (&json!(false), &json!("active"))
    );
    assert_eq!(id(api, &connection).await, back);

    let mut missing = catalog.clone();
    missing["streams"][0]["config"]
        .as_object_mut()
        .unwrap()
        .remove("selected");
    let mut narrow = catalog.clone();
    narrow["streams"][0]["config"]["fieldSelectionEnabled"] = json!(true);
    narrow["streams"][0]["config"]["selectedFields"] = json!([{"fieldPath": ["Name"]}]);
    let mut mode = catalog;
    mode["streams"][0]["config"]["destinationSyncMode"] = json!("soft_delete");
    for (change, expected) in [
        (json!({"syncCatalog": missing}), 500),
        (json!({"syncCatalog": narrow}), 422),
        (json!({"syncCatalog": mode}), 400),
        (json!({"sourceCatalogId": Uuid::nil()}), 404),
        (json!({"schedule": {"units": 1, "timeUnit": "days"}}), 422),
        (
            json!({"scheduleType": "manual", "scheduleData": {"basicSchedule": {}}}),
            422,
        ),
        (json!({"status": "sleeping"}), 422),
    ] {
        let mut change = change;
        change["connectionId"] = json!(connection);
        let (status, answer) = api.config("/connections/update", change.clone()).await;
        assert_eq!(status, expected, "{change} gave {answer}");
    }
    assert_eq!(
        id(api, &connection).await,
        back,
        "what was refused changed nothing"
    );
    engine.stop().await;
}
