//! One job per connection, however many ask.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Engine, left, text};

#[tokio::test(flavor = "multi_thread")]
async fn fifty_triggers_at_once_start_one_job() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    engine.place.set("gate", "");
    let body = json!({"connectionId": connection, "jobType": "sync"});
    let answers = join_all((0..50).map(|_| api.post("/jobs", body.clone()))).await;
    let (started, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|(status, _)| *status == 200);
    assert_eq!((started.len(), refused.len()), (1, 49));
    for (status, problem) in refused {
        assert_eq!(status, 409);
        assert!(text(&problem["type"]).ends_with("try-again-later"));
        let message = text(&problem["data"]["message"]);
        assert!(
            message.starts_with("A sync is already running for"),
            "{message}"
        );
    }
    let sync = json!({"connectionId": connection});
    let (status, answer) = api.config("/connections/sync", sync).await;
    assert_eq!(status, 409);
    assert!(text(&answer["message"]).starts_with("A sync is already running for"));
    engine.place.set("open", "");
    let job = started[0].1["jobId"].as_i64().unwrap();
    assert_eq!(api.ended(job).await["job"]["status"], "succeeded");
    let (_, jobs) = api.get(&format!("/jobs?connectionId={connection}")).await;
    assert_eq!(jobs["data"].as_array().unwrap().len(), 1);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inactive_connection_is_a_conflict_in_one_api_and_a_500_in_the_other() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    api.patch(
        &format!("/connections/{connection}"),
        json!({"status": "inactive"}),
    )
    .await;
    let body = json!({"connectionId": connection, "jobType": "sync"});
    let (status, problem) = api.post("/jobs", body).await;
    assert_eq!(status, 409);
    assert!(text(&problem["type"]).ends_with("state-conflict"));
    let sync = json!({"connectionId": connection});
    let (status, answer) = api.config("/connections/sync", sync).await;
    assert_eq!(status, 500);
    assert_eq!(
        answer.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["errorId"]
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_beyond_the_slots_wait_as_pending_and_can_be_cancelled() {
    let engine = Engine::start_with(|options| options.sync_slots = 1).await;
    let api = &engine.api;
    let first = api.accounts("recorder").await;
    let second = api.accounts("refreshing").await;
    let third = api.accounts("recorder").await;
    engine.place.set("gate", "");
    let running = api.start_sync(&first).await;
    left(&engine.place, "waiting").await;
    let waiting = api.start_sync(&second).await;
    let next = api.start_sync(&third).await;
    assert_eq!(api.job_status(waiting).await, "pending");
    let cancelled = api.config_ok("/jobs/cancel", json!({"id": waiting})).await;
    assert_eq!(cancelled["job"]["status"], "cancelled");
    assert_eq!(cancelled["attempts"], json!([]));
    assert_eq!(api.job_status(next).await, "pending");
    engine.place.set("open", "");
    for job in [running, next] {
        assert_eq!(api.ended(job).await["job"]["status"], "succeeded");
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_connection_stops_its_job() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    engine.place.set("gate", "");
    let job = api.start_sync(&connection).await;
    left(&engine.place, "waiting").await;
    let path = format!("/api/public/v1/connections/{connection}");
    assert_eq!(api.send(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(api.job_status(job).await, "cancelled");
    engine.stop().await;
}
