//! Onboarding, and connections as they are shown.

use catalog::destinations::DestinationKind;
use catalog::diff::CatalogDiff;
use catalog::plan::{Action, Change, Comparison, Severity};
use catalog::select::StreamRequest;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::DriftPolicy;

/// How a connection is scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleType {
    /// Only when asked to.
    #[default]
    Manual,
    /// By a cron expression.
    Cron,
    /// Every so often.
    Interval,
}

/// When a connection syncs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// How it is scheduled.
    #[serde(rename = "type")]
    pub kind: ScheduleType,
    /// The cron expression, with `cron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// The cron expression's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The interval, with `interval`, for instance `6h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
}

/// Where a stream's namespace at the destination comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NamespaceDefinition {
    /// The source's own.
    Source,
    /// The destination's default.
    #[default]
    Destination,
    /// A format text.
    CustomFormat,
}

impl NamespaceDefinition {
    /// As Airbyte's public API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
            Self::CustomFormat => "custom_format",
        }
    }
}

/// `POST /connections/onboard`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OnboardRequest {
    /// The source's type as people write it: a definition's name, its short name or its image.
    pub source_type: String,
    /// The connection's name, unique in the registry.
    pub connection_name: String,
    /// A credential of the auth broker.
    #[serde(default)]
    pub credential_id: Option<String>,
    /// The connector's configuration, or what the credential does not hold of it. May hold
    /// secrets.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub source_config: Option<serde_json::Map<String, serde_json::Value>>,
    /// The Airbyte destination; absent where there is only one.
    #[serde(default)]
    pub destination_id: Option<Uuid>,
    /// The Airbyte workspace; absent where there is only one.
    #[serde(default)]
    pub workspace_id: Option<Uuid>,
    /// The streams to sync; absent means all.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>)]
    pub streams: Option<Vec<StreamRequest>>,
    /// When it syncs; absent means when asked to.
    #[serde(default)]
    pub schedule: Option<Schedule>,
    /// What is done about drift; absent: the installation's default.
    #[serde(default)]
    pub drift_policy: Option<DriftPolicy>,
    /// Where a stream's namespace at the destination comes from.
    #[serde(default)]
    pub namespace_definition: Option<NamespaceDefinition>,
    /// The format, with `custom_format`; may hold `${SOURCE_NAMESPACE}`.
    #[serde(default)]
    pub namespace_format: Option<String>,
    /// Put before every table's name at the destination.
    #[serde(default)]
    pub prefix: Option<String>,
}

impl std::fmt::Debug for OnboardRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnboardRequest")
            .field("source_type", &self.source_type)
            .field("connection_name", &self.connection_name)
            .finish_non_exhaustive()
    }
}

/// What a connection's status may be changed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DesiredStatus {
    /// Syncs and heals.
    Active,
    /// Does neither.
    Inactive,
}

/// `PATCH /connections/{id}`: what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionPatch {
    /// Its name, unique in the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it syncs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// What is done about drift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_policy: Option<DriftPolicy>,
    /// Whether it syncs and heals at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<DesiredStatus>,
}

impl ConnectionPatch {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What an orphan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrphanKind {
    /// A source.
    Source,
    /// A destination.
    Destination,
    /// A connection, marked itself or one that reads an orphaned source.
    Connection,
}

/// Something in Airbyte that carries this installation's mark and belongs to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Orphan {
    /// What it is.
    pub kind: OrphanKind,
    /// Its id in Airbyte.
    pub id: Uuid,
    /// Its name in Airbyte.
    pub name: String,
    /// Its workspace.
    pub workspace_id: Uuid,
    /// The source that a connection reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<Uuid>,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectionView {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The source's type, as Airbyte's definition is named.
    pub source_type: String,
    /// `PENDING`, `ACTIVE`, `HEALING`, `FAILED` or `INACTIVE`.
    pub status: String,
    /// Why it failed, or what is uncertain about it.
    #[serde(default)]
    pub status_reason: Option<String>,
    /// The Airbyte source.
    pub airbyte_source_id: Option<Uuid>,
    /// The Airbyte connection.
    pub airbyte_connection_id: Option<Uuid>,
    /// The Airbyte destination.
    #[serde(default)]
    pub destination_id: Option<Uuid>,
    /// The Airbyte workspace.
    #[serde(default)]
    pub workspace_id: Option<Uuid>,
    /// The credential its source uses.
    #[serde(default)]
    pub credential_id: Option<String>,
    /// What is done about drift, as it was stated.
    pub drift_policy: DriftPolicy,
    /// When it syncs.
    pub schedule: Schedule,
    /// The next three times it is due by its schedule; in answers about one connection that is ACTIVE
    /// and has a schedule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next_runs: Vec<DateTime<Utc>>,
    /// End of the newest sync or refresh that succeeded.
    #[serde(default)]
    pub last_synced_at: Option<DateTime<Utc>>,
    /// Number of its current catalog version; 0 before there is one.
    pub catalog_version: i32,
    /// Whether it was made on another Airbyte than the one configured.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub other_instance: bool,
    /// When it was onboarded.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A catalog version in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatalogVersion {
    /// Its number, from 1.
    pub version: i32,
    /// `onboarding`, `repair` or `external`.
    pub origin: String,
    /// Equal fingerprints mean equal meaning.
    pub fingerprint: String,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

/// A catalog version with its catalog.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CatalogVersionDetail {
    /// Its number, from 1.
    pub version: i32,
    /// `onboarding`, `repair` or `external`.
    pub origin: String,
    /// Equal fingerprints mean equal meaning.
    pub fingerprint: String,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// The catalog in the Config API's notation: everything that was discovered, what is not
    /// synced with `selected: false`.
    #[schema(value_type = Object)]
    pub sync_catalog: Box<RawValue>,
}

/// How two versions of a connection differ.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CatalogComparison {
    /// The connection.
    pub connection_id: Uuid,
    /// The version before.
    pub from: i32,
    /// The version after.
    pub to: i32,
    /// What the changes were judged for; `unknown`, with the careful answer to every question,
    /// where Airbyte does not tell.
    #[schema(value_type = String)]
    pub destination: DestinationKind,
    /// How grave the gravest change is for the connection as the version before configures it;
    /// absent without a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub severity: Option<Severity>,
    /// What the source offered differently; each `decision` is what the connection's policy, as it
    /// is now, does with such a change by itself.
    #[schema(value_type = Vec<Object>)]
    pub changes: Vec<Change>,
    /// What the connection does differently: streams, modes, cursor, key, columns, mappers.
    #[schema(value_type = Vec<Object>)]
    pub settings: Vec<Action>,
    /// What the source offered differently as Airbyte's own `CatalogDiff`.
    #[schema(value_type = Object)]
    pub airbyte: CatalogDiff,
    /// The same in words.
    pub text: String,
}

impl CatalogComparison {
    /// What it says, without for whom and in which words.
    pub fn comparison(self) -> Comparison {
        Comparison {
            severity: self.severity,
            changes: self.changes,
            settings: self.settings,
            airbyte: self.airbyte,
        }
    }
}
