//! The OpenAPI document.

use contracts::Problem;

use crate::routes;

/// The auth broker's API.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "AAM auth broker",
        description = "Credentials and their parts of connector configurations."
    ),
    paths(
        routes::credentials::list,
        routes::credentials::get,
        routes::credentials::fragment,
        routes::credentials::put,
        routes::credentials::delete,
        routes::sealed::put,
        routes::sealed::get,
        routes::sealed::delete
    ),
    components(schemas(Problem))
)]
pub(crate) struct Document;
