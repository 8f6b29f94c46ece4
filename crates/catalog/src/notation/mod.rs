//! The notations of catalogs, with one model between them: each can be parsed and written, and a
//! conversion reports what the other notation cannot express.

mod loss;
pub(crate) mod read;
mod write;

use crate::fault::{Fault, Faults};
use crate::model::SyncCatalog;

pub use loss::Loss;
pub use write::public::{PublicField, PublicStream, combined_mode, split_mode};

/// A notation of catalogs: always an object with a list `streams`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notation {
    /// The protocol's `AirbyteCatalog`, the output of `discover`: streams only.
    Protocol,
    /// The protocol's `ConfiguredAirbyteCatalog`, the input of connectors: selected streams with
    /// their settings.
    Configured,
    /// The Config API's `syncCatalog`: `stream` and `config`.
    ConfigApi,
    /// The public API's `configurations`: the settings of selected streams, without schemas.
    Public,
}

impl Notation {
    /// All notations.
    pub const ALL: [Self; 4] = [
        Self::Protocol,
        Self::Configured,
        Self::ConfigApi,
        Self::Public,
    ];

    /// Its name on the command line and in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Configured => "configured",
            Self::ConfigApi => "config-api",
            Self::Public => "public",
        }
    }
}

impl std::fmt::Display for Notation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// A catalog with the notation that it was parsed from. Unlike a version it may come from the
/// public API; its streams' schemas are then `{}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its notation.
    pub notation: Notation,
    /// Its content.
    pub catalog: SyncCatalog,
}

/// A catalog in another notation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// The JSON text.
    pub text: String,
    /// What parsing that text does not restore.
    pub lost: Vec<Loss>,
}

impl Document {
    /// Parses a catalog; without `notation`, detects it from the first stream. A catalog without
    /// streams is taken to be the Config API's.
    ///
    /// # Errors
    /// Returns the errors of [`SyncCatalog::parse`], and one for each stream in another notation.
    pub fn read(text: &str, notation: Option<Notation>) -> Result<Self, Faults> {
        let flat = match notation {
            Some(Notation::Public) => read::Flat::Public,
            Some(_) => read::Flat::Protocol,
            None => read::Flat::BySchema,
        };
        let written = read::written(text, flat, &mut crate::Interner::default())?;
        let first = written.entries.first().map(|entry| entry.notation);
        let notation = notation.or(first).unwrap_or(Notation::ConfigApi);
        let other = |entry: &&read::Entry| entry.notation != notation;
        let faults = written.entries.iter().filter(other).map(|entry| {
            let found = entry.notation;
            let message = format!("is in the notation {found}, not in {notation}");
            Fault::of(&entry.path, entry.descriptor(), message)
        });
        Faults::unless_any(faults.collect(), ())?;
        let catalog = read::catalog(written)?;
        Ok(Self { notation, catalog })
    }

    /// Writes the catalog. Unknown members are kept if the notation does not change.
    pub fn write(&self, notation: Notation) -> Converted {
        let unknown = notation == self.notation;
        let text = write::json(&self.catalog, notation, unknown);
        let lost = match Self::read(&text, Some(notation)) {
            Ok(read) => loss::between(&self.catalog, &read.catalog, notation),
            // A catalog built in code may contain what no text can: a stream without a name.
            Err(faults) => loss::unreadable(faults),
        };
        Converted { text, lost }
    }
}

/// Converts a catalog to another notation.
///
/// # Errors
/// As [`Document::read`].
pub fn convert(text: &str, from: Option<Notation>, to: Notation) -> Result<Converted, Faults> {
    Ok(Document::read(text, from)?.write(to))
}
