//! Liveness and readiness.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// That a process answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// It does.
    Healthy,
}

/// `GET /health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// The service's name.
    pub service: String,
    /// That it answers.
    pub status: HealthStatus,
    /// When it answered.
    pub timestamp: DateTime<Utc>,
}

/// Whether calls to a dependency are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Circuit {
    /// They are.
    Closed,
    /// It failed too often: calls are refused for a while without being made.
    Open,
    /// One call is let through to see whether it answers again.
    HalfOpen,
}

/// One dependency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DependencyState {
    /// Its name.
    pub name: String,
    /// Whether it answers.
    pub ready: bool,
    /// Whether this service is not ready without it.
    pub required: bool,
    /// How long it took to answer, in milliseconds.
    pub latency_ms: f64,
    /// Whether calls to it are made, where a breaker decides that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<Circuit>,
    /// Why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `GET /ready`; answered with 503 when not ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// The service's name.
    pub service: String,
    /// Whether everything required answers.
    pub ready: bool,
    /// Each dependency.
    pub dependencies: Vec<DependencyState>,
}
