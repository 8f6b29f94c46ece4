//! Connections as the web app asks for them, with everything their sources offer.

use serde_json::json;

use crate::drift::{both, discover, get, names};
use crate::harness::Engine;

#[tokio::test(flavor = "multi_thread")]
async fn the_web_backend_refreshes_merges_and_can_switch_a_connection_off() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let fields = ["Id", "SystemModstamp", "Name"].map(|name| json!({"fieldPath": [name]}));
    let streams = json!([{"name": "Account", "syncMode": "incremental_deduped_history",
        "selectedFields": fields}]);
    let connection = api.connection("refreshing", streams).await;
    let ask = async |refresh: bool| {
        let body = json!({"connectionId": connection, "withRefreshedCatalog": refresh});
        api.config_ok("/web_backend/connections/get", body).await
    };
    let before = ask(false).await;
    engine.place.set("extra_column", "");
    engine.place.set("extra_stream", "");
    engine.place.set("fail_discover", "no access");
    assert_eq!(
        ask(true).await,
        before,
        "a failed discover shows what is stored"
    );
    engine.place.unset("fail_discover");

    let fresh = ask(true).await;
    assert_eq!(fresh["schemaChange"], "non_breaking");
    assert_eq!(
        fresh["catalogDiff"]["transforms"].as_array().unwrap().len(),
        2
    );
    assert_ne!(fresh["catalogId"], before["catalogId"]);
    assert_eq!(names(&fresh["syncCatalog"]), ["Account", "Contact", "Lead"]);
    let config = &fresh["syncCatalog"]["streams"][0]["config"];
    let selected: Vec<&str> = config["selectedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["fieldPath"][0].as_str().unwrap())
        .collect();
    assert_eq!(selected, ["Id", "SystemModstamp", "Name", "Region__c"]);
    assert_eq!(
        ask(false).await["catalogId"],
        before["catalogId"],
        "nothing was accepted"
    );
    assert_eq!(ask(false).await["schemaChange"], "non_breaking");

    engine.place.set("lost_cursor", "");
    let broken = ask(true).await;
    assert_eq!(
        (&broken["schemaChange"], &broken["status"]),
        (&json!("breaking"), &json!("inactive"))
    );
    let after = get(api, &connection).await;
    assert_eq!(
        (&after["breakingChange"], &after["status"]),
        (&json!(true), &json!("inactive"))
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_web_backend_refreshes_changed_streams_unless_disabled() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let (connection, source) = both(api, "ignore").await;
    api.sync(&connection).await;
    engine.place.set("extra_column", "");
    let found = discover(api, &source).await;
    let mut catalog = get(api, &connection).await["syncCatalog"].clone();
    catalog["streams"][0]["stream"] = found["catalog"]["streams"][0]["stream"].clone();
    let mut update = json!({"connectionId": connection, "syncCatalog": catalog,
        "sourceCatalogId": found["catalogId"], "skipReset": true});
    let read = api
        .config_ok("/web_backend/connections/update", update.clone())
        .await;
    assert_eq!(
        (&read["isSyncing"], &read["schemaChange"]),
        (&json!(false), &json!("no_change"))
    );
    assert_eq!(read["latestSyncJobStatus"], "succeeded");

    update["skipReset"] = json!(false);
    let read = api
        .config_ok("/web_backend/connections/update", update.clone())
        .await;
    assert_eq!(read["isSyncing"], false, "nothing changed: {read}");
    update["syncCatalog"]["streams"][0]["config"]["syncMode"] = json!("full_refresh");
    update["syncCatalog"]["streams"][0]["config"]["destinationSyncMode"] = json!("append");
    api.config_ok("/web_backend/connections/update", update)
        .await;
    let list = json!({"configTypes": ["refresh"], "configId": connection});
    let jobs = api.config_ok("/jobs/list", list).await;
    let job = &jobs["jobs"][0]["job"];
    assert_eq!(
        job["refreshConfig"],
        json!({"streamsToRefresh": [{"name": "Account"}]})
    );
    let ended = api.ended(job["id"].as_i64().unwrap()).await;
    assert_eq!(ended["job"]["status"], "succeeded", "{ended:#}");
    engine.stop().await;
}
