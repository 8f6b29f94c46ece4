//! Publishes events to Redis Streams in order, from where the previous leader stopped. Redis may be
//! unavailable: nothing is lost while the table keeps the events.

use std::time::Duration;

use context::error_chain;
use futures::FutureExt as _;
use operations::flow::Error;
use secrecy::SecretString;
use service_kit::redis::EventStream;
use shared::registry::events::EventFilter;
use shared::registry::leases::{LeaderLease, REDIS};

use super::leader;
use crate::state::State;

const BATCH: u64 = 200;
/// Interval between polls for events; the relay of this process also signals them.
const POLL: Duration = Duration::from_millis(500);
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Publishes to Redis until the process stops.
pub(crate) async fn run(state: State, url: SecretString) {
    let stopping = state.runtime.stopping().clone();
    let at_work = state.clone();
    let work = move |leader| feed(at_work.clone(), url.clone(), leader).boxed();
    leader::run(&state.registry, REDIS, &state.owner, &stopping, work).await;
}

async fn feed(state: State, url: SecretString, leader: LeaderLease) -> Result<(), Error> {
    let mut position = leader.position;
    let range = state.registry.event_range().await?;
    if range
        .oldest
        .is_some_and(|oldest| position > 0 && oldest > position + 1)
    {
        tracing::error!(
            after = position,
            "Redis was unavailable for longer than events are kept; its stream lacks the events \
             in between"
        );
    }
    let mut pause = PAUSE_MIN;
    let mut stream: Option<EventStream> = None;
    let mut signal = state.feed.subscribe();
    let everything = EventFilter::default();
    loop {
        let events = state
            .registry
            .event_page(position, &everything, BATCH)
            .await?;
        let Some(last) = events.last().map(|event| event.sequence) else {
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                _ = signal.changed() => {}
            }
            continue;
        };
        let appended = async {
            if stream.is_none() {
                stream = Some(EventStream::connect(&url).await?);
            }
            match &mut stream {
                Some(stream) => stream.append(&events).await,
                None => Ok(()),
            }
        };
        match appended.await {
            Ok(()) => {
                state.registry.leader_advance(&leader, last).await?;
                position = last;
                pause = PAUSE_MIN;
            }
            Err(error) => {
                stream = None;
                tracing::warn!(
                    error = %error_chain(&error),
                    waiting_after = position,
                    "Redis rejects events; they are waiting"
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}
