//! Hands over the operations of a process that shuts down, so that another process resumes them at
//! once.

use chrono::DateTime;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::entities::operation::{Column, Entity};
use super::status::OperationStatus;
use super::{Error, Registry, now};

/// How long a process tries this while shutting down.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

impl Registry {
    /// Hands over every operation that `owner` works on, although its leases have not expired. The
    /// fencing counter moves, so that work still running here can write nothing more. Settling
    /// operations stay: they wait for a time, not for a process.
    ///
    /// # Errors
    /// Returns an error if the database fails or does not answer within 3 s.
    pub async fn operations_hand_over(&self, owner: &str) -> Result<u64, Error> {
        let handing_over = async {
            let writer = self.writer().await?;
            let at = now();
            let handed = Entity::update_many()
                .col_expr(Column::LeaseOwner, Expr::value(None::<String>))
                .col_expr(Column::LeaseUntil, Expr::value(DateTime::UNIX_EPOCH))
                .col_expr(Column::Fencing, Expr::col(Column::Fencing).add(1))
                .col_expr(Column::UpdatedAt, Expr::value(at))
                .filter(Column::LeaseOwner.eq(owner))
                .filter(Column::Status.eq(OperationStatus::Running))
                .exec(&writer)
                .await?;
            writer.commit().await?;
            Ok(handed.rows_affected)
        };
        tokio::time::timeout(PATIENCE, handing_over)
            .await
            .unwrap_or_else(|_| Err(Error::no_answer()))
    }
}
