//! Specifications for tests: small ones with the structure of real connectors, both ways to write a
//! constant, and those of the native connectors without their descriptions.

use serde_json::{Value, json};

use super::super::ActorKind;

/// A connector's specification and its kind.
pub(super) struct Specified {
    pub(super) role: ActorKind,
    pub(super) type_name: &'static str,
    pub(super) specification: Value,
}

fn specified(role: ActorKind, type_name: &'static str, specification: Value) -> Specified {
    Specified {
        role,
        type_name,
        specification,
    }
}

pub(super) fn all() -> Vec<Specified> {
    use ActorKind::{Destination, Source};
    vec![
        specified(Source, "mysql", mysql()),
        specified(Source, "mysql", native("source-mysql")),
        specified(Source, "postgres", postgres()),
        specified(Source, "postgres", native("source-postgres")),
        specified(Source, "mssql", mssql()),
        specified(Source, "mongodb", mongodb("databases")),
        specified(Source, "mongodb", mongodb("database")),
        specified(Source, "kafka", kafka()),
        specified(Source, "s3", s3_source()),
        specified(Destination, "postgres", postgres_destination()),
        specified(Destination, "postgres", native("destination-postgres")),
        specified(Destination, "s3", s3_destination()),
        specified(Destination, "s3", native("destination-s3")),
    ]
}

pub(super) fn native(image: &str) -> Value {
    let text = match image {
        "source-mysql" => include_str!("native/source-mysql.json"),
        "source-postgres" => include_str!("native/source-postgres.json"),
        "destination-postgres" => include_str!("native/destination-postgres.json"),
        _ => include_str!("native/destination-s3.json"),
    };
    serde_json::from_str(text).unwrap()
}

fn server(required: &[&str], further: Value) -> Value {
    let mut properties = json!({
        "host": {"type": "string"},
        "port": {"type": "integer", "minimum": 0, "maximum": 65536},
        "database": {"type": "string"},
        "username": {"type": "string"},
        "password": {"type": "string", "airbyte_secret": true}});
    for (name, property) in further.as_object().unwrap() {
        properties[name] = property.clone();
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": true,
        "required": required,
        "properties": properties})
}

/// As one toolchain writes it: a single-element `enum` and a default.
fn one(constant: &str) -> Value {
    json!({"type": "string", "enum": [constant], "default": constant})
}

fn certificates(mode: &str) -> Value {
    json!({"required": ["mode", "ca_certificate"], "properties": {
        "mode": one(mode),
        "ca_certificate": {"type": "string", "airbyte_secret": true},
        "client_key": {"type": "string", "airbyte_secret": true}}})
}

fn ssl_mode(plain: &str, verified: &str) -> Value {
    json!({"type": "object", "oneOf": [
        {"required": ["mode"], "properties": {"mode": one(plain)}},
        certificates(verified)]})
}

fn methods(standard: &str) -> Value {
    json!({"type": "object", "oneOf": [
        {"required": ["method"], "properties": {"method": one(standard)}},
        {"required": ["method", "replication_slot"], "properties": {
            "method": one("CDC"),
            "replication_slot": {"type": "string", "minLength": 1}}}]})
}

fn tunnel() -> Value {
    json!({"type": "object", "oneOf": [
        {"required": ["tunnel_method"], "properties": {"tunnel_method": {"const": "NO_TUNNEL"}}},
        {"required": ["tunnel_method", "tunnel_host", "ssh_key"], "properties": {
            "tunnel_method": {"const": "SSH_KEY_AUTH"},
            "tunnel_host": {"type": "string"},
            "ssh_key": {"type": "string", "airbyte_secret": true}}}]})
}

pub(super) fn mysql() -> Value {
    server(
        &["host", "port", "database", "username", "replication_method"],
        json!({
            "replication_method": methods("STANDARD"),
            "ssl_mode": ssl_mode("preferred", "verify_ca")}),
    )
}

pub(super) fn postgres() -> Value {
    server(
        &[
            "host",
            "port",
            "database",
            "username",
            "tunnel_method",
            "replication_method",
        ],
        json!({
            "schemas": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
            "replication_method": methods("Standard"),
            "ssl_mode": ssl_mode("require", "verify-ca"),
            "tunnel_method": tunnel()}),
    )
}

fn mssql() -> Value {
    server(
        &["host", "port", "database", "replication_method"],
        json!({
            "schemas": {"type": "array", "items": {"type": "string"}},
            "replication_method": methods("STANDARD")}),
    )
}

fn postgres_destination() -> Value {
    server(
        &["host", "port", "database", "schema", "username"],
        json!({
            "schema": {"type": "string", "default": "public"},
            "ssl_mode": ssl_mode("disable", "verify-ca"),
            "tunnel_method": tunnel()}),
    )
}

/// `databases` in newer versions, `database` in older ones.
pub(super) fn mongodb(database: &str) -> Value {
    let cluster = |cluster_type: &str, required: &[&str]| {
        let databases = match database {
            "databases" => json!({"type": "array", "items": {"type": "string"}, "minItems": 1}),
            _ => json!({"type": "string"}),
        };
        let mut wanted = vec!["cluster_type", "connection_string", database];
        wanted.extend(required);
        json!({"required": wanted, "additionalProperties": true, "properties": {
            "cluster_type": {"type": "string", "const": cluster_type},
            "connection_string": {"type": "string"},
            database: databases,
            "username": {"type": "string"},
            "password": {"type": "string", "airbyte_secret": true},
            "auth_source": {"type": "string", "default": "admin"},
            "schema_enforced": {"type": "boolean", "default": true}}})
    };
    json!({
        "type": "object",
        "required": ["database_config"],
        "properties": {
            "database_config": {"type": "object", "oneOf": [
                cluster("ATLAS_REPLICA_SET", &["username", "password", "auth_source"]),
                cluster("SELF_MANAGED_REPLICA_SET", &[])]},
            "queue_size": {"type": "integer", "default": 10000}}})
}

pub(super) fn kafka() -> Value {
    json!({
        "type": "object",
        "required": ["bootstrap_servers", "subscription", "protocol"],
        "properties": {
            "bootstrap_servers": {"type": "string"},
            "group_id": {"type": "string"},
            "subscription": {"type": "object", "oneOf": [
                {"required": ["subscription_type", "topic_partitions"], "properties": {
                    "subscription_type": {"const": "assign"},
                    "topic_partitions": {"type": "string"}}},
                {"required": ["subscription_type", "topic_pattern"], "properties": {
                    "subscription_type": {"const": "subscribe"},
                    "topic_pattern": {"type": "string"}}}]},
            "protocol": {"type": "object", "oneOf": [
                {"required": ["security_protocol"], "properties": {
                    "security_protocol": {"const": "PLAINTEXT"}}},
                {"required": ["security_protocol", "sasl_jaas_config"], "properties": {
                    "security_protocol": {"const": "SASL_SSL"},
                    "sasl_jaas_config": {"type": "string", "airbyte_secret": true}}}]},
            "MessageFormat": {"type": "object", "oneOf": [
                {"properties": {"deserialization_type": {"const": "JSON"}}},
                {"properties": {
                    "deserialization_type": {"const": "AVRO"},
                    "schema_registry_password": {"type": "string", "airbyte_secret": true}}}]}}})
}

pub(super) fn s3_source() -> Value {
    let format = |filetype: &str| {
        json!({"required": ["filetype"], "properties": {
        "filetype": {"type": "string", "const": filetype, "default": filetype},
        "delimiter": {"type": "string"}}})
    };
    json!({
        "type": "object",
        "required": ["streams", "bucket"],
        "properties": {
            "bucket": {"type": "string"},
            "region_name": {"type": "string"},
            "endpoint": {"type": "string", "default": ""},
            "aws_access_key_id": {"type": "string", "airbyte_secret": true},
            "aws_secret_access_key": {"type": "string", "airbyte_secret": true},
            "streams": {"type": "array", "items": {
                "type": "object",
                "required": ["name", "format"],
                "properties": {
                    "name": {"type": "string"},
                    "globs": {"type": "array", "items": {"type": "string"}},
                    "format": {"type": "object", "oneOf": [
                        format("avro"), format("csv"), format("jsonl"), format("parquet"),
                        format("excel")]}}}}}})
}

pub(super) fn s3_destination() -> Value {
    let codec = |name: &str| {
        json!({
        "required": ["codec"], "properties": {"codec": one(name)}})
    };
    json!({
        "type": "object",
        "additionalProperties": true,
        "required": ["s3_bucket_name", "s3_bucket_path", "s3_bucket_region", "format"],
        "properties": {
            "access_key_id": {"type": "string", "airbyte_secret": true},
            "secret_access_key": {"type": "string", "airbyte_secret": true},
            "s3_bucket_name": {"type": "string"},
            "s3_bucket_path": {"type": "string"},
            "s3_bucket_region": {"type": "string", "enum": ["", "us-east-1", "eu-west-1"]},
            "s3_endpoint": {"type": "string"},
            "format": {"type": "object", "oneOf": [
                {"required": ["format_type", "flattening"], "properties": {
                    "format_type": one("CSV"),
                    "flattening": {"enum": ["No flattening", "Root level flattening"]}}},
                {"required": ["format_type"], "properties": {"format_type": one("JSONL")}},
                {"required": ["format_type", "compression_codec"], "properties": {
                    "format_type": one("Avro"),
                    "compression_codec": {"oneOf": [codec("no compression"), codec("snappy")]}}},
                {"required": ["format_type"], "properties": {
                    "format_type": one("Parquet"),
                    "compression_codec": {"enum": ["SNAPPY", "ZSTD"]}}}]}}})
}
