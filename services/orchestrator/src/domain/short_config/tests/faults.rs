//! The faults of bad configurations, and their paths.

use serde_json::json;

use super::specifications::{kafka, mongodb, mysql, native, postgres, s3_destination, s3_source};
use super::{assert_faults, expanded, faults};
use crate::domain::short_config::ActorKind::{Destination, Source};

#[test]
fn names_what_is_missing_as_people_write_it() {
    let required = "is required";
    assert_faults(
        (Destination, "s3"),
        &native("destination-s3"),
        json!({"path_prefix": "exports/"}),
        &[
            ("config.bucket_name", required),
            ("config.bucket_region", required),
        ],
    );
    assert_faults(
        (Source, "mysql"),
        &mysql(),
        json!({}),
        &[
            ("config.host", required),
            ("config.database", required),
            ("config.username", required),
        ],
    );
    assert_faults(
        (Source, "mongodb"),
        &mongodb("databases"),
        json!({}),
        &[
            ("config.host", "is required, or `connection_string`"),
            ("config.database", required),
        ],
    );
    assert_faults(
        (Source, "mongodb"),
        &mongodb("database"),
        json!({"connection_string": "mongodb+srv://c/", "database": "d"}),
        &[("config.username", required), ("config.password", required)],
    );
    assert_faults(
        (Source, "kafka"),
        &kafka(),
        json!({}),
        &[
            ("config.bootstrap_servers", required),
            ("config.topic", "is required, or `topics`, `topic_pattern`"),
        ],
    );
    for config in [
        json!({"bucket_name": "b"}),
        json!({"bucket_name": "b", "path_prefix": "p"}),
    ] {
        assert_faults(
            (Source, "s3"),
            &s3_source(),
            config,
            &[("config.format", required)],
        );
    }
    assert_faults(
        (Source, "faker"),
        &json!({"required": ["count"]}),
        json!({}),
        &[("config.count", required)],
    );
}

#[test]
fn suggests_a_similar_name() {
    assert_faults(
        (Source, "mysql"),
        &mysql(),
        json!({"hots": "h", "port": 1, "database": "d", "user": "u", "password": "p"}),
        &[
            ("config.host", "is required; did you misspell it as `hots`?"),
            (
                "config.username",
                "is required; did you misspell it as `user`?",
            ),
        ],
    );
    assert_faults(
        (Destination, "s3"),
        &s3_destination(),
        json!({"s3_bucketname": "b", "bucket_region": ""}),
        &[(
            "config.bucket_name",
            "is required; did you misspell it as `s3_bucketname`?",
        )],
    );
}

#[test]
fn reports_a_wrong_type_together_with_other_faults() {
    assert_faults(
        (Source, "postgres"),
        &postgres(),
        json!({"host": 5, "port": "abc", "schemas": ["a", 1], "username": "u", "password": ["p"]}),
        &[
            ("config.host", "must be a string, but is a number"),
            ("config.port", "must be an integer, but is a string"),
            ("config.schemas", "must be an array of strings only"),
            ("config.password", "must be a string, but is an array"),
            ("config.database", "is required"),
        ],
    );
    assert_faults(
        (Source, "kafka"),
        &kafka(),
        json!({"bootstrap_servers": "k", "topics": "a", "format": 5}),
        &[
            (
                "config.topics",
                "must be an array of strings, but is a string",
            ),
            (
                "config.format",
                "must be a string or an object, but is a number",
            ),
        ],
    );
    assert_faults(
        (Source, "mysql"),
        &mysql(),
        json!({"host": "h", "port": 3306.5, "database": "d", "username": "u"}),
        &[("config.port", "must be an integer")],
    );
}

#[test]
fn reports_schema_violations_at_the_name_that_the_caller_wrote() {
    let region = "the value is not one of \"\", \"us-east-1\" or \"eu-west-1\"";
    for (name, path) in [
        ("bucket_region", "config.bucket_region"),
        ("s3_bucket_region", "config.s3_bucket_region"),
    ] {
        let mut config = json!({"bucket_name": "b"});
        config[name] = json!("mars");
        assert_faults(
            (Destination, "s3"),
            &s3_destination(),
            config,
            &[(path, region)],
        );
    }
    assert_faults(
        (Destination, "s3"),
        &s3_destination(),
        json!({"s3_bucket_name": 5, "bucket_region": ""}),
        &[(
            "config.s3_bucket_name",
            "the value is not of type \"string\"",
        )],
    );
    assert_faults(
        (Source, "postgres"),
        &postgres(),
        json!({"host": "h", "port": 70000, "database": "d", "username": "u", "schemas": ["a", "a"]}),
        &[
            (
                "config.port",
                "the value is greater than the maximum of 65536",
            ),
            ("config.schemas", "the value has non-unique elements"),
        ],
    );
    assert_faults(
        (Source, "s3"),
        &s3_source(),
        json!({"bucket": "b", "format": {"filetype": "csv", "delimiter": 5}}),
        &[(
            "config.format.delimiter",
            "the value is not of type \"string\"",
        )],
    );
    assert_faults(
        (Source, "s3"),
        &s3_source(),
        json!({"bucket": "b", "streams": [{"name": "n"}, {"name": 1, "format": {}}]}),
        &[
            ("config.streams[0].format", "is required"),
            (
                "config.streams[1].name",
                "the value is not of type \"string\"",
            ),
            (
                "config.streams[1].format.filetype",
                "is required: one of `avro`, `csv`, `jsonl`, `parquet`, `excel`",
            ),
        ],
    );
    assert_faults(
        (Source, "own"),
        &json!({"properties": {"a": {"type": "object", "additionalProperties": false, "properties": {"b": {}}}}}),
        json!({"a": {"b": 1, "c": 2}}),
        &[("config.a.c", "is not a setting of this connector")],
    );
}

#[test]
fn values_given_twice_must_be_equal() {
    assert_faults(
        (Destination, "s3"),
        &s3_destination(),
        json!({"bucket_name": "a", "s3_bucket_name": "b", "bucket_region": ""}),
        &[(
            "config.bucket_name",
            "is given twice, also as `s3_bucket_name`",
        )],
    );
    assert_faults(
        (Source, "postgres"),
        &postgres(),
        json!({"host": "h", "database": "d", "username": "u", "schema": "a", "schemas": ["a", "b"]}),
        &[("config.schema", "is given twice, also as `schemas`")],
    );
    assert_faults(
        (Source, "mongodb"),
        &mongodb("databases"),
        json!({"host": "h", "connection_string": "mongodb://i/", "database": "d", "username": "u",
            "database_config": {"username": "v"}}),
        &[
            ("config.host", "is given twice, also as `connection_string`"),
            (
                "config.username",
                "is given twice, also as `database_config.username`",
            ),
        ],
    );
    assert_faults(
        (Source, "kafka"),
        &kafka(),
        json!({"bootstrap_servers": "k", "topic": "a", "topics": ["b"]}),
        &[("config.topics", "is given twice, also as `topic`")],
    );
    assert_faults(
        (Source, "s3"),
        &s3_source(),
        json!({"bucket": "b", "format": "csv", "streams": [{"name": "n", "format": {"filetype": "csv"}}]}),
        &[("config.format", "is given twice, also as `streams`")],
    );
}

#[test]
fn reports_what_cannot_be_combined() {
    let of = (Source, "mongodb");
    let specification = mongodb("databases");
    let one = "must be the name or address of one server; set the port in `port`, several servers \
               in `connection_string`";
    for (host, message) in [
        ("a:1", one),
        ("a,b", one),
        ("", one),
        ("u@h", one),
        (
            "mongodb://h/",
            "is a connection string: set it as `connection_string`",
        ),
    ] {
        let config = json!({"host": host, "database": "d"});
        assert_faults(of, &specification, config, &[("config.host", message)]);
    }
    assert_faults(
        of,
        &specification,
        json!({"host": "h", "port": 70000, "database": "d"}),
        &[("config.port", "must be 1 to 65535")],
    );
    assert_faults(
        of,
        &specification,
        json!({"database_config": "x", "database": "d"}),
        &[("config.database_config", "must be an object")],
    );
    assert_faults(
        (Destination, "s3"),
        &native("destination-s3"),
        json!({"bucket_name": "b", "bucket_region": "", "format": "csv"}),
        &[("config.format", "is not one of `jsonl`, `parquet`")],
    );
    assert_faults(
        (Source, "kafka"),
        &kafka(),
        json!({"bootstrap_servers": "k", "topics": [], "format": "xml"}),
        &[
            ("config.topics", "must not be empty"),
            ("config.format", "is not one of `json`, `avro`"),
        ],
    );
}

#[test]
fn no_fault_repeats_a_value() {
    let secret = "s3cr3t-value";
    let config = json!({"host": secret, "database": [secret], "username": {"a": secret},
        "port": secret, "password": [secret], "ssl_mode": {"mode": secret},
        "replication_method": secret, "tunnel_method": {"tunnel_method": "NO_TUNNEL", "x": secret}});
    for specification in [
        mysql(),
        postgres(),
        native("source-mysql"),
        native("source-postgres"),
    ] {
        for type_name in ["mysql", "postgres", "own"] {
            let found = faults((Source, type_name), &specification, &config);
            assert!(found.len() >= 3, "{found:?}");
            assert!(!format!("{found:?}").contains(secret), "{found:?}");
        }
    }
}

#[test]
fn an_unusable_schema_finds_nothing() {
    let config = json!({"host": "h"});
    let expanded = expanded((Source, "mysql"), None, &config);
    assert_eq!(expanded.faults(&json!({"type": "nonsense"})), []);
    assert_eq!(expanded.faults(&json!({"$ref": "#/nowhere"})), []);
}
