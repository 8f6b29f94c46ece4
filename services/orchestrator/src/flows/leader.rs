//! Leader tasks: work that only one process of the installation does at a time. The leader's lease
//! is acquired, renewed during the work, and handed over when the process stops.

use std::time::Duration;

use context::error_chain;
use futures::future::BoxFuture;
use shared::registry::leases::{LeaderLease, RENEW_EVERY};
use shared::registry::{self, Registry};
use tokio_util::sync::CancellationToken;

/// Interval between attempts to acquire a lease that another process holds.
const RETRY: Duration = Duration::from_secs(1);

/// Acquires leadership whenever no other process holds it, and runs `work` while holding it. `work`
/// only ends by itself if it fails; it is dropped when the lease is lost or the process stops.
pub(crate) async fn run(
    registry: &Registry,
    name: &'static str,
    owner: &str,
    stopping: &CancellationToken,
    work: impl Fn(LeaderLease) -> BoxFuture<'static, Result<(), operations::flow::Error>>,
) {
    loop {
        match registry.leader_acquire(name, owner).await {
            Ok(Some(leader)) => {
                tracing::debug!(duty = name, fencing = leader.fencing, "acquired leadership");
                tokio::select! {
                    () = stopping.cancelled() => {}
                    () = keep(registry, &leader) => {
                        tracing::warn!(duty = name, "another process is the leader now");
                    }
                    result = work(leader.clone()) => if let Err(error) = result {
                        tracing::warn!(
                            duty = name,
                            error = %error_chain(&error),
                            "leader task failed; will retry"
                        );
                    }
                }
                if let Err(error) = registry.leader_release(&leader).await {
                    tracing::debug!(
                        duty = name,
                        error = %error_chain(&error),
                        "failed to release leadership; the lease will expire"
                    );
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(duty = name, error = %error_chain(&error), "failed to request leadership");
            }
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

/// Renews the lease; returns when it is lost.
async fn keep(registry: &Registry, leader: &LeaderLease) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        match registry.leader_renew(leader).await {
            Ok(()) => {}
            Err(registry::Error::Conflict(_)) => return,
            // The registry may be back before the lease ends; if not, the next guarded write
            // detects it.
            Err(error) => {
                tracing::warn!(
                    duty = leader.name,
                    error = %error_chain(&error),
                    "failed to renew leadership"
                );
            }
        }
    }
}
