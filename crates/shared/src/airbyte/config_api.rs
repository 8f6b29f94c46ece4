//! Calls of the Config API, which alone offers full catalogs, checks, refreshes and failure
//! reasons.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::Repeat;
use super::types::{ConnectionRead, DiscoverAnswer, Discovered, RefreshAnswer};
use super::{Airbyte, CONNECTOR_TIMEOUT, Error, ErrorKind};
use http_client::DEFAULT_TIMEOUT;
use http_client::Retry;

/// A change to a connection; absent members stay unchanged.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionUpdate<'a> {
    /// The connection.
    pub connection_id: Uuid,
    /// Replaces the whole catalog; entries that are not selected are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_catalog: Option<&'a RawValue>,
    /// The discovered catalog to record as accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_catalog_id: Option<Uuid>,
    /// `false` acknowledges a breaking change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaking_change: Option<bool>,
    /// `active` reactivates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// `manual`, `cron` or `basic`; requires `schedule_data`, except for `manual`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_type: Option<&'static str>,
    /// The schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_data: Option<&'a Value>,
}

impl ConnectionUpdate<'_> {
    /// An empty change.
    pub fn of(connection_id: Uuid) -> Self {
        Self {
            connection_id,
            sync_catalog: None,
            source_catalog_id: None,
            breaking_change: None,
            status: None,
            name: None,
            schedule_type: None,
            schedule_data: None,
        }
    }
}

/// How a refresh treats existing rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshMode {
    /// Reads everything again and keeps the rows.
    Merge,
    /// Reads everything again and drops older rows once the stream is complete.
    Truncate,
}

impl RefreshMode {
    /// Airbyte's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merge => "Merge",
            Self::Truncate => "Truncate",
        }
    }
}

impl Airbyte {
    /// Discovers a source's current schema. Sends no connection id, so that Airbyte changes no
    /// connection.
    ///
    /// # Errors
    /// Returns `ErrorKind::Connector` if the discovery failed, which Airbyte reports inside a 200.
    pub async fn discover(&self, source: Uuid) -> Result<Discovered, Error> {
        let again = |error: &Error| {
            if error.is_transient_failure() {
                Retry::After(None)
            } else {
                Retry::Never
            }
        };
        http_client::repeat(|| self.discover_once(source), again).await
    }

    async fn discover_once(&self, source: Uuid) -> Result<Discovered, Error> {
        const NAME: &str = "discovering the source's schema";
        let body = json!({"sourceId": source, "disable_cache": true});
        let answer: DiscoverAnswer = self
            .config(
                NAME,
                "/sources/discover_schema",
                &body,
                CONNECTOR_TIMEOUT,
                Repeat::Safe,
            )
            .await?;
        let succeeded = answer
            .job_info
            .as_ref()
            .and_then(|job| job.succeeded)
            .unwrap_or(true);
        match answer.catalog {
            Some(catalog) if succeeded => Ok(Discovered {
                catalog: catalog.get().to_owned(),
                catalog_id: answer.catalog_id,
            }),
            _ => {
                let reason = answer.job_info.and_then(|job| job.failure_reason);
                let transient = reason.as_ref().is_some_and(|reason| {
                    reason.failure_type.as_deref() == Some("transient_error")
                });
                let message = reason.map_or_else(
                    || "no reason given".to_owned(),
                    |reason| reason.to_sentence(),
                );
                let message = redaction::clean(message);
                Err(Error {
                    call: NAME,
                    kind: ErrorKind::Connector { message, transient },
                })
            }
        }
    }

    /// Returns a connection with its configured catalog: selected streams only, with narrowed
    /// schemas.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn connection_read(&self, id: Uuid) -> Result<ConnectionRead, Error> {
        let body = json!({"connectionId": id});
        let timeout = DEFAULT_TIMEOUT * 2;
        self.config(
            "reading the connection",
            "/connections/get",
            &body,
            timeout,
            Repeat::Safe,
        )
        .await
    }

    /// Changes a connection. The change is idempotent, so the call may be repeated.
    ///
    /// # Errors
    /// Returns an error if the call fails or Airbyte rejects the change.
    pub async fn connection_update(
        &self,
        update: &ConnectionUpdate<'_>,
    ) -> Result<ConnectionRead, Error> {
        let timeout = DEFAULT_TIMEOUT * 4;
        self.config(
            "updating the connection",
            "/connections/update",
            update,
            timeout,
            Repeat::Safe,
        )
        .await
    }

    /// Starts a refresh of some streams, which also syncs the others. Returns `None` if the
    /// destination does not support refreshes.
    ///
    /// # Errors
    /// Returns a conflict if a job is already running.
    pub async fn connection_refresh(
        &self,
        connection: Uuid,
        mode: RefreshMode,
        streams: &[airbyte_protocol::StreamDescriptor],
    ) -> Result<Option<String>, Error> {
        let streams: Vec<Value> = streams
            .iter()
            .map(|stream| match &stream.namespace {
                Some(namespace) => {
                    json!({"streamName": stream.name, "streamNamespace": namespace})
                }
                None => json!({"streamName": stream.name}),
            })
            .collect();
        let body = json!({
            "connectionId": connection,
            "refreshMode": mode.as_str(),
            "streams": streams,
        });
        let answer: RefreshAnswer = self
            .config(
                "starting a refresh",
                "/connections/refresh",
                &body,
                DEFAULT_TIMEOUT * 2,
                Repeat::Unsafe,
            )
            .await?;
        Ok(answer.job.map(|job| job.id))
    }
}
