//! Checks, definitions and specifications.

use actix_web::{HttpResponse, web};
use airbyte_protocol::CheckStatus;
use http_server::routes::Routes;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer;
use crate::api::policy::{BEARER, Policy};
use crate::api::{Reply, Shared, body};
use crate::definitions::Definition;
use crate::discovery::SynchronousJob;
use crate::fault::{Fault, stored};
use crate::options::ConnectorKind;
use crate::time::seconds;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .post(
            "/actor_definition_versions/get_for_destination",
            BEARER,
            version_for_destination,
        )
        .post(
            "/actor_definition_versions/get_for_source",
            BEARER,
            version_for_source,
        );
    for kind in [ConnectorKind::Source, ConnectorKind::Destination] {
        let word = kind.as_str();
        routes
            .post(
                &format!("/{word}s/check_connection"),
                BEARER,
                move |e, b| check(kind, e, b),
            )
            .post(
                &format!("/{word}_definitions/list_for_workspace"),
                BEARER,
                move |e, b| list(kind, e, b),
            )
            .post(
                &format!("/{word}_definition_specifications/get"),
                BEARER,
                move |e, b| specification(kind, e, b),
            );
    }
}

/// An actor by either of the two names that requests use.
#[derive(Deserialize)]
pub(super) struct ActorId {
    #[serde(alias = "sourceId", alias = "destinationId")]
    pub(super) id: Uuid,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DefinitionList {
    workspace_id: Uuid,
    #[serde(default, deserialize_with = "crate::notation::nullable")]
    filter_by_used: bool,
}

#[derive(Deserialize)]
struct DefinitionId {
    #[serde(alias = "sourceDefinitionId", alias = "destinationDefinitionId")]
    id: Uuid,
    #[serde(rename = "workspaceId")]
    workspace_id: Uuid,
}

/// `SynchronousJobRead`.
pub(super) fn job_info(job: &SynchronousJob) -> Value {
    let mut info = json!({
        "id": job.id,
        "configType": job.config_type,
        "configId": job.config_id.map_or("NoConfiguration".to_owned(), |id| id.to_string()),
        "createdAt": seconds(job.created_at),
        "endedAt": seconds(job.ended_at),
        "succeeded": job.failure.is_none(),
        "connectorConfigurationUpdated": job.configuration_updated,
        "logType": "formatted",
        "logs": {"logLines": job.log},
    });
    if let Some(failure) = &job.failure {
        info["failureReason"] = json!(failure);
    }
    info
}

async fn check(kind: ConnectorKind, engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, move |engine| async move {
        let asked: ActorId = body(&bytes)?;
        let checked = engine.check(kind, asked.id).await?;
        let mut read = json!({"jobInfo": job_info(&checked.job)});
        if let Some(verdict) = checked.verdict {
            read["status"] = json!(match verdict.status {
                CheckStatus::Succeeded => "succeeded",
                CheckStatus::Failed => "failed",
            });
            if let Some(message) = verdict.message {
                read["message"] = json!(message);
            }
        }
        Ok(Reply::json(&read))
    })
    .await
}

pub(super) fn definition_view(kind: ConnectorKind, definition: &Definition) -> Value {
    let mut view = json!({
        "name": definition.name,
        "dockerRepository": definition.docker_repository,
        "dockerImageTag": definition.version,
        "documentationUrl": definition.documentation_url(),
        "protocolVersion": "0.2.0",
        "custom": definition.custom.is_some(),
        "enterprise": false,
        "supportLevel": "community",
        "releaseStage": if definition.custom.is_some() {
            "custom"
        } else {
            "generally_available"
        },
    });
    view[match kind {
        ConnectorKind::Source => "sourceDefinitionId",
        ConnectorKind::Destination => "destinationDefinitionId",
    }] = json!(definition.id);
    view
}

async fn list(kind: ConnectorKind, engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, move |engine| async move {
        let asked: DefinitionList = body(&bytes)?;
        engine.workspace(asked.workspace_id).await?;
        let used = match asked.filter_by_used {
            true => Some(engine.definitions_used(kind, asked.workspace_id).await?),
            false => None,
        };
        let definitions: Vec<Value> = engine
            .definitions
            .list(kind)
            .iter()
            .filter(|definition| definition.usable_in(asked.workspace_id))
            .filter(|definition| {
                used.as_ref()
                    .is_none_or(|used| used.contains(&definition.id))
            })
            .map(|definition| definition_view(kind, definition))
            .collect();
        let member = format!("{}Definitions", kind.as_str());
        Ok(Reply::json(&json!({ member: definitions })))
    })
    .await
}

async fn specification(kind: ConnectorKind, engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, move |engine| async move {
        let asked: DefinitionId = body(&bytes)?;
        engine.workspace(asked.workspace_id).await?;
        let definition = engine.definition_of(kind, asked.workspace_id, asked.id)?;
        let spec = engine.spec(&definition).await?;
        let documentation = spec.message.documentation_url.as_deref();
        let mut read = json!({
            "documentationUrl": documentation.unwrap_or(definition.documentation_url()),
            "connectionSpecification": spec.schema,
            "advancedAuthGlobalCredentialsAvailable": false,
            "jobInfo": job_info(&SynchronousJob::remembered("get_spec")),
        });
        match kind {
            ConnectorKind::Source => read["sourceDefinitionId"] = json!(definition.id),
            ConnectorKind::Destination => {
                read["destinationDefinitionId"] = json!(definition.id);
                let modes = spec.destination_modes(definition.supports_refreshes);
                read["supportedDestinationSyncModes"] = json!(modes);
            }
        }
        if let Some(auth) = &spec.message.advanced_auth {
            read["advancedAuth"] = advanced_auth(&stored("specification", auth.get())?);
        }
        Ok(Reply::json(&read))
    })
    .await
}

/// The protocol's `advanced_auth` under the Config API's names.
fn advanced_auth(auth: &Value) -> Value {
    let config = &auth["oauth_config_specification"];
    let mut names = serde_json::Map::new();
    for (theirs, ours) in [
        (
            "oauth_user_input_from_connector_config_specification",
            "oauthUserInputFromConnectorConfigSpecification",
        ),
        (
            "complete_oauth_output_specification",
            "completeOAuthOutputSpecification",
        ),
        (
            "complete_oauth_server_input_specification",
            "completeOAuthServerInputSpecification",
        ),
        (
            "complete_oauth_server_output_specification",
            "completeOAuthServerOutputSpecification",
        ),
    ] {
        if let Some(value) = config.get(theirs).filter(|value| !value.is_null()) {
            names.insert(ours.to_owned(), value.clone());
        }
    }
    let mut read = json!({"oauthConfigSpecification": names});
    for (theirs, ours) in [
        ("auth_flow_type", "authFlowType"),
        ("predicate_key", "predicateKey"),
        ("predicate_value", "predicateValue"),
    ] {
        if let Some(value) = auth.get(theirs).filter(|value| !value.is_null()) {
            read[ours] = value.clone();
        }
    }
    read
}

/// `ActorDefinitionVersionRead`.
pub(super) fn version_view(definition: &Definition) -> Value {
    json!({
        "dockerRepository": definition.docker_repository,
        "dockerImageTag": definition.version,
        "supportsRefreshes": definition.supports_refreshes,
        "isVersionOverrideApplied": false,
        "supportLevel": "community",
        "supportState": "supported",
        "supportsFileTransfer": false,
        "supportsDataActivation": false,
    })
}

async fn version_for_destination(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    version(ConnectorKind::Destination, engine, bytes).await
}

async fn version_for_source(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    version(ConnectorKind::Source, engine, bytes).await
}

async fn version(kind: ConnectorKind, engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, move |engine| async move {
        let asked: ActorId = body(&bytes)?;
        let row = engine.actor(kind, asked.id).await?;
        let definition = engine.definitions.get(kind, row.definition_id)?;
        Ok::<_, Fault>(Reply::json(&version_view(&definition)))
    })
    .await
}
