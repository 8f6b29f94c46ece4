//! The time that all calls for one request may take together, retries included; carried through
//! its tasks like its id.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// What a caller's request may take: a discover, a wait for a job, and what stands around them.
pub const REQUEST: Duration = Duration::from_secs(15 * 60);

tokio::task_local! {
    static UNTIL: Instant;
}

/// What is left; `None` for a task that works for no caller.
pub fn remaining() -> Option<Duration> {
    let until = UNTIL.try_with(|until| *until).ok()?;
    Some(until.saturating_duration_since(Instant::now()))
}

/// Runs `future` with at most `budget` for its calls, less where there is less already.
pub async fn scope<F: Future>(budget: Duration, future: F) -> F::Output {
    let budget = remaining().map_or(budget, |left| left.min(budget));
    UNTIL.scope(Instant::now() + budget, future).await
}
