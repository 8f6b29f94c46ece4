//! `operation_steps`: the intent and the result of each step of an operation, so that another
//! process can finish it or roll it back.

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::Expr,
};
use uuid::Uuid;

use super::entities::operation_step;
use super::operations::{Lease, assert_held};
use super::status::StepStatus;
use super::{Error, Registry, now};

/// The step recorded for an operation that fails between two steps.
const UNDO: &str = "undo";

impl Registry {
    /// Records a step's intent before its effect.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if the operation now belongs to another process.
    pub async fn step_intend(&self, lease: &Lease, step: &str, intent: &str) -> Result<(), Error> {
        let at = now();
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        let attempt = operation_step::Entity::find()
            .filter(operation_step::Column::OperationId.eq(lease.operation_id))
            .filter(operation_step::Column::Step.eq(step))
            .order_by_desc(operation_step::Column::Attempt)
            .one(&writer)
            .await?
            .map_or(0, |last| last.attempt + 1);
        operation_step::Entity::insert(operation_step::ActiveModel {
            operation_id: Set(lease.operation_id),
            step: Set(step.to_owned()),
            attempt: Set(attempt),
            intent: Set(Some(intent.to_owned())),
            external_ref: Set(None),
            status: Set(StepStatus::Intended),
            error: Set(None),
            created_at: Set(at),
            updated_at: Set(at),
        })
        .exec_without_returning(&writer)
        .await?;
        writer.commit().await?;
        Ok(())
    }

    /// Records the result of a step's latest attempt.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if the operation now belongs to another process.
    pub async fn step_end(
        &self,
        lease: &Lease,
        step: &str,
        status: StepStatus,
        external_ref: Option<&str>,
        error: Option<&str>,
    ) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        let mut update = operation_step::Entity::update_many()
            .col_expr(operation_step::Column::Status, Expr::value(status))
            .col_expr(
                operation_step::Column::Error,
                Expr::value(error.map(str::to_owned)),
            )
            .col_expr(operation_step::Column::UpdatedAt, Expr::value(now()))
            .filter(operation_step::Column::OperationId.eq(lease.operation_id))
            .filter(operation_step::Column::Step.eq(step))
            .filter(operation_step::Column::Status.is_in([StepStatus::Intended, StepStatus::Done]));
        if let Some(reference) = external_ref {
            update = update.col_expr(operation_step::Column::ExternalRef, Expr::value(reference));
        }
        update.exec(&writer).await?;
        writer.commit().await?;
        Ok(())
    }

    /// Records that an operation has failed, before any of its effects is rolled back: the process
    /// that resumes it continues the rollback. Steps whose effect is uncertain count as failed.
    ///
    /// # Errors
    /// Returns `Conflict::LeaseLost` if the operation now belongs to another process.
    pub async fn steps_abandon(&self, lease: &Lease, reason: &str) -> Result<(), Error> {
        let writer = self.writer().await?;
        assert_held(&writer, lease).await?;
        operation_step::Entity::update_many()
            .col_expr(
                operation_step::Column::Status,
                Expr::value(StepStatus::Failed),
            )
            .col_expr(operation_step::Column::Error, Expr::value(reason))
            .col_expr(operation_step::Column::UpdatedAt, Expr::value(now()))
            .filter(operation_step::Column::OperationId.eq(lease.operation_id))
            .filter(operation_step::Column::Status.eq(StepStatus::Intended))
            .exec(&writer)
            .await?;
        let found = operation_step::Entity::find()
            .filter(operation_step::Column::OperationId.eq(lease.operation_id))
            .filter(operation_step::Column::Status.is_in([StepStatus::Failed, StepStatus::Undone]))
            .one(&writer)
            .await?;
        if found.is_none() {
            // It failed between two steps, or before the first.
            let at = now();
            operation_step::Entity::insert(operation_step::ActiveModel {
                operation_id: Set(lease.operation_id),
                step: Set(UNDO.to_owned()),
                attempt: Set(0),
                intent: Set(None),
                external_ref: Set(None),
                status: Set(StepStatus::Failed),
                error: Set(Some(reason.to_owned())),
                created_at: Set(at),
                updated_at: Set(at),
            })
            .exec_without_returning(&writer)
            .await?;
        }
        writer.commit().await?;
        Ok(())
    }

    /// Returns the steps of an operation, in the order in which they started.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn step_list(&self, operation_id: Uuid) -> Result<Vec<operation_step::Model>, Error> {
        let reader = self.reader().await?;
        Ok(operation_step::Entity::find()
            .filter(operation_step::Column::OperationId.eq(operation_id))
            .order_by_asc(operation_step::Column::CreatedAt)
            .all(&reader)
            .await?)
    }
}
