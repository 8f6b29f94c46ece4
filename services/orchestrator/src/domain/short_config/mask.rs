//! Masks secrets in a configuration.

use std::collections::BTreeSet;

use serde_json::Value;

use super::schema::{element, member, variants};
use super::{ActorKind, table};

/// Replaces a secret in responses.
pub(crate) const MASK: &str = "**********";

/// Words in names that indicate a secret, for use without a specification.
const SECRET: [&str; 11] = [
    "password",
    "passphrase",
    "passwd",
    "secret",
    "token",
    "credential",
    "private_key",
    "access_key",
    "api_key",
    "ssh_key",
    "jaas",
];

/// Masks each secret: what the specification marks `airbyte_secret` in any variant, what a short
/// field marks as secret, and passwords in addresses; without a specification, also every text
/// whose name indicates a secret.
pub(crate) fn mask(
    role: ActorKind,
    type_name: &str,
    specification: Option<&Value>,
    configuration: &Value,
) -> Value {
    let mut pointers = BTreeSet::new();
    if let Some(specification) = specification {
        let schemas = variants(specification, vec![specification]);
        marked(specification, &schemas, configuration, "", &mut pointers);
    } else {
        named(configuration, false, "", &mut pointers);
    }
    let fields = table::connector(role, type_name).map_or(&[][..], |connector| connector.fields);
    for field in fields.iter().filter(|field| field.secret) {
        pointers.insert(format!("/{}", field.name));
        pointers.extend((field.places()).map(|place| format!("/{}", place.path.replace('.', "/"))));
    }
    let mut masked = configuration.clone();
    for pointer in pointers {
        if let Some(secret) = masked.pointer_mut(&pointer)
            && !secret.is_null()
        {
            *secret = MASK.into();
        }
    }
    addresses(&mut masked);
    masked
}

/// Collects the JSON pointers of members that these schemas mark as secret.
fn marked<'a>(
    root: &'a Value,
    schemas: &[&'a Value],
    value: &Value,
    pointer: &str,
    found: &mut BTreeSet<String>,
) {
    let is_secret = |schema: &&Value| schema.get("airbyte_secret") == Some(&Value::Bool(true));
    if schemas.iter().any(is_secret) {
        found.insert(pointer.to_owned());
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let mut below = member(root, schemas, name);
                below.extend(variants(root, others(schemas)));
                marked(root, &below, value, &child(pointer, name), found);
            }
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                let below = element(root, schemas, index);
                marked(root, &below, value, &format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// The schemas of members without a declared name.
fn others<'a>(schemas: &[&'a Value]) -> Vec<&'a Value> {
    let patterns = |schema: &'a Value| schema.get("patternProperties").and_then(Value::as_object);
    let patterns = schemas.iter().copied().filter_map(patterns);
    let additional = schemas
        .iter()
        .filter_map(|schema| schema.get("additionalProperties"));
    additional
        .chain(patterns.flat_map(|all| all.values()))
        .collect()
}

/// Collects the JSON pointers of texts whose name indicates a secret.
fn named(value: &Value, is_secret: bool, pointer: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let lower = name.to_lowercase();
                let is_secret = is_secret || SECRET.iter().any(|word| lower.contains(word));
                named(value, is_secret, &child(pointer, name), found);
            }
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                named(value, is_secret, &format!("{pointer}/{index}"), found);
            }
        }
        Value::String(_) if is_secret => {
            found.insert(pointer.to_owned());
        }
        _ => {}
    }
}

fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Masks the password in each address: `mongodb://user:password@host/`.
fn addresses(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(addresses),
        Value::Array(elements) => elements.iter_mut().for_each(addresses),
        Value::String(text) => {
            if let Some(masked) = without_password(text) {
                *text = masked;
            }
        }
        _ => {}
    }
}

fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    // The last `@`: a password may contain one, and masking too much is better than masking too
    // little.
    let (user, host) = rest.rsplit_once('@')?;
    let (name, _) = user.split_once(':')?;
    Some(format!("{scheme}://{name}:{MASK}@{host}"))
}
