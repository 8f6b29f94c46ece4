//! Why a request cannot be fulfilled, before either API words it. The public API answers problem
//! objects, the Config API mostly an error id; see `api::problem` and `api::config::error`.

/// A request's failure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// No such thing.
    #[error("{kind} {id} was not found")]
    NotFound { kind: &'static str, id: String },
    /// No such job; the public API calls this a conflict.
    #[error("could not find job {0}")]
    UnknownJob(i64),
    /// An unknown `sourceType` or `destinationType`.
    #[error("{0} is not a known connector")]
    UnknownType(String),
    /// The request contradicts itself or what is known.
    #[error("{0}")]
    BadRequest(String),
    /// No caller may do this here.
    #[error("{0}")]
    Forbidden(String),
    /// A state is in use by the sync that runs.
    #[error("{0}")]
    StateInUse(String),
    /// A parameter outside its bounds; refused before either API looks at it.
    #[error("{0}")]
    Constraint(String),
    /// A failure with its own problem type.
    #[error("{detail}")]
    Typed {
        kind: &'static str,
        detail: String,
        data: serde_json::Value,
    },
    /// A job is already running.
    #[error("{0}")]
    TryAgainLater(String),
    /// Impossible in the present state.
    #[error("{0}")]
    StateConflict(String),
    /// The body is understood but cannot be used.
    #[error("{0}")]
    Unprocessable(String),
    /// The connector or something below failed; the text is for the caller.
    #[error("{0}")]
    Unexpected(String),
    /// The database failed.
    #[error("using the engine's database")]
    Database(#[from] sea_orm::DbErr),
    /// A file failed.
    #[error("using {path}")]
    File {
        path: std::path::PathBuf,
        source: std::io::Error,
    },
    /// Stored text is not what was stored.
    #[error("reading a stored {what}")]
    Stored {
        what: &'static str,
        source: serde_json::Error,
    },
    /// A sealed secret does not open.
    #[error("opening a sealed secret")]
    Sealed(#[source] local::seal::Error),
    /// The task that did the work died.
    #[error("the request's task ended early")]
    Task(#[source] tokio::task::JoinError),
}

impl Fault {
    /// No such thing.
    pub(crate) fn not_found(kind: &'static str, id: impl ToString) -> Self {
        Self::NotFound {
            kind,
            id: id.to_string(),
        }
    }

    /// The error with everything below it, for the log.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut below = std::error::Error::source(self);
        while let Some(error) = below {
            text.push_str(": ");
            text.push_str(&error.to_string());
            below = error.source();
        }
        text
    }
}

/// Reads JSON that the engine itself stored.
pub(crate) fn stored<T: serde::de::DeserializeOwned>(
    what: &'static str,
    text: &str,
) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|source| Fault::Stored { what, source })
}

/// Writes JSON for storing.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("string keys and plain values always serialise")
}
