//! What time it is for jobs and schedules. Tests move it forward instead of waiting.

use std::time::Duration;

use tokio::sync::watch;

use crate::time::now_ms;

/// Waiting is cut into pieces, so that a machine that slept notices.
const PIECE: Duration = Duration::from_secs(60);

/// The system's time, perhaps moved forward. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock {
    ahead_ms: watch::Sender<i64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The system's time.
    pub fn system() -> Self {
        Self {
            ahead_ms: watch::Sender::new(0),
        }
    }

    /// Moves the time forward; waits for a time that has come end.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.ahead_ms
            .send_modify(|ahead| *ahead = ahead.saturating_add(by));
    }

    /// Milliseconds since the epoch.
    pub fn now_ms(&self) -> i64 {
        now_ms().saturating_add(*self.ahead_ms.borrow())
    }

    /// Waits until a time has come; for ever without one.
    pub(crate) async fn until(&self, at_ms: Option<i64>) {
        let mut moved = self.ahead_ms.subscribe();
        loop {
            let left = match at_ms {
                None => PIECE,
                Some(at) => match u64::try_from(at - self.now_ms()) {
                    Ok(left) if left > 0 => Duration::from_millis(left).min(PIECE),
                    _ => return,
                },
            };
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                // The sender is this clock's own, so it is there.
                _ = moved.changed() => {}
            }
        }
    }
}
