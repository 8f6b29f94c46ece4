//! Validates onboarding requests without I/O, and fingerprints them, so that a repeated request is
//! recognized without storing its secrets.

use contracts::{FieldError, NamespaceDefinition, OnboardRequest};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;

const NAME_MAX: usize = 200;

/// All faults that can be found without I/O.
pub(crate) fn faults(request: &OnboardRequest) -> Vec<FieldError> {
    let mut faults = Vec::new();
    let mut fault = |field: &str, message: &str| {
        faults.push(FieldError {
            field: field.to_owned(),
            message: message.to_owned(),
        });
    };
    if let Some(wrong) = name_fault(&request.connection_name) {
        fault("connection_name", wrong);
    }
    if request.source_type.trim().is_empty() {
        fault("source_type", "name a source type, for example `postgres`");
    }
    if let Some(Err(wrong)) = request
        .schedule
        .as_ref()
        .map(crate::domain::schedule::parse)
    {
        for wrong in wrong {
            fault(&wrong.field, &wrong.message);
        }
    }
    for wrong in (request.drift_policy.iter()).flat_map(|policy| policy.faults("drift_policy")) {
        fault(&wrong.field, &wrong.message);
    }
    let format = request.namespace_format.as_deref();
    match request.namespace_definition.unwrap_or_default() {
        NamespaceDefinition::CustomFormat if format.is_none_or(str::is_empty) => {
            fault(
                "namespace_format",
                "is required with namespace_definition `custom_format`, for example \
                 `lake_${SOURCE_NAMESPACE}`",
            );
        }
        NamespaceDefinition::Source | NamespaceDefinition::Destination if format.is_some() => {
            fault(
                "namespace_format",
                "is only valid with namespace_definition `custom_format`",
            );
        }
        _ => {}
    }
    if request.streams.as_ref().is_some_and(Vec::is_empty) {
        fault(
            "streams",
            "is empty: omit it to sync all streams, or name at least one",
        );
    }
    if request
        .credential_id
        .as_deref()
        .is_some_and(|id| id.trim().is_empty())
    {
        fault("credential_id", "is empty: omit it, or name a credential");
    }
    if has_nul(&serde_json::to_value(request).unwrap_or_default()) {
        fault("", "a NUL character cannot be stored");
    }
    faults
}

/// The fault of a connection's name, if it has one.
pub(crate) fn name_fault(name: &str) -> Option<&'static str> {
    if name.trim().is_empty() || name.chars().count() > NAME_MAX {
        return Some("must be 1 to 200 characters");
    }
    name.chars()
        .any(char::is_control)
        .then_some("must not contain control characters")
}

pub(crate) fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| key.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// A keyed fingerprint: equal for equal requests, whatever the order of their members, and
/// revealing nothing about the secrets in them.
pub(crate) fn fingerprint(
    request: &OnboardRequest,
    shared: Option<&impl Serialize>,
    key: &SecretString,
) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(b"aam/onboard/v1\0");
    let mut canonical = String::new();
    write_canonical(
        &serde_json::to_value(request).unwrap_or_default(),
        &mut canonical,
    );
    mac.update(canonical.as_bytes());
    if let Some(shared) = shared {
        canonical.clear();
        write_canonical(
            &serde_json::to_value(shared).unwrap_or_default(),
            &mut canonical,
        );
        mac.update(canonical.as_bytes());
    }
    hex::encode(mac.finalize().into_bytes())
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().filter(|(_, value)| !value.is_null()).collect();
            members.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in members {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &str) -> OnboardRequest {
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn the_order_of_members_does_not_matter() {
        let key = SecretString::from("k".to_owned());
        let a =
            request(r#"{"source_type":"s","connection_name":"n","source_config":{"a":1,"b":2}}"#);
        let b =
            request(r#"{"connection_name":"n","source_config":{"b":2,"a":1},"source_type":"s"}"#);
        let c =
            request(r#"{"connection_name":"n","source_config":{"b":2,"a":3},"source_type":"s"}"#);
        let of = |request| fingerprint(request, None::<&()>, &key);
        assert_eq!(of(&a), of(&b));
        assert_ne!(of(&a), of(&c));
        assert_ne!(of(&a), fingerprint(&a, Some(&"a shared source"), &key));
    }

    #[test]
    fn every_fault_names_its_field() {
        let fields: Vec<_> = faults(&request(
            r#"{"source_type":" ","connection_name":"","schedule":{"type":"cron","cron":"0 2 * *"},
                "drift_policy":{"rules":[{"then":"apply"},{"severity":"harmles","then":"apply"}]},"streams":[],"namespace_format":"x","credential_id":""}"#,
        ))
        .into_iter()
        .map(|fault| fault.field)
        .collect();
        assert_eq!(
            fields,
            [
                "connection_name",
                "source_type",
                "schedule.cron",
                "drift_policy.rules[1].severity",
                "namespace_format",
                "streams",
                "credential_id"
            ]
        );
    }
}
