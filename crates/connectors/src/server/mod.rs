//! What connectors to database servers share: their configuration and its specification.

mod certificates;
mod settings;
mod spec;

pub(crate) use certificates::{Certificates, distrust};
pub(crate) use settings::Settings;
pub(crate) use spec::{connection_properties, plain, ssl_mode, verifying};

use std::time::Duration;

use crate::failure::Failure;

/// How long connecting may take when nothing else is configured.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads a time-out in so many units, of which 1 to 600 seconds are possible.
pub(crate) fn connect_timeout(value: &str, unit: Duration) -> Result<Duration, Failure> {
    let timeout = value.parse().ok().and_then(|n| unit.checked_mul(n));
    let seconds = Duration::from_secs(1)..=Duration::from_secs(600);
    timeout.filter(|t| seconds.contains(t)).ok_or_else(|| {
        Failure::config("\"jdbc_url_params\": connectTimeout has to be 1 to 600 seconds")
    })
}
