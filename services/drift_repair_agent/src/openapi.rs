//! The OpenAPI document.

use contracts::{
    ApplyAnswer, HealAnswer, HealRequest, PlanAnswer, PlanRequest, Problem, RollbackAnswer,
    RollbackRequest,
};

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
    components(schemas(
        ApplyAnswer,
        HealAnswer,
        HealRequest,
        PlanAnswer,
        PlanRequest,
        Problem,
        RollbackAnswer,
        RollbackRequest
    ))
)]
pub(crate) struct Document;
