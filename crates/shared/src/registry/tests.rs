//! The registry on SQLite; the whole-stack tests run the same services on PostgreSQL.

use super::connections::{ConnectionFilter, NewConnection};
use super::jobs::{JobFacts, StartedBy};
use super::onboarding::Made;
use super::operations::NewOperation;
use super::status::*;
use super::versions::{NewVersion, Origin};
use super::*;
use settings::DatabaseTarget;
use uuid::Uuid;

struct Fixture {
    registry: Registry,
    _directory: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let target = DatabaseTarget::Sqlite {
        path: directory.path().join("registry.db"),
    };
    let registry = Registry::connect(&target, Pooler::Session).unwrap();
    registry.migrate().await.unwrap();
    Fixture {
        registry,
        _directory: directory,
    }
}

fn new_connection(name: &str) -> NewConnection {
    NewConnection {
        id: Uuid::now_v7(),
        name: name.to_owned(),
        source_type: "SQLite".to_owned(),
        airbyte_instance: "http://localhost:8000".to_owned(),
        workspace_id: Uuid::new_v4(),
        destination_id: Uuid::new_v4(),
        source_id: None,
        credential_id: None,
        drift_policy: "propose".to_owned(),
        schedule: "{}".to_owned(),
        request_hash: "h".to_owned(),
    }
}

const VERSION: NewVersion<'static> = NewVersion {
    origin: Origin::Onboarding,
    fingerprint: "f",
    document: r#"{"streams":[]}"#,
};

fn started(new: &NewConnection) -> NewOperation<'_> {
    NewOperation::started(OperationKind::Onboard, new.id, "{}", "me")
}

fn heal(connection: Uuid, owner: &str) -> NewOperation<'_> {
    NewOperation::started(OperationKind::Heal, connection, "{}", owner)
}

async fn active(registry: &Registry, name: &str) -> Uuid {
    let new = new_connection(name);
    let lease = registry
        .onboarding_begin(&new, started(&new))
        .await
        .unwrap();
    let row = registry.connection_get(new.id).await.unwrap().unwrap();
    let made = Made {
        source_id: Uuid::new_v4(),
        connection_id: Uuid::new_v4(),
        source_catalog_id: None,
        status: ConnectionStatus::Active,
    };
    registry
        .onboarding_succeed(&lease, &row, made, &VERSION, None)
        .await
        .unwrap();
    new.id
}

#[tokio::test(flavor = "multi_thread")]
async fn an_onboarding_ends_with_version_1_and_active() {
    let f = fixture().await;
    let id = active(&f.registry, "a").await;
    let row = f.registry.connection_get(id).await.unwrap().unwrap();
    assert_eq!(
        (row.status, row.current_version),
        (ConnectionStatus::Active, 1)
    );
    assert!(row.airbyte_source_id.is_some());
    let versions = f.registry.version_list(id).await.unwrap();
    assert_eq!(versions.len(), 1);
    assert_eq!(versions[0].origin, "onboarding");
    let version = f.registry.version_get(id, 1).await.unwrap().unwrap();
    assert_eq!(version.document, r#"{"streams":[]}"#);
    assert!(
        f.registry
            .operation_open(id, OperationKind::Onboard)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_unique() {
    let f = fixture().await;
    let (first, second) = (new_connection("a"), new_connection("a"));
    f.registry
        .onboarding_begin(&first, started(&first))
        .await
        .unwrap();
    let error = f
        .registry
        .onboarding_begin(&second, started(&second))
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Conflict(Conflict::Name)),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_neither_collide_nor_skip_under_twenty_writers() {
    let f = fixture().await;
    let id = active(&f.registry, "a").await;
    let begun: Vec<_> = futures::future::join_all((0..20).map(|n| {
        let registry = f.registry.clone();
        async move { registry.operation_begin(heal(id, &format!("p{n}"))).await }
    }))
    .await;
    let (held, refused): (Vec<_>, Vec<_>) = begun.into_iter().partition(Result::is_ok);
    assert_eq!((held.len(), refused.len()), (1, 19));
    let lease = held.into_iter().next().unwrap().unwrap();
    let repair = NewVersion {
        origin: Origin::Repair,
        ..VERSION
    };
    let committed = f
        .registry
        .version_commit(&lease, 1, ConnectionStatus::Active, None, &repair)
        .await
        .unwrap();
    assert_eq!(committed, 2);
    let again = f
        .registry
        .version_commit(&lease, 1, ConnectionStatus::Active, None, &repair)
        .await;
    assert!(matches!(again, Err(Error::Conflict(Conflict::Version))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_changed_hands_writes_nothing() {
    let f = fixture().await;
    let id = active(&f.registry, "a").await;
    let old = f
        .registry
        .operation_begin(heal(id, "paused"))
        .await
        .unwrap();
    assert!(
        f.registry
            .operation_claim(&[OperationKind::Heal], "other")
            .await
            .unwrap()
            .is_none()
    );
    f.registry
        .operation_release(&old, chrono::TimeDelta::seconds(-1))
        .await
        .unwrap();
    let (_, new) = f
        .registry
        .operation_claim(&[OperationKind::Heal], "other")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(new.fencing, old.fencing + 1);
    let repair = NewVersion {
        origin: Origin::Repair,
        ..VERSION
    };
    let stale = f
        .registry
        .version_commit(&old, 1, ConnectionStatus::Active, None, &repair)
        .await;
    assert!(matches!(stale, Err(Error::Conflict(Conflict::LeaseLost))));
    f.registry
        .version_commit(&new, 1, ConnectionStatus::Active, None, &repair)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_job_stays_finished() {
    let f = fixture().await;
    let id = active(&f.registry, "a").await;
    let mut facts = JobFacts {
        connection_id: id,
        airbyte_job_id: "7".to_owned(),
        job_type: "sync".to_owned(),
        status: JobStatus::Running,
        started_at: None,
        completed_at: None,
        error_message: None,
        rows_synced: None,
        bytes_synced: None,
        attempts: 1,
    };
    let store = async |facts: &JobFacts| {
        let stored = f.registry.job_store(facts, Some(StartedBy::Aam));
        stored.await.unwrap().is_new
    };
    assert!(store(&facts).await, "the first to");
    assert_eq!(
        f.registry
            .job_list_open("http://localhost:8000", 10)
            .await
            .unwrap()
            .len(),
        1
    );
    facts.status = JobStatus::Succeeded;
    facts.rows_synced = Some(3);
    assert!(!store(&facts).await);
    facts.status = JobStatus::Running;
    store(&facts).await;
    let jobs = f.registry.job_list(id, 10).await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(
        (jobs[0].status, jobs[0].rows_synced),
        (JobStatus::Succeeded, Some(3))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_contiguous() {
    let f = fixture().await;
    for name in ["a", "b", "c"] {
        active(&f.registry, name).await;
    }
    let all = ConnectionFilter::default();
    let first = f.registry.connection_page(&all, None, 2).await.unwrap();
    let rest = f
        .registry
        .connection_page(&all, Some(first[1].id), 2)
        .await
        .unwrap();
    let names: Vec<_> = first
        .iter()
        .chain(&rest)
        .map(|row| row.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_writers_all_succeed() {
    let f = fixture().await;
    let results = futures::future::join_all((0..50).map(|n| {
        let registry = f.registry.clone();
        tokio::spawn(async move {
            let new = new_connection(&format!("c{n}"));
            registry.onboarding_begin(&new, started(&new)).await
        })
    }))
    .await;
    assert!(results.into_iter().all(|result| result.unwrap().is_ok()));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_can_migrate_an_empty_database_concurrently() {
    let directory = tempfile::tempdir().unwrap();
    let target = DatabaseTarget::Sqlite {
        path: directory.path().join("registry.db"),
    };
    let results = futures::future::join_all((0..4).map(|_| {
        let registry = Registry::connect(&target, Pooler::Session).unwrap();
        tokio::spawn(async move {
            registry.migrate().await.unwrap();
            registry.installation_id().await.unwrap()
        })
    }))
    .await;
    let ids: std::collections::HashSet<_> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(ids.len(), 1);
}
