//! Calls about sources and destinations, which Airbyte calls actors. Both have the same paths.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::Repeat;
use super::types::{Actor, CheckAnswer, Definition, Page, SpecificationAnswer};
use super::{Airbyte, CONNECTOR_TIMEOUT, Error, ErrorKind};
use http_client::DEFAULT_TIMEOUT;

/// Whether an actor is a source or a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActorKind {
    /// Data is read from it.
    Source,
    /// Data is written to it.
    Destination,
}

impl ActorKind {
    /// The spelling in Airbyte and in the registry.
    pub fn as_str(self) -> &'static str {
        self.either("source", "destination")
    }

    /// The last segment of its paths in both APIs.
    fn plural(self) -> &'static str {
        self.either("sources", "destinations")
    }

    fn path(self, id: Uuid) -> String {
        format!("/{}/{id}", self.plural())
    }

    /// Selects the value for this kind.
    pub fn either<T>(self, source: T, destination: T) -> T {
        match self {
            Self::Source => source,
            Self::Destination => destination,
        }
    }
}

impl Airbyte {
    /// Lists the actors of a workspace, or of all workspaces.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn actor_list(
        &self,
        kind: ActorKind,
        workspace: Option<Uuid>,
    ) -> Result<Vec<Actor>, Error> {
        let query: Vec<_> = workspace
            .map(|id| ("workspaceIds", id.to_string()))
            .into_iter()
            .collect();
        let call = kind.either("listing sources", "listing destinations");
        self.all_pages(call, &format!("/{}", kind.plural()), &query)
            .await
    }

    /// Returns an actor that was not deleted. For a deleted actor Airbyte still returns an entry
    /// with an empty configuration; only its lists omit it.
    ///
    /// # Errors
    /// Returns an error if the call fails; `NotFound` if the actor does not exist.
    pub async fn actor_get(&self, kind: ActorKind, id: Uuid) -> Result<Actor, Error> {
        let call = kind.either("reading a source", "reading a destination");
        let found: Actor = self.get(call, &kind.path(id), &[], DEFAULT_TIMEOUT).await?;
        let is_empty = found
            .configuration
            .as_object()
            .is_none_or(serde_json::Map::is_empty);
        if !is_empty {
            return Ok(found);
        }
        let listed = self.actor_list(kind, Some(found.workspace_id)).await?;
        if listed.iter().any(|actor| actor.id == id) {
            return Ok(found);
        }
        Err(Error {
            call,
            kind: ErrorKind::NotFound {
                message: format!("{} {id} was deleted", kind.as_str()),
            },
        })
    }

    /// Creates an actor. Not idempotent: names are not unique.
    ///
    /// # Errors
    /// Returns an error if the call fails. After an ambiguous error the object may exist anyway.
    pub async fn actor_create(
        &self,
        kind: ActorKind,
        name: &str,
        workspace: Uuid,
        definition: Uuid,
        configuration: &Value,
    ) -> Result<Actor, Error> {
        let body = json!({
            "name": name,
            "workspaceId": workspace,
            "definitionId": definition,
            "configuration": configuration,
        });
        let call = kind.either("making the source", "making the destination");
        let path = format!("/{}", kind.plural());
        self.write(call, Method::POST, &path, &body, DEFAULT_TIMEOUT * 2)
            .await
    }

    /// Replaces an actor's name and configuration; repeating the call has no further effect.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn actor_replace(
        &self,
        kind: ActorKind,
        id: Uuid,
        name: &str,
        configuration: &Value,
    ) -> Result<Actor, Error> {
        let body = json!({"name": name, "configuration": configuration});
        let call = kind.either(
            "replacing the source's configuration",
            "replacing the destination's configuration",
        );
        self.write(
            call,
            Method::PUT,
            &kind.path(id),
            &body,
            DEFAULT_TIMEOUT * 2,
        )
        .await
    }

    /// Deletes an actor and every connection that uses it. Succeeds if the actor is already gone.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn actor_delete(&self, kind: ActorKind, id: Uuid) -> Result<(), Error> {
        let call = kind.either("removing the source", "removing the destination");
        self.delete(call, &kind.path(id)).await
    }

    /// Checks whether an actor's configuration works.
    ///
    /// # Errors
    /// Returns `ErrorKind::Connector` with the connector's message if the check fails.
    pub async fn actor_check(&self, kind: ActorKind, id: Uuid) -> Result<(), Error> {
        let call = kind.either("checking the source", "checking the destination");
        let path = format!("/{}/check_connection", kind.plural());
        let body = json!({ format!("{}Id", kind.as_str()): id });
        let answer: CheckAnswer = self
            .config(call, &path, &body, CONNECTOR_TIMEOUT, Repeat::Safe)
            .await?;
        if answer.status.as_deref() == Some("succeeded") {
            return Ok(());
        }
        let message = answer
            .message
            .or_else(|| {
                answer
                    .job_info?
                    .failure_reason
                    .map(|reason| reason.to_sentence())
            })
            .unwrap_or_else(|| "the check crashed without a reason".to_owned());
        let message = redaction::clean(message);
        Err(Error {
            call,
            kind: ErrorKind::Connector {
                message,
                transient: false,
            },
        })
    }

    /// Lists the connectors of that kind in a workspace.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn definition_list(
        &self,
        kind: ActorKind,
        workspace: Uuid,
    ) -> Result<Vec<Definition>, Error> {
        let call = kind.either(
            "listing source definitions",
            "listing destination definitions",
        );
        let path = format!("/workspaces/{workspace}/definitions/{}", kind.plural());
        let page: Page<Definition> = self.get(call, &path, &[], DEFAULT_TIMEOUT).await?;
        Ok(page.data)
    }

    /// Lists the declarative sources of a workspace, which the list of source connectors omits.
    /// Empty if this Airbyte does not offer the call.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn declarative_source_list(&self, workspace: Uuid) -> Result<Vec<Definition>, Error> {
        let path = format!("/workspaces/{workspace}/definitions/declarative_sources");
        let listed: Result<Page<Definition>, Error> = self
            .get("listing declarative sources", &path, &[], DEFAULT_TIMEOUT)
            .await;
        match listed {
            Ok(page) => Ok(page.data),
            Err(error)
                if matches!(
                    error.kind,
                    ErrorKind::NotFound { .. } | ErrorKind::Forbidden { .. }
                ) =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the JSON schema of a connector's configuration.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn specification(
        &self,
        kind: ActorKind,
        definition: Uuid,
        workspace: Uuid,
    ) -> Result<Option<Value>, Error> {
        let call = kind.either(
            "reading the source connector's specification",
            "reading the destination connector's specification",
        );
        let path = format!("/{}_definition_specifications/get", kind.as_str());
        let body = json!({
            format!("{}DefinitionId", kind.as_str()): definition,
            "workspaceId": workspace,
        });
        let answer: SpecificationAnswer = self
            .config(call, &path, &body, CONNECTOR_TIMEOUT, Repeat::Safe)
            .await?;
        Ok(answer.connection_specification)
    }
}
