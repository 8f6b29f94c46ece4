//! Taking back what an onboarding made in Airbyte. What it made is found by its mark, not by
//! memory: a create that timed out or whose process died leaves no id behind.

use shared::registry::operations::Lease;
use shared::registry::status::StepStatus;
use uuid::Uuid;

use super::Error;
use super::onboard::step;
use crate::domain::mark;
use crate::state::State;

/// Removes everything an onboarding made and ends it as FAILED.
pub(crate) async fn onboarding(state: &State, lease: &Lease, reason: &str) -> Result<(), Error> {
    let row = state.connection(lease.connection_id).await?;
    if let Some(workspace) = row.workspace_id {
        let mark = mark::of(state.installation, row.id);
        remove_marked(state, workspace, &mark).await?;
    }
    for step in [step::SOURCE, step::CONNECTION] {
        state
            .registry
            .step_end(lease, step, StepStatus::Undone, None, None)
            .await?;
    }
    for step in [step::CHECK, step::DISCOVER] {
        state
            .registry
            .step_end(lease, step, StepStatus::Failed, None, Some(reason))
            .await?;
    }
    state.registry.onboarding_fail(lease, reason).await?;
    Ok(())
}

/// Removes the sources that carry the mark, and before them the connections that read them.
pub(crate) async fn remove_marked(state: &State, workspace: Uuid, mark: &str) -> Result<(), Error> {
    let sources: Vec<_> = state
        .airbyte
        .source_list(workspace)
        .await?
        .into_iter()
        .filter(|source| source.name.ends_with(mark))
        .collect();
    if sources.is_empty() {
        return Ok(());
    }
    let connections = state.airbyte.connection_list(workspace).await?;
    for source in sources {
        for connection in connections
            .iter()
            .filter(|c| c.source_id == source.source_id)
        {
            state
                .airbyte
                .connection_delete(connection.connection_id)
                .await?;
        }
        state.airbyte.source_delete(source.source_id).await?;
        tracing::info!(source.id = %source.source_id, "removed a source that an onboarding left");
    }
    Ok(())
}
