//! Answers HEAD like GET, without the body.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::web::Bytes;

/// The response to a request with `method`: without its body for HEAD.
pub fn answer(method: &Method, response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    if *method != Method::HEAD {
        return response;
    }
    response.map_body(|_, body| BoxBody::new(Unsent(body.size())))
}

/// A body of which only the length is sent. An endless one is not even started.
struct Unsent(BodySize);

impl MessageBody for Unsent {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}
