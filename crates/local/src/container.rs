//! Whether this process runs in a container, where `localhost` is not what people mean by it.

use std::path::Path;

/// What to add to "cannot be reached" for an address on this host.
pub fn hint(host: &str) -> &'static str {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    if is_loopback && is_container() {
        " (inside a container that is the container itself; the machine around it is host.docker.internal)"
    } else {
        ""
    }
}

/// Docker and Podman each leave a file.
fn is_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"]
        .iter()
        .any(|file| Path::new(file).exists())
}
