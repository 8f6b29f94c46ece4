//! Secrets inside configurations: sealed in the database, masked in answers.

use std::collections::BTreeMap;

use local::seal::SealingKey;
use redaction::pointers;
pub(crate) use redaction::{MASK, Redactor};
use secrecy::ExposeSecret;
use serde_json::Value;
use uuid::Uuid;

use crate::fault::Fault;

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
}
