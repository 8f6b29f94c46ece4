//! `/metrics/connections`.

use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use contracts::Problem;
use futures::{StreamExt as _, stream};
use service_kit::ApiError;

use crate::flows::scrape::Pages;
use crate::state::State;

/// How fresh each connection's data is, in Prometheus' text format, for any number of connections.
#[utoipa::path(
    get,
    path = "/metrics/connections",
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 503, body = Problem)
    )
)]
pub(crate) async fn connections(state: Data<State>) -> Result<HttpResponse, ApiError> {
    let mut pages = Pages::new(state.get_ref().clone());
    // Read before the status is sent, so that an unreachable registry is reported.
    let first = pages.next().await?.unwrap_or_default();
    let rest = stream::unfold(pages, async |mut pages| match pages.next().await {
        Ok(lines) => Some((Ok(Bytes::from(lines?)), pages)),
        Err(error) => Some((Err(ApiError::from(error)), pages)),
    });
    let first = stream::once(std::future::ready(Ok(Bytes::from(first))));
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .streaming(first.chain(rest)))
}
