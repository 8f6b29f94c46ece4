//! A service's cache of the stored keys: all that are not revoked, read at most every 5 s, so that
//! a request needs no query and a revocation takes effect soon.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use contracts::Role;
use tokio::runtime::Handle;
use uuid::Uuid;

use shared::registry;
use shared::registry::keys::digest;
use shared::registry::{Registry, now};

/// Maximum age of the cache.
const FRESH: Duration = Duration::from_secs(5);
/// Maximum age while the registry is unreachable: no key can be revoked there in the meantime.
const STALE: Duration = Duration::from_secs(60);
/// Minimum time between reads caused by unknown keys, so that guessing costs the registry little.
const SPACING: Duration = Duration::from_millis(100);
/// Minimum time between reads while the registry is unreachable.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Timeout of a read.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often the use of a key is recorded.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// An active key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CachedKey {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) role: Role,
    expires_at: Option<chrono::DateTime<chrono::Utc>>,
}

/// The cached keys; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct ApiKeyCache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    runtime: Handle,
    snapshot: RwLock<Snapshot>,
    read_lock: tokio::sync::Mutex<()>,
    recorded: std::sync::Mutex<HashMap<Uuid, Instant>>,
}

#[derive(Debug, Clone, Default)]
struct Snapshot {
    keys: Arc<HashMap<[u8; 32], CachedKey>>,
    /// When the read of the current content started.
    since: Option<Instant>,
    failed: Option<Instant>,
}

impl Snapshot {
    fn is_younger(&self, than: Duration) -> bool {
        self.since.is_some_and(|since| since.elapsed() < than)
    }
}

impl ApiKeyCache {
    pub(super) fn new(registry: Registry) -> Self {
        Self(Arc::new(Inner {
            registry,
            runtime: Handle::current(),
            snapshot: RwLock::default(),
            read_lock: tokio::sync::Mutex::default(),
            recorded: std::sync::Mutex::default(),
        }))
    }

    /// Returns the active key with that text. An unknown key triggers a read, so that a new key
    /// works at once.
    pub(super) async fn find(&self, text: &str) -> Result<Option<CachedKey>, registry::Error> {
        let requested_at = Instant::now();
        let hash = digest(text);
        let snapshot = self.snapshot();
        let found = |snapshot: &Snapshot| snapshot.keys.get(&hash).cloned();
        let key = match found(&snapshot) {
            Some(key) if snapshot.is_younger(FRESH) => Some(key),
            _ => found(&self.read_since(requested_at).await?),
        };
        let key = key.filter(|key| key.expires_at.is_none_or(|end| end > now()));
        if let Some(key) = &key {
            self.record_use(key.id);
        }
        Ok(key)
    }

    /// Whether any key exists that is not revoked. An expired key counts, so that its expiry does
    /// not open the service.
    pub(super) async fn any(&self) -> Result<bool, registry::Error> {
        let snapshot = self.snapshot();
        if snapshot.is_younger(FRESH) {
            return Ok(!snapshot.keys.is_empty());
        }
        Ok(!self.read_since(Instant::now()).await?.keys.is_empty())
    }

    fn snapshot(&self) -> Snapshot {
        let snapshot = self.0.snapshot.read();
        snapshot.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the result of a read that started after `requested_at`. Concurrent callers share one read.
    async fn read_since(&self, requested_at: Instant) -> Result<Snapshot, registry::Error> {
        let _turn = self.0.read_lock.lock().await;
        let snapshot = self.snapshot();
        if snapshot.since.is_some_and(|since| since >= requested_at) {
            return Ok(snapshot);
        }
        if snapshot
            .failed
            .is_some_and(|at| at.elapsed() < AFTER_FAILURE)
        {
            return self.while_unreachable(snapshot, None);
        }
        if let Some(since) = snapshot.since {
            tokio::time::sleep(SPACING.saturating_sub(since.elapsed())).await;
        }
        let started_at = Instant::now();
        let answer = tokio::time::timeout(PATIENCE, self.0.registry.key_list_unrevoked()).await;
        let fresh = match answer {
            Ok(Ok(rows)) => {
                let keys = rows.into_iter().filter_map(|row| {
                    let hash: [u8; 32] = hex::decode(&row.hash).ok()?.try_into().ok()?;
                    let key = CachedKey {
                        id: row.id,
                        role: row.granted(),
                        name: row.name,
                        expires_at: row.expires_at,
                    };
                    Some((hash, key))
                });
                Snapshot {
                    keys: Arc::new(keys.collect()),
                    since: Some(started_at),
                    failed: None,
                }
            }
            failed => {
                let snapshot = Snapshot {
                    failed: Some(Instant::now()),
                    ..snapshot
                };
                self.set(snapshot.clone());
                return self.while_unreachable(snapshot, failed.ok().and_then(Result::err));
            }
        };
        self.set(fresh.clone());
        Ok(fresh)
    }

    fn set(&self, snapshot: Snapshot) {
        let mut guard = self.0.snapshot.write();
        *guard
            .as_deref_mut()
            .unwrap_or_else(|poisoned| poisoned.get_mut()) = snapshot;
    }

    fn while_unreachable(
        &self,
        snapshot: Snapshot,
        error: Option<registry::Error>,
    ) -> Result<Snapshot, registry::Error> {
        if snapshot.is_younger(STALE) {
            return Ok(snapshot);
        }
        Err(error.unwrap_or_else(registry::Error::no_answer))
    }

    /// Records the use of a key in the background.
    fn record_use(&self, id: Uuid) {
        {
            let mut recorded = self
                .0
                .recorded
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if recorded
                .get(&id)
                .is_some_and(|at| at.elapsed() < NOTE_EVERY)
            {
                return;
            }
            recorded.insert(id, Instant::now());
        }
        let registry = self.0.registry.clone();
        self.0.runtime.spawn(async move {
            if let Err(error) = registry.key_used(id, now()).await {
                tracing::debug!(%error, "failed to record the use of a key");
            }
        });
    }
}
