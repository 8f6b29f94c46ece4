//! The OpenAPI document.

use contracts::{
    CatalogComparison, CatalogVersion, CatalogVersionDetail, ConnectionView, EventView, HealAnswer,
    JobView, OnboardRequest, OperationView, Problem, SyncTriggered,
};

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
        routes::connections::sync,
        routes::connections::heal,
        routes::catalogs::list,
        routes::catalogs::diff,
        routes::catalogs::get,
        routes::jobs::list,
        routes::jobs::get,
        routes::operations::get,
        routes::events::listen
    ),
    components(schemas(
        CatalogComparison,
        CatalogVersion,
        CatalogVersionDetail,
        ConnectionView,
        EventView,
        HealAnswer,
        JobView,
        OnboardRequest,
        OperationView,
        Problem,
        SyncTriggered
    ))
)]
pub(crate) struct Document;
