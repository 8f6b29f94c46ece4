//! The one way to make an outgoing HTTP client: with time-outs, and without following redirects,
//! which could carry a bearer token to another host.

use std::time::Duration;

/// Time to open a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a call that says nothing else.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// A client with time-outs.
///
/// # Errors
/// When the TLS provider or the system's certificates cannot be used.
pub fn build() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(DEFAULT_TIMEOUT)
        .pool_idle_timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("aam/", env!("CARGO_PKG_VERSION")))
        .build()
}
