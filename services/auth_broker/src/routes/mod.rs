//! HTTP handlers.

pub(crate) mod credentials;
pub(crate) mod sealed;

use http_server::routes::Routes;
use service_kit::policy::{ADMIN, Policy, SERVICE, VIEWER};

/// Declares the service's own paths.
pub(crate) fn configure(routes: &mut Routes<Policy>) {
    routes
        .get("/credentials", VIEWER, credentials::list)
        .get("/credentials/{credential_id}", VIEWER, credentials::get)
        .put("/credentials/{credential_id}", ADMIN, credentials::put)
        .delete("/credentials/{credential_id}", ADMIN, credentials::delete)
        .get(
            "/credentials/{source_type}/{credential_id}",
            SERVICE,
            credentials::fragment,
        )
        .get("/sealed/{operation_id}", SERVICE, sealed::get)
        .put("/sealed/{operation_id}", SERVICE, sealed::put)
        .delete("/sealed/{operation_id}", SERVICE, sealed::delete);
}
