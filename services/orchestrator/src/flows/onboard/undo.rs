//! Taking back what an onboarding made in Airbyte. What it made is found by its mark, not by
//! memory: a create that timed out or whose process died leaves no id behind.

use shared::operation::steps::onboard as step;
use shared::registry::now;
use shared::registry::operations::Lease;
use shared::registry::status::StepStatus;
use uuid::Uuid;

use crate::domain::mark;
use crate::flows::Error;
use crate::flows::settle::SETTLING;
use crate::state::State;

/// Removes everything an onboarding made and ends it as FAILED; `uncertain` tells that a create may
/// still have its effect.
pub(super) async fn onboarding(
    state: &State,
    lease: &Lease,
    reason: &str,
    uncertain: bool,
) -> Result<(), Error> {
    state.registry.steps_abandon(lease, reason).await?;
    let row = state.connection(lease.connection_id).await?;
    if let Some(workspace) = row.workspace_id {
        let mark = mark::of(state.installation, row.id);
        remove_marked(state, workspace, &mark, None).await?;
    }
    for step in [step::CREATE_SOURCE, step::CREATE_CONNECTION] {
        state
            .registry
            .step_end(lease, step.name, StepStatus::Undone, None, None)
            .await?;
    }
    let settle_until = uncertain.then(|| now() + SETTLING);
    state
        .registry
        .onboarding_fail(lease, reason, settle_until)
        .await?;
    Ok(())
}

/// Removes the sources that carry the mark, and before them the connections that read them, but for
/// the source and the connection to keep. Tells how many objects were removed.
pub(crate) async fn remove_marked(
    state: &State,
    workspace: Uuid,
    mark: &str,
    keep: Option<(Uuid, Option<Uuid>)>,
) -> Result<usize, Error> {
    let sources: Vec<_> = state
        .airbyte
        .source_list(workspace)
        .await?
        .into_iter()
        .filter(|source| source.name.ends_with(mark))
        .collect();
    if sources.is_empty() {
        return Ok(0);
    }
    let connections = state.airbyte.connection_list(workspace).await?;
    let mut removed = 0;
    for source in sources {
        let kept = keep.filter(|(id, _)| *id == source.source_id);
        for connection in connections
            .iter()
            .filter(|c| c.source_id == source.source_id && c.status != "deprecated")
            .filter(|c| kept.is_none_or(|(_, kept)| kept.is_some_and(|id| id != c.connection_id)))
        {
            state
                .airbyte
                .connection_delete(connection.connection_id)
                .await?;
            tracing::info!(connection.id = %connection.connection_id, "removed a connection that an onboarding left in Airbyte");
            removed += 1;
        }
        if kept.is_none() {
            state.airbyte.source_delete(source.source_id).await?;
            tracing::info!(source.id = %source.source_id, "removed a source that an onboarding left");
            removed += 1;
        }
    }
    Ok(removed)
}
