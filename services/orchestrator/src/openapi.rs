//! The OpenAPI document.

use contracts::{
    AuditEntry, CatalogComparison, CatalogVersion, CatalogVersionDetail, ConnectionView,
    HealAnswer, JobView, KeyCreated, KeyRequest, KeyView, OnboardRequest, OperationView, Problem,
    SyncTriggered,
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
        routes::keys::create,
        routes::keys::list,
        routes::keys::revoke,
        routes::audit::list
    ),
    components(schemas(
        AuditEntry,
        KeyCreated,
        KeyRequest,
        KeyView,
        CatalogComparison,
        CatalogVersion,
        CatalogVersionDetail,
        ConnectionView,
        HealAnswer,
        JobView,
        OnboardRequest,
        OperationView,
        Problem,
        SyncTriggered
    ))
)]
pub(crate) struct Document;
