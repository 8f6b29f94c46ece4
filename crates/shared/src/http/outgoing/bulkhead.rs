//! Limits concurrent calls to one dependency. Calls that wait for a connector have a separate
//! limit: however many of them hang, reads and triggers still get through.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Refusal, budget};

const QUICK: usize = 16;
const SLOW: usize = 32;

/// The class of a call, which determines its duration and its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// The dependency responds without running a connector.
    Quick,
    /// The dependency runs a connector.
    Slow,
}

impl Lane {
    /// How long to wait for a free place.
    fn patience(self) -> Duration {
        match self {
            Self::Quick => Duration::from_secs(10),
            Self::Slow => Duration::from_secs(60),
        }
    }
}

#[derive(Debug)]
pub(super) struct Bulkhead {
    quick: Semaphore,
    slow: Semaphore,
}

impl Default for Bulkhead {
    fn default() -> Self {
        Self {
            quick: Semaphore::new(QUICK),
            slow: Semaphore::new(SLOW),
        }
    }
}

impl Bulkhead {
    pub(super) async fn enter(&self, lane: Lane) -> Result<SemaphorePermit<'_>, Refusal> {
        let places = match lane {
            Lane::Quick => &self.quick,
            Lane::Slow => &self.slow,
        };
        let left = budget::remaining();
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Refusal::Spent);
        }
        let patience = left.map_or(lane.patience(), |left| left.min(lane.patience()));
        match tokio::time::timeout(patience, places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            // The semaphores are never closed.
            Ok(Err(_)) | Err(_) => Err(Refusal::Full),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hanging_connector_calls_leave_room_for_control_calls() {
        let bulkhead = Bulkhead::default();
        let mut hanging = Vec::new();
        for _ in 0..SLOW {
            hanging.push(bulkhead.enter(Lane::Slow).await.unwrap());
        }
        let one_more = bulkhead.enter(Lane::Slow);
        let refused = budget::scope(Duration::from_millis(20), one_more).await;
        assert!(matches!(refused, Err(Refusal::Full)));
        assert!(bulkhead.enter(Lane::Quick).await.is_ok());
    }
}
