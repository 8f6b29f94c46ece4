//! What handlers and flows share.

use std::sync::Arc;

use service_kit::Runtime;
use shared::airbyte::Airbyte;
use shared::registry::Registry;

/// What handlers and flows share.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) registry: Registry,
    pub(crate) airbyte: Airbyte,
    pub(crate) runtime: Runtime,
    /// This process's name in leases.
    pub(crate) owner: Arc<str>,
}
