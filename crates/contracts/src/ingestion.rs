//! The ingestion API: datasources, sinks and ingestions, in camelCase. An ingestion is a
//! connection, a datasource an Airbyte source, a sink an Airbyte destination.

use catalog::select::StreamRequest;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

/// `POST /datasource` and `POST /sink`.
#[derive(Clone, ToSchema)]
pub struct NewEndpoint {
    /// Its name; need not be unique.
    pub name: String,
    /// A connector of this Airbyte, by its short name: `mysql`, `s3`, `source-faker`.
    #[schema(rename = "type")]
    pub kind: String,
    /// The short configuration of a common connector, or the connector's own.
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
    /// A workspace, by id or name; default: the only one.
    pub workspace: Option<String>,
}

impl std::fmt::Debug for NewEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewEndpoint")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A datasource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Datasource {
    /// Its id; equal to `sourceId`.
    pub id: Uuid,
    /// Its id in Airbyte.
    pub source_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its connector's type, as `GET /datasource/types` names it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its configuration, in short fields where its connector has them; secrets are `**********`.
    #[schema(value_type = Object)]
    pub config: Value,
    /// Its connector, by the name of Airbyte's definition.
    pub source_name: String,
    /// Its workspace in Airbyte.
    pub workspace_id: Uuid,
}

/// A sink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sink {
    /// Its id; equal to `destinationId`.
    pub id: Uuid,
    /// Its id in Airbyte.
    pub destination_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its connector's type, as `GET /sink/types` names it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its configuration, in short fields where its connector has them; secrets are `**********`.
    #[schema(value_type = Object)]
    pub config: Value,
    /// Its connector, by the name of Airbyte's definition.
    pub destination_name: String,
    /// Its workspace in Airbyte.
    pub workspace_id: Uuid,
}

/// An entry in a list of datasources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatasourceItem {
    /// Its id.
    pub source_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its connector, by the name of Airbyte's definition.
    pub source_name: String,
    /// Its connector's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its workspace in Airbyte.
    pub workspace_id: Uuid,
}

/// `GET /datasource`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Datasources {
    /// All datasources, from all pages.
    pub sources: Vec<DatasourceItem>,
    /// Their number.
    pub total: usize,
}

/// An entry in a list of sinks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SinkItem {
    /// Its id.
    pub destination_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its connector, by the name of Airbyte's definition.
    pub destination_name: String,
    /// Its connector's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its workspace in Airbyte.
    pub workspace_id: Uuid,
}

/// `GET /sink`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sinks {
    /// All sinks, from all pages.
    pub destinations: Vec<SinkItem>,
    /// Their number.
    pub total: usize,
}

/// A connector that a datasource or sink can use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorType {
    /// The value for `type`.
    pub name: String,
    /// The name of Airbyte's definition.
    pub title: String,
    /// The definition in Airbyte.
    pub definition_id: Uuid,
    /// The image, for example `airbyte/source-mysql`.
    pub docker_repository: String,
    /// The image's tag.
    pub docker_image_tag: String,
    /// The short fields, for a common connector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub fields: Option<Value>,
    /// The JSON schema of the connector's own configuration, if it was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub schema: Option<Value>,
    /// The URL of the JSON schema.
    pub schema_url: String,
}

/// `GET /datasource/types` and `GET /sink/types`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConnectorTypes {
    /// The connectors, sorted by name.
    pub types: Vec<ConnectorType>,
    /// Their number.
    pub total: usize,
}

/// The type of an ingestion's schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum IngestionScheduleType {
    /// With a cron expression.
    Cron,
    /// At an interval.
    Basic,
    /// Only on request.
    #[default]
    Manual,
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum TimeUnit {
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// Days.
    Days,
    /// Weeks.
    Weeks,
}

/// An ingestion's schedule.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngestionSchedule {
    /// Its type.
    pub schedule_type: IngestionScheduleType,
    /// Unix cron or Quartz, for `cron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron_expression: Option<String>,
    /// The expression's time zone; default: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron_time_zone: Option<String>,
    /// Number of `timeUnit`, for `basic`; default if both are absent: 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<u32>,
    /// The unit of `units`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_unit: Option<TimeUnit>,
}

/// Whether an ingestion is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum IngestionSwitch {
    /// It syncs.
    #[default]
    Active,
    /// It does not sync.
    Inactive,
}

/// `POST /ingestion`.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct NewIngestion {
    /// Its name, unique; default: derived from its datasource and sink.
    pub name: Option<String>,
    /// The datasource.
    pub source_id: Uuid,
    /// The sink; `sinkId` is an alias.
    pub destination_id: Option<Uuid>,
    /// The sink; `destinationId` is an alias.
    pub sink_id: Option<Uuid>,
    /// Its schedule; default: on request.
    pub schedule: Option<IngestionSchedule>,
    /// Default: `active`.
    pub status: Option<IngestionSwitch>,
    /// The streams to sync; default: all. Each is a name, or an object of `name`, `namespace`,
    /// `syncMode`, `destinationSyncMode`, `cursorField`, `primaryKey`, `selectedFields`.
    #[schema(value_type = Option<Vec<Object>>)]
    pub streams: Option<Vec<StreamRequest>>,
    /// Accepted and ignored: the response has the actual time of creation.
    pub created: Option<DateTime<Utc>>,
    /// Accepted and ignored.
    pub updated: Option<DateTime<Utc>>,
}

/// `PATCH /ingestion/{connectionId}`: absent members stay unchanged.
#[derive(Debug, Clone, Default, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct IngestionPatch {
    /// Its name, unique.
    pub name: Option<String>,
    /// Its schedule.
    pub schedule: Option<IngestionSchedule>,
    /// Whether it is active.
    pub status: Option<IngestionSwitch>,
}

/// An ingestion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ingestion {
    /// Its id, which is its connection's id.
    pub connection_id: Uuid,
    /// Its datasource; null until there is one.
    pub source_id: Option<Uuid>,
    /// Its sink.
    pub destination_id: Option<Uuid>,
    /// Its sink; equal to `destinationId`.
    pub sink_id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// `active`, `inactive`, `pending` (being created), `healing` or `failed`.
    pub status: String,
    /// Its schedule, as it was written.
    pub schedule: IngestionSchedule,
    /// When it was created.
    pub created: DateTime<Utc>,
    /// When it last changed.
    pub updated: DateTime<Utc>,
}

/// `GET /ingestion`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ingestions {
    /// Oldest first.
    pub connections: Vec<Ingestion>,
    /// The total number, even if this is a page.
    pub total: u64,
}

/// The newest job of an ingestion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngestionJob {
    /// Its id in Airbyte.
    pub id: String,
    /// `pending`, `running`, `succeeded`, `failed` or `cancelled`.
    pub status: String,
    /// Rows synced.
    pub rows: Option<i64>,
    /// Bytes synced.
    pub bytes: Option<i64>,
    /// When its first attempt started.
    pub started_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub error: Option<String>,
}

/// `GET /ingestion/{connectionId}/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngestionStatus {
    /// The ingestion.
    pub connection_id: Uuid,
    /// Equal to `connectionId`.
    pub ingestion_id: Uuid,
    /// As in [`Ingestion`].
    pub status: String,
    /// End of the newest successful sync or refresh; null before the first.
    pub last_sync: Option<DateTime<Utc>>,
    /// Its next scheduled run; null if there is none.
    pub next_sync: Option<DateTime<Utc>>,
    /// Its schedule, as it was written.
    pub schedule: IngestionSchedule,
    /// Its newest job; null before the first.
    pub last_job: Option<IngestionJob>,
}

/// `POST /ingestion/{connectionId}/sync`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngestionTriggered {
    /// The ingestion.
    pub connection_id: Uuid,
    /// The job in Airbyte.
    pub job_id: String,
    /// `triggered`, or `attached` if a job was already running.
    pub status: crate::SyncStatus,
    /// The status as text.
    pub message: String,
}
