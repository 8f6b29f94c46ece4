//! The common parts of every operation, added to each service's OpenAPI document: failures that
//! occur before a handler, authentication, and the idempotency key of a POST.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder};

use crate::problem::CONTENT_TYPE_PROBLEM;

const SCHEME: &str = "api_key";

/// Failures of any request.
const ANY: &[(&str, &str)] = &[
    ("400", "the request is malformed"),
    ("401", "the key is missing or unknown"),
    (
        "403",
        "the key's role is insufficient, or the request came from another site",
    ),
    ("404", "the resource does not exist"),
    ("405", "the path does not support this method"),
    ("421", "the `Host` is not one of the service's"),
    ("429", "the caller sends too many requests"),
    ("502", "a dependency failed"),
    ("503", "a dependency is down, or the service is full"),
    ("504", "a dependency did not respond in time"),
];

/// Failures of requests that change something.
const WRITES: &[(&str, &str)] = &[
    ("408", "the body arrived too slowly"),
    ("409", "the current state does not allow it"),
    ("413", "the body is too large"),
    ("415", "the body is not JSON"),
    ("422", "a value is invalid"),
];

/// Adds the common parts to the document.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.head].into_iter().flatten() {
            failures(operation, &[ANY]);
        }
        for operation in [&mut item.put, &mut item.patch, &mut item.delete]
            .into_iter()
            .flatten()
        {
            failures(operation, &[ANY, WRITES]);
        }
        if let Some(operation) = &mut item.post {
            failures(operation, &[ANY, WRITES]);
            let parameters = operation.parameters.get_or_insert_default();
            parameters.push(RefOr::T(idempotency_key()));
        }
    }
    let components = document.components.get_or_insert_default();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme(SCHEME, bearer);
    document.security = Some(vec![SecurityRequirement::new(SCHEME, [""; 0])]);
    document
}

fn failures(operation: &mut Operation, lists: &[&[(&str, &str)]]) {
    let responses = &mut operation.responses.responses;
    for (status, why) in lists.iter().copied().flatten() {
        responses
            .entry((*status).to_owned())
            .or_insert_with(|| RefOr::T(problem(why)));
    }
    for (status, response) in responses {
        // If declared only by their body type, they would be documented as plain JSON.
        if status.as_str() >= "400"
            && let RefOr::T(response) = response
            && let Some(content) = response.content.swap_remove("application/json")
        {
            let kind = CONTENT_TYPE_PROBLEM.to_owned();
            response.content.insert(kind, content);
        }
    }
}

fn problem(why: &str) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    ResponseBuilder::new()
        .description(why)
        .content(CONTENT_TYPE_PROBLEM, content)
        .build()
}

fn idempotency_key() -> Parameter {
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[0-9A-Za-z._:-]{1,255}$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "a request repeated with the same key and body within 24 hours gets the first response",
        ))
        .schema(Some(key))
        .build()
}
