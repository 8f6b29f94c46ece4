//! The properties that the specifications of these connectors have in common.

use serde_json::{Value, json};

/// Host, port, database, user, password.
pub(crate) fn connection_properties(
    port: u16,
    jdbc_parameters: &str,
) -> serde_json::Map<String, Value> {
    let properties = json!({
        "host": {
            "title": "Host", "type": "string", "order": 0, "minLength": 1,
            "description": "Name or address of the database server.",
        },
        "port": {
            "title": "Port", "type": "integer", "order": 1,
            "minimum": 0, "maximum": 65536, "default": port, "examples": [port.to_string()],
            "description": "Port of the database server.",
        },
        "database": {
            "title": "Database Name", "type": "string", "order": 2, "minLength": 1,
            "description": "Name of the database.",
        },
        "username": {
            "title": "Username", "type": "string", "order": 4, "minLength": 1,
            "description": "The user to connect as.",
        },
        "password": {
            "title": "Password", "type": "string", "order": 5, "airbyte_secret": true,
            "description": "The user's password.",
        },
        "jdbc_url_params": {
            "title": "JDBC URL Parameters", "type": "string", "order": 6,
            "description": format!("Parameters as in a JDBC URL, parted by &; known are {jdbc_parameters}."),
        },
        "tunnel_method": {
            "title": "SSH Tunnel Method", "type": "object", "order": 10,
            "description": "Only connections without a tunnel are supported.",
            "oneOf": [{
                "title": "No Tunnel",
                "required": ["tunnel_method"],
                "properties": { "tunnel_method": { "type": "string", "const": "NO_TUNNEL", "order": 0 } },
            }],
        },
    });
    match properties {
        Value::Object(members) => members,
        _ => serde_json::Map::new(),
    }
}

/// A way of encrypting that verifies nothing.
pub(crate) fn plain(mode: &str, description: &str) -> Value {
    json!({
        "title": mode, "description": description, "additionalProperties": true,
        "required": ["mode"],
        "properties": { "mode": { "type": "string", "const": mode, "order": 0 } },
    })
}

/// A way of encrypting that verifies the server's certificate.
pub(crate) fn verifying(mode: &str, description: &str) -> Value {
    let pem = |title: &str, description: &str, order: u8| {
        json!({
            "title": title, "description": description, "type": "string",
            "airbyte_secret": true, "multiline": true, "order": order,
        })
    };
    json!({
        "title": mode, "description": description, "additionalProperties": true,
        "required": ["mode", "ca_certificate"],
        "properties": {
            "mode": { "type": "string", "const": mode, "order": 0 },
            "ca_certificate": pem("CA Certificate", "Certificates that are trusted, as PEM.", 1),
            "client_certificate": pem("Client Certificate", "The client's certificate, as PEM.", 2),
            "client_key": pem("Client Key", "The client's key, as PEM, not encrypted.", 3),
        },
    })
}

/// How the connection is encrypted.
pub(crate) fn ssl_mode(order: u8, modes: &[Value]) -> Value {
    json!({
        "title": "SSL Modes", "type": "object", "order": order,
        "description": "How the connection is encrypted, and what is verified.",
        "oneOf": modes,
    })
}
