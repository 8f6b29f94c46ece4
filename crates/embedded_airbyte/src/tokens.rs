//! Access tokens: what Airbyte's community edition issues for its one application.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

const AUDIENCE: &str = "airbyte-server";
const ISSUER: &str = "embedded-airbyte";
const SUBJECT: &str = "00000000-0000-0000-0000-000000000000";

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: i64,
    exp: i64,
    roles: Vec<String>,
}

/// Issues and checks tokens.
pub(crate) struct Tokens {
    client_id: String,
    client_secret: SecretString,
    encoding: EncodingKey,
    decoding: DecodingKey,
    lifetime: Duration,
}

impl Tokens {
    pub(crate) fn new(
        client_id: String,
        client_secret: SecretString,
        signing_key: &[u8],
        lifetime: Duration,
    ) -> Self {
        Self {
            client_id,
            client_secret,
            encoding: EncodingKey::from_secret(signing_key),
            decoding: DecodingKey::from_secret(signing_key),
            lifetime,
        }
    }

    /// The one application's id.
    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Seconds that a token lives.
    pub(crate) fn lifetime_seconds(&self) -> u64 {
        self.lifetime.as_secs()
    }

    /// A token for callers that know the application's secret.
    pub(crate) fn issue(&self, client_id: &str, client_secret: &str) -> Option<String> {
        let expected = self.client_secret.expose_secret().as_bytes();
        let known = self.client_id.as_bytes().ct_eq(client_id.as_bytes())
            & expected.ct_eq(client_secret.as_bytes());
        if !bool::from(known) {
            return None;
        }
        let now = chrono::Utc::now().timestamp();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: SUBJECT.to_owned(),
            iat: now,
            exp: now.saturating_add(i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX)),
            roles: vec!["AUTHENTICATED_USER".to_owned(), "ADMIN".to_owned()],
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding);
        Some(token.expect("plain claims under a symmetric key always encode"))
    }

    /// Whether a bearer token is one of ours and still valid.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.leeway = 0;
        jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation).is_ok()
    }
}
