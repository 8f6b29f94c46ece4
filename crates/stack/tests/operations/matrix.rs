//! The failpoint matrix: a process dies at each moment of each step of each operation, by its own
//! abort or by kill -9 from outside. After a restart there is exactly one of everything, nothing
//! without an owner, and what is told is true.
//!
//! Every cell runs on both databases, with the two ways to die taking turns; with
//! `AAM_TEST_MATRIX=full` every cell runs with both. The cells come from the list of steps in
//! `operations::steps`: a step that no process reaches fails its test.

mod actors;
mod drivers;

use std::time::Duration;

use operations::steps;
use operations::steps::onboard::CREATE_SOURCE;
use operations::steps::{Point, Step};
use serde_json::{Value, json};
use shared::registry::status::OperationKind;
use test_support::{Database, Stack, StackBuilder, eventually_within};

use drivers::Driver;

/// How a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    /// By its own abort, at the failpoint.
    Abort,
    /// By SIGKILL, while it hangs at the failpoint.
    Kill,
}

/// One line of the table.
struct Row {
    failpoint: String,
    death: Death,
    recovered: String,
    repeated: String,
}

async fn stack(database: Database) -> Stack {
    let stack = StackBuilder::four_processes(database)
        .with("AAM_LEASE_SECONDS", "1")
        .start()
        .await;
    stack
        .sqlite(
            "shop.db",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, updated_at TIMESTAMP NOT NULL);
             INSERT INTO orders VALUES (1, 'a', '2026-01-01T00:00:00Z')",
        )
        .await;
    stack
}

/// What is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// A connection with its own source.
    Connection,
    /// A connection whose source is there already and shared.
    Ingestion,
    /// Its own source.
    Datasource,
    /// A destination.
    Sink,
}

/// Every cell of one kind of operation on one database.
async fn matrix(kind: OperationKind, subject: Subject, database: Database) {
    let name = match database {
        Database::Sqlite => "SQLite",
        Database::Postgres { .. } => "PostgreSQL",
    };
    let full = std::env::var("AAM_TEST_MATRIX").is_ok_and(|value| value == "full");
    let mut stack = stack(database).await;
    let mut driver = Driver::new(kind, subject, &stack).await;
    let mut rows = Vec::new();
    // The databases begin with different deaths, so that between them each cell has both.
    let mut turn = usize::from(name == "SQLite");
    // A source that is there is not made.
    let is_made = |step: &&Step| subject != Subject::Ingestion || **step != CREATE_SOURCE;
    let cells = (steps::ALL.iter().filter(|step| step.kind == kind)).filter(is_made);
    for step in cells {
        for point in Point::ALL {
            turn += 1;
            let both = [Death::Abort, Death::Kill];
            let deaths = if full {
                &both[..]
            } else {
                &both[turn % 2..=turn % 2]
            };
            for death in deaths {
                rows.push(cell(&mut stack, &mut driver, *step, *point, *death).await);
            }
        }
    }
    assert!(!rows.is_empty(), "{kind:?} has no steps");
    println!("\n{name}: {} ({subject:?})", kind.as_str());
    for row in rows {
        println!(
            "  {:<42} {:<6} after the restart: {:<28} repeated: {}",
            row.failpoint,
            format!("{:?}", row.death).to_lowercase(),
            row.recovered,
            row.repeated
        );
    }
}

async fn cell(
    stack: &mut Stack,
    driver: &mut Driver,
    step: Step,
    point: Point,
    death: Death,
) -> Row {
    let failpoint = step.failpoint(point);
    driver.prepare(stack, step).await;
    let armed = match death {
        Death::Abort => format!("{failpoint}:1"),
        Death::Kill => format!("{failpoint}:1:hang"),
    };
    restart(stack, step.kind, Some(&armed)).await;
    let request = driver.request(stack);
    let caller = tokio::spawn(async move {
        // The service is not called any more, even if it would respond.
        let _ = request.send().await;
    });
    let process = match step.kind {
        OperationKind::Heal | OperationKind::Rollback => stack.agent.as_mut(),
        _ => stack.orchestrator.as_mut(),
    };
    let process = process.unwrap();
    match death {
        Death::Abort => {
            use std::os::unix::process::ExitStatusExt as _;
            let status = process.ended().await;
            assert_eq!(status.signal(), Some(6), "{failpoint}: {status}");
        }
        Death::Kill => {
            process
                .wait_for(|text| text.contains("failpoint reached").then_some(()))
                .await;
            process.kill();
        }
    }
    caller.await.unwrap();
    restart(stack, step.kind, None).await;
    let recovered = driver.recovered(stack, &failpoint).await;
    driver.verify(stack, &failpoint).await;
    let repeated = driver.repeat(stack, &failpoint).await;
    driver.verify(stack, &failpoint).await;
    Row {
        failpoint,
        death,
        recovered,
        repeated,
    }
}

async fn restart(stack: &mut Stack, kind: OperationKind, failpoint: Option<&str>) {
    match kind {
        OperationKind::Heal | OperationKind::Rollback => stack.restart_agent(failpoint).await,
        _ => stack.restart_orchestrator(failpoint).await,
    }
}

/// Waits until nothing of the connection is under way; how its newest operation ended.
async fn drained(stack: &Stack, id: &str, failpoint: &str) -> String {
    let operations = format!("/connections/{id}/operations");
    let all: Vec<Value> = eventually_within(Duration::from_secs(60), async || {
        let all = stack.api.get(&operations).await;
        if all.status == 404 {
            return Ok(Vec::new());
        }
        let all: Vec<Value> = serde_json::from_str(&all.text).unwrap();
        let is_open = |one: &Value| matches!(one["status"].as_str(), Some("pending" | "running"));
        if all.iter().any(is_open) {
            Err((failpoint.to_owned(), all))
        } else {
            Ok(all)
        }
    })
    .await;
    let kind = failpoint.split('.').next().unwrap();
    let newest = all.iter().find(|one| one["kind"] == kind);
    match newest {
        None => "nothing was begun".to_owned(),
        Some(newest) => format!("{kind} {}", newest["status"].as_str().unwrap()),
    }
}

/// Whether every source in Airbyte has a connection there, and both belong to the registry.
async fn nothing_is_orphaned(stack: &Stack, failpoint: &str) {
    let orphans = stack.api.get("/orphans?older_than=0").await.expect(200);
    assert_eq!(orphans, json!([]), "{failpoint}");
    let known = stack.api.get("/connections").await.expect(200);
    let active = known.as_array().unwrap().iter();
    let active = active.filter(|row| row["airbyte_connection_id"].is_string());
    let active = active.count();
    assert_eq!(
        stack.airbyte_objects().await,
        (active, active),
        "{failpoint}: {known:#}"
    );
}

macro_rules! matrices {
    ($($name:ident: $kind:ident of $subject:ident),* $(,)?) => {
        mod sqlite {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                matrix(OperationKind::$kind, Subject::$subject, Database::Sqlite).await;
            })*
        }
        mod postgres {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                matrix(OperationKind::$kind, Subject::$subject, Database::postgres().await).await;
            })*
        }
        const TESTED: &[OperationKind] = &[$(OperationKind::$kind),*];
    };
}

matrices! {
    onboarding: Onboard of Connection,
    an_ingestion: Onboard of Ingestion,
    a_repair: Heal of Connection,
    a_rollback: Rollback of Connection,
    a_change: Update of Connection,
    a_deletion: Delete of Connection,
    a_trigger: Trigger of Connection,
    what_a_heal_left: Sync of Connection,
    a_datasource: CreateActor of Datasource,
    a_sink: CreateActor of Sink,
    the_end_of_a_datasource: DeleteActor of Datasource,
}

#[test]
fn every_step_has_its_cells() {
    for step in steps::ALL {
        assert!(TESTED.contains(&step.kind), "{step:?} is killed by no test");
    }
}
