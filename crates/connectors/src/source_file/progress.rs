//! The state of a stream: which files were read, and how far the present one. Full refreshes and
//! incremental reads have the same: the platform drops the state of the former.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::locate::Found;

/// How many files the state names; of more, the oldest are only known to be before the others.
const FILES_MAX: usize = 1_000;

/// The position in a file where reading continues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Bytes of text before it.
    pub(super) offset: u64,
    /// Lines before it.
    pub(super) line: u64,
    /// Records before it.
    pub(super) row: u64,
}

/// How far a stream was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Files read to their end, and when they had been changed.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// The last file that is no longer listed by name: all files before it were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgotten: Option<(String, String)>,
    /// The file that is being read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reading: Option<Reading>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reading {
    file: String,
    modified: String,
    at: Position,
}

impl Progress {
    /// Whether the file was read, as it is now.
    pub(super) fn has(&self, file: &Found) -> bool {
        match self.files.get(&file.shown) {
            Some(modified) => *modified == file.modified,
            None => self.forgotten.as_ref().is_some_and(|(modified, shown)| {
                (&file.modified, &file.shown) <= (modified, shown)
            }),
        }
    }

    /// Where to begin in a file: where an interrupted read ended, unless the file changed since.
    pub(super) fn position_in(&self, file: &Found) -> Position {
        let same =
            |reading: &&Reading| reading.file == file.shown && reading.modified == file.modified;
        let reading = self.reading.as_ref().filter(same);
        reading.map_or_else(Position::default, |reading| reading.at)
    }

    /// The file was read up to there.
    pub(super) fn reached(&mut self, file: &Found, at: Position) {
        self.reading = Some(Reading {
            file: file.shown.clone(),
            modified: file.modified.clone(),
            at,
        });
    }

    /// The file was read to its end.
    pub(super) fn finished(&mut self, file: &Found) {
        self.reading = None;
        self.files.insert(file.shown.clone(), file.modified.clone());
        if self.files.len() > FILES_MAX {
            let oldest = self
                .files
                .iter()
                .min_by_key(|(shown, modified)| (*modified, *shown));
            let oldest = oldest.map(|(shown, modified)| (modified.clone(), shown.clone()));
            if let Some((_, shown)) = &oldest {
                self.files.remove(shown);
            }
            self.forgotten = oldest.max(self.forgotten.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source_file::config::Format;

    fn file(number: usize, modified: usize) -> Found {
        Found {
            path: "x".into(),
            shown: format!("f{number:05}"),
            modified: format!("{modified:05}"),
            format: Format::Csv,
            gzip: false,
            tabs: false,
        }
    }

    #[test]
    fn files_are_known_even_when_they_are_too_many_to_name() {
        let mut progress = Progress::default();
        for number in 0..FILES_MAX + 500 {
            assert!(!progress.has(&file(number, 7)));
            progress.finished(&file(number, 7));
        }
        assert_eq!(progress.files.len(), FILES_MAX);
        assert!((0..FILES_MAX + 500).all(|number| progress.has(&file(number, 7))));
        assert!(!progress.has(&file(0, 8)) && !progress.has(&file(FILES_MAX + 1, 8)));
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let mut progress = Progress::default();
        let at = Position {
            offset: 5,
            line: 1,
            row: 1,
        };
        progress.reached(&file(1, 1), at);
        assert_eq!(progress.position_in(&file(1, 1)), at);
        assert_eq!(progress.position_in(&file(1, 2)), Position::default());
        assert_eq!(progress.position_in(&file(2, 1)), Position::default());
    }
}
