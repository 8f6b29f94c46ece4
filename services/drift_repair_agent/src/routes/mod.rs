//! HTTP in, HTTP out.

pub(crate) mod repair;

use actix_web::web::{self, ServiceConfig};

/// Wires the service's own paths.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/repair/apply_new_catalog")
                .route(web::post().to(repair::apply_new_catalog)),
        )
        .service(web::resource("/repair/plan").route(web::post().to(repair::plan)))
        .service(web::resource("/repair/heal").route(web::post().to(repair::heal)))
        .service(web::resource("/repair/rollback").route(web::post().to(repair::rollback)));
}
