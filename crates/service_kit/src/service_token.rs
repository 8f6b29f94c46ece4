//! The tokens with which services authenticate to one another: signed with a shared key (HS256
//! only), for one audience, valid for at most 60 s. They name the caller on whose behalf the
//! service calls.

use chrono::Utc;
use contracts::Role;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use context::caller;

const LIFETIME_SECONDS: i64 = 60;
const LEEWAY_SECONDS: u64 = 5;
const SERVICES: &[&str] = &["orchestrator", "auth_broker", "drift_repair_agent"];

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    /// The original caller and their role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    act: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
}

/// The content of a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The service that issued it.
    pub service: String,
    /// The caller on whose behalf it calls, if any.
    pub on_behalf_of: Option<(String, Role)>,
}

/// Why a token was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotVerified {
    /// Signed with this installation's key, but not valid at this moment, for this audience or for
    /// this long. Clock differences cause such tokens.
    Stale,
    /// Not a token of this installation's services.
    Foreign,
}

/// Issues a service's tokens for others, and verifies those sent to it.
#[derive(Clone)]
pub struct ServiceTokens {
    key: SecretString,
    service: &'static str,
}

impl std::fmt::Debug for ServiceTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServiceTokens({})", self.service)
    }
}

impl ServiceTokens {
    /// Creates the tokens of `service`.
    pub fn new(key: SecretString, service: &'static str) -> Self {
        Self { key, service }
    }

    /// Issues a token for calls to `audience`, whose clock is `ahead` seconds ahead of ours, on
    /// behalf of this task's caller.
    ///
    /// # Errors
    /// Returns an error if signing fails.
    pub fn issue(
        &self,
        audience: &str,
        ahead: i64,
    ) -> Result<SecretString, jsonwebtoken::errors::Error> {
        let now = Utc::now().timestamp() + ahead;
        let requester = caller::requester();
        let claims = Claims {
            role: requester.as_ref().map(|actor| actor.role),
            act: requester.map(|actor| actor.name),
            iss: self.service.to_owned(),
            aud: audience.to_owned(),
            iat: now,
            exp: now + LIFETIME_SECONDS,
        };
        let key = EncodingKey::from_secret(self.key.expose_secret().as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).map(Into::into)
    }

    /// Returns the token's content if it is genuine, current and meant for this service.
    ///
    /// # Errors
    /// Returns the reason if the token is rejected.
    pub fn verify(&self, token: &str) -> Result<Verified, NotVerified> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[self.service]);
        validation.set_issuer(SERVICES);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "iat"]);
        validation.leeway = LEEWAY_SECONDS;
        let key = DecodingKey::from_secret(self.key.expose_secret().as_bytes());
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature
                | ErrorKind::InvalidAudience
                | ErrorKind::InvalidIssuer
                | ErrorKind::MissingRequiredClaim(_) => NotVerified::Stale,
                _ => NotVerified::Foreign,
            })?
            .claims;
        let leeway = LEEWAY_SECONDS as i64;
        let lasts = claims.exp.checked_sub(claims.iat);
        let is_short = lasts.is_some_and(|lasts| lasts <= LIFETIME_SECONDS + leeway);
        let is_made = claims.iat <= Utc::now().timestamp() + leeway;
        if !is_short || !is_made {
            return Err(NotVerified::Stale);
        }
        Ok(Verified {
            service: claims.iss,
            on_behalf_of: claims.act.zip(claims.role),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(key: &str, service: &'static str) -> ServiceTokens {
        local::install_tls_provider();
        ServiceTokens::new(key.to_owned().into(), service)
    }

    #[test]
    fn a_token_is_for_one_audience_and_one_key() {
        let orchestrator = tokens("k", "orchestrator");
        let token = orchestrator.issue("auth_broker", 0).unwrap();
        let token = token.expose_secret();
        assert_eq!(
            tokens("k", "auth_broker").verify(token),
            Ok(Verified {
                service: "orchestrator".into(),
                on_behalf_of: None
            })
        );
        let elsewhere = tokens("k", "drift_repair_agent").verify(token);
        assert_eq!(elsewhere, Err(NotVerified::Stale));
        for foreign in [
            tokens("other", "auth_broker").verify(token),
            tokens("k", "auth_broker").verify("aam_key"),
        ] {
            assert_eq!(foreign, Err(NotVerified::Foreign));
        }
    }

    #[tokio::test]
    async fn a_token_names_the_original_caller() {
        let alice = caller::CallerContext {
            service: "orchestrator",
            name: "alice".into(),
            role: Role::Operator,
        };
        let orchestrator = tokens("k", "orchestrator");
        let token = caller::scope(alice, async {
            orchestrator.issue("auth_broker", 0).unwrap()
        })
        .await;
        let verified = tokens("k", "auth_broker").verify(token.expose_secret());
        assert_eq!(
            verified.unwrap().on_behalf_of,
            Some(("alice".into(), Role::Operator))
        );
    }

    #[test]
    fn an_old_long_lived_or_future_token_is_stale() {
        local::install_tls_provider();
        let key = EncodingKey::from_secret(b"k");
        let now = Utc::now().timestamp();
        for (iat, exp) in [
            (now - 120, now - 60),
            (now, now + 3600),
            (now + 3000, now + 3060),
            (i64::MIN, now + 60),
            (i64::MIN, i64::MAX),
        ] {
            let claims = Claims {
                iss: "orchestrator".into(),
                aud: "auth_broker".into(),
                iat,
                exp,
                act: None,
                role: None,
            };
            let token =
                jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
            let refused = tokens("k", "auth_broker").verify(&token);
            assert_eq!(refused, Err(NotVerified::Stale), "{iat} {exp}");
        }
    }
}
