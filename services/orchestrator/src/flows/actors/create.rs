//! Creates a source or destination as a durable operation: create, check, store. A failure is
//! rolled back, and so is the work of a process that crashes on the way, because no caller has the
//! id yet.

use async_trait::async_trait;
use contracts::{ErrorCode, FieldError, NewEndpoint};
use operations::steps::create_actor as step;
use operations::{OnError, Operation, StepOutput, StepRunner};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::airbyte::types::{Actor, Definition};
use shared::airbyte::{self, ActorKind, ErrorKind};
use shared::registry::actors::NewActor;
use shared::registry::entities::operation;
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
struct Creation<'a> {
    state: &'a State,
    new: NewActor,
    definition: Definition,
    specification: Option<Value>,
    /// Contains secrets: never logged, never stored.
    configuration: Value,
    mark: String,
    /// Whether the connector's check must succeed.
    check: bool,
    /// Whether the create may still take effect although its object was not found.
    uncertain: bool,
}

/// Creates an actor; with `check`, only if its connector's check succeeds.
pub(crate) async fn run(
    state: State,
    kind: ActorKind,
    request: NewEndpoint,
    check: bool,
) -> Result<Shown, Error> {
    let mut creation = prepare(&state, kind, &request, check).await?;
    let stored = Stored {
        kind: kind.as_str().to_owned(),
        name: request.name.clone(),
        connector: creation.new.connector.clone(),
    };
    let stored = serde_json::to_string(&stored)
        .map_err(|error| registry::Error::Document(error.to_string()))?;
    let mut operation = NewOperation::started(
        OperationKind::CreateActor,
        creation.new.id,
        &stored,
        &state.owner,
    );
    operation.workspace_id = Some(creation.new.workspace_id);
    let lease = state.registry.actor_begin(&creation.new, operation).await?;
    let redactor = prepare::redactor(creation.specification.as_ref(), &creation.configuration);
    let created = operations::execute(&state.registry, &lease, &mut creation);
    let actor = redaction::scope(redactor, created).await?;
    tracing::info!(
        actor.id = %actor.id,
        "created the {} `{}`",
        kind.as_str(),
        request.name
    );
    let specification = creation.specification.as_ref();
    let definition = Some(&creation.definition);
    Ok(Shown::whole(
        &state,
        kind,
        &actor,
        definition,
        specification,
    ))
}

async fn prepare<'a>(
    state: &'a State,
    kind: ActorKind,
    request: &NewEndpoint,
    check: bool,
) -> Result<Creation<'a>, Error> {
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
    Ok(Creation {
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
        check,
        uncertain: false,
    })
}

#[async_trait]
impl Operation for Creation<'_> {
    type Output = Actor;

    async fn execute(&mut self, run: StepRunner<'_>) -> Result<Actor, Error> {
        let name = format!("{}{}", self.new.name, self.mark);
        let created = run.step(step::CREATE_ACTOR, &name, self.create(&name));
        let created = created.await;
        if let Err(error) = &created {
            self.uncertain = error.is_ambiguous();
        }
        let actor = created?;
        if self.check {
            run.step(
                step::CHECK_ACTOR,
                &actor.id.to_string(),
                self.check(actor.id),
            )
            .await?;
        }
        run.commit(step::COMMIT_ACTOR, async {
            let registry = &self.state.registry;
            let stored = registry.actor_succeed(run.lease, &self.new, actor.id);
            stored.await.map_err(Error::from)
        })
        .await?;
        Ok(actor)
    }

    async fn on_error(&self, _run: StepRunner<'_>, _error: &Error) -> OnError {
        OnError::Compensate
    }

    async fn compensate(&mut self, run: StepRunner<'_>, reason: &str) -> Result<(), Error> {
        let left = Left {
            kind: self.new.kind,
            workspace: Some(self.new.workspace_id),
        };
        left.remove(self.state, run.lease, reason, self.uncertain)
            .await
    }
}

impl Creation<'_> {
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
    let left = Left {
        kind: kind_of(operation)?,
        workspace: operation.workspace_id,
    };
    let reason = "the process that was creating it stopped before it finished; create it again";
    left.remove(state, lease, reason, true).await
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

/// What a creation may have left behind.
struct Left {
    kind: ActorKind,
    workspace: Option<Uuid>,
}

impl Left {
    /// Deletes it and ends the operation as failed; `uncertain` means that the create may still
    /// take effect.
    async fn remove(
        &self,
        state: &State,
        lease: &Lease,
        reason: &str,
        uncertain: bool,
    ) -> Result<(), Error> {
        let registry = &state.registry;
        registry.steps_abandon(lease, reason).await?;
        if let Some(workspace) = self.workspace {
            remove_marked(state, self.kind, workspace, lease.connection_id, None).await?;
        }
        let made = step::CREATE_ACTOR.name;
        registry
            .step_end(lease, made, StepStatus::Undone, None, None)
            .await?;
        let settle_until = uncertain.then(|| now() + SETTLING);
        registry.actor_fail(lease, reason, settle_until).await?;
        Ok(())
    }
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
