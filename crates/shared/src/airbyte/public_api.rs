//! Calls of the public API.

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use uuid::Uuid;

use super::types::{Connection, Job, Page, StreamProperties, Workspace};
use super::{Airbyte, CONNECTOR_TIMEOUT, Error};
use crate::http::client::DEFAULT_TIMEOUT;

const PAGE: usize = 100;

/// A connection to be made.
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
    /// `source`, `destination` or `custom_format`; always sent, since the two APIs default
    /// differently.
    pub namespace_definition: String,
    /// Set with `custom_format`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_format: Option<String>,
    /// Put before every table's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

/// The streams of a connection to be made.
#[derive(Debug, Clone, Serialize)]
pub struct Configurations {
    /// Selected streams with their modes.
    pub streams: Vec<catalog::PublicStream>,
}

impl Airbyte {
    /// Every workspace.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn workspace_list(&self) -> Result<Vec<Workspace>, Error> {
        self.all_pages("listing workspaces", "/workspaces", &[])
            .await
    }

    /// The streams of a source with the modes it and the destination support together.
    ///
    /// # Errors
    /// When the call or the discover behind it fails.
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

    /// Every connection of a workspace.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn connection_list(&self, workspace: Uuid) -> Result<Vec<Connection>, Error> {
        let query = [("workspaceIds", workspace.to_string())];
        self.all_pages("listing connections", "/connections", &query)
            .await
    }

    /// Makes a connection. Not idempotent, and a discover may run inside it.
    ///
    /// # Errors
    /// When the call fails; an ambiguous error may have made it all the same.
    pub async fn connection_create(&self, new: &NewConnection) -> Result<Connection, Error> {
        let mut body = serde_json::to_value(new).map_err(|error| Error {
            call: "making the connection",
            kind: super::ErrorKind::NotAirbyte {
                url: "".into(),
                said: error.to_string(),
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

    /// Removes a connection; one that is gone already counts as removed.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn connection_delete(&self, id: Uuid) -> Result<(), Error> {
        self.delete("removing the connection", &format!("/connections/{id}"))
            .await
    }

    /// Starts a sync.
    ///
    /// # Errors
    /// A conflict `try-again-later` when a job runs already.
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

    /// Every page of a list, counted by offsets: `next` names an internal host on a default
    /// install, and is set on the last page too.
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
