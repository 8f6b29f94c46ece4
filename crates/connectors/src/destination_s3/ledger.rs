//! What is committed for a connection, in a separate object beside the data.
//!
//! A store commits one object at a time, so a commit of rows and states has three steps: the ledger
//! announces the objects and their states, the objects are uploaded, and the ledger confirms them.
//! An attempt that finds an announcement without a confirmation checks whether all objects arrived.
//! If so, it confirms them; otherwise it deletes them, and their rows are read again.
//!
//! Each attempt writes its own ledger, `base/_aam/connection/000…-….json`, and removes older ones,
//! so that an upload that arrives after its client crashed has no effect.

use std::collections::{BTreeMap, BTreeSet};

use object_store::aws::AmazonS3;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::upload;
use crate::destination::{Committed, State};
use crate::failure::Failure;

/// Objects that are to count together with what they bring.
#[derive(Default, Serialize, Deserialize)]
struct Coming {
    keys: BTreeSet<String>,
    brings: Committed,
    /// Objects by the stream whose full refresh they are a part of.
    #[serde(default)]
    parts: BTreeMap<String, Vec<String>>,
}

/// The objects so far of a full refresh that is added once it is whole.
#[derive(Default, Serialize, Deserialize)]
struct Part {
    generation: Option<i64>,
    keys: Vec<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Page {
    committed: Committed,
    coming: Option<Coming>,
    /// By stream.
    parts: BTreeMap<String, Part>,
    /// Keys of objects that do not count and may still arrive: they are deleted again.
    given_up: BTreeSet<String>,
    /// How often it and those before it were written.
    writes: u64,
}

/// The ledger of a connection.
pub(super) struct Ledger {
    key: Path,
    page: Page,
}

impl Ledger {
    /// Reads what earlier attempts committed and deletes what they did not. `streams`: the
    /// generation of each stream that is added whole.
    pub(super) async fn open(
        store: &AmazonS3,
        folder: &Path,
        streams: &BTreeMap<String, Option<i64>>,
    ) -> Result<Self, Failure> {
        let mut pages = upload::list(store, folder).await?;
        pages.retain(|key| number(key).is_some());
        let newest = pages.iter().filter_map(number).max();
        let mut page = Page::default();
        // Two of the same number: one of them arrived after its writer had died.
        for key in pages.iter().filter(|key| number(key) == newest) {
            let found = read(store, key).await?;
            if found.writes > page.writes {
                page = found;
            }
        }
        let next = newest.unwrap_or_default() + 1;
        let late = keys_of(&page.given_up)?;
        upload::delete(store, &late).await?;
        page.given_up.clear();
        if let Some(coming) = page.coming.take() {
            let mut all_came = true;
            for key in keys_of(&coming.keys)? {
                all_came = all_came && upload::exists(store, &key).await?;
            }
            if all_came {
                page.count(coming);
            } else {
                page.given_up.extend(coming.keys);
            }
        }
        // A full refresh starts again with each attempt.
        let given_up = &mut page.given_up;
        page.parts.retain(|stream, part| {
            let goes_on = streams.get(stream).is_some_and(|of| *of == part.generation);
            if !goes_on {
                given_up.extend(part.keys.drain(..));
            }
            goes_on
        });
        let own = uuid::Uuid::new_v4().simple();
        let mut ledger = Self {
            key: folder.clone().join(format!("{next:020}-{own}.json")),
            page,
        };
        // Written before anything is deleted: what is deleted never counts again.
        ledger.write(store).await?;
        ledger.clean(store).await?;
        upload::delete(store, &pages).await?;
        Ok(ledger)
    }

    /// What is committed.
    pub(super) fn committed(&self) -> &Committed {
        &self.page.committed
    }

    /// Whether an object of that key is to be deleted.
    pub(super) fn gives_up(&self, key: &Path) -> bool {
        self.page.given_up.contains(key.as_ref())
    }

    /// Announces objects and the states that they bring. `parts`: the objects that belong to a full
    /// refresh, by stream.
    pub(super) async fn announce(
        &mut self,
        store: &AmazonS3,
        keys: &[Path],
        parts: BTreeMap<String, Vec<String>>,
        states: &[State],
    ) -> Result<(), Failure> {
        let mut coming = Coming {
            keys: keys.iter().map(|key| key.as_ref().to_owned()).collect(),
            parts,
            ..Coming::default()
        };
        coming.brings.take(states)?;
        self.page.coming = Some(coming);
        if keys.is_empty() {
            // States alone need no second word.
            return Ok(());
        }
        self.write(store).await
    }

    /// Confirms what was announced.
    pub(super) async fn count(
        &mut self,
        store: &AmazonS3,
        generations: &BTreeMap<String, Option<i64>>,
    ) -> Result<(), Failure> {
        if let Some(coming) = self.page.coming.take() {
            self.page.count(coming);
        }
        for (stream, part) in &mut self.page.parts {
            part.generation = generations.get(stream).copied().flatten();
        }
        self.write(store).await
    }

    /// Records that a sync added a whole stream.
    pub(super) async fn add(
        &mut self,
        store: &AmazonS3,
        stream: &str,
        sync_id: Option<i64>,
    ) -> Result<(), Failure> {
        self.page.parts.remove(stream);
        if let Some(sync_id) = sync_id {
            let added = &mut self.page.committed.added;
            added.insert(stream.to_owned(), sync_id);
        }
        self.write(store).await
    }

    /// Deletes what does not count, once more.
    pub(super) async fn clean(&self, store: &AmazonS3) -> Result<(), Failure> {
        upload::delete(store, &keys_of(&self.page.given_up)?).await
    }

    async fn write(&mut self, store: &AmazonS3) -> Result<(), Failure> {
        self.page.writes += 1;
        let text = serde_json::to_vec(&self.page)
            .map_err(|e| Failure::system("the ledger cannot be written").because(e))?;
        upload::put(store, &self.key, text).await
    }
}

impl Page {
    fn count(&mut self, coming: Coming) {
        self.committed.states.extend(coming.brings.states);
        for (stream, keys) in coming.parts {
            self.parts.entry(stream).or_default().keys.extend(keys);
        }
    }
}

async fn read(store: &AmazonS3, key: &Path) -> Result<Page, Failure> {
    let text = upload::get(store, key).await?;
    serde_json::from_slice(&text).map_err(|e| {
        let message = format!(
            "object {key} does not say what is committed: remove it only together with the streams' objects"
        );
        Failure::config(message).because(e)
    })
}

/// The number in a ledger's name.
fn number(key: &Path) -> Option<u64> {
    key.filename()?
        .strip_suffix(".json")?
        .split_once('-')?
        .0
        .parse()
        .ok()
}

fn keys_of(keys: &BTreeSet<String>) -> Result<Vec<Path>, Failure> {
    let parsed = keys.iter().map(Path::parse);
    parsed
        .collect::<Result<_, _>>()
        .map_err(|e| Failure::system("the ledger names a key that is none").because(e))
}
