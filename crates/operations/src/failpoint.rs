//! Named points at which a process crashes on demand, so that tests can cover crashes there.
//!
//! `AAM_FAILPOINT=onboard.create_source.acted:1` aborts the process the first time it gets there;
//! with `:1:hang` it hangs there until it is killed. Compiled only with debug assertions.

use crate::steps::{Point, Step};

/// Aborts or hangs if the environment requests it.
#[cfg(debug_assertions)]
pub async fn hit(step: Step, point: Point) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Armed {
        name: String,
        left: AtomicU32,
        hangs: bool,
    }
    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let text = std::env::var("AAM_FAILPOINT").ok()?;
        let mut parts = text.split(':');
        Some(Armed {
            name: parts.next()?.to_owned(),
            left: AtomicU32::new(parts.next().and_then(|n| n.parse().ok()).unwrap_or(1)),
            hangs: parts.next() == Some("hang"),
        })
    });
    let Some(armed) = ARMED.as_ref() else {
        return;
    };
    if armed.name != step.failpoint(point) || armed.left.fetch_sub(1, Ordering::Relaxed) != 1 {
        return;
    }
    tracing::error!(failpoint = armed.name, "failpoint reached");
    if armed.hangs {
        std::future::pending::<()>().await;
    }
    std::process::abort();
}

/// No-op in release builds.
#[cfg(not(debug_assertions))]
#[expect(clippy::unused_async, reason = "the same signature as with failpoints")]
pub async fn hit(_step: Step, _point: Point) {}
