//! The MongoDB source: all members are in `database_config`, and host and port in its connection
//! string.

use std::net::Ipv6Addr;

use serde_json::{Map, Value};

use super::ActorKind;
use super::build::Builder;
use super::places;
use super::table::{Connector, Field, Scalar};

const CONNECTION_STRING: &str = "database_config.connection_string";
const CLUSTER_TYPE: &str = "database_config.cluster_type";
const PORT: i64 = 27017;

pub(super) static SOURCE: Connector = Connector {
    role: ActorKind::Source,
    type_name: "mongodb",
    fields: &[
        Field::text(
            "host",
            &[CONNECTION_STRING],
            "Name or address of the server. It or `connection_string` is needed.",
        )
        .part(),
        Field::integer("port", &[], "Port of the server at `host`.")
            .or(Scalar::Integer(PORT))
            .part(),
        Field::text(
            "connection_string",
            &[CONNECTION_STRING],
            "Instead of `host` and `port`, for several hosts and for Atlas (`mongodb+srv://…`).",
        ),
        Field::text(
            "database",
            &["database_config.databases[]", "database_config.database"],
            "Name of the database.",
        )
        .required(),
        Field::text(
            "username",
            &["database_config.username"],
            "The user to connect as; required by Atlas.",
        ),
        Field::text(
            "password",
            &["database_config.password"],
            "The user's password.",
        )
        .secret(),
        Field::text(
            "auth_source",
            &["database_config.auth_source"],
            "The database that authenticates the user.",
        )
        .or(Scalar::Text("admin")),
    ],
    added: &[],
    parts: Some((compose, decompose)),
};

fn compose(parts: &Map<String, Value>, builder: &mut Builder<'_>) {
    let host = parts.get("host").and_then(Value::as_str);
    let port = parts.get("port").and_then(Value::as_i64);
    match (host, port) {
        (Some(host), port) => match connection_string(host, port.unwrap_or(PORT)) {
            Ok(text) => builder.put(CONNECTION_STRING, text.into(), "host", true),
            Err((name, wrong)) => builder.fault(name, wrong),
        },
        (None, Some(_)) => builder.fault(
            "port",
            "is only valid with `host`, which is missing; a `connection_string` contains its own \
             ports",
        ),
        (None, None) => {}
    }
    let given = places::get(&builder.real, CONNECTION_STRING).and_then(Value::as_str);
    let cluster_type = cluster_type(given.unwrap_or_default());
    builder.add(CLUSTER_TYPE, cluster_type.into());
}

fn decompose(rest: &mut Map<String, Value>, short: &mut Map<String, Value>) {
    let Some(text) = places::get(rest, CONNECTION_STRING).and_then(Value::as_str) else {
        return;
    };
    let text = text.to_owned();
    if places::get(rest, CLUSTER_TYPE).and_then(Value::as_str) == Some(cluster_type(&text)) {
        places::remove(rest, CLUSTER_TYPE);
    }
    if let Some((host, port)) = host_and_port(&text) {
        places::remove(rest, CONNECTION_STRING);
        short.insert("host".to_owned(), host.into());
        short.insert("port".to_owned(), port.into());
    }
}

/// Names under `mongodb+srv` are those of Atlas.
fn cluster_type(connection_string: &str) -> &'static str {
    if connection_string.trim_start().starts_with("mongodb+srv://") {
        "ATLAS_REPLICA_SET"
    } else {
        "SELF_MANAGED_REPLICA_SET"
    }
}

fn connection_string(host: &str, port: i64) -> Result<String, (&'static str, &'static str)> {
    if host.contains("://") {
        return Err((
            "host",
            "is a connection string: set it as `connection_string`",
        ));
    }
    if !(1..=65535).contains(&port) {
        return Err(("port", "must be 1 to 65535"));
    }
    let bare = (host.strip_prefix('['))
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    if bare.parse::<Ipv6Addr>().is_ok() {
        return Ok(format!("mongodb://[{bare}]:{port}/"));
    }
    let foreign = |c: char| "/?#@,:[]\\%".contains(c) || c.is_whitespace() || c.is_control();
    if host.is_empty() || host.contains(foreign) {
        return Err((
            "host",
            "must be the name or address of one server; set the port in `port`, several servers \
             in `connection_string`",
        ));
    }
    Ok(format!("mongodb://{host}:{port}/"))
}

/// Parses exactly what [`connection_string`] produces.
fn host_and_port(text: &str) -> Option<(String, i64)> {
    let (host, port) = (text.strip_prefix("mongodb://")?.strip_suffix('/')?).rsplit_once(':')?;
    let port = port.parse().ok()?;
    let bare = (host.strip_prefix('['))
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    (connection_string(bare, port).as_deref() == Ok(text)).then(|| (bare.to_owned(), port))
}
