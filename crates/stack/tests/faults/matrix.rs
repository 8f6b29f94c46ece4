//! Dependencies × faults × flows.

use std::time::Duration;

use test_support::{Database, Redis, Stack, StackBuilder, Wire, WireFault};

use crate::flows::{Flow, Shop};
use crate::table;

const REDIS: &str = "Redis";

/// A fault, and the flows that it is tried in.
struct Fault {
    name: &'static str,
    fault: WireFault,
    flows: &'static [Flow],
    /// Whether the caller may receive a failure.
    is_told: bool,
}

const fn only(name: &'static str, fault: WireFault, flows: &'static [Flow]) -> Fault {
    Fault {
        name,
        fault,
        flows,
        is_told: true,
    }
}

const fn row(name: &'static str, fault: WireFault) -> Fault {
    only(name, fault, Flow::ALL)
}

/// One that no caller hears of: what was made is found, or the call made again.
const fn unnoticed(name: &'static str, fault: WireFault, flows: &'static [Flow]) -> Fault {
    Fault {
        is_told: false,
        ..only(name, fault, flows)
    }
}

const fn late(path: &'static str, seconds: u64) -> WireFault {
    WireFault::Late(path, Duration::from_secs(seconds))
}

const TCP: &[Fault] = &[
    row("refused", WireFault::Refused),
    row("reset in mid-answer", WireFault::Reset),
    // Longer than every time-out: those of the stack are a thirtieth of the usual ones, so that two
    // seconds stand for a minute.
    row("silence", WireFault::Silence),
];

const HTTP: &[Fault] = &[
    row("500", WireFault::FAILED),
    row("502 with HTML", WireFault::GATEWAY),
    row("429", WireFault::LIMITED),
    row("truncated JSON", WireFault::TRUNCATED),
];

/// What is made is looked for during five seconds after its time-out, and then watched for. The
/// time-out is two seconds for a source and for a job, and 22 for a connection, which discovers.
const AIRBYTE: &[Fault] = &[
    unnoticed("expired token at every call", WireFault::Expired, Flow::ALL),
    unnoticed(
        "source lands 1 s after its time-out",
        late("/sources", 3),
        &[Flow::Onboard],
    ),
    only(
        "source lands 10 s after its time-out",
        late("/sources", 12),
        &[Flow::Onboard],
    ),
    unnoticed(
        "source made, answer cut",
        WireFault::Cut("/sources"),
        &[Flow::Onboard],
    ),
    unnoticed(
        "connection lands 2 s after its time-out",
        late("/connections", 24),
        &[Flow::Onboard],
    ),
    only(
        "connection lands 10 s after its time-out",
        late("/connections", 32),
        &[Flow::Onboard],
    ),
    unnoticed(
        "connection made, answer cut",
        WireFault::Cut("/connections"),
        &[Flow::Onboard],
    ),
    only(
        "connection changed, answer cut",
        WireFault::Cut("/connections/update"),
        &[Flow::Heal, Flow::Rollback],
    ),
    unnoticed(
        "job starts 1 s after its time-out",
        late("/jobs", 3),
        &[Flow::Sync],
    ),
    only(
        "job starts 10 s after its time-out",
        late("/jobs", 12),
        &[Flow::Sync],
    ),
    unnoticed(
        "job started, answer cut",
        WireFault::Cut("/jobs"),
        &[Flow::Sync],
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
    faults: impl IntoIterator<Item = &'static Fault>,
) -> Shop {
    let mut shop = Shop::new(stack).await;
    let mut rows = Vec::new();
    for Fault {
        name,
        fault,
        flows,
        is_told,
    } in faults
    {
        for &flow in *flows {
            let break_it = async |stack: &Stack| wire(stack).fail(*fault);
            let mend = async |stack: &Stack| wire(stack).mend();
            let mut row = shop.row(dependency, name, flow, break_it, mend).await;
            // No answer waits for Redis.
            let may_fail = *is_told && dependency != REDIS;
            if !may_fail && !row.got.starts_with('2') {
                row.recovered = Err("its caller was told that it failed".to_owned());
            }
            rows.push(row);
        }
    }
    table::print(&rows);
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_for_any_failure_of_connections_to_airbyte() {
    matrix(
        stack(None).await,
        "Airbyte",
        |stack| stack.wires.airbyte.as_ref().unwrap(),
        TCP,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_for_any_response_of_airbyte() {
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
async fn nothing_leaks_for_any_failure_of_the_auth_broker() {
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
async fn nothing_leaks_for_any_failure_of_postgresql() {
    matrix(
        stack(None).await,
        "PostgreSQL",
        |stack| stack.wires.database.as_ref().unwrap(),
        TCP,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_failure_of_redis_affects_callers_or_loses_events() {
    let mut redis = Redis::stopped();
    redis.start().await;
    let _feeding = matrix(
        stack(Some(&redis)).await,
        REDIS,
        |stack| stack.wires.redis.as_ref().unwrap(),
        TCP,
    )
    .await;
    // The first connection, and two with each fault.
    let onboarded = 1 + 2 * TCP.len();
    // It is tried again after half a minute at most.
    let events = test_support::eventually_within(Duration::from_secs(60), async || {
        let events = redis.events().await;
        let complete = events
            .iter()
            .filter(|(_, event)| event["type"] == "connection.onboarded")
            .count()
            == onboarded;
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
