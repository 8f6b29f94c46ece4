//! Creates a source or destination as a durable operation: create, check, store. A failure is
//! rolled back, and so is the work of a process that crashes on the way, because no caller has the
//! id yet.

use context::error_chain;
use contracts::{ErrorCode, FieldError, NewEndpoint};
use operations::steps::create_actor as step;
use operations::{StepOutput, StepRunner};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::airbyte::types::{Actor, Definition};
use shared::airbyte::{self, ActorKind, ErrorKind};
use shared::registry::actors::NewActor;
use shared::registry::entities::operation;
use shared::registry::lease_renewer::LeaseRenewer;
use shared::registry::operations::{Lease, NewOperation};
use shared::registry::status::{OperationKind, StepStatus};
use shared::registry::{self, now};
use uuid::Uuid;

use super::{Shown, definitions, find, workspace};
use crate::domain::ownership_tag;
use crate::domain::short_config::{self, type_name};
use crate::flows::late_creates::{self, SETTLING};
use crate::flows::{Error, actors, prepare};
use crate::state::State;

/// What an operation stores of a request: everything needed to roll it back.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    kind: String,
    name: String,
    #[serde(rename = "type")]
    connector: String,
}

/// The creation of an actor, with everything that is known before the first effect.
struct Making<'a> {
    state: &'a State,
    new: NewActor,
    definition: Definition,
    specification: Option<Value>,
    /// Contains secrets: never logged, never stored.
    configuration: Value,
    mark: String,
}

/// Creates an actor; with `check`, only if its connector's check succeeds.
pub(crate) async fn run(
    state: State,
    kind: ActorKind,
    request: NewEndpoint,
    check: bool,
) -> Result<Shown, Error> {
    let making = prepare(&state, kind, &request).await?;
    let stored = Stored {
        kind: kind.as_str().to_owned(),
        name: request.name.clone(),
        connector: making.new.connector.clone(),
    };
    let stored = serde_json::to_string(&stored)
        .map_err(|error| registry::Error::Document(error.to_string()))?;
    let mut operation = NewOperation::started(
        OperationKind::CreateActor,
        making.new.id,
        &stored,
        &state.owner,
    );
    operation.workspace_id = Some(making.new.workspace_id);
    let lease = state.registry.actor_begin(&making.new, operation).await?;
    let keeper = LeaseRenewer::start(state.registry.clone(), lease.clone());
    let mut uncertain = false;
    let redactor = prepare::redactor(making.specification.as_ref(), &making.configuration);
    let steps = Box::pin(making.run_steps(&lease, check, &mut uncertain));
    let made = redaction::scope(redactor, steps).await;
    drop(keeper);
    match made {
        Ok(actor) => {
            tracing::info!(
                actor.id = %actor.id,
                "created the {} `{}`",
                kind.as_str(),
                request.name
            );
            let specification = making.specification.as_ref();
            let definition = Some(&making.definition);
            Ok(Shown::whole(
                &state,
                kind,
                &actor,
                definition,
                specification,
            ))
        }
        Err(error) => {
            tracing::warn!(
                operation.id = %lease.operation_id,
                %error,
                "failed to create a {}; rolling back",
                kind.as_str()
            );
            let workspace = Some(making.new.workspace_id);
            let rolled_back = undo(
                &state,
                &lease,
                kind,
                workspace,
                &error_chain(&error),
                uncertain,
            )
            .await;
            if let Err(undo_error) = rolled_back {
                // The lease expires, and the worker continues the rollback until Airbyte responds.
                tracing::warn!(
                    operation.id = %lease.operation_id,
                    error = %error_chain(&undo_error),
                    "rollback left to the worker"
                );
            }
            Err(error)
        }
    }
}

async fn prepare<'a>(
    state: &'a State,
    kind: ActorKind,
    request: &NewEndpoint,
) -> Result<Making<'a>, Error> {
    let workspace_id = workspace(state, request.workspace.as_deref()).await?;
    let all = definitions(state, kind, workspace_id).await?;
    let definition = find(kind, &all, &request.kind)?.clone();
    let response = (state.airbyte).specification(kind, definition.id, workspace_id);
    let specification = response.await?;
    let connector = type_name(&definition);
    let invalid = |faults| {
        let code = kind.either(
            ErrorCode::SourceConfigInvalid,
            ErrorCode::DestinationConfigInvalid,
        );
        Error::fields(code, faults)
    };
    let expanded = short_config::expand(kind, &connector, specification.as_ref(), &request.config)
        .map_err(invalid)?;
    if let Some(specification) = &specification {
        let faults = expanded.faults(specification);
        if !faults.is_empty() {
            return Err(invalid(faults));
        }
    }
    let id = Uuid::now_v7();
    Ok(Making {
        state,
        new: NewActor {
            id,
            kind,
            airbyte_instance: state.airbyte.instance().to_owned(),
            workspace_id,
            name: request.name.clone(),
            connector,
        },
        definition,
        specification,
        configuration: expanded.configuration,
        mark: ownership_tag::of(state.installation, id),
    })
}

impl Making<'_> {
    async fn run_steps(
        &self,
        lease: &Lease,
        check: bool,
        uncertain: &mut bool,
    ) -> Result<Actor, Error> {
        let run = StepRunner {
            registry: &self.state.registry,
            lease,
        };
        let name = format!("{}{}", self.new.name, self.mark);
        let actor = run
            .step(step::CREATE_ACTOR, &name, self.create(&name))
            .await
            .inspect_err(|error| *uncertain = error.is_ambiguous())?;
        if check {
            run.step(
                step::CHECK_ACTOR,
                &actor.id.to_string(),
                self.check(actor.id),
            )
            .await?;
        }
        run.commit(step::COMMIT_ACTOR, async {
            let registry = &self.state.registry;
            let stored = registry.actor_succeed(lease, &self.new, actor.id);
            stored.await.map_err(Error::from)
        })
        .await?;
        Ok(actor)
    }

    async fn create(&self, name: &str) -> Result<StepOutput<Actor>, Error> {
        let (airbyte, new) = (&self.state.airbyte, &self.new);
        let created = airbyte
            .actor_create(
                new.kind,
                name,
                new.workspace_id,
                self.definition.id,
                &self.configuration,
            )
            .await;
        let error = match created {
            Ok(actor) => return Ok(StepOutput::with_reference(actor.clone(), actor.id)),
            Err(error) => error,
        };
        if error.is_ambiguous() {
            // It may have been created anyway: then its tag identifies it as ours.
            return match late_creates::look_for(|| self.find_created()).await? {
                Some(found) => Ok(StepOutput::with_reference(found.clone(), found.id)),
                None => Err(error.into()),
            };
        }
        Err(match error.kind {
            ErrorKind::Rejected {
                status: 422,
                message,
                ..
            } => {
                let code = new.kind.either(
                    ErrorCode::SourceConfigInvalid,
                    ErrorCode::DestinationConfigInvalid,
                );
                Error::field(code, "config", message)
            }
            _ => error.into(),
        })
    }

    async fn find_created(&self) -> Result<Option<Actor>, airbyte::Error> {
        let listed = self
            .state
            .airbyte
            .actor_list(self.new.kind, Some(self.new.workspace_id));
        let mut listed = listed.await?.into_iter();
        Ok(listed.find(|actor| actor.name.ends_with(&self.mark)))
    }

    async fn check(&self, id: Uuid) -> Result<StepOutput<()>, Error> {
        let checked = self.state.airbyte.actor_check(self.new.kind, id).await;
        checked.map_err(|error| match error.kind {
            ErrorKind::Connector { message, .. } => {
                let code = self.new.kind.either(
                    ErrorCode::SourceCheckFailed,
                    ErrorCode::DestinationCheckFailed,
                );
                let fault = FieldError {
                    field: "config".to_owned(),
                    message: message.clone(),
                };
                Error::Refused {
                    code,
                    detail: format!("{message}; `?check=false` creates it without a check"),
                    fields: vec![fault],
                    members: Vec::new(),
                }
            }
            _ => error.into(),
        })?;
        Ok(StepOutput::new(()))
    }
}

/// Rolls back what a crashed process started.
pub(crate) async fn recover(
    state: &State,
    operation: &operation::Model,
    lease: &Lease,
) -> Result<(), Error> {
    let kind = kind_of(operation)?;
    let reason = "the process that was creating it stopped before it finished; create it again";
    let workspace = operation.workspace_id;
    undo(state, lease, kind, workspace, reason, true).await
}

/// Deletes what a create produced after its timeout.
pub(crate) async fn sweep(state: &State, operation: &operation::Model) -> Result<(), Error> {
    let kind = kind_of(operation)?;
    let Some(workspace) = operation.workspace_id else {
        return Ok(());
    };
    let id = operation.connection_id;
    let row = state.registry.actor_get(id).await?;
    let keep = row.and_then(|row| row.airbyte_id);
    let removed = remove_marked(state, kind, workspace, id, keep).await?;
    if removed > 0 {
        tracing::warn!(
            operation.id = %operation.id,
            removed,
            "deleted what a create produced after its timeout"
        );
    }
    Ok(())
}

fn kind_of(operation: &operation::Model) -> Result<ActorKind, Error> {
    let stored: Stored = serde_json::from_str(&operation.request)
        .map_err(|error| registry::Error::Document(error.to_string()))?;
    actors::kind(&stored.kind)
}

async fn undo(
    state: &State,
    lease: &Lease,
    kind: ActorKind,
    workspace: Option<Uuid>,
    reason: &str,
    uncertain: bool,
) -> Result<(), Error> {
    let registry = &state.registry;
    registry.steps_abandon(lease, reason).await?;
    if let Some(workspace) = workspace {
        remove_marked(state, kind, workspace, lease.connection_id, None).await?;
    }
    let made = step::CREATE_ACTOR.name;
    registry
        .step_end(lease, made, StepStatus::Undone, None, None)
        .await?;
    let settle_until = uncertain.then(|| now() + SETTLING);
    registry.actor_fail(lease, reason, settle_until).await?;
    Ok(())
}

async fn remove_marked(
    state: &State,
    kind: ActorKind,
    workspace: Uuid,
    id: Uuid,
    keep: Option<Uuid>,
) -> Result<usize, Error> {
    let mark = ownership_tag::of(state.installation, id);
    let listed = state.airbyte.actor_list(kind, Some(workspace)).await?;
    let mut removed = 0;
    for actor in listed {
        if actor.name.ends_with(&mark) && keep != Some(actor.id) {
            state.airbyte.actor_delete(kind, actor.id).await?;
            tracing::info!(
                actor.id = %actor.id,
                "deleted the {} that a failed operation created",
                kind.as_str()
            );
            removed += 1;
        }
    }
    Ok(removed)
}
