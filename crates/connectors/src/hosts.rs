//! Which servers the native connectors may connect to. An installation whose operators are not its
//! administrators lists them, so that an operator's key does not reach internal services.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Url;

use crate::failure::Failure;

/// The variable with the list, for programs that start connectors.
pub const VARIABLE: &str = "AAM_CONNECTOR_HOSTS";

/// Hosts that connectors may connect to.
#[derive(Debug)]
pub struct AllowedHosts(Vec<Allowed>);

#[derive(Debug, PartialEq, Eq)]
enum Allowed {
    Name(String),
    /// `*.example.com`: every name below, not the name itself. Kept with its leading dot.
    Below(String),
    Network(IpNet),
}

impl AllowedHosts {
    /// Reads a list with commas of names (`db.example.com`, `*.example.com`), addresses and networks
    /// (`10.1.0.0/16`).
    ///
    /// # Errors
    /// The first entry that is none of these.
    pub fn parse(list: &str) -> Result<Self, String> {
        let entries = list.split(',').map(str::trim);
        let entries = entries.filter(|entry| !entry.is_empty());
        entries
            .map(|entry| Allowed::parse(entry).ok_or_else(|| entry.to_owned()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The list that this process was given; without one, every host is allowed.
    fn from_environment() -> Result<Option<Self>, Failure> {
        let Some(list) = std::env::var_os(VARIABLE) else {
            return Ok(None);
        };
        let list = list.to_string_lossy();
        Self::parse(&list).map(Some).map_err(|entry| {
            Failure::config(format!(
                "{VARIABLE}: {entry:?} is not a host name, an address or a network"
            ))
        })
    }

    /// Whether the list names the host itself.
    fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.0.iter().any(|allowed| match allowed {
            Allowed::Name(name) => *name == host,
            Allowed::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            Allowed::Network(_) => false,
        })
    }

    fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|allowed| match allowed {
            Allowed::Network(network) => network.contains(&address),
            Allowed::Name(_) | Allowed::Below(_) => false,
        })
    }

    /// Whether connections to the host are allowed: its name is listed, or each of its addresses is in
    /// a listed network.
    async fn permit(&self, host: &str, port: u16) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.contains(address);
        }
        if self.names(host) {
            return true;
        }
        let Ok(addresses) = tokio::net::lookup_host((host, port)).await else {
            return false;
        };
        let mut addresses = addresses.peekable();
        addresses.peek().is_some() && addresses.all(|address| self.contains(address.ip()))
    }
}

impl Allowed {
    fn parse(entry: &str) -> Option<Self> {
        let bare = entry.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Self::Network(IpNet::from(address)));
        }
        if entry.contains('/') {
            return entry.parse().ok().map(Self::Network);
        }
        let name = entry.trim_end_matches('.').to_ascii_lowercase();
        let (below, labels) = match name.strip_prefix("*.") {
            Some(labels) => (true, labels),
            None => (false, name.as_str()),
        };
        let is_label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if !labels.split('.').all(is_label) {
            return None;
        }
        Some(if below {
            Self::Below(format!(".{labels}"))
        } else {
            Self::Name(name)
        })
    }
}

/// Refuses a host that this installation does not allow. `property` is where the configuration names
/// it.
///
/// # Errors
/// The host is not allowed, or the list is malformed.
pub(crate) async fn permit(property: &str, host: &str, port: u16) -> Result<(), Failure> {
    match AllowedHosts::from_environment()? {
        Some(allowed) if !allowed.permit(host, port).await => Err(Failure::config(format!(
            "\"{property}\": connectors of this installation may not connect to {host}; an \
             administrator adds it to {VARIABLE}"
        ))),
        _ => Ok(()),
    }
}

/// [`permit`] for the host of a URL.
///
/// # Errors
/// Those of [`permit`]; with a list, also a URL without a host.
pub(crate) async fn permit_url(property: &str, url: &str) -> Result<(), Failure> {
    let parsed = Url::parse(url).ok();
    let host = parsed.as_ref().and_then(Url::host_str).unwrap_or_default();
    let port = parsed.as_ref().and_then(Url::port_or_known_default);
    permit(property, host, port.unwrap_or(443)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn permitted(list: &str, host: &str) -> bool {
        AllowedHosts::parse(list).unwrap().permit(host, 5432).await
    }

    #[tokio::test]
    async fn names_match_whole_and_wildcards_match_what_is_below() {
        let list = "db.example.com, *.internal.example.com";
        for host in [
            "db.example.com",
            "DB.Example.COM.",
            "a.internal.example.com",
        ] {
            assert!(permitted(list, host).await, "{host}");
        }
        for host in [
            "example.com",
            "xdb.example.com",
            "db.example.com.invalid",
            "internal.example.com",
            "xinternal.example.com",
            "",
            "/var/run/postgresql",
        ] {
            assert!(!permitted(list, host).await, "{host}");
        }
    }

    #[tokio::test]
    async fn networks_match_addresses_however_they_are_written() {
        let list = "10.1.0.0/16,192.0.2.7,2001:db8::/32,[::1]";
        for host in [
            "10.1.255.1",
            "192.0.2.7",
            "2001:db8::9",
            "[2001:db8::9]",
            "::1",
            "::ffff:10.1.2.3",
        ] {
            assert!(permitted(list, host).await, "{host}");
        }
        for host in [
            "10.2.0.1",
            "192.0.2.8",
            "127.0.0.1",
            "::ffff:127.0.0.1",
            "2001:db9::1",
        ] {
            assert!(!permitted(list, host).await, "{host}");
        }
    }

    #[tokio::test]
    async fn a_name_is_allowed_when_all_its_addresses_are() {
        assert!(permitted("127.0.0.0/8,::1", "localhost").await);
        assert!(!permitted("192.0.2.0/24", "localhost").await);
        assert!(
            !permitted("", "localhost").await,
            "an empty list allows none"
        );
    }

    #[test]
    fn entries_that_are_not_hosts_are_rejected() {
        for entry in [
            "10.0.0.0/33",
            "a b",
            "*",
            "*.",
            "http://a",
            "a..b",
            "-/8",
            "a:5432",
        ] {
            assert_eq!(AllowedHosts::parse(entry).unwrap_err(), entry);
        }
    }
}
