//! What every operation of every service has in common, added to its OpenAPI document: the failures
//! that come before a handler, the key that callers show, and the key of a repeated POST.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder};

use super::problem::CONTENT_TYPE_PROBLEM;

const SCHEME: &str = "api_key";

/// Failures of any request.
const ANY: &[(&str, &str)] = &[
    ("400", "the request does not read"),
    ("401", "no key, or one that is not known"),
    (
        "403",
        "the key's role is too small, or the request came from another site",
    ),
    ("404", "there is no such thing"),
    ("405", "the path does not take this method"),
    ("421", "the `Host` is not one of the service's"),
    ("429", "the caller sends too many requests"),
    ("502", "a dependency failed"),
    ("503", "a dependency is down, or the service is full"),
    ("504", "a dependency did not answer in time"),
];

/// Failures of requests that change something.
const WRITES: &[(&str, &str)] = &[
    ("408", "the body came too slowly"),
    ("409", "the present state does not allow it"),
    ("413", "the body is too large"),
    ("415", "the body is not JSON"),
    ("422", "a value is not usable"),
];

/// The document with what its operations have in common.
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
        // Declared by their bodies' type alone, they would be plain JSON.
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
            "sent again with the same key and body within 24 hours, the request is answered as the first time",
        ))
        .schema(Some(key))
        .build()
}
