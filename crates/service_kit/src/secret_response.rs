//! Responses that contain a secret, which must not be stored.

use actix_web::body::BoxBody;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, Responder};

/// A response that contains a secret.
#[derive(Debug)]
pub struct SecretResponse(pub HttpResponse);

/// Marks the request whose response contains a secret.
#[derive(Debug, Clone, Copy)]
pub(super) struct HoldsSecret;

impl Responder for SecretResponse {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        request.extensions_mut().insert(HoldsSecret);
        let mut response = self.0;
        response.headers_mut().insert(
            actix_web::http::header::CACHE_CONTROL,
            actix_web::http::header::HeaderValue::from_static("no-store"),
        );
        response
    }
}
