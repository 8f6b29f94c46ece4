//! Looking for what a create that timed out may have made: Airbyte can go on with it for a while
//! after nobody waits for the answer any more.

use std::time::{Duration, Instant};

use shared::airbyte;

/// How long it is looked for.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(250);

/// Looks until it is there, or for long enough to say that it is not.
///
/// # Errors
/// When looking fails.
pub(crate) async fn look_for<T, F>(look: impl Fn() -> F) -> Result<Option<T>, airbyte::Error>
where
    F: Future<Output = Result<Option<T>, airbyte::Error>> + Send,
{
    let begun = Instant::now();
    loop {
        let found = look().await?;
        if found.is_some() || begun.elapsed() > PATIENCE {
            return Ok(found);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
