//! The OpenAPI document.

use contracts::Problem;

use crate::routes;

/// The orchestrator's API.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "AAM orchestrator",
        description = "Connections, their catalogs, syncs and jobs."
    ),
    paths(
        routes::connections::onboard,
        routes::connections::list,
        routes::connections::get,
        routes::connections::patch,
        routes::connections::delete,
        routes::connections::sync,
        routes::connections::heal,
        routes::connections::rollback,
        routes::catalogs::list,
        routes::catalogs::diff,
        routes::catalogs::get,
        routes::jobs::list,
        routes::jobs::get,
        routes::jobs::logs,
        routes::jobs::cancel,
        routes::operations::get,
        routes::operations::list,
        routes::orphans::list,
        routes::orphans::delete,
        routes::keys::create,
        routes::keys::list,
        routes::keys::revoke,
        routes::audit::list,
        routes::metrics::connections,
        routes::events::listen
    ),
    components(schemas(Problem, contracts::EventView))
)]
pub(crate) struct Document;
