//! What a route of a service asks of its caller: stated where the route is declared.

use contracts::Role;

use super::body::{JSON_LIMIT, JSON_LIMIT_CATALOG};

/// Where the ingestion API is a second time.
pub const INGESTION_PREFIX: &str = "/api/v1/airbyte";

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Probes: anybody, by any host name.
    Probe,
    /// Anybody who names one of the service's hosts.
    Public,
    /// Whoever has a key of this role or a higher one.
    Role(Role),
    /// Services of this installation alone.
    Service,
}

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Who may call.
    pub access: Access,
    /// Bytes that a body may have.
    pub body_limit: usize,
    /// Whether calls count against the caller's rate and take a place among the requests under way.
    pub counted: bool,
}

/// Answers probes.
pub const PROBE: Policy = Policy::new(Access::Probe);
/// Answers anybody.
pub const PUBLIC: Policy = Policy::new(Access::Public);
/// Answers every key.
pub const VIEWER: Policy = Policy::new(Access::Role(Role::Viewer));
/// Answers keys of operators and admins.
pub const OPERATOR: Policy = Policy::new(Access::Role(Role::Operator));
/// Answers keys of admins.
pub const ADMIN: Policy = Policy::new(Access::Role(Role::Admin));
/// Answers services of this installation.
pub const SERVICE: Policy = Policy::new(Access::Service);

impl Policy {
    const fn new(access: Access) -> Self {
        Self {
            access,
            body_limit: JSON_LIMIT,
            counted: !matches!(access, Access::Probe),
        }
    }

    /// The same for bodies that carry a catalog.
    #[must_use]
    pub const fn with_catalog(self) -> Self {
        Self {
            body_limit: JSON_LIMIT_CATALOG,
            ..self
        }
    }

    /// The same for reads that must get through when much comes in.
    #[must_use]
    pub const fn uncounted(self) -> Self {
        Self {
            counted: false,
            ..self
        }
    }
}
