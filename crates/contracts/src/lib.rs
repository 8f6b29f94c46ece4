#![doc = include_str!("../README.md")]

mod access;
mod connections;
mod credentials;
mod drift_policy;
mod errors;
mod events;
mod health;
mod ingestion;
mod jobs;
mod operations;
mod repair;
pub mod source_type;

pub use access::{AuditEntry, Caller, KeyCreated, KeyRequest, KeyView, Role};
pub use connections::{
    CatalogComparison, CatalogVersion, CatalogVersionDetail, ConnectionPatch, ConnectionView,
    DesiredStatus, NamespaceDefinition, OnboardRequest, Orphan, OrphanKind, Schedule, ScheduleType,
};
pub use credentials::{
    CredentialKind, CredentialMetadata, CredentialRequest, CredentialValues, REDACTED,
    SealedRequest,
};
pub use drift_policy::DriftPolicy;
pub use errors::{ErrorCode, FieldError, Problem};
pub use events::{EVENT_VERSION, Event, EventView};
pub use health::{Circuit, DependencyState, Health, HealthStatus, Readiness};
pub use ingestion::{
    ConnectorType, ConnectorTypes, Datasource, DatasourceItem, Datasources, Ingestion,
    IngestionJob, IngestionPatch, IngestionSchedule, IngestionScheduleType, IngestionStatus,
    IngestionSwitch, IngestionTriggered, Ingestions, NewEndpoint, NewIngestion, Sink, SinkItem,
    Sinks, TimeUnit,
};
pub use jobs::{JobView, SyncStatus, SyncTriggered};
pub use operations::{OperationView, StepView};
pub use repair::{
    ApplyAnswer, ApplyStatus, HealAnswer, HealBody, HealOutcome, HealRequest, PlanAnswer,
    PlanRequest, RollbackAnswer, RollbackBody, RollbackRequest, SyncRequest,
};
