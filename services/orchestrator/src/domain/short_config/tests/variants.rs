//! Faults where a schema has variants.

use serde_json::{Value, json};

use super::assert_faults;
use super::specifications::{mysql, native, s3_destination};
use crate::domain::short_config::ActorKind::{Destination, Source};

#[test]
fn distinguishes_variants() {
    let of = (Source, "mysql");
    let with = |name: &str, value: Value| {
        let mut config = json!({"host": "h", "database": "d", "username": "u"});
        config[name] = value;
        config
    };
    let specification = native("source-mysql");
    let modes = "`mode` is not one of `preferred`, `required`, `verify_ca`, `verify_identity`";
    assert_faults(
        of,
        &specification,
        with("ssl_mode", json!({"mode": "on"})),
        &[("config.ssl_mode", modes)],
    );
    assert_faults(
        of,
        &specification,
        with("ssl_mode", json!({})),
        &[(
            "config.ssl_mode.mode",
            "is required: one of `preferred`, `required`, `verify_ca`, `verify_identity`",
        )],
    );
    assert_faults(
        of,
        &specification,
        with("ssl_mode", json!({"mode": "verify_ca", "client_key": 5})),
        &[
            ("config.ssl_mode.ca_certificate", "is required"),
            (
                "config.ssl_mode.client_key",
                "the value is not of type \"string\"",
            ),
        ],
    );
    assert_faults(
        of,
        &specification,
        with("ssl_mode", json!("on")),
        &[("config.ssl_mode", "the value is not of type \"object\"")],
    );
    assert_faults(
        of,
        &mysql(),
        with(
            "replication_method",
            json!({"method": "CDC", "replication_slot": ""}),
        ),
        &[(
            "config.replication_method.replication_slot",
            "the value is shorter than 1 character",
        )],
    );
    assert_faults(
        (Destination, "s3"),
        &s3_destination(),
        json!({"bucket_name": "b", "bucket_region": "", "format": {"format_type": "Avro", "compression_codec": {"codec": "zip"}}}),
        &[(
            "config.format.compression_codec",
            "`codec` is not one of `no compression`, `snappy`",
        )],
    );
}

#[test]
fn reports_variants_without_a_constant_and_behind_references() {
    let specification = json!({
        "properties": {
            "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "auth": {"oneOf": [{"$ref": "#/definitions/key"}, {"$ref": "#/definitions/none"}]},
            "either": {"oneOf": [
                {"title": "A", "required": ["a"]}, {"title": "B", "required": ["b"]}]}},
        "definitions": {
            "text": {"type": "string"},
            "key": {"required": ["key"], "properties": {
                "kind": {"const": "key"}, "key": {"$ref": "#/definitions/text"}}},
            "none": {"properties": {"kind": {"const": "none"}}}}});
    assert_faults(
        (Source, "own"),
        &specification,
        json!({"limit": "many", "auth": {"kind": "key", "key": 5}, "either": {"a": 1, "b": 2}}),
        &[
            ("config.limit", "must be one of these: integer, null"),
            ("config.auth.key", "the value is not of type \"string\""),
            ("config.either", "fits more than one of its variants: A, B"),
        ],
    );
    assert_faults(
        (Source, "own"),
        &specification,
        json!({"limit": null, "auth": {"kind": "none"}, "either": {}}),
        &[("config.either", "fits none of its variants: A, B")],
    );
}
