//! A circuit breaker: a dependency that does not respond is not called for a while, and its callers
//! get an error at once.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use contracts::Circuit;

/// Consecutive failures that open the circuit.
const FAILURES: u32 = 5;
/// Maximum age of the first of them.
const WINDOW: Duration = Duration::from_secs(60);
/// How long the circuit stays open at first; doubles each time a probe fails.
const OPEN_MIN: Duration = Duration::from_secs(1);
const OPEN_MAX: Duration = Duration::from_secs(30);

/// The breaker of one dependency.
#[derive(Debug)]
pub struct Breaker {
    name: &'static str,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed {
        failures: u32,
        since: Instant,
    },
    Open {
        until: Instant,
        lasts: Duration,
    },
    /// One probe call is let through.
    HalfOpen {
        lasts: Duration,
        probing: bool,
    },
}

/// A call that the breaker let through.
#[derive(Debug)]
pub(super) struct Admitted<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
    is_reported: bool,
}

impl Breaker {
    /// Creates a breaker with a closed circuit.
    pub fn new(name: &'static str) -> Self {
        let breaker = Self {
            name,
            state: Mutex::new(closed()),
        };
        breaker.publish(Circuit::Closed);
        breaker
    }

    /// The state of the circuit.
    pub fn state(&self) -> Circuit {
        match *self.lock() {
            State::Closed { .. } => Circuit::Closed,
            State::Open { until, .. } if Instant::now() < until => Circuit::Open,
            State::Open { .. } | State::HalfOpen { .. } => Circuit::HalfOpen,
        }
    }

    /// Whether a call would be let through; otherwise how long to wait.
    pub(super) fn check(&self) -> Result<(), Duration> {
        match *self.lock() {
            State::Open { until, .. } if Instant::now() < until => Err(until - Instant::now()),
            State::HalfOpen { probing: true, .. } => Err(OPEN_MIN),
            _ => Ok(()),
        }
    }

    pub(super) fn admit(&self) -> Result<Admitted<'_>, Duration> {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> Result<Admitted<'_>, Duration> {
        let mut state = self.lock();
        let is_probe = match *state {
            State::Closed { .. } => false,
            State::Open { until, .. } if now < until => return Err(until - now),
            State::HalfOpen { probing: true, .. } => return Err(OPEN_MIN),
            State::Open { lasts, .. } | State::HalfOpen { lasts, .. } => {
                *state = State::HalfOpen {
                    lasts,
                    probing: true,
                };
                self.publish(Circuit::HalfOpen);
                true
            }
        };
        Ok(Admitted {
            breaker: self,
            is_probe,
            is_reported: false,
        })
    }

    pub(super) fn probed(&self, answers: bool) {
        if answers {
            self.close();
        } else {
            self.count(Instant::now());
        }
    }

    fn close(&self) {
        let mut state = self.lock();
        if !matches!(*state, State::Closed { .. }) {
            tracing::info!(dependency = self.name, "circuit breaker closed");
            self.publish(Circuit::Closed);
        }
        *state = closed();
    }

    fn count(&self, now: Instant) {
        let mut state = self.lock();
        match *state {
            State::Closed { failures, since } => {
                let (failures, since) = if failures == 0 || now - since > WINDOW {
                    (1, now)
                } else {
                    (failures + 1, since)
                };
                *state = if failures < FAILURES {
                    State::Closed { failures, since }
                } else {
                    self.open(now, OPEN_MIN)
                };
            }
            State::HalfOpen { lasts, .. } => {
                *state = self.open(now, (lasts * 2).min(OPEN_MAX));
            }
            // A call from before the circuit opened.
            State::Open { .. } => {}
        }
    }

    fn open(&self, now: Instant, lasts: Duration) -> State {
        tracing::warn!(
            dependency = self.name,
            seconds = lasts.as_secs(),
            "circuit breaker opened: the dependency does not respond"
        );
        self.publish(Circuit::Open);
        State::Open {
            until: now + lasts,
            lasts,
        }
    }

    fn publish(&self, circuit: Circuit) {
        let value = match circuit {
            Circuit::Closed => 0.0,
            Circuit::HalfOpen => 1.0,
            Circuit::Open => 2.0,
        };
        metrics::gauge!("aam_circuit_state", "dependency" => self.name).set(value);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed() -> State {
    State::Closed {
        failures: 0,
        since: Instant::now(),
    }
}

impl Admitted<'_> {
    pub(super) fn answered(mut self) {
        self.is_reported = true;
        self.breaker.close();
    }

    pub(super) fn failed(self) {
        self.failed_at(Instant::now());
    }

    fn failed_at(mut self, now: Instant) {
        self.is_reported = true;
        self.breaker.count(now);
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if self.is_reported || !self.is_probe {
            return;
        }
        // The probe was dropped: the next call is the probe.
        let mut state = self.breaker.lock();
        if let State::HalfOpen { lasts, .. } = *state {
            *state = State::HalfOpen {
                lasts,
                probing: false,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, at: Instant) {
        breaker.admit_at(at).unwrap().failed_at(at);
    }

    #[test]
    fn opens_after_consecutive_failures_and_closes_when_a_probe_succeeds() {
        let (breaker, at) = (Breaker::new("test"), Instant::now());
        for _ in 1..FAILURES {
            fail(&breaker, at);
        }
        breaker.admit_at(at).unwrap().answered();
        for _ in 1..FAILURES {
            fail(&breaker, at);
        }
        assert_eq!(
            breaker.state(),
            Circuit::Closed,
            "a success resets the count"
        );
        fail(&breaker, at);
        assert_eq!(breaker.admit_at(at).unwrap_err(), OPEN_MIN);

        let at = at + OPEN_MIN;
        let probe = breaker.admit_at(at).unwrap();
        assert!(breaker.admit_at(at).is_err(), "one probe at a time");
        drop(probe);
        fail(&breaker, at);
        let at = at + OPEN_MIN;
        assert!(
            breaker.admit_at(at).is_err(),
            "twice as long after a failed probe"
        );
        breaker.admit_at(at + OPEN_MIN).unwrap().answered();
        assert_eq!(breaker.state(), Circuit::Closed);
    }

    #[test]
    fn failures_far_apart_do_not_open_it() {
        let (breaker, mut at) = (Breaker::new("test"), Instant::now());
        for _ in 0..FAILURES * 2 {
            fail(&breaker, at);
            at += WINDOW / 2;
        }
        assert_eq!(breaker.state(), Circuit::Closed);
    }
}
