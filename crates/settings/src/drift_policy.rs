//! Reads the drift policy that an operator configured: a keyword, or a file with a document.

use std::path::Path;

use catalog::Faults;
use catalog::policy::Word;
use contracts::DriftPolicy;

/// Longer files cannot be policies.
const BYTES_MAX: u64 = 1 << 20;

/// Why a policy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a keyword nor an existing file.
    #[error("`{given}` is neither one of {words} nor a readable file", words = Word::ALL.map(Word::as_str).join(", "))]
    Unreadable {
        /// The configured value.
        given: String,
        /// Why the file cannot be read.
        source: std::io::Error,
    },
    /// The file is too long.
    #[error("{0} is larger than 1 MB")]
    TooLong(String),
    /// The file does not contain a valid policy; lists every fault with its path.
    #[error("{given}: {faults}")]
    Bad {
        /// The configured value.
        given: String,
        /// The faults.
        faults: Faults,
    },
}

/// Reads the policy that `given` names; a path is relative to `directory`.
///
/// # Errors
/// Returns an error if it does not name a policy, or the policy is invalid.
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
    // A file may also contain just a keyword.
    Ok(stated.map_or_else(|| DriftPolicy::from_stored(text.trim()), DriftPolicy::from))
}
