//! Assigns sequence numbers to events after their commit, and deletes old events. Only the leader
//! does this.

use std::time::Duration;

use futures::FutureExt as _;
use operations::flow::Error;
use shared::registry::events::BATCH;
use shared::registry::leases::{LeaderLease, RELAY};

use super::leader;
use crate::state::State;

/// Interval between polls for events of other processes; this one signals its own.
const POLL: Duration = Duration::from_millis(500);
/// Interval between deletions of old events.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// Relays until the process stops.
pub(crate) async fn run(state: State) {
    let stopping = state.runtime.stopping().clone();
    let at_work = state.clone();
    let work = move |leader| relay(at_work.clone(), leader).boxed();
    leader::run(&state.registry, RELAY, &state.owner, &stopping, work).await;
}

async fn relay(state: State, leader: LeaderLease) -> Result<(), Error> {
    let mut forget = tokio::time::interval(FORGET_EVERY);
    loop {
        // Check with a read first: an idle installation writes nothing.
        while state.registry.event_waiting_since().await?.is_some() {
            let given = state.registry.event_sequence(&leader).await?;
            if given > 0 {
                state.feed.notify();
            }
            if given < BATCH {
                break;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = state.relay_wake.notified() => {}
            _ = forget.tick() => while state.registry.event_forget().await? > 0 {},
        }
    }
}
