//! The Config API's error bodies: mostly an id to look for in the log.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::api::problem;
use crate::fault::Fault;

/// A fault as the Config API words it.
pub(super) fn response(fault: &Fault) -> HttpResponse {
    let (status, message) = match fault {
        Fault::NotFound { .. } | Fault::UnknownJob(_) => (404, None),
        Fault::Constraint(_) => (400, None),
        Fault::Forbidden(text) => (403, Some(text)),
        Fault::StateInUse(text) => (423, Some(text)),
        Fault::Typed { kind, detail, data } => return problem::typed(kind, detail, data),
        Fault::BadRequest(text) => (400, Some(text)),
        Fault::UnknownType(name) => (400, Some(name)),
        Fault::TryAgainLater(text) => (409, Some(text)),
        Fault::Unprocessable(text) => (422, Some(text)),
        // Its text is for the caller: why a connector does not run, for instance.
        Fault::Unexpected(text) => (500, Some(text)),
        // Airbyte has no separate case for an illegal state.
        Fault::StateConflict(_)
        | Fault::Database(_)
        | Fault::File { .. }
        | Fault::Stored { .. }
        | Fault::Sealed(_)
        | Fault::Task(_) => (500, None),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let Some(message) = message else {
        return problem::error_id(status, fault);
    };
    let id = Uuid::new_v4();
    tracing::warn!(error.id = %id, status = status.as_u16(), "request refused: {message}");
    HttpResponse::build(status).json(json!({"message": message, "errorId": id}))
}
