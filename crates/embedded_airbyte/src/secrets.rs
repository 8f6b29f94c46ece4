//! Secrets inside configurations: where the spec says they are, sealed in the database, masked in
//! answers and log lines.

use std::collections::BTreeMap;
use std::sync::RwLock;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use shared::seal::SealingKey;
use uuid::Uuid;

use crate::fault::Fault;

/// What answers show in place of a secret.
pub(crate) const MASK: &str = "**********";

/// Schemas may refer to themselves; configurations are never this deep.
const DEPTH_MAX: usize = 64;

/// JSON pointers of all values in `configuration` that `spec` marks `airbyte_secret`.
pub(crate) fn pointers(spec: &Value, configuration: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(spec, spec, configuration, String::new(), 0, &mut found);
    found.sort();
    found.dedup();
    found
}

fn collect(
    root: &Value,
    schema: &Value,
    value: &Value,
    pointer: String,
    depth: usize,
    found: &mut Vec<String>,
) {
    if depth > DEPTH_MAX || value.is_null() {
        return;
    }
    if schema.get("airbyte_secret") == Some(&Value::Bool(true)) {
        found.push(pointer);
        return;
    }
    let mut descend = |schema: &Value, value: &Value, pointer: String| {
        collect(root, schema, value, pointer, depth + 1, found);
    };
    if let Some(target) = schema.get("$ref").and_then(Value::as_str)
        && let Some(target) = target.strip_prefix('#').and_then(|at| root.pointer(at))
    {
        descend(target, value, pointer.clone());
    }
    for keyword in ["oneOf", "anyOf", "allOf"] {
        for branch in schema
            .get(keyword)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            descend(branch, value, pointer.clone());
        }
    }
    if let (Some(properties), Some(members)) = (
        schema.get("properties").and_then(Value::as_object),
        value.as_object(),
    ) {
        for (name, member) in members {
            if let Some(property) = properties.get(name) {
                descend(property, member, format!("{pointer}/{}", escaped(name)));
            }
        }
    }
    if let (Some(items), Some(elements)) = (schema.get("items"), value.as_array()) {
        for (index, element) in elements.iter().enumerate() {
            descend(items, element, format!("{pointer}/{index}"));
        }
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A configuration as the database holds it.
pub(crate) struct Sealed {
    /// The configuration with null in place of each secret.
    pub(crate) configuration: String,
    /// Sealed secrets in hexadecimal, by JSON pointer.
    pub(crate) secrets: String,
}

/// Splits a configuration into what may be read and what is sealed.
pub(crate) fn seal(key: &SealingKey, actor: Uuid, spec: &Value, configuration: &Value) -> Sealed {
    let mut open = configuration.clone();
    let mut secrets = BTreeMap::new();
    for pointer in pointers(spec, configuration) {
        if let Some(place) = open.pointer_mut(&pointer) {
            let secret = place.take().to_string();
            let sealed = key.seal(secret.as_bytes(), &associated(actor, &pointer));
            secrets.insert(pointer, hex::encode(sealed));
        }
    }
    Sealed {
        configuration: open.to_string(),
        secrets: crate::fault::to_json(&secrets),
    }
}

/// The whole configuration, secrets included.
pub(crate) fn open(
    key: &SealingKey,
    actor: Uuid,
    configuration: &str,
    secrets: &str,
) -> Result<Value, Fault> {
    let mut whole: Value = crate::fault::stored("configuration", configuration)?;
    let secrets: BTreeMap<String, String> = crate::fault::stored("configuration", secrets)?;
    for (pointer, sealed) in secrets {
        let sealed = hex::decode(sealed).unwrap_or_default();
        let secret = key
            .open(&sealed, &associated(actor, &pointer))
            .map_err(Fault::Sealed)?;
        let secret =
            serde_json::from_slice(secret.expose_secret()).map_err(|source| Fault::Stored {
                what: "secret",
                source,
            })?;
        if let Some(place) = whole.pointer_mut(&pointer) {
            *place = secret;
        }
    }
    Ok(whole)
}

/// The configuration as answers show it.
pub(crate) fn masked(configuration: &str, secrets: &str) -> Result<Value, Fault> {
    let mut shown: Value = crate::fault::stored("configuration", configuration)?;
    let secrets: BTreeMap<String, String> = crate::fault::stored("configuration", secrets)?;
    for pointer in secrets.keys() {
        if let Some(place) = shown.pointer_mut(pointer) {
            *place = Value::String(MASK.to_owned());
        }
    }
    Ok(shown)
}

/// Puts back each stored secret for which the caller sent the mask.
pub(crate) fn unmask(spec: &Value, sent: &mut Value, stored: &Value) {
    for pointer in pointers(spec, sent) {
        if let (Some(place), Some(secret)) = (sent.pointer_mut(&pointer), stored.pointer(&pointer))
            && place.as_str() == Some(MASK)
        {
            *place = secret.clone();
        }
    }
}

fn associated(actor: Uuid, pointer: &str) -> Vec<u8> {
    format!("actor {actor} {pointer}").into_bytes()
}

/// Replaces known secrets in text that a connector wrote.
#[derive(Default)]
pub(crate) struct Redactor {
    secrets: RwLock<Vec<SecretString>>,
}

/// Shorter secrets would garble every log line that happens to contain them.
const REDACTED_LEN_MIN: usize = 4;

impl Redactor {
    /// Learns the secrets of a configuration.
    pub(crate) fn learn(&self, spec: &Value, configuration: &Value) {
        let mut learned = self.secrets.write().unwrap_or_else(|e| e.into_inner());
        for pointer in pointers(spec, configuration) {
            let mut texts = Vec::new();
            leaves(configuration.pointer(&pointer), &mut texts);
            for text in texts {
                // Connectors also print configurations as JSON, where quotes carry a backslash.
                let quoted = Value::String(text.clone()).to_string();
                let quoted = quoted[1..quoted.len() - 1].to_owned();
                for form in [text, quoted] {
                    if form.len() >= REDACTED_LEN_MIN
                        && !learned.iter().any(|known| known.expose_secret() == form)
                    {
                        learned.push(form.into());
                    }
                }
            }
        }
        // The longest first, so that a secret within a longer one does not leave its tail.
        learned.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
    }

    /// The text without any learned secret.
    pub(crate) fn clean(&self, text: &str) -> String {
        let secrets = self.secrets.read().unwrap_or_else(|e| e.into_inner());
        let mut clean = text.to_owned();
        for secret in secrets.iter() {
            if clean.contains(secret.expose_secret()) {
                clean = clean.replace(secret.expose_secret(), MASK);
            }
        }
        clean
    }
}

fn leaves(value: Option<&Value>, texts: &mut Vec<String>) {
    match value {
        Some(Value::String(text)) => texts.push(text.clone()),
        Some(Value::Number(number)) => texts.push(number.to_string()),
        Some(Value::Array(items)) => items.iter().for_each(|item| leaves(Some(item), texts)),
        Some(Value::Object(members)) => members
            .values()
            .for_each(|member| leaves(Some(member), texts)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec() -> Value {
        json!({"properties": {
            "host": {"type": "string"},
            "password": {"type": "string", "airbyte_secret": true},
            "tunnel": {"oneOf": [
                {"properties": {"method": {"const": "none"}}},
                {"properties": {"key": {"type": "string", "airbyte_secret": true}}},
            ]},
            "keys": {"type": "array", "items": {"$ref": "#/definitions/key"}},
        }, "definitions": {"key": {"properties": {"a/b": {"airbyte_secret": true}}}}})
    }

    fn configuration() -> Value {
        json!({"host": "h", "password": "pass\"phrase\"", "tunnel": {"key": "rsa-key"},
            "keys": [{"a/b": "first"}, {"a/b": {"inner": "second"}}]})
    }

    #[test]
    fn secrets_are_found_in_branches_lists_and_references() {
        assert_eq!(
            pointers(&spec(), &configuration()),
            ["/keys/0/a~1b", "/keys/1/a~1b", "/password", "/tunnel/key"]
        );
    }

    #[test]
    fn a_sealed_configuration_shows_no_secret_and_opens_to_the_original() {
        let key = SealingKey::derive(&[1; 32], "test");
        let actor = Uuid::new_v4();
        let sealed = seal(&key, actor, &spec(), &configuration());
        let shown = masked(&sealed.configuration, &sealed.secrets).unwrap();
        assert_eq!(shown["password"], MASK);
        for secret in ["phrase", "rsa-key", "first", "second"] {
            for text in [&sealed.configuration, &sealed.secrets, &shown.to_string()] {
                assert!(!text.contains(secret), "{secret} is readable in {text}");
            }
        }
        let opened = open(&key, actor, &sealed.configuration, &sealed.secrets).unwrap();
        assert_eq!(opened, configuration());
        assert!(open(&key, Uuid::new_v4(), &sealed.configuration, &sealed.secrets).is_err());
    }

    #[test]
    fn the_mask_keeps_the_stored_secret_and_anything_else_replaces_it() {
        let mut sent = configuration();
        sent["password"] = json!(MASK);
        sent["tunnel"]["key"] = json!("new");
        unmask(&spec(), &mut sent, &configuration());
        assert_eq!(sent["password"], "pass\"phrase\"");
        assert_eq!(sent["tunnel"]["key"], "new");
    }

    #[test]
    fn log_lines_lose_secrets_in_plain_and_in_json() {
        let redactor = Redactor::default();
        redactor.learn(&spec(), &configuration());
        let line = redactor.clean(r#"login pass"phrase"; {"password":"pass\"phrase\""} second"#);
        assert_eq!(
            line,
            r#"login **********; {"password":"**********"} **********"#
        );
    }
}
