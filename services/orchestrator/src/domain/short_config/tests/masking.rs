//! What responses mask.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::specifications::{self, kafka, mongodb, postgres};
use crate::domain::short_config::ActorKind::Source;
use crate::domain::short_config::{mask, shorten};

const MASKED: &str = "**********";

#[test]
fn masks_marked_members_in_every_variant() {
    let masked = mask(
        Source,
        "postgres",
        Some(&postgres()),
        &json!({"host": "h", "password": "p", "unknown": "kept",
            "ssl_mode": {"mode": "verify-ca", "ca_certificate": "c", "client_key": null},
            "tunnel_method": {"tunnel_method": "SSH_KEY_AUTH", "tunnel_host": "t", "ssh_key": "k"}}),
    );
    assert_eq!(
        masked,
        json!({"host": "h", "password": MASKED, "unknown": "kept",
            "ssl_mode": {"mode": "verify-ca", "ca_certificate": MASKED, "client_key": null},
            "tunnel_method": {"tunnel_method": "SSH_KEY_AUTH", "tunnel_host": "t", "ssh_key": MASKED}})
    );
}

#[test]
fn lists_objects_and_members_of_any_name_can_be_secret() {
    let secret = json!({"airbyte_secret": true});
    let specification = json!({
        "properties": {
            "keys": {"items": secret},
            "accounts": {"items": {"anyOf": [{"properties": {"pin": secret}}, {"$ref": "#/definitions/account"}]}},
            "whole": {"type": "object", "airbyte_secret": true, "properties": {"a": {}}},
            "headers": {"additionalProperties": secret}},
        "definitions": {"account": {"properties": {
            "code": secret, "next": {"$ref": "#/definitions/account"}}}}});
    let masked = mask(
        Source,
        "own",
        Some(&specification),
        &json!({"keys": ["a", "b"], "accounts": [{"pin": 1, "name": "n"}, {"code": "c", "next": {"code": "d"}}],
            "whole": {"a": "b"}, "headers": {"x": "y"}}),
    );
    assert_eq!(
        masked,
        json!({"keys": [MASKED, MASKED],
            "accounts": [{"pin": MASKED, "name": "n"}, {"code": MASKED, "next": {"code": MASKED}}],
            "whole": MASKED, "headers": {"x": MASKED}})
    );
}

#[test]
fn without_a_specification_names_indicate_secrets() {
    let masked = mask(
        Source,
        "kafka",
        None,
        &json!({"protocol": {"sasl_jaas_config": "j"}, "group_id": "g",
            "MessageFormat": {"schema_registry_password": "p"}, "credentials": {"kind": "k"}}),
    );
    assert_eq!(
        masked,
        json!({"protocol": {"sasl_jaas_config": MASKED}, "group_id": "g",
            "MessageFormat": {"schema_registry_password": MASKED}, "credentials": {"kind": MASKED}})
    );
}

#[test]
fn masks_a_secret_that_the_specification_does_not_mark() {
    let masked = mask(
        Source,
        "s3",
        Some(&json!({})),
        &json!({"bucket": "b", "aws_secret_access_key": "s"}),
    );
    assert_eq!(
        masked,
        json!({"bucket": "b", "aws_secret_access_key": MASKED})
    );
    let masked = mask(
        Source,
        "mongodb",
        Some(&mongodb("databases")),
        &json!({"database_config": {"connection_string": "mongodb://u:p@w@a:1,b:2/?x=y"}}),
    );
    assert_eq!(
        masked["database_config"]["connection_string"],
        "mongodb://u:**********@a:1,b:2/?x=y"
    );
}

#[test]
fn masked_configurations_are_shortened_like_others() {
    let real = json!({"database_config": {"cluster_type": "SELF_MANAGED_REPLICA_SET",
        "connection_string": "mongodb://h:27017/", "databases": ["d"], "username": "u",
        "password": "p", "auth_source": "admin"}});
    let masked = mask(Source, "mongodb", Some(&mongodb("databases")), &real);
    assert_eq!(
        shorten(Source, "mongodb", &masked),
        json!({"host": "h", "port": 27017, "database": "d", "username": "u", "password": MASKED})
    );
    let real = json!({"bootstrap_servers": "k", "protocol": {"security_protocol": "SASL_SSL", "sasl_jaas_config": "j"}});
    let masked = mask(Source, "kafka", Some(&kafka()), &real);
    assert_eq!(
        shorten(Source, "kafka", &masked),
        json!({"bootstrap_servers": "k", "protocol": {"security_protocol": "SASL_SSL", "sasl_jaas_config": MASKED}})
    );
}

/// A value that fits the schema as far as its secrets are concerned: each secret, in one variant of
/// each kind, and further unknown members.
fn filled(schema: &Value, choices: &mut impl Iterator<Item = usize>) -> Value {
    if schema["airbyte_secret"] == json!(true) {
        return json!(format!("s3cr3t-{}", choices.next().unwrap_or_default()));
    }
    let branches = schema["oneOf"].as_array();
    if let Some(branches) = branches {
        let chosen = choices.next().unwrap_or_default() % branches.len();
        return filled(&branches[chosen], choices);
    }
    if let Some(properties) = schema["properties"].as_object() {
        let members =
            (properties.iter()).map(|(name, below)| (name.clone(), filled(below, choices)));
        return Value::Object(
            members
                .chain([("unknown".to_owned(), json!("kept"))])
                .collect(),
        );
    }
    match (&schema["items"], schema["type"].as_str()) {
        (items @ Value::Object(_), _) => json!([filled(items, choices), filled(items, choices)]),
        (_, Some("integer")) => json!(5),
        _ => schema
            .get("const")
            .cloned()
            .unwrap_or_else(|| json!("plain")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_secret_remains(which in 0_usize..100, choices in prop::collection::vec(0_usize..1000, 30)) {
        let all = specifications::all();
        let specified = &all[which % all.len()];
        let real = filled(&specified.specification, &mut choices.into_iter());
        let masked = mask(specified.role, specified.type_name, Some(&specified.specification), &real);
        prop_assert!(!masked.to_string().contains("s3cr3t-"), "{masked}");
        let hidden = real.to_string().matches("s3cr3t-").count();
        prop_assert_eq!(masked.to_string().matches(MASKED).count(), hidden);
        let short = shorten(specified.role, specified.type_name, &masked).to_string();
        prop_assert!(!short.contains("s3cr3t-"), "{short}");
        // Without the specification, the tables and the names identify the usual secrets.
        let masked = mask(specified.role, specified.type_name, None, &real);
        for field in crate::domain::short_config::fields(specified.role, specified.type_name).unwrap() {
            for place in field.places().filter(|_| field.secret) {
                let pointer = format!("/{}", place.path.replace('.', "/"));
                if let Some(value) = masked.pointer(&pointer) {
                    prop_assert_eq!(value, MASKED);
                }
            }
        }
    }
}
