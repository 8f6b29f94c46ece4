//! Problem details (RFC 9457) and the closed set of codes in them.

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $status:literal, $title:literal;)*) => {
        /// A stable code that programs can match on. Codes are added, never renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)*
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code's JSON spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// Its HTTP status.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// Its meaning, the same for every occurrence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }

            /// Parses a code.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }
        }
    };
}

codes! {
    /// The body is not valid JSON, or a parameter is malformed.
    Malformed = "malformed_request", 400, "Malformed request";
    /// The key or token is missing or unknown.
    Unauthenticated = "unauthenticated", 401, "Authentication is required";
    /// The caller is known but lacks the permission.
    Forbidden = "forbidden", 403, "Not allowed";
    /// A browser sent a write from another site.
    CrossSite = "cross_site_request", 403, "Cross-site writes are rejected";
    /// The path does not exist.
    NotFound = "not_found", 404, "Not found";
    /// The connection does not exist.
    ConnectionNotFound = "connection_not_found", 404, "No such connection";
    /// The job does not exist.
    JobNotFound = "job_not_found", 404, "No such job";
    /// The operation does not exist.
    OperationNotFound = "operation_not_found", 404, "No such operation";
    /// The API key does not exist.
    KeyNotFound = "key_not_found", 404, "No such API key";
    /// The catalog version does not exist.
    VersionNotFound = "version_not_found", 404, "No such catalog version";
    /// The credential does not exist.
    CredentialUnknown = "credential_unknown", 404, "No such credential";
    /// The datasource does not exist.
    DatasourceNotFound = "datasource_not_found", 404, "No such datasource";
    /// The sink does not exist.
    SinkNotFound = "sink_not_found", 404, "No such sink";
    /// The path does not support the method.
    MethodNotAllowed = "method_not_allowed", 405, "The method is not allowed here";
    /// The body arrived too slowly.
    BodyTooSlow = "body_too_slow", 408, "The body arrived too slowly";
    /// The name belongs to another connection.
    ConnectionNameTaken = "connection_name_taken", 409, "The connection's name is taken";
    /// An active key already has this name.
    KeyNameTaken = "key_name_taken", 409, "The key's name is taken";
    /// Another connection of the destination writes the stream.
    DestinationStreamConflict = "destination_stream_conflict", 409, "Another connection writes the same stream";
    /// Connections use the source or destination, or it is being deleted.
    InUse = "in_use", 409, "It is in use or being deleted";
    /// Another operation of the connection is in progress.
    ConnectionBusy = "connection_busy", 409, "Another operation of the connection is in progress";
    /// The connection is not in a state that allows it.
    ConnectionNotReady = "connection_not_ready", 409, "The connection's state does not allow it";
    /// The connection is deactivated in Airbyte.
    ConnectionInactive = "connection_inactive", 409, "The connection is deactivated in Airbyte";
    /// The connection is locked in Airbyte.
    ConnectionLocked = "connection_locked", 409, "The connection is locked in Airbyte";
    /// The connection was created on another Airbyte than the configured one.
    OtherInstance = "other_instance", 409, "The connection belongs to another Airbyte";
    /// A job is running; nothing was changed.
    JobRunning = "job_running", 409, "A job is running";
    /// The plan no longer describes the source; the response contains the new one.
    PlanStale = "plan_stale", 409, "The plan is out of date";
    /// The connection is at another version.
    VersionConflict = "version_conflict", 409, "The connection is at another version";
    /// The events after that position are no longer stored.
    EventsGone = "events_gone", 410, "The events are no longer stored";
    /// The first request with the key is still in progress.
    IdempotencyInFlight = "idempotency_in_flight", 409, "The first request with this key is still \
                                                         in progress";
    /// The first response for the key contained a secret, which is not stored.
    IdempotencySecretAnswer = "idempotency_secret_answer", 409, "The first response contained a \
                                                                 secret";
    /// The first response for the key was too large to be stored.
    IdempotencyAnswerTooLarge = "idempotency_answer_too_large", 409, "The first response was too \
                                                                      large to store";
    /// The body is larger than the path permits.
    TooLarge = "payload_too_large", 413, "The body is too large";
    /// The body's media type is not JSON.
    UnsupportedMediaType = "unsupported_media_type", 415, "The body must be JSON";
    /// The `Host` header names a host that this service does not serve.
    ForeignHost = "misdirected_request", 421, "This service does not serve that host";
    /// The request is well-formed, but a value is invalid.
    Invalid = "invalid_request", 422, "Invalid request";
    /// The key was used with another request.
    IdempotencyKeyReused = "idempotency_key_reused", 422, "The key was used with another request";
    /// Airbyte has no such source type.
    SourceTypeUnknown = "source_type_unknown", 422, "Airbyte has no such source type";
    /// The credential does not exist or is incomplete.
    CredentialNotFound = "credential_not_found", 422, "The credential cannot be used";
    /// The source's configuration does not match the connector's specification.
    SourceConfigInvalid = "source_config_invalid", 422, "The source's configuration is not valid";
    /// The connector's check of the configuration failed.
    SourceCheckFailed = "source_check_failed", 422, "The source's check failed";
    /// Airbyte has no such destination type.
    DestinationTypeUnknown = "destination_type_unknown", 422, "Airbyte has no such destination type";
    /// The destination's configuration does not match the connector's specification.
    DestinationConfigInvalid = "destination_config_invalid", 422, "The destination's configuration is not valid";
    /// The connector's check of the configuration failed.
    DestinationCheckFailed = "destination_check_failed", 422, "The destination's check failed";
    /// The connector failed to return the source's schema.
    DiscoverFailed = "discover_failed", 422, "Discovering the source's schema failed";
    /// Several workspaces or destinations exist and none is named.
    AmbiguousTarget = "ambiguous_target", 422, "Several are possible; name one";
    /// The catalog is malformed, or does not fit the source.
    CatalogInvalid = "catalog_invalid", 422, "The catalog is not valid";
    /// The object has changed since it was read.
    PreconditionFailed = "precondition_failed", 412, "It has changed since it was read";
    /// Too many requests.
    RateLimited = "rate_limited", 429, "Too many requests";
    /// A defect in AAM; see the log.
    Internal = "internal", 500, "An internal error";
    /// It was sealed with another key than the auth broker's current one.
    SecretKeyChanged = "secret_key_changed", 500, "SECRET_KEY is not the key it was sealed with";
    /// Airbyte failed or rejected the call.
    AirbyteFailed = "airbyte_failed", 502, "Airbyte failed";
    /// Airbyte rejected AAM's credentials.
    AirbyteUnauthorized = "airbyte_unauthorized", 502, "Airbyte rejected the credentials";
    /// Airbyte did not respond in time.
    AirbyteTimeout = "airbyte_timeout", 504, "Airbyte did not respond in time";
    /// Airbyte is unreachable.
    AirbyteUnavailable = "airbyte_unavailable", 503, "Airbyte cannot be reached";
    /// The registry's database is unreachable.
    RegistryUnavailable = "registry_unavailable", 503, "The registry cannot be reached";
    /// The service is at its load limit.
    Overloaded = "overloaded", 503, "The service is overloaded";
    /// Another AAM service is unreachable.
    ServiceUnavailable = "service_unavailable", 503, "A service cannot be reached";
}

// Not derived: the derive macro does not see names generated by a macro.
impl PartialSchema for ErrorCode {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "A stable code that programs can match on. Codes are added, never renamed.",
            ))
            .enum_values(Some(Self::ALL.iter().map(|code| code.as_str())))
            .into()
    }
}

impl ToSchema for ErrorCode {}

/// An invalid field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Its path as the caller wrote it, for example `source_config.path`.
    pub field: String,
    /// What is wrong, and what is expected.
    pub message: String,
}

impl FieldError {
    /// Joins errors into one line of text.
    pub fn join(errors: &[Self]) -> String {
        errors
            .iter()
            .map(|error| format!("{}: {}", error.field, error.message))
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// An error response (RFC 9457, `application/problem+json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Identifies the kind of failure; ends in the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The meaning of the code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The details of this occurrence.
    pub detail: String,
    /// The requested path.
    pub instance: String,
    /// A code that programs can match on.
    pub code: ErrorCode,
    /// The request's id, which all logs include.
    pub request_id: String,
    /// All invalid fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Further members of this kind of failure, for example the new plan.
    #[serde(flatten)]
    pub members: serde_json::Map<String, serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_lists_the_codes_as_spelled() {
        let schema = serde_json::to_value(ErrorCode::schema()).unwrap();
        let written: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(schema["enum"], serde_json::json!(written));
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
