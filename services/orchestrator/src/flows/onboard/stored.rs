//! An onboarding as its operation's row keeps it: whole but for the configuration, which the auth
//! broker keeps sealed.

use contracts::OnboardRequest;
use serde::{Deserialize, Serialize};
use shared::airbyte::types::Definition;
use shared::registry;
use uuid::Uuid;

use super::super::Error;
use super::super::prepare::{self, Prepared};
use crate::state::State;

/// What another process needs to go on with an onboarding.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    request: OnboardRequest,
    /// Whether the auth broker keeps a part of the configuration.
    sealed: bool,
    workspace_id: Uuid,
    destination_id: Uuid,
    definition: Definition,
}

impl Stored {
    pub(super) fn of(request: &OnboardRequest, prepared: &Prepared) -> Self {
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

    /// The request with everything it needs; `None` when the sealed part is gone.
    pub(super) async fn open(
        self,
        state: &State,
        operation: Uuid,
    ) -> Result<Option<(OnboardRequest, Prepared)>, Error> {
        let mut request = self.request;
        if self.sealed {
            let Some(configuration) = state.auth_broker.unseal(operation).await? else {
                return Ok(None);
            };
            request.source_config = Some(configuration);
        }
        let configuration = prepare::configuration(state, &request, &self.definition).await?;
        let prepared = Prepared {
            workspace_id: self.workspace_id,
            destination_id: self.destination_id,
            definition: self.definition,
            configuration,
        };
        Ok(Some((request, prepared)))
    }
}
