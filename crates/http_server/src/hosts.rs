//! The host names that a server accepts. A page in a browser can make it send requests to any
//! address under any name, but cannot choose the headers `Host` and `Origin`.

use std::net::{IpAddr, Ipv6Addr};

use url::Url;

/// The host names that a server accepts: loopback names, its bind address and the configured ones.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// In lower case, with or without a port.
    names: Vec<String>,
}

impl Hosts {
    /// The names of a server that listens on `bind` and is configured with `allowed`.
    pub fn new(bind: &str, allowed: &[String]) -> Self {
        let names = allowed.iter().map(String::as_str).chain([bind]);
        Self {
            names: names.map(str::to_lowercase).collect(),
        }
    }

    /// Whether the value of a `Host` header, with or without a port, names this server.
    pub fn knows(&self, host: &str) -> bool {
        let host = host.to_lowercase();
        let Some(name) = name_of(&host) else {
            return false;
        };
        is_loopback(name)
            || self
                .names
                .iter()
                .any(|known| *known == name || *known == host)
    }

    /// Whether the value of an `Origin` header names a page of this server.
    pub fn knows_origin(&self, origin: &str) -> bool {
        let Ok(url) = Url::parse(origin) else {
            return false;
        };
        let plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && !origin.contains('@');
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        plain && authority.is_some_and(|authority| self.knows(authority.trim_end_matches('/')))
    }
}

/// Whether a name or an address belongs to this machine.
pub fn is_loopback(name: &str) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The name of a host with or without a port (RFC 9110, 7.2); none if it is malformed.
fn name_of(host: &str) -> Option<&str> {
    if let Some(rest) = host.strip_prefix('[') {
        let (name, port) = rest.split_once(']')?;
        let is_address = name.parse::<Ipv6Addr>().is_ok();
        return (is_address && (port.is_empty() || is_port(port.strip_prefix(':')?)))
            .then_some(name);
    }
    if host.parse::<Ipv6Addr>().is_ok() {
        return Some(host);
    }
    let (name, port) = match host.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    (is_name && port.is_none_or(is_port)).then_some(name)
}

fn is_port(text: &str) -> bool {
    // A port may be missing after its colon.
    text.is_empty()
        || (text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        Hosts::new("192.0.2.7", &["Airbyte".into(), "proxy:8443".into()])
    }

    #[test]
    fn accepts_loopback_the_bind_address_and_configured_names() {
        for known in [
            "localhost",
            "LOCALHOST:8000",
            "localhost:",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:8000",
            "[::1]",
            "::1",
            "app.localhost",
            "192.0.2.7:8000",
            "airbyte:8000",
            "AIRBYTE",
            "proxy:8443",
        ] {
            assert!(hosts().knows(known), "{known}");
        }
    }

    #[test]
    fn rejects_everything_else() {
        for foreign in [
            "evil.example",
            "localhost.evil.example",
            "localhost:1@evil.example",
            "localhost@evil.example",
            "localhost:80:80",
            "localhost:http",
            "localhost:99999",
            "localhost/evil",
            "localhost evil",
            "[::1]evil.example",
            "[::1]:80@evil.example",
            "[localhost]",
            "[::1",
            "192.0.2.8",
            "proxy:1",
            "",
            ":80",
        ] {
            assert!(!hosts().knows(foreign), "{foreign}");
            assert!(
                !hosts().knows_origin(&format!("http://{foreign}")),
                "{foreign}"
            );
        }
    }

    #[test]
    fn an_origin_is_a_scheme_and_an_accepted_host() {
        for known in [
            "http://localhost",
            "https://localhost:8001",
            "http://[::1]:8001",
        ] {
            assert!(hosts().knows_origin(known), "{known}");
        }
        for foreign in [
            "null",
            "",
            "localhost",
            "file://",
            "file://localhost",
            "http://localhost:80@evil.example",
            "http://user@localhost",
            "http://@localhost",
            "chrome-extension://localhost",
        ] {
            assert!(!hosts().knows_origin(foreign), "{foreign}");
        }
    }
}
