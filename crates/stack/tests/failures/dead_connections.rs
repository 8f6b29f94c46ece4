//! A database that drops its connections, as a restart does: later callers do not notice.

use futures::future::join_all;
use serde_json::{Value, json};
use test_support::{Api, Database, StackBuilder};

/// As often as the connections are dropped.
const ROUNDS: usize = 5;
/// More at once than a service has connections.
const AT_ONCE: usize = 24;

/// As many reads and writes at once as open every connection of the pool.
async fn load(api: &Api, path: &str, write: impl Fn(usize) -> (String, Value)) -> Vec<String> {
    let calls = (0..AT_ONCE).map(|turn| {
        let (target, body) = write(turn);
        async move {
            let read = api.get(path).await;
            let written = api.put(&target, &body).await;
            [(path.to_owned(), read), (target, written)]
        }
    });
    let answers = join_all(calls).await.into_iter().flatten();
    answers
        .filter(|(_, answer)| !(200..300).contains(&answer.status))
        .map(|(path, answer)| format!("{path}: {} {}", answer.status, answer.text))
        .collect()
}

async fn lose_and_ask(database: Database) {
    let stack = StackBuilder::four_processes(database)
        .with("AAM_RATE_LIMIT", "off")
        .start()
        .await;
    let credential = |round: usize| {
        move |turn: usize| {
            let path = format!("/credentials/shop-{turn}");
            (
                path,
                json!({"source_type": "shop", "kind": "raw", "secret": {"token": format!("{round}")}}),
            )
        }
    };
    let mut failed = load(&stack.broker_api, "/credentials", credential(0)).await;
    assert!(failed.is_empty(), "{failed:?}");
    for round in 1..=ROUNDS {
        stack.database.close_connections().await;
        failed.extend(load(&stack.broker_api, "/credentials", credential(round)).await);
        let asked = join_all((0..AT_ONCE).map(|_| stack.api.get("/connections"))).await;
        failed.extend(
            asked
                .iter()
                .filter(|answer| !(200..300).contains(&answer.status))
                .map(|answer| format!("/connections: {} {}", answer.status, answer.text)),
        );
    }
    assert!(failed.is_empty(), "{} failed: {failed:#?}", failed.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_pays_for_connections_that_the_database_dropped() {
    lose_and_ask(Database::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_one_behind_a_pooler() {
    lose_and_ask(Database::pgbouncer().await).await;
}
