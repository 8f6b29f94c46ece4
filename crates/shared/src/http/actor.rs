//! Who a task works for, carried through every task of a request like its id.

use std::future::Future;

use contracts::Role;

/// Who a task works for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The service that does it.
    pub service: &'static str,
    /// The key's name, the calling service, or `aam` for what goes on by itself.
    pub name: String,
    /// What the caller may do.
    pub role: Role,
}

tokio::task_local! {
    static CURRENT: Actor;
}

/// Who asked for what this task does, where somebody did.
pub fn asking() -> Option<Actor> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Who this task works for; AAM itself where nobody asked.
pub fn current() -> Actor {
    asking().unwrap_or_else(|| Actor {
        service: "aam",
        name: "aam".to_owned(),
        role: Role::Admin,
    })
}

/// AAM itself, on behalf of whoever began an operation that it goes on with.
pub fn of_operation(row: &crate::registry::entities::operation::Model) -> Actor {
    let mut actor = current();
    if let Some(name) = &row.actor {
        actor.name.clone_from(name);
    }
    if let Some(role) = row.role.as_deref().and_then(Role::parse) {
        actor.role = role;
    }
    actor
}

/// Runs `future` for `actor`.
pub async fn scope<F: Future>(actor: Actor, future: F) -> F::Output {
    CURRENT.scope(actor, future).await
}
