//! Delivers events to this process's listeners: one poller reads them for all. A listener that is
//! too slow for the shared buffer reads the missed events from the table.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use context::error_chain;
use shared::registry::events::{EventFilter, EventRecord};
use shared::registry::{self, Registry};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

/// Number of events kept in memory for slow listeners, shared by all of them.
const BUFFER: usize = 1024;
const PAGE: u64 = 200;
/// Interval between polls for events that another process sequenced.
const POLL: Duration = Duration::from_millis(500);
/// Interval between heartbeats to an idle listener.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Source of events for listeners.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    events: broadcast::Sender<Arc<EventRecord>>,
    signal: watch::Sender<()>,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self {
            events: broadcast::Sender::new(BUFFER),
            signal: watch::Sender::new(()),
        }
    }

    /// Signals that there are newly sequenced events.
    pub(crate) fn notify(&self) {
        self.signal.send_replace(());
    }

    /// Subscribes to these signals.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.signal.subscribe()
    }

    /// Reads events for the listeners until the process stops.
    pub(crate) async fn run(self, registry: Registry, stopping: CancellationToken) {
        let mut signal = self.subscribe();
        let mut position = None;
        loop {
            if self.events.receiver_count() == 0 {
                position = None;
            } else if let Err(error) = self.publish(&registry, &mut position).await {
                tracing::warn!(error = %error_chain(&error), "failed to read events; will retry");
            }
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(POLL) => {}
                _ = signal.changed() => {}
            }
        }
    }

    async fn publish(
        &self,
        registry: &Registry,
        position: &mut Option<i64>,
    ) -> Result<(), registry::Error> {
        let mut after = match position {
            Some(position) => *position,
            // Also publishes an event that arrived between a new listener's query and this poll: a
            // listener that already has it skips it, and one that lacks more than that detects the
            // gap.
            None => (registry.event_range().await?.newest - 1).max(0),
        };
        *position = Some(after);
        loop {
            let page = registry
                .event_page(after, &EventFilter::default(), PAGE)
                .await?;
            let full = page.len() as u64 == PAGE;
            for event in page {
                after = event.sequence;
                *position = Some(after);
                // Having no listeners is not an error.
                let _ = self.events.send(Arc::new(event));
            }
            if !full {
                return Ok(());
            }
        }
    }

    /// Listens to events after the one with sequence number `after`.
    pub(crate) fn listen(
        &self,
        registry: Registry,
        stopping: CancellationToken,
        after: i64,
        filter: EventFilter,
    ) -> Listener {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.reset();
        Listener {
            events: self.events.subscribe(),
            registry,
            stopping,
            filter,
            last: after,
            behind: true,
            waiting: VecDeque::new(),
            heartbeat,
        }
    }
}

/// The next item for a listener.
#[derive(Debug)]
pub(crate) enum FeedItem {
    /// An event.
    Event(Arc<EventRecord>),
    /// No event occurred, but the connection is alive.
    Heartbeat,
}

/// One listener.
#[derive(Debug)]
pub(crate) struct Listener {
    events: broadcast::Receiver<Arc<EventRecord>>,
    registry: Registry,
    stopping: CancellationToken,
    filter: EventFilter,
    /// The last sequence number that was delivered, or is known to be filtered out.
    last: i64,
    /// Whether the table has events that were missed.
    behind: bool,
    waiting: VecDeque<Arc<EventRecord>>,
    heartbeat: tokio::time::Interval,
}

impl Listener {
    /// Returns the next item; `None` if the process stops or the table cannot be read. The client
    /// resumes after the last event it received.
    pub(crate) async fn next(&mut self) -> Option<FeedItem> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(FeedItem::Event(event));
            }
            if self.behind {
                let caught_up = tokio::select! {
                    () = self.stopping.cancelled() => return None,
                    caught_up = catch_up(&self.registry, self.last, &self.filter) => caught_up,
                };
                match caught_up {
                    Ok((events, last, behind)) => {
                        self.waiting.extend(events.into_iter().map(Arc::new));
                        (self.last, self.behind) = (last, behind);
                    }
                    Err(error) => {
                        tracing::warn!(
                            error = %error_chain(&error),
                            "dropping a listener: cannot read events"
                        );
                        return None;
                    }
                }
                continue;
            }
            tokio::select! {
                () = self.stopping.cancelled() => return None,
                _ = self.heartbeat.tick() => return Some(FeedItem::Heartbeat),
                item = self.events.recv() => match item {
                    Ok(event) if event.sequence <= self.last => {}
                    Ok(event) if event.sequence == self.last + 1 => {
                        self.last = event.sequence;
                        if self.filter.matches(&event) {
                            self.heartbeat.reset();
                            return Some(FeedItem::Event(event));
                        }
                    }
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => self.behind = true,
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
            }
        }
    }
}

/// A page of missed events, its end, and whether there are more.
async fn catch_up(
    registry: &Registry,
    after: i64,
    filter: &EventFilter,
) -> Result<(Vec<EventRecord>, i64, bool), registry::Error> {
    // Read first: a page that is not full contains everything up to here.
    let newest = registry.event_range().await?.newest;
    let page = registry.event_page(after, filter, PAGE).await?;
    let end = page.last().map_or(after, |event| event.sequence);
    if page.len() as u64 == PAGE {
        return Ok((page, end, true));
    }
    Ok((page, end.max(newest), false))
}

#[cfg(test)]
mod tests {
    use settings::{DatabaseTarget, Pooler};
    use shared::registry::connections::NewConnection;
    use shared::registry::leases::RELAY;
    use shared::registry::operations::NewOperation;
    use shared::registry::status::OperationKind;
    use uuid::Uuid;

    use super::*;

    async fn fail_an_onboarding(registry: &Registry) {
        let new = NewConnection {
            id: Uuid::now_v7(),
            name: "shop".to_owned(),
            source_type: "SQLite".to_owned(),
            airbyte_instance: String::new(),
            workspace_id: Uuid::nil(),
            destination_id: Uuid::nil(),
            source_id: None,
            credential_id: None,
            drift_policy: "propose".to_owned(),
            schedule: "{}".to_owned(),
            request_hash: String::new(),
        };
        let operation = NewOperation::started(OperationKind::Onboard, new.id, "{}", "me");
        let lease = registry.onboarding_begin(&new, operation).await.unwrap();
        let failed = registry.onboarding_fail(&lease, "it was refused", None);
        failed.await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn delivers_an_event_between_a_listeners_query_and_the_first_poll() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registry.db");
        let registry =
            Registry::connect(&DatabaseTarget::Sqlite { path }, Pooler::Session).unwrap();
        registry.migrate().await.unwrap();
        let feed = Feed::new();
        let filter = EventFilter::default();
        let mut listener = feed.listen(registry.clone(), CancellationToken::new(), 0, filter);
        // It has queried the table, which was empty.
        listener.behind = false;
        fail_an_onboarding(&registry).await;
        let leader = registry.leader_acquire(RELAY, "me").await.unwrap().unwrap();
        assert_eq!(registry.event_sequence(&leader).await.unwrap(), 1);
        feed.publish(&registry, &mut None).await.unwrap();
        let item = tokio::time::timeout(Duration::from_secs(5), listener.next()).await;
        match item.unwrap().unwrap() {
            FeedItem::Event(event) => assert_eq!(event.kind, "connection.failed"),
            FeedItem::Heartbeat => panic!("only a heartbeat"),
        }
    }
}
