//! Onboarding: source → check → discover → connection → version 1 → ACTIVE, each step's intent
//! written before its effect, and everything undone when one fails.

use std::collections::HashMap;
use std::time::Duration;

use catalog::SyncCatalog;
use contracts::{ErrorCode, FieldError, NamespaceDefinition, OnboardRequest};
use shared::airbyte::types::destination_modes;
use shared::airbyte::{self, ErrorKind};
use shared::registry::connections::NewConnection;
use shared::registry::entities::connection;
use shared::registry::keeper::LeaseKeeper;
use shared::registry::operations::Lease;
use shared::registry::status::{ConnectionStatus, StepStatus};
use shared::registry::versions::{NewVersion, Origin};
use shared::registry::{self, Conflict};
use uuid::Uuid;

use super::prepare::{self, Prepared};
use super::{Error, settle, undo};
use crate::domain::conflicts::Naming;
use crate::domain::{mark, request};
use crate::state::State;

/// How long a request waits for the same onboarding under way elsewhere.
const PATIENCE: Duration = Duration::from_secs(60);

/// The steps, in order, as the registry names them.
pub(crate) mod step {
    pub(crate) const SOURCE: &str = "create_source";
    pub(crate) const CHECK: &str = "check_source";
    pub(crate) const DISCOVER: &str = "discover_schema";
    pub(crate) const CONNECTION: &str = "create_connection";
}

/// What an onboarding came to.
pub(crate) enum Onboarded {
    /// It was made now.
    New(connection::Model),
    /// The same request made it before.
    Existing(connection::Model),
}

pub(crate) async fn run(state: State, request: OnboardRequest) -> Result<Onboarded, Error> {
    let faults = request::faults(&request);
    if !faults.is_empty() {
        return Err(Error::fields(ErrorCode::Invalid, faults));
    }
    let hash = request::fingerprint(&request, &state.fingerprint_key);
    if let Some(existing) = known(&state, &request.connection_name, &hash).await? {
        return Ok(Onboarded::Existing(existing));
    }
    let prepared = prepare::prepare(&state, &request).await?;
    loop {
        // Looked up again: another request may have been first meanwhile.
        if let Some(existing) = known(&state, &request.connection_name, &hash).await? {
            return Ok(Onboarded::Existing(existing));
        }
        match begin(&state, &request, &prepared, &hash).await {
            Ok(lease) => return perform(state, request, prepared, lease).await,
            Err(Error::Registry(registry::Error::Conflict(
                Conflict::Name | Conflict::OperationInProgress,
            ))) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The connection of that name, if the same request already made it. Waits while it is being made.
async fn known(state: &State, name: &str, hash: &str) -> Result<Option<connection::Model>, Error> {
    let begun = tokio::time::Instant::now();
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
                            "connection {} has this name and was onboarded with another request",
                            row.id
                        ),
                    }],
                ));
            }
            ConnectionStatus::Pending if begun.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            ConnectionStatus::Pending => {
                return Err(Error::refused(
                    ErrorCode::ConnectionBusy,
                    format!("connection {} is still being onboarded", row.id),
                ));
            }
            _ => return Ok(Some(row)),
        }
    }
}

async fn begin(
    state: &State,
    request: &OnboardRequest,
    prepared: &Prepared,
    hash: &str,
) -> Result<Lease, Error> {
    let schedule = request.schedule.clone().unwrap_or_default();
    let mut new = NewConnection {
        id: Uuid::now_v7(),
        name: request.connection_name.clone(),
        source_type: prepared.definition.name.clone(),
        airbyte_instance: state.airbyte.instance().to_owned(),
        workspace_id: prepared.workspace_id,
        destination_id: prepared.destination_id,
        credential_id: request.credential_id.clone(),
        drift_policy: (request.drift_policy.as_ref())
            .unwrap_or(&state.default_drift_policy)
            .to_stored(),
        schedule: serde_json::to_string(&schedule).unwrap_or_default(),
        request_hash: hash.to_owned(),
    };
    match state.registry.connection_by_name(&new.name).await? {
        Some(failed) => {
            new.id = failed.id;
            Ok(state.registry.onboarding_resume(&new, &state.owner).await?)
        }
        None => Ok(state.registry.onboarding_begin(&new, &state.owner).await?),
    }
}

async fn perform(
    state: State,
    request: OnboardRequest,
    prepared: Prepared,
    lease: Lease,
) -> Result<Onboarded, Error> {
    tracing::info!(connection.id = %lease.connection_id, "onboarding `{}`", request.connection_name);
    let keeper = LeaseKeeper::start(state.registry.clone(), lease.clone());
    let made = make(&state, &request, &prepared, &lease).await;
    let error = match made {
        Ok(()) => {
            drop(keeper);
            let row = state.connection(lease.connection_id).await?;
            tracing::info!(connection.id = %row.id, "onboarded `{}`", row.name);
            return Ok(Onboarded::New(row));
        }
        Err(error) => error,
    };
    tracing::warn!(connection.id = %lease.connection_id, %error, "onboarding failed; undoing it");
    let reason = shared::http::problem::chain(&error);
    if let Err(undo_error) = undo::onboarding(&state, &lease, &reason).await {
        // The lease runs out, and the worker goes on undoing until Airbyte answers.
        tracing::warn!(
            connection.id = %lease.connection_id,
            error = %shared::http::problem::chain(&undo_error),
            "undoing the onboarding is left to the worker"
        );
    }
    Err(error)
}

async fn make(
    state: &State,
    request: &OnboardRequest,
    prepared: &Prepared,
    lease: &Lease,
) -> Result<(), Error> {
    let mark = mark::of(state.installation, lease.connection_id);
    // A resumed onboarding may find what an earlier one could not remove.
    undo::remove_marked(state, prepared.workspace_id, &mark).await?;

    let source_id = create_source(state, request, prepared, lease, &mark).await?;
    state
        .registry
        .connection_set_source(lease, source_id)
        .await?;

    state
        .registry
        .step_intend(lease, step::CHECK, &source_id.to_string())
        .await?;
    state
        .airbyte
        .source_check(source_id)
        .await
        .map_err(|error| match error.kind {
            ErrorKind::Connector { ref said, .. } => {
                Error::refused(ErrorCode::SourceCheckFailed, said.clone())
            }
            _ => error.into(),
        })?;
    state
        .registry
        .step_end(lease, step::CHECK, StepStatus::Done, None, None)
        .await?;

    state
        .registry
        .step_intend(lease, step::DISCOVER, &source_id.to_string())
        .await?;
    let (catalog, catalog_id) = discover(state, request, prepared, source_id).await?;
    state
        .registry
        .step_end(lease, step::DISCOVER, StepStatus::Done, None, None)
        .await?;

    refuse_conflicts(state, request, prepared, &catalog).await?;

    let connection_id =
        create_connection(state, request, prepared, lease, source_id, &catalog).await?;
    let made = state.airbyte.connection_read(connection_id).await?;
    let document = catalog.to_document();
    let version = NewVersion {
        origin: Origin::Onboarding,
        fingerprint: &catalog.fingerprint(),
        document: &document,
    };
    let accepted = made.source_catalog_id.or(catalog_id);
    state
        .registry
        .onboarding_succeed(lease, source_id, connection_id, accepted, &version)
        .await?;
    Ok(())
}

async fn create_source(
    state: &State,
    request: &OnboardRequest,
    prepared: &Prepared,
    lease: &Lease,
    mark: &str,
) -> Result<Uuid, Error> {
    let name = format!("{}{mark}", request.connection_name);
    state
        .registry
        .step_intend(lease, step::SOURCE, &name)
        .await?;
    let created = state
        .airbyte
        .source_create(
            &name,
            prepared.workspace_id,
            prepared.definition.id,
            &prepared.configuration,
        )
        .await;
    let source_id = match created {
        Ok(source) => source.source_id,
        Err(error) if error.is_ambiguous() => {
            // It may have been made all the same: then it is ours, by its mark.
            let ours = settle::look_for(|| async {
                let sources = state.airbyte.source_list(prepared.workspace_id).await?;
                Ok(sources
                    .into_iter()
                    .find(|source| source.name.ends_with(mark)))
            });
            ours.await?.ok_or(error)?.source_id
        }
        Err(airbyte::Error {
            kind: ErrorKind::Rejected {
                status: 422, said, ..
            },
            ..
        }) => {
            return Err(Error::fields(
                ErrorCode::SourceConfigInvalid,
                vec![FieldError {
                    field: "source_config".to_owned(),
                    message: said,
                }],
            ));
        }
        Err(error) => return Err(error.into()),
    };
    let reference = source_id.to_string();
    state
        .registry
        .step_end(
            lease,
            step::SOURCE,
            StepStatus::Done,
            Some(&reference),
            None,
        )
        .await?;
    Ok(source_id)
}

async fn discover(
    state: &State,
    request: &OnboardRequest,
    prepared: &Prepared,
    source_id: Uuid,
) -> Result<(SyncCatalog, Option<Uuid>), Error> {
    let discovered = state
        .airbyte
        .discover(source_id)
        .await
        .map_err(|error| match error.kind {
            ErrorKind::Connector { ref said, .. } => {
                Error::refused(ErrorCode::DiscoverFailed, said.clone())
            }
            _ => error.into(),
        })?;
    let catalog = SyncCatalog::parse(&discovered.catalog).map_err(Error::Catalog)?;
    if catalog.streams.is_empty() {
        return Err(Error::refused(
            ErrorCode::DiscoverFailed,
            "the source has no streams to sync: check what its configuration points at",
        ));
    }
    let streams = state
        .airbyte
        .stream_list(source_id, prepared.destination_id)
        .await?;
    let modes = destination_modes(&streams);
    let selected = catalog::select::select(&catalog, request.streams.as_deref(), &modes).map_err(
        |faults| {
            let fields = faults
                .0
                .into_iter()
                .map(|fault| FieldError {
                    field: fault.path,
                    message: fault.message,
                })
                .collect();
            Error::fields(ErrorCode::Invalid, fields)
        },
    )?;
    Ok((selected, discovered.catalog_id))
}

fn naming(request: &OnboardRequest) -> Naming {
    Naming {
        definition: request.namespace_definition.unwrap_or_default(),
        format: request.namespace_format.clone(),
        prefix: request.prefix.clone().unwrap_or_default(),
    }
}

/// Airbyte lets two connections write one table unless a flag is set; AAM does not.
async fn refuse_conflicts(
    state: &State,
    request: &OnboardRequest,
    prepared: &Prepared,
    catalog: &SyncCatalog,
) -> Result<(), Error> {
    let mine = naming(request).targets(catalog);
    let others = state.airbyte.connection_list(prepared.workspace_id).await?;
    let mut taken: HashMap<_, _> = HashMap::new();
    for other in others.iter().filter(|other| {
        other.destination_id == prepared.destination_id && other.status != "deprecated"
    }) {
        let naming = Naming {
            definition: match other.namespace_definition.as_deref() {
                Some("source") => NamespaceDefinition::Source,
                Some("custom_format") => NamespaceDefinition::CustomFormat,
                _ => NamespaceDefinition::Destination,
            },
            format: other.namespace_format.clone(),
            prefix: other.prefix.clone().unwrap_or_default(),
        };
        for stream in &other.configurations.streams {
            taken.insert(
                naming.target(&stream.name, stream.namespace.as_deref()),
                &other.name,
            );
        }
    }
    let mut conflicts: Vec<String> = mine
        .iter()
        .filter_map(|target| {
            let other = taken.get(target)?;
            Some(format!("`{}` (by connection `{other}`)", target.1))
        })
        .collect();
    if conflicts.is_empty() {
        return Ok(());
    }
    conflicts.sort();
    Err(stream_conflict(&conflicts.join(", ")))
}

fn stream_conflict(which: &str) -> Error {
    Error::refused(
        ErrorCode::DestinationStreamConflict,
        format!(
            "the destination's tables are already written: {which}; give this connection a `prefix` of its own, or leave those streams out"
        ),
    )
}

async fn create_connection(
    state: &State,
    request: &OnboardRequest,
    prepared: &Prepared,
    lease: &Lease,
    source_id: Uuid,
    catalog: &SyncCatalog,
) -> Result<Uuid, Error> {
    let naming = naming(request);
    let new = airbyte::NewConnection {
        name: request.connection_name.clone(),
        source_id,
        destination_id: prepared.destination_id,
        configurations: airbyte::Configurations {
            streams: catalog.to_public_streams(),
        },
        namespace_definition: naming.definition.as_str().to_owned(),
        namespace_format: naming.format,
        prefix: Some(naming.prefix).filter(|prefix| !prefix.is_empty()),
    };
    state
        .registry
        .step_intend(lease, step::CONNECTION, &source_id.to_string())
        .await?;
    let created = state.airbyte.connection_create(&new).await;
    let connection_id = match created {
        Ok(connection) => connection.connection_id,
        Err(error) if error.is_ambiguous() => {
            // A connection is found by its source, which is ours alone.
            let ours = settle::look_for(|| async {
                let all = state.airbyte.connection_list(prepared.workspace_id).await?;
                Ok(all
                    .into_iter()
                    .find(|connection| connection.source_id == source_id))
            });
            ours.await?.ok_or(error)?.connection_id
        }
        Err(airbyte::Error {
            kind: ErrorKind::Rejected { problem, said, .. },
            ..
        }) if problem == "connection-conflicting-destination-stream" => {
            return Err(stream_conflict(&said));
        }
        Err(error) => return Err(error.into()),
    };
    let reference = connection_id.to_string();
    state
        .registry
        .step_end(
            lease,
            step::CONNECTION,
            StepStatus::Done,
            Some(&reference),
            None,
        )
        .await?;
    Ok(connection_id)
}
