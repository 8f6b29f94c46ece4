//! Handlers with nothing around them: what a request costs at the least.

use std::path::Path;

use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::Context as _;
use settings::{DatabaseTarget, Pooler};
use shared::registry::Registry;
use shared::registry::connections::ConnectionFilter;
use uuid::Uuid;

/// Serves `/one/{id}`, a SELECT to JSON, and `/many`, a SELECT of a thousand rows and then the bytes
/// that were given, until it is killed.
pub(crate) fn serve(database: &Path, bytes: &Path) -> anyhow::Result<()> {
    local::install_tls_provider();
    let target = DatabaseTarget::Sqlite {
        path: database.to_owned(),
    };
    let bytes = Data::new(Bytes::from(std::fs::read(bytes)?));
    actix_web::rt::System::new().block_on(async move {
        let registry = Registry::connect(&target, Pooler::Session);
        let registry = Data::new(registry.context("opening the registry")?);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(registry.clone())
                .app_data(bytes.clone())
                .route("/one/{id}", web::get().to(one))
                .route("/many", web::get().to(many))
        })
        .workers(2)
        .bind("127.0.0.1:0")?;
        eprintln!(
            r#"{{"message":"listening","address":"{}"}}"#,
            server.addrs()[0]
        );
        server.run().await?;
        Ok(())
    })
}

async fn one(registry: Data<Registry>, id: web::Path<Uuid>) -> HttpResponse {
    let Ok(Some(row)) = registry.connection_get(*id).await else {
        return HttpResponse::NotFound().finish();
    };
    HttpResponse::Ok().json(serde_json::json!({
        "id": row.id, "name": row.name, "source_type": row.source_type,
        "status": row.status, "airbyte_source_id": row.airbyte_source_id,
        "airbyte_connection_id": row.airbyte_connection_id, "created_at": row.created_at,
    }))
}

async fn many(registry: Data<Registry>, bytes: Data<Bytes>) -> HttpResponse {
    let filter = ConnectionFilter::default();
    let Ok(rows) = registry.connection_page(&filter, None, 1000).await else {
        return HttpResponse::InternalServerError().finish();
    };
    debug_assert_eq!(rows.len(), 1000, "the registry holds too few rows");
    HttpResponse::Ok()
        .content_type("application/json")
        .body(bytes.get_ref().clone())
}
