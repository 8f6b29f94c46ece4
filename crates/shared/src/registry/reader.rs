//! Reads, and starts of writes, with a timeout: a silent database, for example after a network
//! failure, would otherwise block the caller for as long as the system keeps retransmitting. Both
//! are repeated once if the connection turns out to be dead.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseExecutor, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement,
};

use super::lost::Trust;

/// Far longer than any of our statements takes.
const PATIENCE: Duration = Duration::from_secs(15);

/// A handle for reading.
#[derive(Debug)]
pub struct Reader<'a> {
    executor: DatabaseExecutor<'a>,
    trust: &'a Trust,
}

impl<'a> Reader<'a> {
    pub(super) fn new(executor: DatabaseExecutor<'a>, trust: &'a Trust) -> Self {
        Self { executor, trust }
    }

    /// Whether to repeat a read: possible unless it must be consistent with earlier reads.
    fn should_retry<T>(&self, first: &Result<T, DbErr>) -> bool {
        matches!(self.executor, DatabaseExecutor::Connection(_)) && self.trust.should_retry(first)
    }
}

#[async_trait]
impl ConnectionTrait for Reader<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.executor.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let first = within(self.executor.execute_raw(statement.clone())).await;
        if self.should_retry(&first) {
            return within(self.executor.execute_raw(statement)).await;
        }
        first
    }

    async fn execute_unprepared(&self, statement: &str) -> Result<ExecResult, DbErr> {
        let first = within(self.executor.execute_unprepared(statement)).await;
        if self.should_retry(&first) {
            return within(self.executor.execute_unprepared(statement)).await;
        }
        first
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let first = within(self.executor.query_one_raw(statement.clone())).await;
        if self.should_retry(&first) {
            return within(self.executor.query_one_raw(statement)).await;
        }
        first
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let first = within(self.executor.query_all_raw(statement.clone())).await;
        if self.should_retry(&first) {
            return within(self.executor.query_all_raw(statement)).await;
        }
        first
    }
}

/// Aborts a statement that does not complete in time, together with its connection.
pub(super) async fn within<T>(
    statement: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    let answered = tokio::time::timeout(PATIENCE, statement).await;
    answered.unwrap_or_else(|_| {
        let message = format!("no response within {} s", PATIENCE.as_secs());
        Err(DbErr::Conn(RuntimeErr::Internal(message)))
    })
}
