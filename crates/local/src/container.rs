//! Detects whether this process runs in a container, where `localhost` does not mean what people
//! expect.

use std::path::Path;

/// A hint for "cannot be reached" errors about an address on this host.
pub fn hint(host: &str) -> &'static str {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    if is_loopback && is_container() {
        " (inside a container this is the container itself; the host is host.docker.internal)"
    } else {
        ""
    }
}

/// Docker and Podman each leave a marker file.
fn is_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"]
        .iter()
        .any(|file| Path::new(file).exists())
}
