//! HTTP handlers.

pub(crate) mod repair;

use http_server::routes::Routes;
use service_kit::policy::{OPERATOR, Policy};

/// Declares the service's own paths.
pub(crate) fn configure(routes: &mut Routes<Policy>) {
    routes
        .post(
            "/repair/apply_new_catalog",
            OPERATOR.with_catalog(),
            repair::apply_new_catalog,
        )
        .post("/repair/plan", OPERATOR.with_catalog(), repair::plan)
        .post("/repair/heal", OPERATOR, repair::heal)
        .post("/repair/rollback", OPERATOR, repair::rollback);
}
