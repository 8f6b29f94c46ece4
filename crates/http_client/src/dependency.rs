//! A dependency behind a circuit breaker and a bulkhead.

use std::sync::Arc;
use std::time::Duration;

use contracts::Circuit;

use crate::breaker::{self, Breaker};
use crate::bulkhead::{Bulkhead, CallClass};

/// Why a call was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    /// The circuit is open; the next attempt is possible after this time.
    CircuitOpen(Duration),
    /// Too many calls are in progress.
    Saturated,
    /// The request's time budget is spent.
    DeadlineExceeded,
}

/// A dependency that AAM calls; cheap to clone.
#[derive(Debug, Clone)]
pub struct Dependency {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    breaker: Breaker,
    bulkhead: Bulkhead,
}

/// Permission to make a call now. Report its outcome with [`Pass::answered`] or [`Pass::failed`]; a
/// dropped call reports nothing.
#[derive(Debug)]
pub struct Pass<'a> {
    breaker: breaker::Admitted<'a>,
    _place: tokio::sync::SemaphorePermit<'a>,
}

impl Dependency {
    /// Creates a dependency with a closed circuit.
    pub fn new(name: &'static str) -> Self {
        Self {
            inner: Arc::new(Inner {
                breaker: Breaker::new(name),
                bulkhead: Bulkhead::default(),
            }),
        }
    }

    /// Waits for a free place, for as long as the call's class and the budget allow.
    ///
    /// # Errors
    /// Returns an error if the circuit is open, no place becomes free or the budget is spent.
    pub async fn enter(&self, class: CallClass) -> Result<Pass<'_>, Rejected> {
        let inner = &self.inner;
        // Checked before waiting, so that no queue builds up for a dependency that is down.
        inner.breaker.check().map_err(Rejected::CircuitOpen)?;
        let place = inner.bulkhead.enter(class).await?;
        let breaker = inner.breaker.admit().map_err(Rejected::CircuitOpen)?;
        Ok(Pass {
            breaker,
            _place: place,
        })
    }

    /// The state of its circuit.
    pub fn circuit(&self) -> Circuit {
        self.inner.breaker.state()
    }

    /// Records the result of a separate probe: a response closes the circuit.
    pub fn probed(&self, answers: bool) {
        self.inner.breaker.probed(answers);
    }
}

impl Pass<'_> {
    /// The dependency responded, whatever the status.
    pub fn answered(self) {
        self.breaker.answered();
    }

    /// It did not respond, or a proxy responded in its place.
    pub fn failed(self) {
        self.breaker.failed();
    }
}
