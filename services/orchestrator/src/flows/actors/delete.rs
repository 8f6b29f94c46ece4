//! Deletes a source or destination that nothing uses, as a durable operation. Airbyte deletes its
//! connections with it, so the registry locks it first: no connection can start to use it.

use async_trait::async_trait;
use contracts::{ErrorCode, Event};
use operations::steps::delete_actor as step;
use operations::{OnError, Operation, StepOutput, StepRunner};
use serde::Deserialize;
use serde_json::json;
use shared::airbyte::ActorKind;
use shared::airbyte::types::Actor;
use shared::registry::actors::ActorRef;
use shared::registry::entities::operation;
use shared::registry::operations::Lease;
use shared::registry::{self, Conflict};
use uuid::Uuid;

use super::{kind, noun};
use crate::domain::ownership_tag;
use crate::flows::Error;
use crate::flows::delete::Deleted;
use crate::state::State;

/// Maximum number of users named.
const NAMED: u64 = 20;

/// What an operation stores of a deletion.
#[derive(Debug, Deserialize)]
struct Stored {
    kind: String,
    airbyte_id: Uuid,
    name: String,
}

/// Deleting an actor, as an operation.
struct Deletion<'a> {
    state: &'a State,
    stored: Stored,
}

/// Deletes an actor.
pub(crate) async fn run(state: State, kind: ActorKind, id: Uuid) -> Result<Deleted, Error> {
    let actor = super::read::existing(&state, kind, id).await?;
    let of = ActorRef {
        kind,
        instance: state.airbyte.instance(),
        workspace_id: actor.workspace_id,
        airbyte_id: id,
    };
    refuse_used(&state, of, &actor).await?;
    let name = ownership_tag::without(state.installation, &actor.name);
    let before = json!({"name": name, "type": actor.connector, "workspace_id": actor.workspace_id});
    let started = state
        .registry
        .actor_removal_begin(of, before, &state.owner)
        .await;
    let lease = match started {
        Ok(lease) => lease,
        Err(registry::Error::Conflict(Conflict::ActorInUse)) => {
            // A connection started to use it in the meantime.
            refuse_used(&state, of, &actor).await?;
            return Err(registry::Error::Conflict(Conflict::ActorInUse).into());
        }
        Err(registry::Error::Conflict(Conflict::OperationInProgress)) => {
            let detail = format!("{} {id} is already being deleted", noun(kind));
            return Err(Error::refused(ErrorCode::InUse, detail));
        }
        Err(error) => return Err(error.into()),
    };
    let stored = Stored {
        kind: kind.as_str().to_owned(),
        airbyte_id: id,
        name: name.to_owned(),
    };
    let mut deletion = Deletion {
        state: &state,
        stored,
    };
    match operations::execute(&state.registry, &lease, &mut deletion).await {
        Ok(()) => Ok(Deleted::Now),
        Err(error) if error.is_transient() => Ok(Deleted::InProgress(lease.operation_id)),
        Err(error) => Err(error),
    }
}

/// Resumes a deletion whose process stopped, or that could not reach Airbyte.
pub(crate) async fn recover(
    state: &State,
    operation: &operation::Model,
    lease: &Lease,
) -> Result<(), Error> {
    let stored: Stored = serde_json::from_str(&operation.request)
        .map_err(|error| registry::Error::Document(error.to_string()))?;
    let mut deletion = Deletion { state, stored };
    operations::resume(&state.registry, lease, &mut deletion).await
}

/// Rejects the deletion of an actor that connections use, AAM's or others in Airbyte, and names
/// them.
async fn refuse_used(state: &State, of: ActorRef<'_>, actor: &Actor) -> Result<(), Error> {
    let mut users = Vec::new();
    for user in state.registry.actor_users(of, NAMED).await? {
        users.push(json!({"connectionId": user.id, "name": user.name}));
    }
    if users.is_empty() {
        let all = state.airbyte.connection_list(actor.workspace_id).await?;
        let using = all.into_iter().filter(|connection| {
            let used = (of.kind).either(connection.source_id, connection.destination_id);
            used == actor.id && connection.status != "deprecated"
        });
        for other in using.take(usize::try_from(NAMED).unwrap_or(usize::MAX)) {
            users.push(json!({"airbyteConnectionId": other.connection_id, "name": other.name}));
        }
    }
    if users.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = users
        .iter()
        .filter_map(|user| Some(format!("`{}`", user["name"].as_str()?)))
        .collect();
    let noun = noun(of.kind);
    Err(Error::Refused {
        code: ErrorCode::InUse,
        detail: format!(
            "{noun} {} is used by {}; delete them first",
            of.airbyte_id,
            names.join(", ")
        ),
        fields: Vec::new(),
        members: vec![("ingestions", users.into())],
    })
}

#[async_trait]
impl Operation for Deletion<'_> {
    type Output = ();

    async fn execute(&mut self, run: StepRunner<'_>) -> Result<(), Error> {
        let stored = &self.stored;
        run_steps(self.state, run, stored).await?;
        tracing::info!(
            actor.id = %stored.airbyte_id,
            "deleted the {} `{}`",
            stored.kind,
            stored.name
        );
        Ok(())
    }

    /// A deletion continues when Airbyte responds again.
    async fn on_error(&self, _run: StepRunner<'_>, error: &Error) -> OnError {
        if error.is_transient() {
            OnError::Resume(None)
        } else {
            OnError::Compensate
        }
    }

    async fn compensate(&mut self, run: StepRunner<'_>, reason: &str) -> Result<(), Error> {
        let registry = &self.state.registry;
        Ok(registry.actor_removal_fail(run.lease, reason).await?)
    }
}

async fn run_steps(state: &State, run: StepRunner<'_>, stored: &Stored) -> Result<(), Error> {
    let (kind, id) = (kind(&stored.kind)?, stored.airbyte_id);
    run.step(step::DELETE_ACTOR, &id.to_string(), async {
        state.airbyte.actor_delete(kind, id).await?;
        Ok(StepOutput::new(()))
    })
    .await?;
    let name = stored.name.clone();
    let event = match kind {
        ActorKind::Source => Event::SourceDeleted {
            source_id: id,
            name,
        },
        ActorKind::Destination => Event::DestinationDeleted {
            destination_id: id,
            name,
        },
    };
    run.commit(step::FORGET_ACTOR, async {
        let removed = state.registry.actor_removal_succeed(run.lease, &event);
        removed.await.map_err(Error::from)
    })
    .await
}
