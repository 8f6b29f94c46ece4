//! The errors of every service's flows, and the checks that flows share.

use contracts::{ErrorCode, FieldError};
use service_kit::ApiError;
use uuid::Uuid;

use service_kit::service_client;
use shared::airbyte;
use shared::airbyte::Airbyte;
use shared::registry;
use shared::registry::Registry;
use shared::registry::entities::connection;

/// Why a flow failed. Independent of HTTP; [`service_kit::ApiError`] maps it to a response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry failed, or a guarded write lost a race.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// Airbyte failed or rejected the call.
    #[error(transparent)]
    Airbyte(#[from] airbyte::Error),
    /// Another AAM service failed.
    #[error(transparent)]
    Service(#[from] service_client::Error),
    /// Airbyte returned a malformed catalog.
    #[error("Airbyte returned a malformed catalog")]
    Catalog(#[source] catalog::Faults),
    /// The request cannot be carried out as it stands.
    #[error("{detail}")]
    Refused {
        /// The error code.
        code: ErrorCode,
        /// The fault and the remedy.
        detail: String,
        /// The invalid fields.
        fields: Vec<FieldError>,
        /// Further problem members, by name.
        members: Vec<(&'static str, serde_json::Value)>,
    },
}

impl Error {
    /// Whether the failed work may have taken effect anyway.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Airbyte(error) if error.is_ambiguous())
    }

    /// Whether a later retry may help: something was unreachable or too busy.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Airbyte(error) => error.is_transient() || error.is_ambiguous(),
            Self::Registry(error) => error.is_unavailable(),
            Self::Service(error) => error.is_transient(),
            Self::Catalog(_) | Self::Refused { .. } => false,
        }
    }

    /// An error with a detail text.
    pub fn refused(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::Refused {
            code,
            detail: detail.into(),
            fields: Vec::new(),
            members: Vec::new(),
        }
    }

    /// An error about several fields.
    pub fn fields(code: ErrorCode, fields: Vec<FieldError>) -> Self {
        Self::Refused {
            code,
            detail: FieldError::join(&fields),
            fields,
            members: Vec::new(),
        }
    }

    /// An error about one field.
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

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Registry(error) => error.into(),
            Error::Airbyte(error) => error.into(),
            Error::Service(error) => error.into(),
            Error::Refused {
                code,
                detail,
                fields,
                members,
            } => members.into_iter().fold(
                Self::new(code, detail).with_fields(fields),
                |problem, (name, value)| problem.with(name, value),
            ),
            error @ Error::Catalog(_) => Self::caused(ErrorCode::AirbyteFailed, &error),
        }
    }
}

/// Returns the connection with that id.
///
/// # Errors
/// Returns `connection_not_found`, or the registry's error.
pub async fn connection(registry: &Registry, id: Uuid) -> Result<connection::Model, Error> {
    registry.connection_get(id).await?.ok_or_else(|| {
        Error::refused(
            ErrorCode::ConnectionNotFound,
            format!("no connection has the id {id}; GET /connections lists them"),
        )
    })
}

/// As [`connection()`], but requires that it belongs to the configured Airbyte.
///
/// # Errors
/// Returns `other_instance` if it does not, or the errors of [`connection()`].
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
            "the connection was created on {}, but {} is configured",
            row.airbyte_instance,
            airbyte.instance()
        ),
    ))
}
