//! A service's cache of the stored keys: all that are not revoked, read at most every 5 s, so that
//! a request needs no query and a revocation takes effect soon.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use contracts::Role;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::registry::keys::digest;
use crate::registry::{self, Registry, now};

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
pub(super) struct KnownKey {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) role: Role,
    expires_at: Option<chrono::DateTime<chrono::Utc>>,
}

/// The cached keys; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct KeyRing(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    runtime: Handle,
    known: RwLock<Known>,
    look: tokio::sync::Mutex<()>,
    noted: std::sync::Mutex<HashMap<Uuid, Instant>>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    keys: Arc<HashMap<[u8; 32], KnownKey>>,
    /// When the read of the current content started.
    since: Option<Instant>,
    failed: Option<Instant>,
}

impl Known {
    fn is_younger(&self, than: Duration) -> bool {
        self.since.is_some_and(|since| since.elapsed() < than)
    }
}

impl KeyRing {
    pub(super) fn new(registry: Registry) -> Self {
        Self(Arc::new(Inner {
            registry,
            runtime: Handle::current(),
            known: RwLock::default(),
            look: tokio::sync::Mutex::default(),
            noted: std::sync::Mutex::default(),
        }))
    }

    /// Returns the active key with that text. An unknown key triggers a read, so that a new key
    /// works at once.
    pub(super) async fn find(&self, text: &str) -> Result<Option<KnownKey>, registry::Error> {
        let asked = Instant::now();
        let hash = digest(text);
        let known = self.known();
        let found = |known: &Known| known.keys.get(&hash).cloned();
        let key = match found(&known) {
            Some(key) if known.is_younger(FRESH) => Some(key),
            _ => found(&self.look_since(asked).await?),
        };
        let key = key.filter(|key| key.expires_at.is_none_or(|end| end > now()));
        if let Some(key) = &key {
            self.note(key.id);
        }
        Ok(key)
    }

    /// Whether any key exists that is not revoked. An expired key counts, so that its expiry does
    /// not open the service.
    pub(super) async fn any(&self) -> Result<bool, registry::Error> {
        let known = self.known();
        if known.is_younger(FRESH) {
            return Ok(!known.keys.is_empty());
        }
        Ok(!self.look_since(Instant::now()).await?.keys.is_empty())
    }

    fn known(&self) -> Known {
        let known = self.0.known.read();
        known.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the result of a read that started after `asked`. Concurrent callers share one read.
    async fn look_since(&self, asked: Instant) -> Result<Known, registry::Error> {
        let _turn = self.0.look.lock().await;
        let known = self.known();
        if known.since.is_some_and(|since| since >= asked) {
            return Ok(known);
        }
        if known.failed.is_some_and(|at| at.elapsed() < AFTER_FAILURE) {
            return self.while_away(known, None);
        }
        if let Some(since) = known.since {
            tokio::time::sleep(SPACING.saturating_sub(since.elapsed())).await;
        }
        let begun = Instant::now();
        let answer = tokio::time::timeout(PATIENCE, self.0.registry.key_list_unrevoked()).await;
        let looked = match answer {
            Ok(Ok(rows)) => {
                let keys = rows.into_iter().filter_map(|row| {
                    let hash: [u8; 32] = hex::decode(&row.hash).ok()?.try_into().ok()?;
                    let key = KnownKey {
                        id: row.id,
                        role: row.granted(),
                        name: row.name,
                        expires_at: row.expires_at,
                    };
                    Some((hash, key))
                });
                Known {
                    keys: Arc::new(keys.collect()),
                    since: Some(begun),
                    failed: None,
                }
            }
            failed => {
                let known = Known {
                    failed: Some(Instant::now()),
                    ..known
                };
                self.set(known.clone());
                return self.while_away(known, failed.ok().and_then(Result::err));
            }
        };
        self.set(looked.clone());
        Ok(looked)
    }

    fn set(&self, known: Known) {
        let mut guard = self.0.known.write();
        *guard
            .as_deref_mut()
            .unwrap_or_else(|poisoned| poisoned.get_mut()) = known;
    }

    fn while_away(
        &self,
        known: Known,
        error: Option<registry::Error>,
    ) -> Result<Known, registry::Error> {
        if known.is_younger(STALE) {
            return Ok(known);
        }
        Err(error.unwrap_or_else(registry::Error::no_answer))
    }

    /// Records the use of a key in the background.
    fn note(&self, id: Uuid) {
        {
            let mut noted = self.0.noted.lock().unwrap_or_else(PoisonError::into_inner);
            if noted.get(&id).is_some_and(|at| at.elapsed() < NOTE_EVERY) {
                return;
            }
            noted.insert(id, Instant::now());
        }
        let registry = self.0.registry.clone();
        self.0.runtime.spawn(async move {
            if let Err(error) = registry.key_used(id, now()).await {
                tracing::debug!(%error, "failed to record the use of a key");
            }
        });
    }
}
