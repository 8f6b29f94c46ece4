//! An onboarding in its operation's row: complete except for the configuration, which the auth
//! broker stores sealed.

use std::sync::Arc;

use contracts::OnboardRequest;
use serde::{Deserialize, Serialize};
use shared::airbyte::ActorKind;
use shared::airbyte::types::Definition;
use shared::registry;
use uuid::Uuid;

use super::super::Error;
use super::super::prepare::{self, Prepared, PreparedSource};
use super::InitialStatus;
use crate::state::State;

/// What another process needs to resume an onboarding.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    request: OnboardRequest,
    /// Whether the auth broker stores a part of the configuration.
    sealed: bool,
    workspace_id: Uuid,
    destination_id: Uuid,
    definition: Definition,
    /// The existing source; if absent, one is created.
    #[serde(default)]
    source_id: Option<Uuid>,
    #[serde(default)]
    initial_status: InitialStatus,
}

impl Stored {
    pub(super) fn of(
        request: &OnboardRequest,
        prepared: &Prepared,
        initial_status: InitialStatus,
    ) -> Self {
        let config = &request.source_config;
        Self {
            request: OnboardRequest {
                source_config: None,
                ..request.clone()
            },
            sealed: config.as_ref().is_some_and(|map| !map.is_empty()),
            workspace_id: prepared.workspace_id,
            destination_id: prepared.destination_id,
            definition: prepared.definition.clone(),
            source_id: prepared.shared_source(),
            initial_status,
        }
    }

    pub(super) fn to_text(&self) -> Result<String, Error> {
        serde_json::to_string(self)
            .map_err(|error| registry::Error::Document(error.to_string()).into())
    }

    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text)
            .map_err(|error| registry::Error::Document(error.to_string()).into())
    }

    /// Restores the complete request; `None` if the sealed part is gone.
    pub(super) async fn open(
        self,
        state: &State,
        operation: Uuid,
    ) -> Result<Option<(OnboardRequest, Prepared, InitialStatus)>, Error> {
        let mut request = self.request;
        if self.sealed {
            let Some(configuration) = state.auth_broker.unseal(operation).await? else {
                return Ok(None);
            };
            request.source_config = Some(configuration);
        }
        let (source, redactor) = match self.source_id {
            Some(id) => (PreparedSource::Shared(id), Arc::default()),
            None => {
                let definition = &self.definition;
                let configuration = prepare::configuration(state, &request, definition).await?;
                let response = (state.airbyte)
                    .specification(ActorKind::Source, definition.id, self.workspace_id)
                    .await;
                // If Airbyte does not report which parts are secret, all of them are.
                let specification = response.unwrap_or_default();
                let redactor = prepare::redactor(specification.as_ref(), &configuration);
                (PreparedSource::Own(configuration), redactor)
            }
        };
        let prepared = Prepared {
            workspace_id: self.workspace_id,
            destination_id: self.destination_id,
            definition: self.definition,
            source,
            redactor,
        };
        Ok(Some((request, prepared, self.initial_status)))
    }
}

/// The name of an onboarding's connection, from its operation's row.
pub(crate) fn name_of(request: &str) -> Option<String> {
    let stored = Stored::parse(request).ok()?;
    Some(stored.request.connection_name)
}
