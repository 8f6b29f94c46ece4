//! Onboarding: source → check → discover → connection → version 1 → ACTIVE, as a durable operation.
//! If a process crashes, another one resumes; a failure is rolled back.

mod make;
mod recover;
mod stored;
mod undo;

use std::time::Duration;

use async_trait::async_trait;
use context::error_chain;
use contracts::{ErrorCode, FieldError, OnboardRequest};
use futures::future::BoxFuture;
use operations::{OnError, Operation, StepRunner};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::airbyte::types::Actor;
use shared::registry::connections::NewConnection;
use shared::registry::entities::connection;
use shared::registry::operations::{Lease, NewOperation};
use shared::registry::status::{ConnectionStatus, OperationKind};
use shared::registry::{self, Conflict};
use uuid::Uuid;

use self::make::Making;
use self::stored::Stored;
use super::Error;
use super::prepare::{self, Prepared};
use crate::domain::request;
use crate::state::State;

pub(crate) use recover::onboarding as recover;
pub(crate) use stored::name_of;

/// How long a step waits for an unreachable Airbyte: after a restart it is back by then.
const AIRBYTE_PATIENCE: Duration = Duration::from_secs(5);

/// How long a request waits for the same onboarding elsewhere.
const PATIENCE: Duration = Duration::from_secs(60);

/// Outcome of an onboarding request.
pub(crate) enum Onboarded {
    /// It was created now.
    New(connection::Model),
    /// The same request created it before.
    Existing(connection::Model),
    /// It continues in the background as this operation.
    InProgress(Uuid),
}

/// The initial status of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InitialStatus {
    /// It syncs and heals.
    #[default]
    Active,
    /// It is deactivated until a user activates it.
    Inactive,
}

impl InitialStatus {
    fn status(self) -> ConnectionStatus {
        match self {
            Self::Active => ConnectionStatus::Active,
            Self::Inactive => ConnectionStatus::Inactive,
        }
    }

    fn as_airbyte(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
    }
}

/// An existing source, to be onboarded into a destination of the same workspace; both were just
/// looked up.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) source: Actor,
    pub(crate) destination_id: Uuid,
    pub(crate) initial_status: InitialStatus,
}

impl Shared {
    /// Distinguishes onboardings of a source, in addition to the request.
    fn identity(&self) -> Value {
        json!({"source_id": self.source.id, "begins": self.initial_status})
    }
}

/// Onboards a connection; with `answer_early` returns as soon as the operation has started. Without
/// a shared source, creates one for this connection only.
pub(crate) async fn run(
    state: State,
    request: OnboardRequest,
    shared: Option<Shared>,
    answer_early: bool,
) -> Result<Onboarded, Error> {
    let faults = request::faults(&request);
    if !faults.is_empty() {
        return Err(Error::fields(ErrorCode::Invalid, faults));
    }
    let identity = shared.as_ref().map(Shared::identity);
    let hash = request::fingerprint(&request, identity.as_ref(), &state.fingerprint_key);
    if let Some(known) =
        find_existing(&state, &request.connection_name, &hash, answer_early).await?
    {
        return Ok(known);
    }
    let initial_status =
        (shared.as_ref()).map_or_else(InitialStatus::default, |shared| shared.initial_status);
    let prepared = match shared {
        None => prepare::prepare(&state, &request).await?,
        Some(Shared {
            source,
            destination_id,
            ..
        }) => prepare::prepare_shared(&state, source, destination_id).await?,
    };
    loop {
        // Checked again: another request may have been first in the meantime.
        if let Some(known) =
            find_existing(&state, &request.connection_name, &hash, answer_early).await?
        {
            return Ok(known);
        }
        match begin(&state, &request, &prepared, initial_status, &hash).await {
            Ok((lease, again)) => {
                let operation = lease.operation_id;
                let flow = execute(
                    state.clone(),
                    request,
                    prepared,
                    initial_status,
                    lease,
                    again,
                );
                if !answer_early {
                    return flow.await;
                }
                state.runtime.spawn(async move {
                    // The operation and the row report a failure.
                    let _ = flow.await;
                });
                return Ok(Onboarded::InProgress(operation));
            }
            Err(Error::Registry(registry::Error::Conflict(
                Conflict::Name | Conflict::OperationInProgress,
            ))) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Returns the connection with that name if the same request already created it. Waits while it is
/// being created, unless an operation suffices as a response.
async fn find_existing(
    state: &State,
    name: &str,
    hash: &str,
    answer_early: bool,
) -> Result<Option<Onboarded>, Error> {
    let started = tokio::time::Instant::now();
    loop {
        let Some(row) = state.registry.connection_by_name(name).await? else {
            return Ok(None);
        };
        match row.status {
            ConnectionStatus::Failed if row.current_version == 0 => return Ok(None),
            _ if row.request_hash != hash => {
                return Err(Error::fields(
                    ErrorCode::ConnectionNameTaken,
                    vec![FieldError {
                        field: "connection_name".to_owned(),
                        message: format!(
                            "connection {} has this name and was onboarded with a different \
                             request",
                            row.id
                        ),
                    }],
                ));
            }
            ConnectionStatus::Pending => {
                let open = state
                    .registry
                    .operation_open(row.id, OperationKind::Onboard)
                    .await?;
                if let Some(open) = open.filter(|_| answer_early) {
                    return Ok(Some(Onboarded::InProgress(open.id)));
                }
                if started.elapsed() >= PATIENCE {
                    return Err(Error::refused(
                        ErrorCode::ConnectionBusy,
                        format!("connection {} is still being onboarded", row.id),
                    ));
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            _ => return Ok(Some(Onboarded::Existing(row))),
        }
    }
}

/// Records everything that another process would need; returns whether an earlier onboarding of the
/// same connection failed.
async fn begin(
    state: &State,
    request: &OnboardRequest,
    prepared: &Prepared,
    initial_status: InitialStatus,
    hash: &str,
) -> Result<(Lease, bool), Error> {
    let schedule = request.schedule.clone().unwrap_or_default();
    let mut new = NewConnection {
        id: Uuid::now_v7(),
        name: request.connection_name.clone(),
        source_type: prepared.definition.name.clone(),
        airbyte_instance: state.airbyte.instance().to_owned(),
        workspace_id: prepared.workspace_id,
        destination_id: prepared.destination_id,
        source_id: prepared.shared_source(),
        credential_id: request.credential_id.clone(),
        drift_policy: (request.drift_policy.as_ref())
            .unwrap_or(&state.default_drift_policy)
            .to_stored(),
        schedule: serde_json::to_string(&schedule).unwrap_or_default(),
        request_hash: hash.to_owned(),
    };
    let failed = state.registry.connection_by_name(&new.name).await?;
    if let Some(failed) = &failed {
        new.id = failed.id;
    }
    let stored = Stored::of(request, prepared, initial_status).to_text()?;
    let mut operation =
        NewOperation::started(OperationKind::Onboard, new.id, &stored, &state.owner);
    operation.workspace_id = Some(prepared.workspace_id);
    // Sealed before the operation exists, so that every existing operation can be resumed.
    let secret = request.source_config.as_ref().filter(|map| !map.is_empty());
    if let Some(secret) = secret {
        state.auth_broker.seal(operation.id, secret).await?;
    }
    let started = match failed {
        Some(_) => state.registry.onboarding_resume(&new, operation).await,
        None => state.registry.onboarding_begin(&new, operation).await,
    };
    match started {
        Ok(lease) => Ok((lease, failed.is_some())),
        Err(error) => {
            if secret.is_some() {
                forget(state, operation.id).await;
            }
            Err(error.into())
        }
    }
}

async fn execute(
    state: State,
    request: OnboardRequest,
    prepared: Prepared,
    initial_status: InitialStatus,
    lease: Lease,
    again: bool,
) -> Result<Onboarded, Error> {
    tracing::info!(
        connection.id = %lease.connection_id,
        "onboarding `{}`",
        request.connection_name
    );
    let mut making = Making::begin(&state, &request, &prepared, initial_status, &lease);
    making.again = again;
    operations::execute(&state.registry, &lease, &mut making).await?;
    let row = state.connection(lease.connection_id).await?;
    tracing::info!(connection.id = %row.id, "onboarded `{}`", row.name);
    Ok(Onboarded::New(row))
}

#[async_trait]
impl Operation for Making<'_> {
    type Output = ();

    async fn execute(&mut self, run: StepRunner<'_>) -> Result<(), Error> {
        if self.again {
            // An earlier onboarding of this connection may have left objects that it could not
            // delete.
            self.clear().await?;
        }
        let redactor = self.redactor();
        // On the heap: otherwise each scope around it would copy it.
        let make: BoxFuture<'_, _> = Box::pin(self.make(run));
        let make = http_client::patiently(AIRBYTE_PATIENCE, make);
        redaction::scope(redactor, make).await?;
        if self.is_sealed() {
            forget(self.state, run.lease.operation_id).await;
        }
        Ok(())
    }

    async fn on_error(&self, _run: StepRunner<'_>, _error: &Error) -> OnError {
        OnError::Compensate
    }

    async fn compensate(&mut self, run: StepRunner<'_>, reason: &str) -> Result<(), Error> {
        undo::onboarding(self.state, run.lease, reason, self.uncertain).await?;
        if self.is_sealed() {
            forget(self.state, run.lease.operation_id).await;
        }
        Ok(())
    }
}

/// The auth broker deletes what remains sealed after a day.
async fn forget(state: &State, operation: Uuid) {
    if let Err(error) = state.auth_broker.forget(operation).await {
        tracing::warn!(
            operation.id = %operation,
            error = %error_chain(&error),
            "sealed configuration left to the auth broker's cleanup"
        );
    }
}
