//! A connection that only fails is switched off in the end.

use std::time::Duration;

use embedded_airbyte::Clock;
use serde_json::{Value, json};

use crate::harness::{Api, Engine};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn status(api: &Api, connection: &str) -> Value {
    let body = json!({"connectionId": connection});
    api.config_ok("/connections/get", body).await["status"].clone()
}

async fn fail(api: &Api, connection: &str, times: u32) {
    for _ in 0..times {
        let info = api.ended(api.start_sync(connection).await).await;
        assert_eq!(info["job"]["status"], "failed", "{info:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_failed_jobs_and_seven_days_switch_a_connection_off_and_not_one_alone() {
    let clock = Clock::system();
    let engine = Engine::start_with(|options| {
        options.clock = clock.clone();
        options.retry.complete_in_a_row = 1;
    })
    .await;
    let api = &engine.api;
    let connection = api.accounts("recorder").await;
    api.sync(&connection).await;
    engine.place.set("foreign_record", "");
    fail(api, &connection, 30).await;
    assert_eq!(status(api, &connection).await, "active", "it is too soon");
    clock.advance(DAY * 7);
    engine.place.unset("foreign_record");
    api.sync(&connection).await;
    engine.place.set("foreign_record", "");
    clock.advance(DAY * 7);
    fail(api, &connection, 29).await;
    assert_eq!(status(api, &connection).await, "active", "one is missing");
    fail(api, &connection, 1).await;
    assert_eq!(status(api, &connection).await, "inactive");
    let body = json!({"connectionId": connection, "jobType": "sync"});
    let (refused, _) = api.post("/jobs", body).await;
    assert_eq!(refused.as_u16(), 409);
    engine.stop().await;
}
