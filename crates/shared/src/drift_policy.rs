//! A policy about drift that an operator names: a word, or a file with a document.

use std::path::Path;

use catalog::Faults;
use catalog::policy::Word;
use contracts::DriftPolicy;

/// Longer files are no policies.
const BYTES_MAX: u64 = 1 << 20;

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such word, and no such file.
    #[error("`{given}` is none of {words}, and no file that can be read", words = Word::ALL.map(Word::as_str).join(", "))]
    Unreadable {
        /// What was named.
        given: String,
        /// Why the file cannot be read.
        source: std::io::Error,
    },
    /// The file is too long.
    #[error("{0} has more than a megabyte")]
    TooLong(String),
    /// The file holds no policy that can be followed: every fault, with its place.
    #[error("{given}: {faults}")]
    Bad {
        /// What was named.
        given: String,
        /// The faults.
        faults: Faults,
    },
}

/// Reads the policy that `given` names; a path is relative to `directory`.
///
/// # Errors
/// When it names none, or one that cannot be followed.
pub fn read(given: &str, directory: &Path) -> Result<DriftPolicy, Error> {
    if let Ok(word) = given.parse::<Word>() {
        return Ok(word.into());
    }
    let path = directory.join(given);
    let unreadable = |source| Error::Unreadable {
        given: given.to_owned(),
        source,
    };
    if std::fs::metadata(&path).map_err(unreadable)?.len() > BYTES_MAX {
        return Err(Error::TooLong(given.to_owned()));
    }
    let text = std::fs::read_to_string(&path).map_err(unreadable)?;
    let bad = |faults| Error::Bad {
        given: given.to_owned(),
        faults,
    };
    catalog::policy::Policy::parse(&text).map_err(bad)?;
    let stated: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    // A file may also hold a bare word.
    Ok(stated.map_or_else(|| DriftPolicy::from_stored(text.trim()), DriftPolicy::from))
}
