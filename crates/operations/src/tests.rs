//! The executor, on SQLite.

use async_trait::async_trait;
use chrono::TimeDelta;
use contracts::ErrorCode;
use settings::{DatabaseTarget, Pooler};
use shared::registry::Registry;
use shared::registry::entities::operation;
use shared::registry::operations::{Ending, Lease, NewOperation};
use shared::registry::status::{OperationKind, OperationStatus};
use uuid::Uuid;

use crate::flow::Error;
use crate::{OnError, Operation, Resume, StepRunner};

struct Fixture {
    registry: Registry,
    lease: Lease,
    _directory: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let target = DatabaseTarget::Sqlite {
            path: directory.path().join("registry.db"),
        };
        let registry = Registry::connect(&target, Pooler::Session).unwrap();
        registry.migrate().await.unwrap();
        let new = NewOperation::started(OperationKind::Update, Uuid::now_v7(), "{}", "me");
        let lease = registry.operation_begin(new).await.unwrap();
        Self {
            registry,
            lease,
            _directory: directory,
        }
    }

    async fn operation(&self) -> operation::Model {
        let id = self.lease.operation_id;
        self.registry.operation_get(id).await.unwrap().unwrap()
    }
}

/// An operation that fails at will.
struct Script {
    fails: bool,
    on_error: OnError,
    can_roll_back: bool,
    rolled_back_for: Vec<String>,
}

impl Script {
    fn failing(on_error: OnError) -> Self {
        Self {
            fails: true,
            on_error,
            can_roll_back: true,
            rolled_back_for: Vec::new(),
        }
    }
}

fn refused(detail: &str) -> Error {
    Error::refused(ErrorCode::JobRunning, detail)
}

#[async_trait]
impl Operation for Script {
    type Output = &'static str;

    async fn execute(&mut self, run: StepRunner<'_>) -> Result<&'static str, Error> {
        if self.fails {
            return Err(refused("the step failed"));
        }
        let ending = Ending::succeeded(None);
        run.registry.operation_finish(run.lease, ending).await?;
        Ok("done")
    }

    async fn on_error(&self, _run: StepRunner<'_>, _error: &Error) -> OnError {
        self.on_error
    }

    async fn compensate(&mut self, run: StepRunner<'_>, reason: &str) -> Result<(), Error> {
        self.rolled_back_for.push(reason.to_owned());
        if !self.can_roll_back {
            return Err(refused("the rollback failed"));
        }
        let ending = Ending::failed(reason);
        Ok(run.registry.operation_finish(run.lease, ending).await?)
    }
}

#[tokio::test]
async fn a_successful_operation_returns_its_output() {
    let f = Fixture::new().await;
    let mut script = Script {
        fails: false,
        ..Script::failing(OnError::Compensate)
    };
    let output = crate::execute(&f.registry, &f.lease, &mut script).await;
    assert_eq!(output.unwrap(), "done");
    assert_eq!(f.operation().await.status, OperationStatus::Succeeded);
    assert!(script.rolled_back_for.is_empty());
}

#[tokio::test]
async fn a_failed_operation_is_rolled_back_with_the_reason() {
    let f = Fixture::new().await;
    let mut script = Script::failing(OnError::Compensate);
    let error = crate::execute(&f.registry, &f.lease, &mut script).await;
    assert_eq!(error.unwrap_err().to_string(), "the step failed");
    assert_eq!(script.rolled_back_for, ["the step failed"]);
    let row = f.operation().await;
    assert_eq!(row.status, OperationStatus::Failed);
    assert_eq!(row.error.as_deref(), Some("the step failed"));
}

#[tokio::test]
async fn an_operation_to_be_resumed_is_released_and_stays_open() {
    let f = Fixture::new().await;
    let due = TimeDelta::seconds(-1);
    let mut script = Script::failing(OnError::Resume(Some(due)));
    assert!(
        crate::resume(&f.registry, &f.lease, &mut script)
            .await
            .is_err()
    );
    assert!(script.rolled_back_for.is_empty());
    assert_eq!(f.operation().await.status, OperationStatus::Running);
    let kinds = [OperationKind::Update];
    let claimed = f.registry.operation_claim(&kinds, "other").await.unwrap();
    assert_eq!(claimed.unwrap().1.fencing, f.lease.fencing + 1);
}

#[tokio::test]
async fn an_operation_whose_rollback_fails_stays_open() {
    let f = Fixture::new().await;
    let mut script = Script {
        can_roll_back: false,
        ..Script::failing(OnError::Compensate)
    };
    let error = crate::resume(&f.registry, &f.lease, &mut script).await;
    assert_eq!(error.unwrap_err().to_string(), "the step failed");
    assert_eq!(f.operation().await.status, OperationStatus::Running);
    script.can_roll_back = true;
    crate::roll_back(&f.registry, &f.lease, &mut script, "again")
        .await
        .unwrap();
    assert_eq!(f.operation().await.error.as_deref(), Some("again"));
}

#[tokio::test]
async fn a_resumed_operation_that_fails_for_good_has_ended() {
    let f = Fixture::new().await;
    let mut script = Script::failing(OnError::Compensate);
    crate::resume(&f.registry, &f.lease, &mut script)
        .await
        .unwrap();
    assert_eq!(f.operation().await.status, OperationStatus::Failed);
}

/// A service whose operations never finish.
struct Stuck;

#[async_trait]
impl Resume for Stuck {
    const KINDS: &'static [OperationKind] = &[OperationKind::Update];

    async fn resume(&self, _operation: &operation::Model, _lease: &Lease) -> Result<(), Error> {
        Err(refused("still running"))
    }
}

#[tokio::test]
async fn an_operation_that_cannot_be_resumed_is_retried_later() {
    let f = Fixture::new().await;
    let due = TimeDelta::seconds(-1);
    f.registry.operation_release(&f.lease, due).await.unwrap();
    crate::resume_all(&Stuck, &f.registry, "other")
        .await
        .unwrap();
    let row = f.operation().await;
    assert_eq!(row.status, OperationStatus::Running);
    assert_eq!(row.fencing, f.lease.fencing + 1);
    assert!(row.lease_until.unwrap() > chrono::Utc::now());
}

#[tokio::test]
async fn begin_when_free_waits_for_the_open_operation() {
    let f = Fixture::new().await;
    let connection = f.lease.connection_id;
    let new = NewOperation::started(OperationKind::Update, connection, "{}", "other");
    let at_once = crate::begin_when_free(&f.registry, new, std::time::Duration::ZERO).await;
    assert!(at_once.is_err());
    let ending = Ending::succeeded(None);
    f.registry.operation_finish(&f.lease, ending).await.unwrap();
    let patience = std::time::Duration::from_secs(5);
    let lease = crate::begin_when_free(&f.registry, new, patience).await;
    assert_eq!(lease.unwrap().owner, "other");
}
