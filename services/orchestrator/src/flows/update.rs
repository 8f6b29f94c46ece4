//! Changes a connection's name, schedule, drift policy or status: in Airbyte first, then in the
//! registry, as one operation.

use crate::domain::schedule;
use async_trait::async_trait;
use contracts::{ConnectionPatch, DesiredStatus, DriftPolicy, ErrorCode, FieldError, Schedule};
use operations::steps::update as step;
use operations::{OnError, Operation, StepOutput, StepRunner};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shared::airbyte::ConnectionUpdate;
use shared::registry::changes::ConnectionChange;
use shared::registry::entities::{connection, operation};
use shared::registry::operations::{Lease, NewOperation};
use shared::registry::status::{ConnectionStatus, OperationKind, StepStatus};
use shared::registry::{self, Conflict};
use uuid::Uuid;

use super::Error;
use crate::domain::{ownership_tag, request};
use crate::state::State;

/// A patch in its operation's row.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    patch: ConnectionPatch,
    /// The previous values of the patch's members.
    before: Map<String, Value>,
}

/// Changing a connection, as an operation.
struct Change<'a> {
    state: &'a State,
    stored: Stored,
}

/// Outcome of a change request.
pub(crate) enum Updated {
    /// It is applied.
    Now(Box<connection::Model>),
    /// Airbyte may or may not have applied it; it continues in the background as this operation.
    InProgress(Uuid),
}

/// Changes a connection that is still at `revision`.
pub(crate) async fn run(
    state: State,
    id: Uuid,
    patch: ConnectionPatch,
    revision: Option<i64>,
) -> Result<Updated, Error> {
    if patch.is_empty() {
        return Err(Error::refused(
            ErrorCode::Invalid,
            "change at least one of name, schedule, drift_policy, status",
        ));
    }
    let faults = faults(&patch);
    if !faults.is_empty() {
        return Err(Error::fields(ErrorCode::Invalid, faults));
    }
    let row = state.own_connection(id).await?;
    changeable(&row)?;
    let taken = match &patch.name {
        Some(name) if *name != row.name => state.registry.connection_by_name(name).await?,
        _ => None,
    };
    if let Some(other) = taken {
        return Err(name_taken(&format!(
            "connection {} has this name",
            other.id
        )));
    }
    let stored = Stored {
        before: before(&row, &patch),
        patch,
    };
    let request = serde_json::to_string(&stored)
        .map_err(|error| registry::Error::Document(error.to_string()))?;
    let new = NewOperation::started(OperationKind::Update, id, &request, &state.owner);
    let lease = state.registry.operation_begin_at(new, revision).await?;
    let mut change = Change {
        state: &state,
        stored,
    };
    match operations::execute(&state.registry, &lease, &mut change).await {
        Ok(()) => Ok(Updated::Now(Box::new(state.connection(id).await?))),
        Err(error) if error.is_ambiguous() => Ok(Updated::InProgress(lease.operation_id)),
        Err(error) => Err(error),
    }
}

/// Resumes a change whose process stopped.
pub(crate) async fn recover(
    state: &State,
    operation: &operation::Model,
    lease: &Lease,
) -> Result<(), Error> {
    let stored: Stored = serde_json::from_str(&operation.request)
        .map_err(|error| registry::Error::Document(error.to_string()))?;
    let steps = state.registry.step_list(operation.id).await?;
    let begun = steps
        .iter()
        .any(|step| step.step == step::UPDATE_CONNECTION.name && step.status != StepStatus::Failed);
    let mut change = Change { state, stored };
    if begun {
        return operations::resume(&state.registry, lease, &mut change).await;
    }
    let message = "the process stopped before it changed the connection";
    operations::roll_back(&state.registry, lease, &mut change, message).await
}

#[async_trait]
impl Operation for Change<'_> {
    type Output = ();

    async fn execute(&mut self, run: StepRunner<'_>) -> Result<(), Error> {
        run_steps(self.state, run, &self.stored).await
    }

    /// The change is idempotent: if its outcome in Airbyte or the registry is unknown, the worker
    /// repeats it.
    async fn on_error(&self, _run: StepRunner<'_>, error: &Error) -> OnError {
        match error {
            Error::Registry(error) if error.is_unavailable() => OnError::Resume(None),
            error if error.is_ambiguous() => OnError::Resume(None),
            _ => OnError::Compensate,
        }
    }
}

async fn run_steps(state: &State, run: StepRunner<'_>, stored: &Stored) -> Result<(), Error> {
    let row = state.connection(run.lease.connection_id).await?;
    let patch = &stored.patch;
    let update_airbyte = update_airbyte(state, &row, patch);
    run.step(step::UPDATE_CONNECTION, "", update_airbyte)
        .await?;
    let change = ConnectionChange {
        name: patch.name.clone(),
        schedule: (patch.schedule.as_ref()).and_then(|given| serde_json::to_string(given).ok()),
        drift_policy: patch.drift_policy.as_ref().map(DriftPolicy::to_stored),
        status: patch.status.map(|status| match status {
            DesiredStatus::Active => ConnectionStatus::Active,
            DesiredStatus::Inactive => ConnectionStatus::Inactive,
        }),
    };
    let committed = run
        .commit(step::COMMIT_CHANGE, async {
            let before = Value::Object(stored.before.clone());
            state
                .registry
                .change_commit(run.lease, &change, before, json!(patch))
                .await
                .map_err(Error::from)
        })
        .await;
    match committed {
        Err(Error::Registry(registry::Error::Conflict(Conflict::Name))) => {
            // Another connection took the name in the meantime: restore the old one in Airbyte.
            if let Some(connection) = row.airbyte_connection_id {
                let mut back = ConnectionUpdate::of(connection);
                let name = in_airbyte(state, &row, &row.name);
                back.name = Some(&name);
                state.airbyte.connection_update(&back).await?;
            }
            Err(name_taken(
                "another connection took this name in the meantime",
            ))
        }
        committed => committed,
    }
}

async fn update_airbyte(
    state: &State,
    row: &connection::Model,
    patch: &ConnectionPatch,
) -> Result<StepOutput<()>, Error> {
    let Some(connection) = row.airbyte_connection_id else {
        return Ok(StepOutput::new(()));
    };
    let schedule = patch.schedule.as_ref().map(schedule::parse).transpose();
    let schedule = schedule.map_err(|faults| Error::fields(ErrorCode::Invalid, faults))?;
    let data = schedule.as_ref().and_then(schedule::Parsed::airbyte_data);
    let mut update = ConnectionUpdate::of(connection);
    let name = (patch.name.as_deref()).map(|name| in_airbyte(state, row, name));
    update.name = name.as_deref();
    update.schedule_type = schedule.as_ref().map(schedule::Parsed::airbyte_type);
    update.schedule_data = data.as_ref();
    update.status = patch.status.map(|status| match status {
        DesiredStatus::Active => "active",
        DesiredStatus::Inactive => "inactive",
    });
    if update.name.is_some() || update.schedule_type.is_some() || update.status.is_some() {
        state.airbyte.connection_update(&update).await?;
    }
    Ok(StepOutput::new(()))
}

/// A connection with a shared source is identified by the tag in its name, which stays.
fn in_airbyte(state: &State, row: &connection::Model, name: &str) -> String {
    if row.owns_source {
        return name.to_owned();
    }
    format!("{name}{}", ownership_tag::of(state.installation, row.id))
}

fn faults(patch: &ConnectionPatch) -> Vec<FieldError> {
    let mut faults = Vec::new();
    if let Some(name) = &patch.name {
        let wrong = request::name_fault(name);
        faults.extend(wrong.map(|message| FieldError {
            field: "name".to_owned(),
            message: message.to_owned(),
        }));
    }
    if let Some(Err(wrong)) = patch.schedule.as_ref().map(schedule::parse) {
        faults.extend(wrong);
    }
    if let Some(policy) = &patch.drift_policy {
        let wrong = policy.faults("drift_policy").into_iter();
        faults.extend(wrong.map(|wrong| FieldError {
            field: wrong.field,
            message: wrong.message,
        }));
    }
    faults
}

fn changeable(row: &connection::Model) -> Result<(), Error> {
    let refuse = |code, detail: &str| {
        Err(Error::refused(
            code,
            format!("connection {} {detail}", row.id),
        ))
    };
    match row.status {
        ConnectionStatus::Pending => refuse(ErrorCode::ConnectionBusy, "is still being onboarded"),
        ConnectionStatus::Healing => refuse(ErrorCode::ConnectionBusy, "is being healed"),
        ConnectionStatus::Failed => refuse(
            ErrorCode::ConnectionNotReady,
            "is FAILED; onboard or heal it first",
        ),
        ConnectionStatus::Inactive
            if row.status_reason.as_deref() == Some(registry::changes::DELETING) =>
        {
            refuse(ErrorCode::ConnectionBusy, "is being deleted")
        }
        ConnectionStatus::Active | ConnectionStatus::Inactive => Ok(()),
    }
}

/// The previous values of a patch's members.
fn before(row: &connection::Model, patch: &ConnectionPatch) -> Map<String, Value> {
    let mut before = Map::new();
    if patch.name.is_some() {
        before.insert("name".to_owned(), json!(row.name));
    }
    if patch.schedule.is_some() {
        let schedule: Schedule = serde_json::from_str(&row.schedule).unwrap_or_default();
        before.insert("schedule".to_owned(), json!(schedule));
    }
    if patch.drift_policy.is_some() {
        let policy = DriftPolicy::from_stored(&row.drift_policy);
        before.insert("drift_policy".to_owned(), json!(policy));
    }
    if patch.status.is_some() {
        before.insert("status".to_owned(), json!(row.status.as_str()));
    }
    before
}

fn name_taken(message: &str) -> Error {
    Error::field(ErrorCode::ConnectionNameTaken, "name", message)
}
