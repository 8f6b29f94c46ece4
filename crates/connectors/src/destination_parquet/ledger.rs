//! What is committed for a connection, in one hidden file beside the streams' folders.
//!
//! ```text
//! base/.aam/connection.json    states, and the renames that put their rows in sight
//! base/.aam/connection.lock    held while a sync writes for the connection
//! ```
//!
//! Replacing the file is the commit. The renames that it lists are carried out after it, and again by
//! the next attempt where this one was interrupted.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::{carry_out, lock, make, sync};
use crate::destination::{Committed, State};
use crate::failure::Failure;
use crate::spool::{safe_name, unwritable};

/// The folder of ledgers.
const FOLDER: &str = ".aam";

#[derive(Default, Serialize, Deserialize)]
struct Page {
    committed: Committed,
    /// Renames of the last commit, relative to the base.
    moves: Vec<(PathBuf, PathBuf)>,
}

/// The ledger of a connection.
pub(super) struct Ledger {
    base: PathBuf,
    folder: PathBuf,
    name: String,
    page: Page,
    /// Held until the process ends, however it does.
    _lock: File,
}

impl Ledger {
    /// Reads what earlier attempts committed and finishes their last commit.
    pub(super) fn open(base: &Path, connection: &str) -> Result<Self, Failure> {
        let folder = base.join(FOLDER);
        make(base)?;
        make(&folder)?;
        let name = safe_name(connection);
        let busy = || "another sync is writing for this connection".to_owned();
        let lock = lock(&folder.join(format!("{name}.lock")), busy)?;
        let path = folder.join(format!("{name}.json"));
        let page = match fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Page::default(),
            read => {
                let read = read.map_err(|e| unwritable(&path, &e))?;
                serde_json::from_slice(&read).map_err(|e| {
                    let shown = path.display();
                    let message = format!(
                        "{shown} does not say what is committed: remove it only together with the streams' files"
                    );
                    Failure::config(message).because(e)
                })?
            }
        };
        let ledger = Self {
            base: base.to_owned(),
            folder,
            name,
            page,
            _lock: lock,
        };
        ledger.carry_out()?;
        Ok(ledger)
    }

    /// What is committed.
    pub(super) fn committed(&self) -> &Committed {
        &self.page.committed
    }

    /// Commits files, which are synced, and the states that cover them.
    pub(super) fn commit(
        &mut self,
        states: &[State],
        moves: Vec<(PathBuf, PathBuf)>,
    ) -> Result<(), Failure> {
        self.page.committed.take(states)?;
        self.turn(moves)
    }

    /// Commits a whole stream that a sync adds.
    pub(super) fn add(
        &mut self,
        stream: &str,
        sync_id: Option<i64>,
        moves: Vec<(PathBuf, PathBuf)>,
    ) -> Result<(), Failure> {
        if let Some(sync_id) = sync_id {
            self.page.committed.added.insert(stream.to_owned(), sync_id);
        }
        self.turn(moves)
    }

    fn turn(&mut self, moves: Vec<(PathBuf, PathBuf)>) -> Result<(), Failure> {
        let relative = |path: PathBuf| match path.strip_prefix(&self.base) {
            Ok(inside) => inside.to_owned(),
            Err(_) => path,
        };
        let moves = moves.into_iter();
        self.page.moves = moves.map(|(a, b)| (relative(a), relative(b))).collect();
        let path = self.folder.join(format!("{}.json", self.name));
        let next = self.folder.join(format!("{}.json.next", self.name));
        let text = serde_json::to_vec(&self.page)
            .map_err(|e| Failure::system("the ledger cannot be written").because(e))?;
        let written = File::create(&next).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()
        });
        written.map_err(|e| unwritable(&next, &e))?;
        fs::rename(&next, &path).map_err(|e| unwritable(&path, &e))?;
        sync(&self.folder)?;
        self.carry_out()
    }

    fn carry_out(&self) -> Result<(), Failure> {
        let mut moves = Vec::with_capacity(self.page.moves.len());
        for (from, to) in &self.page.moves {
            let inside = |path: &Path| {
                let mut parts = path.components();
                parts.all(|part| matches!(part, Component::Normal(_)))
            };
            if !inside(from) || !inside(to) {
                let message = "the ledger speaks of files outside of the folder";
                return Err(Failure::config(message));
            }
            moves.push((self.base.join(from), self.base.join(to)));
        }
        carry_out(&moves)
    }
}
