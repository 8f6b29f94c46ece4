//! Collects everything that an onboarding needs before its first effect: workspace, destination,
//! definition and configuration. A rejection here leaves no trace.

use std::sync::Arc;

use contracts::{ErrorCode, FieldError, OnboardRequest};
use redaction::Redactor;
use serde_json::{Map, Value};
use service_kit::service_client;
use shared::airbyte::ActorKind;
use shared::airbyte::types::{Actor, Definition};
use uuid::Uuid;

use super::Error;
use crate::domain::source_types;
use crate::state::State;

/// What is known before the first effect.
pub(crate) struct Prepared {
    pub(crate) workspace_id: Uuid,
    pub(crate) destination_id: Uuid,
    pub(crate) definition: Definition,
    pub(crate) source: PreparedSource,
    /// Removes the configuration's secrets from error messages.
    pub(crate) redactor: Arc<Redactor>,
}

/// The origin of a connection's source.
pub(crate) enum PreparedSource {
    /// Created for this connection only, with this configuration. Contains secrets: never logged,
    /// never stored.
    Own(Value),
    /// Exists, and others may use it too.
    Shared(Uuid),
}

impl Prepared {
    /// The existing source, if there is one.
    pub(crate) fn shared_source(&self) -> Option<Uuid> {
        match self.source {
            PreparedSource::Own(_) => None,
            PreparedSource::Shared(id) => Some(id),
        }
    }
}

pub(crate) async fn prepare(state: &State, request: &OnboardRequest) -> Result<Prepared, Error> {
    let destination_id = request.destination_id.or(state.default_destination);
    let workspace_id = workspace(state, request, destination_id).await?;
    let destination_id = destination(state, destination_id, workspace_id).await?;
    let definition = definition(state, workspace_id, &request.source_type).await?;
    let configuration = configuration(state, request, &definition).await?;
    let specification = state
        .airbyte
        .specification(ActorKind::Source, definition.id, workspace_id)
        .await?;
    if let Some(specification) = &specification {
        validate(specification, &configuration)?;
    }
    let redactor = redactor(specification.as_ref(), &configuration);
    Ok(Prepared {
        workspace_id,
        destination_id,
        definition,
        source: PreparedSource::Own(configuration),
        redactor,
    })
}

/// A redactor for the secrets of a configuration; without a specification, everything in it is
/// secret.
pub(crate) fn redactor(specification: Option<&Value>, configuration: &Value) -> Arc<Redactor> {
    let redactor = Redactor::default();
    match specification {
        Some(specification) => redactor.learn(specification, configuration),
        None => redactor.learn_all(configuration),
    }
    Arc::new(redactor)
}

/// Prepares an existing source and a destination of its workspace.
pub(crate) async fn prepare_shared(
    state: &State,
    source: Actor,
    destination_id: Uuid,
) -> Result<Prepared, Error> {
    let workspace_id = source.workspace_id;
    let named = match source.definition_id {
        Some(id) => id.to_string(),
        None => source.connector.unwrap_or_default(),
    };
    Ok(Prepared {
        workspace_id,
        destination_id,
        definition: definition(state, workspace_id, &named).await?,
        source: PreparedSource::Shared(source.id),
        redactor: Arc::default(),
    })
}

async fn definition(
    state: &State,
    workspace: Uuid,
    source_type: &str,
) -> Result<Definition, Error> {
    let airbyte = &state.airbyte;
    let mut definitions = airbyte
        .definition_list(ActorKind::Source, workspace)
        .await?;
    if source_types::find(&definitions, source_type).is_err() {
        definitions.extend(airbyte.declarative_source_list(workspace).await?);
    }
    source_types::find(&definitions, source_type)
        .cloned()
        .map_err(|nearest| unknown_type(source_type, &nearest))
}

fn unknown_type(source_type: &str, nearest: &[String]) -> Error {
    let nearest = nearest.join(", ");
    let message = format!(
        "Source definition not found: this Airbyte has no source type `{source_type}`; similar \
         ones are {nearest}"
    );
    Error::fields(
        ErrorCode::SourceTypeUnknown,
        vec![FieldError {
            field: "source_type".to_owned(),
            message,
        }],
    )
}

async fn workspace(
    state: &State,
    request: &OnboardRequest,
    destination: Option<Uuid>,
) -> Result<Uuid, Error> {
    if let Some(id) = request.workspace_id.or(state.default_workspace) {
        return Ok(id);
    }
    if let Some(destination) = destination {
        let response = (state.airbyte).actor_get(ActorKind::Destination, destination);
        return match response.await {
            Ok(found) => Ok(found.workspace_id),
            Err(error) if error.is_not_found() => Err(no_destination(destination)),
            Err(error) => Err(error.into()),
        };
    }
    let all = state.airbyte.workspace_list().await?;
    match all.as_slice() {
        [only] => Ok(only.workspace_id),
        [] => Err(ambiguous(
            "workspace_id",
            "Airbyte has no workspace: create one first",
        )),
        several => {
            let list: Vec<_> = several
                .iter()
                .map(|w| format!("{} ({})", w.workspace_id, w.name))
                .collect();
            Err(ambiguous(
                "workspace_id",
                &format!(
                    "several exist, name one (or set AIRBYTE_WORKSPACE_ID): {}",
                    list.join(", ")
                ),
            ))
        }
    }
}

async fn destination(
    state: &State,
    destination: Option<Uuid>,
    workspace: Uuid,
) -> Result<Uuid, Error> {
    if let Some(id) = destination {
        return match state.airbyte.actor_get(ActorKind::Destination, id).await {
            Ok(found) if found.workspace_id == workspace => Ok(id),
            Ok(_) => Err(ambiguous("destination_id", "is in another workspace")),
            Err(error) if error.is_not_found() => Err(no_destination(id)),
            Err(error) => Err(error.into()),
        };
    }
    let all = (state.airbyte)
        .actor_list(ActorKind::Destination, Some(workspace))
        .await?;
    match all.as_slice() {
        [only] => Ok(only.id),
        [] => Err(ambiguous(
            "destination_id",
            "the workspace has no destination: create one in Airbyte first",
        )),
        several => {
            let list: Vec<_> = several
                .iter()
                .map(|d| format!("{} ({})", d.id, d.name))
                .collect();
            Err(ambiguous(
                "destination_id",
                &format!(
                    "several exist, name one (or set AIRBYTE_DESTINATION_ID): {}",
                    list.join(", ")
                ),
            ))
        }
    }
}

fn no_destination(id: Uuid) -> Error {
    Error::fields(
        ErrorCode::Invalid,
        vec![FieldError {
            field: "destination_id".to_owned(),
            message: format!("Airbyte has no destination {id}"),
        }],
    )
}

fn ambiguous(field: &str, message: &str) -> Error {
    Error::fields(
        ErrorCode::AmbiguousTarget,
        vec![FieldError {
            field: field.to_owned(),
            message: message.to_owned(),
        }],
    )
}

/// Merges the credential's part and the caller's; the caller may not override the credential's.
pub(crate) async fn configuration(
    state: &State,
    request: &OnboardRequest,
    definition: &Definition,
) -> Result<Value, Error> {
    let mut configuration: Map<String, Value> = match &request.credential_id {
        None => Map::new(),
        Some(id) => match state
            .auth_broker
            .fragment(definition.short_name(), id)
            .await
        {
            Ok(values) => values.configuration,
            Err(service_client::Error::Problem { problem, .. })
                if problem.code == ErrorCode::CredentialUnknown =>
            {
                return Err(Error::fields(
                    ErrorCode::CredentialNotFound,
                    vec![FieldError {
                        field: "credential_id".to_owned(),
                        message: problem.detail,
                    }],
                ));
            }
            Err(error) => return Err(error.into()),
        },
    };
    let mut faults = Vec::new();
    for (name, value) in request.source_config.iter().flatten() {
        if configuration.contains_key(name) {
            faults.push(FieldError {
                field: format!("source_config.{name}"),
                message: "is set by the credential and cannot be overridden".to_owned(),
            });
        } else {
            configuration.insert(name.clone(), value.clone());
        }
    }
    if faults.is_empty() {
        Ok(Value::Object(configuration))
    } else {
        Err(Error::fields(ErrorCode::Invalid, faults))
    }
}

fn validate(specification: &Value, configuration: &Value) -> Result<(), Error> {
    let validator = match jsonschema::validator_for(specification) {
        Ok(validator) => validator,
        Err(error) => {
            // Some connectors publish schemas that validators reject; Airbyte decides then.
            tracing::warn!(
                error = %error.masked(),
                "the connector's specification is not a usable JSON schema"
            );
            return Ok(());
        }
    };
    let faults: Vec<FieldError> = validator
        .iter_errors(configuration)
        .map(|error| {
            let path: String = error.instance_path().to_string().replace('/', ".");
            FieldError {
                field: format!("source_config{path}"),
                // The masked form names the rule without repeating a value that may be secret.
                message: error.masked_with("the value").to_string(),
            }
        })
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Error::fields(ErrorCode::SourceConfigInvalid, faults))
    }
}
