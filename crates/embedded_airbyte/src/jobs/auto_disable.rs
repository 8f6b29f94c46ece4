//! Switching off a connection that has only failed for long, as Airbyte does.

use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};

use crate::fault::Fault;
use crate::store::entities::{connection, job};

/// Failed jobs in a row, the last one included.
pub(super) const FAILED_JOBS_MAX: u64 = 30;
/// Milliseconds without a success.
const FAILING_MAX_MS: i64 = 7 * 24 * 3600 * 1000;

/// Switches the connection of a job that has just failed off when both limits are reached; answers
/// whether it did.
pub(super) async fn auto_disable(
    transaction: &DatabaseTransaction,
    failed: &job::Model,
    now: i64,
) -> Result<bool, Fault> {
    let last: Vec<String> = job::Entity::find()
        .select_only()
        .column(job::Column::Status)
        .filter(job::Column::ConnectionId.eq(failed.connection_id))
        .filter(job::Column::Status.is_in(["succeeded", "failed"]))
        .filter(job::Column::ConfigType.ne("reset_connection"))
        .order_by_desc(job::Column::Id)
        .limit(FAILED_JOBS_MAX)
        .into_tuple()
        .all(transaction)
        .await?;
    let all_failed = last.iter().all(|status| status == "failed");
    if (last.len() as u64) < FAILED_JOBS_MAX || !all_failed {
        return Ok(false);
    }
    let jobs = || job::Entity::find().filter(job::Column::ConnectionId.eq(failed.connection_id));
    let success = jobs()
        .filter(job::Column::Status.eq("succeeded"))
        .order_by_desc(job::Column::Id)
        .one(transaction)
        .await?;
    // A connection that never succeeded has failed since its first job.
    let since = match success {
        Some(job) => Some(job.updated_at),
        None => {
            let first = jobs().order_by_asc(job::Column::Id).one(transaction);
            first.await?.map(|job| job.created_at)
        }
    };
    if since.is_none_or(|since| now - since < FAILING_MAX_MS) {
        return Ok(false);
    }
    let switched_off = connection::Entity::update_many()
        .col_expr(connection::Column::Status, Expr::value("inactive"))
        .filter(connection::Column::Id.eq(failed.connection_id))
        .filter(connection::Column::Status.eq("active"))
        .exec(transaction)
        .await?;
    Ok(switched_off.rows_affected > 0)
}
