//! Retries: a few attempts with growing pauses and jitter, never beyond the budget.

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};

use context::deadline;

const TIMES: usize = 2;
/// A dependency that requests a longer pause is not retried; the caller gets the error instead.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Pause between attempts of patient work.
const PAUSE_PATIENT: Duration = Duration::from_millis(500);

/// Whether a failed call is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No.
    Never,
    /// Yes, after this pause if the dependency requested one.
    After(Option<Duration>),
    /// Nothing was sent: yes, and in patient work until the patience runs out.
    NotSent(Option<Duration>),
}

tokio::task_local! {
    static PATIENCE: Duration;
}

/// Runs patient work: a call in it that cannot be sent is retried for up to `patience`. A
/// dependency that restarts is back within seconds.
pub async fn patiently<F: Future>(patience: Duration, future: F) -> F::Output {
    PATIENCE.scope(patience, future).await
}

/// Makes a call, and retries it as `retry` allows.
///
/// # Errors
/// Returns the error of the last attempt.
pub async fn repeat<T, E, F>(
    mut call: impl FnMut() -> F,
    retry: impl Fn(&E) -> Retry,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(2))
        .with_max_times(TIMES)
        .with_jitter()
        .build();
    let started_at = tokio::time::Instant::now();
    let patience = PATIENCE.try_with(|patience| *patience).unwrap_or_default();
    loop {
        let error = match call().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let (requested, is_patient) = match retry(&error) {
            Retry::Never => return Err(error),
            Retry::After(requested) => (requested, false),
            Retry::NotSent(requested) => (requested, started_at.elapsed() < patience),
        };
        let pause = match pauses.next() {
            Some(pause) => pause,
            None if is_patient => PAUSE_PATIENT,
            None => return Err(error),
        };
        let pause = requested.map_or(pause, |requested| requested.max(pause));
        let has_time = deadline::remaining().is_none_or(|left| pause < left);
        if pause > PAUSE_MAX || !has_time {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    async fn tries(retry: Retry, time: Duration) -> (u32, Duration) {
        let (attempts, started_at) = (Cell::new(0), tokio::time::Instant::now());
        let call = || {
            attempts.set(attempts.get() + 1);
            std::future::ready(Err::<(), _>(()))
        };
        let ended = deadline::scope(time, repeat(call, |()| retry)).await;
        assert!(ended.is_err());
        (attempts.get(), started_at.elapsed())
    }

    #[tokio::test]
    async fn retries_within_bounds_and_the_budget() {
        let minute = Duration::from_secs(60);
        assert_eq!(tries(Retry::Never, minute).await.0, 1);
        assert_eq!(tries(Retry::After(None), minute).await.0, 3);
        let requested = Retry::After(Some(Duration::from_millis(900)));
        let (attempts, took) = tries(requested, minute).await;
        assert_eq!(attempts, 3);
        assert!(took >= Duration::from_millis(1800), "as long as requested");
        assert_eq!(tries(requested, Duration::from_millis(500)).await.0, 1);
        let not_sent = Retry::NotSent(None);
        assert_eq!(tries(not_sent, minute).await.0, 3);
        let (attempts, took) = patiently(Duration::from_secs(3), tries(not_sent, minute)).await;
        assert!(
            attempts > 4 && took >= Duration::from_secs(3),
            "{attempts} {took:?}"
        );
        let long = Retry::After(Some(minute));
        assert_eq!(
            tries(long, minute * 9).await.0,
            1,
            "the caller gets the error"
        );
    }
}
