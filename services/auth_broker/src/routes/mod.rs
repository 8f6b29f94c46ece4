//! HTTP in, HTTP out.

pub(crate) mod credentials;
pub(crate) mod sealed;

use actix_web::web::{self, ServiceConfig};

/// Wires the service's own paths.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .service(web::resource("/credentials").route(web::get().to(credentials::list)))
        .service(
            web::resource("/credentials/{credential_id}")
                .route(web::get().to(credentials::get))
                .route(web::put().to(credentials::put))
                .route(web::delete().to(credentials::delete)),
        )
        .service(
            web::resource("/credentials/{source_type}/{credential_id}")
                .route(web::get().to(credentials::fragment)),
        )
        .service(
            web::resource("/sealed/{operation_id}")
                .route(web::get().to(sealed::get))
                .route(web::put().to(sealed::put))
                .route(web::delete().to(sealed::delete)),
        );
}
