//! The time budget of all calls for one request, retries included; carried through its tasks like
//! the request id.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// The budget of a caller's request: a discovery, a wait for a job, and the rest of the work.
pub const REQUEST: Duration = Duration::from_secs(15 * 60);

tokio::task_local! {
    static UNTIL: Instant;
}

/// The remaining time; `None` for a task that serves no caller.
pub fn remaining() -> Option<Duration> {
    let until = UNTIL.try_with(|until| *until).ok()?;
    Some(until.saturating_duration_since(Instant::now()))
}

/// Runs `future` with at most `budget` for its calls, or with the remaining time if that is less.
pub async fn scope<F: Future>(budget: Duration, future: F) -> F::Output {
    let budget = remaining().map_or(budget, |left| left.min(budget));
    UNTIL.scope(Instant::now() + budget, future).await
}
