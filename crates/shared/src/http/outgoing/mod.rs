//! The kit for calls that go out: per dependency a circuit breaker and a bulkhead, retries with
//! jitter where repeating is safe, a budget per request, bounded answers.
//!
//! No connection to the registry is held across a call: [`crate::registry::Registry`] gives out
//! readers and transactions that flows drop before they call.

mod answer;
mod breaker;
pub mod budget;
mod bulkhead;
mod retry;

pub use answer::{ReadError, read, retry_after};
pub use breaker::Breaker;
pub use bulkhead::Lane;
pub use retry::{Again, patiently, repeat};

use std::sync::Arc;
use std::time::Duration;

use contracts::Circuit;

use bulkhead::Bulkhead;

/// Why a call was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The dependency has failed too often; it is tried again after this time.
    Open(Duration),
    /// Too many calls are under way already.
    Full,
    /// The request that the call is for has used up its time.
    Spent,
}

/// A dependency that calls go to; cheap to clone.
#[derive(Debug, Clone)]
pub struct Dependency {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    breaker: Breaker,
    bulkhead: Bulkhead,
}

/// A call that may be made now. What came of it is told by [`Pass::answered`] or [`Pass::failed`];
/// a call that was given up tells nothing.
#[derive(Debug)]
pub struct Pass<'a> {
    breaker: breaker::Admitted<'a>,
    _place: tokio::sync::SemaphorePermit<'a>,
}

impl Dependency {
    /// A dependency with a circuit that is closed.
    pub fn new(name: &'static str) -> Self {
        Self {
            inner: Arc::new(Inner {
                breaker: Breaker::new(name),
                bulkhead: Bulkhead::default(),
            }),
        }
    }

    /// Waits for a place among the calls under way, for as long as the lane and the budget allow.
    ///
    /// # Errors
    /// When the circuit is open, no place becomes free or the budget is spent.
    pub async fn enter(&self, lane: Lane) -> Result<Pass<'_>, Refusal> {
        let inner = &self.inner;
        // Before waiting, so that a queue does not build up before a dependency that is down.
        inner.breaker.check().map_err(Refusal::Open)?;
        let place = inner.bulkhead.enter(lane).await?;
        let breaker = inner.breaker.admit().map_err(Refusal::Open)?;
        Ok(Pass {
            breaker,
            _place: place,
        })
    }

    /// The state of its circuit.
    pub fn circuit(&self) -> Circuit {
        self.inner.breaker.state()
    }

    /// What a probe beside the calls found out: one that answers closes the circuit.
    pub fn probed(&self, answers: bool) {
        self.inner.breaker.probed(answers);
    }
}

impl Pass<'_> {
    /// The dependency answered, whatever it said.
    pub fn answered(self) {
        self.breaker.answered();
    }

    /// It did not answer, or something before it answered for it.
    pub fn failed(self) {
        self.breaker.failed();
    }
}
