//! The expansion of short configurations.

use serde_json::{Value, json};
use shared::airbyte::types::Definition;

use super::specifications::{
    self, kafka, mongodb, mysql, native, postgres, s3_destination, s3_source,
};
use super::{expanded, map};
use crate::domain::short_config::ActorKind::{self, Destination, Source};
use crate::domain::short_config::{expand, fields, type_name};

/// Expands with the specification, which must then find no fault.
#[track_caller]
fn becomes(of: (ActorKind, &str), specification: &Value, short: Value, real: Value) {
    let expanded = expanded(of, Some(specification), &short);
    assert_eq!(expanded.configuration, real, "{short}");
    assert_eq!(expanded.faults(specification), [], "{short}");
}

#[test]
fn a_database_keeps_its_names_and_gets_what_its_version_requires() {
    let short = json!({"host": "localhost", "port": 3306, "database": "mysql_db", "username": "root", "password": "password"});
    let mut real = short.clone();
    real["replication_method"] = json!({"method": "STANDARD"});
    for specification in [mysql(), native("source-mysql")] {
        becomes(
            (Source, "mysql"),
            &specification,
            short.clone(),
            real.clone(),
        );
    }
    let cdc = json!({"host": "h", "port": "3307", "database": "d", "username": "u",
        "replication_method": {"method": "CDC", "replication_slot": "s"}});
    let mut real = cdc.clone();
    real["port"] = json!(3307);
    becomes((Source, "mysql"), &mysql(), cdc, real);
    becomes(
        (Source, "postgres"),
        &postgres(),
        json!({"host": "h", "database": "d", "schema": "s", "username": "u", "password": null}),
        json!({"host": "h", "port": 5432, "database": "d", "schemas": ["s"], "username": "u",
            "replication_method": {"method": "Standard"},
            "tunnel_method": {"tunnel_method": "NO_TUNNEL"}}),
    );
    becomes(
        (Destination, "postgres"),
        &native("destination-postgres"),
        json!({"host": "h", "database": "d", "username": "u"}),
        json!({"host": "h", "port": 5432, "database": "d", "schema": "public", "username": "u"}),
    );
}

#[test]
fn a_destination_bucket_is_configured_in_short_own_and_mixed_names() {
    let short = json!({"bucket_name": "my-bucket", "bucket_region": "us-east-1",
        "access_key_id": "AKIA...", "secret_access_key": "secret", "path_prefix": "exports/"});
    let mixed = json!({"s3_bucket_name": "my-bucket", "bucket_region": "us-east-1",
        "access_key_id": "AKIA...", "secret_access_key": "secret", "s3_bucket_path": "exports/",
        "bucket_name": "my-bucket"});
    let real = json!({"s3_bucket_name": "my-bucket", "s3_bucket_region": "us-east-1",
        "access_key_id": "AKIA...", "secret_access_key": "secret", "s3_bucket_path": "exports/",
        "format": {"format_type": "JSONL"}});
    for specification in [s3_destination(), native("destination-s3")] {
        for written in [&short, &mixed, &real] {
            becomes(
                (Destination, "s3"),
                &specification,
                written.clone(),
                real.clone(),
            );
        }
    }
    let bucket = |further: Value| {
        let mut config =
            json!({"s3_bucket_name": "b", "s3_bucket_region": "", "s3_bucket_path": ""});
        config
            .as_object_mut()
            .unwrap()
            .extend(map(&further).clone());
        config
    };
    for (name, real) in [
        ("PARQUET", json!({"format_type": "Parquet"})),
        (
            "csv",
            json!({"format_type": "CSV", "flattening": "No flattening"}),
        ),
        (
            "avro",
            json!({"format_type": "Avro", "compression_codec": {"codec": "no compression"}}),
        ),
    ] {
        becomes(
            (Destination, "s3"),
            &s3_destination(),
            bucket(json!({"format": name})),
            bucket(json!({"format": real})),
        );
        becomes(
            (Destination, "s3"),
            &s3_destination(),
            bucket(json!({"format": real})),
            bucket(json!({"format": real})),
        );
    }
}

#[test]
fn files_to_read_become_a_stream() {
    let of = (Source, "s3");
    becomes(
        of,
        &s3_source(),
        json!({"bucket_name": "b", "bucket_region": "r", "access_key_id": "a",
            "secret_access_key": "s", "path_prefix": "/exports/2024/", "format": "JSONL",
            "endpoint": "http://127.0.0.1:9000"}),
        json!({"bucket": "b", "region_name": "r", "aws_access_key_id": "a",
            "aws_secret_access_key": "s", "endpoint": "http://127.0.0.1:9000",
            "streams": [{"name": "2024", "globs": ["exports/2024/**"], "format": {"filetype": "jsonl"}}]}),
    );
    becomes(
        of,
        &s3_source(),
        json!({"bucket": "b", "format": "Excel"}),
        json!({"bucket": "b",
            "streams": [{"name": "b", "globs": ["**"], "format": {"filetype": "excel"}}]}),
    );
    becomes(
        of,
        &s3_source(),
        json!({"bucket": "b", "stream_name": "n", "format": {"filetype": "csv", "delimiter": ";"}}),
        json!({"bucket": "b", "streams": [
            {"name": "n", "globs": ["**"], "format": {"filetype": "csv", "delimiter": ";"}}]}),
    );
    let real = json!({"bucket": "b", "streams": [{"name": "n", "format": {"filetype": "csv"}}]});
    becomes(of, &s3_source(), real.clone(), real);
}

#[test]
fn a_mongodb_configuration_is_placed_as_its_version_requires() {
    let short = json!({"host": "db", "database": "shop", "username": "u", "password": "p"});
    for (member, database) in [("databases", json!(["shop"])), ("database", json!("shop"))] {
        let mut real = json!({"database_config": {"cluster_type": "SELF_MANAGED_REPLICA_SET",
            "connection_string": "mongodb://db:27017/", "username": "u", "password": "p",
            "auth_source": "admin"}});
        real["database_config"][member] = database;
        becomes((Source, "mongodb"), &mongodb(member), short.clone(), real);
    }
    becomes(
        (Source, "mongodb"),
        &mongodb("databases"),
        json!({"connection_string": "mongodb+srv://c.example.net/", "database": "d",
            "username": "u", "password": "p", "auth_source": "own", "queue_size": 5,
            "database_config": {"schema_enforced": false}}),
        json!({"queue_size": 5, "database_config": {"schema_enforced": false,
            "cluster_type": "ATLAS_REPLICA_SET",
            "connection_string": "mongodb+srv://c.example.net/", "databases": ["d"],
            "username": "u", "password": "p", "auth_source": "own"}}),
    );
    let hosts = [
        ("::1", 27018, "mongodb://[::1]:27018/"),
        ("[::1]", 1, "mongodb://[::1]:1/"),
    ];
    for (host, port, text) in hosts {
        let config = json!({"host": host, "port": port, "database": "d"});
        let real = expanded((Source, "mongodb"), None, &config).configuration;
        assert_eq!(real["database_config"]["connection_string"], text);
        assert_eq!(real["database_config"]["databases"], json!(["d"]));
    }
}

#[test]
fn topics_become_a_subscription() {
    let topics = [
        (json!({"topic": "orders.v1"}), r"orders\.v1"),
        (json!({"topics": ["a", "b.c+"]}), r"a|b\.c\+"),
        (json!({"topic_pattern": "orders.*"}), "orders.*"),
        (
            json!({"topic": "a", "topics": ["a"], "topic_pattern": "a"}),
            "a",
        ),
    ];
    for (topics, pattern) in topics {
        let mut short = topics.clone();
        short["bootstrap_servers"] = json!("k:9092");
        short["format"] = json!("avro");
        becomes(
            (Source, "kafka"),
            &kafka(),
            short,
            json!({"bootstrap_servers": "k:9092",
                "subscription": {"subscription_type": "subscribe", "topic_pattern": pattern},
                "protocol": {"security_protocol": "PLAINTEXT"},
                "MessageFormat": {"deserialization_type": "AVRO"}}),
        );
    }
}

#[test]
fn other_connectors_keep_their_configuration_unchanged() {
    let config = json!({"count": "5", "bucket_name": "b", "format": "csv"});
    let real = expanded((Source, "faker"), None, &config).configuration;
    assert_eq!(real, config);
    assert!(fields(Source, "faker").is_none());
    assert!(fields(Destination, "mysql").is_none());
}

#[test]
fn a_common_connectors_own_names_are_kept() {
    for specified in specifications::all() {
        let config = json!({"further": {"a": [1, null]}, "jdbc_url_params": "x=y"});
        let real = expand(specified.role, specified.type_name, None, map(&config));
        let real = real.ok().unwrap().configuration;
        for (name, value) in map(&config) {
            assert_eq!(&real[name], value);
        }
    }
}

#[test]
fn a_connector_is_named_after_its_image() {
    for (image, name) in [
        ("airbyte/source-mongodb-v2", "mongodb"),
        ("registry:5000/airbyte/destination-s3", "s3"),
        ("airbyte/source-postgres", "postgres"),
        ("own-connector", "own-connector"),
        ("", "my-own"),
    ] {
        let definition: Definition = serde_json::from_value(json!({
            "id": "b117307c-14b6-41aa-9422-947e34922962", "name": "My Own", "dockerRepository": image}))
        .unwrap();
        assert_eq!(type_name(&definition), name);
    }
}

#[test]
fn the_listing_shows_what_a_person_needs() {
    let listed = serde_json::to_value(fields(Source, "mysql").unwrap()).unwrap();
    let description = listed[1]["description"].clone();
    assert_eq!(
        listed[1],
        json!({"name": "port", "type": "integer", "required": false, "secret": false,
            "default": 3306, "description": description})
    );
    assert_eq!(listed[4]["secret"], true);
    assert!(listed[0].get("default").is_none());
}
