//! Reads responses with a size limit, and the delay that they request.

use std::time::Duration;

/// More than any catalog or log; reading stops beyond it.
const BYTES_MAX: usize = 256 << 20;

/// Why a response was not read.
#[derive(Debug)]
pub enum ReadError {
    /// The connection failed.
    Transport(reqwest::Error),
    /// It is larger than any expected response.
    TooLarge,
}

/// Reads the body of a response.
///
/// # Errors
/// Returns an error if the connection breaks or the body is larger than 256 MiB.
pub async fn read(mut answer: reqwest::Response) -> Result<Vec<u8>, ReadError> {
    let announced = answer.content_length().unwrap_or(0);
    let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or(0).min(BYTES_MAX));
    while let Some(chunk) = answer.chunk().await.map_err(ReadError::Transport)? {
        if body.len() + chunk.len() > BYTES_MAX {
            return Err(ReadError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The seconds of `Retry-After`. The form with a date is ignored because clocks differ.
pub fn retry_after(answer: &reqwest::Response) -> Option<Duration> {
    let value = answer.headers().get("retry-after")?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}
