//! Events: in order, without gaps, resumable, also through Redis and across processes.

use serde_json::{Value, json};
use test_support::{Database, Redis, eventually};

use crate::given;

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_receives_each_event_once_and_resumes_at_its_position() {
    for database in given::databases().await {
        let stack = given::shop(database, &[]).await;
        let id = stack.onboard_sqlite("shop", "shop.db").await;
        let path = format!("/events?after=0&connection_id={id}&type=sync.started,sync.succeeded");
        let mut listener = stack.api.listen(&path, None).await;
        let first = stack.sync(&id).await;
        let seen = listener.until("sync.succeeded").await;
        let names: Vec<&str> = seen.iter().map(|message| message.event.as_str()).collect();
        assert_eq!(names, ["sync.started", "sync.succeeded"]);
        let last = seen.last().unwrap().clone();
        assert_eq!(last.data["sequence"], last.id);
        assert_eq!(last.data["version"], 1);
        assert_eq!(last.data["connection_id"], id.as_str());
        assert_eq!(
            last.data["data"],
            json!({"job_id": first["job_id"], "job_type": "sync",
                   "rows": first["rows_synced"], "bytes": first["bytes_synced"]})
        );
        drop(listener);

        // Events without a listener are received afterwards, and none is received twice.
        let second = stack.sync(&id).await;
        let path = format!("/events?connection_id={id}");
        let mut resumed = stack.api.listen(&path, Some(last.id)).await;
        let missed = resumed.until("sync.succeeded").await;
        assert!(missed.iter().all(|message| message.id > last.id));
        assert_eq!(
            missed.last().unwrap().data["data"]["job_id"],
            second["job_id"]
        );

        // The same as pages: every sequence from 1 on, once.
        let mut pages: Vec<Value> = Vec::new();
        let mut path = Some("/events?after=0&limit=2".to_owned());
        while let Some(next) = path {
            let request = stack.api.request(reqwest::Method::GET, &next);
            let answer = stack
                .api
                .send(request.header("accept", "application/json"))
                .await;
            path = answer.headers.get("link").map(|link| {
                let link = link.to_str().unwrap();
                link[1..link.find('>').unwrap()].to_owned()
            });
            pages.extend(answer.expect(200).as_array().unwrap().clone());
        }
        let sequences: Vec<i64> = pages
            .iter()
            .map(|e| e["sequence"].as_i64().unwrap())
            .collect();
        let expected: Vec<i64> = (1..=sequences.len() as i64).collect();
        assert_eq!(sequences, expected);
        assert!(sequences.len() >= 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_is_gone_or_malformed_is_rejected() {
    let mut stack = given::shop(Database::Sqlite, &[]).await;
    let id = stack.onboard_sqlite("shop", "shop.db").await;
    stack.sync(&id).await;
    stack.sync(&id).await;
    let newest = async |stack: &test_support::Stack| {
        let mut listener = stack
            .api
            .listen("/events?after=0&type=sync.succeeded", None)
            .await;
        listener.next().await.unwrap();
        listener.next().await.unwrap().id
    };
    let last = newest(&stack).await;
    let listen = async |stack: &test_support::Stack, id: &str| {
        let request = stack.api.request(reqwest::Method::GET, "/events");
        // As a page: a stream that is not refused has no end.
        let request = request.header("accept", "application/json");
        stack.api.send(request.header("last-event-id", id)).await
    };
    listen(&stack, &(last + 1000).to_string())
        .await
        .expect_problem(410, "events_gone");
    listen(&stack, "first")
        .await
        .expect_problem(422, "invalid_request");
    for (query, status, code) in [
        ("type=sync.exploded", 422, "invalid_request"),
        ("after=-1", 422, "invalid_request"),
        ("after=x", 400, "malformed_request"),
        ("colour=red", 400, "malformed_request"),
    ] {
        let answer = stack.api.get(&format!("/events?{query}")).await;
        answer.expect_problem(status, code);
    }

    // Eight days later the first event is gone, and with it what a late listener would miss.
    stack.orchestrator.as_mut().unwrap().stop().await;
    stack
        .registry_execute(&format!(
            "UPDATE outbox SET created_at = '2020-01-01 00:00:00+00:00' WHERE sequence < {last}"
        ))
        .await;
    stack.start_orchestrator().await;
    eventually(async || {
        let answer = listen(&stack, "1").await;
        if answer.status == 410 {
            Ok(())
        } else {
            Err(answer.status)
        }
    })
    .await;
    let mut listener = stack.api.listen("/events", Some(last - 1)).await;
    assert_eq!(listener.next().await.unwrap().id, last);
    let mut listener = stack.api.listen("/events?after=0", None).await;
    let oldest = listener.next().await.unwrap().id;
    assert_eq!(oldest, last, "0 begins with the oldest that is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_the_service_stops() {
    let mut stack = given::shop(Database::Sqlite, &[]).await;
    let mut listener = stack.api.listen("/events", None).await;
    assert!(stack.orchestrator.as_mut().unwrap().stop().await);
    assert_eq!(listener.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_gets_every_event_in_order_also_those_it_was_away_for() {
    let mut redis = Redis::stopped();
    let stack = given::shop(Database::Sqlite, &[("REDIS_URL", &redis.url())]).await;
    let id = stack.onboard_sqlite("shop", "shop.db").await;
    stack.sync(&id).await;
    let arrived = async |redis: &Redis, job: &Value| {
        eventually(async || {
            let events = redis.events().await;
            let ended = events.iter().any(|(_, event)| {
                event["type"] == "sync.succeeded" && event["data"]["job_id"] == job["job_id"]
            });
            if ended { Ok(events) } else { Err(events) }
        })
        .await
    };
    redis.start().await;
    let second = stack.sync(&id).await;
    let events = arrived(&redis, &second).await;
    let sequences: Vec<i64> = events.iter().map(|(sequence, _)| *sequence).collect();
    let expected: Vec<i64> = (1..=sequences.len() as i64).collect();
    assert_eq!(sequences, expected, "what Redis was away for comes first");
    assert!(
        events
            .iter()
            .all(|(sequence, event)| event["sequence"] == *sequence)
    );

    redis.stop();
    let third = stack.sync(&id).await;
    redis.start().await;
    let later = arrived(&redis, &third).await;
    assert_eq!(later[0].0, sequences.last().unwrap() + 1, "none is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_relays_when_one_is_killed() {
    let mut stack = given::shop(Database::postgres().await, &[]).await;
    let id = stack.onboard_sqlite("shop", "shop.db").await;
    stack.sync(&id).await;
    let (_replica, api) = stack
        .start_replica("orchestrator", "SERVICE_PORT_ORCHESTRATOR", &[])
        .await;
    let mut listener = api.listen("/events?after=0", None).await;
    let before = listener.until("sync.succeeded").await;
    stack.orchestrator.as_mut().unwrap().kill();
    stack.api = api;
    stack.sync(&id).await;
    let after = listener.until("sync.succeeded").await;
    let ids: Vec<i64> = before.iter().chain(&after).map(|m| m.id).collect();
    let expected: Vec<i64> = (1..=ids.len() as i64).collect();
    assert_eq!(ids, expected);
}
