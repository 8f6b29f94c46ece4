//! The OpenAPI document.

use contracts::{CredentialMetadata, CredentialRequest, Problem};

use crate::routes;

/// The auth broker's API.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "AAM auth broker",
        description = "Credentials and what connectors get of them."
    ),
    paths(
        routes::credentials::list,
        routes::credentials::get,
        routes::credentials::fragment,
        routes::credentials::put,
        routes::credentials::delete
    ),
    components(schemas(CredentialMetadata, CredentialRequest, Problem))
)]
pub(crate) struct Document;
