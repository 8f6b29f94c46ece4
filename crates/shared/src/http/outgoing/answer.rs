//! Reading an answer: bounded, and how long it asks to wait.

use std::time::Duration;

/// More than any catalog or log; an answer beyond it is not read to its end.
const BYTES_MAX: usize = 256 << 20;

/// Why an answer was not read.
#[derive(Debug)]
pub enum ReadError {
    /// The connection failed.
    Transport(reqwest::Error),
    /// It is larger than anything that is asked for.
    TooLarge,
}

/// The body of an answer.
///
/// # Errors
/// When the connection breaks or the body is larger than 256 MiB.
pub async fn read(mut answer: reqwest::Response) -> Result<Vec<u8>, ReadError> {
    let told = answer.content_length().unwrap_or(0);
    let mut body = Vec::with_capacity(usize::try_from(told).unwrap_or(0).min(BYTES_MAX));
    while let Some(chunk) = answer.chunk().await.map_err(ReadError::Transport)? {
        if body.len() + chunk.len() > BYTES_MAX {
            return Err(ReadError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The seconds of `Retry-After`. The form with a date is not read: clocks differ.
pub fn retry_after(answer: &reqwest::Response) -> Option<Duration> {
    let value = answer.headers().get("retry-after")?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}
