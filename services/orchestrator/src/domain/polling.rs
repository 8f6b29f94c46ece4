//! How often to poll Airbyte for jobs: often while a recently started job may end at any moment,
//! rarely while nothing runs. One call covers all connections, so the number of calls grows with
//! the number of jobs (a hundred per call), not with the number of connections.

use std::time::Duration;

/// While no job runs: the maximum delay until a job started by Airbyte's scheduler or by a user is
/// found.
pub(crate) const IDLE: Duration = Duration::from_secs(30);
/// With more open jobs than this, every poll is expensive and some job is always ending.
const MANY: usize = 100;
const MANY_PAUSE: Duration = Duration::from_secs(5);
/// Interval between polls for the progress of many jobs; their ends are detected without it.
const MANY_PROGRESS: Duration = Duration::from_secs(60);

/// Interval between polls for changes; `youngest` is the time since the newest open job was first
/// seen.
pub(crate) fn pause(youngest: Option<Duration>, open: usize) -> Duration {
    let Some(age) = youngest else {
        return IDLE;
    };
    let pause = match age.as_secs() {
        0..10 => Duration::from_millis(500),
        10..60 => Duration::from_secs(1),
        60..300 => Duration::from_secs(3),
        _ => Duration::from_secs(10),
    };
    if open > MANY {
        pause.max(MANY_PAUSE)
    } else {
        pause
    }
}

/// Interval between polls for progress.
pub(crate) fn progress(youngest: Option<Duration>, open: usize) -> Duration {
    if open > MANY {
        MANY_PROGRESS
    } else {
        pause(youngest, open).max(Duration::from_secs(1))
    }
}

/// How long an open job may be missing from all lists before it is polled by its id.
pub(crate) fn patience(open: usize) -> Duration {
    if open > MANY {
        MANY_PROGRESS * 2
    } else {
        Duration::from_secs(10)
    }
}
