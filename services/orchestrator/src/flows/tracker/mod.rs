//! Tracks every job until it ends, whatever started it. One process, the leader, does this for the
//! installation, with lists over all connections.
//!
//! A poll reads the changes since the previous one, in order. The position only moves past jobs
//! whose ends are stored, by Airbyte's own times, so neither a crash nor a clock difference loses
//! one.

mod details;
mod look;
#[cfg(test)]
mod simulation;
mod source;
mod store;

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use context::error_chain;
use futures::FutureExt as _;
use operations::flow::Error;
use shared::registry::leases::{LeaderLease, TRACKER};

use self::look::Tracker;
use self::store::Held;
use super::leader;
use crate::state::State;

/// How far back an installation's first poll reads.
const FIRST_LOOK: TimeDelta = TimeDelta::days(1);
/// Interval between checks of the registry for jobs that another process started.
const GLANCE: Duration = Duration::from_secs(2);
/// Pause after a failed poll.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Tracks until the process stops.
pub(crate) async fn run(state: State) {
    let stopping = state.runtime.stopping().clone();
    let at_work = state.clone();
    let work = move |leader| track(at_work.clone(), leader).boxed();
    leader::run(&state.registry, TRACKER, &state.owner, &stopping, work).await;
}

async fn track(state: State, leader: LeaderLease) -> Result<(), Error> {
    let position = match leader.position {
        0 => Utc::now() - FIRST_LOOK,
        position => DateTime::from_timestamp_millis(position).unwrap_or_default(),
    };
    let store = Held {
        state: state.clone(),
        leader,
    };
    let mut tracker = Tracker::new(state.airbyte.clone(), store, position);
    loop {
        let pause = match tracker.look(Instant::now(), Utc::now()).await {
            Ok(pause) => pause,
            Err(Error::Registry(error)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(error = %error_chain(&error), "failed to poll jobs; will retry");
                AFTER_FAILURE
            }
        };
        wait(&state, &tracker, pause).await?;
    }
}

/// Waits for the next poll: its time, or a job that this or another process started.
async fn wait<S, R>(state: &State, tracker: &Tracker<S, R>, pause: Duration) -> Result<(), Error> {
    let until = tokio::time::Instant::now() + pause;
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(until) => return Ok(()),
            () = state.track_wake.notified() => return Ok(()),
            () = tokio::time::sleep(GLANCE) => {}
        }
        let instance = state.airbyte.instance();
        let newest = state.registry.job_newest_open(instance).await?;
        if newest.is_some_and(|id| !tracker.has_seen(&id)) {
            return Ok(());
        }
    }
}
