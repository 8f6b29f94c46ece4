//! How often Airbyte is asked about jobs: often while one that just began may end any moment,
//! seldom while nothing runs. One question is about all connections, so that the number of calls
//! grows with the number of jobs, a hundred to a call, and not with that of connections.

use std::time::Duration;

/// Where nothing runs: what Airbyte's scheduler or a person started is found so late at most.
pub(crate) const IDLE: Duration = Duration::from_secs(30);
/// With more open jobs than this, every look is dear and some job always ends.
const MANY: usize = 100;
const MANY_PAUSE: Duration = Duration::from_secs(5);
/// Between two looks at the progress of many jobs, whose ends are seen without it.
const MANY_PROGRESS: Duration = Duration::from_secs(60);

/// Between two looks at what changed; `youngest` is the time since the newest open job was first
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

/// Between two looks at how far jobs are.
pub(crate) fn progress(youngest: Option<Duration>, open: usize) -> Duration {
    if open > MANY {
        MANY_PROGRESS
    } else {
        pause(youngest, open).max(Duration::from_secs(1))
    }
}

/// How long an open job may be in no list before it is asked for by its id.
pub(crate) fn patience(open: usize) -> Duration {
    if open > MANY {
        MANY_PROGRESS * 2
    } else {
        Duration::from_secs(10)
    }
}
