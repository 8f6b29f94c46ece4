//! `GET /openapi.json`, and an HTML viewer at `/docs`.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_ENCODING, ContentEncoding, ContentType, LOCATION};
use actix_web::web::{Bytes, Data, Path};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use crate::policy::{PUBLIC, Policy};
use http_server::routes::Routes;

const DOCUMENT: &str = "/openapi.json";

/// A service's serialized OpenAPI document and the viewer's configuration.
pub(super) struct Document {
    text: Bytes,
    pages: Arc<Config<'static>>,
}

impl Document {
    pub(super) fn of(document: &OpenApi) -> Self {
        let text = serde_json::to_vec(document).expect("an OpenAPI document is plain JSON");
        Self {
            text: text.into(),
            pages: Arc::new(Config::from(DOCUMENT)),
        }
    }
}

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .get(DOCUMENT, PUBLIC, document)
        .get("/docs", PUBLIC, to_pages)
        .get("/docs/{file:.*}", PUBLIC, page);
}

async fn document(document: Data<Document>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::json())
        .body(document.text.clone())
}

async fn to_pages() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((LOCATION, "/docs/"))
        .finish()
}

async fn page(document: Data<Document>, file: Path<String>) -> HttpResponse {
    match utoipa_swagger_ui::serve(&file, document.pages.clone()) {
        Ok(Some(file)) => {
            let mut answer = HttpResponse::Ok();
            answer.content_type(file.content_type);
            if file.gzpipped {
                answer.insert_header((CONTENT_ENCODING, ContentEncoding::Gzip));
            }
            answer.body(file.bytes.into_owned())
        }
        Ok(None) => HttpResponse::NotFound().finish(),
        Err(error) => {
            tracing::error!(%error, "cannot serve the documentation pages");
            HttpResponse::InternalServerError().finish()
        }
    }
}
