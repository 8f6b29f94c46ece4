//! Who begins to use a datasource or sink, and who removes it, at the same time.

use futures::future::join_all;
use serde_json::json;
use test_support::Stack;

use crate::{lake, shop};

/// Of a removal and the ingestions that begin meanwhile, either nothing uses it and it is gone, or
/// it is there and used: never an ingestion without its sink.
async fn a_removal_and_an_ingestion_exclude_one_another(stack: Stack) {
    let mut outcomes = [0, 0];
    for round in 0..12 {
        let source = shop(&stack, &format!("shop{round}")).await;
        let sink = lake(&stack, &format!("lake{round}")).await;
        let body = json!({"name": format!("race{round}"), "sourceId": source, "sinkId": sink});
        let path = format!("/sink/{sink}");
        let making = stack.api.post("/ingestion", &body);
        let removing = stack.api.delete(&path);
        let (made, removed) = if round % 2 == 0 {
            futures::join!(making, removing)
        } else {
            let (removed, made) = futures::join!(removing, making);
            (made, removed)
        };
        let said = format!(
            "{} {} | {} {}",
            made.status, made.text, removed.status, removed.text
        );
        match (made.status, removed.status) {
            (201, 409) => outcomes[0] += 1,
            (409 | 422, 204) => outcomes[1] += 1,
            _ => panic!("{said}"),
        }
        let there = stack.api.get(&path).await.status;
        assert_eq!(
            there,
            if removed.status == 204 { 404 } else { 200 },
            "{said}"
        );
    }
    let orphans = stack.api.get("/orphans?older_than=0").await.expect(200);
    assert_eq!(orphans, json!([]));
    let ingestions = stack.api.get("/ingestion?status=active").await.expect(200);
    assert_eq!(ingestions["total"], outcomes[0], "{outcomes:?}");
}
test_support::on_both!(a_removal_and_an_ingestion_exclude_one_another);

async fn fifty_of_one_request_make_one_ingestion(stack: Stack) {
    let (source, sink) = (shop(&stack, "shop").await, lake(&stack, "lake").await);
    let body = json!({"name": "one", "sourceId": source, "sinkId": sink});
    let answers = join_all((0..50).map(|_| stack.api.post("/ingestion", &body))).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1);
    let ids: std::collections::HashSet<String> = answers
        .iter()
        .map(|answer| {
            assert!([200, 201].contains(&answer.status), "{}", answer.text);
            answer.json()["connectionId"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(stack.airbyte_objects().await, (1, 1));
}
test_support::on_both!(fifty_of_one_request_make_one_ingestion);

/// With a key the same request is the same datasource.
async fn a_key_makes_a_repeated_datasource_one(stack: Stack) {
    let body = json!({"name": "shop", "type": "mysql", "config": {"host": "h", "database": "d", "username": "u", "password": "p"}});
    let send = || {
        let request = stack
            .api
            .request(reqwest::Method::POST, "/datasource?check=false");
        stack
            .api
            .send(request.header("idempotency-key", "once").json(&body))
    };
    let first = send().await.expect(201);
    let again = send().await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.expect(201), first);
    assert_eq!(stack.airbyte_objects().await, (1, 0));
}
test_support::on_both!(a_key_makes_a_repeated_datasource_one);
