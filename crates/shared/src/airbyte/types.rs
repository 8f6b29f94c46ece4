//! The parts of Airbyte's responses that AAM uses. Other members are not required.

use catalog::destinations::DestinationKind;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use airbyte_protocol::java_time;

/// A workspace.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    /// Its id.
    pub workspace_id: Uuid,
    /// Its name.
    pub name: String,
}

/// A connector that this Airbyte offers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// Its id.
    pub id: Uuid,
    /// Its name, for example `Salesforce`.
    pub name: String,
    /// Its image, for example `airbyte/source-salesforce`.
    #[serde(default)]
    pub docker_repository: String,
    /// Its image's tag, for example `2.7.0`.
    #[serde(default)]
    pub docker_image_tag: String,
}

impl Definition {
    /// The short name that people type: the last segment of the image without `source-` or
    /// `destination-`.
    pub fn short_name(&self) -> &str {
        let image = self
            .docker_repository
            .rsplit('/')
            .next()
            .unwrap_or_default();
        image
            .strip_prefix("source-")
            .or_else(|| image.strip_prefix("destination-"))
            .unwrap_or(image)
    }
}

/// A source or a destination.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    /// Its id.
    #[serde(alias = "sourceId", alias = "destinationId")]
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its workspace.
    pub workspace_id: Uuid,
    /// Its connector.
    #[serde(default)]
    pub definition_id: Option<Uuid>,
    /// Its connector's name as in the public API: `postgres`; empty for a custom connector.
    #[serde(default, alias = "sourceType", alias = "destinationType")]
    pub connector: Option<String>,
    /// Its configuration; Airbyte masks secrets.
    #[serde(default)]
    pub configuration: serde_json::Value,
    /// When it was created, in seconds since 1970.
    #[serde(default)]
    pub created_at: Option<i64>,
}

impl std::fmt::Debug for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Actor")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Actor {
    /// The kind of destination, derived from its connector's name.
    pub fn destination_kind(&self) -> DestinationKind {
        let name = self.connector.as_deref();
        name.map(DestinationKind::of).unwrap_or_default()
    }
}

/// A connection, as the public API returns it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Its id.
    pub connection_id: Uuid,
    /// Its source.
    pub source_id: Uuid,
    /// Its destination.
    pub destination_id: Uuid,
    /// Its name.
    pub name: String,
    /// `active`, `inactive`, `deprecated` or `locked`.
    pub status: String,
    /// Its streams.
    #[serde(default)]
    pub configurations: ConnectionStreams,
    /// `source`, `destination` or `custom_format`.
    #[serde(default)]
    pub namespace_definition: Option<String>,
    /// Set with `custom_format`.
    #[serde(default)]
    pub namespace_format: Option<String>,
    /// Prefix of every table's name.
    #[serde(default)]
    pub prefix: Option<String>,
    /// When it was created, in seconds since 1970.
    #[serde(default)]
    pub created_at: Option<i64>,
}

/// The streams of a connection.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ConnectionStreams {
    /// Each selected stream.
    #[serde(default)]
    pub streams: Vec<ConnectionStream>,
}

/// The identity of a connection's stream.
#[derive(Debug, Clone, Deserialize)]
pub struct ConnectionStream {
    /// The stream's name.
    pub name: String,
    /// The stream's namespace.
    #[serde(default)]
    pub namespace: Option<String>,
}

/// A stream of `GET /streams`, with the modes that both source and destination support.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamProperties {
    /// The stream's name.
    pub stream_name: String,
    /// The stream's namespace; the server spells it with a lower-case n, unlike the documentation.
    #[serde(default, alias = "streamnamespace")]
    pub stream_namespace: Option<String>,
    /// Combined modes, for example `incremental_deduped_history`.
    #[serde(default)]
    pub sync_modes: Vec<String>,
}

/// The destination's write modes, derived from the pairs that Airbyte offers for a source's
/// streams.
pub fn destination_modes(
    streams: &[StreamProperties],
) -> Vec<airbyte_protocol::DestinationSyncMode> {
    let mut modes = Vec::new();
    for word in streams.iter().flat_map(|stream| &stream.sync_modes) {
        match catalog::split_mode(word) {
            Some((_, mode)) if !modes.contains(&mode) => modes.push(mode),
            _ => {}
        }
    }
    modes
}

/// A job.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its id; an integer in Airbyte.
    #[serde(deserialize_with = "text_or_integer")]
    pub job_id: String,
    /// The connection in Airbyte.
    #[serde(default)]
    pub connection_id: Option<Uuid>,
    /// Airbyte's status of the job.
    pub status: String,
    /// `sync`, `refresh`, `reset` or `clear`.
    #[serde(default)]
    pub job_type: String,
    /// When it was created.
    #[serde(default, deserialize_with = "lenient_time")]
    pub start_time: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(default, deserialize_with = "lenient_time")]
    pub last_updated_at: Option<DateTime<Utc>>,
    /// Bytes synced.
    #[serde(default)]
    pub bytes_synced: Option<i64>,
    /// Rows synced.
    #[serde(default)]
    pub rows_synced: Option<i64>,
}

/// The catalog of a successful discovery.
#[derive(Debug, Clone)]
pub struct Discovered {
    /// The catalog in the Config API's notation, as text in Airbyte's order.
    pub catalog: String,
    /// Its id, which can be set as a connection's `sourceCatalogId`.
    pub catalog_id: Option<Uuid>,
}

/// A connection, as the Config API returns it: the configured catalog with selected streams only.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionRead {
    /// Its id.
    pub connection_id: Uuid,
    /// Its source.
    pub source_id: Uuid,
    /// Its destination.
    pub destination_id: Uuid,
    /// `active`, `inactive`, `deprecated` or `locked`.
    pub status: String,
    /// The configured catalog in the Config API's notation.
    pub sync_catalog: Box<RawValue>,
    /// The discovered catalog that the connection has accepted.
    #[serde(default)]
    pub source_catalog_id: Option<Uuid>,
    /// Whether a breaking change awaits acknowledgement.
    #[serde(default)]
    pub breaking_change: bool,
}

/// Why an attempt failed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureReason {
    /// `config_error`, `system_error`, `transient_error`, …
    #[serde(default)]
    pub failure_type: Option<String>,
    /// `source`, `destination`, `airbyte_platform`, …
    #[serde(default)]
    pub failure_origin: Option<String>,
    /// The message for users.
    #[serde(default)]
    pub external_message: Option<String>,
    /// The message for developers.
    #[serde(default)]
    pub internal_message: Option<String>,
}

/// A job's start and failure, from its attempts.
#[derive(Debug, Clone, Default)]
pub struct JobDetail {
    /// How many attempts there were.
    pub attempts: i32,
    /// When the first one started.
    pub started_at: Option<DateTime<Utc>>,
    /// Why the last one failed.
    pub failure: Option<String>,
}

impl JobDetail {
    pub(super) fn of<'a>(attempts: impl IntoIterator<Item = &'a Attempt>) -> Self {
        let attempts: Vec<&Attempt> = attempts.into_iter().collect();
        Self {
            attempts: i32::try_from(attempts.len()).unwrap_or(i32::MAX),
            started_at: attempts
                .first()
                .and_then(|first| DateTime::from_timestamp(first.created_at?, 0)),
            failure: attempts
                .last()
                .and_then(|last| last.failure_summary.as_ref()?.failures.first())
                .map(FailureReason::to_sentence),
        }
    }
}

/// The log of one attempt.
#[derive(Debug, Clone, Default)]
pub struct AttemptLog {
    /// The attempt's number, from 0.
    pub number: i64,
    /// Its lines.
    pub lines: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct JobList {
    #[serde(default = "Vec::new")]
    pub(super) jobs: Vec<JobWithAttempts>,
}

#[derive(Debug, Deserialize)]
pub(super) struct JobWithAttempts {
    pub(super) job: JobRead,
    #[serde(default)]
    pub(super) attempts: Vec<Attempt>,
}

#[derive(Debug, Deserialize)]
pub(super) struct JobInfoWithLogs {
    #[serde(default = "Vec::new")]
    pub(super) attempts: Vec<AttemptInfoWithLogs>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AttemptInfoWithLogs {
    attempt: AttemptNumber,
    #[serde(default)]
    logs: Option<Logs>,
}

#[derive(Debug, Deserialize)]
struct AttemptNumber {
    #[serde(default)]
    id: Option<i64>,
}

/// Formatted lines, or structured events.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Logs {
    #[serde(default)]
    log_lines: Vec<String>,
    #[serde(default)]
    events: Vec<LogEvent>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogEvent {
    #[serde(default)]
    timestamp: Option<i64>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    level: Option<String>,
    #[serde(default)]
    log_source: Option<String>,
}

impl AttemptInfoWithLogs {
    pub(super) fn log(self, place: usize) -> AttemptLog {
        let logs = self.logs.map_or_else(Vec::new, |logs| {
            if logs.events.is_empty() {
                return logs.log_lines;
            }
            logs.events.into_iter().map(LogEvent::line).collect()
        });
        AttemptLog {
            number: self.attempt.id.unwrap_or(i64::try_from(place).unwrap_or(0)),
            lines: logs,
        }
    }
}

impl LogEvent {
    fn line(self) -> String {
        let at = self
            .timestamp
            .and_then(DateTime::<Utc>::from_timestamp_millis)
            .map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
        let parts = [at, self.log_source, self.level, Some(self.message)];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    #[serde(default = "Vec::new")]
    pub(super) data: Vec<T>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SynchronousJob {
    #[serde(default)]
    pub(super) succeeded: Option<bool>,
    #[serde(default)]
    pub(super) failure_reason: Option<FailureReason>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DiscoverAnswer {
    #[serde(default)]
    pub(super) catalog: Option<Box<RawValue>>,
    #[serde(default)]
    pub(super) catalog_id: Option<Uuid>,
    #[serde(default)]
    pub(super) job_info: Option<SynchronousJob>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckAnswer {
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) message: Option<String>,
    #[serde(default)]
    pub(super) job_info: Option<SynchronousJob>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpecificationAnswer {
    #[serde(default)]
    pub(super) connection_specification: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct JobInfo {
    pub(super) job: JobRead,
    #[serde(default)]
    pub(super) attempts: Vec<AttemptInfo>,
}

#[derive(Debug, Deserialize)]
pub(super) struct JobRead {
    #[serde(deserialize_with = "text_or_integer")]
    pub(super) id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct AttemptInfo {
    pub(super) attempt: Attempt,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attempt {
    #[serde(default)]
    pub(super) created_at: Option<i64>,
    #[serde(default)]
    pub(super) failure_summary: Option<FailureSummary>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FailureSummary {
    #[serde(default)]
    pub(super) failures: Vec<FailureReason>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RefreshAnswer {
    #[serde(default)]
    pub(super) job: Option<JobRead>,
}

impl FailureReason {
    /// The failure in one sentence: its origin and its message.
    pub fn to_sentence(&self) -> String {
        let message = self
            .external_message
            .as_deref()
            .or(self.internal_message.as_deref())
            .unwrap_or("no reason given");
        match self.failure_origin.as_deref() {
            Some(origin) => format!("{origin}: {message}"),
            None => message.to_owned(),
        }
    }
}

fn text_or_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Text(String),
        Integer(i64),
    }
    Ok(match Id::deserialize(deserializer)? {
        Id::Text(text) => text,
        Id::Integer(number) => number.to_string(),
    })
}

/// Accepts malformed times as absent, so that the rest is not lost.
fn lenient_time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(deserializer)?;
    Ok(value.and_then(|value| match value {
        serde_json::Value::String(text) => java_time::parse(&text),
        serde_json::Value::Number(number) => DateTime::from_timestamp(number.as_i64()?, 0),
        _ => None,
    }))
}
