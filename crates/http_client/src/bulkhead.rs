//! Limits concurrent calls to one dependency. Calls that wait for a connector have a separate
//! limit: however many of them hang, reads and triggers still get through.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::Rejected;
use context::deadline;

const CONTROL: usize = 16;
const CONNECTOR: usize = 32;

/// The class of a call, which determines its duration and its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallClass {
    /// The dependency responds without running a connector.
    Control,
    /// The dependency runs a connector.
    Connector,
}

impl CallClass {
    /// How long to wait for a free place.
    fn patience(self) -> Duration {
        match self {
            Self::Control => Duration::from_secs(10),
            Self::Connector => Duration::from_secs(60),
        }
    }
}

#[derive(Debug)]
pub(super) struct Bulkhead {
    control: Semaphore,
    connector: Semaphore,
}

impl Default for Bulkhead {
    fn default() -> Self {
        Self {
            control: Semaphore::new(CONTROL),
            connector: Semaphore::new(CONNECTOR),
        }
    }
}

impl Bulkhead {
    pub(super) async fn enter(&self, class: CallClass) -> Result<SemaphorePermit<'_>, Rejected> {
        let places = match class {
            CallClass::Control => &self.control,
            CallClass::Connector => &self.connector,
        };
        let left = deadline::remaining();
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Rejected::DeadlineExceeded);
        }
        let patience = left.map_or(class.patience(), |left| left.min(class.patience()));
        match tokio::time::timeout(patience, places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            // The semaphores are never closed.
            Ok(Err(_)) | Err(_) => Err(Rejected::Saturated),
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
        for _ in 0..CONNECTOR {
            hanging.push(bulkhead.enter(CallClass::Connector).await.unwrap());
        }
        let one_more = bulkhead.enter(CallClass::Connector);
        let refused = deadline::scope(Duration::from_millis(20), one_more).await;
        assert!(matches!(refused, Err(Rejected::Saturated)));
        assert!(bulkhead.enter(CallClass::Control).await.is_ok());
    }
}
