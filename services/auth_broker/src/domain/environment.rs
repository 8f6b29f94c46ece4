//! Credentials from environment variables: Salesforce, under any id that starts with `salesforce`.

use contracts::CredentialKind;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use settings::{SalesforceSettings, variables};

use super::credential::{Credential, Origin};

const PREFIX: &str = "salesforce";
const START_DATE: &str = "2024-01-01T00:00:00Z";

/// Result of looking up an id in the environment.
pub(crate) enum Found {
    /// A credential.
    Credential(Credential),
    /// The id matches, but these variables are unset.
    Missing(Vec<&'static str>),
    /// The environment does not provide this id.
    NotOurs,
}

/// The environment's credentials.
pub(crate) struct EnvironmentCredentials {
    salesforce: SalesforceSettings,
}

impl EnvironmentCredentials {
    pub(crate) fn new(salesforce: SalesforceSettings) -> Self {
        Self { salesforce }
    }

    /// The credential for a list, with an id that stands for all.
    pub(crate) fn listed(&self) -> Option<Credential> {
        match self.find(PREFIX) {
            Found::Credential(credential) => Some(credential),
            Found::Missing(_) | Found::NotOurs => None,
        }
    }

    /// Looks up the credential with that id.
    pub(crate) fn find(&self, id: &str) -> Found {
        if !id.starts_with(PREFIX) {
            return Found::NotOurs;
        }
        let SalesforceSettings {
            client_id,
            client_secret,
            refresh_token,
        } = &self.salesforce;
        let (Some(client_id), Some(client_secret), Some(refresh_token)) =
            (client_id, client_secret, refresh_token)
        else {
            let missing = [
                (variables::SALESFORCE_CLIENT_ID, client_id.is_none()),
                (variables::SALESFORCE_CLIENT_SECRET, client_secret.is_none()),
                (variables::SALESFORCE_REFRESH_TOKEN, refresh_token.is_none()),
            ];
            return Found::Missing(
                missing
                    .iter()
                    .filter(|(_, unset)| *unset)
                    .map(|(name, _)| *name)
                    .collect(),
            );
        };
        let secret: Map<String, Value> = [
            ("client_secret", client_secret.expose_secret()),
            ("refresh_token", refresh_token.expose_secret()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
        let config = json!({
            "client_id": client_id,
            "is_sandbox": false,
            "auth_type": "Client",
            "start_date": START_DATE,
        });
        let Value::Object(config) = config else {
            return Found::NotOurs;
        };
        Found::Credential(Credential {
            id: id.to_owned(),
            source_type: PREFIX.to_owned(),
            kind: CredentialKind::Raw,
            origin: Origin::Environment,
            secret,
            config,
            stored: None,
        })
    }
}
