//! Error bodies: the public API's problem objects and the framework's own.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fault::Fault;

const CLASSIC: &str = "https://reference.airbyte.com/reference/errors#";

/// A fault as the public API words it.
pub(crate) fn public(fault: &Fault) -> HttpResponse {
    let message = |text: &str| json!({ "message": text });
    let (status, kind, data) = match fault {
        Fault::NotFound { kind, id } => (
            404,
            "resource-not-found",
            json!({"resourceType": kind, "resourceId": id}),
        ),
        Fault::UnknownJob(_) => (
            409,
            "state-conflict",
            message("Job is not currently running"),
        ),
        Fault::UnknownType(value) => (400, "value-not-found", json!({ "value": value })),
        Fault::BadRequest(text) => (400, "bad-request", message(text)),
        Fault::Forbidden(text) => (403, "forbidden", message(text)),
        Fault::StateInUse(text) => (409, "state-conflict", message(text)),
        Fault::Constraint(_) => return error_id(StatusCode::BAD_REQUEST, fault),
        Fault::Typed { kind, detail, data } => return typed(kind, detail, data),
        Fault::TryAgainLater(text) => (409, "try-again-later", message(text)),
        Fault::StateConflict(text) => (409, "state-conflict", message(text)),
        Fault::Unprocessable(text) => (422, "unprocessable-entity", message(text)),
        Fault::Unexpected(text) => (500, "unexpected-problem", message(text)),
        Fault::Database(_)
        | Fault::File { .. }
        | Fault::Stored { .. }
        | Fault::Sealed(_)
        | Fault::Task(_) => {
            tracing::error!("a request failed: {}", fault.chain());
            (
                500,
                "unexpected-problem",
                message("An unexpected problem has occurred."),
            )
        }
    };
    let detail = match kind {
        "resource-not-found" => "The requested resource could not be found.",
        "state-conflict" => {
            "The request could not be completed because of a conflict with the current state of \
             the resource."
        }
        "value-not-found" => "Could not find a resource for the given value.",
        "forbidden" => {
            "Submitted request was authenticated but the user does not have permission to do this."
        }
        "bad-request" => "The request contains an invalid value.",
        "try-again-later" => "The request could not be completed now. Try again later.",
        "unprocessable-entity" => "The body of the request was not understood.",
        _ => {
            "An unexpected problem has occurred. If this is an error that needs to be addressed, please submit a pull request or github issue."
        }
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    problem(status, &format!("{CLASSIC}{kind}"), kind, detail, data)
}

/// A problem with its own type.
pub(crate) fn typed(kind: &str, detail: &str, data: &Value) -> HttpResponse {
    let status = match kind {
        "error:connection/locked" | "error:tag-already-exists" => StatusCode::CONFLICT,
        "error:license/entitlement" => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    };
    problem(status, kind, kind, detail, data.clone())
}

fn problem(status: StatusCode, kind: &str, title: &str, detail: &str, data: Value) -> HttpResponse {
    HttpResponse::build(status).json(json!({
        "status": status.as_u16(),
        "type": kind,
        "title": title,
        "detail": detail,
        "documentationUrl": null,
        "data": data,
    }))
}

/// Airbyte's response to unexpected errors: an id to find in its log.
pub(crate) fn error_id(status: StatusCode, fault: &Fault) -> HttpResponse {
    let id = Uuid::new_v4();
    tracing::warn!(error.id = %id, status = status.as_u16(), "request refused: {}", fault.chain());
    HttpResponse::build(status).json(json!({ "errorId": id }))
}

/// The error body of the framework that Airbyte is built with.
pub(crate) fn framework(status: StatusCode, path: &str, message: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({
        "message": status.canonical_reason(),
        "_links": {"self": {"href": path, "templated": false}},
        "_embedded": {"errors": [{"message": message, "_links": {}, "_embedded": {}}]},
    }))
}
