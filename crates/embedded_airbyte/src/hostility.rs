//! What clients of a real Airbyte trip over, done on purpose: see [`AirbyteMode`].

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use settings::AirbyteMode;
use uuid::Uuid;

/// How long after its time-out a late create happens.
pub(crate) const LATE: Duration = Duration::from_millis(700);
/// The host in links of a default installation; it is unreachable from outside its cluster.
const INTERNAL: &str = "http://airbyte-abctl-airbyte-server-svc:8001";

/// What becomes of a request that makes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Create {
    /// It is made and answered.
    Honest,
    /// A time-out is answered, and it is made some time later.
    Late,
    /// `try-again-later`, as when a job ended just now.
    TryAgain,
}

/// How unfriendly the engine is.
pub(crate) struct Hostility {
    mode: AirbyteMode,
    discovered: Mutex<HashSet<Uuid>>,
    creates: AtomicU64,
    jobs: AtomicU64,
}

impl Hostility {
    pub(crate) fn new(mode: AirbyteMode) -> Self {
        Self {
            mode,
            discovered: Mutex::default(),
            creates: AtomicU64::new(0),
            jobs: AtomicU64::new(0),
        }
    }

    fn hostile(&self) -> bool {
        self.mode == AirbyteMode::Hostile
    }

    /// Whether the token endpoints read JSON only.
    pub(crate) fn refuses_forms(&self) -> bool {
        self.mode != AirbyteMode::Lenient
    }

    /// Whether a token comes without its lifetime.
    pub(crate) fn hides_lifetime(&self) -> bool {
        self.hostile()
    }

    /// Whether a path that does not exist below `/api` is answered by the web app.
    pub(crate) fn answers_everything(&self) -> bool {
        self.hostile()
    }

    /// The host of links, where it is not the one that was asked.
    pub(crate) fn link_host(&self) -> Option<&'static str> {
        self.hostile().then_some(INTERNAL)
    }

    /// Whether this discover fails: the first one of each source does.
    pub(crate) fn fails_discover(&self, source: Uuid) -> bool {
        self.hostile()
            && self
                .discovered
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(source)
    }

    /// What becomes of the next source, destination or connection.
    pub(crate) fn create(&self) -> Create {
        if self.hostile()
            && self
                .creates
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(2)
        {
            return Create::Late;
        }
        Create::Honest
    }

    /// What becomes of the next job.
    pub(crate) fn job(&self) -> Create {
        if !self.hostile() {
            return Create::Honest;
        }
        match self.jobs.fetch_add(1, Ordering::Relaxed) % 3 {
            0 => Create::TryAgain,
            1 => Create::Late,
            _ => Create::Honest,
        }
    }
}
