//! Reading bodies: bounded in bytes, counted together with all others that are under way, and not
//! waited for when they trickle. Knows no server's way to word a refusal.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Bytes, BytesMut};
use futures::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How long a body may take however small it is.
const GRACE: Duration = Duration::from_secs(10);
/// And how much longer with every byte that has come.
const BYTES_PER_SECOND: u64 = 64 * 1024;
/// Bodies are counted in units of so many bytes.
const UNIT: usize = 1024;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyFault {
    /// It is larger than its route allows.
    #[error("the body may have at most {}", size(*.0))]
    TooLarge(usize),
    /// It trickles.
    #[error("the body came with less than {} KB/s", BYTES_PER_SECOND / 1024)]
    TooSlow,
    /// The connection broke, or the body is not what its head announced.
    #[error("the body broke off: {0}")]
    Broken(String),
    /// Bodies of as many bytes as the server takes are under way.
    #[error("bodies of as many bytes as it takes are under way")]
    Full,
}

fn size(bytes: usize) -> String {
    match bytes / 1024 {
        kilobytes if kilobytes < 1024 => format!("{kilobytes} KB"),
        kilobytes => format!("{} MB", kilobytes / 1024),
    }
}

/// Bytes that all bodies under way have together; cheap to clone.
#[derive(Debug, Clone)]
pub struct Bodies(Arc<Semaphore>);

/// The part of one body; given back when dropped.
#[derive(Debug)]
pub struct Share {
    _permit: OwnedSemaphorePermit,
}

impl Bodies {
    /// At most so many bytes together.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT)))
    }

    /// The part of a body of as many bytes as its head announces, or as its route allows.
    ///
    /// # Errors
    /// When it is larger than that, or does not fit beside the others.
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

/// Bytes of the body as its head announces them.
pub fn announced(request: &HttpRequest) -> Option<usize> {
    let length = request.headers().get(CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// The whole body, refused as soon as it is known to be too large.
///
/// # Errors
/// Why it was not read.
pub async fn receive(mut payload: Payload, limit: usize) -> Result<Bytes, BodyFault> {
    let mut body = BytesMut::new();
    let begun = Instant::now();
    loop {
        let earned = Duration::from_millis(body.len() as u64 * 1000 / BYTES_PER_SECOND);
        let next = tokio::time::timeout_at(begun + GRACE + earned, payload.next()).await;
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
