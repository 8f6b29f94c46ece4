//! Datasources and sinks.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use test_support::{Database, Fault, Stack, StackBuilder, eventually_within};

use crate::{PREFIX, ingestion, lake, shop, text};

/// The first two requests that callers send today, as they send them.
async fn what_callers_send_today_is_made_and_shown(stack: Stack) {
    let mysql = r#"{"name":"mysql_source","type":"mysql","config":{"host":"localhost","port":3306,"database":"mysql_db","username":"root","password":"password"}}"#;
    let s3 = r#"{"name":"s3_sink","type":"s3","config":{"bucket_name":"my-bucket","bucket_region":"us-east-1","access_key_id":"AKIA...","secret_access_key":"secret","path_prefix":"exports/"}}"#;
    for prefix in ["", PREFIX] {
        let path = format!("{prefix}/datasource?check=false");
        let answer = stack.api.post_text(&path, mysql).await;
        let made = answer.expect(201);
        let id = text(&made, "id");
        assert_eq!(
            answer.headers["location"],
            format!("{prefix}/datasource/{id}")
        );
        assert_eq!(made["sourceId"], made["id"]);
        assert_eq!(made["name"], "mysql_source");
        assert_eq!(made["type"], "mysql");
        let config = json!({"host": "localhost", "port": 3306, "database": "mysql_db", "username": "root", "password": "**********"});
        assert_eq!(made["config"], config);
        let read = stack.api.get(&format!("{prefix}/datasource/{id}")).await;
        assert_eq!(read.expect(200), made);

        let path = format!("{prefix}/sink?check=false");
        let made = stack.api.post_text(&path, s3).await.expect(201);
        assert_eq!(made["destinationId"], made["id"]);
        assert_eq!(made["config"]["bucket_name"], "my-bucket");
        assert_eq!(made["config"]["path_prefix"], "exports/");
        assert_eq!(made["config"]["secret_access_key"], "**********");
        let path = format!("{prefix}/sink/{}", text(&made, "id"));
        assert_eq!(stack.api.get(&path).await.expect(200), made);
    }
    // In Airbyte they have the connectors' own names for everything, and the secrets.
    let airbyte = stack.airbyte_api().await;
    let there = airbyte.get("/api/public/v1/destinations").await.expect(200);
    let sinks: Vec<_> = there["data"].as_array().unwrap().iter().collect();
    let sink = sinks
        .iter()
        .find(|sink| sink["destinationType"] == "s3")
        .unwrap();
    assert_eq!(sink["configuration"]["s3_bucket_name"], "my-bucket");
    assert_eq!(sink["configuration"]["format"]["format_type"], "JSONL");
    assert!(
        sink["name"].as_str().unwrap().starts_with("s3_sink [aam-"),
        "{sink}"
    );
}
test_support::on_both!(what_callers_send_today_is_made_and_shown);

async fn lists_hold_every_one_by_type_and_name(stack: Stack) {
    // More than a page of Airbyte's.
    let path = stack.data().join("shop.db");
    let making = (0..105).map(|n| {
        let body = json!({"name": format!("shop{n}"), "type": "sqlite", "config": {"path": path}});
        let api = stack.api.clone();
        async move {
            let made = api.post("/datasource?check=false", &body).await;
            made.expect(201);
        }
    });
    for one in making {
        one.await;
    }
    let body = json!({"name": "other", "type": "MySQL", "config": {"host": "h", "database": "d", "username": "u"}});
    let other = stack.api.post("/datasource?check=false", &body).await;
    let other = other.expect(201);
    let all = stack.api.get("/datasource").await.expect(200);
    assert_eq!(all["total"], 106);
    assert_eq!(all["sources"].as_array().unwrap().len(), 106);
    let path = format!("{PREFIX}/datasource?type=source-mysql");
    let expected = json!({"total": 1, "sources": [{"sourceId": other["id"], "name": "other",
        "sourceName": "MySQL", "type": "mysql", "workspaceId": other["workspaceId"]}]});
    assert_eq!(stack.api.get(&path).await.expect(200), expected);
    let named = stack.api.get("/datasource?name=shop7").await.expect(200);
    assert_eq!(named["total"], 1);
    for nothing in ["?type=postgres", "?name=nobody", "?type=no-such-type"] {
        let none = stack.api.get(&format!("/datasource{nothing}")).await;
        assert_eq!(none.expect(200), json!({"sources": [], "total": 0}));
    }
    let sinks = stack.api.get("/sink").await.expect(200);
    assert_eq!(sinks["destinations"][0]["destinationName"], "SQLite");
    assert_eq!(sinks["total"], 1);
}
test_support::on_both!(lists_hold_every_one_by_type_and_name);

#[tokio::test(flavor = "multi_thread")]
async fn types_state_how_each_is_configured() {
    let stack = StackBuilder::one_process().start().await;
    let types = stack.api.get("/datasource/types").await.expect(200);
    let of = |name: &str| {
        let all = types["types"].as_array().unwrap().iter();
        all.clone().find(|one| one["name"] == name).unwrap().clone()
    };
    let mysql = of("mysql");
    assert_eq!(mysql["title"], "MySQL");
    assert_eq!(
        mysql["definitionId"],
        "435bb9a5-7887-4809-aa58-28c27df0d7ad"
    );
    let host = json!({"name": "host", "type": "string", "required": true, "secret": false});
    for (member, value) in host.as_object().unwrap() {
        assert_eq!(&mysql["fields"][0][member], value, "{mysql}");
    }
    let sqlite = of("sqlite");
    assert!(
        sqlite["fields"].is_null() && sqlite["schema"].is_null(),
        "{sqlite}"
    );
    let url = sqlite["schemaUrl"].as_str().unwrap();
    let shown = stack.api.get(url).await.expect(200);
    assert_eq!(shown["total"], 1);
    let schema = &shown["types"][0]["schema"];
    assert_eq!(schema["required"], json!(["path"]), "{shown}");
    let of_none = stack.api.get("/sink/types?schema=true").await;
    let of_none = of_none.expect_problem(422, "invalid_request");
    assert_eq!(crate::fields(&of_none), ["schema"]);
    let unknown = stack.api.get("/sink/types?type=s4").await;
    unknown.expect_problem(422, "destination_type_unknown");
}

/// The connector tries the configuration first; what it refuses leaves nothing behind.
async fn what_fails_its_check_is_not_made(stack: Stack) {
    let body = json!({"name": "away", "type": "postgres", "config":
        {"host": "127.0.0.1", "port": 1, "database": "d", "username": "u", "password": "p"}});
    let refused = stack.api.post("/datasource", &body).await;
    let refused = refused.expect_problem(422, "source_check_failed");
    assert_eq!(crate::fields(&refused), ["config"]);
    let refused = stack.api.post("/sink", &body).await;
    refused.expect_problem(422, "destination_check_failed");
    assert_eq!(stack.airbyte_objects().await, (0, 0));
    assert_eq!(stack.api.get("/sink").await.expect(200)["total"], 1);
    let orphans = stack.api.get("/orphans?older_than=0").await.expect(200);
    assert_eq!(orphans, json!([]));
    stack
        .api
        .post("/datasource?check=false", &body)
        .await
        .expect(201);
}
test_support::on_both!(what_fails_its_check_is_not_made);

async fn what_an_ingestion_uses_stays(stack: Stack) {
    let (source, sink) = (shop(&stack, "shop").await, lake(&stack, "lake").await);
    let body = json!({"name": "both", "sourceId": source, "sinkId": sink});
    let id = ingestion(&stack.api, &body).await;
    for path in [format!("/datasource/{source}"), format!("/sink/{sink}")] {
        let refused = stack.api.delete(&path).await.expect_problem(409, "in_use");
        let users = json!([{"connectionId": id, "name": "both"}]);
        assert_eq!(refused["ingestions"], users);
        assert!(refused["detail"].as_str().unwrap().contains("`both`"));
    }
    // One that a person made in Airbyte counts as well.
    let airbyte = stack.airbyte_api().await;
    let own = shop(&stack, "own").await;
    let other = lake(&stack, "other").await;
    let by_hand = json!({"name": "by hand", "sourceId": own, "destinationId": other});
    airbyte
        .post("/api/public/v1/connections", &by_hand)
        .await
        .expect(200);
    let refused = stack.api.delete(&format!("/datasource/{own}")).await;
    let refused = refused.expect_problem(409, "in_use");
    assert_eq!(refused["ingestions"][0]["name"], "by hand");

    let deleted = stack.api.delete(&format!("/ingestion/{id}")).await;
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    // The datasource and its sink stay; each is deleted on request.
    stack
        .api
        .get(&format!("/datasource/{source}"))
        .await
        .expect(200);
    let deleted = stack
        .api
        .delete(&format!("{PREFIX}/datasource/{source}"))
        .await;
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    let gone = stack.api.get(&format!("/datasource/{source}")).await;
    gone.expect_problem(404, "datasource_not_found");
    let gone = stack.api.delete(&format!("/datasource/{source}")).await;
    gone.expect_problem(404, "datasource_not_found");
    let expected = [
        "source.created",
        "destination.created",
        "source.created",
        "destination.created",
        "source.deleted",
    ];
    eventually_within(Duration::from_secs(30), async || {
        let events = stack.api.request(Method::GET, "/events?after=0");
        let events = stack.api.send(events.header("accept", "application/json"));
        let events = events.await.expect(200);
        let kinds = events.as_array().unwrap().iter();
        let kinds = kinds.map(|event| event["type"].as_str().unwrap());
        let about_them = |kind: &&str| kind.starts_with("source") || kind.starts_with("dest");
        if kinds.filter(about_them).eq(expected) {
            Ok(())
        } else {
            Err(events)
        }
    })
    .await;
    let audit = stack.api.get("/audit?action=source.delete").await;
    assert_eq!(audit.expect(200)[0]["target"], source.as_str());
}
test_support::on_both!(what_an_ingestion_uses_stays);

/// Airbyte is away while a sink is removed: it is removed when Airbyte is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_waits_for_an_airbyte_that_is_away() {
    let stack = StackBuilder::four_processes(Database::Sqlite)
        .proxied()
        .start()
        .await;
    let sink = lake(&stack, "lake").await;
    let path = format!("/sink/{sink}");
    let proxy = stack.proxy.as_ref().unwrap();
    proxy.fail(Method::DELETE, "", Fault::Before(503), usize::MAX);
    let answer = stack.api.delete(&path).await;
    let begun = answer.expect(202);
    assert_eq!(begun["kind"], "delete_actor");
    // Nothing begins to use it meanwhile.
    let source = shop(&stack, "shop").await;
    let body = json!({"sourceId": source, "sinkId": sink});
    stack
        .api
        .post("/ingestion", &body)
        .await
        .expect_problem(409, "in_use");
    proxy.mend();
    let location = answer.headers["location"].to_str().unwrap();
    eventually_within(Duration::from_secs(60), async || {
        let now = stack.api.get(location).await.expect(200);
        if now["status"] == "succeeded" {
            Ok(())
        } else {
            Err(now)
        }
    })
    .await;
    stack
        .api
        .get(&path)
        .await
        .expect_problem(404, "sink_not_found");
}
