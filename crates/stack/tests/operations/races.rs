//! Fifty callers at once, on two replicas of each service: one of everything, and every answer true.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Answer, Api, Database, Process, Stack, StackBuilder, eventually};

use super::connection;

const CALLERS: usize = 50;

/// A stack with a second auth broker, a second agent and a second orchestrator, which calls those
/// two, and a Salesforce whose syncs wait for a gate.
struct Pair {
    stack: Stack,
    orchestrators: [Api; 2],
    brokers: [Api; 2],
    agents: [Api; 2],
    control: tempfile::TempDir,
    _replicas: [Process; 3],
}

async fn pair(database: Database) -> Pair {
    let control = tempfile::tempdir().unwrap();
    let stack = StackBuilder::four_processes(database)
        .held_salesforce(control.path())
        .start()
        .await;
    let broker = stack.start_replica("auth_broker", "SERVICE_PORT_AUTH_BROKER", &[]);
    let (broker_process, broker) = broker.await;
    let agent = stack.start_replica("drift_repair_agent", "SERVICE_PORT_DRIFT_REPAIR", &[]);
    let (agent_process, agent) = agent.await;
    let seconds = [
        ("AUTH_BROKER_URL", broker.base.as_str()),
        ("DRIFT_REPAIR_URL", agent.base.as_str()),
    ];
    let orchestrator = stack.start_replica("orchestrator", "SERVICE_PORT_ORCHESTRATOR", &seconds);
    let (process, orchestrator) = orchestrator.await;
    Pair {
        orchestrators: [stack.api.clone(), orchestrator],
        brokers: [stack.broker_api.clone(), broker],
        agents: [stack.agent_api.clone(), agent],
        stack,
        control,
        _replicas: [process, agent_process, broker_process],
    }
}

/// The same call by every caller, at once, in turns on both replicas.
async fn all_at_once(
    replicas: &[Api; 2],
    method: Method,
    path: &str,
    body: impl Fn(usize) -> Value,
) -> Vec<Answer> {
    futures::future::join_all((0..CALLERS).map(|n| {
        let api = &replicas[n % 2];
        api.send(api.request(method.clone(), path).json(&body(n)))
    }))
    .await
}

fn counted(answers: &[Answer], status: u16) -> usize {
    let with = answers.iter().filter(|answer| answer.status == status);
    with.count()
}

fn salesforce(name: &str) -> Value {
    json!({"source_type": "salesforce", "connection_name": name, "source_config": {
        "client_id": "a", "client_secret": "b", "refresh_token": "c", "is_sandbox": false,
        "auth_type": "Client", "start_date": "2024-01-01T00:00:00Z"}})
}

async fn races(database: Database) {
    let pair = pair(database).await;
    let stack = &pair.stack;

    // Credentials: one makes it, the others replace it.
    let secret = |n: usize| json!({"source_type": "sqlite", "kind": "raw", "secret": {"password": n.to_string()}});
    let answers = all_at_once(&pair.brokers, Method::PUT, "/credentials/crm", secret).await;
    assert_eq!(counted(&answers, 201), 1, "{answers:?}");
    assert_eq!(counted(&answers, 200), CALLERS - 1, "{answers:?}");

    // A request with a key of the caller's: carried out once, whichever replica it comes to.
    let body = json!({"name": "ci", "role": "viewer"});
    let answers = futures::future::join_all((0..CALLERS).map(|n| {
        let api = &pair.orchestrators[n % 2];
        let request = api.request(Method::POST, "/keys").json(&body);
        api.send(request.header("idempotency-key", "once"))
    }))
    .await;
    assert_eq!(counted(&answers, 201), 1, "{answers:?}");
    assert_eq!(counted(&answers, 409), CALLERS - 1, "{answers:?}");

    // Onboarding: one makes it, the others get it.
    let body = salesforce("crm");
    let answers = all_at_once(
        &pair.orchestrators,
        Method::POST,
        "/connections/onboard",
        |_| body.clone(),
    )
    .await;
    let made = counted(&answers, 201);
    let ids: HashSet<String> = answers
        .iter()
        .map(|answer| {
            assert!(matches!(answer.status, 200 | 201), "{}", answer.text);
            answer.json()["id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!((made, ids.len()), (1, 1));
    assert_eq!(stack.airbyte_objects().await, (1, 1));
    let id = ids.into_iter().next().unwrap();

    // Triggers: one job that the gate holds open, and everybody else attached to it.
    std::fs::write(pair.control.path().join("gate"), "").unwrap();
    let path = format!("/connections/{id}/sync");
    let answers = all_at_once(&pair.orchestrators, Method::POST, &path, |_| json!({})).await;
    let jobs: HashSet<String> = answers
        .iter()
        .map(|answer| answer.expect(200)["job_id"].as_str().unwrap().to_owned())
        .collect();
    let count = |status: &str| {
        let all = answers
            .iter()
            .filter(|answer| answer.json()["status"] == status);
        all.count()
    };
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert_eq!((count("triggered"), count("attached")), (1, CALLERS - 1));
    std::fs::write(pair.control.path().join("open"), "").unwrap();
    let job = jobs.into_iter().next().unwrap();
    assert_eq!(stack.job_ended(&job).await["status"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_onboardings_and_triggers_on_two_replicas_on_sqlite() {
    races(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_onboardings_and_triggers_on_two_replicas_on_postgresql() {
    races(Database::postgres().await).await;
}

/// Fifty catalogs, each another selection of six columns.
fn catalog(id: &str, n: usize) -> Value {
    let mut properties = json!({"id": {}, "updated_at": {}});
    for bit in 0..6 {
        if (n + 1) & (1 << bit) != 0 {
            properties[format!("c{bit}")] = json!({});
        }
    }
    json!({"connection_id": id, "new_sync_catalog": {"streams": [{
        "stream": {"name": "orders", "json_schema": {"type": "object", "properties": properties}},
        "sync_mode": "incremental", "destination_sync_mode": "append_dedup"}]}})
}

async fn repairs(database: Database) {
    let pair = pair(database).await;
    let stack = &pair.stack;
    let columns = "c0 TEXT, c1 TEXT, c2 TEXT, c3 TEXT, c4 TEXT, c5 TEXT";
    let table = format!(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, {columns}, updated_at TIMESTAMP NOT NULL)"
    );
    stack.sqlite("shop.db", &table).await;
    let id = stack.onboard_sqlite("shop", "shop.db").await;
    let path = "/repair/apply_new_catalog";
    let answers = all_at_once(&pair.agents, Method::POST, path, |n| catalog(&id, n)).await;
    let mut made: Vec<i64> = answers
        .iter()
        .map(|answer| answer.expect(200)["new_version"].as_i64().unwrap())
        .collect();
    made.sort_unstable();
    let expected: Vec<i64> = (2..2 + CALLERS as i64).collect();
    assert_eq!(made, expected, "each repair has a version of its own");
    let row = connection(stack, &id).await;
    assert_eq!(row["catalog_version"], 51, "{row}");
    let stored = stack
        .api
        .get(&format!("/connections/{id}/catalogs"))
        .await
        .expect(200);
    assert_eq!(stored.as_array().unwrap().len(), 51);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_repairs_on_two_replicas_leave_versions_2_to_51_on_sqlite() {
    repairs(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_repairs_on_two_replicas_leave_versions_2_to_51_on_postgresql() {
    repairs(Database::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_replica_works_beside_a_newer_registry() {
    use sqlx::Connection as _;
    let database = Database::postgres().await;
    let Database::Postgres { url, .. } = &database else {
        unreachable!("it is PostgreSQL")
    };
    let mut registry = sqlx::PgConnection::connect(url).await.unwrap();
    let stack = StackBuilder::four_processes(database).start().await;
    stack
        .sqlite(
            "shop.db",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, updated_at TIMESTAMP NOT NULL)",
        )
        .await;
    let newer =
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_later', 0);
                 ALTER TABLE connections ADD COLUMN later TEXT;
                 CREATE TABLE later (id INTEGER)";
    sqlx::raw_sql(newer).execute(&mut registry).await.unwrap();
    registry.close().await.unwrap();

    // A running one continues, and one that starts now works as well.
    let id = stack.onboard_sqlite("shop", "shop.db").await;
    let (mut process, api) = stack
        .start_replica("orchestrator", "SERVICE_PORT_ORCHESTRATOR", &[])
        .await;
    process
        .wait_for(|log| {
            log.contains("the registry was migrated by a newer version")
                .then_some(())
        })
        .await;
    let started = api.post_empty(&format!("/connections/{id}/sync")).await;
    let job = started.expect(200)["job_id"].as_str().unwrap().to_owned();
    eventually(async || {
        let now = api.get(&format!("/jobs/{job}")).await.expect(200);
        if now["status"] == "succeeded" {
            Ok(())
        } else {
            Err(now)
        }
    })
    .await;
}
