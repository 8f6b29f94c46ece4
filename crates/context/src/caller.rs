//! The caller on whose behalf a task runs, carried through every task of a request like the request
//! id.

use std::future::Future;

use contracts::Role;

/// The caller on whose behalf a task runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerContext {
    /// The service that runs the task.
    pub service: &'static str,
    /// The key's name, the calling service, or `aam` for background work.
    pub name: String,
    /// The caller's role.
    pub role: Role,
}

tokio::task_local! {
    static CURRENT: CallerContext;
}

/// The caller that requested this task's work, if there is one.
pub fn requester() -> Option<CallerContext> {
    CURRENT.try_with(Clone::clone).ok()
}

/// The caller on whose behalf this task runs; AAM itself for background work.
pub fn current() -> CallerContext {
    requester().unwrap_or_else(|| CallerContext {
        service: "aam",
        name: "aam".to_owned(),
        role: Role::Admin,
    })
}

/// Runs `future` on behalf of `actor`.
pub async fn scope<F: Future>(actor: CallerContext, future: F) -> F::Output {
    CURRENT.scope(actor, future).await
}
