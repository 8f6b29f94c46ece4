//! HTTP handlers.

pub(crate) mod repair;

use shared::http::policy::{OPERATOR, Policy};
use shared::http::routes::Routes;

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
