//! `Idempotency-Key`: a repeated POST gets the first response and is not executed again
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! The request runs as a separate task, so that it completes and its response is stored even if the
//! caller disconnects.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{HttpMessage as _, HttpResponse};
use contracts::ErrorCode;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::runtime::Handle;
use tracing::Instrument as _;

use crate::limits::Place;
use crate::secret_response::HoldsSecret;
use crate::{ApiError, body, middleware};
use context::{caller, request_id};
use shared::registry::Registry;
use shared::registry::idempotency::{Answer, Claim, Claimed, KeyOf};

/// The header with the key.
const HEADER: &str = "idempotency-key";
/// The header of a replayed response.
const REPLAYED: &str = "idempotency-replayed";
const KEY_LENGTH_MAX: usize = 255;
/// Larger responses are not stored.
const ANSWER_MAX: usize = 1024 * 1024;
/// A third of a claim's duration.
const RENEW_EVERY: Duration = Duration::from_secs(6);
const SWEEP_EVERY_SECONDS: i64 = 600;
/// `Retry-After` in seconds while the first request runs.
const IN_FLIGHT_SECONDS: u64 = 1;
/// Larger bodies are hashed off the worker threads.
const INLINE: usize = 1024 * 1024;
/// Headers that are stored with a response.
const KEPT: &[&str] = &[
    "content-type",
    "location",
    "etag",
    "link",
    "preference-applied",
];

/// Stores responses; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Idempotency(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    service: &'static str,
    registry: Registry,
    key: SecretString,
    runtime: Handle,
    swept: AtomicI64,
}

/// What is stored in addition to status and body.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Envelope {
    headers: Vec<(String, String)>,
    #[serde(default)]
    left_out: Option<NotStored>,
}

/// Why a body is not stored.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NotStored {
    Secret,
    Large,
}

impl Idempotency {
    pub(super) fn new(service: &'static str, registry: Registry, key: SecretString) -> Self {
        Self(Arc::new(Inner {
            service,
            registry,
            key,
            runtime: Handle::current(),
            swept: AtomicI64::new(0),
        }))
    }

    /// Passes the request on, or replays the stored response. Holds its `place` until the request
    /// ends.
    pub(super) async fn pass(
        &self,
        caller: &str,
        mut request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
        place: Option<Place>,
    ) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
        if request.method() != Method::POST || !request.headers().contains_key(HEADER) {
            let response = next.call(request).await?;
            return Ok(response.map_into_boxed_body());
        }
        match self.claim(caller, &mut request).await {
            Ok(Claim::Mine(claimed)) => self.execute(claimed, request, next, place).await,
            Ok(Claim::Answered(answer)) => Ok(respond(request, replay(*answer))),
            Ok(Claim::OtherRequest) => Ok(respond(
                request,
                Err(ApiError::new(
                    ErrorCode::IdempotencyKeyReused,
                    "this Idempotency-Key was used with another request; use a new key for a new \
                     request",
                )),
            )),
            Ok(Claim::InFlight) => Ok(respond(
                request,
                Err(ApiError::new(
                    ErrorCode::IdempotencyInFlight,
                    "the first request with this Idempotency-Key is still in progress",
                )
                .retry_after(IN_FLIGHT_SECONDS)),
            )),
            Err(error) => Ok(respond(request, Err(error))),
        }
    }

    async fn claim(&self, caller: &str, request: &mut ServiceRequest) -> Result<Claim, ApiError> {
        let key = key(request)?;
        let payload = request.take_payload();
        let bytes = body::read(request.request(), payload).await?;
        request.set_payload(Payload::from(bytes.clone()));
        let fingerprint = self.fingerprint(request, bytes).await?;
        let of = KeyOf {
            actor: caller.to_owned(),
            operation: self.0.service.to_owned(),
            key,
        };
        self.sweep();
        Ok(self.0.registry.idempotency_claim(of, &fingerprint).await?)
    }

    /// Fingerprints a request so that it can be compared without being stored: it may contain
    /// secrets.
    async fn fingerprint(
        &self,
        request: &ServiceRequest,
        bytes: Bytes,
    ) -> Result<String, ApiError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.key.expose_secret().as_bytes())
            .expect("HMAC takes keys of any length");
        let target = request
            .uri()
            .path_and_query()
            .map_or_else(|| request.path(), |target| target.as_str());
        for part in ["aam/idempotency/v1", request.method().as_str(), target] {
            mac.update(part.as_bytes());
            mac.update(&[0]);
        }
        let inline = bytes.len() <= INLINE;
        let digest = move || {
            mac.update(&bytes);
            hex::encode(mac.finalize().into_bytes())
        };
        if inline {
            return Ok(digest());
        }
        tokio::task::spawn_blocking(digest)
            .await
            .map_err(|error| ApiError::caused(ErrorCode::Internal, &error))
    }

    async fn execute(
        &self,
        claimed: Claimed,
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
        place: Option<Place>,
    ) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
        let this = self.clone();
        let id = request_id::current().unwrap_or_default();
        let path = request.path().to_owned();
        let work = async move {
            let keeper = this.renew_claim(claimed.clone());
            let answered = next.call(request).await;
            drop(keeper);
            drop(place);
            let response = match answered {
                Ok(response) => {
                    let id = request_id::current().unwrap_or_default();
                    middleware::finish(response.map_into_boxed_body(), &path, &id)
                }
                Err(error) => {
                    this.release(&claimed).await;
                    return Err(error);
                }
            };
            Ok(this.store(&claimed, response).await)
        };
        let work = request_id::scope(id, caller::scope(caller::current(), work));
        match actix_web::rt::spawn(work.in_current_span()).await {
            Ok(answered) => answered,
            // It panicked. The claim expires.
            Err(error) => Err(ApiError::caused(ErrorCode::Internal, &error).into()),
        }
    }

    /// Renews the claim until the returned value is dropped.
    fn renew_claim(&self, claimed: Claimed) -> ClaimRenewer {
        let registry = self.0.registry.clone();
        ClaimRenewer(self.0.runtime.spawn(async move {
            loop {
                tokio::time::sleep(RENEW_EVERY).await;
                match registry.idempotency_renew(&claimed).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        tracing::warn!(%error, "failed to renew an idempotency key");
                    }
                }
            }
        }))
    }

    /// Stores the response, unless the request should be retried.
    async fn store(
        &self,
        claimed: &Claimed,
        response: ServiceResponse<BoxBody>,
    ) -> ServiceResponse<BoxBody> {
        let status = response.status();
        // A request that changed nothing and may succeed later, for example after a conflict, must
        // not be answered with the stored response.
        if status.is_server_error()
            || matches!(
                status.as_u16(),
                401 | 403 | 408 | 409 | 413 | 415 | 421 | 429
            )
        {
            self.release(claimed).await;
            return response;
        }
        let mut envelope = Envelope::default();
        for name in KEPT {
            if let Some(value) = response.headers().get(*name)
                && let Ok(value) = value.to_str()
            {
                envelope
                    .headers
                    .push(((*name).to_owned(), value.to_owned()));
            }
        }
        let holds_secret = response.request().extensions().contains::<HoldsSecret>();
        let (response, body) = if holds_secret {
            envelope.left_out = Some(NotStored::Secret);
            (response, None)
        } else {
            let (response, body) = text(response).await;
            if body.is_none() {
                envelope.left_out = Some(NotStored::Large);
            }
            (response, body)
        };
        let answer = Answer {
            status: status.as_u16(),
            headers: serde_json::to_string(&envelope).expect("an envelope is strings"),
            body,
        };
        if let Err(error) = self.0.registry.idempotency_store(claimed, answer).await {
            tracing::warn!(
                %error,
                "failed to store a response; a repeated request is executed again"
            );
        }
        response
    }

    async fn release(&self, claimed: &Claimed) {
        if let Err(error) = self.0.registry.idempotency_release(claimed).await {
            tracing::warn!(%error, "failed to release an idempotency key; its claim will expire");
        }
    }

    /// Occasionally removes expired responses.
    fn sweep(&self) {
        let now = chrono::Utc::now().timestamp();
        let last = self.0.swept.load(Ordering::Relaxed);
        let due = now - last >= SWEEP_EVERY_SECONDS;
        let swept = &self.0.swept;
        if !due
            || swept
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
        {
            return;
        }
        let registry = self.0.registry.clone();
        self.0.runtime.spawn(async move {
            if let Err(error) = registry.idempotency_sweep().await {
                tracing::warn!(%error, "failed to remove expired idempotency keys");
            }
        });
    }
}

struct ClaimRenewer(tokio::task::JoinHandle<()>);

impl Drop for ClaimRenewer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The key of a request: a structured field string, or bare.
fn key(request: &ServiceRequest) -> Result<String, ApiError> {
    let malformed = || {
        ApiError::new(
            ErrorCode::Malformed,
            "Idempotency-Key must be a string of 1 to 255 printable ASCII characters, for example \
             a UUID",
        )
    };
    let mut values = request.headers().get_all(HEADER);
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(malformed());
    };
    let text = value.to_str().map_err(|_| malformed())?.trim();
    let key = match text.strip_prefix('"') {
        Some(quoted) => unquote(quoted).ok_or_else(malformed)?,
        None => text.to_owned(),
    };
    let printable = key.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if printable && (1..=KEY_LENGTH_MAX).contains(&key.len()) {
        Ok(key)
    } else {
        Err(malformed())
    }
}

/// The text after an opening quote up to the closing one, which must be at the end (RFC 9651).
fn unquote(quoted: &str) -> Option<String> {
    let mut key = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => key.push(
                characters
                    .next()
                    .filter(|next| matches!(next, '"' | '\\'))?,
            ),
            other => key.push(other),
        }
    }
    characters.next().is_none().then_some(key)
}

/// The response with its body as text; `None` if the body is too large to be stored.
async fn text(response: ServiceResponse<BoxBody>) -> (ServiceResponse<BoxBody>, Option<String>) {
    let small = match response.response().body().size() {
        BodySize::None => return (response, Some(String::new())),
        BodySize::Sized(length) => length <= ANSWER_MAX as u64,
        BodySize::Stream => false,
    };
    if !small {
        return (response, None);
    }
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let bytes = actix_web::body::to_bytes(body).await.unwrap_or_default();
    let text = std::str::from_utf8(&bytes).ok().map(str::to_owned);
    let response = ServiceResponse::new(request, head.set_body(BoxBody::new(bytes)));
    (response, text)
}

/// Replays a stored response.
fn replay(answer: Answer) -> Result<HttpResponse, ApiError> {
    let envelope: Envelope = serde_json::from_str(&answer.headers).unwrap_or_default();
    let body = match (answer.body, envelope.left_out) {
        (Some(body), None) => body,
        (_, left_out) => {
            let (code, why) = match left_out {
                Some(NotStored::Secret) => (
                    ErrorCode::IdempotencySecretAnswer,
                    "its response contained a secret",
                ),
                _ => (
                    ErrorCode::IdempotencyAnswerTooLarge,
                    "its response was larger than 1 MB",
                ),
            };
            let location = envelope
                .headers
                .iter()
                .find_map(|(name, value)| (name == "location").then_some(value.as_str()));
            return Err(ApiError::new(
                code,
                format!(
                    "the first request with this Idempotency-Key was answered with {}; {why} and \
                     was not stored",
                    answer.status
                ),
            )
            .with("answered_status", answer.status.into())
            .with("answered_location", location.into()));
        }
    };
    let status = StatusCode::from_u16(answer.status)
        .map_err(|error| ApiError::caused(ErrorCode::Internal, &error))?;
    let mut response = HttpResponse::build(status);
    for (name, value) in envelope.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(name.as_str()),
            HeaderValue::try_from(value.as_str()),
        ) {
            response.insert_header((name, value));
        }
    }
    response.insert_header((REPLAYED, "true"));
    Ok(response.body(body))
}

fn respond(
    request: ServiceRequest,
    answer: Result<HttpResponse, ApiError>,
) -> ServiceResponse<BoxBody> {
    let id = request_id::current().unwrap_or_default();
    let response = answer.unwrap_or_else(|error| error.respond(request.path(), &id));
    request.into_response(response)
}
