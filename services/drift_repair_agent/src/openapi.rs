//! The OpenAPI document.

use contracts::Problem;

use crate::routes;

/// The drift-repair agent's API.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "AAM drift-repair agent",
        description = "Plans and applies catalog changes."
    ),
    paths(
        routes::repair::apply_new_catalog,
        routes::repair::plan,
        routes::repair::heal,
        routes::repair::rollback
    ),
    components(schemas(Problem))
)]
pub(crate) struct Document;
