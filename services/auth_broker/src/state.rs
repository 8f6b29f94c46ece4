//! What handlers share.

use std::sync::Arc;

use service_kit::Runtime;

use crate::domain::environment::EnvironmentCredentials;
use crate::store::Vault;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) vault: Vault,
    pub(crate) environment: Arc<EnvironmentCredentials>,
    pub(crate) runtime: Runtime,
}
