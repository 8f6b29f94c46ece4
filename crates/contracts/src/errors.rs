//! Problem details (RFC 9457) and the closed set of codes in them.

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $status:literal, $title:literal;)*) => {
        /// A word a program can match on. Stable: one is added, none is renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code as it is written.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The HTTP status it is answered with.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// What it means, the same for every occurrence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }

            /// The code spelt `text`.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }
        }
    };
}

codes! {
    /// The body is not JSON, or a parameter does not read.
    Malformed = "malformed_request", 400, "The request does not read";
    /// No key or token, or one that is not known.
    Unauthenticated = "unauthenticated", 401, "Authentication is required";
    /// Known, and not allowed this.
    Forbidden = "forbidden", 403, "Not allowed";
    /// A browser sent a write from another site.
    CrossSite = "cross_site_request", 403, "Writes from another site are refused";
    /// No such path.
    NotFound = "not_found", 404, "Not found";
    /// No such connection.
    ConnectionNotFound = "connection_not_found", 404, "No such connection";
    /// No such job.
    JobNotFound = "job_not_found", 404, "No such job";
    /// No such operation.
    OperationNotFound = "operation_not_found", 404, "No such operation";
    /// No such API key.
    KeyNotFound = "key_not_found", 404, "No such API key";
    /// No such catalog version.
    VersionNotFound = "version_not_found", 404, "No such catalog version";
    /// No such credential.
    CredentialUnknown = "credential_unknown", 404, "No such credential";
    /// No such datasource.
    DatasourceNotFound = "datasource_not_found", 404, "No such datasource";
    /// No such sink.
    SinkNotFound = "sink_not_found", 404, "No such sink";
    /// The path does not know the method.
    MethodNotAllowed = "method_not_allowed", 405, "The method is not allowed here";
    /// The body came too slowly.
    BodyTooSlow = "body_too_slow", 408, "The body came too slowly";
    /// The name belongs to another connection.
    ConnectionNameTaken = "connection_name_taken", 409, "The connection's name is taken";
    /// A key in force has the name.
    KeyNameTaken = "key_name_taken", 409, "The key's name is taken";
    /// Another connection of the destination writes the stream.
    DestinationStreamConflict = "destination_stream_conflict", 409, "Another connection writes the same stream";
    /// A source or destination is used by connections, or is being removed.
    InUse = "in_use", 409, "It is in use, or being removed";
    /// Another operation of the connection is under way.
    ConnectionBusy = "connection_busy", 409, "Another operation of the connection is under way";
    /// The connection is not in a state that allows it.
    ConnectionNotReady = "connection_not_ready", 409, "The connection's state does not allow it";
    /// The connection is switched off in Airbyte.
    ConnectionInactive = "connection_inactive", 409, "The connection is switched off in Airbyte";
    /// The connection is locked in Airbyte.
    ConnectionLocked = "connection_locked", 409, "The connection is locked in Airbyte";
    /// The connection was made on another Airbyte than the one configured.
    OtherInstance = "other_instance", 409, "The connection belongs to another Airbyte";
    /// A job runs; nothing was changed.
    JobRunning = "job_running", 409, "A job is running";
    /// The plan no longer describes the source; the new one is in the answer.
    PlanStale = "plan_stale", 409, "The plan is no longer true";
    /// The connection has moved on to another version.
    VersionConflict = "version_conflict", 409, "The connection has moved on to another version";
    /// The events after that position are not kept any more.
    EventsGone = "events_gone", 410, "The events are not kept any more";
    /// The first request with the key is under way.
    IdempotencyInFlight = "idempotency_in_flight", 409, "The first request with this key is under way";
    /// The first request with the key was answered with a secret, which is not kept.
    IdempotencySecretAnswer = "idempotency_secret_answer", 409, "The first answer held a secret";
    /// The first request with the key was answered with more than is kept.
    IdempotencyAnswerTooLarge = "idempotency_answer_too_large", 409, "The first answer was too large to keep";
    /// The body is larger than the path takes.
    TooLarge = "payload_too_large", 413, "The body is too large";
    /// The body is not JSON by its content type.
    UnsupportedMediaType = "unsupported_media_type", 415, "The body must be JSON";
    /// The `Host` header names a host this service does not answer for.
    ForeignHost = "misdirected_request", 421, "This service does not answer for that host";
    /// Well-formed, and a value is not usable.
    Invalid = "invalid_request", 422, "The request is not valid";
    /// The key came with another request.
    IdempotencyKeyReused = "idempotency_key_reused", 422, "The key belongs to another request";
    /// Airbyte has no such source type.
    SourceTypeUnknown = "source_type_unknown", 422, "Airbyte has no such source type";
    /// The credential does not exist or lacks a part.
    CredentialNotFound = "credential_not_found", 422, "The credential cannot be used";
    /// The source's configuration does not match the connector's specification.
    SourceConfigInvalid = "source_config_invalid", 422, "The source's configuration is not valid";
    /// The connector tried the configuration and failed.
    SourceCheckFailed = "source_check_failed", 422, "The source's check failed";
    /// Airbyte has no such destination type.
    DestinationTypeUnknown = "destination_type_unknown", 422, "Airbyte has no such destination type";
    /// The destination's configuration does not match the connector's specification.
    DestinationConfigInvalid = "destination_config_invalid", 422, "The destination's configuration is not valid";
    /// The connector tried the configuration and failed.
    DestinationCheckFailed = "destination_check_failed", 422, "The destination's check failed";
    /// The connector could not tell the source's schema.
    DiscoverFailed = "discover_failed", 422, "Discovering the source's schema failed";
    /// Several workspaces or destinations exist and none is named.
    AmbiguousTarget = "ambiguous_target", 422, "Several are possible; name one";
    /// The catalog does not read, or does not fit the source.
    CatalogInvalid = "catalog_invalid", 422, "The catalog is not valid";
    /// The connection was changed since it was read.
    PreconditionFailed = "precondition_failed", 412, "It was changed since it was read";
    /// Too many requests.
    RateLimited = "rate_limited", 429, "Too many requests";
    /// A defect of ours; the log tells more.
    Internal = "internal", 500, "An internal error";
    /// It was sealed with another key than the broker has now.
    SecretKeyChanged = "secret_key_changed", 500, "SECRET_KEY is not the key it was sealed with";
    /// Airbyte failed or refused.
    AirbyteFailed = "airbyte_failed", 502, "Airbyte failed";
    /// Airbyte refused our credentials.
    AirbyteUnauthorized = "airbyte_unauthorized", 502, "Airbyte refused the credentials";
    /// Airbyte did not answer in time.
    AirbyteTimeout = "airbyte_timeout", 504, "Airbyte did not answer in time";
    /// Airbyte cannot be reached.
    AirbyteUnavailable = "airbyte_unavailable", 503, "Airbyte cannot be reached";
    /// The registry's database cannot be reached.
    RegistryUnavailable = "registry_unavailable", 503, "The registry cannot be reached";
    /// The service has as much to do as it takes on.
    Overloaded = "overloaded", 503, "The service is full";
    /// Another service of ours cannot be reached.
    ServiceUnavailable = "service_unavailable", 503, "A service cannot be reached";
}

// Not derived: the derive does not see names that a macro gives.
impl PartialSchema for ErrorCode {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "A word a program can match on. Stable: one is added, none is renamed.",
            ))
            .enum_values(Some(Self::ALL.iter().map(|code| code.as_str())))
            .into()
    }
}

impl ToSchema for ErrorCode {}

/// One offending field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Its path as the caller wrote it, for instance `source_config.path`.
    pub field: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// A failure (RFC 9457, `application/problem+json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Names the kind of failure; ends in the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the kind means.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// The path that was asked.
    pub instance: String,
    /// A word a program can match on.
    pub code: ErrorCode,
    /// The request's id, to be found in every log.
    pub request_id: String,
    /// Every offending field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What else belongs to the failure, for instance the new plan.
    #[serde(flatten)]
    pub members: serde_json::Map<String, serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_the_codes_as_they_are_written() {
        let schema = serde_json::to_value(ErrorCode::schema()).unwrap();
        let written: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(schema["enum"], serde_json::json!(written));
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
