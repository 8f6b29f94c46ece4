//! The one way to make an outgoing HTTP client: with time-outs, and without following redirects,
//! which could carry a bearer token to another host.
//!
//! No client obeys `HTTP_PROXY`, `HTTPS_PROXY` or `ALL_PROXY`: whoever set them for other programs
//! would be handed AAM's keys and tokens. A proxy on the way to Airbyte is a setting of its own.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{ClientBuilder, NoProxy, Proxy};
use url::{Host, Url};

/// Time to open a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a call that says nothing else.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// A client that connects to the addresses it is given, past any proxy.
///
/// # Errors
/// When the TLS provider or the system's certificates cannot be used.
pub fn build() -> Result<reqwest::Client, reqwest::Error> {
    builder().build()
}

/// A client that goes through `proxy`, except to this machine.
///
/// # Errors
/// When the proxy's URL cannot be used, or as [`build`].
pub fn through(proxy: &Url) -> Result<reqwest::Client, reqwest::Error> {
    let exempt = NoProxy::from_string("localhost,127.0.0.0/8,::1");
    let proxy = Proxy::all(proxy.clone())?.no_proxy(exempt);
    builder().proxy(proxy).build()
}

/// A client for `target` alone, to which nothing secret is sent: through the environment's proxies,
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

/// A client to be configured further; it passes any proxy as well.
pub fn builder() -> ClientBuilder {
    timed().no_proxy()
}

#[expect(clippy::disallowed_methods, reason = "this is where clients are made")]
fn timed() -> ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(DEFAULT_TIMEOUT)
        .pool_idle_timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("aam/", env!("CARGO_PKG_VERSION")))
}

/// Whether an address is of this machine or of a network that only its owner reaches: a loopback,
/// private or link-local address, a name without a dot, or one of the names reserved for it.
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
            // 100.64.0.0/10 is shared by the customers of one provider (RFC 6598).
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
    fn internal_addresses_are_told_from_public_ones() {
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
