//! Handles pooled connections that died while idle: the server restarted, and the next statement
//! fails. No request may fail because of that: the first one that notices makes all older
//! connections suspect, and work that has not changed anything yet is repeated.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{DbErr, RuntimeErr, SqlxError};
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// A connection that has been idle for longer is always tested before use; younger ones are
/// trusted, which saves a round trip per statement.
const TRUSTED: Duration = Duration::from_secs(60);

/// When a connection was last found dead. Connections last used before that are tested before they
/// are used again.
#[derive(Debug)]
pub(super) struct Trust {
    start: Instant,
    /// Microseconds since `start`; 0: never.
    lost_at: AtomicU64,
}

impl Default for Trust {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            lost_at: AtomicU64::new(0),
        }
    }
}

impl Trust {
    /// Records that a connection was just found dead.
    pub(super) fn lose(&self) {
        self.lost_at
            .fetch_max(self.micros(Instant::now()), Ordering::SeqCst);
    }

    /// Whether to repeat work because its connection was dead; older connections are suspect from
    /// then on. For work that changes nothing before its last statement succeeds.
    pub(super) fn should_retry<T>(&self, first: &Result<T, DbErr>) -> bool {
        let is_lost = first.as_ref().is_err_and(is_lost);
        if is_lost {
            tracing::debug!("a database connection was dead; retrying on another one");
            self.lose();
        }
        is_lost
    }

    /// Whether a connection that has been idle for this long is used without a test.
    pub(super) fn covers(&self, idle: Duration) -> bool {
        let used_at = Instant::now().checked_sub(idle).unwrap_or(self.start);
        idle < TRUSTED && self.micros(used_at) > self.lost_at.load(Ordering::SeqCst)
    }

    /// At least 1, since 0 means never.
    fn micros(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start).as_micros();
        u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1)
    }
}

fn of_sqlx(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error.as_ref()),
        _ => None,
    }
}

/// Whether the connection that a statement was sent on is gone.
fn is_lost(error: &DbErr) -> bool {
    match of_sqlx(error) {
        Some(SqlxError::Io(_) | SqlxError::Protocol(_)) => true,
        Some(SqlxError::Database(error)) => error
            .try_downcast_ref::<PgDatabaseError>()
            .is_some_and(|error| ends_the_session(error.code())),
        _ => false,
    }
}

/// Class 08: the connection, including a pooler's to its server. 57P01 to 57P03: the server is
/// stopping, crashed or starting; 57P05: the session was idle for too long (PostgreSQL, appendix
/// A).
fn ends_the_session(code: &str) -> bool {
    code.starts_with("08") || matches!(code, "57P01" | "57P02" | "57P03" | "57P05")
}

/// Whether the database is currently unable to respond, so that a later retry may help.
pub(super) fn is_unavailable(error: &DbErr) -> bool {
    if matches!(error, DbErr::Conn(_) | DbErr::ConnectionAcquire(_)) {
        return true;
    }
    match of_sqlx(error) {
        Some(
            SqlxError::Io(_)
            | SqlxError::Protocol(_)
            | SqlxError::PoolTimedOut
            | SqlxError::PoolClosed
            | SqlxError::WorkerCrashed,
        ) => true,
        Some(SqlxError::Database(error)) => {
            if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
                // Class 53: out of disk space, memory or connections.
                return ends_the_session(error.code()) || error.code().starts_with("53");
            }
            let is_sqlite = error.try_downcast_ref::<SqliteError>().is_some();
            let code = error.code().and_then(|code| code.parse::<u32>().ok());
            // Busy, locked, I/O error, full; the higher bits give details.
            is_sqlite && code.is_some_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_last_used_before_a_loss_is_tested_and_a_newer_one_is_not() {
        let trust = Trust::default();
        assert!(trust.covers(Duration::ZERO));
        assert!(!trust.covers(TRUSTED));
        trust.lose();
        assert!(!trust.covers(Duration::from_secs(1)));
        let started = Instant::now();
        while started.elapsed() < Duration::from_micros(10) {}
        assert!(trust.covers(Duration::ZERO));
    }
}
