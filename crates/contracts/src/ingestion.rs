//! The ingestion API: datasources, sinks and ingestions, in camelCase as its callers write it. An
//! ingestion is a connection; a datasource is an Airbyte source, a sink an Airbyte destination.

use catalog::select::StreamRequest;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

/// `POST /datasource` and `POST /sink`.
#[derive(Clone, ToSchema)]
pub struct NewEndpoint {
    /// What people call it; need not be unique.
    pub name: String,
    /// A connector of this Airbyte, by the name people use: `mysql`, `s3`, `source-faker`.
    #[schema(rename = "type")]
    pub kind: String,
    /// The short configuration of a common connector, or the connector's own.
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
    /// A workspace, by id or name; absent where there is only one.
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
    /// Its id; the same as `sourceId`.
    pub id: Uuid,
    /// Its id in Airbyte.
    pub source_id: Uuid,
    /// What people call it.
    pub name: String,
    /// Its connector's type, as `GET /datasource/types` names it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its configuration, in short fields where its connector has them; secrets are `**********`.
    #[schema(value_type = Object)]
    pub config: Value,
    /// Its connector, as Airbyte's definition is named.
    pub source_name: String,
    /// Its workspace in Airbyte.
    pub workspace_id: Uuid,
}

/// A sink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sink {
    /// Its id; the same as `destinationId`.
    pub id: Uuid,
    /// Its id in Airbyte.
    pub destination_id: Uuid,
    /// What people call it.
    pub name: String,
    /// Its connector's type, as `GET /sink/types` names it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its configuration, in short fields where its connector has them; secrets are `**********`.
    #[schema(value_type = Object)]
    pub config: Value,
    /// Its connector, as Airbyte's definition is named.
    pub destination_name: String,
    /// Its workspace in Airbyte.
    pub workspace_id: Uuid,
}

/// A datasource in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatasourceItem {
    /// Its id.
    pub source_id: Uuid,
    /// What people call it.
    pub name: String,
    /// Its connector, as Airbyte's definition is named.
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
    /// Every one, from all pages.
    pub sources: Vec<DatasourceItem>,
    /// How many.
    pub total: usize,
}

/// A sink in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SinkItem {
    /// Its id.
    pub destination_id: Uuid,
    /// What people call it.
    pub name: String,
    /// Its connector, as Airbyte's definition is named.
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
    /// Every one, from all pages.
    pub destinations: Vec<SinkItem>,
    /// How many.
    pub total: usize,
}

/// A connector that a datasource or sink may be of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorType {
    /// What `type` takes.
    pub name: String,
    /// As Airbyte's definition is named.
    pub title: String,
    /// The definition in Airbyte.
    pub definition_id: Uuid,
    /// The image, for instance `airbyte/source-mysql`.
    pub docker_repository: String,
    /// The image's tag.
    pub docker_image_tag: String,
    /// The short fields, for a common connector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub fields: Option<Value>,
    /// The JSON schema of the connector's own configuration, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub schema: Option<Value>,
    /// Where the JSON schema can be had.
    pub schema_url: String,
}

/// `GET /datasource/types` and `GET /sink/types`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConnectorTypes {
    /// By name.
    pub types: Vec<ConnectorType>,
    /// How many.
    pub total: usize,
}

/// How an ingestion is scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum IngestionScheduleType {
    /// By a cron expression.
    Cron,
    /// Every so often.
    Basic,
    /// Only when asked to.
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

/// When an ingestion syncs by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngestionSchedule {
    /// How it is scheduled.
    pub schedule_type: IngestionScheduleType,
    /// Unix cron or Quartz, with `cron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron_expression: Option<String>,
    /// The expression's time zone; absent: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron_time_zone: Option<String>,
    /// How many of `timeUnit`, with `basic`; absent with `timeUnit`: 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<u32>,
    /// The unit of `units`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_unit: Option<TimeUnit>,
}

/// Whether an ingestion syncs by itself and may be synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum IngestionSwitch {
    /// It is on.
    #[default]
    Active,
    /// It is off.
    Inactive,
}

/// `POST /ingestion`.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct NewIngestion {
    /// Its name, unique; absent: made of its datasource's and its sink's.
    pub name: Option<String>,
    /// The datasource.
    pub source_id: Uuid,
    /// The sink; `sinkId` says the same.
    pub destination_id: Option<Uuid>,
    /// The sink; `destinationId` says the same.
    pub sink_id: Option<Uuid>,
    /// When it syncs by itself; absent: when asked to.
    pub schedule: Option<IngestionSchedule>,
    /// `active` where absent.
    pub status: Option<IngestionSwitch>,
    /// The streams to sync; absent means all. Each a name, or an object of `name`, `namespace`,
    /// `syncMode`, `destinationSyncMode`, `cursorField`, `primaryKey`, `selectedFields`.
    #[schema(value_type = Option<Vec<Object>>)]
    pub streams: Option<Vec<StreamRequest>>,
    /// Taken and not kept: what it was made at is in the answer.
    pub created: Option<DateTime<Utc>>,
    /// Taken and not kept.
    pub updated: Option<DateTime<Utc>>,
}

/// `PATCH /ingestion/{connectionId}`: what is absent stays.
#[derive(Debug, Clone, Default, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct IngestionPatch {
    /// Its name, unique.
    pub name: Option<String>,
    /// When it syncs by itself.
    pub schedule: Option<IngestionSchedule>,
    /// Whether it is on.
    pub status: Option<IngestionSwitch>,
}

/// An ingestion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ingestion {
    /// Its id; the id of the connection that it is.
    pub connection_id: Uuid,
    /// Its datasource; null while there is none.
    pub source_id: Option<Uuid>,
    /// Its sink.
    pub destination_id: Option<Uuid>,
    /// Its sink.
    pub sink_id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// `active`, `inactive`, `pending` (being made), `healing` or `failed`.
    pub status: String,
    /// When it syncs by itself, as it was written.
    pub schedule: IngestionSchedule,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it last changed.
    pub updated: DateTime<Utc>,
}

/// `GET /ingestion`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ingestions {
    /// Oldest first.
    pub connections: Vec<Ingestion>,
    /// How many there are, also where this is a page of them.
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
    /// Rows that arrived.
    pub rows: Option<i64>,
    /// Bytes that arrived.
    pub bytes: Option<i64>,
    /// When its first attempt began.
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
    /// The same.
    pub ingestion_id: Uuid,
    /// As in [`Ingestion`].
    pub status: String,
    /// End of the newest sync or refresh that succeeded; null before the first.
    pub last_sync: Option<DateTime<Utc>>,
    /// When it is due next by its schedule; null where it is not by itself.
    pub next_sync: Option<DateTime<Utc>>,
    /// When it syncs by itself, as it was written.
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
    /// `triggered`, or `attached` where a job ran already.
    pub status: crate::SyncStatus,
    /// The same in words.
    pub message: String,
}
