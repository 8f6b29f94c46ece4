//! Dependencies × faults × flows.

use std::time::{Duration, Instant};

use test_support::{Database, Redis, Stack, StackBuilder, Wire, WireFault};

use crate::flows::{Flow, Shop};
use crate::table::{self, Row};

/// No answer may take longer: the time-outs of the stack are short.
const LONGEST: Duration = Duration::from_secs(90);

const TCP: &[(&str, WireFault)] = &[
    ("refused", WireFault::Refused),
    ("reset in mid-answer", WireFault::Reset),
    ("silence", WireFault::Silence),
];

const HTTP: &[(&str, WireFault)] = &[
    ("500", WireFault::FAILED),
    ("502 with HTML", WireFault::GATEWAY),
    ("429", WireFault::LIMITED),
    ("truncated JSON", WireFault::TRUNCATED),
];

const AIRBYTE: &[(&str, WireFault)] = &[
    ("expired token at every call", WireFault::Expired),
    (
        "source made after its time-out",
        WireFault::Late("/sources", Duration::from_secs(3)),
    ),
    (
        "trigger lands after its time-out",
        WireFault::Late("/jobs", Duration::from_secs(3)),
    ),
];

async fn stack(redis: Option<&Redis>) -> Stack {
    let mut builder = StackBuilder::four_processes(Database::postgres().await)
        .wired()
        .with("AAM_HTTP_TIMEOUT_SECONDS", "1")
        .with("AAM_LEASE_SECONDS", "3");
    if let Some(redis) = redis {
        builder = builder.with("REDIS_URL", &redis.url());
    }
    builder.start().await
}

async fn matrix(
    stack: Stack,
    dependency: &'static str,
    wire: fn(&Stack) -> &Wire,
    faults: impl IntoIterator<Item = &'static (&'static str, WireFault)>,
) {
    let mut shop = Shop::new(stack).await;
    let mut rows = Vec::new();
    for (name, fault) in faults {
        for flow in Flow::ALL {
            let before = shop.prepare(flow).await;
            wire(&shop.stack).fail(*fault);
            let begun = Instant::now();
            let answer = shop.ask(flow).await;
            let took = begun.elapsed();
            let (got, is_honest) = table::read(&answer);
            wire(&shop.stack).mend();
            let mut recovered = shop.recover(flow, &before).await;
            if !is_honest || took > LONGEST {
                recovered = Err(format!("not an honest answer: {}", answer.text));
            }
            rows.push(Row {
                dependency,
                fault: name,
                flow: format!("{flow:?}").to_lowercase(),
                got,
                took,
                recovered,
            });
        }
    }
    table::print(&rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_connections_to_airbyte_do_nothing_leaks() {
    matrix(
        stack(None).await,
        "Airbyte",
        |stack| stack.wires.airbyte.as_ref().unwrap(),
        TCP,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_airbyte_answers_nothing_leaks() {
    let faults = HTTP.iter().chain(AIRBYTE);
    matrix(
        stack(None).await,
        "Airbyte",
        |stack| stack.wires.airbyte.as_ref().unwrap(),
        faults,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_auth_broker_does_nothing_leaks() {
    let faults = TCP.iter().chain(HTTP);
    matrix(
        stack(None).await,
        "auth broker",
        |stack| stack.wires.broker.as_ref().unwrap(),
        faults,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_postgresql_does_nothing_leaks() {
    matrix(
        stack(None).await,
        "PostgreSQL",
        |stack| stack.wires.database.as_ref().unwrap(),
        TCP,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_redis_does_no_caller_notices_and_no_event_is_lost() {
    let mut redis = Redis::stopped();
    redis.start().await;
    matrix(
        stack(Some(&redis)).await,
        "Redis",
        |stack| stack.wires.redis.as_ref().unwrap(),
        TCP,
    )
    .await;
    let events = test_support::eventually(async || {
        let events = redis.events().await;
        let complete = events
            .iter()
            .filter(|(_, event)| event["type"] == "connection.onboarded")
            .count()
            == 4;
        if complete {
            Ok(events)
        } else {
            Err(events.len())
        }
    })
    .await;
    let mut sequences: Vec<i64> = events.iter().map(|(sequence, _)| *sequence).collect();
    // What was repeated after a crash carries its old sequence.
    sequences.dedup();
    let expected: Vec<i64> = (1..=sequences.len() as i64).collect();
    assert_eq!(sequences, expected);
}
