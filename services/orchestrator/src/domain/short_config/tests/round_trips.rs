//! Round trips: people read what they wrote.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::specifications;
use super::{expanded, map};
use crate::domain::short_config::ActorKind::{self, Destination, Source};
use crate::domain::short_config::shorten;

/// A short field of a generated configuration: its name, and whether it may be omitted.
type Part = (&'static str, bool, BoxedStrategy<Value>);

fn word() -> BoxedStrategy<Value> {
    "[a-zA-Z0-9_.-]{1,12}".prop_map(Value::from).boxed()
}

fn any_text() -> BoxedStrategy<Value> {
    "\\PC{1,16}".prop_map(Value::from).boxed()
}

fn one_of(names: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop::sample::select(names).prop_map(Value::from).boxed()
}

fn port() -> BoxedStrategy<Value> {
    (1_u16..).prop_map(Value::from).boxed()
}

/// Two or more: a single one is expressed by the field for one.
fn several() -> BoxedStrategy<Value> {
    prop::collection::btree_set("[a-z.+|*-]{1,8}", 2..4)
        .prop_map(Value::from_iter)
        .boxed()
}

fn folder() -> BoxedStrategy<Value> {
    "[a-z0-9 ]{1,6}(/[a-z0-9]{1,6}){0,2}/"
        .prop_map(Value::from)
        .boxed()
}

fn database(schema: Vec<Part>) -> BoxedStrategy<Value> {
    let parts = vec![
        ("host", true, word()),
        ("port", true, port()),
        ("database", true, any_text()),
        ("username", true, any_text()),
        ("password", false, any_text()),
        (
            "ssl_mode",
            false,
            Just(json!({"mode": "verify-ca", "ca_certificate": "c"})).boxed(),
        ),
    ];
    object(parts.into_iter().chain(schema).collect())
}

fn object(parts: Vec<Part>) -> BoxedStrategy<Value> {
    let parts: Vec<_> = (parts.into_iter())
        .map(|(name, always, value)| {
            let value = value.prop_map(move |value| (name, value));
            if always {
                value.prop_map(Some).boxed()
            } else {
                prop::option::of(value).boxed()
            }
        })
        .collect();
    (parts.prop_map(|members| {
        let members = members.into_iter().flatten();
        Value::Object(
            members
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }))
    .boxed()
}

fn mongodb() -> BoxedStrategy<Value> {
    let common = || {
        vec![
            ("database", true, any_text()),
            ("username", true, any_text()),
            ("password", true, any_text()),
            ("auth_source", false, one_of(&["own", "shop"])),
            ("queue_size", false, port()),
        ]
    };
    let host = vec![("host", true, word()), ("port", true, port())];
    let address = one_of(&[
        "mongodb+srv://c.example.net/",
        "mongodb://a:1,b:2/",
        "mongodb://u:p@a:27017/",
        "mongodb://a:27017/?tls=true",
    ]);
    let address = vec![("connection_string", true, address)];
    prop_oneof![
        object(host.into_iter().chain(common()).collect()),
        object(address.into_iter().chain(common()).collect()),
    ]
    .boxed()
}

fn kafka() -> BoxedStrategy<Value> {
    let topics = prop_oneof![
        any_text().prop_map(|topic| ("topic", topic)),
        several().prop_map(|topics| ("topics", topics)),
        one_of(&["orders.*", "^a|b$", "a||b", "(x)"])
            .prop_map(|pattern| ("topic_pattern", pattern)),
    ];
    let others = object(vec![
        ("bootstrap_servers", true, word()),
        ("group_id", false, any_text()),
        ("format", false, one_of(&["avro"])),
        (
            "protocol",
            false,
            Just(json!({"security_protocol": "SASL_SSL", "sasl_jaas_config": "j"})).boxed(),
        ),
    ]);
    (topics, others)
        .prop_map(|((name, topics), mut config)| {
            config[name] = topics;
            config
        })
        .boxed()
}

fn bucket(further: Vec<Part>) -> BoxedStrategy<Value> {
    let parts = vec![
        ("bucket_name", true, word()),
        ("access_key_id", false, any_text()),
        ("secret_access_key", false, any_text()),
        ("path_prefix", false, folder()),
        ("endpoint", false, one_of(&["http://127.0.0.1:9000"])),
    ];
    object(parts.into_iter().chain(further).collect())
}

fn short(role: ActorKind, type_name: &str) -> BoxedStrategy<Value> {
    let schemas = || {
        let one = any_text().prop_map(|schema| Some(("schema", schema)));
        let more = several().prop_map(|schemas| Some(("schemas", schemas)));
        prop_oneof![one, more, Just(None)]
    };
    match (role, type_name) {
        (Source, "mysql") => database(Vec::new()),
        (Source, "postgres" | "mssql") => (database(Vec::new()), schemas())
            .prop_map(|(mut config, schemas)| {
                if let Some((name, value)) = schemas {
                    config[name] = value;
                }
                config
            })
            .boxed(),
        (Source, "mongodb") => mongodb(),
        (Source, "kafka") => kafka(),
        (Source, "s3") => bucket(vec![
            ("bucket_region", false, word()),
            ("format", true, one_of(&["csv", "jsonl", "parquet", "avro"])),
            // Longer than any default name.
            (
                "stream_name",
                false,
                "[a-z ]{13,20}".prop_map(Value::from).boxed(),
            ),
        ]),
        (Destination, "postgres") => database(vec![("schema", true, any_text())]),
        _ => bucket(vec![
            (
                "bucket_region",
                true,
                one_of(&["", "us-east-1", "eu-west-1"]),
            ),
            ("format", false, one_of(&["parquet"])),
            ("s3_path_format", false, word()),
        ]),
    }
}

/// All specifications, each with a configuration.
fn cases() -> BoxedStrategy<(usize, Value)> {
    let all = specifications::all();
    let each = (all.into_iter().enumerate()).map(|(index, specified)| {
        short(specified.role, specified.type_name)
            .prop_map(move |config| (index, config))
            .boxed()
    });
    prop::strategy::Union::new(each).boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_returns_what_was_written((index, config) in cases()) {
        let specified = &specifications::all()[index];
        let of = (specified.role, specified.type_name);
        for specification in [Some(&specified.specification), None] {
            let real = expanded(of, specification, &config);
            if let Some(specification) = specification && config.get("ssl_mode").is_none() {
                prop_assert_eq!(real.faults(specification), []);
            }
            prop_assert_eq!(&shorten(of.0, of.1, &real.configuration), &config);
            // The connector's own form may be written too, and is equivalent.
            let again = expanded(of, specification, &real.configuration).configuration;
            prop_assert_eq!(again, real.configuration);
        }
    }

    #[test]
    fn the_short_form_is_equivalent_to_what_was_written((index, config) in cases(), without in 0_usize..8) {
        let specified = &specifications::all()[index];
        let of = (specified.role, specified.type_name);
        // Without one of its members defaults apply, which a response may show.
        let mut config: Map<String, Value> = map(&config).clone();
        let left_out = config.keys().nth(without % config.len()).cloned().unwrap();
        config.shift_remove(&left_out);
        prop_assume!(!(config.contains_key("port") && of.1 == "mongodb" && !config.contains_key("host")));
        let config = Value::Object(config);
        let real = expanded(of, Some(&specified.specification), &config).configuration;
        let short = shorten(of.0, of.1, &real);
        let again = expanded(of, Some(&specified.specification), &short).configuration;
        prop_assert_eq!(again, real);
        for (name, value) in map(&config) {
            prop_assert_eq!(&short[name], value);
        }
    }
}

#[test]
fn members_without_a_short_form_keep_their_own() {
    let cases = [
        (
            Source,
            "mongodb",
            json!({"database_config": {"databases": ["a", "b"], "cluster_type": "ATLAS_REPLICA_SET", "connection_string": "mongodb://h:1,i:2/"}}),
            json!({"connection_string": "mongodb://h:1,i:2/", "database_config": {"databases": ["a", "b"], "cluster_type": "ATLAS_REPLICA_SET"}}),
        ),
        (
            Source,
            "kafka",
            json!({"subscription": {"subscription_type": "assign", "topic_partitions": "a:0"}, "MessageFormat": {"deserialization_type": "AVRO", "schema_registry_url": "u"}}),
            json!({"subscription": {"subscription_type": "assign", "topic_partitions": "a:0"}, "MessageFormat": {"deserialization_type": "AVRO", "schema_registry_url": "u"}}),
        ),
        (
            Source,
            "s3",
            json!({"bucket": "b", "streams": [{"name": "a", "globs": ["a/**"], "format": {"filetype": "csv"}}, {"name": "b"}]}),
            json!({"bucket_name": "b", "streams": [{"name": "a", "globs": ["a/**"], "format": {"filetype": "csv"}}, {"name": "b"}]}),
        ),
        (
            Source,
            "postgres",
            json!({"host": "h", "schema": "own", "schemas": ["a"], "replication_method": {"method": "CDC"}}),
            json!({"host": "h", "schemas": ["a"], "schema": "own", "replication_method": {"method": "CDC"}}),
        ),
        (
            Destination,
            "s3",
            json!({"format": {"format_type": "JSONL", "compression": {}}, "s3_bucket_name": "b"}),
            json!({"bucket_name": "b", "format": {"format_type": "JSONL", "compression": {}}}),
        ),
        (
            Source,
            "own",
            json!({"bucket": "b"}),
            json!({"bucket": "b"}),
        ),
        (Source, "s3", json!(null), json!(null)),
    ];
    for (role, type_name, real, short) in cases {
        assert_eq!(shorten(role, type_name, &real), short);
    }
}
