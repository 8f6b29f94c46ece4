//! Onboarding requests and connection views.

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

/// The type of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleType {
    /// Only on request.
    #[default]
    Manual,
    /// With a cron expression.
    Cron,
    /// At an interval.
    Interval,
}

/// A connection's schedule.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ScheduleType,
    /// The cron expression, for `cron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// The cron expression's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The interval, for `interval`, for example `6h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
}

/// The origin of a stream's namespace at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NamespaceDefinition {
    /// The source's namespace.
    Source,
    /// The destination's default.
    #[default]
    Destination,
    /// A custom format.
    CustomFormat,
}

impl NamespaceDefinition {
    /// The spelling of Airbyte's public API.
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
    /// Id of a credential in the auth broker.
    #[serde(default)]
    pub credential_id: Option<String>,
    /// The connector's configuration, or the part of it that is not in the credential. May contain
    /// secrets.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub source_config: Option<serde_json::Map<String, serde_json::Value>>,
    /// The Airbyte destination; default: the only one.
    #[serde(default)]
    pub destination_id: Option<Uuid>,
    /// The Airbyte workspace; default: the only one.
    #[serde(default)]
    pub workspace_id: Option<Uuid>,
    /// The streams to sync; default: all.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>)]
    pub streams: Option<Vec<StreamRequest>>,
    /// Its schedule; default: on request.
    #[serde(default)]
    pub schedule: Option<Schedule>,
    /// The drift policy; default: the installation's.
    #[serde(default)]
    pub drift_policy: Option<DriftPolicy>,
    /// The origin of a stream's namespace at the destination.
    #[serde(default)]
    pub namespace_definition: Option<NamespaceDefinition>,
    /// The format, for `custom_format`; may contain `${SOURCE_NAMESPACE}`.
    #[serde(default)]
    pub namespace_format: Option<String>,
    /// Prefix of every table's name at the destination.
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

/// The statuses that a connection can be changed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DesiredStatus {
    /// Syncs and heals.
    Active,
    /// Does neither.
    Inactive,
}

/// `PATCH /connections/{id}`: absent members stay unchanged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionPatch {
    /// Its name, unique in the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Its drift policy.
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

/// The kind of an orphan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrphanKind {
    /// A source.
    Source,
    /// A destination.
    Destination,
    /// A connection, either with an ownership tag or reading an orphaned source.
    Connection,
}

/// An Airbyte object with this installation's ownership tag that belongs to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Orphan {
    /// Its kind.
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
    /// The source's type, by the name of Airbyte's definition.
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
    /// The drift policy, as it was written.
    pub drift_policy: DriftPolicy,
    /// Its schedule.
    pub schedule: Schedule,
    /// The next three scheduled runs; only in responses about a single connection that is ACTIVE
    /// and has a schedule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next_runs: Vec<DateTime<Utc>>,
    /// End of the newest successful sync or refresh.
    #[serde(default)]
    pub last_synced_at: Option<DateTime<Utc>>,
    /// Number of its current catalog version; 0 before there is one.
    pub catalog_version: i32,
    /// Whether it was created on another Airbyte than the configured one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub other_instance: bool,
    /// When it was onboarded.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// An entry in a list of catalog versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatalogVersion {
    /// Its number, from 1.
    pub version: i32,
    /// `onboarding`, `repair` or `external`.
    pub origin: String,
    /// Equal fingerprints mean equivalent catalogs.
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
    /// Equal fingerprints mean equivalent catalogs.
    pub fingerprint: String,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// The catalog in the Config API's notation: everything that was discovered; streams that are
    /// not synced have `selected: false`.
    #[schema(value_type = Object)]
    pub sync_catalog: Box<RawValue>,
}

/// The differences between two versions of a connection.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CatalogComparison {
    /// The connection.
    pub connection_id: Uuid,
    /// The old version.
    pub from: i32,
    /// The new version.
    pub to: i32,
    /// The destination that the changes were rated for; `unknown`, with conservative ratings, if
    /// Airbyte does not report it.
    #[schema(value_type = String)]
    pub destination: DestinationKind,
    /// The highest severity of the changes, for the connection as the old version configures it;
    /// absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub severity: Option<Severity>,
    /// The changes in what the source offered; each `decision` is what the connection's current
    /// policy does with such a change.
    #[schema(value_type = Vec<Object>)]
    pub changes: Vec<Change>,
    /// The changes in the connection's settings: streams, modes, cursor, key, columns, mappers.
    #[schema(value_type = Vec<Object>)]
    pub settings: Vec<Action>,
    /// The changes in what the source offered, as Airbyte's own `CatalogDiff`.
    #[schema(value_type = Object)]
    pub airbyte: CatalogDiff,
    /// The comparison as text.
    pub text: String,
}

impl CatalogComparison {
    /// The comparison without the connection and the text.
    pub fn comparison(self) -> Comparison {
        Comparison {
            severity: self.severity,
            changes: self.changes,
            settings: self.settings,
            airbyte: self.airbyte,
        }
    }
}
