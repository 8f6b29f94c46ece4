//! `x-request-id`: accepted or generated, carried through every task of a request and to every
//! downstream call.

use std::future::Future;

use uuid::Uuid;

/// The header's name.
pub const HEADER: &str = "x-request-id";

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request that this task serves.
pub fn current() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Runs `future` for the request `id`.
pub async fn scope<F: Future>(id: String, future: F) -> F::Output {
    CURRENT.scope(id, future).await
}

/// The id that a caller sent, if it is safe to log: 1 to 128 printable ASCII characters; otherwise
/// a new one.
pub fn accept(sent: Option<&str>) -> String {
    match sent {
        Some(id)
            if (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            id.to_owned()
        }
        _ => Uuid::now_v7().to_string(),
    }
}
