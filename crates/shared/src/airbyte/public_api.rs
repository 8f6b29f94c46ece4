//! Calls of the public API.

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use uuid::Uuid;

use super::types::{Connection, Job, Page, StreamProperties, Workspace};
use super::{Airbyte, CONNECTOR_TIMEOUT, Error};
use http_client::DEFAULT_TIMEOUT;

const PAGE: usize = 100;

/// A connection to create.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewConnection {
    /// Its name.
    pub name: String,
    /// `active` or `inactive`.
    pub status: &'static str,
    /// Its source.
    pub source_id: Uuid,
    /// Its destination.
    pub destination_id: Uuid,
    /// Its streams.
    pub configurations: Configurations,
    /// `source`, `destination` or `custom_format`; always sent, since the two APIs have different
    /// defaults.
    pub namespace_definition: String,
    /// Required with `custom_format`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_format: Option<String>,
    /// Prefix of every table's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

/// The streams of a connection to create.
#[derive(Debug, Clone, Serialize)]
pub struct Configurations {
    /// Selected streams with their modes.
    pub streams: Vec<catalog::PublicStream>,
}

impl Airbyte {
    /// Lists all workspaces.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn workspace_list(&self) -> Result<Vec<Workspace>, Error> {
        self.all_pages("listing workspaces", "/workspaces", &[])
            .await
    }

    /// Returns the streams of a source with the modes that both it and the destination support.
    ///
    /// # Errors
    /// Returns an error if the call, or the discovery that it includes, fails.
    pub async fn stream_list(
        &self,
        source: Uuid,
        destination: Uuid,
    ) -> Result<Vec<StreamProperties>, Error> {
        let query = [
            ("sourceId", source.to_string()),
            ("destinationId", destination.to_string()),
        ];
        self.get("listing streams", "/streams", &query, CONNECTOR_TIMEOUT)
            .await
    }

    /// Lists the connections of a workspace.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn connection_list(&self, workspace: Uuid) -> Result<Vec<Connection>, Error> {
        let query = [("workspaceIds", workspace.to_string())];
        self.all_pages("listing connections", "/connections", &query)
            .await
    }

    /// Creates a connection. Not idempotent, and may include a discovery.
    ///
    /// # Errors
    /// Returns an error if the call fails. After an ambiguous error the object may exist anyway.
    pub async fn connection_create(&self, new: &NewConnection) -> Result<Connection, Error> {
        let mut body = serde_json::to_value(new).map_err(|error| Error {
            call: "making the connection",
            kind: super::ErrorKind::NotAirbyte {
                url: "".into(),
                message: error.to_string(),
            },
        })?;
        // AAM decides about drift.
        body["nonBreakingSchemaUpdatesBehavior"] = json!("ignore");
        body["schedule"] = json!({"scheduleType": "manual"});
        let path = "/connections";
        self.write(
            "making the connection",
            Method::POST,
            path,
            &body,
            CONNECTOR_TIMEOUT,
        )
        .await
    }

    /// Deletes a connection. Succeeds if it is already gone.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn connection_delete(&self, id: Uuid) -> Result<(), Error> {
        self.delete("removing the connection", &format!("/connections/{id}"))
            .await
    }

    /// Starts a sync.
    ///
    /// # Errors
    /// Returns the conflict `try-again-later` if a job is already running.
    pub async fn job_create_sync(&self, connection: Uuid) -> Result<Job, Error> {
        let body = json!({"connectionId": connection, "jobType": "sync"});
        self.write(
            "starting a sync",
            Method::POST,
            "/jobs",
            &body,
            DEFAULT_TIMEOUT * 2,
        )
        .await
    }

    /// Returns all pages of a list, counted by offset. `next` is unusable: on a default install it
    /// names an internal host, and it is set on the last page too.
    pub(super) async fn all_pages<T: DeserializeOwned>(
        &self,
        name: &'static str,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        loop {
            let mut query = query.to_vec();
            query.push(("limit", PAGE.to_string()));
            query.push(("offset", all.len().to_string()));
            let page: Page<T> = self.get(name, path, &query, DEFAULT_TIMEOUT).await?;
            let full = page.data.len() >= PAGE;
            all.extend(page.data);
            if !full {
                return Ok(all);
            }
        }
    }
}
