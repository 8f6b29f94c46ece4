//! A stream's folder: what readers see, and beside it, hidden, what they do not see yet.
//!
//! ```text
//! base/namespace/stream/g3_s17_….parquet               what is there
//! base/namespace/.stream.aam/lock                      held while a sync writes the stream
//! base/namespace/.stream.aam/….parquet.partial         files that are being written
//! base/namespace/.stream.aam/generation-4/….staged     acknowledged rows that will replace the others
//! ```
//!
//! What is hidden does not end in `.parquet` either: some readers' globs look into hidden folders.

use std::fs::File;
use std::path::{Path, PathBuf};

use airbyte_protocol::{LogLevel, StreamDescriptor};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::files::{files, lock, make, remove, remove_folder, rename, sync};
use super::names;
use crate::destination::Plan;
use crate::failure::Failure;
use crate::output::Output;
use crate::spool::{safe_name, unwritable};

const PARTIAL: &str = ".partial";
const STAGED: &str = ".staged";
const STAGE: &str = "generation-";

/// A stream's folder during a sync.
pub(super) struct Folder {
    stream: StreamDescriptor,
    /// What readers see.
    shown: PathBuf,
    work: PathBuf,
    /// Where the rows of a generation wait that will replace the others.
    staged: Option<PathBuf>,
    /// Whether the files of older generations go, one by one: some of this one are shown already.
    drops_older: bool,
    plan: Plan,
    /// Held until the process ends, however it does.
    _lock: File,
}

impl Folder {
    /// Gets a stream's folder ready, and decides where its files go.
    ///
    /// # Errors
    /// Folders that are something else, or that another sync writes.
    pub(super) fn prepare(
        base: &Path,
        stream: StreamDescriptor,
        plan: Plan,
    ) -> Result<Self, Failure> {
        let parent = match stream.namespace.as_deref().filter(|name| !name.is_empty()) {
            None => base.to_path_buf(),
            Some(namespace) => {
                let folder = base.join(safe_name(namespace));
                if files(&folder)?
                    .iter()
                    .any(|name| names::generation(name).is_some())
                {
                    let shown = folder.display();
                    let message = format!("{shown} is the folder of a stream, not of a namespace");
                    return Err(Failure::config(message));
                }
                folder
            }
        };
        let name = safe_name(&stream.name);
        let shown = parent.join(&name);
        let work = parent.join(format!(".{name}.aam"));
        for folder in [base, &parent, &shown, &work] {
            make(folder)?;
        }
        let busy = || format!("another sync is writing stream {stream}");
        let lock = lock(&work.join("lock"), busy)?;
        for name in files(&work)?.iter().filter(|name| name.ends_with(PARTIAL)) {
            remove(&work.join(name))?;
        }
        refuse_foreign(&shown)?;
        let mut folder = Self {
            stream,
            shown,
            work,
            staged: None,
            drops_older: false,
            plan,
            _lock: lock,
        };
        folder.choose()?;
        Ok(folder)
    }

    fn choose(&mut self) -> Result<(), Failure> {
        let number = self
            .plan
            .generation
            .map_or_else(String::new, |g| g.to_string());
        let own = self.work.join(format!("{STAGE}{number}"));
        for name in files(&self.work)?
            .iter()
            .filter(|name| name.starts_with(STAGE))
        {
            let stage = self.work.join(name);
            // Acknowledged rows of this generation belong to the stream. The rest was abandoned, or
            // an exchange removed it from view.
            let kept = self.plan.generation.filter(|_| stage == own);
            self.tidy(&stage, kept)?;
        }
        let continues = own.is_dir();
        if self.plan.adds {
            make(&own)?;
            self.staged = Some(own);
        } else if self.plan.replaces {
            let there = files(&self.shown)?;
            let latest = there
                .iter()
                .filter_map(|name| names::generation(name)?)
                .max();
            if !continues && latest.is_some() && latest == self.plan.generation {
                // An earlier attempt of this generation completed the stream; what was
                // acknowledged then does not come again.
                self.drops_older = true;
            } else {
                make(&own)?;
                self.staged = Some(own);
            }
        } else if continues {
            for name in files(&own)? {
                rename(&own.join(&name), &self.shown.join(plain(&name)))?;
            }
            sync(&self.shown)?;
            remove_folder(&own)?;
        }
        Ok(())
    }

    /// Leaves in a stage only that generation's files, and no stage that is empty. Files of others
    /// go back to where they were.
    fn tidy(&self, stage: &Path, kept: Option<i64>) -> Result<(), Failure> {
        let mut left = false;
        for name in files(stage)? {
            match names::generation(plain(&name)) {
                None => rename(&stage.join(&name), &self.shown.join(&name))?,
                Some(generation) if generation.is_some() && generation == kept => left = true,
                Some(_) => remove(&stage.join(&name))?,
            }
        }
        if left { Ok(()) } else { remove_folder(stage) }
    }

    /// A new file, hidden; its path and the name it will have.
    pub(super) fn create(&self) -> Result<(File, Hidden), Failure> {
        let name = names::file(self.plan.generation, self.plan.sync_id);
        let path = self.work.join(format!("{name}{PARTIAL}"));
        let file = File::create_new(&path).map_err(|e| unwritable(&path, &e))?;
        Ok((file, Hidden { path, name }))
    }

    /// Where a whole file is, and where it belongs.
    pub(super) fn shown_as(&self, hidden: &Hidden) -> (PathBuf, PathBuf) {
        let to = match &self.staged {
            Some(staged) => staged.join(format!("{}{STAGED}", hidden.name)),
            None => self.shown.join(&hidden.name),
        };
        (hidden.path.clone(), to)
    }

    /// Where the staged files are, and where they belong once the stream completed.
    pub(super) fn staged_files(&self) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
        let Some(staged) = &self.staged else {
            return Ok(Vec::new());
        };
        let move_of = |name: &String| (staged.join(name), self.shown.join(plain(name)));
        Ok(files(staged)?.iter().map(move_of).collect())
    }

    /// The stream.
    pub(super) fn stream(&self) -> &StreamDescriptor {
        &self.stream
    }

    /// How it is written.
    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The sync's end; `whole`: the stream completed.
    pub(super) fn conclude(&self, whole: bool, output: &mut Output) -> Result<(), Failure> {
        for name in files(&self.work)?
            .iter()
            .filter(|name| name.ends_with(PARTIAL))
        {
            remove(&self.work.join(name))?;
        }
        if !whole {
            return Ok(());
        }
        if self.drops_older {
            for name in files(&self.shown)? {
                let of = names::generation(&name);
                if of.is_some_and(|generation| generation < self.plan.generation) {
                    remove(&self.shown.join(name))?;
                }
            }
            return sync(&self.shown);
        }
        let Some(staged) = &self.staged else {
            return Ok(());
        };
        if self.plan.adds {
            // What is left of it was added by an earlier attempt of this sync.
            for name in files(staged)? {
                remove(&staged.join(name))?;
            }
            return remove_folder(staged);
        }
        refuse_foreign(&self.shown)?;
        for name in files(staged)? {
            rename(&staged.join(&name), &staged.join(plain(&name)))?;
        }
        sync(staged)?;
        let exchanged = renameat2(
            AT_FDCWD,
            staged,
            AT_FDCWD,
            &self.shown,
            RenameFlags::RENAME_EXCHANGE,
        );
        match exchanged {
            Ok(()) => {}
            Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => {
                let stream = &self.stream;
                let text = format!(
                    "the file system cannot exchange folders: readers of {stream} see both generations for a moment"
                );
                output.log(LogLevel::Warn, text)?;
                return self.replace_by_files(staged);
            }
            Err(error) => return Err(unwritable(&self.shown, &error.into())),
        }
        sync(&self.work)?;
        if let Some(parent) = self.shown.parent() {
            sync(parent)?;
        }
        self.tidy(staged, None)
    }

    fn replace_by_files(&self, staged: &Path) -> Result<(), Failure> {
        let old = files(&self.shown)?;
        for name in files(staged)? {
            rename(&staged.join(&name), &self.shown.join(&name))?;
        }
        sync(&self.shown)?;
        for name in old.iter().filter(|name| names::generation(name).is_some()) {
            remove(&self.shown.join(name))?;
        }
        remove_folder(staged)
    }
}

/// The name that a staged file will have.
fn plain(name: &str) -> &str {
    name.strip_suffix(STAGED).unwrap_or(name)
}

/// A file that readers do not see yet.
pub(super) struct Hidden {
    path: PathBuf,
    name: String,
}

impl Hidden {
    /// Makes what it holds survive a loss of power.
    pub(super) fn sync(&self, handle: &File) -> Result<(), Failure> {
        handle.sync_all().map_err(|e| unwritable(&self.path, &e))
    }
}

/// A folder with another program's Parquet files, or with subfolders, must not be replaced.
fn refuse_foreign(shown: &Path) -> Result<(), Failure> {
    for name in files(shown)? {
        let foreign = name.ends_with(".parquet") && names::generation(&name).is_none();
        if foreign || shown.join(&name).is_dir() {
            return Err(Failure::config(format!(
                "{} holds {name}, which was not written by this destination",
                shown.display()
            )));
        }
    }
    Ok(())
}
