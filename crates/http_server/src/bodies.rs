//! Reads request bodies with a limit per body and a limit on all concurrent bodies together, and
//! rejects slow senders. Independent of how a server words its rejections.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Bytes, BytesMut};
use futures::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Minimum time for a body, however small.
const GRACE: Duration = Duration::from_secs(10);
/// Additional time per byte received.
const BYTES_PER_SECOND: u64 = 64 * 1024;
/// Unit in which bodies are counted.
const UNIT: usize = 1024;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyFault {
    /// It is larger than its route allows.
    #[error("the body may have at most {}", size(*.0))]
    TooLarge(usize),
    /// It arrives too slowly.
    #[error("the body arrived at less than {} KB/s", BYTES_PER_SECOND / 1024)]
    TooSlow,
    /// The connection broke, or the body does not match its header.
    #[error("the body was incomplete: {0}")]
    Broken(String),
    /// The concurrent bodies together have reached the server's limit.
    #[error("the server is already receiving as many body bytes as it accepts")]
    Full,
}

fn size(bytes: usize) -> String {
    match bytes / 1024 {
        kilobytes if kilobytes < 1024 => format!("{kilobytes} KB"),
        kilobytes => format!("{} MB", kilobytes / 1024),
    }
}

/// Total bytes of all concurrent bodies; cheap to clone.
#[derive(Debug, Clone)]
pub struct Bodies(Arc<Semaphore>);

/// One body's reservation; released when dropped.
#[derive(Debug)]
pub struct Share {
    _permit: OwnedSemaphorePermit,
}

impl Bodies {
    /// Limits the total to this many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT)))
    }

    /// Reserves as many bytes as the header announces, or as the route allows.
    ///
    /// # Errors
    /// Returns an error if the body is larger than that, or exceeds the total together with the
    /// others.
    pub fn reserve(&self, announced: Option<usize>, limit: usize) -> Result<Share, BodyFault> {
        let bytes = announced.unwrap_or(limit);
        if bytes > limit {
            return Err(BodyFault::TooLarge(limit));
        }
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.0).try_acquire_many_owned(units);
        permit
            .map(|permit| Share { _permit: permit })
            .map_err(|_| BodyFault::Full)
    }
}

/// The body's length, if the header announces it.
pub fn announced(request: &HttpRequest) -> Option<usize> {
    let length = request.headers().get(CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// Reads the whole body; fails as soon as it is known to be too large.
///
/// # Errors
/// Returns the reason why the body was not read.
pub async fn receive(mut payload: Payload, limit: usize) -> Result<Bytes, BodyFault> {
    let mut body = BytesMut::new();
    let started = Instant::now();
    loop {
        let earned = Duration::from_millis(body.len() as u64 * 1000 / BYTES_PER_SECOND);
        let next = tokio::time::timeout_at(started + GRACE + earned, payload.next()).await;
        let Some(chunk) = next.map_err(|_| BodyFault::TooSlow)? else {
            return Ok(body.freeze());
        };
        let chunk = chunk.map_err(|error| BodyFault::Broken(error.to_string()))?;
        if body.len() + chunk.len() > limit {
            return Err(BodyFault::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
}
