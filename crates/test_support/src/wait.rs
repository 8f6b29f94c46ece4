//! Waiting for a state, with a deadline and what was last seen.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Asks until the answer is `Ok`, for at most 30 s; panics with the last `Err`.
pub async fn eventually<T, E: Debug>(ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    eventually_within(Duration::from_secs(30), ask).await
}

/// The same with another deadline.
pub async fn eventually_within<T, E: Debug>(
    patience: Duration,
    mut ask: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let begun = Instant::now();
    loop {
        match ask().await {
            Ok(value) => return value,
            Err(last_seen) => {
                assert!(
                    begun.elapsed() < patience,
                    "not within {patience:?}; last seen: {last_seen:?}"
                );
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
