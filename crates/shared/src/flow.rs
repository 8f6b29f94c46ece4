//! What the flows of every service can fail with, and the checks they share.

use contracts::{ErrorCode, FieldError};
use uuid::Uuid;

use crate::airbyte::{self, Airbyte};
use crate::clients;
use crate::registry::entities::connection;
use crate::registry::{self, Registry};

/// Why a flow failed. Knows no HTTP; [`crate::http::ApiError`] says what it means to a caller.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry failed, or a guarded write found somebody else first.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// Airbyte failed or refused.
    #[error(transparent)]
    Airbyte(#[from] airbyte::Error),
    /// Another service of ours failed.
    #[error(transparent)]
    Service(#[from] clients::Error),
    /// Airbyte sent a catalog that does not read.
    #[error("Airbyte sent a catalog that does not read")]
    Catalog(#[source] catalog::Faults),
    /// The request cannot be done as it stands.
    #[error("{detail}")]
    Refused {
        /// Which kind of refusal.
        code: ErrorCode,
        /// What to do about it.
        detail: String,
        /// The offending fields.
        fields: Vec<FieldError>,
        /// What else the caller needs, by name.
        members: Vec<(&'static str, serde_json::Value)>,
    },
}

impl Error {
    /// Whether what failed may have had its effect all the same.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Airbyte(error) if error.is_ambiguous())
    }

    /// Whether trying again later may help: something could not be reached or was too busy.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Airbyte(error) => error.is_transient() || error.is_ambiguous(),
            Self::Registry(error) => error.is_unavailable(),
            Self::Service(error) => error.is_transient(),
            Self::Catalog(_) | Self::Refused { .. } => false,
        }
    }

    /// A refusal in words.
    pub fn refused(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::Refused {
            code,
            detail: detail.into(),
            fields: Vec::new(),
            members: Vec::new(),
        }
    }

    /// A refusal of fields.
    pub fn fields(code: ErrorCode, fields: Vec<FieldError>) -> Self {
        Self::Refused {
            code,
            detail: in_words(&fields),
            fields,
            members: Vec::new(),
        }
    }

    /// A refusal of one field.
    pub fn field(code: ErrorCode, field: &str, message: impl Into<String>) -> Self {
        Self::fields(
            code,
            vec![FieldError {
                field: field.to_owned(),
                message: message.into(),
            }],
        )
    }
}

/// Offending fields as one line of text.
pub fn in_words(fields: &[FieldError]) -> String {
    fields
        .iter()
        .map(|fault| format!("{}: {}", fault.field, fault.message))
        .collect::<Vec<_>>()
        .join("; ")
}

/// The connection of that id.
///
/// # Errors
/// `connection_not_found`, or the registry's.
pub async fn connection(registry: &Registry, id: Uuid) -> Result<connection::Model, Error> {
    registry.connection_get(id).await?.ok_or_else(|| {
        Error::refused(
            ErrorCode::ConnectionNotFound,
            format!("no connection {id}; GET /connections lists them"),
        )
    })
}

/// The same, if it belongs to the Airbyte that is configured.
///
/// # Errors
/// `other_instance` when it does not.
pub async fn own_connection(
    registry: &Registry,
    airbyte: &Airbyte,
    id: Uuid,
) -> Result<connection::Model, Error> {
    let row = connection(registry, id).await?;
    if row.airbyte_instance == airbyte.instance() {
        return Ok(row);
    }
    Err(Error::refused(
        ErrorCode::OtherInstance,
        format!(
            "the connection was made on {}, and {} is configured",
            row.airbyte_instance,
            airbyte.instance()
        ),
    ))
}
