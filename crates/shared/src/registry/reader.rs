//! Reading from the database, and beginning a write, within a time: one that is silent, because the
//! network lost it for instance, would hold whoever asks for as long as the system goes on sending.
//! Either is repeated once where the connection turns out to be dead.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseExecutor, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement,
};

use super::lost::Trust;

/// Far longer than any statement of ours takes.
const PATIENCE: Duration = Duration::from_secs(15);

/// What reads go through.
#[derive(Debug)]
pub struct Reader<'a> {
    executor: DatabaseExecutor<'a>,
    trust: &'a Trust,
}

impl<'a> Reader<'a> {
    pub(super) fn new(executor: DatabaseExecutor<'a>, trust: &'a Trust) -> Self {
        Self { executor, trust }
    }

    /// Whether to ask again: a read may be, unless what was read before belongs to it.
    fn again<T>(&self, first: &Result<T, DbErr>) -> bool {
        matches!(self.executor, DatabaseExecutor::Connection(_)) && self.trust.again(first)
    }
}

#[async_trait]
impl ConnectionTrait for Reader<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.executor.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let first = within(self.executor.execute_raw(statement.clone())).await;
        if self.again(&first) {
            return within(self.executor.execute_raw(statement)).await;
        }
        first
    }

    async fn execute_unprepared(&self, statement: &str) -> Result<ExecResult, DbErr> {
        let first = within(self.executor.execute_unprepared(statement)).await;
        if self.again(&first) {
            return within(self.executor.execute_unprepared(statement)).await;
        }
        first
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let first = within(self.executor.query_one_raw(statement.clone())).await;
        if self.again(&first) {
            return within(self.executor.query_one_raw(statement)).await;
        }
        first
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let first = within(self.executor.query_all_raw(statement.clone())).await;
        if self.again(&first) {
            return within(self.executor.query_all_raw(statement)).await;
        }
        first
    }
}

/// Gives up a statement that is not answered in time; its connection goes with it.
pub(super) async fn within<T>(
    statement: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    let answered = tokio::time::timeout(PATIENCE, statement).await;
    answered.unwrap_or_else(|_| {
        let said = format!("no answer within {} s", PATIENCE.as_secs());
        Err(DbErr::Conn(RuntimeErr::Internal(said)))
    })
}
