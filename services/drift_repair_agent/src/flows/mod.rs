//! What orders I/O: steps, retries, undo.

pub(crate) mod apply;
mod change;
pub(crate) mod heal;
mod observe;
pub(crate) mod plan;
mod recover;
mod standing;
pub(crate) mod worker;

use std::time::Duration;

use contracts::ErrorCode;
pub(crate) use shared::flow::Error;
use shared::registry::entities::connection;
use shared::registry::operations::Lease;
use shared::registry::status::{ConnectionStatus, OperationKind};
use shared::registry::{self, Conflict};
use uuid::Uuid;

use crate::state::State;

/// How long a repair waits for another one of the same connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that can be repaired: the ids it has in Airbyte.
pub(crate) struct Repairable {
    pub(crate) row: connection::Model,
    pub(crate) source_id: Uuid,
    pub(crate) connection_id: Uuid,
    pub(crate) destination_id: Uuid,
}

/// The connection, if its state allows a repair.
pub(crate) async fn repairable(state: &State, id: Uuid) -> Result<Repairable, Error> {
    let row = shared::flow::own_connection(&state.registry, &state.airbyte, id).await?;
    let refuse = |detail: &str| {
        Err(Error::refused(
            ErrorCode::ConnectionNotReady,
            format!("connection {id} {detail}"),
        ))
    };
    match (
        row.airbyte_source_id,
        row.airbyte_connection_id,
        row.destination_id,
    ) {
        (Some(source_id), Some(connection_id), Some(destination_id))
            if row.current_version > 0 && row.status != ConnectionStatus::Pending =>
        {
            Ok(Repairable {
                row,
                source_id,
                connection_id,
                destination_id,
            })
        }
        _ if row.status == ConnectionStatus::Pending => refuse("is still being onboarded"),
        _ => refuse("was never onboarded; onboard it first"),
    }
}

/// Takes the connection for a repair; waits a while for another one to end.
pub(crate) async fn take(state: &State, connection: Uuid, request: &str) -> Result<Lease, Error> {
    let begun = tokio::time::Instant::now();
    loop {
        let begin =
            state
                .registry
                .operation_begin(OperationKind::Heal, connection, request, &state.owner);
        match begin.await {
            Ok(lease) => return Ok(lease),
            Err(registry::Error::Conflict(Conflict::OperationInProgress))
                if begun.elapsed() < PATIENCE =>
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether a job of the connection runs or waits; its id.
pub(crate) async fn running_job(
    state: &State,
    airbyte_connection: Uuid,
) -> Result<Option<String>, Error> {
    let newest = state.airbyte.job_list_newest(airbyte_connection, 1).await?;
    Ok(newest
        .into_iter()
        .find(|job| !registry::status::JobStatus::from_airbyte(&job.status).is_final())
        .map(|job| job.job_id))
}
