//! What a route requires of its caller, declared together with the route.

use contracts::Role;

use crate::body::{JSON_LIMIT, JSON_LIMIT_CATALOG};

/// Second location of the ingestion API.
pub const INGESTION_PREFIX: &str = "/api/v1/airbyte";

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Probes: any caller, with any host name.
    Probe,
    /// Any caller who uses one of the service's host names.
    Public,
    /// Callers with a key of at least this role.
    Role(Role),
    /// Only services of this installation.
    Service,
}

/// What a route requires of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Who may call.
    pub access: Access,
    /// Maximum bytes of a body.
    pub body_limit: usize,
    /// Whether calls count against the rate limit and the limit on concurrent requests.
    pub counted: bool,
}

/// Open to probes.
pub const PROBE: Policy = Policy::new(Access::Probe);
/// Open to every caller.
pub const PUBLIC: Policy = Policy::new(Access::Public);
/// Open to every key.
pub const VIEWER: Policy = Policy::new(Access::Role(Role::Viewer));
/// Open to keys of operators and admins.
pub const OPERATOR: Policy = Policy::new(Access::Role(Role::Operator));
/// Open to keys of admins.
pub const ADMIN: Policy = Policy::new(Access::Role(Role::Admin));
/// Open to services of this installation.
pub const SERVICE: Policy = Policy::new(Access::Service);

impl Policy {
    const fn new(access: Access) -> Self {
        Self {
            access,
            body_limit: JSON_LIMIT,
            counted: !matches!(access, Access::Probe),
        }
    }

    /// As `self`, for bodies that contain a catalog.
    #[must_use]
    pub const fn with_catalog(self) -> Self {
        Self {
            body_limit: JSON_LIMIT_CATALOG,
            ..self
        }
    }

    /// As `self`, for reads that must get through under load.
    #[must_use]
    pub const fn uncounted(self) -> Self {
        Self {
            counted: false,
            ..self
        }
    }
}
