//! A credential: bound to one source type, its secret members kept apart from the others.

use chrono::{DateTime, Utc};
use contracts::source_type;
use contracts::{CredentialKind, CredentialMetadata, CredentialRequest, FieldError, REDACTED};
use serde_json::{Map, Value};

/// The origin of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Environment,
    Vault,
}

/// A credential with its secret.
#[derive(Clone)]
pub(crate) struct Credential {
    pub(crate) id: String,
    pub(crate) source_type: String,
    pub(crate) kind: CredentialKind,
    pub(crate) origin: Origin,
    pub(crate) secret: Map<String, Value>,
    pub(crate) config: Map<String, Value>,
    pub(crate) stored: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// Whether a text is a valid credential id.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        // Ids are path segments, and a segment of dots has another meaning.
        && text.bytes().any(|byte| byte != b'.')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl Credential {
    /// Validates a request to store a credential.
    pub(crate) fn new(id: &str, request: CredentialRequest) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut fault = |field: &str, message: &str| {
            errors.push(FieldError {
                field: field.to_owned(),
                message: message.to_owned(),
            });
        };
        if !is_id(id) {
            fault(
                "credential_id",
                "use 1 to 128 letters, digits, dots, dashes and underscores, but not only dots",
            );
        }
        if source_type::normalised(&request.source_type).is_empty() {
            fault(
                "source_type",
                "name the source type that the credential is for, for example `salesforce`",
            );
        }
        if request.secret.is_empty() {
            fault(
                "secret",
                "requires at least one member of the connector's configuration",
            );
        }
        for name in request
            .config
            .keys()
            .filter(|name| request.secret.contains_key(*name))
        {
            fault(
                &format!("config.{name}"),
                "is also in `secret`; set it once",
            );
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            id: id.to_owned(),
            source_type: request.source_type,
            kind: request.kind,
            origin: Origin::Vault,
            secret: request.secret,
            config: request.config,
            stored: None,
        })
    }

    /// Whether the credential may be used for that source type.
    pub(crate) fn is_for(&self, source_type: &str) -> bool {
        source_type::normalised(&self.source_type) == source_type::normalised(source_type)
    }

    /// The part of the connector's configuration that the credential holds.
    pub(crate) fn configuration(&self) -> Map<String, Value> {
        let mut all = self.config.clone();
        all.extend(self.secret.clone());
        all
    }

    /// The metadata that may be shown; `starred` masks secrets with stars.
    pub(crate) fn metadata(&self, starred: bool) -> CredentialMetadata {
        let mut configuration = self.configuration();
        if starred {
            for name in self.secret.keys() {
                configuration.insert(name.clone(), Value::from(REDACTED));
            }
        }
        CredentialMetadata {
            credential_id: self.id.clone(),
            source_type: self.source_type.clone(),
            kind: self.kind,
            origin: match self.origin {
                Origin::Environment => "environment",
                Origin::Vault => "vault",
            }
            .to_owned(),
            configuration,
            created_at: self.stored.map(|(created, _)| created),
            updated_at: self.stored.map(|(_, updated)| updated),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(body: Value) -> CredentialRequest {
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn masks_only_secrets() {
        let credential = Credential::new(
            "lake",
            request(json!({"source_type": "source-sqlite", "kind": "raw",
                "secret": {"password": "hunter2"}, "config": {"path": "/data/x.db"}})),
        )
        .unwrap_or_else(|_| panic!("valid"));
        let shown = credential.metadata(true).configuration;
        assert_eq!(
            Value::from(shown),
            json!({"path": "/data/x.db", "password": REDACTED})
        );
        assert!(credential.is_for("SQLite") && credential.is_for("airbyte/source-sqlite"));
        assert!(!credential.is_for("postgres"));
    }

    #[test]
    fn reports_every_fault() {
        let faults = Credential::new(
            "a/b",
            request(json!({"source_type": " ", "kind": "raw", "secret": {}, "config": {}})),
        )
        .err()
        .unwrap();
        let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["credential_id", "source_type", "secret"]);
    }
}
