//! Work that one process of the installation does at a time: taken, renewed beside the work, and
//! handed over when the process stops.

use std::time::Duration;

use futures::future::BoxFuture;
use shared::http::problem::chain;
use shared::registry::leases::{Duty, RENEW_EVERY};
use shared::registry::{self, Registry};
use tokio_util::sync::CancellationToken;

/// Between two tries to take a duty that another process has.
const RETRY: Duration = Duration::from_secs(1);

/// Has the duty whenever nobody else does, and calls `work` while it has it. `work` ends by itself
/// only when it fails; it is dropped when the duty is lost or the process stops.
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
                tracing::debug!(duty = name, fencing = duty.fencing, "took a duty");
                tokio::select! {
                    () = stopping.cancelled() => {}
                    () = keep(registry, &duty) => {
                        tracing::warn!(duty = name, "another process has this duty now");
                    }
                    result = work(duty.clone()) => if let Err(error) = result {
                        tracing::warn!(duty = name, error = %chain(&error), "a duty's work failed; it is tried again");
                    }
                }
                if let Err(error) = registry.lease_release(&duty).await {
                    tracing::debug!(duty = name, error = %chain(&error), "could not give a duty up; it runs out");
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(duty = name, error = %chain(&error), "could not ask for a duty");
            }
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

/// Renews the duty; returns when it is lost.
async fn keep(registry: &Registry, duty: &Duty) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        match registry.lease_renew(duty).await {
            Ok(()) => {}
            Err(registry::Error::Conflict(_)) => return,
            // It may be back before the lease ends; if not, the next guarded write finds out.
            Err(error) => {
                tracing::warn!(duty = duty.name, error = %chain(&error), "could not renew a duty");
            }
        }
    }
}
