//! OAuth2 client credentials for Airbyte, using the `oauth2` crate with our HTTP client.
//!
//! A token lives min(`expires_in`, `exp − iat`) from its receipt on a monotonic clock, or 180 s if
//! neither is known. It is refreshed early by min(60 s, a third of its lifetime), by one caller at
//! a time; the others wait for that response.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::call::{from_transport, refused};
use super::error::{self, Error, ErrorKind};
use super::metrics::record_call;
use http_client::{CallClass, Dependency};

const CALL: &str = "getting a token";
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(180);
const MARGIN_MAX: Duration = Duration::from_secs(60);

type Refresh = Shared<BoxFuture<'static, Result<SecretString, Arc<Error>>>>;

/// The tokens of one client.
pub(super) struct Tokens {
    shared: Arc<TokenState>,
}

struct TokenState {
    url: String,
    id: String,
    secret: SecretString,
    http: reqwest::Client,
    dependency: Dependency,
    timeout: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    refresh: Option<Refresh>,
}

struct Token {
    value: SecretString,
    refresh_at: Instant,
}

impl Tokens {
    pub(super) fn new(
        public_base: &str,
        id: String,
        secret: SecretString,
        http: reqwest::Client,
        dependency: Dependency,
        timeout: Duration,
    ) -> Self {
        let url = format!("{public_base}/applications/token");
        let state = Mutex::default();
        Self {
            shared: Arc::new(TokenState {
                url,
                id,
                secret,
                http,
                dependency,
                timeout,
                state,
            }),
        }
    }

    /// Returns a fresh token other than the one that Airbyte just rejected.
    pub(super) async fn get(
        &self,
        refused: Option<&SecretString>,
    ) -> Result<SecretString, Arc<Error>> {
        let refresh = {
            let mut state = self
                .shared
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(token) = &state.token {
                let is_refused = refused
                    .is_some_and(|refused| refused.expose_secret() == token.value.expose_secret());
                if !is_refused && Instant::now() < token.refresh_at {
                    return Ok(token.value.clone());
                }
            }
            match &state.refresh {
                Some(refresh) => refresh.clone(),
                None => {
                    let refresh = refresh(Arc::clone(&self.shared)).boxed().shared();
                    // Runs as a separate task, so that a caller that disconnects does not cancel
                    // it.
                    tokio::spawn(refresh.clone());
                    state.refresh = Some(refresh.clone());
                    refresh
                }
            }
        };
        refresh.await
    }
}

async fn refresh(shared: Arc<TokenState>) -> Result<SecretString, Arc<Error>> {
    let fetched = fetch(&shared).await;
    let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
    state.refresh = None;
    match fetched {
        Ok((value, lifetime)) => {
            let margin = MARGIN_MAX.min(lifetime / 3);
            let refresh_at = Instant::now() + (lifetime - margin);
            state.token = Some(Token {
                value: value.clone(),
                refresh_at,
            });
            Ok(value)
        }
        Err(error) => {
            state.token = None;
            Err(Arc::new(error))
        }
    }
}

async fn fetch(shared: &Arc<TokenState>) -> Result<(SecretString, Duration), Error> {
    let fail = |kind| Error { call: CALL, kind };
    let token_url = TokenUrl::new(shared.url.clone()).map_err(|error| {
        fail(ErrorKind::NotAirbyte {
            url: shared.url.as_str().into(),
            message: error.to_string(),
        })
    })?;
    let client = BasicClient::new(ClientId::new(shared.id.clone()))
        .set_client_secret(ClientSecret::new(shared.secret.expose_secret().to_owned()))
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(token_url);
    let at_work = Arc::clone(shared);
    let send = move |request: HttpRequest| ask(Arc::clone(&at_work), request);
    let answer = client
        .exchange_client_credentials()
        .request_async(&send)
        .await;
    let answer = answer.map_err(|error| match error {
        oauth2::RequestTokenError::Request(error) => error,
        oauth2::RequestTokenError::Parse(_, body) => fail(ErrorKind::NotAirbyte {
            url: shared.url.as_str().into(),
            message: format!(
                "a token response of {} bytes without a usable token",
                body.len()
            ),
        }),
        other => fail(ErrorKind::NotAirbyte {
            url: shared.url.as_str().into(),
            message: other.to_string(),
        }),
    })?;
    let value = answer.access_token().secret().to_owned();
    let lifetime = lifetime(answer.expires_in(), &value);
    Ok((value.into(), lifetime))
}

/// Makes one attempt, within the breaker and the bulkhead.
async fn ask(shared: Arc<TokenState>, request: HttpRequest) -> Result<HttpResponse, Error> {
    let entered = shared.dependency.enter(CallClass::Control).await;
    let pass = entered.map_err(|refusal| refused(CALL, refusal))?;
    let started = Instant::now();
    let outcome = send_as_json(&shared.http, shared.timeout, request).await;
    let code = outcome
        .as_ref()
        .map_or_else(Error::code, |_| "200".to_owned());
    record_call(CALL, &code, started.elapsed());
    match &outcome {
        Err(error) if error.is_outage() => pass.failed(),
        _ => pass.answered(),
    }
    outcome
}

/// Airbyte's token endpoint expects JSON with the member `grant-type` (with a hyphen) and no
/// Authorization header; some versions answer 401 to the form body that the standard requires.
async fn send_as_json(
    http: &reqwest::Client,
    timeout: Duration,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let url = request.uri().to_string();
    let mut body: BTreeMap<String, String> = url::form_urlencoded::parse(request.body())
        .into_owned()
        .collect();
    if let Some(grant) = body.get("grant_type").cloned() {
        body.insert("grant-type".to_owned(), grant);
    }
    let sent = http
        .post(&url)
        .timeout(timeout)
        .header("accept", "application/json")
        .json(&body)
        .send()
        .await
        .map_err(|error| from_transport(CALL, &url, timeout, &error))?;
    let status = sent.status();
    let retry_after = http_client::retry_after(&sent);
    let bytes = sent
        .bytes()
        .await
        .map_err(|error| from_transport(CALL, &url, timeout, &error))?;
    if !status.is_success() {
        let failed = error::from_answer(
            CALL,
            &url,
            status.as_u16(),
            retry_after,
            &String::from_utf8_lossy(&bytes),
        );
        // Community edition answers a wrong id or secret with a 400.
        return Err(match failed.kind {
            ErrorKind::Rejected { message, .. } => Error {
                call: CALL,
                kind: ErrorKind::Unauthorized { message },
            },
            _ => failed,
        });
    }
    oauth2::http::Response::builder()
        .status(200)
        .header("content-type", "application/json")
        .body(bytes.to_vec())
        .map_err(|error| Error {
            call: CALL,
            kind: ErrorKind::NotAirbyte {
                url: url.as_str().into(),
                message: error.to_string(),
            },
        })
}

fn lifetime(expires_in: Option<Duration>, token: &str) -> Duration {
    match (expires_in, jwt_lifetime(token)) {
        (Some(stated), Some(signed)) => stated.min(signed),
        (Some(stated), None) => stated,
        (None, Some(signed)) => signed,
        (None, None) => UNKNOWN_LIFETIME,
    }
}

/// `exp − iat`, which does not depend on whether our clock and Airbyte's agree.
fn jwt_lifetime(token: &str) -> Option<Duration> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    let seconds = claims.get("exp")?.as_f64()? - claims.get("iat")?.as_f64()?;
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(86_400.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_lives_as_long_as_its_shorter_claim() {
        let seconds = |expires_in: Option<u64>, token: &str| {
            lifetime(expires_in.map(Duration::from_secs), token).as_secs()
        };
        assert_eq!(seconds(Some(900), &jwt(r#"{"iat":100,"exp":400}"#)), 300);
        assert_eq!(seconds(Some(200), &jwt(r#"{"iat":100,"exp":400}"#)), 200);
        assert_eq!(seconds(None, &jwt(r#"{"iat":100,"exp":400}"#)), 300);
        assert_eq!(seconds(Some(900), "opaque"), 900);
        assert_eq!(seconds(None, "opaque"), 180);
        assert_eq!(seconds(None, &jwt(r#"{"exp":400}"#)), 180);
    }
}
