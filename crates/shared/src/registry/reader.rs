//! Reading from the database, and beginning a write, within a time: one that is silent, because the
//! network lost it for instance, would hold whoever asks for as long as the system goes on sending.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseExecutor, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement,
};

/// Far longer than any statement of ours takes.
const PATIENCE: Duration = Duration::from_secs(15);

/// What reads go through.
#[derive(Debug)]
pub struct Reader<'a>(DatabaseExecutor<'a>);

impl<'a> Reader<'a> {
    pub(super) fn new(executor: DatabaseExecutor<'a>) -> Self {
        Self(executor)
    }
}

#[async_trait]
impl ConnectionTrait for Reader<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        within(self.0.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, statement: &str) -> Result<ExecResult, DbErr> {
        within(self.0.execute_unprepared(statement)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        within(self.0.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        within(self.0.query_all_raw(statement)).await
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
