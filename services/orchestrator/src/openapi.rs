//! The OpenAPI document.

use contracts::Problem;

use crate::routes;
use crate::routes::ingestion::openapi::UnderPrefix;

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
        routes::operations::open,
        routes::operations::list,
        routes::orphans::list,
        routes::orphans::delete,
        routes::keys::create,
        routes::keys::list,
        routes::keys::revoke,
        routes::audit::list,
        routes::metrics::connections,
        routes::events::listen,
        routes::ingestion::endpoints::datasource::types,
        routes::ingestion::endpoints::datasource::list,
        routes::ingestion::endpoints::datasource::create,
        routes::ingestion::endpoints::datasource::get,
        routes::ingestion::endpoints::datasource::delete,
        routes::ingestion::endpoints::sink::types,
        routes::ingestion::endpoints::sink::list,
        routes::ingestion::endpoints::sink::create,
        routes::ingestion::endpoints::sink::get,
        routes::ingestion::endpoints::sink::delete,
        routes::ingestion::ingestions::list,
        routes::ingestion::ingestions::create,
        routes::ingestion::ingestions::get,
        routes::ingestion::ingestions::patch,
        routes::ingestion::ingestions::delete,
        routes::ingestion::ingestions::sync,
        routes::ingestion::ingestions::status
    ),
    modifiers(&UnderPrefix),
    tags((name = "ingestion", description = "Datasources, sinks and ingestions: an API to the \
                                             same connections that needs no knowledge of Airbyte.")),
    components(schemas(Problem, contracts::EventView))
)]
pub(crate) struct Document;
