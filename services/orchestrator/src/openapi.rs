//! The OpenAPI document.

use contracts::{
    CatalogComparison, CatalogVersion, CatalogVersionDetail, ConnectionPatch, ConnectionView,
    HealAnswer, JobView, OnboardRequest, OperationView, Orphan, Problem, RollbackAnswer,
    RollbackBody, SyncTriggered,
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
        routes::operations::get,
        routes::operations::list,
        routes::orphans::list,
        routes::orphans::delete
    ),
    components(schemas(
        CatalogComparison,
        CatalogVersion,
        CatalogVersionDetail,
        ConnectionPatch,
        ConnectionView,
        HealAnswer,
        JobView,
        OnboardRequest,
        OperationView,
        Orphan,
        Problem,
        RollbackAnswer,
        RollbackBody,
        SyncTriggered
    ))
)]
pub(crate) struct Document;
