//! Leader tasks: work that only one process of the installation does at a time. The leader's lease
//! is acquired, renewed during the work, and handed over when the process stops.

use std::time::Duration;

use futures::future::BoxFuture;
use shared::http::problem::chain;
use shared::registry::leases::{Duty, RENEW_EVERY};
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
    work: impl Fn(Duty) -> BoxFuture<'static, Result<(), shared::flow::Error>>,
) {
    loop {
        match registry.lease_take(name, owner).await {
            Ok(Some(duty)) => {
                tracing::debug!(duty = name, fencing = duty.fencing, "acquired leadership");
                tokio::select! {
                    () = stopping.cancelled() => {}
                    () = keep(registry, &duty) => {
                        tracing::warn!(duty = name, "another process is the leader now");
                    }
                    result = work(duty.clone()) => if let Err(error) = result {
                        tracing::warn!(duty = name, error = %chain(&error), "leader task failed; \
                                                                             will retry");
                    }
                }
                if let Err(error) = registry.lease_release(&duty).await {
                    tracing::debug!(duty = name, error = %chain(&error), "failed to release \
                                                                          leadership; the lease \
                                                                          will expire");
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(duty = name, error = %chain(&error), "failed to request leadership");
            }
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

/// Renews the lease; returns when it is lost.
async fn keep(registry: &Registry, duty: &Duty) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        match registry.lease_renew(duty).await {
            Ok(()) => {}
            Err(registry::Error::Conflict(_)) => return,
            // The registry may be back before the lease ends; if not, the next guarded write
            // detects it.
            Err(error) => {
                tracing::warn!(duty = duty.name, error = %chain(&error), "failed to renew \
                                                                          leadership");
            }
        }
    }
}
