//! Liveness and readiness.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The health of a process that responds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// It is healthy.
    Healthy,
}

/// `GET /health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// The service's name.
    pub service: String,
    /// Its health.
    pub status: HealthStatus,
    /// When it responded.
    pub timestamp: DateTime<Utc>,
}

/// The state of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Circuit {
    /// Calls are made.
    Closed,
    /// Calls failed too often: they are rejected for a while without being made.
    Open,
    /// One call is let through to check whether the dependency has recovered.
    HalfOpen,
}

/// One dependency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DependencyState {
    /// Its name.
    pub name: String,
    /// Whether it responds.
    pub ready: bool,
    /// Whether this service is not ready without it.
    pub required: bool,
    /// Its response time in milliseconds.
    pub latency_ms: f64,
    /// The state of its circuit breaker, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<Circuit>,
    /// Why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `GET /ready`; the status is 503 if the service is not ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// The service's name.
    pub service: String,
    /// Whether all required dependencies respond.
    pub ready: bool,
    /// Each dependency.
    pub dependencies: Vec<DependencyState>,
}
