//! The only constructor of HTTP clients: they have timeouts and do not follow redirects, which
//! could carry a bearer token to another host.
//!
//! No client obeys `HTTP_PROXY`, `HTTPS_PROXY` or `ALL_PROXY`, because a proxy meant for other
//! programs would receive AAM's keys and tokens. A proxy for Airbyte has its own setting.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{ClientBuilder, NoProxy, Proxy};
use url::{Host, Url};

/// Timeout for opening a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout of a call that does not set one.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Creates a client that connects directly, ignoring any proxy.
///
/// # Errors
/// Returns an error if the TLS provider or the system's certificates cannot be used.
pub fn build() -> Result<reqwest::Client, reqwest::Error> {
    builder().build()
}

/// Creates a client that uses `proxy`, except for this machine.
///
/// # Errors
/// Returns an error if the proxy's URL cannot be used, or in the cases of [`build`].
pub fn through(proxy: &Url) -> Result<reqwest::Client, reqwest::Error> {
    let exempt = NoProxy::from_string("localhost,127.0.0.0/8,::1");
    let proxy = Proxy::all(proxy.clone())?.no_proxy(exempt);
    builder().proxy(proxy).build()
}

/// Creates a client for `target` only, which is sent no secrets: it uses the environment's proxies
/// unless the target is on an internal network.
///
/// # Errors
/// As [`build`].
pub fn for_public(target: &Url) -> Result<reqwest::Client, reqwest::Error> {
    if is_internal(target) {
        return build();
    }
    timed().build()
}

/// A builder for further configuration; it ignores proxies as well.
pub fn builder() -> ClientBuilder {
    timed().no_proxy()
}

#[expect(clippy::disallowed_methods, reason = "clients are created here")]
fn timed() -> ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(DEFAULT_TIMEOUT)
        .pool_idle_timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("aam/", env!("CARGO_PKG_VERSION")))
}

/// Whether an address belongs to this machine or a private network: a loopback, private or
/// link-local address, a name without a dot, or a reserved name.
pub fn is_internal(url: &Url) -> bool {
    let address = match url.host() {
        None => return true,
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let reserved = ["localhost", "local", "internal", "lan", "home.arpa"];
            return !name.contains('.')
                || reserved.iter().any(|last| {
                    name.strip_suffix(last)
                        .is_some_and(|first| first.ends_with('.'))
                });
        }
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => address
            .to_ipv4_mapped()
            .map_or(IpAddr::V6(address), IpAddr::V4),
    };
    match address {
        IpAddr::V4(address) => {
            // Customers of one provider share 100.64.0.0/10 (RFC 6598).
            let is_shared = address.octets()[0] == 100 && address.octets()[1] & 0xc0 == 64;
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_unspecified()
                || is_shared
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinguishes_internal_addresses_from_public_ones() {
        for (url, expected) in [
            ("http://127.0.0.1:8001", true),
            ("http://[::1]:8001", true),
            ("http://[::ffff:10.0.0.1]", true),
            ("http://10.1.2.3", true),
            ("http://192.168.0.4:4318", true),
            ("http://172.17.0.1", true),
            ("http://169.254.1.1", true),
            ("http://100.100.0.1", true),
            ("http://[fd00::2]", true),
            ("http://orchestrator:8001", true),
            ("http://LOCALHOST.:1", true),
            ("http://host.docker.internal:4318", true),
            ("http://otel.svc.cluster.local:4318", true),
            ("https://api.honeycomb.example", false),
            ("https://internal.example.com", false),
            ("http://8.8.8.8", false),
            ("http://100.1.0.1", false),
            ("http://[2001:db8::1]", false),
        ] {
            assert_eq!(is_internal(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
